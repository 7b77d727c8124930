"""What the classifiers can be told, checked when `fit` is called, and what the loop makes of it."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field
from sklearn.utils import check_random_state

from bakeoff.core.frozen import Frozen
from bakeoff.scratch.network import ActivationName
from bakeoff.scratch.optimisers import Name
from bakeoff.training.settings import StoppingSettings, TrainingSettings


def _plain(value: object) -> object:
    """NumPy's numbers and arrays as Python's own, and one number of units as a list of them."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    return [value] if isinstance(value, int) else value


class Parameters(Frozen):
    """The parameters all classifiers share, by the names users write."""

    solver: Name | Literal["lbfgs"]
    l2: Annotated[float, Field(ge=0)]
    learning_rate_init: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"]
    batch_size: Annotated[int, Field(ge=1)]
    max_iter: Annotated[int, Field(ge=1)]
    tol: Annotated[float, Field(ge=0)] | None
    n_iter_no_change: Annotated[int, Field(ge=1)]
    early_stopping: bool
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    verbose: bool

    @property
    def constant(self) -> bool:
        """Whether there is no schedule that ends where `max_iter` does."""
        return self.solver == "lbfgs" or self.schedule == "constant"

    def training(self) -> TrainingSettings:
        """How the loop trains, where the solver works by gradients of batches."""
        stopping = None
        if self.early_stopping or self.tol is not None:
            stopping = StoppingSettings(
                rule="patience",
                on="score" if self.early_stopping else "loss",
                window=self.n_iter_no_change,
                tolerance=self.tol or 0.0,
            )
        return TrainingSettings.parse(
            {
                "epochs": self.max_iter,
                "batch_size": self.batch_size,
                "optimizer": self.solver,
                "learning_rate": self.learning_rate_init,
                "momentum": self.momentum,
                "l2": self.l2,
                "schedule": self.schedule,
                "stopping": stopping,
                "restore_best": self.early_stopping,
            }
        )


class MLPParameters(Parameters):
    """With hidden layers."""

    hidden_layer_sizes: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1), BeforeValidator(_plain)
    ]
    activation: ActivationName


def plain(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Parameters with NumPy's numbers as Python's own, as a grid of values brings them."""
    return {
        name: value.item() if isinstance(value, np.generic) else value for name, value in values
    }


def seed_of(random_state: object) -> int:
    """An integer is the seed of our streams itself; all else draws one, as scikit-learn does.

    Equal integers are equal bits, and those of a technique with that seed.

    Raises:
        ValueError: where it is no seed, no `RandomState` and not None.
    """
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
