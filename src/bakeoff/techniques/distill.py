"""A small convolutional network that learns from the outputs of a larger one, as a preset.

It is `cnn` with `training.teacher` set: any technique with that field can be a student, any recipe
of the study that classifies can be the teacher. See `core.teaching`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import field_validator

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


SMALL = SimpleCnnSettings(width=8)
"""The student, unless another is asked for."""


class DistillSettings(CnnSettings):
    """Of the student."""

    model: ModelSettings = SMALL
    training: DistillTraining = DistillTraining()

    @field_validator("model", mode="before")
    @classmethod
    def _small(cls, model: Any) -> Any:
        """The usual student is small, whatever else is asked of it."""
        of_kind = isinstance(model, Mapping) and model.get("name", SMALL.name) == SMALL.name
        return {"width": SMALL.width, **model} if of_kind else model


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
