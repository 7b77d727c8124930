"""A run with encoders leaves maps of their vectors, and books their price upstream."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.study.tiny import run, study

from bakeoff.analysis.spaces import Space
from bakeoff.core.files import folder_digests
from bakeoff.core.record import Record
from bakeoff.study import spaces
from bakeoff.study.artifacts import write_artifacts
from bakeoff.study.folder import open_folder
from bakeoff.study.plan import read_plan
from bakeoff.study.prepare import prepare
from bakeoff.study.study import Study
from bakeoff.study.verify import verify

ENCODER = {
    "technique": "contrastive",
    "model": {"name": "mlp", "hidden": [16]},
    "vector": {"dimension": 8},
    "training": {"iterations": 6, "validate_every": 3, "batch_size": 64},
}
FEW = {"iterations": 5}


def given(**changes: Any) -> Study:
    variants = {
        "encoder": ENCODER,
        "probe": {"technique": "probe", "encoder": {"recipe": "encoder"}, "training": FEW},
        "neighbours": {"technique": "knn", "encoder": {"recipe": "encoder"}},
        "network-b": {
            "technique": "probe",
            "encoder": {"recipe": "encoder"},
            "classifier": {"hidden": [8]},
            "training": FEW,
        },
        "tuned": {
            "technique": "probe",
            "encoder": {"recipe": "network-b"},
            "classifier": {"hidden": [8], "fine_tune": "all"},
            "training": FEW,
        },
        "taught": {
            "technique": "probe",
            "encoder": {"recipe": "encoder"},
            "training": FEW | {"teacher": {"recipe": "network-b"}},
        },
    }
    return study(variants=variants, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a finished run; not to be written into."""
    out = tmp_path_factory.mktemp("spaces") / "run"
    run(out, given())
    return out


def content(folder: Path) -> dict[str, Any]:
    path = folder / "artifacts" / "spaces" / "spaces.json"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def test_encoders_and_what_others_need_are_shown(folder: Path) -> None:
    found = content(folder)
    assert list(found["recipes"]) == ["encoder", "network-b"]
    keys = {name: row["key"] for name, row in found["recipes"].items()}
    assert found["about"] == {
        "version": spaces.VERSION, "recipes": 2, "keys": keys,
        "perplexity": 30.0, "seed": 0, "k": 10,
    }  # fmt: skip
    assert found["recipes"]["encoder"]["dimension"] == 8
    assert len(found["points"]["labels"]) > 300
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="spaces"' in page
    assert "No test data were read" in page
    assert verify(folder).ok


def test_upstream_seconds_are_those_of_all_that_was_needed(folder: Path) -> None:
    found = {name: next(iter(r.values())) for name, r in open_folder(folder).records.items()}

    def upstream(name: str) -> float:
        return found[name].cost.upstream_seconds

    def own(record: Record) -> float:
        return record.cost.train_seconds

    encoder, network = found["encoder"], found["network-b"]
    assert upstream("encoder") == upstream("majority") == 0
    for name in ("probe", "neighbours", "network-b"):
        assert upstream(name) == pytest.approx(own(encoder))
    for name in ("tuned", "taught"):  # the encoder is paid for once
        assert upstream(name) == pytest.approx(own(encoder) + own(network))
    assert own(encoder) > 0


def test_distances_are_in_the_curves(folder: Path) -> None:
    lines = (folder / "cells/encoder/seed-0/metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows] == [3, 6]
    assert all(row["train/positive_distance"] > 0 for row in rows)
    assert all(row["train/negative_distance"] > 0 for row in rows)


def test_what_is_there_is_not_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder_digests(folder / "artifacts")
    ready = prepare(given(), before=read_plan(folder))

    def refuse(*_: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(spaces, "_space", refuse)
    write_artifacts(ready, folder)
    monkeypatch.undo()
    monkeypatch.setattr(spaces, "VERSION", spaces.VERSION + 1)
    write_artifacts(ready, folder)
    after = folder_digests(folder / "artifacts")
    assert {name for name in after if before.get(name) != after[name]} == {"spaces/spaces.json"}
    monkeypatch.undo()
    write_artifacts(ready, folder)
    assert folder_digests(folder / "artifacts") == before


def test_a_space_that_is_not_finite_is_looked_at_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/artifacts")
    ready = prepare(given(), before=read_plan(folder))
    made, honest = list[str](), spaces._space

    def broken(predictor: Any, record: Record, points: Any) -> Space:
        made.append(record.name)
        space = honest(predictor, record, points)
        fault = np.nan if record.name == "encoder" else 1
        return replace(space, vectors=space.vectors * np.float32(fault))

    monkeypatch.setattr(spaces, "_space", broken)
    write_artifacts(ready, tmp_path / "run")
    assert list(content(tmp_path / "run")["recipes"]) == ["network-b"]
    assert made == ["encoder", "network-b"]
    write_artifacts(ready, tmp_path / "run")
    assert made == ["encoder", "network-b"], "nothing is made again"


def test_without_encoders_there_is_nothing(tmp_path: Path) -> None:
    run(tmp_path / "run", study())
    assert not (tmp_path / "run/artifacts/spaces").exists()
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert 'id="spaces"' not in page
