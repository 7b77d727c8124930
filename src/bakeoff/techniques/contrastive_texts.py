"""A pretrained encoder of texts that learns by comparison: `contrastive` on texts.

Every weight learns, and a linear layer that gives the vector where it has a dimension of its own.
Source of the idea: Gunel et al. 2021, "Supervised contrastive learning for pre-trained language
model fine-tuning"; ours has no cross-entropy beside it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Cell
from bakeoff.core.examples import Items
from bakeoff.core.frozen import plain
from bakeoff.core.protocols import LayerProfile, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Numerics
from bakeoff.core.streams import Streams
from bakeoff.techniques.contrast import ContrastiveSettings, TextTrunkSettings, learn, loss_of
from bakeoff.techniques.prototypes import Prototypes
from bakeoff.techniques.saved import texts_of, write_predictor
from bakeoff.techniques.texts import (
    Tokeniser,
    at_work,
    attended,
    cut_note,
    same_weights,
    tokeniser_of,
)

if TYPE_CHECKING:
    from bakeoff.models.text_encoder import TextClassifier
    from bakeoff.training.torch.token_inference import TokenInference

TECHNIQUE = "contrastive"


class TextContrastivePredictor:
    """An encoder of texts that gives the class whose mean vector is nearest.

    Args:
        settings: Of model and vector.
        tokeniser: The encoder's own.
        inference: The encoder at work; its outputs are vectors.
        prototypes: Of the classes.
    """

    def __init__(
        self,
        settings: ContrastiveSettings,
        tokeniser: Tokeniser,
        inference: "TokenInference",
        prototypes: Prototypes,
    ) -> None:
        self.settings, self.tokeniser, self.inference = settings, tokeniser, inference
        self.prototypes, self.classes = prototypes, prototypes.classes

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of N texts.

        Raises:
            InputError: where the items are not texts.
        """
        return self.judge(self.represent(items))

    def cut_notes(self, items: Items) -> list[str]:
        """How many of N texts are longer than is read."""
        return self.tokeniser.cut_notes(texts_of(items, TECHNIQUE))

    def judge(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K) float32 of vectors (N, D)."""
        return self.prototypes.probabilities(vectors)

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32: the vectors.

        Raises:
            InputError: where the items are not texts.
        """
        return self.inference.outputs(self.tokeniser.padded(texts_of(items, TECHNIQUE)))

    def attention(self, text: str, most: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """The tokens T of a text, `most` at the most, and weights (layers, heads, T, T)."""
        return attended(self.tokeniser, _trunk(self.inference).encoder, text, most)

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row for each layer, of a text of the most tokens, then the comparison."""
        from torch import int64

        from bakeoff.models.macs import profile

        rows = profile(self.inference.module, (self.tokeniser.limit,), int64)
        return (*rows, self.prototypes.profile())

    def save(self, folder: Path) -> None:
        """Write what was learnt into an existing folder; of the rest, where to find it."""
        from bakeoff.training.torch.arrays import named_tensors, to_arrays

        weights = to_arrays(named_tensors(self.inference.module))
        arrays = {f"network.{path}": values for path, values in weights.items()}
        state = {
            "technique": TECHNIQUE,
            "model": plain(self.settings.model),
            "vector": plain(self.settings.vector),
            **self.tokeniser.pretrained.identity,
            "classes": list(self.classes),
            "precision": self.inference.precision,
        }
        write_predictor(folder, arrays | dict(self.prototypes.arrays()), state)


def fit_texts(
    settings: ContrastiveSettings, cell: Cell, data: TrainingData, run: Run
) -> TextContrastivePredictor:
    """Train in one phase, `train`, after `tokens`; then the class means of the vectors.

    Raises:
        InputError: where the data are not texts, a class has one example alone, or the weights
            cannot be loaded.
    """
    from bakeoff.training.torch.step import TorchStep

    texts = texts_of(data.train.items, TECHNIQUE)
    held_out = texts_of(data.validation.items, TECHNIQUE)
    tokeniser = tokeniser_of(cast(TextTrunkSettings, settings.model))
    tokens, long = tokeniser.through(run, "tokens", texts)
    run.remark(cut_note(long, len(texts), tokeniser.limit))
    inference = _inference(settings, tokeniser, run.streams, cell.recipe.numerics)
    loss = loss_of(settings, run.streams)
    step = TorchStep(inference, settings.training, run.streams, None, loss, loss.begin)

    def ids_at(rows: NDArray[np.intp]) -> NDArray[Any]:
        return tokens.take(rows).padded(-1)

    items = ids_at, tokeniser.padded(held_out)
    prototypes = learn(step, inference, settings, data, run, items)
    return TextContrastivePredictor(settings, tokeniser, inference, prototypes)


def load_texts(
    arrays: dict[str, NDArray[Any]], state: Mapping[str, Any], device: DeviceName
) -> TextContrastivePredictor:
    """A saved predictor, back; its tokenizer and architecture must be found again.

    Args:
        arrays: That it holds.
        state: What `state.json` says.
        device: Where it is to compute.

    Raises:
        InputError, KeyError, TypeError, ValueError: where these contradict each other, or the
            pretrained weights are others than those it was made with.
    """
    from bakeoff.training.torch.arrays import copy_into, named_tensors

    prototypes = Prototypes.restored(arrays, state["classes"])
    settings = ContrastiveSettings.parse({n: state[n] for n in ("model", "vector")})
    tokeniser = same_weights(cast(TextTrunkSettings, settings.model), state)
    numerics = Numerics(device=device, precision=state["precision"])
    inference = _inference(settings, tokeniser, Streams(0), numerics)
    weights = {name.removeprefix("network."): values for name, values in arrays.items()}
    copy_into(named_tensors(inference.module), weights)
    return TextContrastivePredictor(settings, tokeniser, inference, prototypes)


def untrained_texts(settings: ContrastiveSettings, classes: int) -> TextContrastivePredictor:
    """The pretrained weights, with the linear layer of seed 0."""
    tokeniser = tokeniser_of(cast(TextTrunkSettings, settings.model))
    inference = _inference(settings, tokeniser, Streams(0), Numerics())
    size = settings.vector.dimension or tokeniser.pretrained.width
    return TextContrastivePredictor(settings, tokeniser, inference, Prototypes.blank(classes, size))


def _trunk(inference: "TokenInference") -> "TextClassifier":
    """The encoder with the layer that gives vectors."""
    return cast("TextClassifier", inference.module.trunk)


def _inference(
    settings: ContrastiveSettings, tokeniser: Tokeniser, streams: Streams, numerics: Numerics
) -> "TokenInference":
    """The encoder on its device, pretrained, nothing learnt."""
    import torch

    from bakeoff.models.pretrained import load_encoder
    from bakeoff.models.text_encoder import TextClassifier, TextEncoder, set_dropout
    from bakeoff.training.torch.embedding import Embedding
    from bakeoff.training.torch.initialise import initialise

    pretrained, own = tokeniser.pretrained, cast(TextTrunkSettings, settings.model)
    vector = settings.vector
    body = load_encoder(pretrained)
    set_dropout(body, own.dropout)
    with torch.random.fork_rng([]):  # torch draws weights that we replace
        encoder = TextEncoder(body, pretrained.family, own.pooling)
        trunk = TextClassifier(encoder, pretrained.width, vector.dimension or 1)
    initialise(trunk.output, streams, {"": "lecun"})
    hidden = vector.dimension is None
    module = Embedding(trunk, normalise=vector.normalise, hidden=hidden)
    return at_work(module, encoder, pretrained, numerics)
