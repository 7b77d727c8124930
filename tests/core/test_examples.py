"""Examples: a map-style data set that a torch DataLoader can read too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch.utils.data

from bakeoff.core.examples import Examples, take_items

IDS = np.array(["a", "b", "c"])
LABELS = np.array([2, 0, -1])
IMAGES = np.arange(3 * 2 * 2 * 1, dtype=np.uint8).reshape(3, 2, 2, 1)


def test_images_and_texts_have_one_face() -> None:
    images, texts = Examples(IMAGES, LABELS, IDS), Examples(["x", "y", "z"], LABELS, IDS)
    assert len(images) == len(texts) == 3
    assert texts[1] == ("y", 0)
    assert images[0][0].shape == (2, 2, 1)
    assert [texts[i][1] for i in range(3)] == [2, 0, -1]
    assert type(images[0][1]) is int
    for examples in (images, texts):
        with pytest.raises(IndexError):
            examples[3]


def test_what_is_taken_is_a_copy() -> None:
    examples = Examples(IMAGES.copy(), LABELS.copy(), IDS, np.array([5, 5, 6]))
    taken = examples.take(np.array([2, 0, 2]))
    assert taken.ids.tolist() == ["c", "a", "c"]
    assert taken.labels.tolist() == [-1, 2, -1]
    assert taken.groups is not None
    assert taken.groups.tolist() == [6, 5, 6]
    assert isinstance(taken.items, np.ndarray)
    taken.items[:] = 9
    taken.labels[:] = 9
    assert np.array_equal(examples.items, IMAGES)
    assert np.array_equal(examples.labels, LABELS)
    texts = Examples(["x", "y", "z"], LABELS, IDS).take(np.array([1, 1]))
    assert texts.items == ["y", "y"]
    assert texts.groups is None


def test_images_may_stay_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    taken = take_items(mapped, np.array([1]))
    assert np.array_equal(np.asarray(taken), IMAGES[1:2])
    assert not np.shares_memory(np.asarray(taken), mapped)


def test_a_data_loader_reads_them() -> None:
    examples: Any = Examples(IMAGES, LABELS, IDS)
    batches = list(torch.utils.data.DataLoader(examples, batch_size=2))
    assert torch.equal(batches[0][0], torch.from_numpy(IMAGES[:2]))
    assert batches[1][1].tolist() == [-1]
