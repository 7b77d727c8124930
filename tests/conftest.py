"""Every test has places of its own for the ledger and the cache, never the user's."""

from pathlib import Path

import pytest


def _isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setenv("BAKEOFF_STATE", str(home / "state"))
    patch.setenv("BAKEOFF_CACHE", str(home / "cache"))


@pytest.fixture(scope="session", autouse=True)
def _isolated_session(tmp_path_factory: pytest.TempPathFactory) -> object:
    """For what several tests share."""
    with pytest.MonkeyPatch.context() as patch:
        _isolate(patch, tmp_path_factory.mktemp("home"))
        yield


@pytest.fixture(autouse=True)
def _isolated_test(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    _isolate(monkeypatch, tmp_path_factory.mktemp("home"))
