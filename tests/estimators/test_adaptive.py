"""The adaptive filters: scikit-learn's checks, least squares, going on, divergence."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.techniques.conftest import MemoryRun

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DataSettings
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue, splits
from bakeoff.estimators import LMSRegressor
from bakeoff.techniques.lms import Lms
from bakeoff.techniques.recipes import parse_recipe

Data = tuple[NDArray[np.float64], NDArray[np.float64]]
CHECKED = [LMSRegressor(), LMSRegressor("nlms"), LMSRegressor("rls", max_iter=2, tol=None)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(CHECKED)  # type: ignore[untyped-decorator]
def test_contract(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def plane() -> Data:
    """3,000 rows of two correlated numbers; weights (2, -1), intercept 0.5, some noise."""
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((3000, 2)) @ np.array([[1.0, 0.4], [0.0, 0.8]])
    return rows, rows @ [2.0, -1.0] + 0.5 + 0.1 * generator.standard_normal(3000)


@pytest.mark.parametrize("rule", ["lms", "nlms"])
def test_weights_settle_at_least_squares(rule: str, plane: Data) -> None:
    solved = LinearRegression().fit(*plane)
    found = LMSRegressor(rule, learning_rate_init=1e-3, random_state=0).fit(*plane)
    np.testing.assert_allclose(found.coef_, solved.coef_, atol=0.01)
    assert found.intercept_ == pytest.approx(solved.intercept_, abs=0.01)
    assert found.loss_curve_[-1] == pytest.approx(0.01, rel=0.1)
    assert found.n_iter_ == len(found.loss_curve_) < found.max_iter


def test_one_pass_of_rls_is_least_squares(plane: Data) -> None:
    solved = LinearRegression().fit(*plane)
    found = LMSRegressor("rls").partial_fit(*plane)
    np.testing.assert_allclose(found.coef_, solved.coef_, atol=1e-4)
    assert found.intercept_ == pytest.approx(solved.intercept_, abs=1e-4)
    assert found.learning_rate_ is None


def test_without_intercept_there_is_none(plane: Data) -> None:
    rows, targets = plane
    solved = LinearRegression(fit_intercept=False).fit(rows, targets - 0.5)
    found = LMSRegressor("rls", fit_intercept=False).partial_fit(rows, targets - 0.5)
    np.testing.assert_allclose(found.coef_, solved.coef_, atol=1e-4)
    assert found.intercept_ == 0
    np.testing.assert_allclose(found.predict(rows), rows @ found.coef_, atol=1e-12)


def test_as_good_as_least_squares() -> None:
    rows, targets = load_diabetes(return_X_y=True)
    solved = cross_val_score(make_pipeline(StandardScaler(), LinearRegression()), rows, targets)
    line = make_pipeline(StandardScaler(), LMSRegressor(random_state=0))
    found = cross_val_score(line, rows, targets)
    assert found.mean() > solved.mean() - solved.std() / 2


@pytest.mark.parametrize("rule", ["lms", "nlms", "rls"])
def test_parts_in_order_are_the_whole_bit_for_bit(rule: str, plane: Data) -> None:
    rows, targets = plane
    given: dict[str, Any] = {"learning_rate_init": 0.01, "max_iter": 2, "tol": None}
    whole = LMSRegressor(rule, shuffle=False, **given).fit(rows, targets)
    parts = LMSRegressor(rule, **given)
    for _ in range(2):
        for start in range(0, len(rows), 700):
            parts.partial_fit(rows[start : start + 700], targets[start : start + 700])
    np.testing.assert_array_equal(parts.coef_, whole.coef_)
    assert parts.intercept_ == whole.intercept_
    assert parts.n_iter_ == 10


def test_equal_seeds_equal_bits_and_copies_go_on_alike(plane: Data) -> None:
    def brief(seed: int) -> LMSRegressor:
        return LMSRegressor(max_iter=2, tol=None, random_state=seed).fit(*plane)

    one, two, other = brief(0), brief(0), brief(1)
    assert one.coef_.tobytes() == two.coef_.tobytes() != other.coef_.tobytes()
    for twin in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        origin = copy.deepcopy(one)
        twin.partial_fit(*plane)
        origin.partial_fit(*plane)
        assert twin.coef_.tobytes() == origin.coef_.tobytes() != one.coef_.tobytes()


def test_grids(plane: Data) -> None:
    grid = {"learning_rate_init": np.array([1e-5, 1e-2]), "max_iter": np.array([3])}
    search = GridSearchCV(LMSRegressor(tol=None, random_state=0), grid, cv=3, n_jobs=1)
    assert search.fit(*plane).best_params_["learning_rate_init"] == 1e-2


def test_overflow_in_the_first_epoch_is_an_error_with_the_bound(plane: Data) -> None:
    wild = clone(LMSRegressor(learning_rate_init=5.0))
    told = r"overflowed in its first epoch: rate 5 is above 2 / largest eigenvalue = 1\.\d+.*lower"
    with pytest.raises(InputError, match=told):
        wild.fit(*plane)
    with pytest.raises(NotFittedError):
        wild.predict(plane[0])


def test_later_overflow_keeps_the_weights_before_it(plane: Data) -> None:
    rows, targets = plane[0][:20], plane[1][:20]
    wild = LMSRegressor(learning_rate_init=2.0, tol=None, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch \d+; the weights before it"):
        wild.fit(rows, targets)
    assert np.isfinite(wild.coef_).all()
    assert len(wild.loss_curve_) == wild.n_iter_ - 1


def test_overflow_while_going_on_leaves_all_as_it_was(plane: Data) -> None:
    calm = LMSRegressor(random_state=0, max_iter=2, tol=None).fit(*plane)
    before = calm.coef_.copy()
    with pytest.raises(InputError, match="overflowed"):
        calm.partial_fit(plane[0] * 1e6, plane[1])
    np.testing.assert_array_equal(calm.coef_, before)
    calm.partial_fit(*plane)
    np.testing.assert_allclose(calm.coef_, before, atol=0.1)


def test_another_kind_of_filter_cannot_go_on(plane: Data) -> None:
    begun = LMSRegressor().partial_fit(*plane)
    with pytest.raises(InputError, match=r"\('lms', True\) at the first call, \('rls', True\)"):
        begun.set_params(rule="rls").partial_fit(*plane)
    begun.set_params(max_iter=1, tol=None).fit(*plane)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("rule", "lsm", "rule: input should be .lms., .nlms. or .rls."),
        ("learning_rate_init", 0.0, "learning_rate_init: "),
        ("learning_rate_init", "fast", "learning_rate_init: "),
        ("forgetting", 1.5, "forgetting: .*less than or equal to 1"),
        ("max_iter", 0, "max_iter: .*received 0"),
    ],
)
def test_bad_parameters_are_named(name: str, value: object, told: str, plane: Data) -> None:
    with pytest.raises(InputError, match=told):
        LMSRegressor().set_params(**{name: value}).fit(*plane)


def test_too_few_epochs_are_told(plane: Data) -> None:
    with pytest.warns(ConvergenceWarning, match=r"max_iter=1 was not enough for tol=0\.0001"):
        LMSRegressor(max_iter=1).fit(*plane)


def test_zero_inputs_learn_nothing() -> None:
    flat = LMSRegressor(fit_intercept=False, max_iter=3, tol=None)
    flat.fit(np.zeros((5, 2)), np.arange(5.0))
    assert flat.coef_.tolist() == [0, 0]
    assert flat.learning_rate_bound_ == np.inf


def test_lines_are_written_to_stderr(plane: Data, capsys: pytest.CaptureFixture[str]) -> None:
    LMSRegressor(max_iter=2, tol=None, verbose=True).fit(*plane)
    assert [line[:14] for line in capsys.readouterr().err.splitlines()] == [
        "epoch 1: loss ",
        "epoch 2: loss ",
    ]


def test_the_technique_learns_the_same_bits() -> None:
    dataset = catalogue.load("two-inputs")
    data = splits.draw(dataset, DataSettings(set="two-inputs"), Streams(3)).training_data()
    training = {"epochs": 4, "sampling": "shuffle", "learning_rate": 0.02}
    recipe = parse_recipe(
        {
            "technique": "lms",
            "data": {"set": "two-inputs"},
            "model": {"weights": "zero"},
            "training": training,
        }
    )
    cell = Cell(recipe, Replicate(seed=3), "data", "split", 1, {})
    learnt = Lms().fit(cell, data, {}, MemoryRun(3))
    ours = LMSRegressor(learning_rate_init=0.02, max_iter=4, tol=None, random_state=3)
    ours.fit(np.asarray(data.train.items), data.train.labels)
    np.testing.assert_array_equal(ours.coef_, learnt.weights)
    assert ours.intercept_ == learnt.bias
