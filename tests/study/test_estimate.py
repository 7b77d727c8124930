"""What a study will cost, told before it runs."""

import time
from pathlib import Path
from typing import Any

import pytest
from tests.study.tiny import QUICK, openings, run, study

from bakeoff.data.dataset import Dataset
from bakeoff.data.vocabulary import read_words
from bakeoff.execution.run import CellRun
from bakeoff.study import estimate as module
from bakeoff.study.estimate import Estimate, estimate, estimate_final
from bakeoff.study.prepare import prepare
from bakeoff.study.study import Study
from bakeoff.training.observers import Silent

MLP: dict[str, Any] = {
    "technique": "mlp",
    "model": {"hidden": [8]},
    "training": {"epochs": 2, "batch_size": 100},
}
VARIANTS: dict[str, Any] = {
    "softmax": QUICK,
    "knn": {"technique": "knn"},
    "mlp": MLP,
    "encoded": {"technique": "knn", "encoder": {"recipe": "mlp"}},
    "probe": {"technique": "probe", "encoder": {"recipe": "mlp"}, "training": {"epochs": 2}},
    "again": None,
}


def by_recipe(given: Study, seeds: int | None = None) -> dict[str, Estimate]:
    return {row.recipe: row for row in estimate(prepare(given), seeds)}


def test_every_recipe_has_its_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = by_recipe(study(seeds=3, variants=VARIANTS))
    assert set(told) == {"majority", *VARIANTS}
    for row in told.values():
        assert row.cells == 3
        assert 0 < row.seconds < 60
        assert row.total_seconds == 3 * row.seconds
        assert row.memory_bytes >= 0
        assert row.disk_bytes > 90 * 12
    assert (told["softmax"].parameters, told["softmax"].macs_per_example) == (650, 640)
    assert openings() == []
    assert list(tmp_path.iterdir()) == []


def test_every_try_has_its_price() -> None:
    """One price where rates alone differ; what is to be chosen is the dearest until then."""
    grid = {"training.learning_rate": [0.1, 0.2], "model.hidden": [[4], [256]]}
    encoded = {"technique": "probe", "encoder": {"recipe": "mlp"}, "training": {"epochs": 2}}
    given = study(
        variants={"mlp": MLP | {"model": {"activation": "tanh"}}, "probe": encoded},
        search={"grid": grid, "seeds": 2, "of": ["mlp", "probe"]},
    )
    probed: list[str] = []

    class Watching(module._Probe):
        def run(self, count: int) -> Any:
            probed.append(self.recipe.name)
            return super().run(count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_Probe", Watching)
        told = by_recipe(given, seeds=3)
    assert len([name for name in probed if name.startswith("mlp@")]) == 2
    assert len([name for name in probed if name.startswith("probe@")]) == 1
    mlp, probe = told["mlp"], told["probe"]
    assert (told["majority"].trials, probe.trials, mlp.trials) == (0, 4, 8 + 2)
    assert mlp.parameters > 64 * 256
    assert 0 < mlp.trial_seconds < 10 * mlp.seconds + 1e-9
    assert probe.trial_seconds == pytest.approx(4 * probe.fit_seconds)
    assert mlp.total_seconds == pytest.approx(3 * mlp.seconds + mlp.trial_seconds)


def test_trials_on_fewer_examples_have_a_price_of_their_own() -> None:
    grid = {"training.learning_rate": [0.1, 0.2]}
    slow = MLP | {"training": {"epochs": 40}}
    whole, fewer = (
        by_recipe(study(variants={"mlp": slow}, search={"grid": grid} | labels))["mlp"]
        for labels in ({}, {"labels": 20})
    )
    assert (whole.trials, fewer.trials) == (2, 2)
    assert whole.trial_seconds == pytest.approx(2 * whole.fit_seconds)
    assert whole.fit_seconds < whole.seconds
    assert fewer.trial_seconds < 1.5 * fewer.fit_seconds


def test_it_counts_as_the_run_does(tmp_path: Path) -> None:
    given = study(variants={"softmax": QUICK, "knn": {"technique": "knn"}})
    cost = {n: r["cost"] for n, r in run(tmp_path, given).results["recipes"].items()}
    for name, row in by_recipe(given).items():
        assert row.parameters == cost[name]["parameters"]
        assert row.macs_per_example == cost[name]["macs_per_example"]


def test_what_remembers_examples_is_extrapolated(monkeypatch: pytest.MonkeyPatch) -> None:
    given = study(variants={"knn": {"technique": "knn"}})
    whole = by_recipe(given)
    monkeypatch.setattr(module, "PROBE_EXAMPLES", 200)
    part = by_recipe(given)
    assert part["knn"].parameters == whole["knn"].parameters == 809 * 64
    assert part["knn"].macs_per_example == whole["knn"].macs_per_example
    assert part["majority"].parameters == 10


PATCHES: dict[str, Any] = {
    "technique": "softmax",
    "features": {"name": "patches", "size": 3, "atoms": 16, "patches": 2000, "grid": 2},
    "training": {"epochs": 3},
}
SOLVED: dict[str, Any] = {
    "technique": "softmax",
    "training": {"solver": "lbfgs", "iterations": 40, "l2": 0.01},
}


@pytest.mark.parametrize(
    "variant",
    [PATCHES, SOLVED, PATCHES | {"training": SOLVED["training"]}],
    ids=["patches", "lbfgs", "both"],
)
def test_what_is_solved_counts_as_the_run_does(tmp_path: Path, variant: dict[str, Any]) -> None:
    given = study(variants={"b": variant})
    row = by_recipe(given)["b"]
    cost = run(tmp_path, given).results["recipes"]["b"]["cost"]
    assert row.parameters == cost["parameters"]
    assert row.macs_per_example == cost["macs_per_example"]
    assert cost["train_seconds"] / 20 < row.seconds < cost["train_seconds"] * 20


def test_patch_features_are_reckoned_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("features were computed")

    monkeypatch.setattr("bakeoff.techniques.linear.fit_features", refuse)
    few = by_recipe(study(variants={"b": PATCHES}))["b"]
    dictionary = PATCHES["features"] | {"dictionary": "k-means", "patches": 2_000_000}
    many = by_recipe(study(variants={"b": PATCHES | {"features": dictionary}}))["b"]
    assert many.seconds > 5 * few.seconds
    assert few.memory_bytes >= (809 + 90) * 4 * 2 * 16


def test_more_iterations_over_more_examples_cost_more(monkeypatch: pytest.MonkeyPatch) -> None:
    long = {"technique": "softmax", "training": {"solver": "lbfgs", "iterations": 4000}}
    monkeypatch.setattr(module, "PROBE_EXAMPLES", 200)
    told = by_recipe(study(variants={"short": SOLVED, "long": long}))
    assert told["long"].seconds > 10 * told["short"].seconds


def test_levels_that_cost_the_same_are_probed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[str] = []
    fit = module._Probe._fit

    def counted(probe: module._Probe, *given: Any) -> Any:
        probed.append(probe.recipe.name)
        return fit(probe, *given)

    monkeypatch.setattr(module._Probe, "_fit", counted)
    orders = [["1", "2"], ["2", "1"]]
    factors = {"data.classes": orders, "data.labels": [100, 140]}
    found = estimate(prepare(study(factors=factors)))
    assert len(found) == len({row.recipe for row in found}) == 8
    assert len(probed) == 4
    assert len({row.seconds for row in found}) == 4


def test_seeds_are_those_asked_for_or_the_first_looks() -> None:
    assert by_recipe(study(seeds=4), seeds=7)["softmax"].cells == 7
    assert by_recipe(study(seeds={"race": True}))["softmax"].cells == 3


def test_longer_training_costs_more(texts: Dataset) -> None:
    def seconds(epochs: int) -> float:
        training = {"epochs": epochs}
        given = study(variants={"softmax": {"technique": "softmax", "training": training}})
        return by_recipe(given)["softmax"].seconds

    assert seconds(2000) > 20 * seconds(1)


def test_what_a_loop_waits_for_is_no_part_of_its_updates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "texts.csv"
    lines = [f"{'bad' if i % 2 else 'good'} film {i},{i % 2}" for i in range(60)]
    table.write_text("\n".join(["text,label", *lines]), encoding="utf-8")

    def slowly(*given: Any) -> list[list[str]]:
        time.sleep(1)
        return read_words(*given)

    monkeypatch.setattr("bakeoff.techniques.words.read_words", slowly)
    small = {"model": {"embedding": 2, "hidden": 2}, "words": {"length": 4}}
    network = {"technique": "lstm", **small, "training": {"iterations": 1000, "batch_size": 4}}
    told = by_recipe(study(dataset={"table": str(table)}, variants={"lstm": network}))
    assert 1 < told["lstm"].seconds < 60  # one in eleven updates would be 90 seconds


def test_it_is_near_what_the_run_takes(tmp_path: Path) -> None:
    """Within a factor of ten, on a machine that is shared."""
    training = {"epochs": 60, "batch_size": 16}
    given = study(variants={"softmax": {"technique": "softmax", "training": training}})
    told = by_recipe(given)["softmax"].seconds
    cost = run(tmp_path, given).results["recipes"]["softmax"]["cost"]
    assert cost["train_seconds"] / 10 < told < cost["train_seconds"] * 10


def test_what_is_chosen_on_folds_costs_at_most_as_much_as_the_dearest() -> None:
    def row(recipe: str, seconds: float) -> Estimate:
        return Estimate(recipe, recipe, 3, 10, 10, seconds, 0, 100, seconds)

    given = {"metric": "fold/accuracy", "seeds": 2, "variants": VARIANTS}
    ready = prepare(study(**given, resampling={"folds": 3, "then_test": True}))
    prices = {"majority": 1.0, "softmax": 4.0, "knn": 2.0, "mlp": 3.0, "encoded": 2.0, "again": 1.0}
    final = estimate_final(ready, [row(name, seconds) for name, seconds in prices.items()])
    assert final is not None
    assert final.cells == 2
    assert final.seconds == pytest.approx((3.0 + 2.0) * 3 / 2), "it needs the network's, too"
    assert estimate_final(prepare(study(**given, resampling={"folds": 3})), []) is None
    assert estimate_final(prepare(study()), []) is None


def test_compiling_is_part_of_the_price(tmp_path: Path) -> None:
    """Once, however many updates there are; and no update is the dearer for it."""
    training = {"epochs": 10, "batch_size": 100}
    ready = prepare(study(variants={"softmax": {"technique": "softmax", "training": training}}))
    planned = next(p for p in ready.planned if p.name == "softmax")
    first = ready.replicates(ready.looks.seeds)[0]
    probe = module._Probe(ready, planned, first, {}, tmp_path)
    assert probe.recipe == planned.recipe, "it computes as the run will"
    run = CellRun(tmp_path, first.streams, {}, True, Silent(), lambda: None)
    run.train_seconds = 11.0
    eager = probe._loop_seconds(run, rate=1e9)
    run.train_seconds, run.compile_seconds = 11.0 + 40, 40.0
    assert probe._loop_seconds(run, rate=1e9) == pytest.approx(eager + 40)
    assert eager == pytest.approx(10 * -(-len(probe.whole.train) // 100), rel=1e-3)


def test_of_a_large_model_little_is_probed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Three updates, the shortest text that validates, and a text at a time from the usual ones."""
    corpus = tmp_path / "texts.txt"
    lines = ["one two three " * n for n in range(1, 61)]
    corpus.write_text("\n\n".join(lines), encoding="utf-8")
    small = {"blocks": {"tokens": 8}, "scoring": {"context": 16, "stride": 16}}
    given = study(
        dataset={"corpus": str(corpus), "words": 30},
        metric="test/perplexity",
        control={"technique": "language-model", "training": {"iterations": 5000}, **small},
        variants={},
    )
    fitted: list[tuple[int, list[str]]] = []
    fit = module._Probe._fit

    def watched(probe: module._Probe, *given: Any) -> Any:
        made = fit(probe, *given)
        fitted.append((probe.steps, list(probe._validating().items)))
        return made

    monkeypatch.setattr(module._Probe, "_fit", watched)
    (usual,) = by_recipe(given).values()
    monkeypatch.setattr(module, "PROBE_MACS", 1.0)
    (large,) = by_recipe(given).values()
    (steps, validating), (fewer, shortest) = fitted
    assert (steps, fewer) == (module.PROBE_STEPS, 3)
    assert shortest == [min(validating, key=len)] != validating
    assert usual.seconds / 10 < large.seconds < usual.seconds * 10


class Slow:
    """Takes as long as texts are, and at first much longer."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def predict(self, items: Any) -> None:
        self.asked.append(list(items))


def test_a_rate_is_of_usual_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a" * n for n in (1, 500, 90, 101, 200, 8, 100)]
    slow = Slow()
    clock = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: 10.0 * next(clock))
    assert module._examples_per_second(slow, texts) == 0.1  # type: ignore[arg-type]
    assert [[len(text) for text in asked] for asked in slow.asked] == [[1], [101]]
    many = Slow()
    monkeypatch.setattr(time, "perf_counter", lambda: 0.01 * next(clock))
    rate = module._examples_per_second(many, ["a"] * 700)  # type: ignore[arg-type]
    assert rate == pytest.approx(module.RATED / 0.01)
    assert [len(asked) for asked in many.asked] == [1, *(2**n for n in range(10))]
