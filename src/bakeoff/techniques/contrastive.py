"""An encoder that learns by comparison: images of a class lie close, those of others far apart.

Sources: Schroff, Kalenichenko and Philbin 2015, "FaceNet: a unified embedding for face recognition
and clustering" (triplets); Khosla et al. 2020, "Supervised contrastive learning". Its vectors are
for other recipes (`probe`, `knn`); alone it gives the class whose mean vector is nearest
(Mensink, Verbeek, Perronnin and Csurka 2013, "Distance-based image classification: generalizing to
new classes at near-zero cost").
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, Items, Modality
from bakeoff.core.frozen import Frozen, plain
from bakeoff.core.protocols import (
    Batch,
    LayerProfile,
    Normaliser,
    Predictor,
    Run,
    TrainingData,
)
from bakeoff.core.recipe import Framework, Numerics, Settings
from bakeoff.core.streams import Streams
from bakeoff.core.views import PredictionSettings
from bakeoff.models.settings import ModelSettings, SimpleCnnSettings
from bakeoff.techniques.adapting import begin
from bakeoff.techniques.prototypes import Prototypes, spread_rows
from bakeoff.techniques.saved import images, read_predictor, write_predictor
from bakeoff.training.optimisers import OptimizerName
from bakeoff.training.settings import TrainingSettings, check_parts

if TYPE_CHECKING:
    from torch import nn

    from bakeoff.training.torch.inference import Inference, Network
    from bakeoff.training.torch.step import TorchStep

Shape = tuple[int, int, int]
"""(H, W, C)."""


class VectorSettings(Frozen):
    """The vector of an image."""

    dimension: Annotated[int, Field(ge=1)] | None = 128
    """Numbers of it: what the model's output layer gives in the place of logits; None: its last
    hidden layer's, and no output layer."""
    normalise: bool = True
    """Scaled to length 1."""


class TripletLoss(Frozen):
    """An anchor nearer to one of its class than to one of another, by a margin."""

    name: Literal["triplet"] = "triplet"
    margin: Annotated[float, Field(gt=0)] = 0.3
    mining: Literal["random", "semi-hard", "batch-hard"] = "semi-hard"
    """Which triplets of a batch: `random`, one drawn for each anchor; `semi-hard`, for each pair of
    a class the nearest negative that is farther away than the positive; `batch-hard`, for each
    anchor the farthest positive and the nearest negative."""


class SupervisedContrast(Frozen):
    """An anchor more similar to all of its class than to the rest of the batch."""

    name: Literal["supervised-contrastive"] = "supervised-contrastive"
    temperature: Annotated[float, Field(gt=0)] = 0.1


class ContrastiveTraining(TrainingSettings):
    """How the encoder trains. Its batches are balanced: as many examples of each class."""

    epochs: Annotated[int, Field(ge=1)] | None = 10
    batch_size: Annotated[int, Field(ge=1)] = 256
    classes_per_batch: Annotated[int, Field(ge=2)] | None = None
    """None: all, or half as many as there are examples in a batch."""
    optimizer: OptimizerName = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 0.001
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "cosine"

    @model_validator(mode="after")
    def _nothing_without_meaning(self) -> "ContrastiveTraining":
        if self.sampling != "shuffle":
            raise ValueError(
                "sampling random received, but batches are balanced (allowed: shuffle)"
            )
        if self.label_smoothing:
            raise ValueError(
                f"label_smoothing {self.label_smoothing} received, which is of cross-entropy "
                "(allowed: 0)"
            )
        return self


class ContrastiveSettings(Settings):
    """Of the encoder."""

    model: ModelSettings = SimpleCnnSettings()
    vector: VectorSettings = VectorSettings()
    loss: Annotated[TripletLoss | SupervisedContrast, Field(discriminator="name")] = TripletLoss()
    training: ContrastiveTraining = ContrastiveTraining()
    augmentation: AugmentationSettings = AugmentationSettings()

    @field_validator("model", "loss", mode="before")
    @classmethod
    def _defaults(cls, value: Any, field: Any) -> Any:
        """Fields without a name are those of the default model, or loss."""
        name = {"model": "simple-cnn", "loss": "triplet"}[field.field_name]
        return {"name": name} | value if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _contrast_on_the_sphere(self) -> "ContrastiveSettings":
        if isinstance(self.loss, SupervisedContrast) and not self.vector.normalise:
            raise ValueError(
                "vector.normalise false received with loss supervised-contrastive, which compares "
                "by angles (allowed: true)"
            )
        self.augmentation.check_unblended("contrastive")
        return self


class ContrastivePredictor:
    """A torch encoder of images that gives the class whose mean vector is nearest.

    Args:
        inference: The encoder with its inputs; its outputs are vectors.
        settings: Of model and vector: with the shape, all it is built from.
        prototypes: Of the classes.
    """

    def __init__(
        self, inference: "Inference", settings: ContrastiveSettings, prototypes: Prototypes
    ) -> None:
        self.inference, self.settings, self.prototypes = inference, settings, prototypes
        self.classes, self.shape = prototypes.classes, inference.pixels.shape

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of (N, H, W, C) uint8.

        Raises:
            InputError: where the items are not images of that shape.
        """
        return self.prototypes.probabilities(self.represent(items))

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32: the vectors.

        Raises:
            InputError: where the items are not images of the right shape.
        """
        return self.inference.features(images(items, self.shape, Contrastive.name))

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row for each layer of the encoder, then the comparison with the means."""
        from bakeoff.models.macs import profile

        height, width, channels = self.shape
        means = self.prototypes.means
        row = LayerProfile(
            name="class-means",
            kind="nearest mean",
            input=(means.shape[1],),
            output=(len(means),),
            weights={"means": means.shape},
            parameters=means.size,
            macs=means.size,
        )
        return (*profile(self.inference.module, (channels, height, width)), row)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        from bakeoff.training.torch.arrays import named_tensors, to_arrays

        weights = to_arrays(named_tensors(self.inference.module))
        normaliser = self.inference.pixels.normaliser
        arrays = {f"network.{path}": values for path, values in weights.items()}
        arrays |= {"normaliser.mean": normaliser.mean, "normaliser.sd": normaliser.sd}
        state = {
            "technique": Contrastive.name,
            "model": plain(self.settings.model),
            "vector": plain(self.settings.vector),
            "shape": list(self.shape),
            "classes": list(self.classes),
            "precision": self.inference.precision,
            "channels_last": self.inference.channels_last,
        }
        write_predictor(folder, arrays | dict(self.prototypes.arrays()), state)


class Contrastive:
    """An encoder of images, trained by comparison."""

    name: ClassVar[str] = "contrastive"
    version: ClassVar[int] = 1
    settings: ClassVar[type[Settings]] = ContrastiveSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image"})
    framework: ClassVar[Framework] = "torch"
    seeded: ClassVar[bool] = True
    encodes: ClassVar[bool] = True
    summary: ClassVar[str] = "encoder trained by triplets or supervised contrast (torch)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> ContrastivePredictor:
        """Train in one phase, `train`; then the class means of its vectors.

        Raises:
            InputError: where the data are not images, a class has one example alone, or settings
                do not fit.
        """
        from bakeoff.data.balanced_batches import BalancedBatches
        from bakeoff.training.plan import plan

        settings, streams = cast(ContrastiveSettings, cell.recipe.settings), run.streams
        training, train = settings.training, data.train
        if data.normaliser is None or not isinstance(train.items, np.ndarray):
            raise InputError(f"{self.name}: images needed, {data.modality} received")
        pixels = train.items
        inference = _inference(settings, pixels.shape[1:], data.normaliser, cell.recipe.numerics)
        step = _step(inference, settings, data, run.streams)
        reference = train.take(spread_rows(train.labels, streams.generator("reference")))
        classes = tuple(data.task.classes)

        def prototypes(encoder: "Inference") -> Prototypes:
            return Prototypes.of(encoder.features(np.asarray(reference.items)), reference, classes)

        def judge(network: "Network", items: NDArray[Any]) -> NDArray[np.float32]:
            encoder = cast("Inference", network)
            found = prototypes(encoder)
            if found.collapsed:
                step.notes += [COLLAPSED] if COLLAPSED not in step.notes else []
            return found.probabilities(encoder.features(items))

        def take(rows: NDArray[np.intp]) -> Batch:
            return Batch(pixels.take(rows, axis=0), train.labels[rows], rows)

        def validation() -> Iterator[Batch]:
            yield _whole(data.validation)  # at once: class means are made for each evaluation

        step.judge = judge
        batches = BalancedBatches(
            train.labels, take, training.batch_size, streams, training.classes_per_batch
        )
        run.loop("train", step, batches, plan(training, batches, data.task, validation))
        step.keep()
        return ContrastivePredictor(inference, settings, prototypes(inference))

    def load(self, folder: Path) -> ContrastivePredictor:
        """A saved predictor, back: on a GPU where there is one.

        Raises:
            InputError: where there is none of this technique, or its files contradict each other.
        """
        from bakeoff.training.torch.arrays import copy_into, named_tensors

        arrays, state = read_predictor(folder, self.name)
        try:
            normaliser = Normaliser(arrays.pop("normaliser.mean"), arrays.pop("normaliser.sd"))
            prototypes = Prototypes.restored(arrays, state["classes"])
            settings = ContrastiveSettings.parse({n: state[n] for n in ("model", "vector")})
            numerics = Numerics(precision=state["precision"], channels_last=state["channels_last"])
            inference = _inference(settings, tuple(state["shape"]), normaliser, numerics)
            weights = {name.removeprefix("network."): values for name, values in arrays.items()}
            copy_into(named_tensors(inference.module), weights)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None
        return ContrastivePredictor(inference, settings, prototypes)

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> ContrastivePredictor:
        """An encoder with the initial weights of seed 0."""
        chosen, channels = cast(ContrastiveSettings, settings), shape[-1]
        normaliser = Normaliser(np.zeros(channels, np.float32), np.ones(channels, np.float32))
        inference = _inference(chosen, shape, normaliser, Numerics())
        begin(_trunk(inference), inference, Streams(0))
        size = inference.features(np.zeros((0, *shape), np.uint8)).shape[1]
        names = tuple(str(i) for i in range(classes))
        blank = Prototypes(
            np.zeros((classes, size), np.float32), np.ones(classes, bool), 1.0, names
        )
        return ContrastivePredictor(inference, chosen, blank)

    def check(self, settings: Settings, shape: tuple[int, ...], examples: int) -> None:
        """Refuse shifts beyond the images, and batches without two examples of two classes.

        Raises:
            InputError: naming the setting.
        """
        from bakeoff.data.balanced_batches import check_balance

        chosen = cast(ContrastiveSettings, settings)
        chosen.augmentation.check(shape)
        check_parts(chosen.training.parts, splittable=False)
        check_balance(chosen.training.batch_size, chosen.training.classes_per_batch)


COLLAPSED = (
    "the encoder had collapsed at a validation: all its vectors lay at one point, and tell nothing "
    "apart there"
)


def _whole(examples: Examples) -> Batch:
    return Batch(examples.items, examples.labels, np.arange(len(examples)))


def _step(
    inference: "Inference", settings: ContrastiveSettings, data: TrainingData, streams: Streams
) -> "TorchStep":
    """The loop's step, from drawn weights."""
    from bakeoff.training.torch.contrastive import ContrastiveLoss
    from bakeoff.training.torch.step import TorchStep
    from bakeoff.training.torch.transforms import Augmentation

    begin(_trunk(inference), inference, streams, np.asarray(data.train.items))
    pixels, chosen = inference.pixels, settings.loss
    draws = Draws(settings.augmentation, pixels.shape, len(data.train), streams)
    augmentation = Augmentation(draws, pixels.normaliser.mean, pixels.device)
    if isinstance(chosen, TripletLoss):
        loss = ContrastiveLoss(streams, chosen.margin, chosen.mining)
    else:
        loss = ContrastiveLoss(streams, None, temperature=chosen.temperature)
    step = TorchStep(inference, settings.training, streams, augmentation, loss, loss.begin)
    step.splittable = False  # a loss compares the examples of a batch with each other
    return step


def _trunk(inference: "Inference") -> "nn.Module":
    """The image model below the vectors: it begins as that of `cnn` where paths are equal."""
    return cast("nn.Module", inference.module.trunk)


def _inference(
    settings: ContrastiveSettings,
    shape: tuple[int, ...],
    normaliser: Normaliser,
    numerics: Numerics,
) -> "Inference":
    """The encoder on its device, ready to read images; its weights are still to be set."""
    import torch

    from bakeoff.models import build
    from bakeoff.training.torch.embedding import Embedding
    from bakeoff.training.torch.inference import Inference
    from bakeoff.training.torch.numerics import resolve_device_and_precision
    from bakeoff.training.torch.transforms import Pixels

    device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
    pixels = Pixels(normaliser, cast(Shape, shape), torch.device(device))
    vector, hidden = settings.vector, settings.vector.dimension is None
    with torch.random.fork_rng([]):  # torch draws weights that we replace
        trunk = build(settings.model, cast(Shape, shape), vector.dimension or 1)
    module = Embedding(trunk, normalise=vector.normalise, hidden=hidden)
    return Inference(module, pixels, precision, PredictionSettings(), numerics.channels_last)
