"""`bakeoff list`, `show` and `plan`: looking before anything runs."""

import json
from pathlib import Path

import pytest
from tests.cli.calling import Caller, assert_clear

from bakeoff.cli.show import changes
from bakeoff.data.catalogue import DATASETS
from bakeoff.execution.measure import Company
from bakeoff.models import MODELS
from bakeoff.study.study import built_in_names
from bakeoff.techniques import TECHNIQUES

LISTS = {
    "techniques": sorted(TECHNIQUES),
    "models": sorted(MODELS),
    "datasets": sorted(DATASETS),
    "studies": built_in_names(),
}


@pytest.mark.parametrize("kind", sorted(LISTS))
def test_list(bakeoff: Caller, kind: str) -> None:
    called = bakeoff("list", kind)
    assert called.code == 0
    assert called.err == ""
    assert [line.split()[0] for line in called.out.splitlines()[1:]] == LISTS[kind]
    rows = json.loads(bakeoff("list", kind, "--json").out)
    assert [next(iter(row.values())) for row in rows] == LISTS[kind]


def test_list_of_something_else(bakeoff: Caller) -> None:
    assert "'techniques', 'models', 'datasets', 'studies'" in assert_clear(bakeoff("list", "cats"))


def test_show(bakeoff: Caller) -> None:
    out = bakeoff("show", "digits-first").out
    assert out.startswith("digits-first: Which technique is worth its cost")
    lines = out.splitlines()
    assert "control    name=softmax, technique=softmax" in lines
    assert "variant    mlp: technique=mlp" in lines
    assert "margin     0.01" in lines


def test_show_a_file(bakeoff: Caller, work: Path) -> None:
    path = work / "mine.yaml"
    path.write_text(
        "question: Is it?\n"
        "dataset: {table: my.csv, text: review}\n"
        "seeds: {race: true}\n"
        "control: {technique: majority}\n"
        "variants: {again: }\n"
        "factors: {data.labels: [20, all]}\n"
        "references: [{label: theirs, value: 0.5, source: elsewhere}]\n",
        encoding="utf-8",
    )
    assert bakeoff("show", path).out.splitlines() == [
        "mine: Is it?",
        "",
        "data set   table=my.csv, text=review",
        "metric     test/accuracy",
        "margin     set from the control's validation score",
        "seeds      race=true",
        "control    technique=majority",
        "variant    again: nothing (the control on other seeds)",
        "factor     data.labels: [20, all]",
        "reference  theirs: 0.5 (elsewhere)",
    ]


def test_show_with_settings(bakeoff: Caller) -> None:
    called = bakeoff("show", "digits-first", "--set", "training.epochs=3", "--set", "margin=0.2")
    assert "margin     0.2" in called.out
    assert "training.epochs=3" in called.out
    found = json.loads(bakeoff("show", "digits-first", "--json").out)
    assert found["name"] == "digits-first"
    assert list(found["variants"]) == ["majority", "knn", "mlp", "cnn"]


def test_show_refuses_what_could_not_run(bakeoff: Caller) -> None:
    said = assert_clear(bakeoff("show", "digits-first", "--set", "training.learning_rate=fast"))
    assert "learning_rate" in said


def test_changes() -> None:
    change = {"model": {"hidden": (8, 4), "norm": False, "name": None}, "technique": "mlp"}
    assert changes(change) == "model.hidden=[8, 4], model.norm=false, technique=mlp"
    assert changes(5) == "5"


def test_plan(bakeoff: Caller, tiny: Path, work: Path) -> None:
    before = set(work.iterdir())
    called = bakeoff("plan", tiny)
    assert called.code == 0, called
    lines = called.out.splitlines()
    assert lines[0].split() == [
        "recipe",
        "cells",
        "params",
        "MACs",
        "a",
        "cell",
        "all",
        "cells",
        "memory",
    ]
    assert [line.split()[0] for line in lines[1:3]] == ["softmax", "mlp"]
    assert lines[1].split()[1] == "2"
    assert any(line.startswith("In all about ") for line in lines[3:])
    assert set(work.iterdir()) == before, "planning leaves nothing behind"


@pytest.mark.parametrize(("cores", "told"), [(1.5, True), (0.1, False)])
def test_plan_tells_of_a_busy_machine(
    bakeoff: Caller, tiny: Path, monkeypatch: pytest.MonkeyPatch, cores: float, told: bool
) -> None:
    monkeypatch.setattr(Company, "cores", lambda _: cores)
    called = bakeoff("plan", tiny, "--only", "mlp")
    assert ("other programs kept 1.5 of" in called.out) == told
    found = json.loads(bakeoff("plan", tiny, "--only", "mlp", "--json").out)
    assert found["cores_of_others"] == cores


def test_plan_for_machines(bakeoff: Caller, tiny: Path) -> None:
    found = json.loads(bakeoff("plan", tiny, "--seeds", "7", "--json").out)
    assert [row["cells"] for row in found["recipes"]] == [7, 7]
    assert found["recipes"][0]["parameters"] == 650
    assert found["total_seconds"] == pytest.approx(
        sum(row["total_seconds"] for row in found["recipes"])
    )


def test_a_study_with_folds(bakeoff: Caller, tiny: Path) -> None:
    folds = ("--set", "resampling.folds=2", "--set", "resampling.then_test=true")
    metric = ("--set", "metric=fold/accuracy", "--set", "seeds=1")
    given = (tiny, *folds, *metric)
    lines = bakeoff("show", *given).out.splitlines()
    assert "resampling folds=2, repeats=1, seed=0, then_test=true" in lines
    called = bakeoff("plan", *given)
    rows = [line.split()[:2] for line in called.out.splitlines()[1:4]]
    assert rows == [["softmax", "2"], ["mlp", "2"], ["(chosen)", "1"]]
    assert "(chosen): at most: the dearest recipe" in called.out
    found = json.loads(bakeoff("plan", *given, "--json").out)
    cells = [*found["recipes"], found["final"]]
    assert found["total_seconds"] == pytest.approx(sum(row["total_seconds"] for row in cells))
