"""What contrastive encoders of images and of texts share: settings, losses, how they learn.

Sources: Schroff, Kalenichenko and Philbin 2015, "FaceNet: a unified embedding for face recognition
and clustering" (triplets); Khosla et al. 2020, "Supervised contrastive learning".
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from bakeoff.core.augmentation import AugmentationSettings
from bakeoff.core.frozen import Frozen
from bakeoff.core.optimisers import OptimizerName
from bakeoff.core.protocols import Batch, Run, TrainingData
from bakeoff.core.recipe import Settings
from bakeoff.core.streams import Streams
from bakeoff.models.settings import ModelSettings, SimpleCnnSettings
from bakeoff.techniques.prototypes import Prototypes, spread_rows
from bakeoff.techniques.texts import WeightsSettings
from bakeoff.training.settings import TrainingSettings

if TYPE_CHECKING:
    from bakeoff.training.torch.contrastive import ContrastiveLoss
    from bakeoff.training.torch.inference import Network
    from bakeoff.training.torch.step import TorchStep

COLLAPSED = (
    "the encoder had collapsed at a validation: all its vectors lay at one point, and tell nothing "
    "apart there"
)


class TextTrunkSettings(WeightsSettings):
    """A pretrained encoder of texts, every weight of which learns."""

    name: Literal["pretrained"] = "pretrained"
    pooling: Literal["cls", "mean", "max", "last"] = "mean"
    """`cls`: the first token's vector; `mean`, `max`: over the tokens; `last`: the last one's."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Of all layers but attention's weights; None: the model's own."""


class VectorSettings(Frozen):
    """The vector of an item."""

    dimension: Annotated[int, Field(ge=1)] | None = 128
    """Numbers of it: what the model's output layer gives in the place of logits; None: its last
    hidden layer's, and no output layer."""
    normalise: bool = True
    """Scaled to length 1."""


class TripletLoss(Frozen):
    """An anchor nearer to one of its class than to one of another, by a margin."""

    name: Literal["triplet"] = "triplet"
    margin: Annotated[float, Field(gt=0)] = 0.3
    """By so much the one of another class is to be farther away."""
    mining: Literal["random", "semi-hard", "batch-hard"] = "semi-hard"
    """Which triplets of a batch: `random`, one drawn for each anchor; `semi-hard`, for each pair of
    a class the nearest negative that is farther away than the positive; `batch-hard`, for each
    anchor the farthest positive and the nearest negative."""


class SupervisedContrast(Frozen):
    """An anchor more similar to all of its class than to the rest of the batch."""

    name: Literal["supervised-contrastive"] = "supervised-contrastive"
    temperature: Annotated[float, Field(gt=0)] = 0.1
    """Similarities are divided by it: the lower, the more the nearest count."""


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

    model: Annotated[ModelSettings | TextTrunkSettings, Field(discriminator="name")] = (
        SimpleCnnSettings()
    )
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
        on_texts = isinstance(self.model, TextTrunkSettings)
        if on_texts and self.augmentation != AugmentationSettings():
            raise ValueError("augmentation received with model pretrained, which reads texts")
        return self


def loss_of(settings: ContrastiveSettings, streams: Streams) -> "ContrastiveLoss":
    """The loss that is asked for; it draws from the cell's streams."""
    from bakeoff.training.torch.contrastive import ContrastiveLoss

    chosen = settings.loss
    if isinstance(chosen, TripletLoss):
        return ContrastiveLoss(streams, chosen.margin, chosen.mining)
    return ContrastiveLoss(streams, None, temperature=chosen.temperature)


def learn(
    step: "TorchStep",
    network: "Network",
    settings: ContrastiveSettings,
    data: TrainingData,
    run: Run,
    items: tuple[Callable[[NDArray[np.intp]], NDArray[Any]], NDArray[Any]],
) -> Prototypes:
    """Train an encoder in one phase, `train`.

    Validation gives the class whose mean vector is nearest, from the same training examples each
    time and in what is returned.

    Args:
        step: Of the encoder, with the loss.
        network: The encoder at work; its outputs are vectors.
        settings: Of loss and training.
        data: The labels.
        run: What is worked through.
        items: What the encoder reads of the training examples at some rows, and of all that
            validate.

    Returns:
        The class means of what was learnt.

    Raises:
        InputError: where a class has one example alone, or settings do not fit.
    """
    from bakeoff.data.balanced_batches import BalancedBatches
    from bakeoff.training.plan import plan

    training, train, streams = settings.training, data.train, run.streams
    take_items, held_out = items
    rows, classes = spread_rows(train.labels, streams.generator("reference")), data.task.classes
    reference, known = train.take(rows), take_items(rows)

    def prototypes(encoder: "Network") -> Prototypes:
        vectors = encoder.outputs(known)
        found = Prototypes.of(vectors, reference, tuple(classes), encoder.precision)
        if found.collapsed and COLLAPSED not in step.notes:
            step.notes += [COLLAPSED]
        return found

    def judge(encoder: "Network", given: NDArray[Any]) -> NDArray[np.float32]:
        return prototypes(encoder).probabilities(encoder.outputs(given))

    def take(chosen: NDArray[np.intp]) -> Batch:
        return Batch(take_items(chosen), train.labels[chosen], chosen)

    def validation() -> Iterator[Batch]:
        # At once: class means are made for each evaluation.
        yield Batch(held_out, data.validation.labels, np.arange(len(held_out)))

    step.judge = judge
    step.splittable = False  # a loss compares the examples of a batch with each other
    size, most = training.batch_size, training.classes_per_batch
    batches = BalancedBatches(train.labels, classes, take, size, streams, most)
    run.loop("train", step, batches, plan(training, batches, data.task, validation))
    step.keep()
    return prototypes(network)
