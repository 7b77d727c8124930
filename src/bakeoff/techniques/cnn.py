"""A convolutional network trained from random weights, in torch.

The model is one of `bakeoff.models`; what is fixed here is how it is trained: one phase, `train`,
cross-entropy, weights drawn as by He et al. 2015 (the output layer as by LeCun et al. 1998).
Torch loads when something is fitted, loaded or profiled, not with the settings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items, Modality
from bakeoff.core.frozen import later, plain
from bakeoff.core.optimisers import OptimizerName
from bakeoff.core.protocols import (
    Batch,
    LayerProfile,
    Normaliser,
    Predictor,
    Run,
    TrainingData,
)
from bakeoff.core.recipe import DeviceName, Framework, Numerics, Settings
from bakeoff.core.streams import Streams
from bakeoff.core.views import PredictionSettings
from bakeoff.models.settings import ModelSettings, SimpleCnnSettings
from bakeoff.techniques.adapting import begin
from bakeoff.techniques.saved import images, read_predictor, write_predictor
from bakeoff.techniques.teachers import teaching_of
from bakeoff.training.settings import TaughtSettings, check_parts

if TYPE_CHECKING:
    from bakeoff.models.inside import ModuleInside
    from bakeoff.training.torch.inference import Inference

Shape = tuple[int, int, int]
"""(H, W, C)."""


class CnnTraining(TaughtSettings):
    """How the network trains.

    The defaults were chosen for simple-cnn on validation images carved from CIFAR-10's training
    images: a rate of 0.05 makes plain networks start slowly, and batch norm gains little from it.
    """

    epochs: Annotated[int, Field(ge=1)] | None = 10
    batch_size: Annotated[int, Field(ge=1)] = 256
    optimizer: OptimizerName = "nesterov"
    learning_rate: Annotated[float, Field(gt=0)] = 0.02
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "cosine"
    l2: Annotated[float, Field(ge=0)] = 5e-4


class CnnSettings(Settings):
    """Of the convolutional network."""

    model: ModelSettings = SimpleCnnSettings()
    training: CnnTraining = CnnTraining()
    augmentation: AugmentationSettings = AugmentationSettings()
    prediction: PredictionSettings = later(PredictionSettings())

    @field_validator("model", mode="before")
    @classmethod
    def _default_model(cls, value: Any) -> Any:
        """Fields without a name are those of the default model."""
        return {"name": "simple-cnn"} | value if isinstance(value, dict) else value


class TorchPredictor:
    """A torch image model with what it needs to read images and to name classes.

    Args:
        technique: The name it is saved under.
        inference: The network with its inputs.
        settings: Of the model: with shape and classes, all it is built from.
        classes: The K class names.
    """

    def __init__(
        self,
        technique: str,
        inference: "Inference",
        settings: ModelSettings,
        classes: Sequence[str],
    ) -> None:
        self.technique, self.settings, self.classes = technique, settings, tuple(classes)
        self.inference = inference
        self.shape: Shape = inference.pixels.shape

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of (N, H, W, C) uint8.

        Raises:
            InputError: where the items are not images of that shape.
        """
        return self.inference.probabilities(images(items, self.shape, self.technique))

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32: the last hidden layer's outputs.

        Raises:
            InputError: where the items are not images of the right shape.
        """
        return self.inference.features(images(items, self.shape, self.technique))

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row for each layer; shapes are (C, H, W). Every view of an image passes them all."""
        from bakeoff.models.macs import profile

        height, width, channels = self.shape
        views = len(self.inference.prediction.views())
        rows = profile(self.inference.module, (channels, height, width))
        return tuple(replace(row, macs=views * row.macs) for row in rows)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        from bakeoff.training.torch.arrays import named_tensors, to_arrays

        weights = to_arrays(named_tensors(self.inference.module))
        normaliser = self.inference.pixels.normaliser
        arrays = {f"network.{path}": values for path, values in weights.items()}
        arrays |= {"normaliser.mean": normaliser.mean, "normaliser.sd": normaliser.sd}
        state = {
            "technique": self.technique,
            "model": plain(self.settings),
            "shape": list(self.shape),
            "classes": list(self.classes),
            "precision": self.inference.precision,
            "prediction": plain(self.inference.prediction),
            "channels_last": self.inference.channels_last,
        }
        write_predictor(folder, arrays, state)


class Cnn:
    """A convolutional network on images."""

    name: ClassVar[str] = "cnn"
    version: ClassVar[int] = 2  # 2: other draws of dropout
    settings: ClassVar[type[Settings]] = CnnSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image"})
    framework: ClassVar[Framework] = "torch"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "convolutional network from random weights (torch)"

    def updates(self, settings: Settings, examples: int) -> int:
        """How many a fit makes at most, all of them with a pass that can be compiled."""
        training = cast(CnnSettings, settings).training
        return training.iterations or (training.epochs or 0) * -(-examples // training.batch_size)

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> TorchPredictor:
        """Train in one phase, `train`; where there is a teacher, it speaks in one before.

        Raises:
            InputError: where the data are not images, or settings do not fit their size or each
                other.
        """
        from bakeoff.data.batches import TrainingBatches, evaluation_batches
        from bakeoff.training.plan import plan
        from bakeoff.training.torch.losses import cross_entropy_of
        from bakeoff.training.torch.mixing import Mixing
        from bakeoff.training.torch.resident import reside
        from bakeoff.training.torch.step import TorchStep
        from bakeoff.training.torch.transforms import Augmentation

        settings = cast(CnnSettings, cell.recipe.settings)
        training = settings.training
        if data.normaliser is None or not isinstance(data.train.items, np.ndarray):
            raise InputError(f"{self.name}: images needed, {data.modality} received")
        shape = cast(Shape, data.train.items.shape[1:])
        classes = data.task.classes
        settings.prediction.check(shape)
        _check_teacher(settings)
        teaching = teaching_of(training.teacher, cell, data, inputs, run)
        inference = _inference(settings, shape, len(classes), data.normaliser, cell.recipe.numerics)
        begin(inference.module, inference, run.streams, data.train.items)
        draws = Draws(settings.augmentation, shape, len(data.train), run.streams)
        device = inference.pixels.device
        augmentation = Augmentation(draws, data.normaliser.mean, device)
        wanted = cell.recipe.numerics.resident
        resident, note = reside(data.train, device) if wanted else (None, None)
        mixing: Mixing | None = None
        if settings.augmentation.mixup:
            mixing = Mixing(draws, data.train, device, gather=resident is None)
        loss = cross_entropy_of(training, teaching)
        step = TorchStep(
            inference, training, run.streams, augmentation, loss, mixing=mixing, resident=resident
        )
        step.notes += [note] if note else []
        batches = TrainingBatches(
            data.train, training.batch_size, run.streams, training.sampling, resident is None
        )

        def validation() -> Iterator[Batch]:
            return iter(evaluation_batches(data.validation, inference.pass_size))

        run.loop("train", step, batches, plan(training, batches, data.task, validation))
        step.keep()
        return TorchPredictor(self.name, inference, settings.model, classes)

    def load(self, folder: Path, device: DeviceName = "auto") -> TorchPredictor:
        """A saved predictor, back.

        Raises:
            InputError: where there is none of this technique, or its files contradict each other.
        """
        from bakeoff.training.torch.arrays import copy_into, named_tensors

        arrays, state = read_predictor(folder, self.name)
        try:
            normaliser = Normaliser(arrays.pop("normaliser.mean"), arrays.pop("normaliser.sd"))
            content = {"model": state["model"], "prediction": state.get("prediction", {})}
            settings = CnnSettings.parse(content)
            shape = cast(Shape, tuple(state["shape"]))
            layout = state.get("channels_last", True)  # so it was before it was said
            numerics = Numerics(device=device, precision=state["precision"], channels_last=layout)
            inference = _inference(settings, shape, len(state["classes"]), normaliser, numerics)
            weights = {name.removeprefix("network."): values for name, values in arrays.items()}
            copy_into(named_tensors(inference.module), weights)
        except (KeyError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None
        return TorchPredictor(self.name, inference, settings.model, state["classes"])

    def untrained(self, settings: Settings, shape: tuple[int, ...], classes: int) -> TorchPredictor:
        """A network with the initial weights of seed 0."""
        chosen = cast(CnnSettings, settings)
        channels = shape[-1]
        normaliser = Normaliser(np.zeros(channels, np.float32), np.ones(channels, np.float32))
        inference = _inference(chosen, cast(Shape, shape), classes, normaliser, Numerics())
        begin(inference.module, inference, Streams(0))
        return TorchPredictor(self.name, inference, chosen.model, [str(i) for i in range(classes)])

    def opens(self, settings: Settings) -> bool:
        """All."""
        return True

    def beginning(self, settings: Settings, data: TrainingData, streams: Streams) -> TorchPredictor:
        """Drawn weights.

        Raises:
            InputError: where the data are not images.
        """
        if data.normaliser is None or not isinstance(data.train.items, np.ndarray):
            raise InputError(f"{self.name}: images needed, {data.modality} received")
        chosen, classes = cast(CnnSettings, settings), data.task.classes
        shape = cast(Shape, data.train.items.shape[1:])
        inference = _inference(chosen, shape, len(classes), data.normaliser, Numerics())
        begin(inference.module, inference, streams, data.train.items)
        return TorchPredictor(self.name, inference, chosen.model, classes)

    def opened(self, settings: Settings, predictor: Predictor, *, fresh: bool) -> "ModuleInside":
        """Its module."""
        import torch

        from bakeoff.models.inside import ModuleInside

        inference = cast(TorchPredictor, predictor).inference
        pixels = inference.pixels

        def read(images: NDArray[np.uint8]) -> torch.Tensor:
            return pixels(torch.from_numpy(np.array(images)).to(pixels.device))

        return ModuleInside(inference.module, read, pixels.shape, fresh=fresh)

    def check(self, settings: Settings, offer: Offer) -> None:
        """Refuse shifts beyond the images, batch norm in parts of batches, blends with a teacher.

        Shifts are those of augmentation and of views.

        Raises:
            InputError: naming the setting.
        """
        chosen = cast(CnnSettings, settings)
        chosen.augmentation.check(offer.shape)
        chosen.prediction.check(offer.shape)
        _check_teacher(chosen)
        if chosen.training.parts > 1:
            from bakeoff.training.torch.step import splittable

            module = self.untrained(settings, offer.shape, 2).inference.module
            check_parts(chosen.training.parts, splittable(module))


def _check_teacher(settings: CnnSettings) -> None:
    """A teacher has looked at images as they are, not at blends of two.

    Raises:
        InputError: where images are blended beside a teacher.
    """
    if settings.training.teacher is not None and settings.augmentation.mixup:
        raise InputError(
            f"augmentation.mixup: {settings.augmentation.mixup} received with training.teacher, "
            "which says nothing of blended images (allowed: 0)"
        )


def _inference(
    settings: CnnSettings,
    shape: Shape,
    classes: int,
    normaliser: Normaliser,
    numerics: Numerics,
) -> "Inference":
    """The model on its device, ready to read images; its weights are still to be set."""
    import torch

    from bakeoff.models import build
    from bakeoff.training.torch.inference import Inference
    from bakeoff.training.torch.numerics import resolve_device_and_precision
    from bakeoff.training.torch.transforms import Pixels

    device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
    pixels = Pixels(normaliser, shape, torch.device(device))
    with torch.random.fork_rng([]):  # torch draws weights that we replace
        module = build(settings.model, shape, classes)
    compiles = numerics.compile is True  # `auto`, outside of a study: not worth it
    layout = numerics.channels_last
    return Inference(module, pixels, precision, settings.prediction, layout, compiles)
