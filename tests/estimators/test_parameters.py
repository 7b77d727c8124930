"""Parameters: refused with their names, whatever type of number a grid brings."""

from typing import Any

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.estimators.parameters import MLPParameters, Parameters, plain, seed_of

GIVEN: dict[str, Any] = {
    "solver": "adam",
    "l2": 0.1,
    "learning_rate_init": 0.01,
    "momentum": 0.9,
    "schedule": "constant",
    "batch_size": 32,
    "max_iter": 7,
    "tol": 1e-3,
    "n_iter_no_change": 4,
    "early_stopping": False,
    "validation_fraction": 0.2,
    "verbose": False,
}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("solver", "adm", "solver: .*did you mean 'adam'"),
        ("l2", -1.0, "l2: .*greater than or equal to 0.*-1"),
        ("learning_rate_init", 0.0, "learning_rate_init: .*greater than 0"),
        ("learning_rate_init", float("nan"), "learning_rate_init: .*finite"),
        ("momentum", 1.0, "momentum: .*less than 1"),
        ("schedule", "cosin", "schedule: .*did you mean 'cosine'"),
        ("batch_size", 0, "batch_size: .*greater than or equal to 1"),
        ("max_iter", 2.5, "max_iter: .*integer"),
        ("tol", -1e-3, "tol: "),
        ("validation_fraction", 1.0, "validation_fraction: .*less than 1"),
    ],
)
def test_what_is_not_allowed_is_named(name: str, value: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Parameters.parse(GIVEN | {name: value})


@pytest.mark.parametrize(
    ("given", "units"),
    [(5, (5,)), ([5, 3], (5, 3)), ((5,), (5,)), (np.int64(5), (5,)), (np.array([5, 3]), (5, 3))],
)
def test_units_are_a_number_or_several(given: object, units: tuple[int, ...]) -> None:
    parsed = MLPParameters.parse(GIVEN | {"hidden_layer_sizes": given, "activation": "relu"})
    assert parsed.hidden_layer_sizes == units


@pytest.mark.parametrize("given", [(), 0, (5, 0), (2.5,), "5"])
def test_units_that_are_none_are_refused(given: object) -> None:
    with pytest.raises(InputError, match="hidden_layer_sizes"):
        MLPParameters.parse(GIVEN | {"hidden_layer_sizes": given, "activation": "relu"})


def test_numbers_of_numpy_are_numbers() -> None:
    given = plain({"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": "x"}.items())
    assert given == {"a": 3, "b": 0.5, "c": True, "d": "x"}
    assert [type(value) for value in given.values()] == [int, float, bool, str]


def test_training_settings_follow() -> None:
    training = Parameters.parse(GIVEN).training()
    assert (training.epochs, training.batch_size, training.optimizer) == (7, 32, "adam")
    assert (training.learning_rate, training.l2, training.restore_best) == (0.01, 0.1, False)
    assert training.stopping is not None
    assert (training.stopping.rule, training.stopping.on) == ("patience", "loss")
    assert (training.stopping.window, training.stopping.tolerance) == (4, 1e-3)


def test_stopping_follows_validation_only_where_there_is_some() -> None:
    early = Parameters.parse(GIVEN | {"early_stopping": True, "tol": None}).training()
    assert early.stopping is not None
    assert (early.stopping.on, early.stopping.tolerance, early.restore_best) == ("score", 0.0, True)
    assert Parameters.parse(GIVEN | {"tol": None}).training().stopping is None


def test_an_integer_is_the_seed_itself() -> None:
    assert [seed_of(3), seed_of(np.int64(3))] == [3, 3]
    drawn = [seed_of(np.random.RandomState(state)) for state in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert seed_of(None) >= 0
    with pytest.raises(ValueError, match="cannot be used to seed"):
        seed_of("one")
