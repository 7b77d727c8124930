"""Tests of where data sets are looked for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bakeoff.core.cache import cache_folder
from bakeoff.data.catalogue import DATASETS
from bakeoff.data.sources import candidates, locate, mirrored, missing_files

MNIST = DATASETS["mnist"]


def test_the_order_of_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert candidates(MNIST) == (Path("data/mnist"), tmp_path / "cache/datasets/mnist")
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "mine"))
    assert candidates(MNIST)[0] == tmp_path / "mine" / "mnist"
    assert candidates(DATASETS["digits"]) == ()


def test_the_cache_is_the_users_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAKEOFF_CACHE")
    assert "bakeoff" in cache_folder().parts
    monkeypatch.setenv("BAKEOFF_CACHE", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"


def test_a_set_that_is_not_whole_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toys: dict[str, Callable[[Path], None]]
) -> None:
    assert locate(MNIST) is None
    for root in (tmp_path / "mine", Path("data"), tmp_path / "cache" / "datasets"):
        (root / "mnist").mkdir(parents=True)
        toys["mnist"](root / "mnist")
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "mine"))
    assert locate(MNIST) == tmp_path / "mine" / "mnist"
    (tmp_path / "mine/mnist/train-labels-idx1-ubyte.gz").unlink()
    assert missing_files(MNIST, tmp_path / "mine/mnist") == ("train-labels-idx1-ubyte",)
    assert locate(MNIST) == Path("data/mnist")
    (Path("data") / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    assert locate(MNIST) == tmp_path / "cache" / "datasets" / "mnist"


def test_the_nearest_layout_tells_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "kmnist-test-imgs.npz").touch()
    missing = missing_files(DATASETS["kmnist"], tmp_path)
    assert missing == (
        "kmnist-train-imgs.npz",
        "kmnist-train-labels.npz",
        "kmnist-test-labels.npz",
    )


def test_mirrors_offer_the_same_files() -> None:
    (item,) = mirrored(("http://a/", "http://b/"), (("f.gz", 3, "00"),))
    assert item.urls == ("http://a/f.gz", "http://b/f.gz")
    assert (item.file, item.size_bytes, item.sha256, item.members) == ("f.gz", 3, "00", ())
