"""Formulas against closed forms; against the scratch network's in `techniques.frameworks`."""

from typing import Any

import numpy as np
import pytest

from bakeoff.core.optimisers import OPTIMISERS, names_in
from bakeoff.training.keras.library import tf
from bakeoff.training.keras.optimisers import Optimiser
from bakeoff.training.settings import TrainingSettings


def optimiser(variable: Any, **settings: Any) -> Optimiser:
    chosen = TrainingSettings.parse({"epochs": 1, **settings})
    return Optimiser(chosen, {"w": variable}, {"w": 1})


def update(made: Optimiser, gradient: list[Any], rate: float = 0.1) -> None:
    numbers = (tf.constant(number, tf.float32) for number in made.numbers(rate))
    made.apply([tf.constant(gradient, tf.float32)], *numbers)


def test_momentum_keeps_its_velocity_when_the_rate_changes() -> None:
    variable = tf.Variable([1.0])
    made = optimiser(variable, optimizer="momentum", momentum=0.5)
    update(made, [2.0], rate=0.1)
    np.testing.assert_allclose(variable, [0.8])
    update(made, [2.0], rate=0.01)
    np.testing.assert_allclose(variable, [0.8 - 0.01 * 3])


def test_nesterov_looks_ahead() -> None:
    variable = tf.Variable([1.0])
    update(optimiser(variable, optimizer="nesterov", momentum=0.5), [2.0])
    np.testing.assert_allclose(variable, [1 - 0.1 * (2 + 0.5 * 2)])


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adams_first_step_is_the_rate(name: str) -> None:
    for gradient in (3.0, -1e-3):
        variable = tf.Variable([1.0])
        update(optimiser(variable, optimizer=name), [gradient], rate=0.1)
        np.testing.assert_allclose(variable, [1 - 0.1 * np.sign(gradient)], rtol=1e-4)


def test_penalties() -> None:
    variable = tf.Variable([[2.0, -4.0]])
    update(optimiser(variable, optimizer="sgd", l2=0.5, l1=0.25), [[0.0, 0.0]])
    np.testing.assert_allclose(variable, [[2 - 0.1 * 1.25, -4 + 0.1 * 2.25]], rtol=1e-6)
    variable = tf.Variable([[2.0, -4.0]])
    update(optimiser(variable, optimizer="adamw", l2=0.5), [[0.0, 0.0]])
    np.testing.assert_allclose(variable, [[2 * 0.95, -4 * 0.95]], rtol=1e-6)


def test_clipping_and_the_bound_on_norms() -> None:
    variable = tf.Variable([[0.0, 0.0]])
    update(optimiser(variable, optimizer="sgd", clip=1.0), [[3.0, 4.0]], rate=1.0)
    np.testing.assert_allclose(variable, [[-0.6, -0.8]], rtol=1e-5)
    variable = tf.Variable([[3.0, 0.1], [4.0, 0.2]])  # units are columns
    update(optimiser(variable, optimizer="sgd", max_norm=1.0), [[0.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(variable, [[0.6, 0.1], [0.8, 0.2]], rtol=1e-5)


def test_what_is_remembered() -> None:
    for name in names_in("keras"):
        moments = OPTIMISERS[name].moments
        made = optimiser(tf.Variable([1.0, 2.0]), optimizer=name)
        assert made.variables().keys() == {"updates", *(f"w.{key}" for key in moments)}
        update(made, [1.0, 1.0])
        assert made.variables()["updates"].numpy().tolist() == [1]
