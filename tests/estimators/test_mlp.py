"""The perceptron: scikit-learn's checks, its accuracy, and the bits of the technique."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.neural_network import MLPClassifier as Reference
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.estimators.conftest import Split, learnt

from bakeoff.estimators import MLPClassifier

CHECKED = [
    MLPClassifier(),
    MLPClassifier((9, 8), activation="tanh", solver="momentum", learning_rate_init=0.05),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(CHECKED)  # type: ignore[untyped-decorator]
def test_contract(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


def test_as_good_as_scikit_learn(digits: Split, cancer: Split) -> None:
    for rows, held, labels, held_labels in (digits, cancer):
        brief: dict[str, Any] = {"max_iter": 40, "learning_rate_init": 2e-3, "batch_size": 128}
        ours = MLPClassifier(tol=None, random_state=0, **brief).fit(rows, labels)
        theirs = Reference(tol=0, n_iter_no_change=99, random_state=0, **brief)
        with pytest.warns(Warning, match="Maximum iterations"):
            theirs.fit(rows, labels)
        expected = theirs.score(held, held_labels)
        noise = (expected * (1 - expected) / len(held)) ** 0.5
        assert ours.score(held, held_labels) > expected - 2 * noise


@pytest.mark.parametrize(
    ("solver", "activation"),
    [
        ("sgd", "relu"),
        ("momentum", "leaky-relu"),
        ("nesterov", "sigmoid"),
        ("rmsprop", "tanh"),
        ("adam", "swish"),
        ("adamw", "relu"),
    ],
)
def test_the_technique_learns_the_same_bits(solver: str, activation: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"batch_size": 16, "l2": 0.01, "schedule": "cosine"}
    training = settings | {"epochs": 5, "learning_rate": 0.01, "optimizer": solver}
    training["restore_best"] = False
    model = {"hidden": [8, 6], "activation": activation}
    weights, rows, labels = learnt("mlp", tmp_path, seed=3, model=model, training=training)
    ours = MLPClassifier(
        (8, 6),
        activation=activation,
        solver=solver,
        max_iter=5,
        learning_rate_init=0.01,
        tol=None,
        random_state=3,
        **settings,
    ).fit(rows, labels)
    for layer, path in enumerate(("hidden-1", "hidden-2", "output")):
        np.testing.assert_array_equal(ours.coefs_[layer].T, weights[f"network.{path}.weight"])
        np.testing.assert_array_equal(ours.intercepts_[layer], weights[f"network.{path}.bias"])


def test_hidden_layers_solve_what_no_line_does() -> None:
    rows = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    labels = rows[:, 0] * rows[:, 1] > 0
    fitted = MLPClassifier((16, 16), learning_rate_init=0.01, tol=None, random_state=0)
    assert fitted.fit(rows[:300], labels[:300]).score(rows[300:], labels[300:]) > 0.9
    assert [w.shape for w in fitted.coefs_] == [(2, 16), (16, 16), (16, 2)]
    assert [b.shape for b in fitted.intercepts_] == [(16,), (16,), (2,)]
