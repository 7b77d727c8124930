"""A causal language model, pretrained or drawn, fitted to texts.

Documents are cut into blocks of tokens; what is minimised is the mean of the nats of the tokens
that are foretold, with AdamW. Held-out texts are scored document by document with the sliding
window of `scoring`, the same for every recipe of a study. Torch and Transformers load when
something is fitted, loaded or profiled, not with the settings.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items, Modality
from bakeoff.core.frozen import Frozen, plain
from bakeoff.core.generation import GenerationSettings, WritingSettings
from bakeoff.core.optimisers import OptimizerName
from bakeoff.core.perplexity import Protocol, byte_count, detokenise
from bakeoff.core.protocols import (
    Batch,
    LayerProfile,
    Predictor,
    Run,
    TrainingData,
    Written,
)
from bakeoff.core.recipe import DeviceName, Framework, Numerics, Settings
from bakeoff.core.streams import Streams
from bakeoff.data.blocks import BlockSettings, cut_blocks
from bakeoff.models.settings import AdapterSettings, CausalSettings
from bakeoff.techniques.saved import read_predictor, texts_of, write_predictor
from bakeoff.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

    from bakeoff.models.language import Causal
    from bakeoff.models.lora import Adapters

EVALUATED = 8
"""Texts of a batch of validation; each is scored by itself."""


class LanguageTraining(TrainingSettings):
    """How the model learns; batches are of blocks."""

    epochs: Annotated[int, Field(ge=1)] | None = 1
    batch_size: Annotated[int, Field(ge=1)] = 8
    optimizer: OptimizerName = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    """Of pretrained weights; drawn ones bear fifty times as much."""
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    l2: Annotated[float, Field(ge=0)] = 0.01
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    sampling: Literal["shuffle"] = "shuffle"
    checkpointing: bool = False
    """Keep the inputs of blocks of layers alone and compute the rest again on the way back: less
    memory, a third more time."""

    @model_validator(mode="after")
    def _what_there_is(self) -> "LanguageTraining":
        for name, none in (
            ("label_smoothing", 0.0),
            ("lookahead", None),
            ("averaging", None),
        ):
            if (found := getattr(self, name)) != none:
                raise ValueError(f"{name}: {found} received (allowed in language models: {none})")
        return self


class AdaptSettings(AdapterSettings):
    """What of the model learns."""

    method: Literal["full", "lora", "none"] = "full"
    """`full`: all weights; `lora`: low-rank updates beside layers that stay as they are (Hu et al.
    2021); `none`: nothing does, the weights are scored as they are."""


class ScoringSettings(Protocol):
    """How held-out texts are scored: the same for all recipes of a study."""

    context: Annotated[int, Field(ge=2)] = 128
    """Tokens that the model sees at once."""
    stride: Annotated[int, Field(ge=1)] = 64
    """Tokens between the beginnings of two windows."""


class SampleSettings(Frozen):
    """Texts that are written before and after, side by side in the report."""

    count: Annotated[int, Field(ge=0)] = 4
    """Each goes on from the beginning of a validation text."""
    words: Annotated[int, Field(ge=1)] = 12
    """Of that beginning."""
    generation: WritingSettings = WritingSettings()


class LanguageModelSettings(Settings):
    """Of the language model."""

    model: CausalSettings = CausalSettings()
    blocks: BlockSettings = BlockSettings()
    adapt: AdaptSettings = AdaptSettings()
    training: LanguageTraining = LanguageTraining()
    scoring: ScoringSettings = ScoringSettings()
    samples: SampleSettings = SampleSettings()

    def check(self, limit: int) -> None:
        """Whether a model sees as much as is asked for.

        Raises:
            InputError: naming the fields.
        """
        faults = []
        for name, wanted in (
            ("blocks.tokens", self.blocks.tokens),
            ("scoring.context", self.scoring.context),
        ):
            if wanted > limit:
                faults.append(
                    f"{name}: {wanted:,} received, but {self.model.weights} sees {limit:,} tokens "
                    f"at most (allowed: 2 to {limit:,})"
                )
        if faults:
            raise InputError(faults)


class LanguagePredictor:
    """A language model with its words, and how it scores texts.

    Args:
        technique: The name it is saved under.
        causal: The model.
        scoring: How texts are scored.
        adapt: What of the model learns.
        precision: Of matrix products.
    """

    def __init__(
        self,
        technique: str,
        causal: "Causal",
        scoring: Protocol,
        adapt: AdaptSettings,
        precision: str = "float32",
    ) -> None:
        self.technique, self.causal, self.scoring = technique, causal, scoring
        self.adapt, self.precision = adapt, precision
        self._ahead: dict[str, tuple[float, ...]] = {}

    def predict(self, items: Items) -> NDArray[np.float64]:
        """Nats, scored tokens, bytes, their share (N, 4) of N texts, each by itself.

        Nats are infinite where the model gives no number for a token that is scored.

        Raises:
            InputError: where the items are no texts.
        """
        texts = texts_of(items, self.technique)
        found = [self._ahead.pop(text, ()) or self._score(text) for text in texts]
        return np.array(found, np.float64).reshape(-1, 4)

    def predict_ahead(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """`predict`, of what is going to be predicted once more with the same weights.

        Validation ends training and is then scored as any other split is: twice would be as dear as
        a third of the training, where texts are long.
        """
        found = self.predict(texts)
        self._ahead.update(zip(texts, map(tuple, found), strict=True))
        return found

    def forget(self) -> None:
        """Weights have changed: nothing is known ahead."""
        self._ahead.clear()

    def _score(self, text: str) -> tuple[float, float, float, float]:
        from bakeoff.models.language import score_text

        nats, covered = score_text(self.causal, text, self.scoring, self.precision)
        scored = nats[~np.isnan(nats)]
        return float(scored.sum()), float(len(scored)), float(byte_count(text)), covered

    @property
    def device(self) -> DeviceName:
        """Where it computes."""
        kind = next(self.causal.module.parameters()).device.type
        return "cuda" if kind == "cuda" else "cpu"

    def encode(self, text: str) -> list[int]:
        """The tokens of a text as this model learns them."""
        return self.causal.words.encode(detokenise(text) if self.scoring.detokenised else text)

    def generate(
        self, prompts: Sequence[str], settings: GenerationSettings, streams: Streams
    ) -> list[str]:
        """What follows each prompt, or its end (`kept`)."""
        from bakeoff.models.generation import Generator, continuation

        causal = self.causal
        given = [self.kept(prompt, settings) for prompt in prompts]
        generator = Generator(causal.module, causal.ends, causal.limit)
        pairs = zip(given, generator(given, settings, streams), strict=True)
        return [continuation(causal.words.decode, prompt, ids) for prompt, ids in pairs]

    def kept(self, prompt: str, settings: GenerationSettings) -> list[int]:
        """The tokens of a prompt that a text goes on from.

        Of one that leaves less room than is asked for, the end: at least half of what the model
        sees, and then less follows.
        """
        limit = self.causal.limit
        longest = max(limit - settings.max_tokens, limit // 2)
        return (self.encode(prompt) or [self.causal.words.end])[-longest:]

    def layers(self) -> tuple[LayerProfile, ...]:
        """Embeddings, blocks, head; MACs are those of one window."""
        from bakeoff.models.language import profile

        return profile(self.causal.module, self.scoring.context)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder: the weights, and all that the model is built from.

        Of pretrained weights that stayed as they are, name and hash take their place. Adapters
        beside them are there in peft's format, too, in the folder `adapter`.
        """
        from bakeoff.models.lora import save_adapters
        from bakeoff.training.torch.arrays import to_arrays

        causal, base = self.causal, self._base()
        weights = to_arrays(_saved(causal.module, trained_alone=base is not None))
        state = {
            "technique": self.technique,
            "base": base,
            "config": None if base else dict(causal.config),
            "words": None if base else causal.words.state(),
            "end": causal.words.end,
            "ends": list(causal.ends),
            "begin": causal.words.begin,
            "limit": causal.limit,
            "scoring": plain(self.scoring),
            "adapt": plain(self.adapt),
            "precision": self.precision,
        }
        write_predictor(folder, {f"network.{p}": values for p, values in weights.items()}, state)
        if base is not None and self.adapt.method == "lora":
            (folder / "adapter").mkdir(exist_ok=True)
            adapters = _adapters(causal, self.adapt)
            save_adapters(causal.module, adapters, folder / "adapter", base["weights"])

    def _base(self) -> dict[str, str] | None:
        """Name, hash and folder of pretrained weights that are still in the model."""
        base = self.causal.base
        if base is None or self.adapt.method == "full":
            return None
        identity = base.identity
        return {"weights": base.name, "sha256": identity["weights"], "folder": identity["folder"]}


class LanguageModel:
    """A causal language model fitted to texts."""

    name: ClassVar[str] = "language-model"
    version: ClassVar[int] = 7
    """2: attention in float32 beside products in bfloat16; 3: bytes of texts beside their nats,
    texts are whole where a tokenizer's file says otherwise, OPT drops nothing, GPT-Neo is read;
    4: a model that gives NaN for a token has diverged, and no longer one with an infinite figure
    that nothing is selected by; 5: it is scored on some of long training texts, not on all; 6: what
    no token was scored for is no part of figures per word and byte; 7: a head's gradients are
    summed in float32."""
    settings: ClassVar[type[Settings]] = LanguageModelSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"language-modelling"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"text"})
    framework: ClassVar[Framework] = "torch"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = (
        "causal language model, pretrained or of bytes, fitted to texts (torch)"
    )

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> LanguagePredictor:
        """Train in one phase, `train`; none where nothing is to learn.

        Raises:
            InputError: where the data are not texts, or the settings do not fit the model.
        """
        from bakeoff.data.token_batches import TokenBatches, TokenExamples
        from bakeoff.models.causal import block_loss
        from bakeoff.models.language import keep_fewer_activations
        from bakeoff.training.plan import plan
        from bakeoff.training.torch.language import LanguageStep

        settings = cast(LanguageModelSettings, cell.recipe.settings)
        training = settings.training
        predictor = self._begin(settings, data, run.streams, cell.recipe.numerics)
        if settings.adapt.method == "none":
            return predictor
        module = predictor.causal.module
        if training.checkpointing:
            keep_fewer_activations(module)
        texts = [predictor.encode(str(text)) for text in data.train.items]
        blocks = cut_blocks(texts, settings.blocks, predictor.causal.words.end)
        examples = TokenExamples(blocks, np.zeros(len(blocks)))
        batches = TokenBatches(examples, training.batch_size, run.streams, buckets=False)
        scoring = predictor.predict_ahead, predictor.forget
        precision = cast(Any, predictor.precision)
        step = LanguageStep(module, block_loss, *scoring, training, precision)
        validation = data.validation

        def validate() -> Iterator[Batch]:
            for first in range(0, len(validation), EVALUATED):
                rows = np.arange(first, min(first + EVALUATED, len(validation)))
                part = validation.take(rows)
                yield Batch(part.items, part.labels, rows)

        run.loop("train", step, batches, plan(training, batches, data.task, validate))
        return predictor

    def load(self, folder: Path, device: DeviceName = "auto") -> LanguagePredictor:
        """A saved predictor, back.

        Raises:
            InputError: where there is none of this technique, or its files contradict each other.
        """
        from bakeoff.training.torch.arrays import copy_into

        arrays, state = read_predictor(folder, self.name)
        try:
            causal = _rebuilt(state)
            adapt = AdaptSettings.parse(state["adapt"])
            _adapt(causal, adapt, Streams(0))
            weights = {name.removeprefix("network."): values for name, values in arrays.items()}
            copy_into(_saved(causal.module, state["base"] is not None), weights)
            scoring = Protocol.parse(state["scoring"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None
        predictor = LanguagePredictor(self.name, causal, scoring, adapt, state["precision"])
        _place(predictor, Numerics(device=device, precision=state["precision"]))
        return predictor

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> LanguagePredictor:
        """The weights that training begins with, of seed 0 where they are drawn.

        Raises:
            InputError: where there are no such weights, or the settings do not fit them.
        """
        chosen = cast(LanguageModelSettings, settings)
        return self._made(chosen, Streams(0))

    def vocabulary(self, settings: Settings) -> str:
        """A digest of the tokens that texts become, of bytes where there are no weights.

        Raises:
            InputError: where there are no such weights, or no tokenizer beside them.
        """
        from bakeoff.models.language import vocabulary_of
        from bakeoff.models.pretrained import find_pretrained

        weights = cast(LanguageModelSettings, settings).model.weights
        return vocabulary_of(None if weights is None else find_pretrained(weights))

    def texts(
        self, settings: Settings, fitted: Predictor, data: TrainingData, streams: Streams
    ) -> Written:
        """Texts from the beginnings of validation texts, before and after the fit."""
        chosen = cast(LanguageModelSettings, settings)
        samples, items = chosen.samples, data.validation.items
        count = min(samples.count, len(items))
        prompts = [" ".join(str(items[i]).split()[: samples.words]) for i in range(count)]
        learnt = cast(LanguagePredictor, fitted)
        shown = [_as_given(learnt, prompt, samples.generation) for prompt in prompts]
        begun = self._begin(chosen, data, streams, Numerics(device=learnt.device))
        before, after = (
            predictor.generate(prompts, samples.generation, streams)
            for predictor in (begun, learnt)
        )
        return Written(tuple(shown), tuple(before), tuple(after))

    def _begin(
        self,
        settings: LanguageModelSettings,
        data: TrainingData,
        streams: Streams,
        numerics: Numerics,
    ) -> LanguagePredictor:
        if isinstance(data.train.items, np.ndarray):
            raise InputError(f"{self.name}: texts needed, {data.modality} received")
        predictor = self._made(settings, streams)
        _place(predictor, numerics)
        return predictor

    def _made(self, settings: LanguageModelSettings, streams: Streams) -> LanguagePredictor:
        from bakeoff.models.language import opening

        causal = _causal(settings, streams)
        opening(causal.words, settings.scoring)
        _adapt(causal, settings.adapt, streams)
        return LanguagePredictor(self.name, causal, settings.scoring, settings.adapt)


def _causal(settings: LanguageModelSettings, streams: Streams) -> "Causal":
    """The model that training begins with.

    Raises:
        InputError: where there are no such weights, or the settings do not fit them.
    """
    from bakeoff.models.language import drawn_causal, pretrained_causal
    from bakeoff.models.pretrained import find_pretrained

    model = settings.model
    if model.weights is None:
        limit = max(settings.blocks.tokens, settings.scoring.context)
        return drawn_causal(model, limit, streams)
    found = find_pretrained(model.weights)
    settings.check(found.limit)
    return pretrained_causal(found, streams if model.fresh else None)


def _as_given(model: LanguagePredictor, prompt: str, settings: GenerationSettings) -> str:
    """A prompt as a text goes on from it: what was cut off before it shows as an ellipsis."""
    kept = model.kept(prompt, settings)
    cut = len(kept) < len(model.encode(prompt))
    return f"\N{HORIZONTAL ELLIPSIS}{model.causal.words.decode(kept)}" if cut else prompt


def _adapters(causal: "Causal", adapt: AdaptSettings) -> "Adapters":
    """What the settings put beside a model's layers."""
    from bakeoff.models.lora import Adapters, usual_targets

    targets = adapt.targets or usual_targets(str(causal.config["model_type"]))
    return Adapters(targets, adapt.rank, adapt.alpha)


def _adapt(causal: "Causal", adapt: AdaptSettings, streams: Streams) -> None:
    """Say what of a model learns, and put updates beside its layers where they do.

    Raises:
        InputError: where targets match nothing, or the rank is above a layer's width.
    """
    from bakeoff.models import lora

    if adapt.method == "lora":
        lora.adapt(causal.module, _adapters(causal, adapt), streams)
        causal.module.eval()
    else:
        causal.module.requires_grad_(adapt.method == "full")


def _saved(module: "nn.Module", trained_alone: bool) -> dict[str, Any]:
    """The tensors of a module that are written: all, or those that learnt."""
    from bakeoff.training.torch.arrays import named_tensors

    learnt = {name for name, p in module.named_parameters() if p.requires_grad}
    return {n: t for n, t in named_tensors(module).items() if not trained_alone or n in learnt}


def _rebuilt(state: Mapping[str, Any]) -> "Causal":
    """The model of a saved state; its weights are still to be set, but for those of a base.

    Raises:
        InputError: where the pretrained weights it names are not there, or are others.
    """
    from bakeoff.models.language import (
        ByteWords,
        build_causal,
        pretrained_causal,
        tokenizer_words,
    )
    from bakeoff.models.pretrained import find_again

    base = state["base"]
    if base is None:
        saved = state["words"]
        ends = state["end"], state.get("begin")
        words = ByteWords() if saved is None else tokenizer_words(saved, *ends)
        return build_causal(state["config"], words, state["limit"], state.get("ends", ()))
    identity = {**base, "weights": base["sha256"]}
    return pretrained_causal(find_again(base["weights"], identity))


def _place(predictor: LanguagePredictor, numerics: Numerics) -> None:
    """Bring a model to its device, and have it compute in its precision."""
    import torch

    from bakeoff.training.torch.numerics import resolve_device_and_precision

    device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
    predictor.causal.module.to(torch.device(device))
    predictor.precision = precision
