"""`results.json` and `standings.csv`: a pure function of plan, records and predictions."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.conftest import write_cola
from tests.study.tiny import QUICK, change_json, forge, run, study

from bakeoff import report
from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.files import pretty_json
from bakeoff.core.metrics import DIRECTIONS
from bakeoff.study.evidence import pack
from bakeoff.study.folder import open_folder
from bakeoff.study.results import _summary, results, standings, write_results
from bakeoff.study.statistics import noise_floor
from bakeoff.study.verify import verify

TOP = {
    *("schema", "study", "question", "metric", "direction", "control", "recipes", "margin"),
    *("population", "verdicts"),
}
RECIPE = {"changed", "seeds", "failed", "metrics", "cost"}
COST = {
    *("parameters", "trained_parameters", "macs_per_example", "train_seconds", "peak_bytes"),
    *("upstream_seconds", "tuning_seconds"),
}
VERDICT = {
    *("a", "b", "level", "metric", "difference", "ci95", "ci_this_test_set", "p_value"),
    *("p_corrected", "p_equivalence", "look", "alpha_spent", "outcome", "exploratory"),
    *("cost_ratio", "seeds_to_decide", "examples_to_decide", "limited_by", "sentence"),
}


@pytest.fixture
def content(shared_run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_run / "results.json").read_text())
    return found


def no_constant(name: str) -> float:
    raise AssertionError(f"{name} in results.json")


def test_the_schema(content: dict[str, Any], shared_run: Path) -> None:
    assert content.keys() >= TOP
    assert content["schema"] == 1
    assert set(content["recipes"]) == {"majority", "softmax", "knn"}
    assert content["control"] == "majority"
    for recipe in content["recipes"].values():
        assert recipe.keys() >= RECIPE
        assert recipe["cost"].keys() >= COST
        assert recipe["seeds"] == [0, 1, 2]
        for split in ("train", "validation", "test"):
            for name in DIRECTIONS:
                metric = recipe["metrics"][f"{split}/{name}"]
                assert metric.keys() == {"values", "mean", "sd", "ci95"}
                assert len(metric["values"]) == 3
    for verdict in content["verdicts"]:
        assert verdict.keys() >= VERDICT
    json.loads((shared_run / "results.json").read_text(), parse_constant=no_constant)


def test_verdicts_of_the_studys_metric_come_first(content: dict[str, Any]) -> None:
    pairs = [(verdict["a"], verdict["metric"]) for verdict in content["verdicts"]]
    assert pairs[:2] == [("softmax", "test/accuracy"), ("knn", "test/accuracy")]
    assert len(pairs) == 2 * len(DIRECTIONS)
    assert {v["b"] for v in content["verdicts"]} == {"majority"}
    assert all(v["outcome"] == "undecided" for v in content["verdicts"][2:])


def test_numbers_are_those_of_the_records(content: dict[str, Any], shared_run: Path) -> None:
    folder = open_folder(shared_run)
    for name, recipe in content["recipes"].items():
        values = [r.metrics["test/accuracy"] for r in folder.records[name].values()]
        metric = recipe["metrics"]["test/accuracy"]
        assert metric["values"] == values
        assert metric["mean"] == pytest.approx(np.mean(values))
        assert metric["sd"] == pytest.approx(np.std(values, ddof=1))
        assert metric["ci95"][0] <= metric["mean"] <= metric["ci95"][1]
    knn, majority = (content["recipes"][n]["metrics"]["test/accuracy"]["mean"]
                     for n in ("knn", "majority"))  # fmt: skip
    assert content["verdicts"][1]["difference"] == pytest.approx(knn - majority)
    assert content["verdicts"][1]["outcome"] == "better"


def test_the_noise_floor_is_the_controls(content: dict[str, Any]) -> None:
    sd = content["recipes"]["majority"]["metrics"]["test/accuracy"]["sd"]
    assert content["noise_floor"] == noise_floor(sd, 3)


def test_counts_are_whole(content: dict[str, Any]) -> None:
    cost = content["recipes"]["knn"]["cost"]
    for name in ("parameters", "trained_parameters", "macs_per_example", "peak_bytes"):
        assert isinstance(cost[name], int)
    assert isinstance(cost["train_seconds"], float)
    assert content["recipes"]["softmax"]["cost"]["parameters"] == 64 * 10 + 10


def test_the_same_folder_gives_the_same_bytes(shared_run: Path) -> None:
    made = results(open_folder(shared_run))
    assert pretty_json(made) == (shared_run / "results.json").read_bytes()
    assert standings(made) == (shared_run / "standings.csv").read_bytes()


@pytest.fixture
def cola(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small counterpart of CoLA where data sets are looked for."""
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "cola").mkdir(parents=True)
    write_cola(tmp_path / "data" / "cola")


@pytest.mark.usefixtures("cola")
def test_published_parts_of_the_test_split_are_told_apart(tmp_path: Path) -> None:
    """Of CoLA the two development files: means over seeds, from the predictions."""
    given = study(
        dataset="cola",
        metric="test/matthews_corrcoef",
        seeds={"exactly": 2},
        control={"technique": "bag-of-words"},
        variants={"majority": {"technique": "majority"}},
    )
    out = tmp_path / "run"
    made = run(out, given).results
    folder = open_folder(out)
    for name, recipe in made["recipes"].items():
        assert list(recipe["parts"]) == ["in-domain", "out-of-domain"]
        for number, part in enumerate(recipe["parts"].values()):
            assert part["count"] == 15
            metrics = part["metrics"]
            assert set(metrics) == {n for n in recipe["metrics"] if n.startswith("test/")}
            tables = [folder.predictions(r, "test") for r in folder.records[name].values()]
            half = slice(15 * number, 15 * number + 15)
            right = [(t["label"] == t["prediction"])[half].mean() for t in tables]
            accuracy = metrics["test/accuracy"]
            assert accuracy["values"] == pytest.approx(right)
            assert accuracy["mean"] == pytest.approx(np.mean(right))
            assert accuracy["sd"] == pytest.approx(np.std(right, ddof=1))
    assert "On the 15 test examples of out-of-domain" in (out / "report.html").read_text()
    checked = verify(out)
    assert checked.ok, checked.faults
    place = "recipes|bag-of-words|parts|in-domain|metrics|test/accuracy|mean"
    change_json(out / "results.json", {place: 0.123})
    forge(out)
    assert any("parts.in-domain" in fault for fault in verify(out).faults)


@pytest.mark.usefixtures("cola")
def test_results_of_before_parts_were_told_are_verified(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(out, study(dataset="cola", variants={"again": {}}))
    content = json.loads((out / "results.json").read_text())
    for recipe in content["recipes"].values():
        del recipe["parts"]
    (out / "results.json").write_bytes(pretty_json(content))
    report.write(out)
    forge(out)
    checked = verify(out)
    assert checked.ok, checked.faults
    pack(out, tmp_path / "evidence")
    content = json.loads((tmp_path / "evidence" / "results.json").read_text())
    assert "parts" in content["recipes"]["majority"], "packed anew, they are told"
    assert verify(tmp_path / "evidence").ok


def test_one_seed_gives_no_spread(small_run: Path) -> None:
    made = results(open_folder(small_run))
    metric = made["recipes"]["softmax"]["metrics"]["test/accuracy"]
    assert (metric["sd"], metric["ci95"], made["noise_floor"]) == (None, None, None)
    assert made["verdicts"][0]["outcome"] == "undecided"


def test_no_cells_give_no_numbers(small_run: Path, copy_of: Callable[[Path], Path]) -> None:
    out = copy_of(small_run)
    for path in out.glob("cells/*/*/record.json"):
        path.unlink()
    made = write_results(out)
    assert made["recipes"]["softmax"]["failed"] == [0]
    assert made["recipes"]["softmax"]["metrics"] == {}
    assert made["costs_alone"] is False
    assert made["verdicts"][0]["difference"] is None
    json.loads((out / "results.json").read_text(), parse_constant=no_constant)
    assert len((out / "standings.csv").read_text().splitlines()) == 1


def test_cells_of_another_key_are_left_out(
    small_run: Path, copy_of: Callable[[Path], Path]
) -> None:
    out = copy_of(small_run)
    change_json(out / "plan.json", {"recipes|softmax|cells|0": "0" * 16})
    assert results(open_folder(out))["recipes"]["softmax"]["failed"] == [0]


def test_standings_are_ranked(shared_run: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((shared_run / "standings.csv").read_text())))
    assert [row["recipe"] for row in rows] == ["knn", "softmax", "majority"]
    assert [row["outcome"] for row in rows] == ["better", "better", ""]
    assert list(rows[0])[:4] == ["recipe", "technique", "seeds", "test/accuracy"]
    assert float(rows[0]["ci95_low"]) < float(rows[0]["test/accuracy"])
    assert float(rows[0]["difference"]) > 0.8


def test_standings_of_a_loss_rank_the_smallest_first(tmp_path: Path) -> None:
    out = tmp_path / "run"
    variants = {"softmax": QUICK, "knn": {"technique": "knn", "k": 1}}
    made = run(out, study(metric="test/log_loss", variants=variants)).results
    rows = list(csv.DictReader(io.StringIO((out / "standings.csv").read_text())))
    values = [float(row["test/log_loss"]) for row in rows]
    assert values == sorted(values)
    assert made["direction"] == "min"
    assert not math.isnan(values[0])


def test_verdicts_stay_inside_their_level(tmp_path: Path) -> None:
    given = study(seeds={"exactly": 3}, factors={"data.labels": [50, 400]})
    made = run(tmp_path / "run", given).results
    told = [v for v in made["verdicts"] if v["metric"] == "test/accuracy"]
    assert [(v["a"], v["b"], v["level"]) for v in told] == [
        ("softmax@labels=50", "majority@labels=50", {"data.labels": 50}),
        ("softmax@labels=400", "majority@labels=400", {"data.labels": 400}),
    ]
    for verdict in told:
        a, b = (made["recipes"][verdict[x]]["metrics"]["test/accuracy"]["mean"] for x in "ab")
        assert verdict["difference"] == pytest.approx(a - b)
    # Both levels are one family of comparisons.
    assert max(v["p_corrected"] / v["p_value"] for v in told) == pytest.approx(2)


def test_levels_may_have_classes_of_their_own(tmp_path: Path) -> None:
    factors = {"data.classes": [["0", "1"], ["7", "8", "9"]]}
    made = run(tmp_path / "run", study(factors=factors)).results
    softmax = made["recipes"]["softmax@classes=7-8-9"]
    assert softmax["metrics"]["test/accuracy"]["mean"] > 0.4


def test_what_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a run folder: it has no plan\.json"):
        open_folder(tmp_path)


def test_counts_are_those_of_cells_that_did_not_diverge(
    copy_of: Callable[[Path], Path], shared_run: Path
) -> None:
    """What stands in for lost weights has no parameters: a recipe's price is not lowered by it."""
    folder = copy_of(shared_run)
    whole = results(open_folder(folder))["recipes"]["softmax"]["cost"]
    lost = {"status": "diverged", "cost|parameters": 0, "cost|peak_bytes": 10**9}
    for seed in (0, 2):
        change_json(folder / f"cells/softmax/seed-{seed}/record.json", lost)
    found = results(open_folder(folder))["recipes"]["softmax"]["cost"]
    assert found["parameters"] == whole["parameters"] > 0
    assert found["peak_bytes"] < 10**9
    kept = json.loads((folder / "cells/softmax/seed-1/record.json").read_text())["cost"]
    assert found["train_seconds"] == kept["train_seconds"]
    change_json(folder / "cells/softmax/seed-1/record.json", lost)
    assert results(open_folder(folder))["recipes"]["softmax"]["cost"]["parameters"] == 0


def test_equal_scores_have_no_spread() -> None:
    """Their mean may be rounded, and be none of them."""
    values = [29.70873627767312] * 3
    assert np.std(values, ddof=1) > 0
    scores = {Replicate(seed=seed): value for seed, value in enumerate(values)}
    assert _summary("test/perplexity", scores, None)["sd"] == 0
