"""What is fixed before a test score is read, and what becomes of what changes later."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.study.tiny import QUICK, change_json, run, study

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.study.plan import PLAN, ask, make_plan, protocol_of, read_plan, write_plan
from bakeoff.study.prepare import prepare
from bakeoff.study.study import Study

MORE = {"softmax": QUICK, "knn": {"technique": "knn"}}


def plan(given: Study, out: Path) -> dict[str, Any]:
    return make_plan(prepare(given, before=read_plan(out)), out)


def refused(given: Study, out: Path) -> str:
    with pytest.raises(InputError) as caught:
        run(out, given)
    return str(caught.value)


@pytest.fixture(scope="module")
def _once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("three") / "run"
    run(out, study(variants=MORE))
    return out


@pytest.fixture
def finished(_once: Path, copy_of: Callable[[Path], Path]) -> Path:
    """A run of majority, softmax and knn, one seed, whose test scores were read."""
    return copy_of(_once)


def test_a_plan_comes_back(tmp_path: Path) -> None:
    made = plan(study(), tmp_path)
    assert read_plan(tmp_path) is None
    write_plan(tmp_path, made)
    assert read_plan(tmp_path) == made


def test_a_plan_is_resolved(tmp_path: Path) -> None:
    made = plan(study(), tmp_path)
    assert made["recipes"]["softmax"]["recipe"]["training"]["select"] == "accuracy"
    assert made["recipes"]["softmax"]["changed"] == QUICK
    assert made["dataset"]["sizes"] == {"train": 809, "validation": 90, "test": 898}
    assert "auto" not in made["numerics"].values()
    assert (made["metric"], made["direction"]) == ("test/accuracy", "max")
    assert plan(study(metric="test/log_loss"), tmp_path)["direction"] == "min"


def test_the_protocol_is_that_of_the_control_s_texts() -> None:
    scoring = {"context": 16, "stride": 8, "detokenised": False}
    recipes = {"a": {"recipe": {"scoring": scoring}}}
    plan = {"control": "a", "recipes": recipes, "dataset": {"task": "language-modelling"}}
    assert protocol_of(plan) == "context=16,stride=8"
    for other in ({"task": "classification"}, {"modality": "image"}):  # old plans name no task
        assert protocol_of(plan | {"dataset": other}) == ""


def test_cells_are_asked_for_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    made = plan(study(), tmp_path)
    one, two, ten = (Replicate(seed=seed) for seed in (0, 9, 10))
    ask(made, "softmax", {ten: "b", two: "a"})
    ask(made, "softmax", {one: "c", two: "d"})
    assert list(made["recipes"]["softmax"]["cells"].items()) == [
        ("0", "c"),
        ("9", "d"),
        ("10", "b"),
    ]
    assert made["recipes"]["majority"]["cells"] == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 2}', '{"schema": 1}', "\udcff"])
def test_what_is_no_plan(tmp_path: Path, text: str) -> None:
    (tmp_path / PLAN).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=PLAN):
        read_plan(tmp_path)


def test_nothing_is_fixed_before_a_test_score_is_read(tmp_path: Path) -> None:
    write_plan(tmp_path, plan(study(), tmp_path))
    made = plan(study(margin=0.3, metric="test/f1_macro", seeds=4, variants=MORE), tmp_path)
    assert made["margin"] == 0.3
    assert not any(recipe["late"] for recipe in made["recipes"].values())


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"metric": "test/f1_macro"}, "metric: test/f1_macro received"),
        ({"margin": 0.02}, "margin: 0.02 received"),
        ({"seeds": {"exactly": 2}}, "seeds: {'exactly': 2} received"),
        ({"control": {"technique": "majority", "name": "base"}}, "control: base received"),
        (
            {"control": {"technique": "majority", "data": {"classes": ["1", "2"]}}},
            "data.classes: ['1', '2'] received",
        ),
    ],
)
def test_what_a_verdict_rests_on_stays(finished: Path, change: dict[str, Any], what: str) -> None:
    before = (finished / PLAN).read_bytes()
    told = refused(study(variants=MORE, **change), finished)
    assert told.startswith(what)
    assert f"but test scores in {finished} were read under" in told
    assert "use another --out" in told
    assert (finished / PLAN).read_bytes() == before


def test_all_that_must_stay_is_told_at_once(finished: Path) -> None:
    told = refused(study(margin=0.5, metric="test/f1_macro", seeds=[4]), finished)
    assert [line.partition(":")[0] for line in told.splitlines()] == ["metric", "margin", "seeds"]


def test_other_test_examples_are_refused(finished: Path) -> None:
    change_json(finished / PLAN, {"dataset|test_hash": "0" * 64})
    assert refused(study(variants=MORE), finished).startswith("hash of the test split: ")


def test_a_margin_need_not_be_repeated(finished: Path) -> None:
    made = plan(study(variants=MORE, margin=None), finished)
    assert (made["margin"], made["margin_source"]) == (0.01, "declared")


def test_scores_without_a_plan_are_refused(finished: Path) -> None:
    (finished / PLAN).unlink()
    assert f"{finished}: holds test scores, but no plan.json" in refused(study(), finished)


def test_a_recipe_that_comes_after_test_was_read_is_late(finished: Path) -> None:
    variants = MORE | {"new": {"technique": "softmax", "training.epochs": 2}}
    made = plan(study(variants=variants), finished)["recipes"]
    assert {name: recipe["late"] for name, recipe in made.items()} == {
        "majority": False, "softmax": False, "knn": False, "new": True,
    }  # fmt: skip
    assert {name: recipe["planned"] for name, recipe in made.items()} == {
        "majority": True, "softmax": True, "knn": True, "new": False,
    }  # fmt: skip


def test_a_recipe_that_changes_after_test_was_read_is_late(finished: Path) -> None:
    changed = MORE | {"softmax": {"technique": "softmax", "training.epochs": 2}}
    made = plan(study(variants=changed), finished)["recipes"]
    assert [name for name, recipe in made.items() if recipe["late"]] == ["softmax"]
    assert made["softmax"]["planned"]
    assert made["softmax"]["cells"] == {}
    assert len(made["knn"]["cells"]) == 1


def test_late_stays_late(finished: Path) -> None:
    changed = MORE | {"softmax": {"technique": "softmax", "training.epochs": 2}}
    run(finished, study(variants=changed))
    assert plan(study(variants=changed), finished)["recipes"]["softmax"]["late"]
    assert plan(study(variants=MORE), finished)["recipes"]["softmax"]["late"]


def test_a_recipe_whose_input_changes_is_late(tmp_path: Path) -> None:
    def given(epochs: int) -> Study:
        training = {"epochs": epochs, "batch_size": 200}
        mlp = {"technique": "mlp", "model": {"hidden": [8]}, "training": training}
        encoded = {"technique": "knn", "encoder": {"recipe": "mlp"}}
        return study(variants={"mlp": mlp, "encoded": encoded})

    run(tmp_path, given(1))
    made = plan(given(2), tmp_path)["recipes"]
    assert [name for name, recipe in made.items() if recipe["late"]] == ["mlp", "encoded"]
    assert made["encoded"]["cells"] == {}


def test_what_is_taken_out_stays_in_the_plan(finished: Path) -> None:
    made = plan(study(), finished)["recipes"]
    assert [name for name, recipe in made.items() if recipe["dropped"]] == ["knn"]
    assert len(made["knn"]["cells"]) == 1
    write_plan(finished, plan(study(), finished))
    back = plan(study(variants=MORE), finished)["recipes"]["knn"]
    assert (back["dropped"], back["late"], back["planned"]) == (False, False, True)


def test_scores_that_were_superseded_were_read_too(finished: Path) -> None:
    """Whatever is left of them: were only their move a reset, trying settings would go unseen."""
    (finished / "superseded").mkdir()
    (finished / "cells").rename(finished / "superseded" / "0123")
    made = plan(study(variants=MORE | {"new": {"technique": "softmax"}}), finished)["recipes"]
    assert made["new"]["late"]
