"""Small data sets in their publishers' formats, and an environment of their own for each test."""

import gzip
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.data.contract import real_set

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.offline import VARIABLES
from bakeoff.data import catalogue
from bakeoff.data.dataset import Dataset, numbered

REAL = os.environ.get("BAKEOFF_DATA")
"""Where the real sets are, before the tests hide it."""

TOY_TRAIN, TOY_TEST = 60, 30

Images = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No data set, cache or setting of the user is seen."""
    for name in ("BAKEOFF_DATA", *VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    catalogue.forget()
    yield
    catalogue.forget()


def pixels(count: int, *shape: int, seed: int = 0) -> Images:
    """Random images, which are all different and of all values."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def cycle(count: int, classes: int) -> NDArray[np.int64]:
    """Labels 0, 1, ..., 0, 1, ..."""
    return np.arange(count, dtype=np.int64) % classes


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """An array in the IDX format."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write_idx_set(folder: Path, *, packed: bool = True) -> None:
    """A set laid out as MNIST is."""
    for prefix, count in (("train", TOY_TRAIN), ("t10k", TOY_TEST)):
        files = {
            f"{prefix}-images-idx3-ubyte": pixels(count, 28, 28, seed=count),
            f"{prefix}-labels-idx1-ubyte": cycle(count, 10).astype(np.uint8),
        }
        for name, array in files.items():
            data = idx_bytes(array)
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(data) if packed else data)


def write_kmnist_7011(folder: Path) -> None:
    """The .npz files with 60 in place of 7,011 training images."""
    images, labels = pixels(TOY_TRAIN, 28, 28), cycle(TOY_TRAIN, 10).astype(np.uint8)
    np.savez(folder / "kmnist-train-7011.npz", images=images, labels=labels)
    np.savez(folder / "kmnist-test-imgs.npz", pixels(TOY_TEST, 28, 28, seed=1))
    np.savez(folder / "kmnist-test-labels.npz", cycle(TOY_TEST, 10).astype(np.uint8))


def cifar_bytes(count: int, seed: int = 0) -> bytes:
    """Records of a label and three planes."""
    planes = pixels(count, 3 * 32 * 32, seed=seed)
    labels = cycle(count, 10).astype(np.uint8)[:, None]
    return np.concatenate([labels, planes], axis=1).tobytes()


def write_cifar10(folder: Path) -> None:
    """Five training files of 12 records and a test file of 30."""
    below = folder / "cifar-10-batches-bin"
    below.mkdir()
    for i in range(1, 6):
        (below / f"data_batch_{i}.bin").write_bytes(cifar_bytes(TOY_TRAIN // 5, seed=i))
    (below / "test_batch.bin").write_bytes(cifar_bytes(TOY_TEST, seed=9))


def write_wikitext(folder: Path) -> None:
    """Articles of one sentence."""
    for name, count in (("train", TOY_TRAIN), ("valid", TOY_TEST), ("test", TOY_TEST)):
        texts = [f" \n = Article {i} = \n \n It is of {name} . \n" for i in range(count)]
        (folder / f"wiki.{name}.raw").write_text("".join(texts), encoding="utf-8")


def write_imdb(folder: Path) -> None:
    """Films of three reviews each: 60 to train, 30 to test."""
    for half, count in (("train", TOY_TRAIN), ("test", TOY_TEST)):
        for part, word in (("neg", "dull"), ("pos", "fine")):
            below = folder / "aclImdb" / half / part
            below.mkdir(parents=True)
            for i in range(count // 2):
                text = f"Review {i} of {half}:<br /><br />a {word} film, {'so ' * (i % 5)}{word}."
                (below / f"{i}_{7 if part == 'pos' else 2}.txt").write_text(text, "utf-8")
            urls = [f"http://films/{half}/{i // 3}/usercomments\n" for i in range(count // 2)]
            (folder / "aclImdb" / half / f"urls_{part}.txt").write_text("".join(urls))


def news_bytes(count: int, what: str) -> bytes:
    """A header-less CSV of classes 1 to 4, titles and descriptions."""
    row = '"{}","Item {} of {}","With a ""quote"", and \\ #36;{} of {}."\n'
    words = ("wars", "games", "markets", "rockets")
    rows = [row.format(i % 4 + 1, i, what, i, words[i % 4]) for i in range(count)]
    return "".join(rows).encode()


def write_ag_news(folder: Path) -> None:
    """Both files."""
    (folder / "train.csv").write_bytes(news_bytes(TOY_TRAIN, "train"))
    (folder / "test.csv").write_bytes(news_bytes(TOY_TEST, "test"))


def write_cola(folder: Path) -> None:
    """A training file, and two files of 15 and 15 that are test."""
    below = folder / "cola_public" / "raw"
    below.mkdir(parents=True)
    half = TOY_TEST // 2
    files = {"in_domain_train": TOY_TRAIN, "in_domain_dev": half, "out_of_domain_dev": half}
    for name, count in files.items():
        rows = [f'book\t{i % 2}\t{"" if i % 2 else "*"}\tHe "{name} {i}\n' for i in range(count)]
        (below / f"{name}.tsv").write_text("".join(rows))


TOYS: dict[str, Callable[[Path], None]] = {
    "ag-news": write_ag_news,
    "ag-news-7600": write_ag_news,
    "cifar10": write_cifar10,
    "cola": write_cola,
    "fashion-mnist": write_idx_set,
    "imdb": write_imdb,
    "imdb-712": write_imdb,
    "kmnist": write_idx_set,
    "kmnist-7011": write_kmnist_7011,
    "mnist": write_idx_set,
    "wikitext-2": write_wikitext,
}
"""How to write each set of the catalogue that has files, small."""


@pytest.fixture
def toys() -> dict[str, Callable[[Path], None]]:
    return TOYS


@pytest.fixture
def write_toy(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the small counterpart of a set and returns its folder."""

    def write(name: str) -> Path:
        folder = tmp_path / "toys" / (catalogue.DATASETS[name].folder or name)
        folder.mkdir(parents=True, exist_ok=True)
        TOYS[name](folder)
        return folder

    return write


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Dataset]:
    """Loads a real set, or skips the test and says why."""

    def load(name: str) -> Dataset:
        if REAL is not None:
            monkeypatch.setenv("BAKEOFF_DATA", REAL)
        folder = catalogue.DATASETS[name].folder
        if folder is not None and (REAL is None or not (Path(REAL) / folder).is_dir()):
            pytest.skip(f"$BAKEOFF_DATA ({REAL or 'not set'}) has no folder {folder}")
        try:
            return real_set(name)
        except InputError as error:
            pytest.skip(f"$BAKEOFF_DATA lacks {name}: {error}")

    return load


@pytest.fixture
def make_examples() -> Callable[..., Examples]:
    """Builds examples of random images with given labels."""

    def make(
        labels: list[int] | NDArray[np.int64],
        *,
        side: int = 4,
        seed: int = 0,
        groups: NDArray[np.int64] | None = None,
    ) -> Examples:
        array = np.asarray(labels, dtype=np.int64)
        items = pixels(len(array), side, side, 1, seed=seed)
        return Examples(items, array, numbered(len(array)), groups)

    return make


@pytest.fixture
def make_dataset(make_examples: Callable[..., Examples]) -> Callable[..., Dataset]:
    """Builds a data set of random images with given training labels."""

    def make(
        labels: list[int] | NDArray[np.int64],
        *,
        validation: list[int] | None = None,
        groups: NDArray[np.int64] | None = None,
        test: int = 30,
    ) -> Dataset:
        classes = tuple("abcdefghijklmnopqrst"[: int(max(labels)) + 1])
        published = None if validation is None else make_examples(validation, seed=2)
        return Dataset(
            "made",
            "image",
            classes,
            make_examples(labels, groups=groups),
            make_examples(cycle(test, len(classes)), seed=1) if test else None,
            published,
        )

    return make


@pytest.fixture
def make_cycle() -> Callable[[int, int], NDArray[np.int64]]:
    return cycle


@pytest.fixture
def make_pixels() -> Callable[..., Images]:
    return pixels


@pytest.fixture
def make_idx() -> Callable[[NDArray[np.uint8]], bytes]:
    return idx_bytes


@pytest.fixture
def make_cifar() -> Callable[..., bytes]:
    return cifar_bytes
