"""Cross-validated studies from end to end: run, judge, choose, test once, verify, pack, predict."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.study.tiny import QUICK, Watch, bits, change_json, forge, openings, run, study

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.data import catalogue
from bakeoff.report.folder import read_folder
from bakeoff.study.evidence import pack
from bakeoff.study.fold_results import choose_best, interval_on_test
from bakeoff.study.folder import open_folder
from bakeoff.study.plan import read_plan
from bakeoff.study.predict import find_cell
from bakeoff.study.results import results, standings
from bakeoff.study.statistics import default_margin
from bakeoff.study.study import Study
from bakeoff.study.verify import verify
from bakeoff.techniques.softmax import Softmax

FOLDS = {"folds": 3, "repeats": 2}
MLP = {
    "technique": "mlp",
    "model": {"hidden": [8]},
    "training": {"epochs": 1, "batch_size": 200},
}
VARIANTS = {"softmax": QUICK, "mlp": MLP, "knn": {"technique": "knn", "encoder": {"recipe": "mlp"}}}


def folded(**changes: Any) -> Study:
    given = {"metric": "fold/accuracy", "resampling": FOLDS, "seeds": 1, "variants": VARIANTS}
    return study(**(given | changes))


@pytest.fixture(scope="module")
def _once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("folds") / "run"
    run(out, folded(resampling=FOLDS | {"then_test": True}, seeds=2, margin=None))
    return out


@pytest.fixture
def finished(_once: Path, copy_of: Callable[[Path], Path]) -> Path:
    return copy_of(_once)


def content(out: Path, name: str = "results.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / name).read_text())
    return found


def test_every_fold_is_a_cell_and_test_stays_sealed(tmp_path: Path) -> None:
    before, watch = len(openings()), Watch()
    made = run(tmp_path / "run", folded(), watcher=watch).results
    assert len(watch.begun) == 4 * 3 * 2
    assert watch.begun[:4] == [
        *("majority/seed-0.fold-0", "softmax/seed-0.fold-0", "mlp/seed-0.fold-0"),
        "knn/seed-0.fold-0",
    ]
    assert "softmax/seed-0.repeat-1.fold-2" in watch.begun
    assert len(openings()) == before
    assert not list((tmp_path / "run").rglob("test.csv"))
    assert made["ledger"]["recipes"] == 0
    assert made["final"] is None
    assert not any(n.startswith("test/") for n in made["recipes"]["softmax"]["metrics"])
    left = json.loads((tmp_path / "run/cells/softmax/seed-0.fold-1/record.json").read_text())
    assert (left["test_opened"], left["test_ledger"]) == (0, 0)
    assert set(left["hashes"]) == {"data", "split", "fold"}
    assert left["sizes"] == {"train": 539, "validation": 60, "fold": 300}


def test_folds_are_listed_with_seeds_averaged_inside(finished: Path) -> None:
    made = content(finished)
    recipe = made["recipes"]["softmax"]
    assert recipe["folds"] == [{"repeat": r, "fold": f} for r in range(2) for f in range(3)]
    assert recipe["seeds"] == [0, 1]
    assert len(recipe["cells"]) == len(recipe["keys"]) == len(recipe["statuses"]) == 12
    records = open_folder(finished).records["softmax"]
    values = [
        np.mean([records[Replicate(seed=s, repeat=r, fold=f)].metrics["fold/accuracy"]
                 for s in range(2)])
        for r in range(2) for f in range(3)
    ]  # fmt: skip
    metric = recipe["metrics"]["fold/accuracy"]
    assert metric["values"] == pytest.approx(values)
    assert metric["mean"] == pytest.approx(np.mean(values))
    verdict = made["verdicts"][0]
    assert (verdict["a"], verdict["metric"], verdict["outcome"]) == (
        *("softmax", "fold/accuracy"), "better",
    )  # fmt: skip
    assert verdict["ci_this_test_set"] is None
    assert "new training sets of 2/3" in made["population"]
    rows = standings(made).decode().splitlines()
    assert "fold/accuracy" in rows[0]


def test_the_default_margin_is_of_the_first_fold(finished: Path) -> None:
    first = open_folder(finished).records["majority"][Replicate(seed=0, fold=0)]
    margin = default_margin("accuracy", first.metrics["validation/accuracy"])
    assert content(finished)["margin"] == margin


def test_what_was_chosen_on_folds_is_scored_on_test_once(finished: Path) -> None:
    made = content(finished)
    means = {n: r["metrics"]["fold/accuracy"]["mean"] for n, r in made["recipes"].items()}
    final = made["final"]
    assert final["recipe"] == max(means, key=lambda name: means[name]) == "softmax"
    assert final["fold_mean"] == pytest.approx(means["softmax"])
    assert final["seeds"] == [0, 1]
    tested = sorted(path.parent.parent for path in finished.glob("cells/*/*/predictions/test.csv"))
    assert [path.name for path in tested] == ["seed-0", "seed-1"]
    assert [cell.name for cell in read_folder(finished).final] == [
        "softmax/seed-0",
        "softmax/seed-1",
    ]
    scores = [content(path, "record.json")["metrics"]["test/accuracy"] for path in tested]
    assert final["values"] == scores
    assert content(tested[0], "record.json")["sizes"]["train"] > 800
    low, high = final["ci95"]
    assert low < final["mean"] < high
    assert "softmax" in final["sentence"]
    assert all(content(path, "record.json")["test_opened"] >= 1 for path in tested)


def test_inputs_of_what_was_chosen_do_not_open_test(tmp_path: Path) -> None:
    variants = {"mlp": MLP, "knn": VARIANTS["knn"]}
    resampling = {"folds": 2, "then_test": True}
    before = len(openings())
    made = run(tmp_path / "run", folded(resampling=resampling, variants=variants)).results
    assert len(openings()) == before + 1
    assert made["final"]["recipe"] == "knn"
    cells = tmp_path / "run" / "cells"
    assert content(cells / "mlp" / "seed-0", "record.json")["purpose"] == "input"
    assert not (cells / "mlp" / "seed-0" / "predictions" / "test.csv").exists()
    assert (cells / "knn" / "seed-0" / "predictions" / "test.csv").exists()
    assert verify(tmp_path / "run").ok


def test_running_again_repeats_nothing(finished: Path) -> None:
    watch, before = Watch(), (finished / "results.json").read_bytes()
    given = folded(resampling=FOLDS | {"then_test": True}, seeds=2, margin=None)
    run(finished, given, watcher=watch)
    assert watch.begun == []
    assert (finished / "results.json").read_bytes() == before


def test_a_choice_may_follow_later_and_other_cuts_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = folded(resampling={"folds": 2}, variants={"softmax": QUICK})
    run(out, given)
    watch = Watch()
    then = {"folds": 2, "then_test": True}
    made = run(out, folded(resampling=then, variants={"softmax": QUICK}), watcher=watch).results
    assert watch.begun == ["softmax/seed-0"]
    assert made["final"]["recipe"] == "softmax"
    with pytest.raises(InputError, match=r"resampling: .* but fold scores in"):
        run(out, folded(resampling={"folds": 4}, variants={"softmax": QUICK}))
    late = folded(resampling=then, variants={"softmax": QUICK, "mlp": MLP})
    made = run(out, late).results
    assert made["recipes"]["mlp"]["late"]
    assert made["final"]["recipe"] == "softmax"


def test_workers_and_interruptions_give_the_same_bits(tmp_path: Path) -> None:
    given = folded(resampling={"folds": 2}, variants={"softmax": QUICK})
    run(tmp_path / "one", given)
    run(tmp_path / "two", given, jobs=2)
    splits = ("validation", "fold")
    assert bits(tmp_path / "one", splits=splits) == bits(tmp_path / "two", splits=splits)


def test_a_failed_fold_is_told_and_nothing_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(self: Softmax, cell: Any, *rest: Any) -> Any:
        if cell.replicate.fold == 1:
            raise RuntimeError("no more luck")
        return real(self, cell, *rest)

    real = Softmax.fit
    given = folded(resampling={"folds": 2, "then_test": True}, variants={"softmax": QUICK})
    with monkeypatch.context() as patch:
        patch.setattr(Softmax, "fit", fit)
        made = run(tmp_path / "run", given)
    assert made.failures == {"softmax/seed-0.fold-1": "RuntimeError: no more luck"}
    assert made.results["recipes"]["softmax"]["failed"] == ["0.fold-1"]
    assert made.results["final"] is None
    assert made.results["verdicts"][0]["reason"] == "1 of 2 cells of each recipe are there"
    assert run(tmp_path / "run", given).results["final"]["recipe"] == "softmax"


def test_verify_and_evidence(finished: Path, tmp_path: Path) -> None:
    assert verify(finished).faults == []
    evidence = pack(finished, tmp_path / "evidence")
    assert verify(evidence).faults == []
    assert results(open_folder(evidence)) == results(open_folder(finished))


@pytest.mark.parametrize(
    ("file", "change", "fault"),
    [
        ("cells/softmax/seed-0.fold-1/record.json", {"metrics|fold/accuracy": 0.99}, "fold/accur"),
        ("cells/softmax/seed-0.fold-1/record.json", {"hashes|fold": "0" * 64}, "hashes.fold"),
        ("plan.json", {"final|recipe": "mlp"}, "final"),
        ("plan.json", {"margin": 0.5}, "margin"),
    ],
)
def test_verify_finds_what_was_forged(
    finished: Path, file: str, change: dict[str, Any], fault: str
) -> None:
    change_json(finished / file, change)
    forge(finished)
    assert fault in "\n".join(verify(finished).faults)


def test_an_example_that_is_held_out_twice_is_found(finished: Path) -> None:
    cells = finished / "cells" / "softmax"
    first = cells / "seed-0.fold-0" / "predictions" / "fold.csv"
    (cells / "seed-0.fold-1" / "predictions" / "fold.csv").write_bytes(first.read_bytes())
    forge(finished)
    assert "an example is held out more than once" in "\n".join(verify(finished).faults)


def test_ties_go_to_fewer_parameters_then_to_the_first(finished: Path) -> None:
    folder = open_folder(finished)
    equal = {
        name: {
            at: record.model_copy(update={"metrics": {**record.metrics, "fold/accuracy": 0.5}})
            for at, record in records.items()
        }
        for name, records in folder.records.items()
    }
    assert choose_best(replace(folder, records=equal)) == "majority"
    again = equal | {"softmax": equal["majority"]}
    assert choose_best(replace(folder, records=again)) == "majority"
    assert choose_best(replace(folder, records=equal | {"softmax": {}})) is None


def test_predict_names_the_fold_or_asks_for_it(finished: Path) -> None:
    cells = finished / "cells"
    assert find_cell(f"{finished}:mlp:0.fold-2") == cells / "mlp" / "seed-0.fold-2"
    assert find_cell(f"{finished}:mlp:1.repeat-1.fold-0").name == "seed-1.repeat-1.fold-0"
    assert find_cell(f"{finished}:softmax") == cells / "softmax" / "seed-0"
    with pytest.raises(InputError, match=r"seed 0 was fitted once for each fold; name one, as in"):
        find_cell(f"{finished}:mlp")


def test_data_without_a_test_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = replace(catalogue.load("digits"), test=None)
    monkeypatch.setattr(catalogue, "load", lambda *_, **__: sealed)
    out = tmp_path / "run"
    given = folded(resampling={"folds": 3}, variants={"softmax": QUICK})
    made = run(out, given).results
    assert made["verdicts"][0]["outcome"] == "better"
    assert made["ledger"]["test_hash"] is None
    assert verify(out).ok
    assert read_plan(out) is not None
    with pytest.raises(InputError, match="resampling compares without one where then_test is"):
        run(tmp_path / "other", folded(resampling={"folds": 2, "then_test": True}))


def test_seeds_beyond_the_plan_are_exploratory(tmp_path: Path) -> None:
    given = folded(resampling={"folds": 2}, variants={"softmax": QUICK})
    made = run(tmp_path / "run", given, seeds=2).results
    assert made["verdicts"][0]["exploratory"]
    assert "seeds outside the plan: 1" in made["verdicts"][0]["reason"]


def test_renaming_a_teacher_reruns_nothing_of_its_students(tmp_path: Path) -> None:
    variants: dict[str, Any] = {"mlp": MLP, "knn": VARIANTS["knn"]}
    run(tmp_path, study(variants=variants))
    watch = Watch()
    renamed = {"net": MLP, "knn": {"technique": "knn", "encoder": {"recipe": "net"}}}
    run(tmp_path, study(variants=renamed), watcher=watch)
    assert watch.begun == ["net/seed-0"]
    assert verify(tmp_path).ok


def test_the_interval_of_what_was_chosen_ends_where_the_metric_does(finished: Path) -> None:
    folder = open_folder(finished)
    near_one = {
        seed: record.model_copy(update={"metrics": {**record.metrics, "test/accuracy": 0.999}})
        for seed, record in folder.final.items()
    }
    low, high = interval_on_test(replace(folder, final=near_one), "test/accuracy")
    assert high == 1
    assert 0 < low < 0.999


def test_perplexities_are_compared_by_their_logarithms(tmp_path: Path) -> None:
    """In the verdicts over folds, in the choice and in the interval of what was chosen."""
    corpus = tmp_path / "corpus.txt"
    draw = np.random.default_rng(0)
    words = ("the cat", "a dog", "sat down", "ran off", "and slept", "but woke", "again", "soon")
    lines = (" ".join(draw.choice(words, 6)) for _ in range(300))
    corpus.write_text("\n".join(lines))
    given = study(
        dataset={"corpus": str(corpus), "words": 36},
        resampling={"folds": 3, "then_test": True},
        metric="fold/perplexity",
        seeds=2,
        control={
            "name": "short",
            "technique": "language-model",
            "model": {"weights": None, "kind": "gpt2", "width": 16, "layers": 1, "heads": 2},
            "blocks": {"tokens": 32},
            "scoring": {"context": 32, "stride": 16},
            "training": {"iterations": 5, "learning_rate": 0.003},
            "samples": {"count": 0},
            "numerics": {"device": "cpu", "precision": "float32", "threads": 1},
        },
        variants={"longer": {"training.iterations": 15}},
    )
    out = tmp_path / "run"
    made = run(out, given).results
    by_metric = {v["metric"]: v for v in made["verdicts"]}
    factor, nats = by_metric["fold/perplexity"], by_metric["fold/cross_entropy"]
    assert factor["difference"] == pytest.approx(nats["difference"])
    assert factor["ci95"] == pytest.approx(nats["ci95"])
    final = made["final"]
    assert final["recipe"] == "longer"
    folder = open_folder(out)
    ends = interval_on_test(folder, "test/perplexity")
    assert ends == pytest.approx(np.exp(interval_on_test(folder, "test/cross_entropy")))
    assert ends[0] < final["mean"] < ends[1]
    assert final["mean"] == pytest.approx(np.exp(np.log(final["values"]).mean()))
    verify(out)
