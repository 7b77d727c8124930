"""Tests of splits: what is shared by recipes, what is inside what, what is refused."""

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import DataSettings
from bakeoff.core.streams import Streams
from bakeoff.data import splits
from bakeoff.data.dataset import Dataset
from bakeoff.data.splits import Split, draw, encode_positions

Make = Callable[..., Dataset]
shared_fixtures = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
label_lists = st.lists(st.integers(0, 3), min_size=12, max_size=120).filter(
    lambda labels: min(np.bincount(labels, minlength=4)) >= 2
)


def ask(dataset: Dataset, seed: int = 0, **fields: Any) -> Split:
    return draw(dataset, DataSettings(set=dataset.name, **fields), Streams(seed))


@shared_fixtures
@given(label_lists, st.floats(0.05, 0.5), st.integers(0, 3))
def test_splits_are_disjoint_whole_and_stratified(
    make_dataset: Make, labels: list[int], share: float, seed: int
) -> None:
    split = ask(make_dataset(labels), seed, validation=share)
    together = np.concatenate([split.train, split.validation])
    assert sorted(together.tolist()) == list(range(len(labels)))
    assert np.all(np.diff(split.train) > 0)
    assert np.all(np.diff(split.validation) > 0)
    counts = np.bincount(np.array(labels)[split.validation], minlength=4)
    quota = len(split.validation) * np.bincount(labels) / len(labels)
    assert np.all(np.abs(counts - quota) <= 3)
    assert set(np.array(labels)[split.train].tolist()) == {0, 1, 2, 3}


@shared_fixtures
@given(label_lists, st.integers(0, 5), st.data())
def test_budgets_are_nested_and_validation_is_no_larger(
    make_dataset: Make, labels: list[int], seed: int, data: st.DataObject
) -> None:
    dataset = make_dataset(labels)
    most = len(ask(dataset, seed).train)
    small = data.draw(st.integers(4, most))
    large = data.draw(st.integers(small, most))
    few, many, all_ = (ask(dataset, seed, labels=n) for n in (small, large, "all"))
    assert len(few.train) == small
    assert set(few.train) <= set(many.train) <= set(all_.train)
    assert set(few.validation) <= set(many.validation) <= set(all_.validation)
    assert len(few.validation) == min(small, len(all_.validation))
    assert set(dataset.train.labels[few.train].tolist()) == {0, 1, 2, 3}


def test_the_carve_depends_on_the_seed_alone(make_dataset: Make) -> None:
    dataset = make_dataset(np.arange(200) % 4)
    plain = ask(dataset, 5)
    for fields in ({"normalise": "feature"}, {"labels": 150}, {"classes": ("d", "a")}):
        other = ask(dataset, 5, **fields)
        assert set(other.validation) <= set(plain.validation), fields
        assert set(other.train) <= set(plain.train), fields
    larger = ask(dataset, 5, validation=0.3)
    assert set(plain.validation) <= set(larger.validation)
    hashes = {ask(dataset, seed).hash for seed in range(5)}
    assert len(hashes) == 5
    assert ask(dataset, 5).hash == plain.hash


def test_budgets_are_stratified(make_dataset: Make) -> None:
    dataset = make_dataset(np.repeat([0, 1, 2], [500, 300, 200]))
    split = ask(dataset, labels=100)
    assert np.bincount(dataset.train.labels[split.train]).tolist() == [50, 30, 20]
    assert np.bincount(dataset.train.labels[split.validation]).tolist() == [50, 30, 20]


def test_groups_are_not_torn_apart(make_dataset: Make) -> None:
    groups = np.arange(200) // 5
    split = ask(make_dataset(np.arange(200) % 4, groups=groups))
    assert not set(groups[split.train]) & set(groups[split.validation])
    assert 15 <= len(split.validation) <= 25


def test_copies_are_not_torn_apart(make_dataset: Make) -> None:
    """A copy of what is learnt from must not stop training early, or choose the weights."""
    dataset = make_dataset(np.arange(60) % 3)
    count = len(dataset.train)
    doubled = dataset.train.take(np.repeat(np.arange(count), 2))
    for groups in (None, np.arange(2 * count) // 6):
        split = ask(replace(dataset, train=replace(doubled, groups=groups)))
        assert not set(split.train // 2) & set(split.validation // 2)


def test_published_validation_is_used(make_dataset: Make) -> None:
    dataset = make_dataset(np.arange(80) % 4, validation=[0, 1, 2, 3] * 5)
    split = ask(dataset)
    assert split.published
    assert len(split.train) == 80
    assert split.validation.tolist() == list(range(20))
    data = split.training_data()
    assert dataset.validation is not None
    assert data.validation.items is dataset.validation.items
    cut = ask(dataset, labels=8)
    assert len(cut.validation) == 8
    assert np.bincount(dataset.validation.labels[cut.validation]).tolist() == [2, 2, 2, 2]


def test_validation_can_be_a_number_of_examples(make_dataset: Make) -> None:
    dataset = make_dataset([0, 1, 2, 3] * 20)
    split, share = ask(dataset, validation=20), ask(dataset, validation=0.25)
    assert split.validation.tolist() == share.validation.tolist()
    assert len(split.validation) == 20
    assert np.bincount(dataset.train.labels[split.validation]).tolist() == [5, 5, 5, 5]
    assert len(ask(dataset, validation=20, labels=8).validation) == 8


def test_of_published_validation_a_number_is_taken(make_dataset: Make) -> None:
    dataset = make_dataset(np.arange(80) % 4, validation=[0, 1, 2, 3] * 5)
    assert dataset.validation is not None
    some = ask(dataset, validation=8)
    assert len(some.train) == 80
    assert np.bincount(dataset.validation.labels[some.validation]).tolist() == [2, 2, 2, 2]
    assert set(some.validation) < set(ask(dataset, validation=12).validation)
    assert len(ask(dataset, validation=0.5).validation) == 20
    with pytest.raises(InputError, match=r"data.validation: 21 .* published validation .* 1 to 20"):
        ask(dataset, validation=21)


def test_of_examples_in_time_the_last_validate(make_dataset: Make) -> None:
    made = make_dataset([0] * 40, validation=[0] * 10)
    ordered = replace(made, ordered=True)
    assert ask(ordered, validation=4).validation.tolist() == [6, 7, 8, 9]
    carved = ask(replace(ordered, validation=None), validation=4)
    assert carved.validation.tolist() == [36, 37, 38, 39]


def test_classes_are_relabelled_in_the_order_given(make_dataset: Make) -> None:
    dataset = make_dataset(np.arange(80) % 4)
    asked = DataSettings(set="made", classes=("d", "b"))
    split = draw(dataset, asked, Streams(0))
    data = split.training_data()
    assert data.task.classes == ("d", "b")
    old = dataset.train.labels[split.train]
    assert data.train.labels.tolist() == [{3: 0, 1: 1}[label] for label in old.tolist()]
    test = splits.examples_of_test(dataset, asked)
    assert dataset.test is not None
    kept = dataset.test.labels[split.test]
    assert test.labels.tolist() == [{3: 0, 1: 1}[label] for label in kept.tolist()]
    assert test.ids.tolist() == dataset.test.ids[split.test].tolist()
    assert (
        split.hash
        != draw(dataset, asked.model_copy(update={"classes": ("b", "d")}), Streams(0)).hash
    )


def test_unknown_labels_are_not_trained_on_but_tested(make_dataset: Make) -> None:
    dataset = make_dataset(np.arange(80) % 4)
    dataset.train.labels[:10] = -1
    assert dataset.test is not None
    dataset.test.labels[:] = -1
    split = ask(dataset)
    assert min(split.train.min(), split.validation.min()) >= 10
    assert set(splits.examples_of_test(dataset, split.settings).labels.tolist()) == {-1}


def test_training_data_is_what_the_positions_say(make_dataset: Make) -> None:
    dataset = make_dataset(np.arange(80) % 4)
    split = ask(dataset)
    data = split.training_data()
    images = dataset.train.items
    assert isinstance(images, np.ndarray)
    assert isinstance(data.train.items, np.ndarray)
    assert data.train.items.tolist() == images[split.train].tolist()
    assert data.validation.ids.tolist() == dataset.train.ids[split.validation].tolist()
    # Fitted on the training examples, not on validation.
    assert data.normaliser is not None
    mean = images[split.train].mean() / 255
    assert abs(float(data.normaliser.mean[0]) - mean) < 1e-6
    assert abs(float(data.normaliser.mean[0]) - images.mean() / 255) > 1e-6


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"classes": ("a", "bb")}, "data.classes of made: unknown class 'bb'"),
        ({"classes": ("a",)}, r"at least two different classes are needed.*received a\)"),
        ({"classes": ("a", "a")}, r"received a, a\)"),
        ({"labels": 3}, "data.labels: 3 is fewer than one for each of the 4 classes of made"),
        ({"validation": 40}, r"data.validation: 40 received \(allowed of the training .* 1 to 39,"),
        ({"labels": 37}, r"data.labels: 37 asked for, made has 36 .* once validation \(0.1\)"),
    ],
)
def test_what_cannot_be_is_refused(
    make_dataset: Make, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ask(make_dataset([0, 1, 2, 3] * 10), **fields)


def test_too_little_data_is_refused(make_dataset: Make) -> None:
    with pytest.raises(InputError, match="nothing to validate on"):
        ask(make_dataset([0, 1, 2, 3]))
    with pytest.raises(InputError, match="no training example of a"):
        ask(make_dataset([1, 2, 3] * 5))
    asked = DataSettings(set="made")
    with pytest.raises(InputError, match="made: has no test examples of a, b"):
        splits.examples_of_test(make_dataset([0, 1] * 5, test=0), asked)


def decoded(text: str, count: int) -> list[int]:
    """Positions as whoever reads the file by `ENCODING` finds them."""
    bits = "".join(f"{byte:08b}" for byte in zlib.decompress(base64.b64decode(text)))
    return [i for i in range(count) if bits[i] == "1"]


@settings(deadline=None)
@given(st.sets(st.integers(0, 99)))
def test_positions_are_written_and_read_back(positions: set[int]) -> None:
    array = np.array(sorted(positions), dtype=np.intp)
    assert decoded(encode_positions(array, 100), 100) == array.tolist()


def test_a_split_is_written_down(make_dataset: Make) -> None:
    dataset = make_dataset(np.arange(5000) % 4)
    split = ask(dataset, 3, labels=200)
    written = json.dumps(split.describe())
    assert len(written) < 4000
    read = json.loads(written)
    assert read["data_hash"] == dataset.hash
    assert read["split_hash"] == split.hash
    assert (read["seed"], read["validation_of"]) == (3, "train")
    train = read["splits"]["train"]
    assert train["classes"] == {"a": 50, "b": 50, "c": 50, "d": 50}
    assert decoded(train["positions"], train["of"]) == split.train.tolist()
    assert read["splits"]["test"]["count"] == 30
