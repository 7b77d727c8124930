"""Tests of batches with as many examples of each class."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Batch
from bakeoff.core.streams import Streams
from bakeoff.data.balanced_batches import BalancedBatches, check_balance

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(5), [40, 40, 30, 12, 3]))


def made(
    labels: NDArray[np.int64] = LABELS, size: int = 20, classes: int | None = None, seed: int = 0
) -> BalancedBatches:
    def take(rows: NDArray[np.intp]) -> Batch:
        return Batch(rows[:, None], labels[rows], rows)

    return BalancedBatches(labels, "abcde", take, size, Streams(seed), classes)


def rows(batches: BalancedBatches, epoch: int, start: int = 0) -> list[list[int]]:
    return [batch.indices.tolist() for batch in batches.epoch(epoch, start)]


def test_every_batch_is_balanced() -> None:
    batches = made(classes=4)
    assert (batches.classes, batches.samples) == (4, 5)
    found = list(batches.epoch(0))
    assert len(found) == batches.per_epoch == len(LABELS) // 20
    for batch in found:
        counts = Counter(batch.labels.tolist())
        assert len(counts) == 4
        assert {n for label, n in counts.items() if label != 4} == {5}
        assert counts.get(4, 3) == 3, "a class of three gives all it has"
        assert len(set(batch.indices.tolist())) == len(batch.indices)
    uses = Counter(label for batch in found for label in set(batch.labels.tolist()))
    assert max(uses.values()) - min(uses.values()) <= 1


def test_a_class_is_gone_through_before_it_comes_again() -> None:
    labels = np.repeat(np.arange(2), 12)
    found = Counter(i for batch in rows(made(labels, 8), 3) for i in batch)
    assert found == dict.fromkeys(range(24), 1)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 9), st.integers(0, 6), st.integers(4, 40))
def test_an_epoch_is_a_function_of_stream_and_number(epoch: int, start: int, size: int) -> None:
    whole = rows(made(size=size), epoch)
    assert rows(made(size=size), epoch, start) == whole[start:]
    assert rows(made(size=size, seed=1), epoch) != whole
    assert rows(made(size=size), epoch + 1) != whole


def test_as_many_classes_as_fit() -> None:
    assert (made(size=9).classes, made(size=9).samples) == (4, 2)
    assert (made(size=200).classes, made(size=200).samples) == (5, 40)
    assert made(size=200).per_epoch == 1


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match=r"1 training example received of b: it has no"):
        made(np.array([0, 0, 1, 2, 2]))
    with pytest.raises(InputError, match="1 class received: without a second one"):
        made(np.zeros(9, np.int64))
    with pytest.raises(InputError, match=r"training.batch_size: 3 received"):
        made(size=3)
    with pytest.raises(InputError, match=r"classes_per_batch: 6 received \(allowed: 2 to 5"):
        made(size=20, classes=6)
    with pytest.raises(InputError, match=r"classes_per_batch: 9 received \(allowed: 2 to 8"):
        check_balance(16, 9, dict.fromkeys("abcdefghij", 5))
