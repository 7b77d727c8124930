"""One answer to whether anything may be fetched, here and in the processes that are started."""

import os
import subprocess
import sys
from contextlib import suppress

import pytest

from bakeoff.core.offline import VARIABLES, is_offline, offline


@pytest.fixture(autouse=True)
def _unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_is_read_alike(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert not is_offline()
    for value in ("1", "ON", "true", "Yes"):
        monkeypatch.setenv(name, value)
        assert is_offline(), value
    for value in ("0", "off", "no", "false", ""):
        monkeypatch.setenv(name, value)
        assert not is_offline(), value


@pytest.mark.parametrize("before", [None, "off"])
def test_it_is_said_meanwhile_and_not_after(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before is not None:
        monkeypatch.setenv(VARIABLES[0], before)
    with offline():
        assert is_offline()
    assert os.environ.get(VARIABLES[0]) == before
    with suppress(KeyError), offline():
        raise KeyError
    assert os.environ.get(VARIABLES[0]) == before


def test_processes_started_meanwhile_know() -> None:
    code = "from bakeoff.core.offline import is_offline; print(is_offline())"
    with offline():
        told = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    assert told.stdout.strip() == "True"
