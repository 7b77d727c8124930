"""Predictions in the shape of a competition's sample file."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bakeoff.core.errors import InputError
from bakeoff.study.submission import Labels, Submission, submission


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def made(
    folder: Path, predicted: Sequence[str], sample: Sequence[str], labels: Labels = "auto"
) -> Submission:
    probabilities = ",prob_cat,prob_dog,prob_cow" if predicted[0].count(",") > 2 else ""
    file = write(folder / "p.csv", f"id,label,prediction{probabilities}", *predicted)
    return submission(file, write(folder / "s.csv", *sample), labels)


def shaped(folder: Path, predicted: Sequence[str], sample: Sequence[str]) -> list[str]:
    return made(folder, predicted, sample).content.decode().splitlines()


FULL = ("a.png,,cat,0.7,0.2,0.1", "b.png,,dog,0.1,0.8,0.1", "c.png,,cow,0.1,0.1,0.8")


def test_ids_columns_and_order_are_the_samples(tmp_path: Path) -> None:
    found = shaped(tmp_path, ["a,,cat", "b,,dog", "c,,cow"], ["Key,Class", "c,0", "a,0"])
    assert found == ["Key,Class", "c,cow", "a,cat"]


def test_items_that_are_not_in_the_sample_are_told(tmp_path: Path) -> None:
    found = made(tmp_path, FULL, ["Key,Class", "c,cat", "a,cat"])
    assert found.rows == 2
    assert found.notes == (f"1 predicted items are not in {tmp_path}/s.csv and left out",)


def test_items_that_are_numbered_from_one(tmp_path: Path) -> None:
    found = shaped(tmp_path, ["0,,cat", "1,,dog", "2,,cow"], ["ImageId,Label", "1,0", "2,0", "3,0"])
    assert found == ["ImageId,Label", "1,cat", "2,dog", "3,cow"]


def test_numbers_that_are_ids_are_not_counted(tmp_path: Path) -> None:
    found = shaped(tmp_path, ["2,,cat", "1,,dog"], ["id,label", "1,0", "2,0"])
    assert found == ["id,label", "1,dog", "2,cat"]


def test_files_are_known_by_their_names(tmp_path: Path) -> None:
    """Sorted by name, 10 comes before 2: counting in that order would mix them up."""
    predicted = ["test/1.png,,cat", "test/10.png,,dog", "test/2.png,,cow"]
    sample = ["id,label", "1,x", "2,x", "10,x"]
    assert shaped(tmp_path, predicted, sample) == ["id,label", "1,cat", "2,cow", "10,dog"]


@pytest.mark.parametrize(
    ("value", "labels", "written"),
    [
        ("cat", "auto", ["cat", "dog", "cow"]),
        ("", "auto", ["cat", "dog", "cow"]),
        ("?", "auto", ["cat", "dog", "cow"]),
        ("0", "auto", ["0", "1", "2"]),
        ("2", "auto", ["0", "1", "2"]),
        ("0", "names", ["cat", "dog", "cow"]),
        ("0.5", "names", ["cat", "dog", "cow"]),
        ("cat", "indices", ["0", "1", "2"]),
    ],
)
def test_names_or_indices_of_classes(
    tmp_path: Path, value: str, labels: Labels, written: list[str]
) -> None:
    found = made(tmp_path, FULL, ["id,label", *(f"{name},{value}" for name in "abc")], labels)
    lines = found.content.decode().splitlines()[1:]
    assert [line.partition(",")[2] for line in lines] == written
    said = ("classes are written as indices (0 = cat, 1 = dog, 2 = cow)",)
    assert found.notes == (said if written[0] == "0" else ())


def test_classes_that_are_numbers_are_names(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "id,label,prediction,prob_7,prob_1", "a,,7,1,0", "b,,1,0,1")
    found = submission(file, write(tmp_path / "s.csv", "id,label", "a,1", "b,1"))
    assert found.content.decode().splitlines() == ["id,label", "a,7", "b,1"]
    assert found.notes == ()


def test_indices_are_no_names_though_some_are_called_so(tmp_path: Path) -> None:
    """Classes 1, 2, 3; the sample counts 0, 1, 2."""
    header = "id,label,prediction,prob_1,prob_2,prob_3"
    file = write(tmp_path / "p.csv", header, "a,,1,1,0,0", "b,,3,0,0,1", "c,,2,0,1,0")
    found = submission(file, write(tmp_path / "s.csv", "id,label", "a,0", "b,1", "c,2"))
    assert found.content.decode().splitlines() == ["id,label", "a,0", "b,2", "c,1"]
    assert "indices (0 = 1, 1 = 2, 2 = 3)" in found.notes[0]
    plain = submission(file, write(tmp_path / "s.csv", "id,label", "a,1", "b,3", "c,2"))
    assert plain.content.decode().splitlines() == ["id,label", "a,1", "b,3", "c,2"]


def test_a_sample_without_rows(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "id,label,prediction", "a,,cat")
    with pytest.raises(InputError, match="holds no rows"):
        submission(file, write(tmp_path / "s.csv", "id,label"))


@pytest.mark.parametrize("prefix", ["", "prob_"])
def test_a_column_of_probabilities_for_each_class(tmp_path: Path, prefix: str) -> None:
    header = ",".join(["id", *(prefix + name for name in ("cow", "cat", "dog"))])
    found = shaped(tmp_path, FULL, [header, "b,0,0,0", "a,0,0,0", "c,0,0,0"])
    assert found == [header, "b,0.1,0.1,0.8", "a,0.1,0.7,0.2", "c,0.8,0.1,0.1"]


@pytest.mark.parametrize(
    ("predicted", "sample", "fault"),
    [
        (["a,,cat"], ["id,label", "a,0", "b,0"], r"1 of 2 ids were not predicted: 'b' \(predicted"),
        (["0,,cat", "1,,dog"], ["id,label", "1,0", "2,0", "3,0"], "2 of 3 ids were not predicted"),
        (
            ["x/1.png,,cat", "y/1.png,,dog"],
            ["id,label", "1,0"],
            r"s\.csv: 1 ids stand for several .*: '1' for x/1\.png and y/1\.png",
        ),
        (["5,,cat", "6,,dog"], ["id,label", "1,0", "2,0"], "2 of 2 ids were not predicted"),
        (["a,,cat"], ["id,a,b", "a,0,0"], "has columns id, a, b; needed are two"),
        (["a,,cat"], ["id", "a"], "has columns id; needed are two"),
        (["a,,cat"], ["id,l", "a,0", "b,0", "a,0"], r"s\.csv: 1 ids occur more than once: 'a'"),
        (["a,,cat", "a,,dog"], ["id,l", "a,0"], r"p\.csv: 1 ids occur more than once: 'a'"),
        (FULL, ["id,l", "a,0.5", "b,0.5", "c,0.5"], "holds '0.5', which is neither a class"),
        (FULL, ["id,l", "a,3", "b,0", "c,0"], "holds '0', '3', which is neither a class"),
        (FULL, ["id,cat,dog", "a,0,0"], "needed are two, an id and a prediction, or an id and "),
    ],
)
def test_samples_that_do_not_fit(
    tmp_path: Path, predicted: Sequence[str], sample: list[str], fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        shaped(tmp_path, predicted, sample)


def test_many_missing_ids_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"20 of 20 ids .*: '0', '1', '2', '3', '4' and 15 more"):
        shaped(tmp_path, ["a,,cat"], ["id,label", *(f"{i},0" for i in range(20))])


def test_what_holds_no_predictions(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "name,guess", "a,cat")
    sample = write(tmp_path / "s.csv", "id,label", "a,0")
    with pytest.raises(InputError, match=r"p\.csv: no column id, prediction"):
        submission(file, sample)
    write(tmp_path / "p.csv", "id,prediction", "a,cat")
    with pytest.raises(InputError, match="--labels indices: the predictions have no columns"):
        submission(file, sample, "indices")
