"""Tests of the check of a data set."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.examples import Examples
from bakeoff.data.checks import Report, check
from bakeoff.data.dataset import Dataset, numbered

CLASSES = ("a", "b")


def images(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Examples:
    return Examples(pixels, labels, numbered(len(labels)))


@pytest.fixture
def clean(make_pixels: Callable[..., NDArray[np.uint8]]) -> Dataset:
    """Random images of 20 x 20 with labels in no order."""
    generator = np.random.default_rng(0)
    train, test = (generator.permutation(np.arange(n) % 2) for n in (200, 100))
    return Dataset(
        "clean",
        "image",
        CLASSES,
        images(make_pixels(200, 20, 20, 1), train),
        images(make_pixels(100, 20, 20, 1, seed=1), test),
    )


def items(dataset: Dataset, split: str) -> NDArray[np.uint8]:
    found = dataset.splits[split].items
    assert isinstance(found, np.ndarray)
    return found


def test_nothing_is_wrong_with_a_clean_set(clean: Dataset) -> None:
    report = check(clean)
    assert report.problems == report.remarks == ()
    assert report.repeats == ()
    assert report.class_counts == {"train": {"a": 100, "b": 100}, "test": {"a": 50, "b": 50}}
    assert report.lines() == [
        "clean: 200 train, 100 test",
        f"  hash {clean.hash}",
        "  train: 2 classes of 100 examples",
        "  test: 2 classes of 50 examples",
        "  no problems found",
    ]


def test_leaks_conflicts_and_copies_are_told(clean: Dataset) -> None:
    train, test = items(clean, "train"), items(clean, "test")
    test[5] = train[17]
    test[6] = np.clip(train[18].astype(int) + 9, 0, 255)
    train[31] = train[30]
    assert clean.test is not None
    clean.train.labels[[17, 30, 31]] = [0, 1, 1]
    clean.test.labels[5] = 1
    report = check(clean)
    told = {(r.kind, r.split, r.of): (r.count, r.conflicting, r.ids) for r in report.repeats}
    assert told["exact", "train", "train"] == (1, 0, (("31", "30"),))
    assert told["exact", "test", "train"] == (1, 1, (("5", "17"),))
    assert told["near", "test", "train"][2] == (("6", "18"),)
    assert report.problems[0] == (
        "1 test examples (1.00%) repeat examples of train, 1 of them with another label: 5 = 17"
    )
    assert any("nearly repeat examples of train" in line for line in report.problems)
    assert report.remarks == ("1 examples of train repeat examples of it: 31 = 30",)
    assert "  problem: 1 test examples" in report.lines()[4]


def test_a_copy_with_another_label_is_a_problem_in_train_too(clean: Dataset) -> None:
    items(clean, "train")[31] = items(clean, "train")[30]
    clean.train.labels[30:32] = [0, 1]
    (problem,) = check(clean).problems
    assert problem == (
        "1 examples of train repeat examples of it, 1 of them with another label: 31 = 30"
    )


def test_order_gaps_and_empty_items_are_told(clean: Dataset) -> None:
    assert clean.test is not None
    clean.train.labels.sort()
    clean.test.labels[:] = 0
    clean.test.labels[:3] = -1
    items(clean, "train")[7] = 200
    report = check(clean)
    assert report.class_counts["test"] == {"a": 97, "b": 0, "": 3}
    assert "test has no example of b" in report.problems
    assert "train has 1 images of one colour: 7" in report.problems
    assert "train is sorted by label; bakeoff always shuffles, others may not" in report.remarks


def test_few_test_examples_are_told(clean: Dataset) -> None:
    assert clean.test is not None
    clean.test.labels[:] = 0
    clean.test.labels[:4] = 1
    assert check(clean).remarks == ("too few test examples for a verdict on F1 or Matthews: b (4)",)


def test_validation_is_compared_with_train_and_test_with_both(clean: Dataset) -> None:
    assert clean.test is not None
    parts = replace(clean, validation=clean.test.take(np.arange(50)))
    report = check(parts)
    assert [(r.split, r.of, r.count) for r in report.repeats] == [("test", "validation", 50)]


def test_texts(tmp_path: Path) -> None:
    words = [f"w{i}" for i in range(300)]
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(words, 40)) for _ in range(60)]
    test = [" ".join(generator.choice(words, 40)) for _ in range(30)]
    test[4] = texts[9]
    test[7] = texts[11].title() + "."
    test[8] = " "
    labels = generator.permutation(np.arange(60) % 2)
    dataset = Dataset(
        "texts",
        "text",
        CLASSES,
        Examples(texts, labels, numbered(60)),
        Examples(test, labels[:30], numbered(30)),
        notes=("column 'x' taken for the text",),
    )
    report = check(dataset)
    told = {(r.kind, r.split, r.of): r.ids for r in report.repeats}
    assert told == {
        ("exact", "test", "train"): (("4", "9"),),
        ("near", "test", "train"): (("7", "11"),),
    }
    assert "test has 1 empty texts: 8" in report.problems
    assert report.remarks[-1] == "column 'x' taken for the text"


def test_the_report_is_ready_for_json(clean: Dataset) -> None:
    items(clean, "test")[5] = items(clean, "train")[17]
    report = check(clean)
    read = json.loads(json.dumps(report.to_json()))
    assert read["hash"] == clean.hash
    assert read["repeats"][0]["ids"] == [["5", "17"]]
    assert set(read) == set(Report.__dataclass_fields__)


@pytest.mark.data
@pytest.mark.parametrize("name", ["digits", "kmnist-7011"])
def test_real_sets(real: Callable[[str], Dataset], name: str) -> None:
    report = check(real(name))
    assert not any(r.kind == "exact" for r in report.repeats)
    assert (report.near_skipped is not None) == (name == "digits")
    # A handful of characters by one hand are alike; hundreds would be a fault of the search.
    assert sum(r.count for r in report.repeats) < 20
