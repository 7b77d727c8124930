"""Pretrained weights trained for one's own classes: all of them, adapters, or the head alone.

A linear layer on a text's vector, and of the weights below it as much as `adapt` says. Encoders
give the mean over their tokens, language models the vector of the last real token. Torch and
Transformers load when something is fitted or loaded, not with the settings.
Sources: Devlin et al. 2019, "BERT", section 4 (every weight); Hu et al. 2021, "LoRA"; Howard and
Ruder 2018, "Universal language model fine-tuning", section 3.2 (rates that fall layer by layer).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items, Modality
from bakeoff.core.frozen import plain
from bakeoff.core.optimisers import OptimizerName
from bakeoff.core.protocols import Batch, LayerProfile, Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Numerics, Settings
from bakeoff.core.streams import Streams
from bakeoff.core.tokens import Tokens
from bakeoff.data.hashing import item_digests
from bakeoff.data.token_batches import PaddedBatches, TokenBatches, TokenExamples, VectorBatches
from bakeoff.models.settings import AdapterSettings
from bakeoff.techniques.saved import read_predictor, texts_of, write_predictor
from bakeoff.techniques.teachers import teaching_of
from bakeoff.techniques.texts import (
    Tokeniser,
    WeightsSettings,
    at_work,
    attended,
    cut_note,
    same_weights,
    tokeniser_of,
    vectors_key,
)
from bakeoff.training.settings import TaughtSettings

if TYPE_CHECKING:
    from torch import nn

    from bakeoff.models.lora import Adapters
    from bakeoff.models.text_encoder import TextClassifier, TextEncoder
    from bakeoff.training.torch.inference import Network
    from bakeoff.training.torch.token_inference import TokenInference
    from bakeoff.training.torch.vector_inference import VectorInference

HEAD = "output."
"""What the names of the head's parameters begin with."""


class ClassifierSettings(WeightsSettings):
    """Which weights, and how a text's vector is made and dropped from."""

    pooling: Literal["auto", "cls", "mean", "max", "last"] = "auto"
    """`auto`: the mean over an encoder's tokens, a language model's last token."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Of all layers but attention's weights; None: the model's own, and 0.1 before the head."""


class AdaptSettings(AdapterSettings):
    """How much of the pretrained weights is trained, besides the head."""

    method: Literal["none", "head", "lora", "full"] = "full"
    """`none`: not even the head, which stays as it was drawn: a reference."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of `lora`: share of an update's inputs that is dropped in training."""


class LoraAdaptSettings(AdaptSettings):
    """The same, with adapters unless something else is asked for."""

    method: Literal["none", "head", "lora", "full"] = "lora"


class FineTuneTraining(TaughtSettings):
    """How it trains; the rates are usual ones for all weights of a small encoder."""

    epochs: Annotated[int, Field(ge=1)] | None = 3
    batch_size: Annotated[int, Field(ge=1)] = 16
    optimizer: OptimizerName = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    sampling: Literal["shuffle"] = "shuffle"
    """Batches hold texts of about one length, each once an epoch."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each block learns at this share of the rate of the block above it; 1: all at the same."""


class LoraTraining(FineTuneTraining):
    """How adapters train: few weights bear a higher rate."""

    learning_rate: Annotated[float, Field(gt=0)] = 1e-3


class FineTuneSettings(Settings):
    """Of pretrained weights that are trained for one's classes."""

    model: ClassifierSettings = ClassifierSettings()
    adapt: AdaptSettings = AdaptSettings()
    training: FineTuneTraining = FineTuneTraining()

    @model_validator(mode="after")
    def _somebody_listens(self) -> "FineTuneSettings":
        if self.training.teacher is not None and self.adapt.method == "none":
            raise ValueError(
                "training.teacher received with adapt.method none, which learns nothing (allowed: "
                "with head, lora, full)"
            )
        return self

    @model_validator(mode="after")
    def _rates_of_what_learns(self) -> "FineTuneSettings":
        if self.training.layer_decay < 1 and self.adapt.method != "full":
            raise ValueError(
                f"training.layer_decay {self.training.layer_decay:g} received with adapt.method "
                f"{self.adapt.method}, which trains no weights of blocks (allowed: 1, or method "
                "full)"
            )
        return self


class LoraSettings(FineTuneSettings):
    """Of low-rank adapters."""

    adapt: LoraAdaptSettings = LoraAdaptSettings()
    training: LoraTraining = LoraTraining()


class FineTunedPredictor:
    """A pretrained model with a head.

    Args:
        technique: The name it is saved under.
        settings: All it is built from besides the classes.
        tokeniser: The model's own.
        inference: The model at work.
        classes: The K class names.
    """

    def __init__(
        self,
        technique: str,
        settings: FineTuneSettings,
        tokeniser: Tokeniser,
        inference: "TokenInference",
        classes: Sequence[str],
    ) -> None:
        self.technique, self.settings, self.tokeniser = technique, settings, tokeniser
        self.inference, self.classes = inference, tuple(classes)

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of N texts.

        Raises:
            InputError: where the items are not texts.
        """
        texts = texts_of(items, self.technique)
        return self.inference.probabilities(self.tokeniser.padded(texts))

    def cut_notes(self, items: Items) -> list[str]:
        """How many of N texts are longer than is read."""
        return self.tokeniser.cut_notes(texts_of(items, self.technique))

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32: what the head sees.

        Raises:
            InputError: where the items are not texts.
        """
        texts = texts_of(items, self.technique)
        encoder = self.inference.of(cast("nn.Module", self.inference.module.encoder))
        return encoder.outputs(self.tokeniser.padded(texts))

    def attention(self, text: str, most: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """The tokens T of a text, `most` at the most, and weights (layers, heads, T, T)."""
        encoder = cast("TextEncoder", self.inference.module.encoder)
        return attended(self.tokeniser, encoder, text, most)

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row for each layer, of a text of the most tokens."""
        from torch import int64

        from bakeoff.models.macs import profile

        return profile(self.inference.module, (self.settings.model.max_tokens,), int64)

    def save(self, folder: Path) -> None:
        """Write what was trained into an existing folder; of all else, where to find it.

        Adapters are there in peft's format, too, in the folder `adapter`.
        """
        from bakeoff.models.lora import save_adapters
        from bakeoff.models.resting import is_rested
        from bakeoff.training.torch.arrays import to_arrays

        pretrained, own = self.tokeniser.pretrained, self.settings
        state = {
            "technique": self.technique,
            "model": plain(own.model),
            "adapt": plain(own.adapt),
            **pretrained.identity,
            "precision": self.inference.precision,
            "rested": is_rested(self.inference.module),
            "classes": list(self.classes),
        }
        module = cast("TextClassifier", self.inference.module)
        write_predictor(folder, to_arrays(_learnt(module)), state)
        if own.adapt.method == "lora":
            (folder / "adapter").mkdir(exist_ok=True)
            adapters = _adapters(own, pretrained.kind)
            save_adapters(module.encoder.body, adapters, folder / "adapter", own.model.weights)


class FineTune:
    """Pretrained weights, trained for one's own classes."""

    name: ClassVar[str] = "fine-tune"
    version: ClassVar[int] = 8
    """2: embeddings learn the rows that texts reach; 3: float32 attention; 4: a head that learns
    alone is validated in passes of one length, and batches have one of a few widths; 5: masks of
    MPNet and ModernBERT, rates and dropout of OPT; 6: Gemma scales the rows that learn, too;
    7: the batch of the longest texts comes first; 8: other draws of dropout."""
    settings: ClassVar[type[Settings]] = FineTuneSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"text"})
    framework: ClassVar[Framework] = "torch"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "pretrained encoder or language model with a head, trained (torch)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> FineTunedPredictor:
        """Train in one phase, `train`; what the untrained head scores goes into the record.

        An encoder that learns nothing speaks once, in phases of its own (`vectors`,
        `validation-vectors`), which are kept by content: the head learns from what it said.

        Where there is a teacher, it speaks in a phase before; its extra texts are training texts
        without labels.

        Raises:
            InputError: where the data are not texts, the weights cannot be loaded or adapted, or
                the teacher tells other classes apart.
        """
        from bakeoff.training.plan import plan
        from bakeoff.training.torch.losses import cross_entropy_of
        from bakeoff.training.torch.step import TorchStep

        settings = cast(FineTuneSettings, cell.recipe.settings)
        training = settings.training
        teaching = teaching_of(training.teacher, cell, data, inputs, run)
        extra = teaching.extra if teaching else ()
        texts = [*texts_of(data.train.items, self.name), *extra]
        tokeniser = tokeniser_of(settings.model)
        tokens, long = tokeniser.through(run, "tokens", texts)
        run.remark(cut_note(long, len(texts), tokeniser.limit))
        classes, numerics = data.task.classes, cell.recipe.numerics
        inference = _inference(settings, tokeniser, len(classes), run.streams, numerics)
        made = FineTunedPredictor(self.name, settings, tokeniser, inference, classes)
        if settings.adapt.method == "none":
            return made
        labels = np.pad(data.train.labels, (0, len(extra)))  # of texts without one, it is not read
        examples = TokenExamples(tokens, labels)
        token_batches = TokenBatches(examples, training.batch_size, run.streams)
        held_out = texts_of(data.validation.items, self.name)
        network, batches, items = _what_learns(made, token_batches, texts, held_out, run)
        labels = data.validation.labels
        batch = Batch(items, labels, np.arange(len(labels)))

        def validation() -> Iterator[Batch]:
            return iter([batch])

        before = data.task.score(labels, network.probabilities(items))
        run.remark([f"the untrained head: validation/accuracy {before['accuracy']:.4f}"])
        with _used_rows(inference, settings, tokens):
            loss = cross_entropy_of(training, teaching)
            step = TorchStep(network, training, run.streams, loss=loss)
            run.loop("train", step, batches, plan(training, batches, data.task, validation))
            step.keep()
        return made

    def load(self, folder: Path, device: DeviceName = "auto") -> FineTunedPredictor:
        """A saved predictor, back; the pretrained weights must be found again.

        Raises:
            InputError: where there is none of this technique, its files contradict each other, or
                the pretrained weights are others than those it was made with.
        """
        from bakeoff.models.resting import rest
        from bakeoff.training.torch.arrays import copy_into

        arrays, state = read_predictor(folder, self.name)
        try:
            content = {"model": state["model"], "adapt": state["adapt"]}
            settings = cast(FineTuneSettings, self.settings.parse(content))
            tokeniser = same_weights(settings.model, state)
            numerics = Numerics(device=device, precision=state["precision"])
            classes = state["classes"]
            inference = _inference(settings, tokeniser, len(classes), Streams(0), numerics)
            if state.get("rested"):  # though it came to compute in float32
                rest(cast("TextClassifier", inference.module).encoder)
            copy_into(_learnt(cast("TextClassifier", inference.module)), arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None
        return FineTunedPredictor(self.name, settings, tokeniser, inference, classes)

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> FineTunedPredictor:
        """The pretrained weights with the head of seed 0."""
        chosen = cast(FineTuneSettings, settings)
        tokeniser = tokeniser_of(chosen.model)
        inference = _inference(chosen, tokeniser, classes, Streams(0), Numerics())
        names = [str(i) for i in range(classes)]
        return FineTunedPredictor(self.name, chosen, tokeniser, inference, names)


class Lora(FineTune):
    """Low-rank adapters: `fine-tune` with other defaults."""

    name: ClassVar[str] = "lora"
    settings: ClassVar[type[Settings]] = LoraSettings
    summary: ClassVar[str] = "fine-tune with low-rank adapters beside the projections (torch)"


def _inference(
    settings: FineTuneSettings,
    tokeniser: Tokeniser,
    classes: int,
    streams: Streams,
    numerics: Numerics,
) -> "TokenInference":
    """The model on its device, adapted as the settings say, nothing learnt."""
    import torch

    from bakeoff.models.lora import adapt
    from bakeoff.models.pretrained import check_labels, load_encoder
    from bakeoff.models.text_encoder import TextClassifier, TextEncoder, set_dropout, share_rates
    from bakeoff.training.torch.initialise import initialise

    pretrained, own, method = tokeniser.pretrained, settings.model, settings.adapt.method
    check_labels(pretrained, classes)
    body = load_encoder(pretrained)
    set_dropout(body, 0.0 if method in ("none", "head") else own.dropout)
    pooling = own.pooling
    if pooling == "auto":
        pooling = "mean" if pretrained.family == "encoder" else "last"
    before_head = 0.1 if own.dropout is None else own.dropout
    with torch.random.fork_rng([]):  # torch draws weights that we replace
        encoder = TextEncoder(body, pretrained.family, pooling)
        module = TextClassifier(encoder, pretrained.width, classes, before_head)
        if method == "lora":
            adapt(body, _adapters(settings, pretrained.kind), streams)
    if method in ("none", "head"):
        encoder.requires_grad_(False)
    initialise(module.output, streams, {"": "lecun"})
    module.output.requires_grad_(method != "none")
    if settings.training.layer_decay < 1:
        share_rates(body, settings.training.layer_decay, pretrained.layers)
    return at_work(module, encoder, pretrained, numerics)


@contextmanager
def _used_rows(
    inference: "TokenInference", settings: FineTuneSettings, tokens: Tokens
) -> Iterator[None]:
    """While it trains, the embedding's rows of the training texts alone learn.

    Where something else than gradients moves weights (L2, L1), or rows are not moved each by itself
    (`muon`, a bound of norms), all rows do.
    """
    own = settings.training
    each = own.optimizer != "muon" and own.max_norm is None
    if settings.adapt.method != "full" or own.l2 or own.l1 or not each:
        yield
        return
    from torch import from_numpy

    from bakeoff.models.used_rows import learn_used_rows, merge_used_rows

    body = cast("TextClassifier", inference.module).encoder.body
    padding = np.zeros(1, np.int64)  # where there is no token, the model is given id 0
    learn_used_rows(body, from_numpy(np.append(tokens.ids.astype(np.int64), padding)))
    yield
    merge_used_rows(body)


def _what_learns(
    made: FineTunedPredictor,
    batches: TokenBatches,
    texts: Sequence[str],
    held_out: Sequence[str],
    run: Run,
) -> tuple["Network", PaddedBatches | VectorBatches, NDArray[Any]]:
    """The whole model on tokens, or its head alone on vectors; its batches, and what validates."""
    if made.settings.adapt.method != "head":
        return made.inference, PaddedBatches(batches), made.tokeniser.padded(held_out)
    vectors = VectorBatches(batches, _vectors(made, "vectors", texts, run))
    validation = _vectors(made, "validation-vectors", held_out, run)
    return _head_of(made.inference), vectors, validation


def _head_of(inference: "TokenInference") -> "VectorInference":
    """The head of a model alone, which reads the encoder's vectors."""
    from bakeoff.models.text_encoder import ClassifierHead
    from bakeoff.training.torch.vector_inference import VectorInference

    head = ClassifierHead(cast("TextClassifier", inference.module))
    return VectorInference(head, inference.device, inference.precision)


def _vectors(
    made: FineTunedPredictor, phase: str, texts: Sequence[str], run: Run
) -> NDArray[np.float32]:
    """(N, D) what the encoder says of texts, through the cache."""
    model, pretrained = made.settings.model, made.tokeniser.pretrained
    content = plain(model) | {"weights": pretrained.digest, "dropout": None}

    def encode(at: NDArray[np.intp]) -> NDArray[np.float32]:
        return made.represent([texts[i] for i in at])

    key = vectors_key({"what the head sees": content}, made.inference)
    return run.solve_rows(phase, item_digests(texts), encode, key)


def _adapters(settings: FineTuneSettings, kind: str) -> "Adapters":
    """What the settings put beside an architecture's layers."""
    from bakeoff.models.lora import Adapters, usual_targets

    own = settings.adapt
    return Adapters(own.targets or usual_targets(kind), own.rank, own.alpha, own.dropout)


def _learnt(module: "TextClassifier") -> dict[str, Any]:
    """The parameters that are saved: those that learn, and the head."""
    return {
        name: parameter
        for name, parameter in module.named_parameters()
        if parameter.requires_grad or name.startswith(HEAD)
    }
