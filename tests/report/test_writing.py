"""The tables of what language models write."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from bakeoff.report.folder import RunFolder
from bakeoff.report.words import THIN
from bakeoff.report.writing import LONGEST, tables

ENTRY: dict[str, Any] = {
    "prompts": ["the river", "a town"],
    "before": ["x" * 2 * LONGEST, "y"],
    "after": ["runs past", "is <quiet>"],
    "variety": {
        "before": {"distinct_1": 0.25, "distinct_2": 0.5, "repetition_4": 0.75},
        "after": {"distinct_1": 1.0},
    },
}


def folder(path: Path, content: object = None) -> RunFolder:
    recipes = [SimpleNamespace(name="lm", index=1), SimpleNamespace(name="other", index=0)]
    if content is not None:
        (path / "artifacts").mkdir()
        (path / "artifacts" / "writing.json").write_text(json.dumps(content), encoding="utf-8")
    return cast(RunFolder, SimpleNamespace(path=path, results=SimpleNamespace(recipes=recipes)))


def test_texts_stand_side_by_side(tmp_path: Path) -> None:
    variety, texts = tables(folder(tmp_path, {"recipes": {"lm": ENTRY, "gone": ENTRY}}))
    shown = [cell.text.replace(THIN, "") for cell in variety.rows[0]]
    assert shown[:4] == ["lm", "25%", "100%", "50%"]
    assert variety.rows[0][4].text == "\N{EN DASH}"
    assert variety.rows[0][0].recipe == 1
    assert len(variety.header) == len(variety.rows[0])
    assert texts.caption == "What lm writes"
    assert [cell.text for cell in texts.rows[1]] == ["a town", "y", "is <quiet>"]
    assert len(texts.rows[0][1].text) < LONGEST + 5


def test_nothing_where_nothing_was_written(tmp_path: Path) -> None:
    assert tables(folder(tmp_path)) == []
    other = tmp_path / "other"
    other.mkdir()
    assert tables(folder(other, ["no mapping"])) == []
    broken = tmp_path / "broken"
    broken.mkdir()
    found = tables(folder(broken, {"recipes": {"lm": {"prompts": 3}}}))
    assert [len(table.rows) for table in found] == [1, 0]
