"""Main effects against a design whose effects are known."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.study.tiny import QUICK, run, study

from bakeoff.study.effects import design_of, effects
from bakeoff.study.tables import markdown
from bakeoff.study.verify import verify

CHANGES: dict[str, dict[str, Any]] = {
    "turned": {"augmentation": {"flip": True, "crop": 2}},
    "normed": {"model.batch_norm": True, "model.width": 8},
    "swish": {"model.activation": "swish"},
}
GAINS = {"turned": 0.02, "normed": 0.03, "swish": -0.01}
SEEDS = [0, 1, 2, 3]


def combined(level: dict[str, Any] | None = None, noise: float = 0.0) -> dict[str, Any]:
    """All combinations of three changes, whose gains add up but for one pair's 0.004 more."""
    generator = np.random.default_rng(0)
    recipes: dict[str, Any] = {}
    for chosen in product([False, True], repeat=3):
        names = [name for name, used in zip(CHANGES, chosen, strict=True) if used]
        both = 0.004 if {"turned", "normed"} <= set(names) else 0.0
        mean = 0.5 + sum(GAINS[name] for name in names) + both
        values = mean + noise * generator.standard_normal(len(SEEDS))
        recipes["-".join(names) or "plain"] = {
            "level": level or {},
            "changed": {f: v for name in names for f, v in CHANGES[name].items()},
            "dropped": False,
            "seeds": SEEDS,
            "metrics": {"test/accuracy": {"values": values.tolist()}},
        }
    return {"metric": "test/accuracy", "direction": "max", "recipes": recipes}


def test_every_change_has_its_mean_gain() -> None:
    found = {row["change"]: row for row in effects(combined())}
    assert list(found) == ["swish", "normed", "turned"]
    expected = {"turned": 0.022, "normed": 0.032, "swish": -0.01}
    for name, row in found.items():
        assert row["difference"] == pytest.approx(expected[name])
        assert row["alone"] == pytest.approx(GAINS[name])
        more = 0.0 if name == "swish" else 0.004
        assert row["beside_all"] == pytest.approx(GAINS[name] + more)
        assert row["changed"] == CHANGES[name]
        assert row["seeds"] == 4


def test_the_interval_is_students_over_seeds() -> None:
    content = combined(noise=0.003)
    row = next(row for row in effects(content) if row["change"] == "normed")
    values = {
        n: np.array(r["metrics"]["test/accuracy"]["values"]) for n, r in content["recipes"].items()
    }
    pairs = [
        ("normed", "plain"),
        ("turned-normed", "turned"),
        ("normed-swish", "swish"),
        ("turned-normed-swish", "turned-swish"),
    ]
    by_seed = np.mean([values[a] - values[b] for a, b in pairs], axis=0)
    assert row["difference"] == pytest.approx(by_seed.mean())
    expected = stats.t.interval(0.95, 3, by_seed.mean(), stats.sem(by_seed))
    assert row["ci95"] == pytest.approx(expected)


def test_losses_count_by_how_much_less_they_are() -> None:
    content = combined() | {"direction": "min"}
    found = {row["change"]: row["difference"] for row in effects(content)}
    assert found["swish"] == pytest.approx(0.01)


def test_effects_on_perplexity_are_factors() -> None:
    content = combined() | {"metric": "test/perplexity", "direction": "min"}
    for name, recipe in content["recipes"].items():
        value = 40.0 * (0.5 if "swish" in name else 1.0) * (2.0 if "normed" in name else 1.0)
        recipe["metrics"] = {"test/perplexity": {"values": [value] * len(SEEDS)}}
    found = {row["change"]: row for row in effects(content)}
    assert found["swish"]["difference"] == pytest.approx(np.log(2))
    assert found["normed"]["alone"] == pytest.approx(-np.log(2))
    assert found["turned"]["difference"] == pytest.approx(0)
    assert found["swish"]["sentence"] == (
        "swish gives a factor of 2.000 in test perplexity, where less is better on average over "
        "the other changes (95 % interval 2.000 to 2.000, 4 seeds, on these test examples): "
        "2.000 alone, 2.000 beside all the others."
    )


def test_the_control_again_is_no_change() -> None:
    content = combined()
    content["recipes"]["again"] = {**content["recipes"]["plain"], "seeds": [1000, 1001]}
    assert effects(content) == effects(combined()) != []


def test_levels_have_effects_of_their_own() -> None:
    one, two = combined({"rate": 0.1}), combined({"rate": 0.2}, noise=0.01)
    both = {f"{name}@rate=0.1": recipe for name, recipe in one["recipes"].items()}
    both |= {f"{name}@rate=0.2": recipe for name, recipe in two["recipes"].items()}
    found = effects(one | {"recipes": both})
    assert [row["level"] for row in found] == [{"rate": 0.1}] * 3 + [{"rate": 0.2}] * 3
    assert found[0]["sentence"].startswith(
        "with rate = 0.1, swish gives -1.0 points of test accuracy"
    )


def test_only_seeds_that_all_have_count() -> None:
    content = combined()
    content["recipes"]["swish"] |= {"seeds": [1, 3]}
    content["recipes"]["swish"]["metrics"]["test/accuracy"]["values"] = [0.49, 0.49]
    assert {row["seeds"] for row in effects(content)} == {2}
    content["recipes"]["plain"] |= {"seeds": [0, 2]}
    content["recipes"]["plain"]["metrics"]["test/accuracy"]["values"] = [0.5, 0.5]
    assert effects(content) == []


@pytest.mark.parametrize("lost", ["turned", "turned-normed", "turned-normed-swish"])
def test_without_one_of_the_combinations_there_are_none(lost: str) -> None:
    content = combined()
    content["recipes"][lost]["dropped"] = True
    assert effects(content) == []


def test_what_is_no_such_design() -> None:
    assert design_of({"a": {}, "b": {"x": 1}}) is None, "one change has a verdict"
    assert design_of({"a": {}, "b": {"x": 1}, "c": {"x": 2}, "d": {"x": 3}}) is None
    assert design_of({"a": {}, "b": {"x": 1}, "c": {"y": 2}, "d": {"x": 1, "y": 3}}) is None
    assert design_of({"a": {}, "b": {"x": 1}, "c": {"y": 1}, "d": {"x": 1, "y": 1}}) is not None
    twice = {"a": {}, "b": {"x": 1}, "c": {"x": 1, "y": 1}, "d": {"x": 1, "y": 1}}
    assert design_of(twice) is None


def test_a_run_tells_its_effects_and_they_are_verified(tmp_path: Path) -> None:
    """In results, table and report; and a changed one is found."""
    longer, stronger = {"training.epochs": 2}, {"training.l2": 0.01}
    given = study(
        control={"name": "short", "technique": "softmax", "training": {"epochs": 1}},
        variants={"longer": longer, "stronger": stronger, "both": longer | stronger},
        seeds={"exactly": 3},
    )
    finished = run(tmp_path, given)
    first, second = finished.results["effects"]
    assert (first["change"], second["change"]) == ("longer", "stronger")
    means = {
        n: r["metrics"]["test/accuracy"]["mean"] for n, r in finished.results["recipes"].items()
    }
    gain = (means["longer"] - means["short"] + means["both"] - means["stronger"]) / 2
    assert first["difference"] == pytest.approx(gain)
    assert f"- {first['sentence']}" in markdown(finished.results)
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "Main effects" in page
    assert not verify(finished.folder).faults
    assert "effects" not in run(tmp_path / "two", study(variants={"softmax": QUICK})).results
