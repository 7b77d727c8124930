"""Predictions in the shape of a competition's sample file."""

from pathlib import Path

import pytest

from bakeoff.core.errors import InputError
from bakeoff.study.submission import submission


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def shaped(folder: Path, predicted: list[str], sample: list[str]) -> list[str]:
    made = write(folder / "p.csv", "id,label,prediction", *predicted)
    return submission(made, write(folder / "s.csv", *sample)).decode().splitlines()


def test_ids_columns_and_order_are_the_samples(tmp_path: Path) -> None:
    found = shaped(tmp_path, ["a,,cat", "b,,dog", "c,,cow"], ["Key,Class", "c,0", "a,0"])
    assert found == ["Key,Class", "c,cow", "a,cat"]


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
    ("predicted", "sample", "fault"),
    [
        (["a,,cat"], ["id,label", "a,0", "b,0"], r"1 of 2 ids were not predicted \(the first: 'b'"),
        (["0,,cat", "1,,dog"], ["id,label", "1,0", "2,0", "3,0"], "2 of 3 ids were not predicted"),
        (["x/1.png,,cat", "y/1.png,,dog"], ["id,label", "1,0"], "1 of 1 ids were not predicted"),
        (["5,,cat", "6,,dog"], ["id,label", "1,0", "2,0"], "2 of 2 ids were not predicted"),
        (["a,,cat"], ["id,a,b", "a,0,0"], "has columns id, a, b; needed are two"),
        (["a,,cat"], ["id", "a"], "has columns id; needed are two"),
    ],
)
def test_samples_that_do_not_fit(
    tmp_path: Path, predicted: list[str], sample: list[str], fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        shaped(tmp_path, predicted, sample)


def test_what_holds_no_predictions(tmp_path: Path) -> None:
    made = write(tmp_path / "p.csv", "name,guess", "a,cat")
    sample = write(tmp_path / "s.csv", "id,label", "a,0")
    with pytest.raises(InputError, match=r"p\.csv: no column id, prediction"):
        submission(made, sample)
