"""Tests of the hashes of examples."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import numpy as np

from bakeoff.core.examples import Examples
from bakeoff.data.hashing import examples_hash, item_digests

CLASSES = ("a", "b")


def texts(*items: str) -> Examples:
    labels = np.arange(len(items), dtype=np.int64) % 2
    return Examples(list(items), labels, np.array([str(i) for i in range(len(items))]))


def test_the_hash_is_that_of_these_bytes() -> None:
    # Records on disk are compared by it: another recipe here would disown all of them.
    items = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    examples = Examples(items, np.array([0, 1]), np.array(["x", "y"]))
    labels = bytes(8) + b"\1" + bytes(7)
    content = b'["examples",["a","b"],2]' + labels + b"[2,2,2,1]" + bytes(range(8))
    assert examples_hash(examples, CLASSES) == sha256(content).hexdigest()
    lengths = b"\2" + bytes(7) + b"\1" + bytes(7)
    content = b'["examples",["a","b"],2]' + labels + lengths + "é".encode() + b"b"
    assert examples_hash(texts("é", "b"), CLASSES) == sha256(content).hexdigest()


def test_the_hash_sees_items_labels_and_classes(make_examples: Callable[..., Examples]) -> None:
    examples = make_examples([0, 1, 0])
    hashes = {
        examples_hash(examples, CLASSES),
        examples_hash(examples, ("a", "c")),
        examples_hash(replace(examples, labels=np.array([0, 1, 1])), CLASSES),
        examples_hash(make_examples([0, 1, 0], seed=1), CLASSES),
        examples_hash(
            replace(examples, items=np.asarray(examples.items).reshape(3, 2, 8, 1)), CLASSES
        ),
    }
    assert len(hashes) == 5


def test_the_hash_does_not_see_ids_groups_and_layout(
    make_examples: Callable[..., Examples],
) -> None:
    examples = make_examples([0, 1, 0])
    other = Examples(
        np.asfortranarray(examples.items),
        examples.labels.astype(np.int32),
        np.array(["p", "q", "r"]),
        np.zeros(3, dtype=np.int64),
    )
    assert examples_hash(other, CLASSES) == examples_hash(examples, CLASSES)


def test_texts_cannot_run_into_each_other() -> None:
    assert examples_hash(texts("ab", "c"), CLASSES) != examples_hash(texts("a", "bc"), CLASSES)


def test_broken_surrogates_are_hashed() -> None:
    assert examples_hash(texts("\ud800"), CLASSES) != examples_hash(texts("?"), CLASSES)
    assert len(item_digests(["\ud800"])) == 1


def test_no_examples_have_a_hash(make_examples: Callable[..., Examples]) -> None:
    assert len(examples_hash(make_examples([]), CLASSES)) == 64
    assert item_digests([]).shape == (0,)


def test_digests_are_equal_for_equal_items() -> None:
    images = np.zeros((4, 2, 2, 1), dtype=np.uint8)
    images[2] = 1
    digests = item_digests(images)
    assert digests.dtype == np.uint64
    assert digests[0] == digests[1] == digests[3] != digests[2]
    assert len(set(item_digests(["a", "b", "a"]).tolist())) == 2
