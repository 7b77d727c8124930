"""What every data set keeps, small or whole, and the real ones, each of which is read once."""

import numpy as np
import pytest

from bakeoff.core.offline import offline
from bakeoff.data import catalogue
from bakeoff.data.dataset import Dataset
from bakeoff.data.sources import Entry

_loaded: dict[str, Dataset] = {}


def real_set(name: str) -> Dataset:
    """A real set of the catalogue, the same for all tests of a process; none writes into it."""
    if name not in _loaded:
        with offline():
            _loaded[name] = catalogue.load(name)
    return _loaded[name]


def keeps_contract(dataset: Dataset, entry: Entry) -> None:
    """What holds for every data set, small or whole."""
    assert dataset.name == entry.name
    assert dataset.modality == entry.modality
    assert dataset.classes == entry.classes
    assert dataset.shape == entry.shape
    assert (dataset.test is not None) == (entry.sizes[1] > 0)
    for examples in dataset.splits.values():
        items = examples.items
        assert examples.labels.shape == examples.ids.shape == (len(examples),)
        if entry.modality == "text":
            assert isinstance(items, list)
            assert len(items) == len(examples)
            assert all(isinstance(text, str) for text in items)
            if entry.classes:
                assert set(np.unique(examples.labels)) == set(range(len(entry.classes)))
            else:
                assert examples.labels.tolist() == [len(text.split()) for text in items]
            assert len(set(examples.ids.tolist())) == len(examples)
            assert examples[-1] == (items[-1], examples.labels[-1])
            continue
        assert isinstance(items, np.ndarray)
        assert items.shape == (len(examples), *entry.shape)
        assert items.flags.c_contiguous
        if entry.modality == "numbers":
            assert items.dtype == examples.labels.dtype == np.float64
            assert np.isfinite(items).all()
        else:
            assert items.dtype == np.uint8
            assert items.max() > 200  # spread over 0..255, not 0..16 or 0..1
            assert examples.labels.dtype == np.int64
            assert set(np.unique(examples.labels)) == set(range(len(entry.classes)))
        assert len(set(examples.ids.tolist())) == len(examples)
        first, last = examples[0], examples[-1]
        assert first[0].tolist() == items[0].tolist()
        assert last[1] == examples.labels[-1]
        with pytest.raises(IndexError):
            examples[len(examples)]
