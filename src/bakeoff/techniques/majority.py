"""The class frequencies of the training labels, whatever the item: what learning has to beat."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Cell
from bakeoff.core.examples import Items, Modality
from bakeoff.core.protocols import LayerProfile, Predictor, Run, TrainingData
from bakeoff.core.recipe import Settings
from bakeoff.techniques.saved import read_predictor, write_predictor


class MajoritySettings(Settings):
    """None: there is nothing to choose."""


class MajorityPredictor:
    """The same probabilities for every item; their greatest is the majority's class.

    Args:
        frequencies: (K,) float32, the share of each class among the training labels.
        classes: The K class names.
    """

    def __init__(self, frequencies: NDArray[np.float32], classes: Sequence[str]) -> None:
        self.frequencies, self.classes = frequencies, tuple(classes)

    def predict(self, items: Items) -> NDArray[np.float32]:
        """(N, K) float32."""
        return np.tile(self.frequencies, (len(items), 1))

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row: K numbers, and nothing to multiply."""
        count = len(self.frequencies)
        weights = {"frequencies": (count,)}
        return (LayerProfile("majority", "constant", (), (count,), weights, count, count),)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        state = {"technique": Majority.name, "classes": list(self.classes)}
        write_predictor(folder, {"frequencies": self.frequencies}, state)


class Majority:
    """Predict the class frequencies of the training labels."""

    name: ClassVar[str] = "majority"
    version: ClassVar[int] = 1
    settings: ClassVar[type[Settings]] = MajoritySettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image", "text"})
    framework: ClassVar[Literal["numpy", "torch"]] = "numpy"
    seeded: ClassVar[bool] = False
    summary: ClassVar[str] = "the most frequent class, always: what learning has to beat"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> MajorityPredictor:
        """Count labels; there is no phase, and the settings of the cell are not read."""
        classes = data.task.classes
        counts = np.bincount(data.train.labels, minlength=len(classes))
        return MajorityPredictor((counts / counts.sum()).astype(np.float32), classes)

    def load(self, folder: Path) -> MajorityPredictor:
        """A saved predictor, back."""
        arrays, state = read_predictor(folder, self.name)
        return MajorityPredictor(arrays["frequencies"], state["classes"])

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> MajorityPredictor:
        """Equal frequencies."""
        even = np.full(classes, 1 / classes, np.float32)
        return MajorityPredictor(even, [str(i) for i in range(classes)])
