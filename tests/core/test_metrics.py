"""The metrics against scikit-learn, edge cases too, and the jackknife against its definition."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle

from bakeoff.core import metrics
from bakeoff.core.errors import InputError

Ints = NDArray[np.int64]
SCORES = ("accuracy", "balanced_accuracy", "f1_macro", "matthews_corrcoef")
ORACLES: dict[str, Callable[[Ints, Ints], float]] = {
    "accuracy": oracle.accuracy_score,
    "balanced_accuracy": oracle.balanced_accuracy_score,
    "f1_macro": lambda y, p: oracle.f1_score(y, p, average="macro", zero_division=0),
    "matthews_corrcoef": oracle.matthews_corrcoef,
}


def expected(metric: str, labels: Ints, predictions: Ints) -> float:
    with warnings.catch_warnings():  # about classes that are never predicted or have no example
        warnings.simplefilter("ignore")
        return float(ORACLES[metric](labels, predictions))


@st.composite
def answers(draw: st.DrawFn, least: int = 1) -> tuple[Ints, Ints]:
    """Labels and predictions of up to 5 classes, some of them often absent."""
    classes = st.sampled_from(draw(st.lists(st.integers(0, 4), min_size=1, max_size=5)))
    size = draw(st.integers(least, 30))
    pairs = draw(st.lists(st.tuples(classes, classes), min_size=size, max_size=size))
    labels, predictions = np.array(pairs, dtype=np.int64).T
    return labels.copy(), predictions.copy()


@pytest.mark.parametrize("metric", SCORES)
@settings(max_examples=60, deadline=None)
@given(both=answers())
def test_scores_agree_with_scikit_learn(metric: str, both: tuple[Ints, Ints]) -> None:
    assert metrics.score(metric, *both) == pytest.approx(expected(metric, *both), abs=1e-12)


@pytest.mark.parametrize("metric", SCORES)
@pytest.mark.parametrize(
    ("labels", "predictions"),
    [
        ([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 1, 1]),  # class 2 is never predicted
        ([0, 0, 1, 1], [0, 2, 2, 1]),  # class 2 is predicted and has no example
        ([1, 1, 1], [1, 1, 1]),  # one class only
        ([1, 1, 1], [0, 0, 0]),
        ([0, 1, 0, 1], [1, 1, 1, 1]),  # one prediction only
        ([3], [3]),  # one example
    ],
)
def test_edge_cases_agree_with_scikit_learn(
    metric: str, labels: list[int], predictions: list[int]
) -> None:
    y, p = np.array(labels), np.array(predictions)
    assert metrics.score(metric, y, p) == pytest.approx(expected(metric, y, p), abs=1e-12)


def test_confusion_table_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 4, (2, 100))
    table = metrics.confusion_table(labels, predictions, 6)
    assert table.dtype == np.int64
    np.testing.assert_array_equal(
        table, oracle.confusion_matrix(labels, predictions, labels=range(6))
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_agrees_with_scikit_learn(dtype: type[np.floating[Any]]) -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.full(3, 0.2), 200)
    probabilities[:3] = np.eye(3)  # certain, and wrong at times
    labels = rng.integers(0, 3, 200)
    given_to_label = probabilities[np.arange(200), labels].astype(dtype)
    ours = metrics.log_loss(given_to_label)
    theirs = oracle.log_loss(labels, probabilities.astype(dtype), labels=[0, 1, 2])
    assert ours == pytest.approx(float(theirs), rel=1e-12 if dtype is np.float64 else 1e-5)


def test_log_loss_allows_one_class_only() -> None:
    assert metrics.log_loss(np.array([0.5, 0.5])) == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="one label"):
        oracle.log_loss([1, 1], [[0.5, 0.5], [0.5, 0.5]])


def test_classification_gives_every_metric() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 3, (2, 50))
    probabilities = rng.random(50)
    found = metrics.classification(labels, predictions, probabilities, 5)
    assert found.keys() == metrics.DIRECTIONS.keys()
    for name, value in found.items():
        assert value == metrics.score(name, labels, predictions, probabilities)
        assert type(value) is float


@pytest.mark.parametrize("metric", SCORES)
@settings(max_examples=40, deadline=None)
@given(both=answers(least=2))
def test_jackknife_leaves_each_example_out(metric: str, both: tuple[Ints, Ints]) -> None:
    labels, predictions = both
    m, whole = len(labels), expected(metric, labels, predictions)
    others = [np.delete(np.arange(m), i) for i in range(m)]
    wanted = [m * whole - (m - 1) * expected(metric, labels[o], predictions[o]) for o in others]
    found = metrics.jackknife_values(metric, labels, predictions)
    np.testing.assert_allclose(found, wanted, atol=1e-10)


def test_jackknife_of_accuracy_is_right_or_wrong() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 3, (2, 1000))
    right = (labels == predictions).astype(float)
    found = metrics.jackknife_values("accuracy", labels, predictions)
    np.testing.assert_allclose(found, right, atol=1e-9)
    np.testing.assert_array_equal(metrics.example_values("accuracy", labels, predictions), right)


def test_jackknife_of_many_classes_goes_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 40, (2, 500))
    at_once = metrics.jackknife_values("f1_macro", labels, predictions)
    monkeypatch.setattr(metrics, "_JACKKNIFE_BLOCK", 40 * 7)
    np.testing.assert_array_equal(
        metrics.jackknife_values("f1_macro", labels, predictions), at_once
    )


def test_example_values_are_larger_where_better() -> None:
    labels, predictions = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0])
    probabilities = np.array([0.9, 0.8, 0.3, 0.6])
    losses = metrics.example_values("log_loss", labels, predictions, probabilities)
    np.testing.assert_allclose(losses, np.log(probabilities))
    assert losses.mean() == pytest.approx(-metrics.log_loss(probabilities))
    f1 = metrics.example_values("f1_macro", labels, predictions)
    assert f1.argmin() == 2


@pytest.mark.parametrize(
    ("labels", "predictions", "told"),
    [
        ([], [], "not empty"),
        ([0, 1], [0], "one length"),
        ([[0], [1]], [[0], [1]], "1-D"),
        ([0.0, 1.0], [0, 1], "labels must be integers"),
        ([0, 1], [0, -1], "predictions must lie in"),
    ],
)
def test_what_does_not_fit_is_refused(labels: Any, predictions: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        metrics.score("accuracy", np.array(labels), np.array(predictions))


def test_labels_beyond_the_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r"labels must lie in 0\.\.1, received 0\.\.2"):
        metrics.confusion_table(np.array([0, 2]), np.array([0, 1]), 2)


@pytest.mark.parametrize("values", [[0.5, np.nan], [-0.1, 0.5], [1.5, 0.5], [[0.5]], []])
def test_probabilities_that_are_none_are_refused(values: Any) -> None:
    with pytest.raises(InputError, match="label probabilities"):
        metrics.log_loss(np.array(values))


def test_unknown_metrics_are_refused_with_the_nearest() -> None:
    zeros = np.zeros(2, np.int64)
    with pytest.raises(InputError, match="did you mean 'accuracy'"):
        metrics.score("acuracy", zeros, zeros)
    with pytest.raises(InputError, match="unknown score of a confusion table 'log_loss'"):
        metrics.jackknife_values("log_loss", zeros, zeros)
    with pytest.raises(InputError, match="needs the probabilities"):
        metrics.score("log_loss", zeros, zeros)
    with pytest.raises(InputError, match="at least 2 examples"):
        metrics.jackknife_values("f1_macro", zeros[:1], zeros[:1])
