"""The settings every technique with a training loop has."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bakeoff.core.errors import InputError
from bakeoff.core.frozen import Frozen, later
from bakeoff.core.optimisers import FIELDS, OPTIMISERS, OptimizerName, names_in
from bakeoff.core.recipe import Framework
from bakeoff.core.teaching import TeacherSettings

StopRule = Literal[
    "first-degradation",
    "no-change",
    "absolute-change",
    "average-change",
    "patience",
    "last-25",
]


class StoppingSettings(Frozen):
    """When to end before the last epoch. Looks at every validation."""

    rule: StopRule
    """`first-degradation`: worse than the validation before; `no-change`: the last `window` changes
    are within `tolerance` together; `absolute-change`: the newest is; `average-change`: their
    mean size is; `patience`: none of the last `window` is better than the best before;
    `last-25`: not better than any of the 25 before."""
    on: Literal["score", "loss"] = "score"
    """The validation score that selects weights, or the validation loss."""
    window: Annotated[int, Field(ge=1)] = 5
    """Validations that count: patience, no-change, average-change."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """Changes up to this size count as none."""


class LoopSettings(Frozen):
    """Length, rate, validation and selection: what every loop has."""

    epochs: Annotated[int, Field(ge=1)] | None = None
    """Passes over the training examples."""
    iterations: Annotated[int, Field(ge=1)] | None = None
    """Updates; instead of `epochs`."""
    batch_size: Annotated[int, Field(ge=1)] = 128
    """Examples of an update."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    """The greatest rate of the schedule."""
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "constant"
    """`cosine` falls to 0; `one-cycle` rises over the first 30 % (or `warmup`), then falls to
    nearly 0 (Smith 2018, "A disciplined approach to neural network hyper-parameters"); `decay`
    says how far `step` and `exponential` fall."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the updates over which the rate rises linearly from 0 (one-cycle: to its peak)."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of `step` at each third, and of `exponential` over the whole run."""
    validate_every: Annotated[int, Field(ge=1)] | None = None
    """Updates between validations; None: every epoch."""
    stopping: StoppingSettings | None = None
    select: str = "auto"
    """The metric whose best validation value selects the weights; `auto`: the study's."""
    restore_best: bool = True
    """Keep the weights with the best validation score, not the last ones."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 30.0
    """The least time between two checkpoints, from which an interrupted run goes on: more where
    they would take over a twentieth of the time. 0: after every update."""

    @model_validator(mode="before")
    @classmethod
    def _iterations_for_epochs(cls, value: Any) -> Any:
        """`iterations` alone take the place of the epochs a technique has by default."""
        if isinstance(value, dict) and value.get("iterations") is not None:
            return {"epochs": None} | value
        return value

    @model_validator(mode="after")
    def _one_length(self) -> "LoopSettings":
        if (self.epochs is None) == (self.iterations is None):
            raise ValueError("give either epochs or iterations")
        return self

    @property
    def parts(self) -> int:
        """Micro-batches a batch is cut into."""
        return 1


class LookaheadSettings(Frozen):
    """Slow weights behind the optimiser's: they are what validates and what predicts.

    Source: Zhang, Lucas, Hinton and Ba 2019, "Lookahead optimizer: k steps forward, 1 step back".
    """

    every: Annotated[int, Field(ge=1)] = 5
    """Updates after which the slow weights follow, and the optimiser's are set back to them."""
    rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the way that the slow weights go."""


class AveragingSettings(Frozen):
    """A running average of weights and running statistics: it is what validates and predicts.

    Source: Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging"; the
    weights of the mean fall exponentially here.
    """

    decay: Annotated[float, Field(gt=0, lt=1)] = 0.999
    """What is kept of the average at the most: at the n-th time min(decay, n / (n + 9))."""
    every: Annotated[int, Field(ge=1)] = 1
    """Updates between additions."""
    start: Annotated[int, Field(ge=0)] = 0
    """Epochs before the first addition; till then the trained weights validate."""


class TrainingSettings(LoopSettings):
    """How a loop of gradient steps trains. Techniques override the defaults."""

    sampling: Literal["shuffle", "random"] = "shuffle"
    """`shuffle`: every example once an epoch; `random`: drawn with replacement."""
    optimizer: OptimizerName = "momentum"
    """Not every framework has `muon`: `training.md` has sources and differences."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of `momentum`, `nesterov` and `muon`."""
    other_learning_rate: Annotated[float, Field(gt=0)] | None = later(None)
    """Of `muon`: the rate of what it does not orthogonalise (biases, gains), in the place of
    `learning_rate` and on the same schedule; None: the same rate."""
    l2: Annotated[float, Field(ge=0)] = 0.0
    """Adds l2 / 2 * |w|^2 to the loss (weights, not biases); `adamw` and `muon` decay weights by
    it."""
    l1: Annotated[float, Field(ge=0)] = 0.0
    """Adds l1 * |w| to the loss (weights, not biases): its subgradient l1 * sign(w), 0 at 0, joins
    the gradient, with `adamw` too."""
    max_norm: Annotated[float, Field(gt=0)] | None = None
    """After each update, the weights into a unit (a row of an affine layer, a filter) whose
    Euclidean norm is greater are scaled down to it (Srivastava et al. 2014, "Dropout")."""
    clip: Annotated[float, Field(gt=0)] | None = None
    """Before each update, the gradients, without those of the penalties, are scaled down where the
    Euclidean norm of all of them together is greater (Pascanu et al. 2013, "On the difficulty of
    training recurrent neural networks")."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Micro-batches a batch is cut into; the update is the whole batch's."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = later(0.0)
    """Share of each label that is spread evenly over all classes, in cross-entropy while learning
    (Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision")."""
    lookahead: LookaheadSettings | None = later(None)
    averaging: AveragingSettings | None = later(None)

    @model_validator(mode="after")
    def _other_rate_of_muon_alone(self) -> "TrainingSettings":
        if self.other_learning_rate is not None and self.optimizer != "muon":
            raise ValueError(
                f"other_learning_rate {self.other_learning_rate} received with optimizer "
                f"{self.optimizer}, which has one rate for all (allowed: with muon)"
            )
        return self

    @property
    def parts(self) -> int:
        """Micro-batches a batch is cut into."""
        return self.accumulate


class TaughtSettings(TrainingSettings):
    """How a student trains: beside the labels it may have a teacher."""

    teacher: TeacherSettings | None = later(None)
    """What another recipe came to; the control of a distilled student is the same without."""


def check_parts(parts: int, splittable: bool) -> None:
    """Whether batches may be cut.

    Args:
        parts: Micro-batches a batch is cut into.
        splittable: Of the step or the network: whether examples pass without seeing each other.

    Raises:
        InputError: where they are cut and may not be.
    """
    if parts > 1 and not splittable:
        raise InputError(
            f"training.accumulate: {parts} received, but this model looks at whole batches "
            "(batch norm, for instance) and cannot be trained in parts (allowed: 1)"
        )


def check_framework(training: TrainingSettings, framework: Framework) -> None:
    """Whether a framework has all that is asked for.

    Raises:
        InputError: naming the fields below `training`, what was received and what is allowed.
    """
    faults = []
    if framework not in OPTIMISERS[training.optimizer].frameworks:
        faults.append(
            f"training.optimizer: {training.optimizer} received, but {framework} has none "
            f"(allowed: {', '.join(names_in(framework))})"
        )
    for name, frameworks in FIELDS.items():
        if getattr(training, name, None) is not None and framework not in frameworks:
            faults.append(
                f"training.{name}: received, but there is none in {framework} "
                f"(allowed: none; there is one in {', '.join(sorted(frameworks))})"
            )
    if faults:
        raise InputError(faults)
