"""Softmax regression: scikit-learn's checks, its coefficients at convergence, the technique's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression as Reference
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.estimators.conftest import Split, learnt

from bakeoff.estimators import LogisticRegression, SoftmaxRegression
from bakeoff.estimators.linear import LinearClassifier

CHECKED = [
    SoftmaxRegression(),
    SoftmaxRegression("adam", early_stopping=True),
    SoftmaxRegression("momentum"),
    LogisticRegression(),
    LogisticRegression("nesterov", schedule="cosine"),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(CHECKED)  # type: ignore[untyped-decorator]
def test_contract(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("solver", ["lbfgs", "nesterov"])
@pytest.mark.parametrize("kind", [SoftmaxRegression, LogisticRegression])
def test_same_minimum_as_scikit_learn(
    kind: type[LinearClassifier], solver: str, digits: Split, cancer: Split
) -> None:
    rows, _, labels, _ = digits if kind is SoftmaxRegression else cancer
    l2 = 0.05
    steps: dict[str, Any] = {"schedule": "cosine", "batch_size": len(rows), "max_iter": 1500}
    if solver == "lbfgs":
        steps = {"tol": 1e-6}
    ours = kind(solver, l2=l2, learning_rate_init=0.1, **({"tol": None} | steps))
    ours.fit(rows, labels)
    theirs = Reference(C=1 / (l2 * len(rows)), tol=1e-8, max_iter=10_000).fit(rows, labels)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)
    shift = ours.intercept_ - theirs.intercept_
    if len(shift) > 1:
        shift -= shift.mean()  # only differences of intercepts matter
    np.testing.assert_allclose(shift, 0, atol=1e-3)


def test_as_good_as_scikit_learn(digits: Split, cancer: Split) -> None:
    pairs = [(SoftmaxRegression, digits), (SoftmaxRegression, cancer), (LogisticRegression, cancer)]
    for kind, (rows, held, labels, held_labels) in pairs:
        ours = kind().fit(rows, labels)
        theirs = Reference(max_iter=1000).fit(rows, labels)
        expected = theirs.score(held, held_labels)
        noise = (expected * (1 - expected) / len(held)) ** 0.5
        assert ours.score(held, held_labels) > expected - 2 * noise


def test_one_logit_for_two_classes(cancer: Split) -> None:
    rows, held, labels, _ = cancer
    fitted = LogisticRegression("momentum", max_iter=5, tol=None).fit(rows, labels)
    assert (fitted.coef_.shape, fitted.intercept_.shape) == ((1, 30), (1,))
    decision = fitted.decision_function(held)
    np.testing.assert_allclose(
        decision, held @ fitted.coef_[0] + fitted.intercept_[0], rtol=1e-3, atol=1e-4
    )
    np.testing.assert_array_equal(fitted.predict(held), (decision > 0).astype(int))
    np.testing.assert_allclose(
        fitted.predict_proba(held)[:, 1], 1 / (1 + np.exp(-decision)), rtol=1e-5
    )


def test_three_classes_are_not_two() -> None:
    with pytest.raises(ValueError, match=r"Only binary.*3 classes received \(SoftmaxRegression"):
        LogisticRegression().fit(np.eye(3), [0, 1, 2])


@pytest.mark.parametrize(
    ("name", "kind"), [("softmax", SoftmaxRegression), ("logistic", LogisticRegression)]
)
def test_the_technique_learns_the_same(
    name: str, kind: type[LinearClassifier], tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"batch_size": 16, "l2": 0.01, "schedule": "cosine"}
    training = settings | {"epochs": 5, "learning_rate": 0.05, "restore_best": False}
    weights, rows, labels = learnt(name, tmp_path, seed=3, training=training)
    ours = kind(
        "momentum", max_iter=5, learning_rate_init=0.05, tol=None, random_state=3, **settings
    ).fit(rows, labels)
    # The technique normalises within its product, so the last bits differ.
    np.testing.assert_allclose(ours.coef_, weights["network.output.weight"], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        ours.intercept_, weights["network.output.bias"], rtol=1e-3, atol=1e-5
    )
