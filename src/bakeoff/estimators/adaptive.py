"""Adaptive linear filters as a scikit-learn regressor."""

import warnings
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.frozen import Frozen
from bakeoff.core.protocols import Fitted, State
from bakeoff.core.regression import Regression
from bakeoff.core.streams import Streams
from bakeoff.data.batches import TrainingBatches
from bakeoff.estimators.base import Lines
from bakeoff.estimators.memory import MemoryRun
from bakeoff.estimators.parameters import plain, seed_of
from bakeoff.scratch.adaptive import Filter, Rule, predicted, stability
from bakeoff.techniques.lms import (
    FilterStep,
    LmsSettings,
    bound_sentence,
    design,
    split_bias,
    start,
)
from bakeoff.training.loop import Surroundings
from bakeoff.training.observers import Silent
from bakeoff.training.plan import plan

Floats = NDArray[np.float64]
SHARE = 0.1
"""Of the rate that is always stable for Gaussian inputs: settles about 3 % above least squares."""
NLMS_RATE = 0.1


class LMSParameters(Frozen):
    """What `LMSRegressor` can be told, by the names users write."""

    rule: Rule
    learning_rate_init: Annotated[float, Field(gt=0)] | Literal["auto"]
    forgetting: Annotated[float, Field(gt=0, le=1)]
    fit_intercept: bool
    shuffle: bool
    max_iter: Annotated[int, Field(ge=1)]
    tol: Annotated[float, Field(ge=0)] | None
    n_iter_no_change: Annotated[int, Field(ge=1)]
    verbose: bool


class LMSRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Linear regression that learns from one sample after another, in float64.

    After a sample with error e = y - w.x, `lms` adds rate * e * x to the weights (Widrow and Hoff
    1960, "Adaptive switching circuits"); `nlms` divides that by x.x; `rls` solves least squares
    recursively. The intercept is the weight of an input that is always 1, so inputs should have
    means and scales near 0 and 1 (StandardScaler).

    Args:
        rule: `lms`, `nlms` or `rls`.
        learning_rate_init: Step size, of `lms` and `nlms`. `auto`: for `lms` a tenth of 2 / (3
            trace R) with R the correlation of the first rows seen; for `nlms` 0.1.
        forgetting: Of `rls`: the weight of a sample falls by this factor with every later one; 1
            forgets nothing.
        fit_intercept: Learn an intercept too.
        shuffle: Draw the order of every epoch; False: the order given, as a signal's.
        max_iter: Passes over the data at most.
        tol: Training ends when `n_iter_no_change` epochs in a row lowered the mean squared error by
            no more than this share of the targets' variance; None: all epochs are done.
        n_iter_no_change: See `tol`.
        random_state: Of the order; an int is the seed of bakeoff's named streams.
        verbose: Write a line to stderr every epoch.

    Attributes:
        coef_: (D,) float64.
        intercept_: A number.
        learning_rate_: The step size in use; None for `rls`.
        learning_rate_bound_: 2 / the largest eigenvalue of R on the first rows seen: where the mean
            of `lms` weights ceases to converge.
        n_features_in_: D; `feature_names_in_` where X had column names.
        n_iter_: Epochs done.
        loss_curve_: Mean squared error of each epoch, each sample before its own update.
    """

    def __init__(
        self,
        rule: str = "lms",
        *,
        learning_rate_init: float | str = "auto",
        forgetting: float = 1.0,
        fit_intercept: bool = True,
        shuffle: bool = True,
        max_iter: int = 100,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 5,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.rule = rule
        self.learning_rate_init = learning_rate_init
        self.forgetting = forgetting
        self.fit_intercept = fit_intercept
        self.shuffle = shuffle
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from scratch, from weights of zero.

        Args:
            X: (N, D) finite numbers.
            y: (N,) finite numbers.

        Raises:
            ValueError: where parameters or data are not allowed, or training diverged in its first
                epoch.
        """
        settings = self._checked()
        rows, targets = self._rows_and_targets(X, y, reset=True)
        self._begin(rows, settings)
        fitted = self._learn(rows, targets, self._settings(settings, float(targets.var())))
        if fitted.diverged_at is not None:
            warnings.warn(
                f"training diverged in epoch {self.n_iter_}; the weights before it are kept: "
                f"{self._why()}",
                ConvergenceWarning,
                stacklevel=2,
            )
        elif settings.tol is not None and not fitted.stopped_by:
            warnings.warn(
                f"max_iter={settings.max_iter} was not enough for tol={settings.tol}: raise it, or "
                "set tol=None where that many are meant",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """One pass over these rows in the order given, going on from what was learnt.

        Args:
            X: (N, D) finite numbers.
            y: (N,) finite numbers.

        Raises:
            ValueError: where parameters or data are not allowed, or the filter overflowed; it is
                left as it was.
        """
        settings = self._checked()
        first = not self.__sklearn_is_fitted__()
        rows, targets = self._rows_and_targets(X, y, reset=first)
        if first:
            self._begin(rows, settings)
        once = settings.model_copy(update={"max_iter": 1, "shuffle": False, "tol": None})
        self._learn(rows, targets, self._settings(once))
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Numbers (N,) float64 for X (N, D)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return predicted(rows, self.coef_) + self.intercept_

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there are weights to predict with."""
        return "coef_" in self.__dict__

    def _checked(self) -> LMSParameters:
        given = plain(self.get_params(deep=False).items())
        given.pop("random_state")
        return LMSParameters.parse(given)

    def _rows_and_targets(self, X: ArrayLike, y: ArrayLike, reset: bool) -> tuple[Floats, Floats]:
        rows, targets = validate_data(self, X, y, dtype=np.float64, y_numeric=True, reset=reset)
        return rows, targets.astype(np.float64, copy=False)

    def _begin(self, rows: Floats, settings: LMSParameters) -> None:
        """Forget what was learnt, and settle the step size on the first rows (n, D)."""
        self.__dict__.pop("coef_", None)
        with np.errstate(over="ignore", invalid="ignore"):
            self._bounds = stability(design(rows, settings.fit_intercept))
        self.learning_rate_bound_ = self._bounds.mean
        rate = settings.learning_rate_init
        if rate == "auto":
            share = SHARE * self._bounds.sufficient
            rate = NLMS_RATE if settings.rule == "nlms" else min(share, 1.0)
        self.learning_rate_ = None if settings.rule == "rls" else float(rate)
        self._kind = settings.rule, settings.fit_intercept
        self._seed = seed_of(self.random_state)
        self._state: State = {}
        self.n_iter_: int = 0
        self.loss_curve_: list[float] = []

    def _settings(self, given: LMSParameters, variance: float = 0.0) -> LmsSettings:
        """The technique's own.

        Args:
            given: Checked parameters.
            variance: Of the targets.

        Raises:
            InputError: where it was another kind of filter that began.
        """
        kind = given.rule, given.fit_intercept
        if self._kind != kind:
            raise InputError(
                f"rule and fit_intercept were {self._kind} at the first call, {kind} received: "
                "call fit to start anew"
            )
        training: dict[str, object] = {
            "epochs": given.max_iter,
            "sampling": "shuffle" if given.shuffle else "sequence",
        }
        if self.learning_rate_ is not None:
            training["learning_rate"] = self.learning_rate_
        if given.tol is not None:
            training["stopping"] = {
                "rule": "patience",
                "on": "loss",
                "window": given.n_iter_no_change,
                "tolerance": given.tol * variance,
            }
        model: dict[str, object] = {
            "rule": given.rule,
            "weights": "zero",
            "bias": given.fit_intercept,
        }
        if given.rule == "rls":
            model["forgetting"] = given.forgetting
        return LmsSettings.parse({"model": model, "training": training})

    def _learn(self, rows: Floats, targets: Floats, settings: LmsSettings) -> Fitted:
        """Learn in the loop, from where the filter is.

        Raises:
            InputError: where it overflowed in the first epoch.
        """
        streams, training = Streams(self._seed), settings.training
        rule: Filter = start(settings, rows.shape[1], streams)
        if self._state:
            rule.load(dict(self._state))
        step = FilterStep(rule, settings.model.bias)
        examples = Examples(rows, targets, np.zeros(len(targets), np.str_))
        batches = TrainingBatches(examples, training.batch_size, streams, training.sampling)
        run = MemoryRun(streams, Surroundings(observer=Lines() if self.verbose else Silent()))
        fitted = run.loop("train", step, batches, plan(training, batches, Regression(), None))
        if fitted.selected_step == 0:
            raise InputError(f"the filter overflowed in its first epoch: {self._why()}")
        self._state = step.state()
        self.coef_, self.intercept_ = split_bias(rule.weights, settings.model.bias)
        self.n_iter_ += -(-fitted.steps // batches.per_epoch)
        self.loss_curve_ = [*self.loss_curve_, *(row["train/loss"] for row in run.rows)]
        return fitted

    def _why(self) -> str:
        """What to do about divergence."""
        if self._kind[0] != "lms" or self.learning_rate_ is None:
            return "scale the inputs (StandardScaler)"
        return (
            f"{bound_sentence(self.learning_rate_, self._bounds)}; lower learning_rate_init or "
            "scale the inputs"
        )
