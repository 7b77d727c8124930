"""A small convolutional network on a frozen encoder's token vectors: a classifier of `probe`.

Source: Kim 2014, "Convolutional neural networks for sentence classification". The vectors of all
tokens are computed once and kept by content, in float16: 2 D bytes a token, 768 at D = 384. Where
those of training and validation together would take more than `KEPT_BYTES`, they are computed anew
for each batch instead: it takes longer, and memory is bounded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from bakeoff.core.cell import Cell
from bakeoff.core.examples import Items
from bakeoff.core.frozen import Frozen, plain
from bakeoff.core.protocols import Arrays, Batch, LayerProfile, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Numerics, Ref
from bakeoff.core.softmax import softmax
from bakeoff.core.streams import Streams
from bakeoff.core.teaching import Teaching
from bakeoff.core.tokens import Tokens
from bakeoff.data.token_batches import PaddedBatches, TokenBatches, TokenExamples
from bakeoff.techniques.encoders import (
    TokenReader,
    cut_notes,
    encode_tokens,
    finite,
    load_encoder,
    save_encoder,
)
from bakeoff.techniques.heads import Standardised, standardiser
from bakeoff.techniques.linear import LinearTraining
from bakeoff.techniques.saved import write_predictor

if TYPE_CHECKING:
    from torch import nn

    from bakeoff.models.token_cnn import Filters
    from bakeoff.training.torch.token_vectors import TokenVectorInference, VectorSource

KEPT_BYTES = 1 << 30
"""The most bytes of vectors that are kept: 1.4 million tokens of 384 numbers."""
STANDARDISED_FROM = 500
"""Training texts whose tokens' mean and standard deviation are taken, evenly spread."""
PREDICTED = 1024
"""Texts whose vectors are held at once where texts are predicted."""
TECHNIQUE = "probe"


class TokenCnnClassifier(Frozen):
    """Filters over the vectors of a text's tokens."""

    name: Literal["cnn"] = "cnn"
    widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (3, 4, 5)
    """Tokens that a filter sees."""
    filters: Annotated[int, Field(ge=1)] = 100
    """Of each width."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of the filters' greatest outputs that is dropped in training."""

    @field_validator("widths")
    @classmethod
    def _different(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(widths)) < len(widths):
            raise ValueError(f"{list(widths)} received (allowed: different widths)")
        return widths


class TokenProbePredictor:
    """The network with the encoder that it reads.

    Args:
        source: The encoder.
        inference: The network at work.
        classifier: Its settings.
        classes: The K class names.
    """

    def __init__(
        self,
        source: TokenReader,
        inference: "TokenVectorInference",
        classifier: TokenCnnClassifier,
        classes: Sequence[str],
    ) -> None:
        self.source, self.inference, self.classifier = source, inference, classifier
        self.classes = tuple(classes)
        self._known: list[tuple[Items, Tokens]] = []

    def cut_notes(self, items: Items) -> list[str]:
        """What the encoder says of N texts."""
        return cut_notes(self.source, items)

    def remember(self, items: Items, places: Tokens) -> None:
        """Take these rows of the network's own vectors for these very items from here on."""
        self._known.append((items, places))

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of N texts.

        Raises:
            InputError: where the items are not texts, or the encoder has diverged.
        """
        return softmax(self._outputs(self.inference, items))

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, F) float32: what the output layer sees.

        Raises:
            InputError: where the items are not texts, or the encoder has diverged.
        """
        filters = cast("nn.Module", self.inference.module.filters)
        return self._outputs(self.inference.of(filters), items)

    def _outputs(self, network: "TokenVectorInference", items: Items) -> NDArray[np.float32]:
        """What a network says of the vectors of texts, which are held a few texts at a time."""
        from bakeoff.training.torch.token_vectors import Table

        for known, places in self._known:
            if known is items:
                return network.outputs(places.padded(-1))
        tokens = self.source.tokens(items)
        found = []
        for first in range(0, max(1, len(tokens)), PREDICTED):
            some = tokens.take(np.arange(first, min(first + PREDICTED, len(tokens))))
            vectors = finite(self.source.token_encoder.token_outputs(some), TECHNIQUE)
            at_work = network.on(Table(vectors, network.device))
            found.append(at_work.outputs(_places(some).padded(-1)))
        return np.concatenate(found)

    def layers(self) -> tuple[LayerProfile, ...]:
        """The encoder's, then the network's, of a text of the most tokens."""
        from bakeoff.models.macs import profile

        encoder = tuple(replace(row, trained_parameters=0) for row in self.source.layers())
        numbers = len(cast("Filters", self.inference.module.filters).mean) + 1
        own = profile(self.inference.module, (self.source.limit, numbers))
        return (*encoder, *(replace(row, name=f"head.{row.name}") for row in own))

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        from bakeoff.training.torch.arrays import named_tensors, to_arrays

        state = {
            "technique": TECHNIQUE,
            "classifier": plain(self.classifier),
            "classes": list(self.classes),
            "precision": self.inference.precision,
        }
        write_predictor(folder, to_arrays(named_tensors(self.inference.module)), state)
        save_encoder(self.source, folder)


def fit_token_cnn(
    classifier: TokenCnnClassifier,
    training: LinearTraining,
    encoder: tuple[Ref, TokenReader],
    cell: Cell,
    data: TrainingData,
    run: Run,
    teaching: Teaching | None = None,
) -> TokenProbePredictor:
    """Train in the phase `train`, after `encode`.

    Args:
        classifier: What is trained.
        training: How.
        encoder: The recipe that is referred to, and its fitted predictor.
        cell: Whose fit it is.
        data: Texts.
        run: What is worked through.
        teaching: What a teacher says of the training texts; None: there is none.

    Raises:
        InputError: where the data are not texts, or the encoder has diverged.
    """
    from bakeoff.training.plan import plan
    from bakeoff.training.torch.losses import cross_entropy_of
    from bakeoff.training.torch.step import TorchStep
    from bakeoff.training.torch.token_vectors import Table

    train, validation = (encoder[1].tokens(part.items) for part in (data.train, data.validation))
    count, both = len(train), _joined(train, validation)
    few = np.linspace(0, count - 1, min(count, STANDARDISED_FROM)).astype(np.intp)
    source, both, standard = _vectors(encoder, both, few, cell, run)
    train, validation = both.take(np.arange(count)), both.take(np.arange(count, len(both)))
    inference = _inference(
        classifier, standard, len(data.task.classes), source, cell.recipe.numerics
    )
    _begin(inference, run.streams)
    items = validation.padded(-1)

    def validating() -> Iterator[Batch]:
        yield Batch(items, data.validation.labels, np.arange(len(items)))

    step = TorchStep(inference, training, run.streams, loss=cross_entropy_of(training, teaching))
    examples = TokenExamples(train, data.train.labels)
    batches = PaddedBatches(TokenBatches(examples, training.batch_size, run.streams))
    watched = validating if len(items) else None
    run.loop("train", step, batches, plan(training, batches, data.task, watched))
    step.keep()
    predictor = TokenProbePredictor(encoder[1], inference, classifier, data.task.classes)
    if isinstance(source, Table):
        predictor.remember(data.train.items, train)
        predictor.remember(data.validation.items, validation)
    return predictor


def _vectors(
    encoder: tuple[Ref, TokenReader],
    tokens: Tokens,
    few: NDArray[np.intp],
    cell: Cell,
    run: Run,
) -> tuple["VectorSource", Tokens, Standardised]:
    """Where the vectors of all texts come from, what they are looked up by, and how they spread.

    Args:
        encoder: The recipe that is referred to, and its fitted predictor.
        tokens: Of the training and the validation texts.
        few: Training texts whose tokens say what mean and standard deviation are.
        cell: Whose fit it is.
        run: What is worked through.

    Raises:
        InputError: where the encoder has diverged.
    """
    import torch

    from bakeoff.training.torch.numerics import resolve_device_and_precision
    from bakeoff.training.torch.token_vectors import Computed, Table

    network, numerics = encoder[1].token_encoder, cell.recipe.numerics
    device, _ = resolve_device_and_precision(numerics.device, numerics.precision)
    size = network.token_outputs(Tokens.of([])).shape[1]
    if 2 * size * len(tokens.ids) > KEPT_BYTES:

        def compute() -> Arrays:
            return {"vectors": network.token_outputs(tokens.take(few))}

        sample = finite(run.solve("encode", compute)["vectors"], TECHNIQUE)
        return Computed(network), tokens, standardiser(sample)
    vectors = finite(encode_tokens(encoder[1], tokens, encoder[0], cell, run), TECHNIQUE)
    places = _places(tokens)
    sample = vectors[places.take(few).ids]
    return Table(vectors, torch.device(device)), places, standardiser(sample)


def load_token_cnn(
    folder: Path,
    arrays: Mapping[str, NDArray[Any]],
    state: Mapping[str, Any],
    device: DeviceName,
) -> TokenProbePredictor:
    """A saved predictor, back, with its encoder.

    Args:
        folder: Where it lies.
        arrays: That it holds.
        state: What `state.json` says.
        device: Where both are to compute.

    Raises:
        InputError, KeyError, TypeError, ValueError: where these contradict each other.
    """
    from bakeoff.training.torch.arrays import copy_into, named_tensors
    from bakeoff.training.torch.token_vectors import Computed

    reader = cast(TokenReader, load_encoder(folder, device))
    classifier = TokenCnnClassifier.parse(state["classifier"])
    standard = Standardised(arrays["filters.mean"], arrays["filters.sd"])
    numerics = Numerics(device=device, precision=state["precision"])
    source = Computed(reader.token_encoder)
    inference = _inference(classifier, standard, len(state["classes"]), source, numerics)
    copy_into(named_tensors(inference.module), arrays)
    return TokenProbePredictor(reader, inference, classifier, state["classes"])


def untrained_token_cnn(
    classifier: TokenCnnClassifier, reader: TokenReader, classes: Sequence[str]
) -> TokenProbePredictor:
    """The network with the weights of seed 0 on an encoder.

    Args:
        classifier: Its settings.
        reader: The encoder.
        classes: The K class names.
    """
    from bakeoff.training.torch.token_vectors import Computed

    encoder = reader.token_encoder
    size = encoder.token_outputs(Tokens.of([])).shape[1]
    standard = Standardised(np.zeros(size, np.float32), np.ones(size, np.float32))
    source = Computed(encoder)
    inference = _inference(classifier, standard, len(classes), source, Numerics())
    _begin(inference, Streams(0))
    return TokenProbePredictor(reader, inference, classifier, classes)


def _inference(
    classifier: TokenCnnClassifier,
    standard: Standardised,
    classes: int,
    source: "VectorSource",
    numerics: Numerics,
) -> "TokenVectorInference":
    """The network on its device; its weights are still to be set."""
    import torch

    from bakeoff.models.token_cnn import Filters, TokenCnn
    from bakeoff.training.torch.numerics import resolve_device_and_precision
    from bakeoff.training.torch.token_vectors import TokenVectorInference

    device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
    mean, sd = (torch.from_numpy(values.copy()) for values in (standard.mean, standard.sd))
    with torch.random.fork_rng([]):  # torch draws weights that we replace
        filters = Filters(mean, sd, classifier.widths, classifier.filters)
        features = len(classifier.widths) * classifier.filters
        module = TokenCnn(filters, features, classes, classifier.dropout)
    return TokenVectorInference(module, torch.device(device), precision, source)


def _begin(inference: "TokenVectorInference", streams: Streams) -> None:
    """Draw the initial weights."""
    from bakeoff.training.torch.initialise import initialise

    initialise(inference.module, streams, {"output": "lecun"})


def _joined(first: Tokens, second: Tokens) -> Tokens:
    """Sequences, and then others."""
    ids = np.concatenate([first.ids, second.ids])
    return Tokens(ids, np.concatenate([first.starts, len(first.ids) + second.starts[1:]]))


def _places(tokens: Tokens) -> Tokens:
    """Where the vector of each token lies among those of all of them."""
    return Tokens(np.arange(len(tokens.ids), dtype=np.int32), tokens.starts)
