"""Judging folds: the laws it obeys, what gets an outcome and what does not."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.record import Seconds
from bakeoff.study.cross_validation import Cut, FoldPair, FoldScore, by_fold, judge_folds
from bakeoff.study.sentences import Verdict

CUT = Cut(5, 2, (0, 1))


def scores(level: float, stream: int, cut: Cut = CUT, **changes: Any) -> dict[Replicate, FoldScore]:
    rng = np.random.default_rng([3, stream])
    found = {}
    for seed in cut.seeds:
        for repeat, fold in cut.every:
            content: dict[str, Any] = {"score": level + rng.normal(0, 0.01), "examples": 40}
            content |= {"scored": f"{repeat}.{fold}"} | changes
            found[Replicate(seed=seed, repeat=repeat, fold=fold)] = FoldScore(**content)
    return found


def pair(a: float = 0.92, b: float = 0.90, **changes: Any) -> FoldPair:
    given = FoldPair("variant", "control", "fold/accuracy", scores(a, 1), scores(b, 2))
    return replace(given, **changes)


def one(given: FoldPair, margin: float = 0.01, cut: Cut = CUT) -> Verdict:
    return judge_folds([given], cut=cut, margin=margin)[0]


def test_the_interval_is_nadeau_bengio_over_folds_with_seeds_averaged() -> None:
    given = pair()
    d = np.array([
        np.mean([given.scored_a[at].score - given.scored_b[at].score
                 for at in given.scored_a if (at.repeat, at.fold) == fold])
        for fold in CUT.every
    ])  # fmt: skip
    error = d.std(ddof=1) * math.sqrt(1 / 10 + 1 / 4)
    found = one(given)
    assert found.difference == pytest.approx(d.mean())
    h = stats.t.isf(0.025, 9) * error
    assert found.ci95 == pytest.approx((d.mean() - h, d.mean() + h))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(d.mean()) / error, 9))
    room = (0.05 - abs(d.mean())) / error
    assert one(given, margin=0.05).p_equivalence == pytest.approx(stats.t.sf(room, 9))
    assert found.ci_this_test_set is None
    assert (found.seeds_to_decide, found.examples_to_decide, found.limited_by) == (None,) * 3
    assert (found.look, found.alpha_spent) == (1, 0.05)


def test_swapping_mirrors() -> None:
    given = pair()
    there, back = one(given), one(replace(given, scored_a=given.scored_b, scored_b=given.scored_a))
    assert back.difference == pytest.approx(-(there.difference or 0))
    assert there.ci95
    assert back.ci95 == pytest.approx((-there.ci95[1], -there.ci95[0]))
    assert (there.p_value, there.p_equivalence) == pytest.approx((back.p_value, back.p_equivalence))
    assert (there.outcome, back.outcome) == ("better", "worse")


def test_the_order_and_the_numbers_of_folds_are_nothing() -> None:
    given = pair()
    order = np.random.default_rng(0).permutation(5).tolist()

    def moved(found: dict[Replicate, FoldScore]) -> dict[Replicate, FoldScore]:
        items = list(found.items())[::-1]
        return {
            at.model_copy(update={"fold": order[at.fold or 0], "repeat": 1 - at.repeat}): score
            for at, score in items
        }

    other = replace(given, scored_a=moved(given.scored_a), scored_b=moved(given.scored_b))  # type: ignore[arg-type]
    first, second = one(given), one(other)
    assert first.ci95 == pytest.approx(second.ci95)
    assert first.p_value == pytest.approx(second.p_value)


def test_of_losses_less_is_better() -> None:
    found = one(pair(0.2, 0.3, metric="fold/log_loss"))
    assert found.difference
    assert found.difference > 0
    assert found.outcome == "better"


def test_equal_recipes_are_equivalent_within_a_wide_margin() -> None:
    found = one(pair(0.9, 0.9), margin=0.1)
    assert found.outcome == "equivalent"
    assert "differ by less than your margin" in found.sentence
    assert one(pair(0.9, 0.9), margin=0.0).p_equivalence == 1


def test_all_planned_pairs_are_corrected_for() -> None:
    pairs = [pair(), replace(pair(), a="other", scored_a={}, scored_b={})]
    first, second = judge_folds(pairs, cut=CUT, margin=0.01)
    assert first.p_corrected == pytest.approx(2 * (first.p_value or 0))
    assert (second.outcome, second.difference) == ("undecided", None)


def test_the_sentence_says_what_it_is_about() -> None:
    told = one(pair()).sentence
    assert "points of cross-validated accuracy" in told
    assert "5 folds x 2 repeats, 2 seeds in each" in told
    assert "approximate, about new training sets of 4/5 of the data" in told
    undecided = one(pair(0.9, 0.9), margin=0.0)
    assert undecided.outcome == "undecided"
    assert "seeds may decide" not in undecided.sentence


@pytest.mark.parametrize(
    ("change", "reason", "exploratory"),
    [
        ({"role": "late"}, "added or changed after a fold score was read", True),
        ({"role": "secondary"}, "outside the study's question", False),
        ({"scored_a": {}}, "0 of 20 cells of each recipe are there", False),
        ({"scored_a": dict(list(scores(0.9, 1).items())[:19])}, "19 of 20 cells", False),
        ({"scored_a": scores(0.9, 1, examples=5), "scored_b": scores(0.8, 2, examples=5)},
         "25 examples in all folds, at least 30", False),
        ({"scored_a": scores(0.9, 1, score=0.9), "scored_b": scores(0.9, 2, score=0.8)},
         "all folds give the same difference", False),
        ({"scored_a": scores(0.9, 1, Cut(5, 2, (0, 1, 7))),
          "scored_b": scores(0.8, 2, Cut(5, 2, (0, 1, 7)))}, "seeds outside the plan: 7", True),
    ],
)  # fmt: skip
def test_what_gets_no_outcome(change: dict[str, Any], reason: str, exploratory: bool) -> None:
    found = one(pair(**change))
    assert reason in (found.reason or "")
    assert (found.outcome, found.exploratory, found.p_corrected) == ("undecided", exploratory, None)
    assert reason in found.sentence


def test_two_folds_get_no_outcome() -> None:
    cut = Cut(2, 1, (0,))
    found = one(pair(scored_a=scores(0.92, 1, cut), scored_b=scores(0.90, 2, cut)), cut=cut)
    assert (found.outcome, found.reason) == ("undecided", "2 folds, at least 3 are needed")


def test_cells_that_diverged_are_told() -> None:
    found = one(pair(scored_a=scores(0.92, 1, diverged=True)))
    assert found.sentence.endswith("20 of 20 cells of variant diverged.")


def test_other_examples_are_refused() -> None:
    with pytest.raises(InputError, match="not scored on the same examples: 0"):
        one(pair(scored_b=scores(0.9, 2, scored="other")))
    with pytest.raises(InputError, match="margin"):
        one(pair(), margin=-1.0)


def test_the_cost_ratio_is_over_cells_measured_alone() -> None:
    slow = scores(0.9, 1, train_seconds=Seconds(2.0, ("a CPU",)))
    assert one(pair(scored_a=slow)).cost_ratio is None
    fast = scores(0.8, 2, train_seconds=Seconds(1.0, ("a CPU",)))
    assert one(pair(scored_a=slow, scored_b=fast)).cost_ratio == pytest.approx(2)
    elsewhere = scores(0.8, 2, train_seconds=Seconds(1.0, ("another",)))
    assert one(pair(scored_a=slow, scored_b=elsewhere)).cost_ratio is None


def test_means_by_fold() -> None:
    given = {Replicate(seed=s, fold=f): 10.0 * f + s for s in (1, 0) for f in (1, 0)}
    assert by_fold(given) == {(0, 0): 0.5, (0, 1): 10.5}
