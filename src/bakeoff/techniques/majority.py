"""A constant, whatever the item: what learning has to beat.

Of classification the class frequencies of the training labels, whose greatest is the majority's
class; of regression the mean of the training targets, which no other constant beats in squared
error on them. A cell that diverged before its first validation counts with it; of language
modelling, too, where every byte of a text is then as probable as any other.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items, Modality
from bakeoff.core.language import LanguageModelling
from bakeoff.core.perplexity import byte_count
from bakeoff.core.protocols import LayerProfile, Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Settings
from bakeoff.techniques.saved import read_predictor, write_predictor


class MajoritySettings(Settings):
    """None: there is nothing to choose."""


class ConstantPredictor:
    """The same outputs for every item.

    Args:
        outputs: (K,) float32, the share of each class among the training labels; or () float64,
            the mean of the training targets.
        classes: The K class names; () for regression.
    """

    def __init__(self, outputs: NDArray[Any], classes: Sequence[str]) -> None:
        self.outputs, self.classes = outputs, tuple(classes)

    def predict(self, items: Items) -> NDArray[Any]:
        """(N, K) float32, or (N,) float64."""
        return np.tile(self.outputs, (len(items), *[1] * self.outputs.ndim))

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row: K numbers (or one), and nothing to multiply."""
        name = "frequencies" if self.classes else "mean"
        shape, count = self.outputs.shape or (1,), self.outputs.size
        weights = {name: shape}
        return (LayerProfile("majority", "constant", (), shape, weights, count, count),)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        state = {"technique": Majority.name, "classes": list(self.classes)}
        name = "frequencies" if self.classes else "mean"
        write_predictor(folder, {name: np.atleast_1d(self.outputs)}, state)


class BytePredictor:
    """Every byte of a text is one of 256, and none is more probable than another.

    Nothing is learnt: 8 bits a byte is what a text takes as it is.
    """

    def predict(self, items: Items) -> NDArray[np.float64]:
        """Nats, scored tokens, bytes, their share (N, 4) of N texts: ln 256 a byte, each a token.

        Bytes are those of the text in UTF-8, all of them scored.

        Raises:
            InputError: where the items are no texts.
        """
        if isinstance(items, np.ndarray):
            raise InputError(f"{Majority.name}: texts needed, {items.shape} {items.dtype} received")
        sizes = np.array([byte_count(text) for text in items], np.float64)
        return np.column_stack([sizes * np.log(256), sizes, sizes, np.ones(len(sizes))])

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row: no parameters, and nothing to multiply."""
        return (LayerProfile("bytes", "constant", (), (4,)),)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        write_predictor(folder, {}, {"technique": Majority.name, "classes": [], "of": "bytes"})


class Majority:
    """Predict the class frequencies of the training labels, or the mean of the targets."""

    name: ClassVar[str] = "majority"
    version: ClassVar[int] = 1
    settings: ClassVar[type[Settings]] = MajoritySettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression"})
    """What it is offered for. A language model it only stands in for: its tokens are nobody's."""
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image", "text", "numbers"})
    framework: ClassVar[Framework] = "numpy"
    seeded: ClassVar[bool] = False
    summary: ClassVar[str] = "the most frequent class or the mean, always: what to beat"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> ConstantPredictor | BytePredictor:
        """Count labels; there is no phase, and the settings of the cell are not read."""
        if data.task.name == LanguageModelling.name:
            return BytePredictor()
        classes, labels = data.task.classes, data.train.labels
        if not classes:
            return ConstantPredictor(np.asarray(labels.mean(), np.float64), ())
        counts = np.bincount(labels, minlength=len(classes))
        return ConstantPredictor((counts / counts.sum()).astype(np.float32), classes)

    def load(self, folder: Path, device: DeviceName = "auto") -> ConstantPredictor | BytePredictor:
        """A saved predictor, back."""
        arrays, state = read_predictor(folder, self.name)
        if state.get("of") == "bytes":
            return BytePredictor()
        if state["classes"]:
            return ConstantPredictor(arrays["frequencies"], state["classes"])
        return ConstantPredictor(arrays["mean"][0], ())

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> ConstantPredictor:
        """Equal frequencies, or zero."""
        if not classes:
            return ConstantPredictor(np.asarray(0.0), ())
        even = np.full(classes, 1 / classes, np.float32)
        return ConstantPredictor(even, [str(i) for i in range(classes)])
