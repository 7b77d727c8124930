"""The page on counters says what was counted, and what was counted is right."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from tests.docs.conftest import Program

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def counters(program: Program) -> ModuleType:
    return program("benchmarks/counters.py")


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    path = ROOT / "benchmarks" / "results" / "counters.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_the_page_says_what_was_counted(counters: ModuleType, result: dict[str, Any]) -> None:
    text = counters.PAGE.read_text(encoding="utf-8")
    assert [match[2] for match in counters.BLOCK.finditer(text)] == ["macs", "parameters"]
    assert counters.filled(text, result) == text, "run python benchmarks/counters.py"
    for name, version in result["versions"].items():
        assert f"{name} {version}" in text


def test_a_changed_figure_is_seen(counters: ModuleType, result: dict[str, Any]) -> None:
    text = counters.PAGE.read_text(encoding="utf-8")
    broken = text.replace("40,551,040", "40,551,041", 1)
    assert broken != text
    assert counters.filled(broken, result) == text


def test_ours_is_right_everywhere_and_the_results_are_of_these_cases(
    counters: ModuleType, result: dict[str, Any]
) -> None:
    rows = {row["case"]: row for row in result["cases"]}
    found = counters.cases()
    assert len(found) == len(result["cases"]) >= 12
    for case, row in zip(found, result["cases"], strict=True):
        assert (row["case"], row["macs"], row["parameters"]) == (
            case.name,
            case.macs,
            case.parameters,
        )
        counted = counters.count(case, "bakeoff")
        assert (counted["macs"], counted["parameters"]) == (case.macs, case.parameters)
        assert row["counters"]["bakeoff"] == counted
    resnet = rows["ResNet-20, shortcuts without weights"]
    assert (resnet["macs"], resnet["parameters"]) == (40_551_040, 269_722)


def test_torchs_column_is_what_torch_counts(counters: ModuleType, result: dict[str, Any]) -> None:
    if result["versions"]["torch"] != torch.__version__:
        pytest.skip(f"counted with torch {result['versions']['torch']}")
    for case, row in zip(counters.cases(), result["cases"], strict=True):
        assert counters.count(case, "torch") == row["counters"]["torch"], case.name


def test_every_other_counter_misses_something(result: dict[str, Any]) -> None:
    """What the page is about; should a new version be right, the page has to be written anew."""
    for name in set(result["versions"]) - {"bakeoff"}:
        assert any(row["counters"][name]["macs"] != row["macs"] for row in result["cases"]), name


def test_what_is_missing_is_told_and_left_out(
    counters: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counters, "LIBRARIES", {"nowhere": "no_such_counter"})
    assert counters.available() == ["bakeoff", "torch"]
    assert "nowhere: left out" in capsys.readouterr().err
