"""`bakeoff doctor` says what there is, to people and to machines."""

import json
import os

import pytest
from tests.cli.calling import Caller

from bakeoff.cli.doctor import EXTRAS, findings
from bakeoff.scratch import kernels


def test_for_machines(bakeoff: Caller) -> None:
    called = bakeoff("doctor", "--json")
    assert called.code == 0
    assert called.err == ""
    found = json.loads(called.out)
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["threads_used"] >= 1
    assert found["machine"]["memory_bytes"] > found["machine"]["memory_free_bytes"] > 0
    assert found["disk"]["here_free_bytes"] > 0
    assert set(found["extras"]) == set(EXTRAS)
    assert found["data sets"]["digits"] == "with a package"
    assert found["versions"]["torch"]
    assert found["machine"]["kernels"] == kernels.describe()


def test_for_people(bakeoff: Caller) -> None:
    called = bakeoff("doctor")
    assert called.code == 0
    for section in findings():
        assert f"\n{section}\n" in f"\n{called.out}"
    assert "memory free" in called.out
    assert "iB" in called.out
    assert "_bytes" not in called.out


def test_places_that_do_not_exist_yet(monkeypatch: pytest.MonkeyPatch, work: object) -> None:
    monkeypatch.setenv("BAKEOFF_CACHE", f"{work}/not/yet/there")
    found = findings()["disk"]
    assert found["cache"] == f"{work}/not/yet/there"
    assert found["cache_free_bytes"] > 0


def test_tells_what_changes_how_we_work(bakeoff: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_DATA", "/somewhere")
    assert "BAKEOFF_DATA" in bakeoff("doctor").out
    assert findings()["environment"]["BAKEOFF_STATE"] == os.environ["BAKEOFF_STATE"]


def test_missing_extra_says_how_to_get_it(bakeoff: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "parquet", "no_such_module_anywhere")
    assert "not installed (pip install 'bakeoff[parquet]')" in bakeoff("doctor").out
