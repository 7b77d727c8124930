"""Judging: the laws it obeys, what gets an outcome and what does not, and the rows."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bakeoff.core import metrics
from bakeoff.core.errors import InputError
from bakeoff.core.record import Seconds
from bakeoff.study.looks import LookPlan, plan_looks
from bakeoff.study.verdicts import PairInput, Scored, Verdict, judge

METRICS = tuple(metrics.DIRECTIONS)
ONCE = plan_looks({"exactly": 5})


def recipe(
    skill: float, *, stream: int = 0, seeds: Sequence[int] = range(5), m: int = 400, k: int = 3
) -> dict[int, Scored]:
    """A made-up recipe's predictions: noisy class scores, the true class ahead by `skill`."""
    labels = np.random.default_rng(1000).integers(0, k, m)
    shared = np.random.default_rng(1001).normal(0, 1, (m, k))
    found = {}
    for seed in seeds:
        # Entropy is padded with zeros, so the last number must not be one: [1, 0] draws as [1].
        rng = np.random.default_rng([seed, stream + 1])
        logits = shared + rng.normal(0, 0.5, (m, k)) + skill * np.eye(k)[labels]
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        found[seed] = Scored(
            labels=labels,
            predictions=logits.argmax(axis=1),
            label_probabilities=shares[np.arange(m), labels],
        )
    return found


def pair(first: float = 1.2, second: float = 1.0, *, stream: int = 1, **options: Any) -> PairInput:
    metric = options.pop("metric", "test/accuracy")
    a = options.pop("scored_a", None) or recipe(first, stream=stream)
    b = options.pop("scored_b", None) or recipe(second, stream=60)
    name = options.pop("a", f"variant-{stream}")
    return PairInput(name, "control", metric, a, b, **options)


def one(given: PairInput, plan: LookPlan = ONCE, margin: float = 0.01) -> Verdict:
    return judge([given], plan=plan, margin=margin)[0]


def fixed(right: NDArray[np.bool_], **changes: Any) -> dict[int, Scored]:
    """A predictor of two classes, right where told, whatever the seed."""
    labels = np.tile([0, 1], len(right) // 2)
    predictions = np.where(right, labels, 1 - labels)
    return dict.fromkeys(
        range(5), Scored(labels, predictions, np.where(right, 0.9, 0.1), **changes)
    )


def numbers(verdict: Verdict) -> list[float]:
    ends = (verdict.ci95, verdict.ci_this_test_set)
    values = (verdict.difference, verdict.p_value, verdict.p_corrected, verdict.p_equivalence)
    return [v for v in (*values, *(e for pair in ends if pair for e in pair)) if v is not None]


# The laws.


@pytest.mark.parametrize("metric", METRICS)
def test_swapping_mirrors(metric: str) -> None:
    given = pair(metric=f"test/{metric}")
    there = one(given)
    swapped = replace(given, scored_a=given.scored_b, scored_b=given.scored_a)
    back = one(swapped)
    assert back.difference == pytest.approx(-(there.difference or 0))
    for ends, mirrored in (
        (there.ci95, back.ci95),
        (there.ci_this_test_set, back.ci_this_test_set),
    ):
        assert ends is not None
        assert mirrored == pytest.approx((-ends[1], -ends[0]))
    assert (there.p_value, there.p_equivalence) == pytest.approx((back.p_value, back.p_equivalence))
    assert {there.outcome, back.outcome} in ({"better", "worse"}, {"undecided"}, {"equivalent"})


@pytest.mark.parametrize("metric", METRICS)
def test_order_of_seeds_and_examples_is_nothing(metric: str) -> None:
    given = pair(metric=f"test/{metric}")
    order = np.random.default_rng(0).permutation(400)

    def shuffled(scored: Any) -> dict[int, Scored]:
        found = {}
        for seed in (3, 0, 4, 1, 2):
            s = scored[seed]
            found[seed] = Scored(
                s.labels[order], s.predictions[order], s.label_probabilities[order]
            )
        return found

    other = replace(given, scored_a=shuffled(given.scored_a), scored_b=shuffled(given.scored_b))
    plan = replace(ONCE, seeds=(4, 2, 0, 1, 3))
    assert numbers(one(other, plan)) == pytest.approx(numbers(one(given)), rel=1e-6)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_every_example_twice_in_one_group_changes_nothing(metric: str) -> None:
    given = pair(metric=f"test/{metric}")
    twice = np.repeat(np.arange(400), 2)

    def doubled(scored: Any) -> dict[int, Scored]:
        return {
            seed: Scored(
                s.labels[twice], s.predictions[twice], s.label_probabilities[twice], groups=twice
            )
            for seed, s in scored.items()
        }

    other = replace(given, scored_a=doubled(given.scored_a), scored_b=doubled(given.scored_b))
    assert numbers(one(other)) == pytest.approx(numbers(one(given)))
    ungrouped = {seed: replace(s, groups=None) for seed, s in other.scored_a.items()}
    control = {seed: replace(s, groups=None) for seed, s in other.scored_b.items()}
    narrow = one(replace(other, scored_a=ungrouped, scored_b=control))
    wide = one(other)
    assert narrow.ci95 is not None
    assert wide.ci95 is not None
    assert narrow.ci95[1] < wide.ci95[1]


def test_twice_the_agreement_in_groups_is_no_proof_either() -> None:
    right = np.ones(60, np.bool_)
    single = pair(scored_a=fixed(right), scored_b=fixed(right))
    groups = np.repeat(np.arange(60), 2)
    both = np.repeat(right, 2)
    doubled = replace(
        single, scored_a=fixed(both, groups=groups), scored_b=fixed(both, groups=groups)
    )
    assert numbers(one(doubled)) == pytest.approx(numbers(one(single)))
    assert one(single).outcome == "undecided"


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "matthews_corrcoef"])
def test_one_disagreement_in_500_is_never_better(metric: str) -> None:
    right = np.random.default_rng(0).random(500) < 0.9
    worse = right.copy()
    worse[np.flatnonzero(right)[0]] = False
    given = pair(scored_a=fixed(right), scored_b=fixed(worse), metric=f"test/{metric}")
    found = one(given, margin=0.0)
    assert (found.outcome, found.reason) == ("undecided", None)
    assert found.difference is not None
    assert found.difference > 0


def test_where_no_seed_changes_anything_the_examples_alone_are_uncertain() -> None:
    right = np.random.default_rng(0).random(400) < 0.9
    found = one(pair(scored_a=fixed(right), scored_b=fixed(~right)))
    assert found.outcome == "better"
    assert found.difference is not None
    assert found.ci_this_test_set == pytest.approx((found.difference, found.difference))
    each = right.astype(float) - ~right
    spread = np.append(each, [1, -1]).std(ddof=1)
    h = stats.t.isf(0.025, 399) * spread / np.sqrt(400)
    assert found.ci95 == pytest.approx((found.difference - h, found.difference + h))


@pytest.mark.parametrize("metric", ["f1_macro", "matthews_corrcoef"])
def test_jackknife_error_is_that_of_the_bootstrap(metric: str) -> None:
    scored = recipe(1.0, m=1000)[0]
    labels, predictions = scored.labels, scored.predictions
    values = metrics.example_values(metric, labels, predictions)
    error = values.std(ddof=1) / np.sqrt(1000)
    rng = np.random.default_rng(0)
    draws = (rng.integers(1000, size=1000) for _ in range(2000))
    again = [metrics.score(metric, labels[i], predictions[i]) for i in draws]
    assert error == pytest.approx(np.std(again, ddof=1), rel=0.10)


# Outcomes.


def test_outcomes() -> None:
    better, worse = one(pair(1.5, 1.0)), one(pair(1.0, 1.5))
    assert (better.outcome, worse.outcome) == ("better", "worse")
    assert " beats " in better.sentence
    assert " loses to " in worse.sentence
    assert better.p_corrected == better.p_value
    assert (better.look, better.alpha_spent, better.limited_by) == (1, 0.05, None)
    undecided = one(pair(1.01, 1.0))
    assert undecided.outcome == "undecided"
    assert undecided.limited_by in ("seeds", "examples")
    equivalent = one(pair(1.05, 1.0), margin=0.2)
    assert equivalent.outcome == "equivalent"


def test_both_families_passing_is_equivalent() -> None:
    found = one(pair(1.5, 1.0), margin=0.5)
    assert found.outcome == "equivalent"
    assert "variant-1 is measurably ahead, by less than your margin" in found.sentence


def test_lower_losses_are_better() -> None:
    found = one(pair(1.5, 1.0, metric="test/log_loss"))
    assert found.outcome == "better"
    assert found.difference is not None
    assert found.difference > 0
    assert "where less is better" in found.sentence


def test_comparisons_are_corrected_together() -> None:
    pairs = [pair(1.2, stream=s) for s in range(1, 4)]
    alone = [one(p) for p in pairs]
    together = judge(pairs, plan=ONCE, margin=0.01)
    raw = sorted(v.p_value or 0 for v in alone)
    assert sorted(v.p_corrected or 0 for v in together)[0] == pytest.approx(min(1, 3 * raw[0]))
    assert [v.a for v in together] == ["variant-1", "variant-2", "variant-3"]


def test_a_pair_without_cells_still_counts() -> None:
    given = pair(1.2)
    empty = PairInput("waiting", "control", "test/accuracy", {}, given.scored_b)
    first, second = judge([given, empty], plan=ONCE, margin=0.01)
    assert first.p_corrected == pytest.approx(2 * (one(given).p_value or 0))
    assert (second.outcome, second.reason, second.difference) == (
        "undecided", "no seed in common", None
    )  # fmt: skip
    assert json.dumps(second.to_json(), allow_nan=False)


# Looks.


def test_looks_use_the_first_seeds_of_the_plan() -> None:
    plan = plan_looks(5)
    scored_a, scored_b = (recipe(s, stream=t, seeds=range(8)) for s, t in ((1.05, 1), (1.0, 60)))
    found = one(pair(scored_a=scored_a, scored_b=scored_b), plan)
    first_five = one(pair(1.05), plan)
    assert found == first_five
    assert (found.look, found.alpha_spent) == (1, 0.03)


def test_an_outcome_once_reached_stays() -> None:
    """A variant that is better on the first five seeds and worse on all later ones."""
    plan = plan_looks(5)
    a = recipe(1.6, stream=1) | recipe(0.4, stream=1, seeds=range(5, 20))
    b = recipe(1.0, stream=60, seeds=range(20))
    early = one(pair(1.6), plan)
    late = one(pair(scored_a=a, scored_b=b), plan)
    assert early.outcome == "better"
    assert late == early


def test_later_looks_decide_what_earlier_ones_did_not() -> None:
    plan = plan_looks(5)
    a, b = (
        recipe(1.0, stream=1, m=4000) | recipe(1.5, stream=1, m=4000, seeds=range(5, 20)),
        recipe(1.0, stream=60, seeds=range(20), m=4000),
    )
    found = one(pair(scored_a=a, scored_b=b), plan, margin=0.001)
    assert found.outcome == "better"
    assert found.look is not None
    assert found.look > 1
    assert found.alpha_spent in (0.04, 0.05)


# What gets no outcome.


def no_outcome(found: Verdict, reason: str, *, exploratory: bool = False) -> None:
    assert found.outcome == "undecided"
    assert found.reason is not None
    assert reason in found.reason
    assert reason in found.sentence
    assert found.exploratory is exploratory
    assert found.p_corrected is None
    assert (found.seeds_to_decide, found.examples_to_decide, found.limited_by) == (None,) * 3
    assert json.dumps(found.to_json(), allow_nan=False)


def few(count: int) -> PairInput:
    seeds = range(count)
    a, b = recipe(2.0, stream=1, seeds=seeds), recipe(1.0, stream=60, seeds=seeds)
    return pair(scored_a=a, scored_b=b)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_seeds(count: int) -> None:
    found = one(few(count), plan_looks({"exactly": count}))
    no_outcome(found, f"{count} seed{'s' * (count > 1)}, at least 3 are needed")
    assert (found.ci95 is None) is (count == 1)


def test_a_look_that_is_not_complete() -> None:
    found = one(few(3), plan_looks(5))
    no_outcome(found, "3 of the 5 seeds of the first look are there")
    assert (found.look, found.alpha_spent) == (None, None)
    assert found.ci95 is not None


def test_a_seed_left_out_is_a_choice() -> None:
    given = few(5)
    a = {seed: scored for seed, scored in given.scored_a.items() if seed != 2}
    found = one(replace(given, scored_a=a), plan_looks(5))
    no_outcome(found, "4 of the 5 seeds", exploratory=True)


def test_seeds_outside_the_plan_take_only_their_own_outcome() -> None:
    plan = plan_looks({"exactly": 5})
    strong, other = pair(2.0, stream=1), pair(1.25, stream=2)
    more = recipe(2.0, stream=1, seeds=[0, 1, 2, 3, 4, 77])
    control = recipe(1.0, stream=60, seeds=[0, 1, 2, 3, 4, 77])
    extended = replace(strong, scored_a=more, scored_b=control)
    first, second = judge([extended, other], plan=plan, margin=0.01)
    no_outcome(first, "seeds outside the plan: 77", exploratory=True)
    assert second == judge([strong, other], plan=plan, margin=0.01)[1]


def test_late_and_secondary_pairs_are_not_counted() -> None:
    given = pair(1.5)
    late = replace(pair(2.0, stream=2), role="late")
    secondary = replace(given, metric="test/f1_macro", role="secondary")
    first, second, third = judge([given, late, secondary], plan=ONCE, margin=0.01)
    assert first == one(given)
    no_outcome(second, "added or changed after a test score was read", exploratory=True)
    no_outcome(third, "outside the study's question")
    assert third.p_equivalence is None
    assert third.ci95 is not None


def test_too_few_examples_or_groups() -> None:
    a, b = (recipe(s, stream=t, m=29) for s, t in ((2.0, 1), (1.0, 60)))
    no_outcome(one(pair(scored_a=a, scored_b=b)), "29 test examples, at least 30")
    groups = np.arange(400) % 29
    a, b = (
        {seed: replace(s, groups=groups) for seed, s in recipe(skill, stream=t).items()}
        for skill, t in ((2.0, 1), (1.0, 60))
    )
    no_outcome(one(pair(scored_a=a, scored_b=b)), "29 groups of test examples, at least 30")


def test_classes_with_too_few_examples() -> None:
    a, b = (recipe(s, stream=t, m=60, k=9) for s, t in ((2.0, 1), (1.0, 60)))
    found = one(pair(scored_a=a, scored_b=b, metric="test/f1_macro"))
    no_outcome(found, "test examples, f1_macro needs at least 10 of each")
    assert one(pair(scored_a=a, scored_b=b)).reason is None


def test_a_class_without_examples_takes_back_no_outcome() -> None:
    """A class that has no test example and is predicted at a later seed only."""
    plan = plan_looks(5)
    a, b = (recipe(s, stream=t, seeds=range(10)) for s, t in ((1.5, 1), (1.0, 60)))
    early = one(pair(scored_a=a, scored_b=b, metric="test/f1_macro"), plan)
    odd = a[7].predictions.copy()
    odd[0] = 5
    a[7] = replace(a[7], predictions=odd)
    assert early.outcome == "better"
    assert one(pair(scored_a=a, scored_b=b, metric="test/f1_macro"), plan) == early


# Refusals and costs.


def test_recipes_must_share_their_examples() -> None:
    given = pair()
    other = {seed: replace(s, labels=s.labels[::-1].copy()) for seed, s in given.scored_b.items()}
    with pytest.raises(InputError, match="not scored on the same examples"):
        one(replace(given, scored_b=other))
    grouped = {seed: replace(s, groups=np.arange(400)) for seed, s in given.scored_b.items()}
    with pytest.raises(InputError, match="not scored on the same examples"):
        one(replace(given, scored_b=grouped))


@pytest.mark.parametrize("margin", [-0.1, float("nan"), float("inf")])
def test_margins_that_are_none_are_refused(margin: float) -> None:
    with pytest.raises(InputError, match="margin"):
        one(pair(), margin=margin)


def test_unknown_metrics_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'accuracy'"):
        one(pair(metric="test/acuracy"))


def test_cost_ratio_is_of_cells_that_ran_alone() -> None:
    given = pair(1.5)
    assert one(given).cost_ratio is None
    seconds = (2.0, None, 8.0, 2.0, 2.0)
    a = {
        s: replace(x, train_seconds=None if t is None else Seconds(t, ("a CPU",)))
        for (s, x), t in zip(given.scored_a.items(), seconds, strict=True)
    }
    two = Seconds(2.0, ("a CPU",))
    b = {s: replace(x, train_seconds=two) for s, x in given.scored_b.items()}
    found = one(replace(given, scored_a=a, scored_b=b))
    assert found.cost_ratio == pytest.approx(4 ** (1 / 4))
    assert found.cost_ratio_ci95 is not None
    assert "at 1.4 times the training time" in found.sentence


def test_a_score_that_is_no_number_gets_no_outcome() -> None:
    given = pair(metric="test/mean_squared_error")
    targets = np.linspace(0, 1, 40)
    good = {s: Scored(targets, targets + 0.01 * s) for s in range(5)}
    bad = good | {1: Scored(targets, np.full(40, 1e200))}
    with np.errstate(over="ignore", invalid="ignore"):
        found = one(replace(given, scored_a=bad, scored_b=good))
    assert (found.outcome, found.difference) == ("undecided", None)
    assert found.reason == "mean_squared_error of one of them is not finite"


def test_seeds_that_diverged_are_told() -> None:
    given = pair(1.5)
    a = {s: replace(x, diverged=s in (1, 3)) for s, x in given.scored_a.items()}
    found = one(replace(given, scored_a=a, macs_ratio=3.0))
    assert found.sentence.endswith("; 2 of 5 seeds of variant-1 diverged.")
    assert " at 3.0 times the multiply-accumulates of a prediction" in found.sentence


def test_the_price_is_told_in_seeds_and_time() -> None:
    a, b = (recipe(s, stream=t, m=20000, seeds=range(3)) for s, t in ((1.05, 2), (1.0, 60)))
    given = pair(scored_a=a, scored_b=b, seconds_per_seed=3600.0)
    found = one(given, plan_looks(3), margin=0.004)
    assert (found.outcome, found.limited_by) == ("undecided", "seeds")
    assert found.to_json()["seeds_to_decide"] == {"from": 6, "to": 12}
    assert found.sentence.endswith("; about 3 to 9 more seeds (3 h to 9 h) may decide.")
