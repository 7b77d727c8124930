"""A small convolutional network that learns from the outputs of a larger one, as a preset.

It is `cnn` with `training.teacher` set: any technique with that field can be a student, any recipe
of the study that classifies can be the teacher. See `core.teaching`.
"""

from collections.abc import Mapping
from typing import ClassVar

from bakeoff.core.cell import Cell
from bakeoff.core.protocols import Predictor, Run, TrainingData
from bakeoff.core.recipe import Settings
from bakeoff.core.teaching import TeacherSettings
from bakeoff.models.settings import ModelSettings, SimpleCnnSettings
from bakeoff.techniques.cnn import Cnn, CnnSettings, CnnTraining, TorchPredictor


class DistillTraining(CnnTraining):
    """How the student trains."""

    teacher: TeacherSettings = TeacherSettings(recipe="teacher")
    """The recipe called `teacher`, unless another is named."""


class DistillSettings(CnnSettings):
    """Of the student."""

    model: ModelSettings = SimpleCnnSettings(width=8)
    training: DistillTraining = DistillTraining()


class Distill(Cnn):
    """A small convolutional network beside its teacher."""

    name: ClassVar[str] = "distill"
    settings: ClassVar[type[Settings]] = DistillSettings
    summary: ClassVar[str] = "small convolutional network that learns from a teacher's outputs"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> TorchPredictor:
        """Ask the teacher in a phase `teacher`, then train in another, `train`.

        Raises:
            InputError: as `cnn` does, and where the teacher tells other classes apart.
        """
        return super().fit(cell, data, inputs, run)
