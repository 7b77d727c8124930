"""Tests of batches of token sequences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.test_batches import images

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Batch
from bakeoff.core.streams import Streams
from bakeoff.core.tokens import Tokens
from bakeoff.data.batches import TrainingBatches
from bakeoff.data.token_batches import (
    POOL_BATCHES,
    PaddedBatches,
    TokenBatches,
    TokenExamples,
    VectorBatches,
    padded_width,
)


def examples(count: int) -> TokenExamples:
    lengths = np.random.default_rng(0).integers(0, 40, count)
    return TokenExamples(Tokens.of([[i] * n for i, n in enumerate(lengths)]), np.arange(count) % 3)


def tokens(batch: Batch) -> Tokens:
    assert isinstance(batch.items, Tokens)
    return batch.items


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 70), st.integers(0, 9), st.booleans())
def test_an_epoch_has_every_example_once(count: int, size: int, epoch: int, buckets: bool) -> None:
    batches = TokenBatches(examples(count), size, Streams(0), buckets=buckets)
    found = list(batches.epoch(epoch))
    assert len(found) == batches.per_epoch
    assert sorted(i for batch in found for i in batch.indices) == list(range(count))
    assert all(len(batch.labels) <= size for batch in found)


@pytest.mark.parametrize("buckets", [True, False])
def test_a_batch_holds_what_its_positions_say(buckets: bool) -> None:
    given_examples = examples(100)
    for batch in TokenBatches(given_examples, 8, Streams(0), buckets=buckets).epoch(1):
        assert batch.labels.tolist() == given_examples.labels[batch.indices].tolist()
        for place, row in enumerate(batch.indices):
            assert tokens(batch)[place].tolist() == given_examples.tokens[int(row)].tolist()


def test_vectors_take_the_place_of_tokens() -> None:
    plain = TokenBatches(examples(100), 8, Streams(0))
    vectors = np.arange(200, dtype=np.float32).reshape(100, 2)
    batches = VectorBatches(plain, vectors)
    assert batches.per_epoch == plain.per_epoch
    for found, wanted in zip(batches.epoch(2, 3), plain.epoch(2, 3), strict=True):
        assert found.indices.tolist() == wanted.indices.tolist()
        assert found.labels.tolist() == wanted.labels.tolist()
        assert isinstance(found.items, np.ndarray)
        assert found.items.tolist() == vectors[wanted.indices].tolist()


def test_an_epoch_can_be_entered_anywhere() -> None:
    batches = TokenBatches(examples(100), 8, Streams(0))
    whole = [batch.indices.tolist() for batch in batches.epoch(3)]
    assert [batch.indices.tolist() for batch in batches.epoch(3, 5)] == whole[5:]


def test_epochs_and_seeds_differ_and_repeat() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        batches = TokenBatches(examples(100), 8, Streams(seed))
        return [i for batch in batches.epoch(epoch) for i in batch.indices]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_without_buckets_the_order_is_that_of_other_techniques() -> None:
    other = TrainingBatches(images(100), 8, Streams(2)).epoch(1)
    own = TokenBatches(examples(100), 8, Streams(2), buckets=False).epoch(1)
    assert [b.indices.tolist() for b in own] == [b.indices.tolist() for b in other]


def test_buckets_leave_little_to_pad() -> None:
    def padded(buckets: bool) -> int:
        batches = TokenBatches(examples(2 * 8 * POOL_BATCHES), 8, Streams(0), buckets=buckets)
        return sum(tokens(batch).padded(0).size for batch in batches.epoch(0))

    real = int(examples(2 * 8 * POOL_BATCHES).tokens.lengths.sum())
    assert padded(True) < 1.05 * real
    assert padded(False) > 1.5 * real


def test_the_longest_bucket_comes_first_and_the_others_in_no_order_of_length() -> None:
    batches = TokenBatches(examples(8 * POOL_BATCHES), 8, Streams(0))
    for epoch in range(5):
        longest = [int(tokens(batch).lengths.max()) for batch in batches.epoch(epoch)]
        assert longest[0] == max(longest)
        assert longest[1:] not in (sorted(longest[1:]), sorted(longest[1:], reverse=True))


def test_widths_are_few_and_no_wider_than_they_must() -> None:
    widths = [padded_width(longest) for longest in range(1, 801)]
    assert widths[:16] == [*range(1, 17)]
    assert all(longest <= width <= 1.125 * longest for longest, width in enumerate(widths, 1))
    assert len(set(widths)) <= 16 + 8 * 6
    assert widths == sorted(widths)


def test_no_batch_is_wider_than_the_longest_sequence() -> None:
    tokens = Tokens.of([[1] * length for length in (33, 20, 17, 3)])
    batches = TokenBatches(TokenExamples(tokens, np.zeros(4)), 1, Streams(0))
    widths = {np.asarray(batch.items).shape[1] for batch in PaddedBatches(batches).epoch(0)}
    assert widths == {33, 20, 18, 3}


@pytest.mark.parametrize(("count", "size"), [(0, 4), (4, 0)])
def test_nothing_to_cut_is_refused(count: int, size: int) -> None:
    with pytest.raises(InputError):
        TokenBatches(examples(count), size, Streams(0))


def width(longest: int, every: TokenExamples) -> int:
    return min(padded_width(longest), int(every.tokens.lengths.max()))


def test_padded_batches_are_the_same_from_the_left() -> None:
    given_examples = examples(50)
    batches = TokenBatches(given_examples, 8, Streams(0))
    padded = PaddedBatches(batches)
    assert padded.per_epoch == batches.per_epoch
    for filled, batch in zip(padded.epoch(2, 1), batches.epoch(2, 1), strict=True):
        assert isinstance(filled.items, np.ndarray)
        longest = int(tokens(batch).lengths.max())
        assert filled.items.shape == (len(batch.labels), width(longest, given_examples))
        np.testing.assert_array_equal((filled.items >= 0).sum(axis=1), tokens(batch).lengths)
        np.testing.assert_array_equal(filled.items[:, :longest], tokens(batch).padded(-1))
        np.testing.assert_array_equal(filled.indices, batch.indices)


def test_padded_to_the_longest_of_a_batch_or_to_one_width() -> None:
    batches = TokenBatches(examples(60), 8, Streams(0))
    for batch, padded in zip(batches.epoch(2, 3), PaddedBatches(batches).epoch(2, 3), strict=True):
        assert isinstance(padded.items, np.ndarray)
        longest = int(tokens(batch).lengths.max())
        assert padded.items.shape[1] == width(longest, batches.examples)
        assert padded.indices.tolist() == batch.indices.tolist()
        for place, row in enumerate(padded.items):
            assert row[row >= 0].tolist() == tokens(batch)[place].tolist()
    wide = PaddedBatches(batches, 5)
    assert wide.per_epoch == batches.per_epoch
    assert all(np.asarray(batch.items).shape[1] == 5 for batch in wide.epoch(0))
