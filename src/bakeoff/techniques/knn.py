"""k nearest neighbours, exactly, on pixels or on the vectors of another recipe.

Source: Cover and Hart 1967, "Nearest neighbor pattern classification"; votes weighted by distance:
Dudani 1976, "The distance-weighted k-nearest-neighbor rule", here by 1 / distance, as in
scikit-learn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items, Modality
from bakeoff.core.protocols import LayerProfile, Normaliser, Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Ref, Settings
from bakeoff.scratch.step import Pixels
from bakeoff.techniques.encoders import (
    Encoder,
    cut_notes,
    encode,
    encoder_of,
    finite,
    load_encoder,
    no_vectors,
    save_encoder,
)
from bakeoff.techniques.neighbours import Metric, Neighbours, Rows, squared_lengths
from bakeoff.techniques.saved import images, read_predictor, write_predictor

BLOCK = 1024
"""Items whose vectors are held at a time."""


class KnnSettings(Settings):
    """Of k nearest neighbours."""

    k: Annotated[int, Field(ge=1)] = 5
    """Neighbours that vote. Of neighbours equally far, those first in the training set do."""
    metric: Metric = "euclidean"
    """What is nearest; `cosine`: 1 less the cosine of the angle."""
    weights: Literal["uniform", "distance"] = "uniform"
    """`distance`: a vote counts 1 / distance; neighbours at distance 0 outvote all others."""
    encoder: Ref | None = None
    """Compare the vectors of this recipe's fitted predictor; None: normalised pixels."""


class Source(Protocol):
    """How items become vectors, and how the training examples' vectors are kept."""

    count: int
    shape: tuple[int, ...]
    """Of one item; () of a text."""

    def read(self, rows: Rows) -> NDArray[np.float32]:
        """The training vectors (R, D) at some rows."""
        ...

    def vectors(self, items: Items) -> NDArray[np.float32]:
        """(N, D) of new items."""
        ...

    def layers(self) -> tuple[LayerProfile, ...]:
        """What lies before the comparison."""
        ...

    def save(self, folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and state; what is no array goes into the folder."""
        ...


class PixelSource:
    """Training images as they are, a byte a pixel, normalised whenever they are read.

    Args:
        items: (N, H, W, C) uint8.
        normaliser: Fitted on them.
    """

    def __init__(self, items: NDArray[np.uint8], normaliser: Normaliser) -> None:
        self.count, self._items, self._normaliser = len(items), items, normaliser
        self.shape: tuple[int, ...] = items.shape[1:]
        self._pixels = Pixels(normaliser, self.shape)

    def read(self, rows: Rows) -> NDArray[np.float32]:
        """(R, H * W * C) float32."""
        return self._normalised(self._items[rows])

    def vectors(self, items: Items) -> NDArray[np.float32]:
        """(N, H * W * C) float32."""
        return self._normalised(images(items, self._pixels.shape, Knn.name))

    def _normalised(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        out = np.empty((len(pixels), self._pixels.size), np.float32)
        self._pixels.write(pixels, out)
        return out

    def layers(self) -> tuple[LayerProfile, ...]:
        """None."""
        return ()

    def save(self, folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Images and normaliser."""
        normaliser = self._normaliser
        arrays: dict[str, NDArray[Any]] = {"mean": normaliser.mean, "sd": normaliser.sd}
        return arrays | {"items": self._items}, {"encoded": False}


class EncodedSource:
    """The training examples as an encoder's vectors.

    Args:
        vectors: (N, D) float32.
        encoder: What made them.

    Raises:
        InputError: where they are not finite.
    """

    def __init__(self, vectors: NDArray[np.float32], encoder: Encoder) -> None:
        self.count, self._vectors, self.encoder = len(vectors), vectors, encoder
        self.shape: tuple[int, ...] = tuple(getattr(encoder, "shape", ()))
        finite(vectors, Knn.name)

    def read(self, rows: Rows) -> NDArray[np.float32]:
        """(R, D) float32."""
        return self._vectors[rows]

    def vectors(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32."""
        return finite(self.encoder.represent(items), Knn.name)

    def layers(self) -> tuple[LayerProfile, ...]:
        """The encoder's."""
        return self.encoder.layers()

    def save(self, folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """The vectors; the encoder goes into a folder of its own."""
        save_encoder(self.encoder, folder)
        return {"vectors": self._vectors}, {"encoded": True}


@dataclass(frozen=True, eq=False)
class Memory:
    """What the predictor remembers of the training examples.

    Args:
        source: Their vectors.
        squares: (N,) float64, the vectors' squared lengths.
        labels: (N,) int64.
        classes: The K class names.
    """

    source: Source
    squares: NDArray[np.float64]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


class KnnPredictor:
    """Shares of the votes of the nearest training examples.

    Args:
        settings: k, metric, weights.
        memory: The training examples.
        shape: Of one item; () where an encoder reads it, which knows.
    """

    def __init__(self, settings: KnnSettings, memory: Memory, shape: Sequence[int] = ()) -> None:
        self.settings, self.memory, self._own = settings, memory, tuple(shape)
        self.shape = self._own or memory.source.shape
        self.classes = memory.classes

    def predict(self, items: Items) -> NDArray[np.float32]:
        """(N, K) float32; without any training examples all classes are equally likely.

        Raises:
            InputError: where the items are not images of the training examples' shape.
        """
        if not self.memory.source.count:
            return np.full((len(items), len(self.classes)), 1 / len(self.classes), np.float32)
        out = np.empty((len(items), len(self.classes)), np.float32)
        for start in range(0, len(items), BLOCK):
            block = slice(start, start + BLOCK)
            distances, indices = self.neighbours(items[block])
            out[block] = self._shares(distances, self.memory.labels[indices])
        return out

    def cut_notes(self, items: Items) -> list[str]:
        """What the encoder, if there is one, says of N texts."""
        return cut_notes(getattr(self.memory.source, "encoder", None), items)

    def left_out(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """(R, K) float32: the votes of all other training examples on those at `rows` (R,)."""
        memory, classes = self.memory, len(self.classes)
        out = np.full((len(rows), classes), 1 / classes, np.float32)
        k = min(self.settings.k + 1, memory.source.count)
        if k == 1:  # there are no others
            return out
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            distances, indices = self._index().search(memory.source.read(some), k)
            itself = indices == some[:, None]
            # Behind more of its equals than there are neighbours, it is not among them.
            itself[~itself.any(axis=1), -1] = True
            others = (len(some), k - 1)
            labels = memory.labels[indices[~itself].reshape(others)]
            out[start : start + BLOCK] = self._shares(distances[~itself].reshape(others), labels)
        return out

    def neighbours(self, items: Items) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Distances and training rows (N, k) of the k nearest of each item, nearest first."""
        return self._index().search(self.memory.source.vectors(items), self.settings.k)

    def _index(self) -> Neighbours:
        return Neighbours(self.memory.source.read, self.memory.squares, self.settings.metric)

    def _shares(
        self, distances: NDArray[np.float64], labels: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(N, K): each class's share of the votes of k neighbours (N, k)."""
        weights = _weights(distances, self.settings.weights)
        votes = np.zeros((len(labels), len(self.classes)))
        everyone = np.arange(len(labels))
        for place in range(labels.shape[1]):
            votes[everyone, labels[:, place]] += weights[:, place]
        shares: NDArray[np.float64] = votes / votes.sum(axis=1, keepdims=True)
        return shares

    def layers(self) -> tuple[LayerProfile, ...]:
        """What encodes, then the comparison: every number kept is multiplied once."""
        before = self.memory.source.layers()
        size = self.memory.source.read(slice(0, 0)).shape[1]
        kept = self.memory.source.count * size
        row = LayerProfile(
            name="neighbours",
            kind="nearest neighbours",
            input=self._own or (size,),
            output=(len(self.classes),),
            weights={"vectors": (self.memory.source.count, size)},
            parameters=kept,
            macs=kept,
        )
        return (*before, row)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        arrays, state = self.memory.source.save(folder)
        arrays |= {"squares": self.memory.squares, "labels": self.memory.labels}
        state |= {
            "technique": Knn.name,
            "k": self.settings.k,
            "metric": self.settings.metric,
            "weights": self.settings.weights,
            "shape": list(self._own),
            "classes": list(self.classes),
        }
        write_predictor(folder, arrays, state)


def _weights(distances: NDArray[np.float64], rule: str) -> NDArray[np.float64]:
    """What each of the neighbours' votes counts."""
    if rule == "uniform":
        return np.ones_like(distances)
    equal = distances == 0
    some = equal.any(axis=1, keepdims=True)
    inverse = np.divide(1, distances, out=np.zeros_like(distances), where=~equal)
    return np.where(some, equal, inverse)


class Knn:
    """k nearest neighbours in NumPy."""

    name: ClassVar[str] = "knn"
    version: ClassVar[int] = 1
    settings: ClassVar[type[Settings]] = KnnSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image", "text"})
    framework: ClassVar[Framework] = "numpy"
    seeded: ClassVar[bool] = False
    summary: ClassVar[str] = "exact k nearest neighbours, on pixels or another recipe's vectors"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> KnnPredictor:
        """Remember the training examples: phases `encode`, where asked for, and `measure`.

        Raises:
            InputError: where there are fewer than k examples, or the encoder gives no vectors.
        """
        settings = cast(KnnSettings, cell.recipe.settings)
        train = data.train
        shape = train.items.shape[1:] if isinstance(train.items, np.ndarray) else ()
        _check(settings, shape, len(train))
        source: Source
        if settings.encoder is not None:
            encoder = encoder_of(settings.encoder, inputs, self.name)
            vectors = encode(encoder, settings.encoder, cell, data, run)
            source = EncodedSource(vectors, encoder)
            shape = ()
        elif data.normaliser is None or not isinstance(train.items, np.ndarray):
            raise InputError("knn: images needed, or an encoder that turns texts into vectors")
        else:
            source = PixelSource(train.items, data.normaliser)

        def measure() -> dict[str, NDArray[Any]]:
            return {"squares": squared_lengths(source.read, source.count)}

        squares = run.solve("measure", measure)["squares"]
        memory = Memory(source, squares, train.labels, data.task.classes)
        return KnnPredictor(settings, memory, shape)

    def check(self, settings: Settings, offer: Offer) -> None:
        """Refuse more neighbours than there are training examples, and texts without an encoder.

        Raises:
            InputError: naming `k` or `encoder`.
        """
        _check(cast(KnnSettings, settings), offer.shape, offer.examples)

    def load(self, folder: Path, device: DeviceName = "auto") -> KnnPredictor:
        """A saved predictor, back, with its encoder.

        Raises:
            InputError: where there is none of this technique, or its files contradict each other.
        """
        arrays, state = read_predictor(folder, self.name)
        try:
            source = _load_source(arrays, folder if state["encoded"] else None, device)
            chosen = {name: state[name] for name in ("k", "metric", "weights")}
            settings = KnnSettings.parse(chosen)
            memory = Memory(source, arrays["squares"], arrays["labels"], tuple(state["classes"]))
            return KnnPredictor(settings, memory, state["shape"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None

    def untrained(self, settings: Settings, shape: tuple[int, ...], classes: int) -> KnnPredictor:
        """No examples: how many there will be is the data set's to say."""
        channels = shape[-1:]
        normaliser = Normaliser(np.zeros(channels, np.float32), np.ones(channels, np.float32))
        source = PixelSource(np.zeros((0, *shape), np.uint8), normaliser)
        names = tuple(str(i) for i in range(classes))
        memory = Memory(source, np.zeros(0), np.zeros(0, np.int64), names)
        return KnnPredictor(cast(KnnSettings, settings), memory, shape)

    def untrained_on(self, settings: Settings, offer: Offer) -> KnnPredictor:
        """No examples of vectors.

        Raises:
            InputError: where the encoder gives none.
        """
        chosen = cast(KnnSettings, settings)
        if chosen.encoder is None:
            return self.untrained(settings, offer.shape, len(offer.by_class))
        encoder = encoder_of(chosen.encoder, offer.inputs, self.name)
        source = EncodedSource(no_vectors(encoder, offer.shape), encoder)
        memory = Memory(source, np.zeros(0), np.zeros(0, np.int64), tuple(offer.by_class))
        return KnnPredictor(chosen, memory)


def _check(settings: KnnSettings, shape: tuple[int, ...], examples: int) -> None:
    """Whether so many training examples of that shape can be neighbours.

    Raises:
        InputError: naming `k` or `encoder`.
    """
    if settings.encoder is None and not shape:
        raise InputError("encoder: needed for texts: the recipe whose vectors are compared")
    k = settings.k
    if k > examples:
        raise InputError(
            f"k: {k} received, but there are {examples:,} training examples to be neighbours "
            f"(allowed: 1 to {examples})"
        )


def _load_source(
    arrays: Mapping[str, NDArray[Any]], folder: Path | None, device: DeviceName
) -> Source:
    """The training vectors a saved predictor holds; `folder`: where the encoder lies, if any."""
    if folder is None:
        return PixelSource(arrays["items"], Normaliser(arrays["mean"], arrays["sd"]))
    return EncodedSource(arrays["vectors"], load_encoder(folder, device))
