"""The file of texts, with how varied they are."""

import json
from pathlib import Path

import pytest

from bakeoff.analysis.writing import WRITING, write_writing
from bakeoff.core.protocols import Written


def test_written(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    texts = Written(("a b", "c"), ("x x x x x x", "y"), ("p q r s t", "u v"))
    write_writing(folder, {"plain": texts}, {"keys": {"plain": "0"}})
    content = json.loads((folder / WRITING).read_text(encoding="utf-8"))
    assert content["about"] == {"keys": {"plain": "0"}}
    entry = content["recipes"]["plain"]
    assert entry["prompts"] == ["a b", "c"]
    assert entry["after"] == ["p q r s t", "u v"]
    assert entry["variety"]["before"]["distinct_1"] == 2 / 7
    assert entry["variety"]["before"]["repetition_4"] == pytest.approx((2 / 3) / 2)
    assert entry["variety"]["after"]["repetition_4"] == 0
