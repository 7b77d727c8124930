"""Choosing settings on validation: what is tried, what is chosen, and what may not follow."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.study.tiny import FAILING, QUICK, Watch, openings, run, study

from bakeoff.core.errors import BakeoffError, InputError, Interrupted
from bakeoff.core.record import Record, read_record
from bakeoff.study.evidence import pack
from bakeoff.study.folder import open_folder
from bakeoff.study.manifest import write_manifest
from bakeoff.study.plan import read_plan, write_plan
from bakeoff.study.planned import TRIAL_SEEDS
from bakeoff.study.prepare import prepare
from bakeoff.study.study import Study
from bakeoff.study.tuning import Trial, best, next_to_choose, trial_costs, trial_of
from bakeoff.study.verify import verify

RATES = [1e-9, 0.5, 1e9]
"""Nothing is learnt with the first, and the last diverges."""
EPOCH: dict[str, Any] = {"training": {"epochs": 1}}
SEARCH: dict[str, Any] = {"grid": {"training.learning_rate": RATES}, "seeds": 2}


def searching(**changes: Any) -> Study:
    return study(**({"search": SEARCH} | changes))


def chosen(out: Path, name: str = "softmax") -> dict[str, Any]:
    plan = read_plan(out)
    assert plan is not None
    values: dict[str, Any] = plan["recipes"][name]["values"]
    return values


def trial(out: Path, rate: float, seed: int = TRIAL_SEEDS, name: str = "softmax") -> Record:
    found = read_record(out / "cells" / f"{name}@learning_rate={rate}" / f"seed-{seed}")
    assert found is not None
    return found


def test_the_best_on_validation_is_what_is_compared(tmp_path: Path) -> None:
    finished = run(tmp_path, searching())
    assert chosen(tmp_path) == {"training.learning_rate": 0.5}
    own = finished.results["recipes"]["softmax"]
    assert own["recipe"]["training"]["learning_rate"] == 0.5
    scores = [trial(tmp_path, 0.5, TRIAL_SEEDS + i).metrics for i in range(2)]
    told = own["search"]["trials"]
    assert told[1]["scores"] == [metrics["validation/accuracy"] for metrics in scores]
    assert told[0]["mean"] < told[1]["mean"]
    assert told[2] == {
        "values": {"training.learning_rate": 1e9},
        "scores": [None] * 2,
        "mean": None,
    }
    assert own["search"]["sentence"] == (
        "softmax has training.learning_rate 0.5: of 3 values the best on validation (2 seeds)."
    )
    assert own["seeds"] == [0]
    assert "search" not in finished.results["recipes"]["majority"]
    assert verify(tmp_path).ok


def test_trials_see_no_test_examples_and_leave_no_weights(tmp_path: Path) -> None:
    run(tmp_path, searching())
    tried = [trial(tmp_path, rate, TRIAL_SEEDS + i) for rate in RATES for i in range(2)]
    assert {record.purpose for record in tried} == {"trial"}
    assert {record.test_opened for record in tried} == {0}
    splits = {name.partition("/")[0] for record in tried for name in record.metrics}
    assert splits == {"validation"}
    files = {name for record in tried for name in record.files}
    assert files == {"recipe.yaml", "metrics.jsonl", "predictions/validation.csv"}
    assert len(openings()) == 2  # of majority and softmax


def test_trials_may_learn_from_fewer_examples(tmp_path: Path) -> None:
    finished = run(tmp_path, searching(search=SEARCH | {"labels": 30}))
    own = finished.results["recipes"]["softmax"]
    assert own["recipe"]["data"]["labels"] == "all"
    assert own["search"]["sentence"].endswith(
        "(2 seeds) (trials learnt from 30 examples, not from all)."
    )
    plan = read_plan(tmp_path)
    assert plan is not None
    tried = plan["recipes"]["softmax"]["trials"]
    assert {one["recipe"]["data"]["labels"] for one in tried} == {30}
    compared = read_record(tmp_path / "cells" / "softmax" / "seed-0")
    assert compared is not None
    learnt = [one.recipe["data"]["labels"] for one in (trial(tmp_path, 0.5), compared)]
    assert learnt == [30, "all"]
    assert verify(tmp_path).ok
    with pytest.raises(InputError, match=r"search.labels: None received, .* were read under 30"):
        run(tmp_path, searching())
    with pytest.raises(InputError, match=r"search.labels: 5,?000 asked for, .*"):
        run(tmp_path / "new", searching(search=SEARCH | {"labels": 5000}))
    assert not (tmp_path / "new").exists()


def test_what_trying_took_is_told(tmp_path: Path) -> None:
    own = run(tmp_path, searching()).results["recipes"]["softmax"]["cost"]
    costs = [trial(tmp_path, rate, TRIAL_SEEDS + i).cost for rate in RATES for i in range(2)]
    assert own["tuning_seconds"] == pytest.approx(
        sum(cost.train_seconds + cost.warm_up_seconds for cost in costs)
    )
    assert own["tuning_alone"] is all(cost.alone for cost in costs)


@pytest.mark.parametrize("alone", [True, False])
def test_one_trial_beside_other_work_and_choosing_has_no_price(
    shared_run: Path, alone: bool
) -> None:
    [first, second, *_] = open_folder(shared_run).everything()
    seconds = {"train_seconds": 2.0, "warm_up_seconds": 1.0}
    records = [
        r.model_copy(update={"cost": r.cost.model_copy(update=seconds | {"alone": a})})
        for r, a in ((first, True), (second, alone))
    ]
    assert trial_costs([records]) == {"tuning_seconds": 6.0, "tuning_alone": alone}


def test_an_edge_of_what_was_tried_is_told(tmp_path: Path) -> None:
    grid = {"training.learning_rate": [1e-9, 0.5]}
    told = run(tmp_path, searching(search={"grid": grid})).results["recipes"]["softmax"]["search"]
    assert told["sentence"].endswith("; training.learning_rate is the largest that was tried.")


def test_values_that_are_no_numbers_have_no_edge(tmp_path: Path) -> None:
    mlp = {"technique": "mlp", "training": {"epochs": 1}}
    grid = {"model.hidden": [[4], [8, 8]], "training.learning_rate": [0.1]}
    given = searching(variants={"mlp": mlp}, search={"grid": grid})
    told = run(tmp_path, given).results["recipes"]["mlp"]["search"]["sentence"]
    hidden = chosen(tmp_path, "mlp")["model.hidden"]
    assert told == (
        f"mlp has model.hidden {hidden}, training.learning_rate 0.1: of 2 combinations the best on "
        "validation (1 seed)."
    )
    assert verify(tmp_path).ok


def test_the_control_run_again_has_what_the_control_has(tmp_path: Path) -> None:
    run(tmp_path, searching(control=QUICK, variants={"again": {}}))
    assert chosen(tmp_path, "again") == chosen(tmp_path, "softmax")
    plan = read_plan(tmp_path)
    assert plan is not None
    assert plan["recipes"]["again"]["recipe"] == plan["recipes"]["softmax"]["recipe"]
    assert verify(tmp_path).ok


def test_encoders_are_chosen_before_what_reads_them(tmp_path: Path) -> None:
    variants = {
        "encoder": {
            "technique": "contrastive",
            "data": {"labels": 100},
            "model": {"name": "simple-cnn", "width": 4},
            "training": {"epochs": 1},
        },
        "probe": {
            "technique": "probe",
            "data": {"labels": 100},
            "encoder": {"recipe": "encoder"},
            "training": {"epochs": 1},
        },
    }
    control = {"technique": "majority", "data": {"labels": 100}}
    given = searching(
        control=control,
        variants=variants,
        search={"grid": {"training.learning_rate": [1e-9, 0.01]}},
    )
    ready = prepare(given)
    assert [p.name for p in next_to_choose(ready)] == ["encoder"]
    run(tmp_path, given)
    probed = trial(tmp_path, 0.01, name="probe")
    served = read_record(tmp_path / f"cells/encoder/seed-{TRIAL_SEEDS}")
    assert served is not None
    assert probed.inputs == {"encoder": served.key}
    rate = chosen(tmp_path, "encoder")["training.learning_rate"]
    assert served.recipe["training"]["learning_rate"] == rate
    assert (served.purpose, served.test_opened) == ("input", 0)


ENCODER: dict[str, Any] = {
    "technique": "contrastive",
    "data": {"labels": 100},
    "model": {"name": "simple-cnn", "width": 4},
    "training": {"epochs": 1},
}


def probing(seed: int | None = None) -> Study:
    """A control that is nothing, an encoder, and a probe of it that is searched."""
    encoder = {"recipe": "encoder"} | ({} if seed is None else {"seed": seed})
    probe = {"technique": "probe", "encoder": encoder, "training": {"epochs": 1}}
    return searching(
        control={"technique": "majority", "data": {"labels": 100}},
        variants={"encoder": ENCODER, "probe": probe | {"data": {"labels": 100}}},
        search={"grid": {"training.learning_rate": [1e-9, 0.01]}, "of": ["probe"]},
        seeds={"exactly": 3},
    )


def test_an_encoder_of_one_seed_is_none_of_trials(tmp_path: Path) -> None:
    """It learnt from examples that validate them; and no cell is another's."""
    run(tmp_path, probing(seed=0))
    served = read_record(tmp_path / f"cells/encoder/seed-{TRIAL_SEEDS}")
    assert served is not None
    assert trial(tmp_path, 0.01, name="probe").inputs == {"encoder": served.key}
    watch = Watch()
    run(tmp_path, probing(seed=0), watcher=watch)
    assert watch.begun == []
    assert verify(tmp_path).ok


def test_what_was_fitted_for_trials_alone_is_booked_where_it_was_fitted(tmp_path: Path) -> None:
    results = run(tmp_path / "run", probing()).results["recipes"]
    served = read_record(tmp_path / f"run/cells/encoder/seed-{TRIAL_SEEDS}")
    assert served is not None
    seconds = served.cost.train_seconds + served.cost.warm_up_seconds
    assert results["encoder"]["cost"]["tuning_seconds"] == pytest.approx(seconds)
    assert results["probe"]["cost"]["tuning_seconds"] > 0
    assert "search" not in results["encoder"]
    pack(tmp_path / "run", tmp_path / "evidence")
    found = open_folder(tmp_path / "evidence").served["encoder"]
    assert [record.key for record in found] == [served.key]
    assert verify(tmp_path / "evidence").ok


def test_a_variant_has_what_was_chosen_for_the_control(tmp_path: Path) -> None:
    given = searching(
        control=QUICK,
        variants={"smaller": {"training.batch_size": 16}},
        search=SEARCH | {"of": ["softmax"]},
    )
    results = run(tmp_path, given).results["recipes"]
    assert chosen(tmp_path, "smaller") == chosen(tmp_path) == {"training.learning_rate": 0.5}
    assert results["smaller"]["recipe"]["training"]["learning_rate"] == 0.5
    assert results["smaller"]["search"]["sentence"] == (
        "smaller has training.learning_rate 0.5: what was chosen for softmax."
    )
    assert verify(tmp_path).ok


def test_some_of_a_study_and_all_of_it_after_each_other(tmp_path: Path) -> None:
    given = searching(variants={"softmax": QUICK, "mlp": {"technique": "mlp", **EPOCH}})
    run(tmp_path / "a", given)
    run(tmp_path / "a", given.only(["softmax"]))
    watch = Watch()
    run(tmp_path / "a", given, watcher=watch)
    assert watch.begun == []
    run(tmp_path / "b", given.only(["softmax"]))
    late = {n: r["late"] for n, r in run(tmp_path / "b", given).results["recipes"].items()}
    assert late == {"majority": False, "softmax": False, "mlp": True}
    assert chosen(tmp_path / "a", "mlp") == chosen(tmp_path / "b", "mlp")


def test_running_again_tries_nothing_again(tmp_path: Path) -> None:
    run(tmp_path, searching())
    before = read_plan(tmp_path)
    watch = Watch()
    run(tmp_path, searching(), watcher=watch)
    assert watch.begun == []
    assert read_plan(tmp_path) == before


def test_a_search_that_was_stopped_goes_on(tmp_path: Path) -> None:
    class Stopping(Watch):
        def done(self, cell: Any, record: Record, cached: bool) -> None:
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        run(tmp_path / "a", searching(), watcher=Stopping())
    run(tmp_path / "a", searching())
    run(tmp_path / "b", searching())
    assert chosen(tmp_path / "a") == chosen(tmp_path / "b")
    assert trial(tmp_path / "a", 0.5).metrics == trial(tmp_path / "b", 0.5).metrics


def test_after_test_was_read_nothing_else_is_searched(tmp_path: Path) -> None:
    run(tmp_path, searching())
    with pytest.raises(InputError, match=r"search.seeds: 3 received, .* were read under 2"):
        run(tmp_path, searching(search=SEARCH | {"seeds": 3}))
    tried = "training.learning_rate 0.5; .*"
    with pytest.raises(InputError, match=f"search of softmax: no search received, .* {tried}"):
        run(tmp_path, study())
    fewer = {"grid": {"training.learning_rate": RATES[:2]}, "seeds": 2}
    with pytest.raises(InputError, match=r"search of softmax: training.learning_rate 0.5; .*"):
        run(tmp_path, searching(search=fewer))
    turned = {"grid": {"training.learning_rate": RATES[::-1]}, "seeds": 2}
    watch = Watch()
    run(tmp_path, searching(search=turned), watcher=watch)
    assert watch.begun == []


def test_a_variant_that_comes_later_is_searched_and_late(tmp_path: Path) -> None:
    run(tmp_path, searching())
    more = {"softmax": QUICK, "longer": {"technique": "softmax", "training": {"epochs": 2}}}
    results = run(tmp_path, searching(variants=more)).results
    late = {name: recipe["late"] for name, recipe in results["recipes"].items()}
    assert late == {"majority": False, "softmax": False, "longer": True}
    assert "search" in results["recipes"]["longer"]


def test_nothing_is_chosen_where_a_trial_fails(tmp_path: Path) -> None:
    given = searching(variants={"softmax": FAILING})
    with pytest.raises(BakeoffError, match="search: nothing is chosen where trials fail: softmax@"):
        run(tmp_path, given)
    assert openings() == []


def test_evidence_holds_what_a_choice_follows_from(tmp_path: Path) -> None:
    run(tmp_path / "run", searching())
    pack(tmp_path / "run", tmp_path / "evidence")
    assert verify(tmp_path / "evidence").ok
    assert len(open_folder(tmp_path / "evidence").trials["softmax"]) == len(RATES)


def test_another_choice_than_follows_is_found(tmp_path: Path) -> None:
    run(tmp_path, searching())
    plan = read_plan(tmp_path)
    assert plan is not None
    plan["recipes"]["softmax"]["values"] = {"training.learning_rate": RATES[0]}
    write_plan(tmp_path, plan)
    write_manifest(tmp_path)
    faults = verify(tmp_path).faults
    assert any("plan.json: recipes.softmax: values is" in fault for fault in faults)


def test_a_trial_that_was_changed_is_found(tmp_path: Path) -> None:
    run(tmp_path, searching())
    place = tmp_path / f"cells/softmax@learning_rate=0.5/seed-{TRIAL_SEEDS}/record.json"
    content = json.loads(place.read_text())
    content["metrics"]["validation/accuracy"] = 0.999
    place.write_text(json.dumps(content))
    write_manifest(tmp_path)
    assert any("validation/accuracy is" in fault for fault in verify(tmp_path).faults)


def test_a_trial_that_was_lost_is_run_again(tmp_path: Path) -> None:
    run(tmp_path, searching())
    shutil.rmtree(tmp_path / "cells/softmax@learning_rate=0.5")
    watch = Watch()
    run(tmp_path, searching(), watcher=watch)
    assert len(watch.finished) == 2
    assert chosen(tmp_path) == {"training.learning_rate": 0.5}


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        ([1e8, 1e9], "the first of 2 values, all of which diverged (2 seeds)"),
        ([1e-30, 1e-29], "of 2 values the first of the best on validation, as good as 1 other"),
        (
            [1e-9, 0.5],
            "of 2 values the best on validation (2 seeds); training.learning_rate is "
            "the largest that was tried",
        ),
        ([1e-9, 0.5, 1e9], "of 3 values the best on validation (2 seeds)."),
    ],
)
def test_why_values_were_chosen(rates: list[float], told: str, tmp_path: Path) -> None:
    given = searching(search={"grid": {"training.learning_rate": rates}, "seeds": 2})
    assert told in run(tmp_path, given).results["recipes"]["softmax"]["search"]["sentence"]


def trials(*scores: tuple[float, ...]) -> list[Trial]:
    return [Trial({"rate": i}, some) for i, some in enumerate(scores)]


def test_the_best_is_the_best_mean_in_the_metrics_direction() -> None:
    found = trials((0.1, 0.5), (0.2, 0.6), (0.9, np.nan))
    assert best(found, "test/accuracy") == 1
    assert best(found, "test/perplexity") == 0


def test_the_first_of_equals_is_chosen_and_where_nothing_converged() -> None:
    assert best(trials((0.5,), (0.5,)), "test/accuracy") == 0
    assert best(trials((np.nan,), (np.nan,)), "test/accuracy") == 0


def test_what_diverged_has_no_score(tmp_path: Path) -> None:
    run(tmp_path, searching())
    wild = trial(tmp_path, 1e9)
    assert wild.status == "diverged"
    assert np.isnan(trial_of({}, [wild], "test/accuracy").mean)
