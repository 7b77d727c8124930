"""What the classifiers share: copies, grids, seeds, going on, stopping, bad input, divergence."""

import copy
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bakeoff.estimators import MLPClassifier, SoftmaxRegression
from bakeoff.estimators.base import Lines, NetworkClassifier

Blobs = tuple[NDArray[np.float64], NDArray[np.str_]]
BRIEF: dict[str, Any] = {"max_iter": 8, "tol": None, "random_state": 0}
linear = partial(SoftmaxRegression, solver="momentum")
"""By batches, as the perceptron."""
BOTH = [
    pytest.param(linear(**BRIEF), id="softmax"),
    pytest.param(MLPClassifier(7, learning_rate_init=0.01, **BRIEF), id="mlp"),
]


def weights(estimator: NetworkClassifier) -> dict[str, bytes]:
    return {path: values.tobytes() for path, values in estimator._weights.items()}


@pytest.mark.parametrize("estimator", BOTH)
def test_equal_seeds_equal_bits(estimator: NetworkClassifier, blobs: Blobs) -> None:
    one, two = clone(estimator).fit(*blobs), clone(estimator).fit(*blobs)
    other = clone(estimator).set_params(random_state=1).fit(*blobs)
    assert weights(one) == weights(two) != weights(other)
    states = [np.random.RandomState(3), np.random.RandomState(3), np.random.RandomState(4)]
    drawn = [weights(clone(estimator).set_params(random_state=s).fit(*blobs)) for s in states]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("estimator", BOTH)
def test_copies_predict_and_go_on_alike(estimator: NetworkClassifier, blobs: Blobs) -> None:
    first = clone(estimator).fit(*blobs)
    for twin in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        origin = copy.deepcopy(first)
        np.testing.assert_array_equal(twin.predict_proba(blobs[0]), first.predict_proba(blobs[0]))
        for _ in range(2):
            twin.partial_fit(*blobs)
            origin.partial_fit(*blobs)
        assert weights(twin) == weights(origin) != weights(first)


@pytest.mark.parametrize("estimator", BOTH)
def test_pipelines_and_grids(estimator: NetworkClassifier, blobs: Blobs) -> None:
    rows, labels = blobs[0] * [1, 10, 100, 1000] + 5, blobs[1]
    line = make_pipeline(StandardScaler(), clone(estimator).set_params(max_iter=30))
    assert cross_val_score(line, rows, labels, cv=3).mean() > 0.85
    step = line.steps[-1][0]
    grid = {f"{step}__l2": np.array([1e-4, 5.0]), f"{step}__batch_size": np.arange(16, 33, 16)}
    search = GridSearchCV(line, grid, cv=3, n_jobs=1).fit(rows, labels)
    assert search.best_params_[f"{step}__l2"] == 1e-4
    assert search.score(rows, labels) > 0.85


@pytest.mark.parametrize("estimator", BOTH)
def test_what_is_said_of_a_row_fits_together(estimator: NetworkClassifier, blobs: Blobs) -> None:
    rows, labels = blobs
    fitted = clone(estimator).fit(rows, labels)
    decision, odds = fitted.decision_function(rows), fitted.predict_proba(rows)
    assert fitted.classes_.tolist() == ["ant", "bee", "cat"]
    np.testing.assert_array_equal(fitted.classes_[decision.argmax(axis=1)], fitted.predict(rows))
    np.testing.assert_allclose(odds.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.log(odds), fitted.predict_log_proba(rows), atol=1e-5)
    whole = fitted.decision_function(rows)
    parts = [fitted.decision_function(rows[i : i + 7]) for i in range(0, len(rows), 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)

    two = labels != "cat"
    fitted = clone(estimator).fit(rows[two], labels[two])
    decision, odds = fitted.decision_function(rows), fitted.predict_proba(rows).astype(np.float64)
    assert decision.shape == (len(rows),)
    np.testing.assert_allclose(np.log(odds[:, 1] / odds[:, 0]), decision, rtol=1e-3, atol=1e-4)


def test_tiny_probabilities_have_logarithms(blobs: Blobs) -> None:
    fitted = linear(**BRIEF).fit(*blobs)
    logs = fitted.predict_log_proba(blobs[0] * 1000)
    assert np.isfinite(logs).all()
    assert logs.min() < -200


def test_early_stopping_keeps_the_best_on_rows_held_out(blobs: Blobs) -> None:
    early = MLPClassifier(7, early_stopping=True, n_iter_no_change=3, random_state=0)
    early.fit(*blobs)
    scores = early.validation_scores_
    assert len(scores) == len(early.loss_curve_) == early.n_iter_ < early.max_iter
    assert early.best_validation_score_ == max(scores)
    until = scores.index(max(scores)) + 1
    short = clone(early).set_params(max_iter=until, tol=None).fit(*blobs)
    assert weights(short) == weights(early), "the weights of the best epoch"


def test_stops_when_the_loss_does(blobs: Blobs) -> None:
    fitted = linear(l2=0.1, n_iter_no_change=4, tol=1e-3, random_state=0).fit(*blobs)
    curve = fitted.loss_curve_
    assert 5 <= fitted.n_iter_ < fitted.max_iter
    assert len(curve) == fitted.n_iter_
    assert min(curve[-4:]) >= min(curve[:-4]) - 1e-3


def test_too_few_epochs_are_told(blobs: Blobs) -> None:
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3 was not enough for tol=0\.0001"):
        linear(max_iter=3).fit(*blobs)
    linear(max_iter=3, schedule="cosine").fit(*blobs)
    linear(max_iter=3, tol=None).fit(*blobs)


@pytest.mark.parametrize("estimator", BOTH)
def test_going_on_learns(estimator: NetworkClassifier, blobs: Blobs) -> None:
    rows, labels = blobs
    slowly = clone(estimator)
    for number in range(40):
        part = slice(0, 45) if number % 2 else slice(45, 90)
        slowly.partial_fit(rows[part], labels[part], classes=["cat", "ant", "bee"])
    assert slowly.score(rows, labels) > 0.85
    assert (slowly.n_iter_, len(slowly.loss_curve_)) == (40, 40)
    assert slowly.loss_curve_[-1] < 0.7 * slowly.loss_curve_[0]


@pytest.mark.parametrize("estimator", BOTH)
def test_one_call_is_one_epoch_of_fit_in_another_order(
    estimator: NetworkClassifier, blobs: Blobs
) -> None:
    whole = {"batch_size": 90, "max_iter": 3}
    once = clone(estimator).set_params(**whole).fit(*blobs)
    thrice = clone(estimator).set_params(**whole)
    for _ in range(3):
        thrice.partial_fit(*blobs, classes=["ant", "bee", "cat"])
    for path, values in once._weights.items():
        np.testing.assert_allclose(thrice._weights[path], values, rtol=1e-3, atol=1e-5)


def test_another_solver_goes_on_from_the_weights(blobs: Blobs) -> None:
    fitted = linear(**BRIEF).fit(*blobs)
    before = fitted.coef_.copy()
    fitted.set_params(solver="adam", learning_rate_init=1e-6).partial_fit(*blobs)
    np.testing.assert_allclose(fitted.coef_, before, atol=1e-4)


def test_partial_fit_knows_its_classes(blobs: Blobs) -> None:
    rows, labels = blobs
    with pytest.raises(ValueError, match="classes must be given at the first call"):
        linear().partial_fit(rows, labels)
    with pytest.raises(ValueError, match=r"labels \['cat'\] that are not among \['ant', 'bee'\]"):
        linear().partial_fit(rows, labels, classes=["ant", "bee"])
    begun = linear().partial_fit(rows, labels, classes=["ant", "bee", "cat"])
    with pytest.raises(ValueError, match=r"\['ant', 'dog'\] received, but the first call had"):
        begun.partial_fit(rows, labels, classes=["dog", "ant"])


@pytest.mark.parametrize("estimator", BOTH)
@pytest.mark.parametrize(
    ("rows", "labels", "told"),
    [
        (np.zeros((4, 2)), [1, 1, 1, 1], r"at least two classes.*one class: \[1\]"),
        (np.array([[1.0, np.nan], [0, 1]]), [0, 1], "contains NaN"),
        (np.array([[1.0, np.inf], [0, 1]]), [0, 1], "infinity"),
        (np.array([[1.0, 1e300], [0, 1]]), [0, 1], "too large for dtype"),
        (np.zeros((4, 2)), [0, 1, 1], "inconsistent numbers of samples"),
        (np.zeros((0, 2)), [], "0 sample"),
        (np.zeros(4), [0, 1, 0, 1], "Expected 2D array"),
        (np.zeros((3, 2)), [0.5, 1.5, 2.5], "Unknown label type"),
    ],
)
def test_bad_data(
    estimator: NetworkClassifier, rows: NDArray[np.float64], labels: list[Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        clone(estimator).fit(rows, labels)


@pytest.mark.parametrize("estimator", BOTH)
def test_bad_use(estimator: NetworkClassifier, blobs: Blobs) -> None:
    rows, labels = blobs
    with pytest.raises(NotFittedError):
        clone(estimator).predict(rows)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        clone(estimator).fit(csr_matrix(rows), labels)
    with pytest.raises(ValueError, match="expecting 4 features"):
        clone(estimator).fit(rows, labels).predict(rows[:, :3])
    with pytest.raises(ValueError, match=r"batch_size.*received 0"):
        clone(estimator).set_params(batch_size=0).fit(rows, labels)
    lonely = np.array(["ant", "bee", "cat"])
    with pytest.raises(ValueError, match="early_stopping needs a class with at least two"):
        clone(estimator).set_params(early_stopping=True).fit(rows[:3], lonely)


@pytest.mark.parametrize("estimator", BOTH)
def test_divergence_in_the_first_epoch_is_an_error(
    estimator: NetworkClassifier, blobs: Blobs
) -> None:
    wild = clone(estimator).fit(*blobs).set_params(solver="sgd", learning_rate_init=1e30)
    with pytest.raises(ValueError, match=r"diverged within \d+ updates: learning_rate_init 1e\+30"):
        wild.set_params(batch_size=8).fit(*blobs)
    with pytest.raises(NotFittedError):
        wild.predict(blobs[0])


@pytest.mark.parametrize("estimator", BOTH)
def test_later_divergence_keeps_the_last_weights_that_are_numbers(
    estimator: NetworkClassifier, blobs: Blobs
) -> None:
    wild = clone(estimator).set_params(
        solver="sgd", learning_rate_init=5.0, l2=10.0, batch_size=90, max_iter=500, tol=None
    )
    with pytest.warns(ConvergenceWarning, match=r"diverged at update \d+; the weights of epoch"):
        wild.fit(*blobs)
    assert np.isfinite(wild._weights["output.weight"]).all()
    assert wild.predict(blobs[0]).shape == (90,)


@pytest.mark.parametrize("estimator", [SoftmaxRegression(), MLPClassifier(7, solver="lbfgs")])
def test_all_rows_at_once(estimator: NetworkClassifier, blobs: Blobs) -> None:
    rows, labels = blobs
    fitted = clone(estimator).set_params(l2=1e-2, random_state=0).fit(rows, labels)
    assert fitted.score(rows, labels) > 0.85
    assert fitted.decision_function(rows).dtype == np.float64
    assert len(fitted.loss_curve_) == fitted.n_iter_ < fitted.max_iter
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    assert weights(clone(fitted).fit(rows, labels)) == weights(fitted)
    assert not hasattr(fitted, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        fitted.partial_fit(rows, labels)
    with pytest.warns(ConvergenceWarning, match="max_iter=2 was not enough"):
        clone(fitted).set_params(max_iter=2).fit(rows, labels)


def test_all_rows_at_once_with_some_held_out(blobs: Blobs) -> None:
    early = SoftmaxRegression(early_stopping=True, tol=1e-6, random_state=0).fit(*blobs)
    scores = early.validation_scores_
    best = scores.index(max(scores)) + 1
    short = clone(early).set_params(max_iter=best, tol=None).fit(*blobs)
    assert weights(short) == weights(early), "the weights of the best iteration"


def test_inputs_whose_loss_overflows_are_refused() -> None:
    rows = 1.7e308 * np.random.default_rng(0).choice([-1.0, 1.0], (4, 50))
    with pytest.raises(ValueError, match="not finite at the start"):
        MLPClassifier(3, solver="lbfgs", random_state=0).fit(rows, [0, 1, 0, 1])


def test_lines_are_written_to_stderr(blobs: Blobs, capsys: pytest.CaptureFixture[str]) -> None:
    linear(max_iter=2, tol=None, verbose=True).fit(*blobs)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(":")[0] for line in err.splitlines()] == ["epoch 1", "epoch 2"]
    SoftmaxRegression(max_iter=2, tol=None, verbose=True).fit(*blobs)
    assert len(capsys.readouterr().err.splitlines()) == 2
    Lines().row({"epoch": 3, "train/loss": 0.25, "validation/accuracy": 0.5})
    assert capsys.readouterr().err == "epoch 3: loss 0.25, validation accuracy 0.5000\n"
