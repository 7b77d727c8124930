"""Adaptive linear filters as a technique: LMS, NLMS, RLS, and the Wiener solution they approach.

The filters learn sample by sample (`scratch/adaptive.py`). A batch of the loop is a chunk of
samples, within which every sample still makes its own update: how long a chunk is changes no
bit, only how often the loop looks at the clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, Items, Modality
from bakeoff.core.frozen import Frozen
from bakeoff.core.protocols import (
    Arrays,
    Batch,
    LayerProfile,
    Position,
    Predictor,
    Run,
    State,
    TrainingData,
    Value,
)
from bakeoff.core.recipe import DeviceName, Framework, Settings
from bakeoff.core.streams import Streams
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.scratch import adaptive
from bakeoff.scratch.adaptive import Pass, Stability
from bakeoff.techniques.saved import numbers, read_predictor, write_predictor
from bakeoff.training.plan import plan
from bakeoff.training.settings import LoopSettings

Floats = NDArray[np.float64]
EVALUATION_BATCH = 4096
START_SD = 0.1
"""Of random weights to start from."""


class FilterSettings(Frozen):
    """What learns."""

    rule: Literal["lms", "nlms", "rls", "wiener"] = "lms"
    """`wiener`: least squares in closed form; nothing of `training` is read then."""
    weights: Literal["zero", "random"] = "random"
    """What the filter starts from; `random`: normal with SD 0.1, drawn per seed."""
    bias: bool = True
    """An input that is always 1."""
    forgetting: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of `rls`: the factor by which a sample counts less with every later one."""
    delta: Annotated[float, Field(gt=0)] = 0.01
    """Of `rls`: the penalty on leaving the first weights, in squared units of the inputs."""


class FilterTraining(LoopSettings):
    """How a filter goes through the samples. It counts with the weights it ends with."""

    epochs: Annotated[int, Field(ge=1)] | None = 20
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Samples between two looks at clock and signals, and between two steps of the schedule; at a
    constant rate it changes no number."""
    sampling: Literal["sequence", "shuffle"] = "sequence"
    """`sequence`: in their own order, every epoch; `shuffle`: in another order each epoch."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.005
    """Of `lms` and `nlms`: the step size mu, as in w += mu e x."""
    restore_best: bool = False


class LmsSettings(Settings):
    """Of adaptive linear filters."""

    model: FilterSettings = FilterSettings()
    training: FilterTraining = FilterTraining()


class FilterPredictor:
    """A linear filter: w.x + b.

    Args:
        weights: (D,) float64.
        bias: b.
        fitted_bias: Whether b was learnt.
        columns: The names of the D inputs.
    """

    def __init__(
        self, weights: Floats, bias: float, fitted_bias: bool, columns: Sequence[str]
    ) -> None:
        self.weights, self.bias = weights, bias
        self.fitted_bias, self.columns = fitted_bias, tuple(columns)
        self.shape = weights.shape

    def predict(self, items: Items) -> Floats:
        """(N,) float64 of (N, D) float64.

        Raises:
            InputError: where the items are no rows of D finite numbers.
        """
        rows = numbers(items, len(self.weights), Lms.name)
        return adaptive.predicted(rows, self.weights) + self.bias

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row: a weight an input, and the bias."""
        size = len(self.weights)
        shapes: dict[str, tuple[int, ...]] = {"weight": (size,)}
        if self.fitted_bias:
            shapes["bias"] = (1,)
        count = size + self.fitted_bias
        return (LayerProfile("filter", "linear", (size,), (1,), shapes, count, count, size),)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        arrays = {"weights": self.weights, "bias": np.array([self.bias])}
        state = {
            "technique": Lms.name,
            "bias": self.fitted_bias,
            "columns": list(self.columns),
        }
        write_predictor(folder, arrays, state)


class FilterStep:
    """The loop's step: a chunk of samples, learnt from one after another.

    Args:
        rule: The filter; its weights end with the bias where there is one.
        bias: Whether there is one.
    """

    splittable = False

    def __init__(self, rule: adaptive.Filter, bias: bool) -> None:
        self._rule, self._bias = rule, bias

    def __call__(self, batch: Batch, at: Position) -> dict[str, Value]:
        """Learn from the samples of a chunk.

        Returns:
            `loss`: the sum of squared errors before each update, infinite where one overflowed;
            and `count`.
        """
        if isinstance(self._rule, adaptive.Lms):
            self._rule.rate = at.learning_rate
        found = self._rule.run(design(np.asarray(batch.items), self._bias), batch.labels)
        overflowed = found.overflow_at is not None
        loss = np.inf if overflowed else float(np.square(found.errors).sum())
        return {"loss": loss, "count": len(batch.labels)}

    def evaluate(self, batch: Batch) -> Floats:
        """Predictions (B,) of a batch."""
        rows = np.asarray(batch.items)
        weights, bias = split_bias(self._rule.weights, self._bias)
        return adaptive.predicted(rows, weights) + bias

    def state(self) -> State:
        """The filter's."""
        return dict(self._rule.state())

    def load(self, state: Arrays) -> None:
        """Put it back."""
        self._rule.load(dict(state))


class Lms:
    """Adaptive linear filters for regression, in NumPy."""

    name: ClassVar[str] = "lms"
    version: ClassVar[int] = 2  # 2: RLS keeps its P symmetric to the bit
    settings: ClassVar[type[Settings]] = LmsSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"numbers"})
    framework: ClassVar[Framework] = "numpy"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "adaptive linear filters: LMS, NLMS, RLS, Wiener (NumPy)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> FilterPredictor:
        """Learn in one phase: the loop `train`, or for Wiener the solve `wiener`.

        Raises:
            InputError: where the data are not rows of numbers.
        """
        settings = cast(LmsSettings, cell.recipe.settings)
        rows = _rows(data.train)
        if settings.model.rule == "wiener":
            weights = self._solve(settings, rows, data.train.labels, run)
        else:
            rule = start(settings, rows.shape[1], run.streams)
            self._learn(rule, settings, data, run)
            weights = rule.weights
        bias = settings.model.bias
        return FilterPredictor(*split_bias(weights, bias), bias, data.columns)

    def _solve(self, settings: LmsSettings, rows: Floats, targets: Floats, run: Run) -> Floats:
        def compute() -> Arrays:
            found = adaptive.wiener(design(rows, settings.model.bias), targets)
            return {"weights": found.weights, "mse": np.array([found.mse])}

        return cast(Floats, run.solve("wiener", compute)["weights"])

    def _learn(
        self, rule: adaptive.Filter, settings: LmsSettings, data: TrainingData, run: Run
    ) -> None:
        training = settings.training
        batches = TrainingBatches(data.train, training.batch_size, run.streams, training.sampling)

        def validation() -> Iterator[Batch]:
            return iter(evaluation_batches(data.validation, EVALUATION_BATCH))

        step = FilterStep(rule, settings.model.bias)
        run.loop("train", step, batches, plan(training, batches, data.task, validation))

    def load(self, folder: Path, device: DeviceName = "auto") -> FilterPredictor:
        """A saved predictor, back; it gives the same bits."""
        arrays, state = read_predictor(folder, self.name)
        try:
            return FilterPredictor(
                arrays["weights"], float(arrays["bias"][0]), state["bias"], state["columns"]
            )
        except (KeyError, TypeError, IndexError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> FilterPredictor:
        """Zero weights.

        Raises:
            InputError: where items are not rows of numbers.
        """
        if len(shape) != 1:
            raise InputError(f"{self.name}: rows of numbers needed, items {shape} received")
        bias = cast(LmsSettings, settings).model.bias
        columns = [f"x{place}" for place in range(shape[0])]
        return FilterPredictor(np.zeros(shape), 0.0, bias, columns)

    def notes(self, settings: Settings, data: TrainingData) -> tuple[str, ...]:
        """A rate beside the bounds that the training inputs set it."""
        found = cast(LmsSettings, settings)
        model, rate = found.model, found.training.learning_rate
        if model.rule == "nlms":
            return (f"rate {rate:g} of at most 2: NLMS is stable whatever the inputs",)
        if model.rule != "lms":
            return ()
        return (bound_sentence(rate, bounds(found, data)),)

    def trace(
        self, settings: Settings, data: TrainingData, streams: Streams
    ) -> tuple[Floats, int | None] | None:
        """The errors of the first epoch, as a cell with these streams makes them."""
        found = cast(LmsSettings, settings)
        if found.model.rule == "wiener":
            return None
        first = first_pass(found, data, streams)
        return first.errors, first.overflow_at


def bound_sentence(rate: float, bounds: Stability) -> str:
    """A rate of LMS beside its bounds, in words."""
    mean, square = bounds.mean, bounds.mean_square
    if rate >= mean:
        verdict = f"above 2 / largest eigenvalue = {mean:.3g}: diverges"
    elif rate >= square:
        verdict = (
            f"below 2 / largest eigenvalue = {mean:.3g} but above {square:.3g}, from where the "
            "mean squared error has no bound"
        )
    else:
        extra = 100 * bounds.misadjustment(rate)
        verdict = (
            f"below 2 / largest eigenvalue = {mean:.3g} and the mean-square bound {square:.3g}: "
            f"settles about {extra:.2g} % above the Wiener error"
        )
    return f"rate {rate:g} is {verdict}"


def bounds(settings: LmsSettings, data: TrainingData) -> Stability:
    """The stability of LMS on the training inputs, the bias's included."""
    return adaptive.stability(design(_rows(data.train), settings.model.bias))


def first_pass(settings: LmsSettings, data: TrainingData, streams: Streams) -> Pass:
    """The errors of the first epoch, sample by sample, as a cell with these streams makes them.

    Rates are those of the first update: a schedule's later ones are not followed.
    """
    rows = _rows(data.train)
    rule = start(settings, rows.shape[1], streams)
    batches = TrainingBatches(data.train, len(data.train), streams, settings.training.sampling)
    order = batches.order(0)
    return rule.run(design(rows[order], settings.model.bias), data.train.labels[order])


def start(settings: LmsSettings, size: int, streams: Streams) -> adaptive.Filter:
    """The filter before its first sample.

    Args:
        settings: Its rule (any but `wiener`), first weights and rate.
        size: D, the number of inputs, without the bias.
        streams: `filter` is used, for random weights.
    """
    model, count = settings.model, size + settings.model.bias
    weights = np.zeros(count)
    if model.weights == "random":
        weights = START_SD * streams.generator("filter").standard_normal(count)
    if model.rule == "rls":
        return adaptive.Rls(weights, model.forgetting, model.delta)
    kind = adaptive.Nlms if model.rule == "nlms" else adaptive.Lms
    return kind(weights, settings.training.learning_rate)


def design(rows: NDArray[Any], bias: bool) -> Floats:
    """Inputs (n, D) as a filter takes them: with a column of ones behind them for a bias."""
    if not bias:
        return np.asarray(rows, np.float64)
    return np.column_stack([rows, np.ones(len(rows))])


def split_bias(weights: Floats, bias: bool) -> tuple[Floats, float]:
    """Weights (D,) and bias of a filter's weights; the bias is 0 where there is none."""
    return (weights[:-1].copy(), float(weights[-1])) if bias else (weights.copy(), 0.0)


def _rows(examples: Examples) -> Floats:
    """The inputs (N, D).

    Raises:
        InputError: where they are no rows of finite numbers.
    """
    items = examples.items
    size = items.shape[-1] if isinstance(items, np.ndarray) and items.ndim == 2 else 0
    return numbers(items, size, Lms.name)
