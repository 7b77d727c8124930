"""Regression's metrics against scikit-learn's, its values per example, its files."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as oracle

from bakeoff.core.errors import InputError
from bakeoff.core.regression import DIRECTIONS, Regression, example_values, r2

ORACLE = {
    "mean_squared_error": oracle.mean_squared_error,
    "mean_absolute_error": oracle.mean_absolute_error,
    "r2": oracle.r2_score,
}


def drawn(seed: int, count: int = 50) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    targets = generator.normal(3, 10.0 ** generator.integers(-3, 4), count)
    return targets, targets + generator.normal(0, 1, count)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", DIRECTIONS)
def test_metrics_are_scikit_learns(name: str, seed: int) -> None:
    targets, made = drawn(seed)
    found = Regression().score(targets, made)[name]
    assert found == pytest.approx(ORACLE[name](targets, made), rel=1e-12)


@pytest.mark.parametrize("made", [[2.0, 2.0, 2.0], [2.0, 2.0, 3.0]])
def test_r2_of_a_constant_target_is_scikit_learns(made: list[float]) -> None:
    targets = np.full(3, 2.0)
    assert r2(targets, np.array(made)) == oracle.r2_score(targets, made)


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error"])
def test_values_of_a_loss_are_minus_the_losses(name: str) -> None:
    targets, made = drawn(1)
    values = example_values(name, targets, made)
    assert -values.mean() == pytest.approx(ORACLE[name](targets, made), rel=1e-12)
    assert (values <= 0).all()


def test_values_of_r2_are_the_jackknifes() -> None:
    targets, made = drawn(2, count=12)
    whole, rest = r2(targets, made), np.arange(12)
    expected = [
        12 * whole - 11 * oracle.r2_score(targets[rest != i], made[rest != i]) for i in rest
    ]
    np.testing.assert_allclose(example_values("r2", targets, made), expected, rtol=1e-9)


def test_a_loss_beyond_float64_is_infinite_and_silent() -> None:
    scores = Regression().score(np.array([0.0, 1.0, 2.0]), np.array([1e200, 0.0, 0.0]))
    assert scores["mean_squared_error"] == np.inf
    assert scores["r2"] == -np.inf


def test_only_rows_with_a_target_count() -> None:
    task = Regression()
    ids = np.array(["a", "b", "c"])
    table = task.table(ids, np.array([1.0, np.nan, 3.0]), np.array([1.5, 9.0, 3.0]))
    assert task.metrics(table)["mean_squared_error"] == pytest.approx(0.125)
    assert task.answers(table).length == 2
    assert task.metrics(task.table(ids, np.full(3, np.nan), np.zeros(3))) == {}


@pytest.mark.parametrize("grouped", [False, True])
def test_files_give_back_every_bit(tmp_path: Path, grouped: bool) -> None:
    task = Regression()
    targets, made = drawn(3)
    targets[4] = np.nan
    groups = np.arange(50) // 7 if grouped else None
    ids = np.array([f'no {i}, "{i}"' for i in range(50)])
    table = task.table(ids, targets, made, groups)
    path = tmp_path / "predictions.csv"
    path.write_bytes(task.write(task.reduced(table)))
    again = task.read(path)
    assert list(again) == list(table)
    for name, column in table.items():
        np.testing.assert_array_equal(again[name], column)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("id,target\n1,2\n", "missing columns prediction"),
        ("id,target,prediction\n1,2,three\n", "not a number"),
        ("id,target,prediction\n1,x,3\n", "not a number"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=fault):
        Regression().read(path)


@pytest.mark.parametrize(
    ("targets", "made"), [([], []), ([1.0], [1.0, 2.0]), ([np.nan], [1.0]), ([1.0], [np.nan])]
)
def test_arrays_that_do_not_fit_are_refused(targets: list[float], made: list[float]) -> None:
    with pytest.raises(InputError, match="targets and predictions"):
        r2(np.array(targets), np.array(made))


def test_unknown_metric() -> None:
    targets, made = drawn(0)
    with pytest.raises(InputError, match="mean_squared_error"):
        example_values("mean_square_error", targets, made)
