"""Metrics of any predictions file against any labels, joined by id."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sklearn

from bakeoff.core.errors import InputError
from bakeoff.execution.cell import of_split
from bakeoff.study.score import Columns, disagreement
from bakeoff.study.score import score as scored

CLASSES = ("ant", "bee", "cow")


def score(predictions: Path, labels: Path, named: Columns | None = None) -> dict[str, float]:
    return scored(predictions, labels, named).metrics


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


@pytest.mark.parametrize("prefix", ["", "prob_"])
def test_a_column_for_each_class_is_enough(tmp_path: Path, made: Made, prefix: str) -> None:
    labels, guesses, probabilities = made
    ids: list[object] = [*range(50)]
    truth = table(tmp_path / "l.csv", {"id": ids, "label": [*labels]})
    columns: dict[str, list[object]] = {
        prefix + name: [*map(float, p)] for name, p in zip(CLASSES, probabilities.T, strict=True)
    }
    submitted = table(tmp_path / "p.csv", {"Id": ids, **columns})
    found = scored(submitted, truth)
    assert found.metrics["accuracy"] == sklearn.accuracy_score(labels, guesses)
    loss = sklearn.log_loss(labels, probabilities)
    assert found.metrics["log_loss"] == pytest.approx(loss, rel=1e-6)
    assert "likeliest of 3 classes" in found.notes[0]


def test_labels_without_ids_belong_to_numbered_rows(tmp_path: Path) -> None:
    predictions, labels = tmp_path / "p.csv", tmp_path / "l.csv"
    predictions.write_text("id,prediction\n2,b\n0,a\n1,a\n")
    labels.write_text("headline,label\nx,a\ny,b\nz,b\n")
    found = scored(predictions, labels)
    assert found.metrics["accuracy"] == pytest.approx(2 / 3)
    assert found.right is not None
    assert found.right.tolist() == [True, False, True]
    assert any("rows are counted from 0" in note for note in found.notes)
    predictions.write_text("id,prediction\n3,b\n1,a\n2,a\n")  # other ids: nothing is guessed
    with pytest.raises(InputError, match=r"l\.csv: no column one of id, .*found: headline, label"):
        score(predictions, labels)


def test_each_file_may_name_its_ids(tmp_path: Path) -> None:
    predictions, labels = tmp_path / "p.csv", tmp_path / "l.csv"
    predictions.write_text("key,prediction\n1,x\n2,y\n")
    labels.write_text("row,label\n2,x\n1,x\n")
    assert score(predictions, labels, Columns(id="key", label_id="row"))["accuracy"] == 0.5


def test_columns_can_be_named(tmp_path: Path) -> None:
    predictions, labels = tmp_path / "p.csv", tmp_path / "l.csv"
    predictions.write_text("id,mine,prediction\n1,a,x\n2,b,y\n")
    labels.write_text("id,theirs,label\n2,b,x\n1,b,y\n")
    assert score(predictions, labels, Columns("mine", "theirs"))["accuracy"] == 0.5


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
            "key,prediction\n1,a\n",
            "id,label\n1,a\n",
            r"p\.csv: no column one of id, .*found: key",
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
        score(path, path, Columns("mine"))


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


def test_numbers_without_a_word_about_it(tmp_path: Path) -> None:
    """What is not whole is no class; whole numbers are, unless one says otherwise."""
    files = both(tmp_path, "id,target 1,0.5 2,2", "id,y_true 1,1 2,2")
    named = Columns(label="y_true")
    assert score(*files, named)["mean_squared_error"] == pytest.approx(0.125)
    files = both(tmp_path, "id,target 1,3 2,5", "id,target 1,3 2,4")
    assert score(*files)["accuracy"] == 0.5
    assert score(*files, Columns(numbers=True))["mean_absolute_error"] == pytest.approx(0.5)


def both(tmp_path: Path, predictions: str, labels: str) -> tuple[Path, Path]:
    (tmp_path / "p.csv").write_text(predictions.replace(" ", "\n"))
    (tmp_path / "l.csv").write_text(labels.replace(" ", "\n"))
    return tmp_path / "p.csv", tmp_path / "l.csv"


@pytest.mark.parametrize(
    ("predictions", "labels"),
    [
        ("ImageId,Label 1,a 2,b 3,b", "Filename,Category 3,a 1,a 2,b"),
        ("id,prediction test/1.png,a test/2.png,b test/3.png,b", "id,label 3,a 1,a 2,b"),
        ("id,prediction 1,a 2,b 3,b", "file,class 3.png,a 1.png,a 2.png,b"),
    ],
)
def test_ids_and_columns_as_people_write_them(
    tmp_path: Path, predictions: str, labels: str
) -> None:
    assert score(*both(tmp_path, predictions, labels))["accuracy"] == pytest.approx(2 / 3)


def test_files_without_a_header(tmp_path: Path) -> None:
    files = both(tmp_path, "1,a 2,b 3,b 4,a", "4,a 1,a 2,a 3,b")
    found = scored(*files)
    assert found.metrics["accuracy"] == 0.75
    assert found.rows == 4
    assert found.notes == tuple(
        f"{path}: no header: the columns are taken for id and label" for path in files
    )


def test_an_unknown_header_is_no_row(tmp_path: Path) -> None:
    """Taken for an item, it would count as one that is right."""
    files = both(tmp_path, "key,species 1,a 2,b", "key,species 1,a 2,a")
    with pytest.raises(InputError, match=r"p\.csv: no column one of id, .*found: key, species"):
        score(*files)
    named = Columns("species", "species", "key")
    assert score(*files, named)["accuracy"] == 0.5


def test_names_against_indices(tmp_path: Path) -> None:
    """In the order of the columns of probabilities, or in one that is given."""
    full = "id,prediction,prob_b,prob_a 1,a,0,1 2,b,1,0 3,b,1,0"
    found = scored(*both(tmp_path, full, "id,label 1,1 2,0 3,1"))
    assert found.metrics["accuracy"] == pytest.approx(2 / 3)
    assert "log_loss" in found.metrics
    assert found.notes == ("labels are indices of classes: 0 = b, 1 = a",)
    files = both(tmp_path, "id,prediction 1,1 2,0 3,0", "id,label 1,a 2,b 3,a")
    found = scored(*files, Columns(classes=("b", "a")))
    assert found.metrics["accuracy"] == pytest.approx(2 / 3)
    assert found.notes == ("predictions are indices of classes: 0 = b, 1 = a",)


def test_indices_where_classes_are_called_by_numbers(tmp_path: Path) -> None:
    """Classes 1 and 2, labels that count them from 0."""
    full = "id,prediction,prob_1,prob_2 1,1,1,0 2,2,0,1 3,2,0,1"
    found = scored(*both(tmp_path, full, "id,label 1,0 2,1 3,1"))
    assert found.metrics["accuracy"] == 1
    assert found.notes == ("labels are indices of classes: 0 = 1, 1 = 2",)


def test_labels_of_no_class_are_told(tmp_path: Path) -> None:
    full = "id,prediction,prob_b,prob_a 1,a,0,1 2,b,1,0"
    found = scored(*both(tmp_path, full, "id,label 1,A 2,b"))
    assert found.metrics["accuracy"] == 0.5
    assert found.notes == ("labels that the predictions have no class for count as missed: 'A'",)


def test_nothing_in_common_is_no_score_of_zero(tmp_path: Path) -> None:
    files = both(tmp_path, "id,prediction 1,cat 2,dog", "id,label 1,0 2,1")
    with pytest.raises(
        InputError, match=r"class \('cat', 'dog'\) is among the labels \('0', '1'\)"
    ):
        score(*files)
    with pytest.raises(InputError, match="is among the labels"):
        score(*files, Columns(classes=("cat",)))


def test_ids_that_could_be_several(tmp_path: Path) -> None:
    files = both(tmp_path, "id,prediction 1,a", "id,label x/1.png,a y/1.png,b")
    with pytest.raises(InputError, match=r"'1' of .*p\.csv could be x/1\.png or y/1\.png"):
        score(*files)


def test_missing_and_repeated_ids_are_bounded(tmp_path: Path) -> None:
    many = " ".join(f"{i},a" for i in range(20))
    files = both(tmp_path, f"id,prediction {many}", "id,label 1,a")
    with pytest.raises(InputError, match=r"no label for 19 of 20 .*'5' and 14 more"):
        score(*files)
    with pytest.raises(InputError, match=r"no prediction for 19 of 20 .*'5' and 14 more"):
        score(*both(tmp_path, "id,prediction 1,a", f"id,label {many}"))
    with pytest.raises(InputError, match="the id '0' occurs more than once, and 19 other ids too"):
        score(*both(tmp_path, f"id,prediction {many} {many}", f"id,label {many}"))


def test_two_files_differ_by_mcnemars_exact_test_whatever_their_order(
    tmp_path: Path, made: Made
) -> None:
    labels, guesses, _ = made
    others = [labels[i] if i % 3 else guesses[i] for i in range(50)]
    truth = table(tmp_path / "l.csv", {"id": [*range(50)], "label": [*labels]})
    found = []
    for number, given in enumerate((guesses, others)):
        order = np.random.default_rng(number).permutation(50)
        columns = {"id": [*map(int, order)], "prediction": [given[i] for i in order]}
        found.append(scored(table(tmp_path / f"{number}.csv", columns), truth))
    right = [np.array(given) == np.array(labels) for given in (guesses, others)]
    only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
    difference = disagreement(*found)
    assert difference is not None
    assert [difference.first, difference.second] == only
    assert difference.p_value == stats.binomtest(only[0], sum(only)).pvalue
    assert 0 < difference.p_value < 0.05
    same = disagreement(found[0], found[0])
    assert same is not None
    assert (same.first, same.second, same.p_value) == (0, 0, 1)


def test_numbers_are_not_right_or_wrong(tmp_path: Path) -> None:
    made = table(tmp_path / "p.csv", {"id": [1, 2], "target": ["", ""], "prediction": [0.5, 2.0]})
    truth = table(tmp_path / "l.csv", {"id": [1, 2], "target": [1.0, 2.0]})
    found = scored(made, truth)
    assert disagreement(found, found) is None
