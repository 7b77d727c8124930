"""Sentences, word by word."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from bakeoff.study.sentences import Circumstances, Verdict, sentence

SCOPE = ", for these settings, over seeds, on new examples like the test examples."
FACTS = Circumstances(seed_count=5, comparison_count=3, look_count=3, last_look=20, margin=0.005)
BETTER = Verdict(
    a="batch-norm",
    b="plain",
    level={},
    metric="test/accuracy",
    difference=0.018,
    ci95=(0.011, 0.025),
    ci_this_test_set=(0.012, 0.024),
    p_value=0.001,
    p_corrected=0.004,
    p_equivalence=1.0,
    look=1,
    alpha_spent=0.03,
    outcome="better",
    exploratory=False,
    cost_ratio=1.4,
    cost_ratio_ci95=(1.3, 1.5),
    macs_ratio=None,
    seeds_to_decide=None,
    examples_to_decide=None,
    limited_by=None,
    reason=None,
)
UNDECIDED = replace(
    BETTER,
    difference=0.006,
    ci95=(-0.003, 0.015),
    ci_this_test_set=(-0.002, 0.014),
    p_corrected=0.21,
    outcome="undecided",
)


def told(verdict: Verdict, facts: Circumstances = FACTS, **changes: Any) -> str:
    return sentence(replace(verdict, **changes), facts)


def test_better() -> None:
    assert told(BETTER) == (
        "batch-norm beats plain by 1.8 points of test accuracy (95 % interval 1.1 to 2.5, "
        "5 paired seeds, corrected p = 0.004) at 1.4 times the training time "
        "(95 % interval 1.3 to 1.5)" + SCOPE
    )


def test_worse_is_told_in_positive_numbers() -> None:
    found = told(
        BETTER,
        difference=-0.018,
        ci95=(-0.025, -0.011),
        outcome="worse",
        cost_ratio=None,
        p_corrected=1e-9,
    )
    assert found == (
        "batch-norm loses to plain by 1.8 points of test accuracy (95 % interval 1.1 to 2.5, "
        "5 paired seeds, corrected p < 0.0001)" + SCOPE
    )


def test_losses_say_which_way_is_better() -> None:
    facts = replace(FACTS, direction="min")
    found = told(BETTER, facts, metric="test/log_loss", level={"data.labels": 200, "fold": "a"})
    assert found.startswith(
        "with data.labels = 200, fold = a, batch-norm beats plain by 0.018 of test log loss, "
        "where less is better (95 % interval 0.011 to 0.025, 5 paired seeds, "
    )


def test_where_the_level_is_told_names_do_not_repeat_it() -> None:
    facts = replace(FACTS, diverged={"batch-norm@labels=200": 1, "other@labels=200": 2})
    names = {"a": "batch-norm@labels=200", "b": "plain@labels=200"}
    found = told(BETTER, facts, level={"data.labels": 200}, **names)
    assert found.startswith("with data.labels = 200, batch-norm beats plain by 1.8 points")
    assert found.endswith("; 1 of 5 seeds of batch-norm diverged.")
    assert "@" not in found


def test_tiny_differences_keep_three_digits() -> None:
    found = told(
        BETTER,
        replace(FACTS, direction="min"),
        metric="test/mean_squared_error",
        difference=4.32e-9,
        ci95=(3e-9, 5.64e-9),
    )
    assert "beats plain by 4.32e-09 of test squared error" in found
    assert "95 % interval 3e-09 to 5.64e-09" in found


def test_perplexities_differ_by_factors() -> None:
    """Their differences are logarithms: 0.1 nats a token are a factor of 1.105."""
    facts = replace(FACTS, direction="min", margin=0.01)
    found = told(BETTER, facts, metric="test/perplexity", difference=0.1, ci95=(0.05, 0.15))
    assert found.startswith(
        "batch-norm beats plain by a factor of 1.105 in test perplexity, where less is better "
        "(95 % interval 1.051 to 1.162, 5 paired seeds"
    )
    found = told(
        BETTER,
        facts,
        metric="test/word_perplexity",
        outcome="equivalent",
        difference=-0.001,
        ci95=(-0.004, 0.002),
        p_corrected=0.5,
    )
    assert "less than your margin of a factor of 1.0101 in test perplexity per word" in found
    assert "(difference 0.9990, 95 % interval 0.9960 to 1.0020" in found
    wide = {"metric": "test/perplexity", "outcome": "undecided", "ci95": (-0.09, 0.09)}
    assert "ahead of plain by a factor of 1.0003 in" in told(BETTER, facts, difference=3e-4, **wide)


def test_digits_follow_the_interval() -> None:
    found = told(BETTER, metric="test/matthews_corrcoef", difference=0.5, ci95=(0.2, 0.8))
    assert "0.50 of test Matthews correlation (95 % interval 0.20 to 0.80" in found
    found = told(BETTER, metric="validation/f1_macro", difference=0.00181, ci95=(0.0017, 0.0019))
    assert "0.181 points of validation macro F1 (95 % interval 0.170 to 0.190" in found
    assert "by 1.8 points of test accuracy (no interval" in told(BETTER, ci95=None)


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.123, "0.12"), (0.97, "1.0"), (2.34, "2.3"), (123.4, "123")]
)
def test_cost_ratios(ratio: float, words: str) -> None:
    assert f" at {words} times the training time (" in told(BETTER, cost_ratio=ratio)
    assert "training time" not in told(BETTER, cost_ratio=ratio, cost_ratio_ci95=None)


def test_the_price_in_arithmetic() -> None:
    both = told(BETTER, macs_ratio=524.0)
    assert "(95 % interval 1.3 to 1.5) and 524 times the multiply-accumulates of a pred" in both
    macs = told(BETTER, cost_ratio=None, macs_ratio=0.5)
    assert ") at 0.5 times the multiply-accumulates of a prediction, for these settings" in macs
    assert "multiply" not in told(BETTER, macs_ratio=1.02)


def test_what_diverged_is_told() -> None:
    facts = replace(FACTS, diverged={"batch-norm": 2, "plain": 0})
    assert told(BETTER, facts).endswith("; 2 of 5 seeds of batch-norm diverged.")
    folds = replace(FACTS, seed_count=1, folds=5, repeats=2, diverged={"plain": 1})
    assert told(UNDECIDED, folds).endswith("; 1 of 10 cells of plain diverged.")


def test_rounding_does_not_carry_a_p_value_to_the_level() -> None:
    assert "corrected p = 0.0497)" in told(BETTER, p_corrected=0.0497)
    assert "corrected p = 0.049)" in told(BETTER, p_corrected=0.0493)
    assert "corrected p = 0.05)" in told(BETTER, p_corrected=0.0501)


def test_equivalent() -> None:
    found = told(
        BETTER, outcome="equivalent", difference=0.001, ci95=(-0.0005, 0.0025), p_corrected=0.3
    )
    assert found == (
        "batch-norm and plain are equivalent: they differ by less than your margin of 0.50 points "
        "of test accuracy (difference 0.10, 95 % interval -0.05 to 0.25, 5 paired seeds); "
        "batch-norm takes 1.4 times the training time (95 % interval 1.3 to 1.5)" + SCOPE
    )


def test_equivalent_and_measurably_ahead() -> None:
    found = told(
        BETTER, outcome="equivalent", difference=-0.002, ci95=(-0.003, -0.001), cost_ratio=None
    )
    assert "; plain is measurably ahead, by less than your margin," in found


@pytest.mark.parametrize(("seconds", "price"), [(0.02, "1 s"), (1.46, "7 s"), (6.68, "33 s")])
def test_the_price_is_in_whole_seconds(seconds: float, price: str) -> None:
    facts = replace(FACTS, seconds_per_seed=seconds)
    assert f"about 5 more seeds ({price}) may" in told(UNDECIDED, facts, seeds_to_decide=(10, 10))


def test_undecided_with_the_price_in_seeds() -> None:
    facts = replace(FACTS, seconds_per_seed=1560.0)
    assert told(UNDECIDED, facts, seeds_to_decide=(10, 20), limited_by="seeds") == (
        "cannot tell yet: batch-norm is ahead of plain by 0.6 points of test accuracy (95 % "
        "interval -0.3 to 1.5, 5 paired seeds, corrected p = 0.21); about 5 to 15 more seeds "
        "(2 h 10 min to 6 h 30 min) may decide."
    )
    assert told(UNDECIDED, facts, seeds_to_decide=(10, 10)).endswith(
        "; about 5 more seeds (2 h 10 min) may decide."
    )
    assert told(UNDECIDED, seeds_to_decide=(10, 31)).endswith(
        "; about 5 to 26 more seeds may decide, though the plan ends at 20."
    )
    assert told(UNDECIDED, seeds_to_decide=(35, 60)).endswith(
        "; the plan ends at 20 seeds; a new study with about 35 to 60 seeds may decide."
    )


def test_undecided_with_the_price_in_examples() -> None:
    assert told(UNDECIDED, limited_by="examples", examples_to_decide=1200).endswith(
        "; about 1200 more test examples, with 20 seeds, may decide; seeds alone would not."
    )
    last = replace(FACTS, seed_count=20)
    assert told(UNDECIDED, last, limited_by="examples", examples_to_decide=1200).endswith(
        "; about 1200 more test examples may decide, more seeds would not."
    )
    assert told(UNDECIDED, limited_by="examples").endswith(
        "; neither more seeds alone nor more test examples alone may decide."
    )


def test_undecided_says_why_what_looks_decided_is_not() -> None:
    found = told(UNDECIDED, ci95=(0.001, 0.011), ci_this_test_set=(0.002, 0.01))
    assert found.endswith("; not by enough for 3 comparisons and 3 looks.")
    once = replace(FACTS, comparison_count=1, look_count=1)
    assert told(UNDECIDED, once, ci95=(0.001, 0.011)).endswith(
        "; not by enough for 1 comparison and 1 look."
    )
    assert told(UNDECIDED, ci_this_test_set=(0.001, 0.011)).endswith(
        "; ahead on these examples; too few of them to expect it on new ones."
    )


def test_behind_and_level() -> None:
    behind = told(UNDECIDED, difference=-0.006, ci95=(-0.015, 0.003))
    assert "plain is ahead of batch-norm by 0.6 points" in behind
    assert "95 % interval -0.3 to 1.5" in behind
    level = told(UNDECIDED, difference=0.0, ci95=(-0.009, 0.009))
    assert "batch-norm and plain are level in test accuracy (95 % interval -0.9 to 0.9" in level


def test_without_outcome() -> None:
    few = told(UNDECIDED, reason="20 test examples, at least 30 are needed", p_corrected=None)
    assert few == (
        "no verdict on batch-norm against plain: 20 test examples, at least 30 are needed; "
        "batch-norm is ahead of plain by 0.6 points of test accuracy (95 % interval -0.3 to 1.5, "
        "5 paired seeds)."
    )
    nothing = told(UNDECIDED, reason="no seed in common", difference=None, exploratory=True)
    assert nothing == ("exploratory, no verdict on batch-norm against plain: no seed in common.")


def test_rows_are_plain_json() -> None:
    row = replace(
        BETTER, seeds_to_decide=(10, 20), p_value=math.nan, ci95=(math.nan, 0.1), level={"k": 2}
    ).to_json()
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["seeds_to_decide"] == {"from": 10, "to": 20}
    assert (row["p_value"], row["ci95"], row["level"]) == (None, [None, 0.1], {"k": 2})
    assert BETTER.to_json()["seeds_to_decide"] is None
