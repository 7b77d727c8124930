"""Every test has places of its own for the ledger and the cache, never the user's."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# Started in the background or by nohup, a process ignores these, and so would every child of ours.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
# Small products on busy cores spend their time waiting for each other; set before NumPy loads.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")
# Collecting makes a million objects that all stay.
gc.disable()


def pytest_collection_finish() -> None:
    """What was imported and collected is no garbage: nobody is to look through it again."""
    gc.enable()
    gc.freeze()


def _isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setenv("BAKEOFF_STATE", str(home / "state"))
    patch.setenv("BAKEOFF_CACHE", str(home / "cache"))


@pytest.fixture(scope="session", autouse=True)
def _isolated_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For what several tests share."""
    with pytest.MonkeyPatch.context() as patch:
        _isolate(patch, tmp_path_factory.mktemp("home"))
        # Only a power cut would show whether files are synced, and it takes half of the time.
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def _isolated_test(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _isolate(monkeypatch, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module", autouse=True)
def _little_garbage() -> None:
    """Every fit is measured after a collection, which takes a second where much was imported."""
    gc.collect()
    gc.freeze()
