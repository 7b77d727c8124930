"""Tests of MNIST; its publisher's checksums."""

from pathlib import Path

import pytest

from bakeoff.data.catalogue import load
from bakeoff.data.mnist import DOWNLOADS, FILES, MNIST


def test_downloads_cover_the_layout() -> None:
    assert [item.file for item in DOWNLOADS] == [f"{name}.gz" for name in FILES]
    assert all(len(item.urls) == 2 and item.urls[0].endswith(item.file) for item in DOWNLOADS)


def test_unpacked_files_will_do(
    toys: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    toys["mnist"](folder, packed=False)  # type: ignore[operator]
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path))
    dataset = load("mnist")
    assert dataset.shape == MNIST.shape
    assert dataset.train.labels[:3].tolist() == [0, 1, 2]
