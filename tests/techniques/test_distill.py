"""A study with a teacher, from beginning to end."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calling import Caller, assert_clear
from tests.contracts.small import dataset_of

from bakeoff.core.errors import InputError
from bakeoff.techniques import find

STUDY = """\
question: Does a teacher help on few digits?
dataset: digits
margin: 0.01
seeds: {exactly: 2}
control:
  name: student
  technique: cnn
  numerics: {threads: 1}
  model: {name: simple-cnn, width: 2}
  training: {epochs: 1}
variants:
  teacher: {model.width: 8}
  distilled: {training.teacher: {recipe: teacher}}
  preset: {technique: distill, training: {epochs: 1}}
"""


def test_a_teacher_is_needed() -> None:
    technique = find("distill")
    assert technique.settings.parse({}) != find("cnn").settings.parse({})
    with pytest.raises(InputError, match=r"training\.teacher"):
        technique.settings.parse({"training": {"teacher": None}})


@pytest.fixture
def bakeoff(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(monkeypatch, capsys)


def test_study(bakeoff: Caller, tmp_path: Path) -> None:
    path, out = tmp_path / "study.yaml", tmp_path / "run"
    path.write_text(STUDY, encoding="utf-8")
    called = bakeoff("run", path, "--out", out)
    assert called.code == 0, called
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    costs = {name: recipe["cost"] for name, recipe in results["recipes"].items()}
    assert costs["student"]["upstream_seconds"] == 0
    assert costs["distilled"]["upstream_seconds"] > 0
    assert costs["distilled"]["parameters"] == costs["student"]["parameters"]
    assert costs["distilled"]["parameters"] < costs["teacher"]["parameters"]
    assert bakeoff("verify", out).code == 0


TEXTS = """\
question: Does a teacher help a small network on few texts?
dataset: {table: TABLE}
margin: 0.01
seeds: {exactly: 2}
control:
  name: student
  technique: lstm
  numerics: {threads: 1}
  data: {labels: 90}
  words: {length: 6, size: 60, minimum_count: 1}
  model: {embedding: 4, hidden: 4}
  training: {epochs: 2}
variants:
  teacher: {technique: bag-of-words}
  distilled: {training.teacher: {recipe: teacher}}
  more: {training.teacher: {recipe: teacher, extra: MORE}}
"""


def test_study_of_texts(bakeoff: Caller, tmp_path: Path) -> None:
    dataset_of("text", tmp_path)
    more, path, out = (tmp_path / name for name in ("more.txt", "study.yaml", "run"))
    written = TEXTS.replace("TABLE", str(tmp_path / "texts.csv")).replace("MORE", str(more))
    path.write_text(written, encoding="utf-8")
    told = assert_clear(bakeoff("run", path, "--out", out))
    assert f"variants.more.training.teacher.extra: {more}: cannot be read" in told
    assert not out.exists()
    more.write_text("it is fine and warm\nit was rude\n", encoding="utf-8")
    called = bakeoff("run", path, "--out", out)
    assert called.code == 0, called

    def record(recipe: str) -> Any:
        return json.loads((out / f"cells/{recipe}/seed-0/record.json").read_text(encoding="utf-8"))

    first = record("more")
    assert first["recipe"]["training"]["teacher"]["extra"]["hash"]
    assert any("2 texts of " in note for note in first["notes"])
    assert record("distilled")["cost"]["upstream_seconds"] > 0
    assert bakeoff("verify", out).code == 0
    kept = record("distilled")["key"]
    more.write_text("it was rude\n", encoding="utf-8")
    called = bakeoff("run", path, "--out", out)
    assert called.code == 0, called
    assert record("more")["key"] != first["key"]
    assert record("distilled")["key"] == kept


def test_a_missing_teacher(bakeoff: Caller, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("  teacher: {model.width: 8}\n", ""), encoding="utf-8")
    told = assert_clear(bakeoff("run", path, "--out", tmp_path / "run"))
    assert "unknown recipe 'teacher'" in told
