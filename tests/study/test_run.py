"""Running a study: nothing twice, nothing lost, and what test scores may not change."""

import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.small import dataset_of
from tests.models.tiny import save_tiny
from tests.study.tiny import FAILING, QUICK, Watch, bits, openings, records, run, study

from bakeoff.core import ledger
from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.errors import BakeoffError, InputError
from bakeoff.core.offline import VARIABLES, is_offline
from bakeoff.core.store import Store
from bakeoff.data import catalogue
from bakeoff.execution import cores
from bakeoff.execution.measure import Company
from bakeoff.models.pretrained import find_pretrained
from bakeoff.report.folder import read_folder
from bakeoff.study import run as module
from bakeoff.study.folder import open_folder
from bakeoff.study.looks import LookPlan
from bakeoff.study.plan import read_plan
from bakeoff.study.statistics import default_margin
from bakeoff.study.study import Study
from bakeoff.study.verify import verify
from bakeoff.techniques.majority import Majority
from bakeoff.training.observers import Silent

MLP: dict[str, Any] = {
    "technique": "mlp",
    "model": {"hidden": [8]},
    "training": {"epochs": 1, "batch_size": 200},
}
ENCODED: dict[str, Any] = {"technique": "knn", "encoder": {"recipe": "mlp"}}


def verdicts(results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of the study's metric, by variant."""
    found = [v for v in results["verdicts"] if v["metric"] == results["metric"]]
    return {verdict["a"]: verdict for verdict in found}


def record(out: Path, cell: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "cells" / cell / "record.json").read_text())
    return content


# Who else is busy.


def test_busy_cores_are_told_of_where_several_threads_would_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "core_count", lambda: 2)
    monkeypatch.setattr(Company, "cores", lambda self, least_seconds: 1.9)
    for threads, told in ((1, 0), (2, 1)):
        watch = Watch()
        control = {"technique": "majority", "numerics": {"threads": threads}}
        run(tmp_path / str(threads), study(control=control), watcher=watch)
        assert len(watch.noted) == told
    assert watch.noted[0].startswith("other programs keep 1.9 of 2 cores busy: ")


# Repeating nothing.


def test_running_again_repeats_nothing(tmp_path: Path) -> None:
    first = run(tmp_path)
    before, files = records(tmp_path), bits(tmp_path)
    page, results = first.report.read_bytes(), (tmp_path / "results.json").read_bytes()
    watch = Watch()
    again = run(tmp_path, watcher=watch)
    assert records(tmp_path) == before
    assert bits(tmp_path) == files
    assert (watch.begun, watch.cached) == ([], ["majority/seed-0", "softmax/seed-0"])
    assert again.results == first.results
    assert (tmp_path / "results.json").read_bytes() == results
    assert again.report.read_bytes() == page


def test_another_name_of_the_study_repeats_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    before = records(tmp_path)
    run(tmp_path, study(name="other", question="Another?"))
    assert records(tmp_path) == before


def test_more_seeds_add_cells(tmp_path: Path) -> None:
    given = study(seeds=3)
    run(tmp_path, given, seeds=1)
    before = records(tmp_path)
    watch = Watch()
    run(tmp_path, given, seeds=2, watcher=watch)
    assert watch.begun == ["majority/seed-1", "softmax/seed-1"]
    assert not [line for line in watch.noted if "anew" in line]
    assert {name: value for name, value in records(tmp_path).items() if name in before} == before


def test_a_changed_setting_supersedes(tmp_path: Path) -> None:
    run(tmp_path)
    old = record(tmp_path, "softmax/seed-0")
    before = records(tmp_path)
    changed = study(variants={"softmax": {"technique": "softmax", "training": {"epochs": 2}}})
    watch = Watch()
    results = run(tmp_path, changed, watcher=watch).results
    assert watch.begun == ["softmax/seed-0"]
    assert [line for line in watch.noted if line.startswith("1 finished cell is run anew:")]
    aside = tmp_path / "superseded" / old["key"] / "softmax" / "seed-0"
    assert json.loads((aside / "record.json").read_text()) == old
    assert (aside / "predictions" / "test.csv").exists()
    assert (
        records(tmp_path)["cells/majority/seed-0/record.json"]
        == (before["cells/majority/seed-0/record.json"])
    )
    assert record(tmp_path, "softmax/seed-0")["key"] != old["key"]
    assert results["recipes"]["softmax"]["late"]


def pretrained_study(home: Path, weights: Path) -> Study:
    """One that reads weights itself, one that reads another's vectors, and one that reads none."""
    dataset_of("text", home)
    model = {"weights": str(weights), "max_tokens": 8}
    return study(
        dataset={"table": str(home / "texts.csv")},
        control={"data": {"labels": 90}, "technique": "pretrained", "model": model},
        variants={
            "probe": {
                "technique": "probe",
                "encoder": {"recipe": "pretrained"},
                "training": {"epochs": 1},
            },
            "majority": {"technique": "majority"},
        },
    )


def test_weights_are_not_fetched_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAKEOFF_MODELS", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    given = pretrained_study(tmp_path, Path("some/bert"))
    with pytest.raises(InputError, match=r"huggingface\.co \(not asked: offline\)"):
        run(tmp_path / "run", given, offline=True)
    assert not is_offline()


def test_other_weights_in_the_same_folder_supersede(tmp_path: Path) -> None:
    weights, out = tmp_path / "weights", tmp_path / "run"
    save_tiny(weights, seed=0)
    given = pretrained_study(tmp_path, weights)
    run(out, given)
    old = record(out, "pretrained/seed-0")
    assert old["weights"] == {str(weights): find_pretrained(str(weights)).digest}
    assert record(out, "majority/seed-0")["weights"] == {}
    watch = Watch()
    run(out, given, watcher=watch)
    assert watch.begun == []
    save_tiny(weights, seed=1)
    results = run(out, given, watcher=watch, jobs=2).results
    assert watch.begun == ["pretrained/seed-0", "probe/seed-0"]
    assert (out / "superseded" / old["key"] / "pretrained" / "seed-0" / "record.json").exists()
    new = record(out, "pretrained/seed-0")
    assert new["weights"] == {str(weights): find_pretrained(str(weights)).digest} != old["weights"]
    assert new["recipe"] == old["recipe"]
    late = {name: recipe["late"] for name, recipe in results["recipes"].items()}
    assert late == {"pretrained": True, "probe": True, "majority": False}
    assert verify(out).ok
    shutil.rmtree(weights)
    with pytest.raises(InputError, match=r"pretrained: weights '.*': no such folder"):
        run(out, given)


def test_weights_that_change_while_a_study_runs_are_refused(tmp_path: Path) -> None:
    weights, out = tmp_path / "weights", tmp_path / "run"
    save_tiny(weights, seed=0)

    class Rewriting(Watch):
        def begin(self, cell: Cell, number: int, total: int) -> Silent:
            save_tiny(weights, seed=1)
            return super().begin(cell, number, total)

    watch = Rewriting()
    run(out, pretrained_study(tmp_path, weights), watcher=watch)
    assert f"weights {weights}: changed after the study began" in watch.failed_["pretrained/seed-0"]


def test_what_other_settings_left_is_not_counted(tmp_path: Path) -> None:
    given = study(seeds=3)
    run(tmp_path, given, seeds=3)
    changed = study(seeds=3, variants={"softmax": {"technique": "softmax", "training.epochs": 2}})
    results = run(tmp_path, changed, seeds=2).results
    assert (tmp_path / "cells" / "softmax" / "seed-2" / "record.json").exists()
    assert results["recipes"]["softmax"]["seeds"] == [0, 1]
    assert results["recipes"]["softmax"]["failed"] == []
    assert results["recipes"]["majority"]["seeds"] == [0, 1, 2]
    drawn = read_folder(tmp_path).cells
    shown = {name: [c.record.replicate.seed for c in cells] for name, cells in drawn.items()}
    assert shown == {"majority": [0, 1, 2], "softmax": [0, 1]}


def test_auto_stays_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = study(control={"technique": "majority", "numerics": {}})
    run(tmp_path, given)
    before = records(tmp_path)
    monkeypatch.setattr("bakeoff.execution.numerics.core_count", lambda: 77)
    run(tmp_path, given)
    assert records(tmp_path) == before


# What comes after a test score was read.


def test_recipes_that_come_or_change_late_are_exploratory(tmp_path: Path) -> None:
    def brief(epochs: int) -> dict[str, Any]:
        return {"technique": "softmax", "training": {"epochs": epochs}}

    variants = {"a": brief(1), "b": brief(2), "c": brief(3)}
    first = verdicts(run(tmp_path, study(seeds={"exactly": 3}, variants=variants)).results)
    assert not any(verdict["exploratory"] for verdict in first.values())
    variants = {"a": brief(1), "b": brief(5), "d": brief(4)}
    results = run(tmp_path, study(seeds={"exactly": 3}, variants=variants)).results
    after = verdicts(results)
    assert {name: v["exploratory"] for name, v in after.items()} == {
        "a": False, "b": True, "c": False, "d": True,
    }  # fmt: skip
    assert {name: v["outcome"] for name, v in after.items()} == {
        "a": "better", "b": "undecided", "c": "better", "d": "undecided",
    }  # fmt: skip
    assert after["d"]["reason"] == (
        "one of the two was added or changed after a test score was read"
    )
    assert results["recipes"]["c"]["dropped"]
    # What was planned is corrected for as before, though b changed and c was taken out.
    best = after[min(("a", "c"), key=lambda name: after[name]["p_value"])]
    assert best["p_corrected"] == pytest.approx(3 * best["p_value"])


@pytest.mark.parametrize("name", ["predictions/test.csv", "checkpoints/best/model.safetensors"])
def test_changed_files_are_refused_and_their_cell_can_be_run_again(
    name: str, tmp_path: Path
) -> None:
    run(tmp_path)
    path = tmp_path / "cells/softmax/seed-0" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    listed = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(
        InputError, match=rf"(?s)not as the run left them.*cells/softmax/seed-0/{name}"
    ):
        run(tmp_path)
    assert (tmp_path / "manifest.json").read_bytes() == listed
    shutil.rmtree(tmp_path / "cells/softmax/seed-0")
    run(tmp_path)
    assert path.read_bytes() == whole
    assert verify(tmp_path).ok


def test_another_control_makes_all_exploratory(tmp_path: Path) -> None:
    def given(epochs: int) -> Study:
        control = {"technique": "softmax", "training": {"epochs": epochs}}
        return study(
            seeds={"exactly": 3}, control=control, variants={"m": {"technique": "majority"}}
        )

    assert not verdicts(run(tmp_path, given(1)).results)["m"]["exploratory"]
    assert verdicts(run(tmp_path, given(2)).results)["m"]["exploratory"]


def test_seeds_beyond_the_plan_are_exploratory(tmp_path: Path) -> None:
    given = study(seeds={"exactly": 3})
    assert verdicts(run(tmp_path, given).results)["softmax"]["outcome"] == "better"
    results = run(tmp_path, given, seeds=4).results
    assert results["recipes"]["softmax"]["seeds"] == [0, 1, 2, 3]
    verdict = verdicts(results)["softmax"]
    assert verdict["exploratory"]
    assert verdict["reason"] == "seeds outside the plan: 3"


def test_seeds_beyond_a_list_follow_its_greatest(tmp_path: Path) -> None:
    results = run(tmp_path, study(seeds=[7, 3]), seeds=3).results
    assert results["recipes"]["softmax"]["seeds"] == [3, 7, 8]


# The margin.


def test_a_default_margin_is_fixed_before_test_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, int]] = []

    def open_test(*arguments: Any) -> tuple[int, int]:
        plan = read_plan(tmp_path)
        assert plan is not None
        seen.append((plan["margin"], len(openings())))
        return ledger.open_test(*arguments)

    monkeypatch.setattr("bakeoff.execution.cell.open_test", open_test)
    results = run(tmp_path, study(margin=None, variants={"soft": QUICK})).results
    validation = record(tmp_path, "majority/seed-0")["metrics"]["validation/accuracy"]
    margin = default_margin("accuracy", validation)
    assert 0 < margin == results["margin"]
    assert results["margin_source"] == "default"
    assert seen == [(margin, 0), (margin, 1)]
    with pytest.raises(InputError, match=r"margin: 0\.5 received"):
        run(tmp_path, study(margin=0.5, variants={"soft": QUICK}))
    assert run(tmp_path, study(margin=None, variants={"soft": QUICK})).results == results


def test_the_cell_that_sets_the_margin_is_told_once(tmp_path: Path) -> None:
    for number in range(2):
        watch = Watch()
        run(tmp_path, study(margin=None), watcher=watch)
        told = ["majority/seed-0", "softmax/seed-0"]
        assert (watch.finished, watch.cached) == ((told, []), ([], told))[number]


def test_a_default_margin_is_the_first_levels(tmp_path: Path) -> None:
    given = study(margin=None, control=QUICK, variants={}, factors={"data.labels": [50, 300]})
    results = run(tmp_path, given).results
    first = record(tmp_path, "softmax@labels=50/seed-0")["metrics"]["validation/accuracy"]
    assert results["margin"] == default_margin("accuracy", first)


def test_without_a_margin_nothing_is_tested_once_the_control_fails(tmp_path: Path) -> None:
    given = study(margin=None, control={"name": "patches"} | FAILING)
    with pytest.raises(
        BakeoffError, match=r"margin: none was declared.*features.patches: 4 received"
    ) as e:
        run(tmp_path, given)
    assert e.value.exit_code == 1
    assert openings() == []
    assert (tmp_path / "cells" / "patches" / "seed-0" / "failure.txt").exists()


# Test data.


def test_the_test_split_is_opened_once_a_cell(tmp_path: Path) -> None:
    run(tmp_path, study(seeds={"exactly": 2}))
    run(tmp_path, study(seeds={"exactly": 2}))
    keys = [line["key"] for line in openings()]
    assert len(keys) == len(set(keys)) == 4
    assert {line["test"] for line in openings()} == {
        record(tmp_path, "softmax/seed-0")["hashes"]["test"]
    }
    assert record(tmp_path, "majority/seed-1")["test_opened"] == 1
    assert record(tmp_path, "softmax/seed-1")["test_ledger"] == 2


def test_test_examples_without_a_label_count_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = catalogue.load("digits")
    assert whole.test is not None
    labels = whole.test.labels.copy()
    labels[::3] = -1
    partly = replace(whole, test=replace(whole.test, labels=labels))
    monkeypatch.setattr(catalogue, "load", lambda *_, **__: partly)
    finished = run(tmp_path)
    assert not finished.failures
    folder = open_folder(tmp_path)
    table = folder.predictions(folder.records["softmax"][Replicate(seed=0)], "test")
    right = (table["prediction"] == labels)[labels >= 0].mean()
    assert finished.results["recipes"]["softmax"]["metrics"]["test/accuracy"]["mean"] == right
    assert verdicts(finished.results)["softmax"]["difference"] > 0.3
    pictures = json.loads((tmp_path / "artifacts" / "disagreements.json").read_text())
    unknown = set(whole.test.ids[labels < 0].tolist())
    assert pictures
    assert not unknown & {picture["id"] for picture in pictures}


# Inputs of recipes.


def test_a_recipe_gets_the_fitted_result_of_another(tmp_path: Path) -> None:
    results = run(tmp_path, study(variants={"encoded": ENCODED, "mlp": MLP})).results
    fitted, using = record(tmp_path, "mlp/seed-0"), record(tmp_path, "encoded/seed-0")
    assert using["inputs"] == {"mlp": fitted["key"]}
    assert fitted["cost"]["train_seconds"] > 0
    assert using["cost"]["upstream_seconds"] == fitted["cost"]["train_seconds"]
    assert fitted["cost"]["upstream_seconds"] == 0
    assert results["recipes"]["encoded"]["cost"]["upstream_seconds"] > 0


def test_an_input_of_one_seed_is_no_seed_of_the_study(tmp_path: Path) -> None:
    encoded = {"technique": "knn", "encoder": {"recipe": "mlp", "seed": 9}}
    results = run(tmp_path, study(variants={"encoded": encoded, "mlp": MLP})).results
    assert (
        record(tmp_path, "encoded/seed-0")["inputs"]["mlp"] == record(tmp_path, "mlp/seed-9")["key"]
    )
    assert results["recipes"]["mlp"]["seeds"] == [0]


def test_a_changed_input_runs_what_needs_it_again(tmp_path: Path) -> None:
    run(tmp_path, study(variants={"encoded": ENCODED, "mlp": MLP}))
    watch = Watch()
    changed = MLP | {"training": {"epochs": 2, "batch_size": 200}}
    run(tmp_path, study(variants={"encoded": ENCODED, "mlp": changed}), watcher=watch)
    assert watch.begun == ["mlp/seed-0", "encoded/seed-0"]


# Failures.


def test_a_crashed_cell_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = {"mlp": MLP, "encoded": ENCODED, "softmax": QUICK}
    expected = bits_of(tmp_path / "undisturbed", study(variants=variants))
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("bakeoff.techniques.mlp.Mlp.fit", _crash)
        watch = Watch()
        finished = run(out, study(variants=variants), watcher=watch)
    assert finished.failures == {
        "mlp/seed-0": "RuntimeError: no more luck",
        "encoded/seed-0": "its input mlp failed",
    }
    assert watch.failed_ == finished.failures
    assert "no more luck" in (out / "cells" / "mlp" / "seed-0" / "failure.txt").read_text()
    assert finished.results["recipes"]["mlp"]["failed"] == [0]
    assert finished.results["recipes"]["softmax"]["seeds"] == [0]
    assert verdicts(finished.results)["mlp"]["outcome"] == "undecided"
    watch = Watch()
    assert not run(out, study(variants=variants), watcher=watch).failures
    assert watch.begun == ["mlp/seed-0", "encoded/seed-0"]
    assert not (out / "cells" / "mlp" / "seed-0" / "failure.txt").exists()
    assert bits(out) == expected


def _crash(*_: Any) -> None:
    raise RuntimeError("no more luck")


def bits_of(out: Path, given: Study) -> dict[str, bytes]:
    run(out, given)
    return bits(out)


def test_a_diverged_cell_counts(tmp_path: Path) -> None:
    wild = {"technique": "softmax", "training": {"epochs": 1, "learning_rate": 1e38}}
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        finished = run(tmp_path, study(seeds={"exactly": 3}, variants={"wild": wild}))
    assert not raised
    assert not finished.failures
    assert finished.results["recipes"]["wild"]["statuses"] == ["diverged"] * 3
    left = record(tmp_path, "wild/seed-0")
    assert (left["status"], left["selected_step"]) == ("diverged", 0)
    assert left["diverged_at"] is not None
    majority = record(tmp_path, "majority/seed-0")["metrics"]["test/accuracy"]
    assert left["metrics"]["test/accuracy"] == majority
    assert verdicts(finished.results)["wild"]["difference"] == 0


# Races.


def test_a_race_goes_on_for_what_is_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = LookPlan(tuple(range(8)), (3, 5, 8), (0.02, 0.02, 0.01))
    for place in ("prepare", "results"):
        monkeypatch.setattr(f"bakeoff.study.{place}.plan_looks", lambda seeds: looks)
    variants = {"far": {"technique": "knn"}, "near": {"data.validation": 0.11}, "again": None}
    given = study(seeds={"race": True}, variants=variants, margin=0.0)
    watch = Watch()
    results = run(tmp_path, given, watcher=watch).results
    told = verdicts(results)
    assert (told["far"]["outcome"], told["far"]["look"]) == ("better", 1)
    assert (told["near"]["outcome"], told["near"]["look"]) == ("undecided", 3)
    seeds = {name: recipe["seeds"] for name, recipe in results["recipes"].items()}
    assert seeds == {
        "majority": list(range(8)),
        "near": list(range(8)),
        "far": [0, 1, 2],
        "again": [0, 1, 2],
    }
    assert all(not recipe["failed"] for recipe in results["recipes"].values())
    watch = Watch()
    assert run(tmp_path, given, watcher=watch).results == results
    assert watch.begun == []


def test_a_race_that_is_decided_ends(tmp_path: Path) -> None:
    given = study(seeds={"race": True}, variants={"far": {"technique": "knn"}})
    assert run(tmp_path, given).results["recipes"]["majority"]["seeds"] == [0, 1, 2]


def test_a_failed_cell_stops_its_pairs_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(self: Majority, cell: Cell, *rest: Any) -> Any:
        if cell.folder == "frail/seed-4":
            raise RuntimeError("no more luck")
        return real(self, cell, *rest)

    real = Majority.fit
    looks = LookPlan(tuple(range(9)), (3, 5, 9), (0.02, 0.02, 0.01))
    for place in ("prepare", "results"):
        monkeypatch.setattr(f"bakeoff.study.{place}.plan_looks", lambda seeds: looks)
    variants = {"near": {"data.validation": 0.11}, "frail": {"data.validation": 0.12}}
    given = study(seeds={"race": True}, variants=variants, margin=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Majority, "fit", fit)
        finished = run(tmp_path, given)
    assert finished.failures == {"frail/seed-4": "RuntimeError: no more luck"}
    recipes = finished.results["recipes"]
    assert recipes["frail"]["seeds"] == [0, 1, 2, 3]
    assert recipes["near"]["seeds"] == list(range(9))
    assert not run(tmp_path, given).failures


def test_two_names_for_one_recipe_are_two_cells(tmp_path: Path) -> None:
    run(tmp_path, study(variants={"a": QUICK}))
    results = run(tmp_path, study(variants={"a": QUICK, "b": QUICK})).results
    assert results["recipes"]["a"]["keys"] == results["recipes"]["b"]["keys"]
    assert verdicts(results)["a"]["difference"] == verdicts(results)["b"]["difference"]


def test_the_control_again_shows_the_noise(tmp_path: Path) -> None:
    given = study(seeds={"exactly": 3}, control=QUICK, variants={"again": None})
    results = run(tmp_path, given).results
    again = results["recipes"]["again"]
    assert again["seeds"] == [0, 1, 2]
    assert (tmp_path / "cells" / "again" / "seed-1000002").is_dir()
    assert (
        again["metrics"]["test/accuracy"]["values"]
        != (results["recipes"]["softmax"]["metrics"]["test/accuracy"]["values"])
    )
    assert verdicts(results)["again"]["outcome"] == "undecided"
    assert results["noise_floor"] > 0


# Refusals, before anything runs.


@pytest.mark.parametrize(
    "break_", [lambda out: out.write_text("a file"), lambda out: out.parent.chmod(0o500)]
)
def test_a_folder_that_cannot_be_written(
    tmp_path: Path, break_: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "below" / "run"
    out.parent.mkdir()
    break_(out)
    if not out.exists():  # root may write anywhere
        monkeypatch.setattr(Path, "mkdir", _denied)
    with pytest.raises(InputError, match=str(out)) as caught:
        run(out)
    assert caught.value.exit_code == 2
    assert openings() == []


def _denied(*_: Any, **__: Any) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_folder_of_other_things_is_no_run(tmp_path: Path) -> None:
    """Nobody's files are written over; a run that was killed at once goes on."""
    (tmp_path / "study.yaml").write_text("# mine")
    with pytest.raises(InputError, match=r"holds 'study.yaml', and is not the folder of a run"):
        run(tmp_path)
    assert (tmp_path / "study.yaml").read_text() == "# mine"
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]
    (tmp_path / "study.yaml").unlink()
    (tmp_path / ".lock").touch()
    assert run(tmp_path).report.exists()
    assert run(tmp_path).report.exists()


def test_a_refused_study_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run(tmp_path / "run", study(variants={"b": {"technique": "softmax", "data.labels": 3}}))
    assert not (tmp_path / "run").exists()


def test_a_folder_is_held_by_one_run(tmp_path: Path) -> None:
    with Store(tmp_path).locked(), pytest.raises(BakeoffError, match="another run is working in"):
        run(tmp_path)
    assert not (tmp_path / "cells").exists()
    assert run(tmp_path).report.exists()


def test_what_can_be_imported_from_here() -> None:
    assert set(module.__all__) == {"Finished", "Options", "prepare", "run"}
