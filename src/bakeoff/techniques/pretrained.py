"""A pretrained encoder as it is: nothing of it is trained, its vectors are what it is for.

Other recipes take the vectors (`knn`, `probe`: `encoder: {recipe: ...}`). To be scored itself, it
gives every text to the class whose training texts' mean vector is nearest: Tibshirani et al. 2002,
"Diagnosis of multiple cancer types by shrunken centroids of gene expression", without shrinking.
Torch and Transformers load when something is fitted or loaded, not with the settings.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bakeoff.core.cell import Cell, Key
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items, Modality
from bakeoff.core.frozen import plain
from bakeoff.core.protocols import LayerProfile, Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Numerics, Settings
from bakeoff.core.tokens import Tokens
from bakeoff.data.hashing import item_digests
from bakeoff.techniques.prototypes import Prototypes, comparison
from bakeoff.techniques.saved import read_predictor, texts_of, write_predictor
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

if TYPE_CHECKING:
    from bakeoff.models.text_encoder import TextEncoder
    from bakeoff.training.torch.token_inference import TokenInference


class EncoderSettings(WeightsSettings):
    """Which weights, and what of them is a text's vector."""

    pooling: Literal["cls", "mean", "max", "last"] = "mean"
    """`cls`: the first token's vector; `mean`, `max`: over the tokens; `last`: the last one's."""
    layer: Annotated[int, Field(ge=0)] | None = None
    """Blocks that are passed; 0: the embeddings alone; None: all, with a decoder's last norm."""
    normalise: bool = True
    """Whether vectors have length 1."""


class PretrainedSettings(Settings):
    """Of a pretrained encoder."""

    model: EncoderSettings = EncoderSettings()


class PretrainedPredictor:
    """A pretrained encoder with the mean vectors of the classes.

    Args:
        settings: Of the encoder.
        tokeniser: Its tokenizer.
        inference: The encoder at work.
        prototypes: The mean vectors.
    """

    def __init__(
        self,
        settings: EncoderSettings,
        tokeniser: Tokeniser,
        inference: "TokenInference",
        prototypes: Prototypes,
    ) -> None:
        self.settings, self.tokeniser, self.inference = settings, tokeniser, inference
        self.prototypes = prototypes

    @property
    def classes(self) -> tuple[str, ...]:
        """The K class names."""
        return self.prototypes.classes

    def predict(self, items: Items) -> NDArray[np.float32]:
        """(N, K) float32, by the distances from the class means.

        Raises:
            InputError: where the items are not texts.
        """
        return self.judge(self.represent(items))

    def cut_notes(self, items: Items) -> list[str]:
        """How many of N texts are longer than is read."""
        return self.tokeniser.cut_notes(texts_of(items, Pretrained.name))

    def judge(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K) float32 of vectors (N, D)."""
        return self.prototypes.probabilities(vectors)

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32.

        Raises:
            InputError: where the items are not texts.
        """
        texts = texts_of(items, Pretrained.name)
        return self.inference.outputs(self.tokeniser.padded(texts))

    @property
    def vectors_key(self) -> Key:
        """What a text's vector is a function of, besides the text."""
        return _vectors_key(self.settings, self.tokeniser, self.inference)

    def tokens(self, items: Items) -> Tokens:
        """The tokens of N texts, at least one each.

        Raises:
            InputError: where the items are not texts.
        """
        return self.tokeniser(texts_of(items, Pretrained.name))[0]

    @cached_property
    def token_encoder(self) -> "TokenInference":
        """Ids to the vectors that pooling makes one of, neither pooled nor scaled."""
        from bakeoff.models.text_encoder import TokenEncoder

        return self.inference.of(TokenEncoder(cast("TextEncoder", self.inference.module)))

    @property
    def limit(self) -> int:
        """The most tokens of a text."""
        return self.settings.max_tokens

    def attention(self, text: str, most: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """The tokens T of a text, `most` at the most, and weights (layers, heads, T, T)."""
        encoder = cast("TextEncoder", self.inference.module)
        return attended(self.tokeniser, encoder, text, most)

    def layers(self) -> tuple[LayerProfile, ...]:
        """The encoder's, of a text of the most tokens, then the comparison."""
        from torch import int64

        from bakeoff.models.macs import profile

        rows = profile(self.inference.module, (self.settings.max_tokens,), int64)
        return (*rows, comparison("means", self.prototypes.means, learnt=True))

    def save(self, folder: Path) -> None:
        """Write the means into an existing folder; of the weights, where to find them."""
        state = {
            "technique": Pretrained.name,
            "model": plain(self.settings),
            **self.tokeniser.pretrained.identity,
            "precision": self.inference.precision,
            "classes": list(self.classes),
        }
        write_predictor(folder, self.prototypes.arrays(), state)


class Pretrained:
    """A pretrained encoder as it is."""

    name: ClassVar[str] = "pretrained"
    version: ClassVar[int] = 5
    """2: attention in float32 beside bfloat16; 3: twice the variance; 4: MPNet does not see the
    padding, ModernBERT's windows end, OPT's layers are given without its norm at the end; 5:
    collapse as far as bfloat16 tells."""
    settings: ClassVar[type[Settings]] = PretrainedSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"text"})
    framework: ClassVar[Framework] = "torch"
    seeded: ClassVar[bool] = False
    summary: ClassVar[str] = "pretrained encoder as it is, and the nearest class mean (torch)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> PretrainedPredictor:
        """Encode the training texts (phases `tokens`, `vectors`) and take the classes' means.

        Raises:
            InputError: where the data are not texts, or the weights cannot be loaded.
        """
        settings = cast(PretrainedSettings, cell.recipe.settings).model
        texts = texts_of(data.train.items, self.name)
        tokeniser = tokeniser_of(settings)
        tokens, long = tokeniser.through(run, "tokens", texts)
        run.remark(cut_note(long, len(texts), tokeniser.limit))
        inference = _inference(settings, tokeniser, cell.recipe.numerics)

        def encode(at: NDArray[np.intp]) -> NDArray[np.float32]:
            return inference.outputs(tokens.take(at).padded(-1))

        share = _vectors_key(settings, tokeniser, inference)
        found = run.solve_rows("vectors", item_digests(texts), encode, share)
        means = Prototypes.of(found, data.train, data.task.classes, inference.precision)
        return PretrainedPredictor(settings, tokeniser, inference, means)

    def load(self, folder: Path, device: DeviceName = "auto") -> PretrainedPredictor:
        """A saved predictor, back; its weights must be found again.

        Raises:
            InputError: where there is none of this technique, its files contradict each other, or
                the weights are others than those it was made with.
        """
        arrays, state = read_predictor(folder, self.name)
        try:
            settings = EncoderSettings.parse(state["model"])
            tokeniser = same_weights(settings, state)
            inference = _inference(
                settings, tokeniser, Numerics(device=device, precision=state["precision"])
            )
            means = Prototypes.restored(arrays, state["classes"])
            return PretrainedPredictor(settings, tokeniser, inference, means)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> PretrainedPredictor:
        """The encoder, and means that are all 0."""
        chosen = cast(PretrainedSettings, settings).model
        tokeniser = tokeniser_of(chosen)
        inference = _inference(chosen, tokeniser, Numerics())
        means = Prototypes.blank(classes, tokeniser.pretrained.width)
        return PretrainedPredictor(chosen, tokeniser, inference, means)


def _vectors_key(
    settings: EncoderSettings, tokeniser: Tokeniser, inference: "TokenInference"
) -> Key:
    content = plain(settings) | {"weights": tokeniser.pretrained.digest}
    return vectors_key({"vectors of": content}, inference)


def _inference(
    settings: EncoderSettings, tokeniser: Tokeniser, numerics: Numerics
) -> "TokenInference":
    """The encoder on its device."""
    from bakeoff.models.pretrained import load_encoder
    from bakeoff.models.text_encoder import TextEncoder, cut

    pretrained = tokeniser.pretrained
    body = load_encoder(pretrained)
    if settings.layer is not None:
        cut(body, settings.layer, pretrained.layers)
    module = TextEncoder(
        body, pretrained.family, settings.pooling, normalise=settings.normalise
    ).requires_grad_(False)
    return at_work(module, module, pretrained, numerics)
