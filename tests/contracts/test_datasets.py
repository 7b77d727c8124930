"""What every data set of the catalogue promises, tried on each: a new one is found by itself."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from tests.data.contract import keeps_contract, real_set

from bakeoff.core.recipe import DataSettings
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue, sources, splits
from bakeoff.data.catalogue import DATASETS
from bakeoff.data.dataset import Dataset
from bakeoff.data.sources import Entry

MODULES = Path(catalogue.__file__).parent


@pytest.fixture(params=sorted(DATASETS))
def entry(request: pytest.FixtureRequest) -> Entry:
    return DATASETS[request.param]


@pytest.fixture
def dataset(entry: Entry) -> Dataset:
    """The real one; skipped, and said so, where it is not on this machine."""
    if entry.folder is not None and sources.locate(entry) is None:
        given = os.environ.get("BAKEOFF_DATA") or "unset"
        pytest.skip(f"REAL DATA MISSING: {entry.name} is not under BAKEOFF_DATA ({given})")
    return real_set(entry.name)


def test_every_entry_of_the_folder_is_listed() -> None:
    listed = {id(entry) for entry in DATASETS.values()}
    for path in MODULES.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"^([A-Z0-9_]+)\b.*= Entry\(", text, re.MULTILINE):
            module = __import__(f"bakeoff.data.{path.stem}", fromlist=[name])
            assert id(getattr(module, name)) in listed, f"{path.name}: {name} is not in DATASETS"


def test_entry_is_complete(entry: Entry) -> None:
    assert DATASETS[entry.name] is entry
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", entry.name)
    for text in (entry.summary, entry.licence, entry.citation):
        assert text.strip() == text
        assert text
    assert len(entry.summary) <= 80
    assert re.match(r"https?://", entry.homepage)
    assert re.search(r"\b(19|20)\d\d\b", entry.citation), "a citation has a year"
    assert len(set(entry.classes)) == len(entry.classes)
    assert len(entry.classes) >= 2 or entry.modality in ("numbers", "text")
    assert entry.sizes[0] > 0
    assert entry.sizes[1] >= 0
    assert len(entry.shape) == {"image": 3, "text": 0, "numbers": 1}[entry.modality]
    assert entry.load.__doc__
    assert entry.hash is None or re.fullmatch(r"[0-9a-f]{64}", entry.hash)


def test_downloads_are_pinned(entry: Entry) -> None:
    assert (entry.folder is None) == (not entry.layouts)
    assert not (entry.generated and entry.folder)
    for download in entry.downloads:
        assert download.urls
        assert all(re.match(r"https?://", url) for url in download.urls)
        for sha256 in (download.sha256, *(member.sha256 for member in download.members)):
            assert re.fullmatch(r"[0-9a-f]{64}", sha256)
        assert download.size_bytes > 0
        assert all(member.size_bytes > 0 for member in download.members)
    if entry.downloads:
        placed = {m.path for d in entry.downloads for m in d.members}
        placed |= {d.file for d in entry.downloads if not d.members}
        bare = {name.removesuffix(".gz") for name in placed}
        layouts = [{name.removesuffix(".gz") for name in layout} for layout in entry.layouts]
        assert any(layout <= bare for layout in layouts), "what is fetched makes no whole layout"


@pytest.mark.data
def test_content(entry: Entry, dataset: Dataset) -> None:
    keeps_contract(dataset, entry)
    assert (len(dataset.train), len(dataset.test or ())) == entry.sizes
    for examples in dataset.splits.values():
        assert len(examples.items) == len(examples.labels) == len(examples.ids)
        if entry.classes:
            assert examples.labels.dtype == np.int64
            assert np.bincount(examples.labels, minlength=len(entry.classes)).min() > 0
            assert examples.labels.max() == len(entry.classes) - 1
        else:
            assert examples.labels.dtype == np.float64
            assert examples.known.all()
        assert len(set(examples.ids.tolist())) == len(examples)
        if isinstance(examples.items, np.ndarray):
            assert examples.items.dtype == (np.uint8 if entry.modality == "image" else np.float64)
            assert examples.items.shape == (len(examples), *entry.shape)
    assert len(dataset.columns) == (entry.shape[0] if entry.modality == "numbers" else 0)
    assert dataset.clean is None or len(dataset.clean) == len(dataset.test or ())
    if entry.parts:  # each test example is of one
        assert dataset.test is not None
        each = [np.char.startswith(dataset.test.ids, f"{part}-") for part in entry.parts]
        assert np.array_equal(np.sum(each, axis=0), np.ones(len(dataset.test)))


@pytest.mark.data
def test_hashes_are_stable(entry: Entry, dataset: Dataset) -> None:
    assert dataset.hash == entry.hash, "the content is not the one whose hash the entry states"
    assert dataset.notes == ()
    catalogue.forget()
    again = catalogue.load(entry.name)
    assert again is not dataset
    assert entry.sizes[1] == 0 or again.test_hash == dataset.test_hash
    assert again.hash == dataset.hash


@pytest.mark.data
def test_works_under_torch(entry: Entry, dataset: Dataset) -> None:
    import torch
    from torch.utils.data import DataLoader

    loader: DataLoader[tuple[object, int]] = DataLoader(dataset.train, batch_size=4)  # type: ignore[arg-type]
    items, labels = next(iter(loader))
    assert labels.dtype == (torch.int64 if entry.classes else torch.float64)
    assert labels.tolist() == dataset.train.labels[:4].tolist()
    if entry.modality == "image":
        assert items.shape == (4, *entry.shape)
        assert items.dtype == torch.uint8
        np.testing.assert_array_equal(items.numpy(), dataset.train.items[:4])
    elif entry.modality == "text":
        assert list(items) == list(dataset.train.items[:4])


@pytest.mark.data
def test_can_be_split(entry: Entry, dataset: Dataset) -> None:
    budget = 10 * max(len(entry.classes), 1)
    split = splits.draw(dataset, DataSettings(set=entry.name, labels=budget), Streams(0))
    data = split.training_data()
    assert len(data.train) == budget
    if entry.classes:
        assert np.bincount(data.train.labels, minlength=len(entry.classes)).min() > 0
    assert data.task.classes == entry.classes
