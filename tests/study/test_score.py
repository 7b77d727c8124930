"""Metrics of any predictions file against any labels, joined by id."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from bakeoff.core.errors import InputError
from bakeoff.execution.cell import of_split
from bakeoff.study.score import score

CLASSES = ("ant", "bee", "cow")


def table(path: Path, columns: dict[str, list[object]]) -> Path:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


Made = tuple[list[str], list[str], NDArray[np.float64]]


@pytest.fixture
def made() -> Made:
    """Labels, guesses and probabilities of 50 items."""
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([1, 1, 1], 50)
    labels = [CLASSES[i] for i in generator.integers(0, 3, 50)]
    guesses = [CLASSES[i] for i in probabilities.argmax(axis=1)]
    return labels, guesses, probabilities


def test_metrics_are_scikit_learns_whatever_the_order(tmp_path: Path, made: Made) -> None:
    labels, guesses, probabilities = made
    ids: list[object] = [f"i{number}" for number in range(50)]
    order = np.random.default_rng(1).permutation(50)
    columns: dict[str, list[object]] = {"id": ids, "label": [""] * 50, "prediction": [*guesses]}
    columns |= {f"prob_{name}": [*map(float, p)]
                for name, p in zip(CLASSES, probabilities.T, strict=True)}  # fmt: skip
    truth: dict[str, list[object]] = {
        "id": [ids[i] for i in order],
        "label": [labels[i] for i in order],
    }
    found = score(table(tmp_path / "p.csv", columns), table(tmp_path / "l.csv", truth))
    assert found == pytest.approx(
        {
            "accuracy": sklearn.accuracy_score(labels, guesses),
            "balanced_accuracy": sklearn.balanced_accuracy_score(labels, guesses),
            "f1_macro": sklearn.f1_score(labels, guesses, average="macro"),
            "matthews_corrcoef": sklearn.matthews_corrcoef(labels, guesses),
            "log_loss": sklearn.log_loss(labels, probabilities),
        },
        rel=1e-6,
    )


def test_a_runs_own_predictions_score_as_in_its_record(shared_run: Path) -> None:
    cell = shared_run / "cells" / "softmax" / "seed-2"
    path = cell / "predictions" / "test.csv"
    stated = of_split(json.loads((cell / "record.json").read_text())["metrics"], "test")
    assert score(path, path) == pytest.approx(stated, rel=1e-12)


def test_without_probabilities_there_is_no_log_loss(tmp_path: Path, made: Made) -> None:
    labels, guesses, _ = made
    ids: list[object] = [*range(50)]
    found = score(
        table(tmp_path / "p.csv", {"ImageId": ids, "Label": [*guesses]}),
        table(tmp_path / "l.csv", {"index": ids, "class": [*labels]}),
    )
    assert set(found) == {"accuracy", "balanced_accuracy", "f1_macro", "matthews_corrcoef"}


def test_a_class_without_a_column_leaves_no_log_loss(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {
        "id": [1, 2], "prediction": ["a", "a"], "prob_a": [0.9, 0.8],
    }  # fmt: skip
    labels = table(tmp_path / "l.csv", {"id": [1, 2], "label": ["a", "b"]})
    assert "log_loss" not in score(table(tmp_path / "p.csv", columns), labels)


def test_columns_can_be_named(tmp_path: Path) -> None:
    predictions, labels = tmp_path / "p.csv", tmp_path / "l.csv"
    predictions.write_text("id,mine,prediction\n1,a,x\n2,b,y\n")
    labels.write_text("id,theirs,label\n2,b,x\n1,b,y\n")
    assert score(predictions, labels, "mine", "theirs")["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("predictions", "labels", "fault"),
    [
        ("id,prediction\n1,a\n2,b\n", "id,label\n1,a\n", r"l\.csv: no label for 1 of 2 .*'2'"),
        ("id,prediction\n1,a\n", "id,label\n1,a\n2,b\n", r"p\.csv: no prediction for 1 of 2 .*'2'"),
        ("id,prediction\n1,a\n", "id,label\n1,\n", r"l\.csv: no label for 1 of 1"),
        (
            "id,prediction\n1,a\n1,b\n",
            "id,label\n1,a\n",
            r"p\.csv: the id '1' occurs more than once",
        ),
        (
            "id,prediction\n1,a\n",
            "id,label\n1,a\n1,b\n",
            r"l\.csv: the id '1' occurs more than once",
        ),
        ("id,prediction\n", "id,label\n1,a\n", r"p\.csv: holds no rows"),
        (
            "name,prediction\n1,a\n",
            "id,label\n1,a\n",
            r"p\.csv: no column one of id, .*found: name",
        ),
        ("id,guess\n1,a\n", "id,label\n1,a\n", r"p\.csv: no column one of prediction, "),
        ("id,prediction\n1,a\n", "id,truth\n1,a\n", r"l\.csv: no column one of label, "),
        (
            "id,prediction,prob_a\n1,a,much\n",
            "id,label\n1,a\n",
            r"p\.csv: a probability is not a number: .*much",
        ),
        ("id,prediction,prob_a\n1,a,7\n", "id,label\n1,a\n", r"p\.csv: .*must lie in 0\.\.1"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, predictions: str, labels: str, fault: str) -> None:
    (tmp_path / "p.csv").write_text(predictions)
    (tmp_path / "l.csv").write_text(labels)
    with pytest.raises(InputError, match=fault):
        score(tmp_path / "p.csv", tmp_path / "l.csv")


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    path = table(tmp_path / "p.csv", {"id": [1], "prediction": ["a"], "label": ["a"]})
    with pytest.raises(InputError, match=r"no column 'mine' \(found: id, prediction, label\)"):
        score(path, path, prediction="mine")


def test_numbers_are_scored_as_regression(tmp_path: Path) -> None:
    made, truth = tmp_path / "made.csv", tmp_path / "truth.csv"
    made.write_text("id,target,prediction\na,,1.5\nb,,2\n", encoding="utf-8")
    truth.write_text("id,target\nb,3\na,1\n", encoding="utf-8")
    found = score(made, truth)
    assert found["mean_squared_error"] == pytest.approx((0.25 + 1) / 2)
    assert found["mean_absolute_error"] == pytest.approx(0.75)
    truth.write_text("id,target\nb,inf\na,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="finite"):
        score(made, truth)
    truth.write_text("id,target\nb,three\na,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a number"):
        score(made, truth)
