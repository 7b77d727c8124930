"""The catalogue of data sets, and the one way to load any data set.

To add one: a file with its loader and its `Entry`, a line in `DATASETS`, a small counterpart in its
publisher's format in the tests.
"""

import os
import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from stat import S_ISREG

from bakeoff.core.errors import InputError, unknown
from bakeoff.core.offline import is_offline
from bakeoff.core.recipe import (
    CorpusSource,
    DatasetReference,
    FolderSource,
    HubSource,
    TableSource,
)
from bakeoff.data import sources
from bakeoff.data.ag_news import AG_NEWS, AG_NEWS_7600
from bakeoff.data.cifar10 import CIFAR10
from bakeoff.data.cola import COLA
from bakeoff.data.dataset import Dataset
from bakeoff.data.digits import DIGITS
from bakeoff.data.fashion_mnist import FASHION_MNIST
from bakeoff.data.generated import NOISE_CANCELLING, SYSTEM_IDENTIFICATION, TWO_INPUTS
from bakeoff.data.imdb import IMDB, IMDB_712
from bakeoff.data.kmnist import KMNIST, KMNIST_7011
from bakeoff.data.mnist import MNIST
from bakeoff.data.movie_reviews import MOVIE_REVIEWS
from bakeoff.data.sources import Entry
from bakeoff.data.wikitext import WIKITEXT_2

DATASETS: dict[str, Entry] = {
    "ag-news": AG_NEWS,
    "ag-news-7600": AG_NEWS_7600,
    "cifar10": CIFAR10,
    "cola": COLA,
    "digits": DIGITS,
    "fashion-mnist": FASHION_MNIST,
    "imdb": IMDB,
    "imdb-712": IMDB_712,
    "kmnist": KMNIST,
    "kmnist-7011": KMNIST_7011,
    "mnist": MNIST,
    "movie-reviews": MOVIE_REVIEWS,
    "noise-cancelling": NOISE_CANCELLING,
    "system-identification": SYSTEM_IDENTIFICATION,
    "two-inputs": TWO_INPUTS,
    "wikitext-2": WIKITEXT_2,
}

KEPT = 3
"""Data sets kept in memory, so that the cells of a study share one copy."""

_kept: "OrderedDict[tuple[object, ...], Dataset]" = OrderedDict()
_lock = threading.RLock()


def load(reference: DatasetReference) -> Dataset:
    """A data set, in memory; the same object again while its files do not change.

    A set of the catalogue is looked for in `$BAKEOFF_DATA`, `./data` and the cache, and is then
    downloaded into the cache, unless the program is offline.

    Args:
        reference: A name of the catalogue, a folder of images, a table of texts or numbers, texts
            of a hub, or a text file.

    Returns:
        The set with its test split. Its arrays are shared: do not write into them.

    Raises:
        InputError: where the name is unknown, or the files are missing, damaged or unfit.
        DiskError: where the cache cannot be written.
    """
    with _lock:
        folder = None if not isinstance(reference, str) else _folder(find(reference))
        key = (reference, *_state(reference, folder))
        if key not in _kept:
            _kept[key] = _read(reference, folder)
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
        return _kept[key]


def forget() -> None:
    """Let go of the data sets kept in memory."""
    with _lock:
        _kept.clear()


def find(name: str) -> Entry:
    """The entry of a set of the catalogue.

    Raises:
        InputError: where there is none of this name; tells the nearest.
    """
    if name not in DATASETS:
        raise unknown("data set", name, sorted(DATASETS), "dataset")
    return DATASETS[name]


def _folder(entry: Entry) -> Path | None:
    """The folder a set is in, downloaded if need be; None for one that comes with a package."""
    if entry.folder is None:
        return None
    folder = sources.locate(entry)
    if folder is not None:
        return folder
    if is_offline() or not entry.downloads:
        raise InputError(_not_found(entry))
    from bakeoff.data.fetch import fetch

    return fetch(entry)


def _not_found(entry: Entry) -> list[str]:
    looked = []
    for folder in sources.candidates(entry):
        lacks = sources.missing_files(entry, folder)
        why = f"lacks {', '.join(lacks)}" if folder.is_dir() else "no such folder"
        looked.append(f"  {folder}: {why}")
    reason = "and downloads are off" if entry.downloads else "and it cannot be downloaded"
    return [f"data set '{entry.name}' is not on this machine, {reason}; looked in", *looked]


def _read(reference: DatasetReference, folder: Path | None) -> Dataset:
    if isinstance(reference, FolderSource):
        from bakeoff.data.folder import load_folder

        return load_folder(reference)
    if isinstance(reference, TableSource):
        if reference.target is not None:
            from bakeoff.data.numbers import load_numbers

            return load_numbers(reference)
        from bakeoff.data.tables import load_table

        return load_table(reference)
    if isinstance(reference, HubSource):
        from bakeoff.data.hub import load_hub

        return load_hub(reference)
    if isinstance(reference, CorpusSource):
        from bakeoff.data.corpus import load_corpus

        return load_corpus(reference)
    entry = DATASETS[reference]
    dataset = entry.load(folder or Path())
    if entry.hash in (None, dataset.hash):
        return dataset
    note = f"{folder}: not the published content of {entry.name} (its hash differs)"
    return replace(dataset, notes=(*dataset.notes, note))


def _state(reference: DatasetReference, folder: Path | None) -> tuple[object, ...]:
    """What changes when the files behind a reference do: place, number, bytes, newest change."""
    root = folder if isinstance(reference, str) else Path(_place(reference))
    if root is None:
        return ()
    below: list[str | Path] = [
        os.path.join(top, name) for top, _, names in os.walk(root) for name in names
    ]
    states = [state for path in below or [root] if (state := _file(path)) is not None]
    newest = max((state.st_mtime_ns for state in states), default=0)
    return (str(root.absolute()), len(states), sum(s.st_size for s in states), newest)


def _place(reference: FolderSource | TableSource | HubSource | CorpusSource) -> str:
    """The path of a reference; a data set of a hub has none, and no file lies there."""
    if isinstance(reference, FolderSource):
        return reference.folder
    if isinstance(reference, HubSource):
        return reference.hub
    return reference.table if isinstance(reference, TableSource) else reference.corpus


def _file(path: str | Path) -> os.stat_result | None:
    """The state of a file; None for what is none."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state if S_ISREG(state.st_mode) else None
