"""A verdict's row in `results.json`, and the plain English sentence that says it.

The row stands here because the sentence is a function of it: whoever reads the row can check the
sentence. What the sentence needs beyond the row is in `Circumstances`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bakeoff.core.duration import duration
from bakeoff.core.measures import Direction, bare, in_words, scale_of

Outcome = Literal["better", "worse", "equivalent", "undecided"]
Range = tuple[float, float]
MOST_DIGITS = 6
"""Behind the point; smaller numbers are told by their first three digits."""


@dataclass(frozen=True)
class Verdict:
    """What the records of two recipes allow one to say; differences are positive where a is better.

    Attributes:
        a: The variant.
        b: The control.
        level: Values of the crossed factors, {} without factors.
        metric: `split/name`.
        difference: d; of losses, how much smaller a's is.
        ci95: Interval for new seeds and new examples.
        ci_this_test_set: Interval for new seeds on these very examples.
        p_value: Uncorrected, for "no difference".
        p_corrected: For all comparisons and this look, to be read against 0.05.
        p_equivalence: Uncorrected, for "differs by the margin or more".
        look: The look the numbers are of: the one that decided, else the last reached.
        alpha_spent: What the looks up to this one have spent of 0.05.
        outcome: `undecided` also where none is allowed; `reason` then says why.
        exploratory: Outside what was planned, so without outcome.
        cost_ratio: Training time of a over that of b; None where not measured alone.
        cost_ratio_ci95: Its interval over seeds.
        macs_ratio: Multiply-accumulates of a prediction by a over those by b; None where one of
            them has none.
        seeds_to_decide: Seeds in all (from, to) that may decide; a plan, not a promise.
        examples_to_decide: Test examples missing where no number of seeds may decide.
        limited_by: What there is too little of, where undecided.
        reason: Why there is no outcome at all; None where one was possible.
        sentence: All this in words.
    """

    a: str
    b: str
    level: Mapping[str, Any]
    metric: str
    difference: float | None
    ci95: Range | None
    ci_this_test_set: Range | None
    p_value: float | None
    p_corrected: float | None
    p_equivalence: float | None
    look: int | None
    alpha_spent: float | None
    outcome: Outcome
    exploratory: bool
    cost_ratio: float | None
    cost_ratio_ci95: Range | None
    macs_ratio: float | None
    seeds_to_decide: tuple[int, int] | None
    examples_to_decide: int | None
    limited_by: Literal["seeds", "examples"] | None
    reason: str | None
    sentence: str = ""

    def to_json(self) -> dict[str, Any]:
        """The row as plain values: no tuples, no NaN (None stands for what is not known)."""
        row = {name: _plain(value) for name, value in vars(self).items()}
        if self.seeds_to_decide:
            row["seeds_to_decide"] = dict(zip(("from", "to"), self.seeds_to_decide, strict=True))
        return row


@dataclass(frozen=True)
class Circumstances:
    """What a sentence tells beyond its row.

    Attributes:
        seed_count: Seeds the numbers are of.
        comparison_count: K, comparisons judged together.
        look_count: Looks planned.
        last_look: Seeds at the last of them.
        margin: The smallest difference that matters.
        direction: Which way the metric is better.
        seconds_per_seed: What one more seed of both recipes takes, with what they need; None where
            not measured alone.
        diverged: Of the cells the numbers are of, how many diverged, by recipe.
        folds: k of a cross-validation; 0 without.
        repeats: How often it was cut.
        protocol: What figures of texts were measured by.
    """

    seed_count: int
    comparison_count: int
    look_count: int
    last_look: int
    margin: float
    direction: Direction = "max"
    seconds_per_seed: float | None = None
    diverged: Mapping[str, int] = field(default_factory=dict)
    folds: int = 0
    repeats: int = 1
    protocol: str = ""


def sentence(verdict: Verdict, facts: Circumstances) -> str:
    """The verdict in one plain sentence.

    It is always about these recipes as set, averaged over seeds, on new examples like the test
    examples, or in cross-validation on new training sets and examples; an outcome says so.
    """
    place = ", ".join(f"{name} = {value}" for name, value in verdict.level.items())
    text = f"with {place}, " if place else ""
    if place:
        verdict, facts = _inside_level(verdict, facts)
    if verdict.reason or verdict.difference is None:
        text += _without_outcome(verdict, facts)
    elif verdict.outcome == "equivalent":
        text += _equivalent(verdict, facts)
    elif verdict.outcome == "undecided":
        text += _undecided(verdict, facts)
    else:
        text += _decided(verdict, facts)
    return f"{text}{_divergence(verdict, facts)}."


def _inside_level(verdict: Verdict, facts: Circumstances) -> tuple[Verdict, Circumstances]:
    """Both recipes by the names they have in every level, where the level has been told."""
    plain = {name: name.partition("@")[0] for name in (verdict.a, verdict.b)}
    diverged = {plain[name]: count for name, count in facts.diverged.items() if name in plain}
    named = replace(verdict, a=plain[verdict.a], b=plain[verdict.b])
    return named, replace(facts, diverged=diverged)


def chosen_sentence(
    final: Mapping[str, Any], resampling: Mapping[str, Any], protocol: str = ""
) -> str:
    """What was chosen on folds, and what it scored on test.

    Args:
        final: As in `results.json`.
        resampling: As in a study file.
        protocol: What figures of texts were measured by.
    """
    folds = f"{resampling['folds']}-fold cross-validation"
    if resampling["repeats"] > 1:
        folds += f" x {resampling['repeats']} repeats"
    metric, share = in_words(bare(final["metric"]), protocol), scale_of(final["metric"]) == "share"

    def number(value: float) -> str:
        return f"{value * 100:.2f} %" if share else f"{value:.4f}"

    text = f"chosen by {folds}: {final['recipe']} (mean {metric} {number(final['fold_mean'])})"
    if final["mean"] is None:
        return f"{text}; not yet scored on test."
    count, (low, high) = len(final["seeds"]), final["ci95"]
    seeds = f"{count} seeds" if count > 1 else "1 seed"
    about = "new examples and seeds" if count > 1 else "new examples"
    return (
        f"{text}; fitted on the whole training part, it scores {number(final['mean'])} test "
        f"{metric} ({seeds}; 95 % interval for {about} {number(low)} to {number(high)})."
    )


def effect_sentence(effect: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """What a change gives on average over the others.

    Args:
        effect: As in `results.json`.
        content: Of `results.json`, as far as the metric goes.
    """
    protocol = content.get("protocol", "")
    words = _Words(content["metric"], effect["ci95"], content["direction"], protocol)
    place = ", ".join(f"{name} = {value}" for name, value in effect["level"].items())
    change = effect["change"].partition("@")[0] if place else effect["change"]

    def signed(value: float, form: Callable[[float], str] = words.number) -> str:
        plus = not words.is_ratio and float(words.number(value)) > 0
        return f"{'+' if plus else ''}{form(value)}"

    ends = effect["ci95"]
    known = "" if ends is None else f"95 % interval {signed(ends[0])} to {signed(ends[1])}, "
    seeds = f"{effect['seeds']} seed{'s' if effect['seeds'] != 1 else ''}"
    return (
        f"{f'with {place}, ' if place else ''}{change} gives "
        f"{signed(effect['difference'], words.amount)} on average over the other changes "
        f"({known}{seeds}, on these test examples): {signed(effect['alone'])} alone, "
        f"{signed(effect['beside_all'])} beside all the others."
    )


def _scope(facts: Circumstances) -> str:
    """What the verdict speaks about."""
    if facts.folds:
        share = f"{facts.folds - 1}/{facts.folds}"
        return (
            f"for these settings; approximate, about new training sets of {share} of the data and "
            "new examples like these"
        )
    return "for these settings, over seeds, on new examples like the test examples"


class _Words:
    """Numbers of one metric in words: points of a percentage where it is one, else as they are.

    Differences of perplexities, which are logarithms, become ratios.
    """

    def __init__(self, metric: str, ci95: Range | None, direction: str, protocol: str) -> None:
        self.metric, scale = in_words(metric, protocol), scale_of(metric)
        self.in_points, self.is_ratio = scale == "share", scale == "factor"
        self.note = ", where less is better" if direction == "min" else ""
        low, high = ci95 or (0.0, 0.0)
        # Enough digits that half the interval's width is at least 5 of the last one.
        width = (high - low) / 2 * (100 if self.in_points else 1)
        digits = math.ceil(math.log10(5 / width)) if width > 0 else 1
        least = 1 if self.in_points else 3 if self.is_ratio else 2
        self.digits = max(least, digits)

    def number(self, value: float) -> str:
        """The bare number, without a minus sign before zero."""
        if self.is_ratio:
            # Where there is a difference, so many that it is not told as a factor of 1.
            digits = max(self.digits, math.ceil(-math.log10(2 * abs(value))) if value else 0)
            return f"{math.exp(value):.{min(digits, MOST_DIGITS)}f}"
        shown = value * (100 if self.in_points else 1)
        if self.digits > MOST_DIGITS and shown:
            return f"{shown:.3g}"
        text = f"{shown:.{min(self.digits, MOST_DIGITS)}f}"
        return text.lstrip("-") if float(text) == 0 else text

    def amount(self, value: float) -> str:
        """The number with what it is of."""
        if self.is_ratio:
            return f"a factor of {self.number(value)} in {self.metric}{self.note}"
        unit = " points of " if self.in_points else " of "
        return f"{self.number(value)}{unit}{self.metric}{self.note}"


def _words(verdict: Verdict, facts: Circumstances) -> _Words:
    return _Words(verdict.metric, verdict.ci95, facts.direction, facts.protocol)


def _decided(verdict: Verdict, facts: Circumstances) -> str:
    words, d = _words(verdict, facts), verdict.difference or 0.0
    verb = "beats" if verdict.outcome == "better" else "loses to"
    basis = _basis(verdict, facts, words, turned=d < 0)
    return (
        f"{verdict.a} {verb} {verdict.b} by {words.amount(abs(d))} ({basis})"
        f"{_cost(verdict, ' at ')}, {_scope(facts)}"
    )


def _equivalent(verdict: Verdict, facts: Circumstances) -> str:
    words, d = _words(verdict, facts), verdict.difference or 0.0
    text = (
        f"{verdict.a} and {verdict.b} are equivalent: they differ by less than your margin of "
        f"{words.amount(facts.margin)} (difference {words.number(d)}, "
        f"{_interval(verdict, words)}, {_pairs(facts)})"
    )
    if verdict.p_corrected is not None and verdict.p_corrected <= 0.05:
        ahead = verdict.a if d > 0 else verdict.b
        text += f"; {ahead} is measurably ahead, by less than your margin"
    return f"{text}{_cost(verdict, f'; {verdict.a} takes ')}, {_scope(facts)}"


def _undecided(verdict: Verdict, facts: Circumstances) -> str:
    words = _words(verdict, facts)
    clauses = [
        f"cannot tell yet: {_standing(verdict, facts, words)}",
        _why(verdict, facts),
        _price(verdict, facts),
    ]
    return "; ".join(filter(None, clauses))


def _without_outcome(verdict: Verdict, facts: Circumstances) -> str:
    kind = "exploratory, no verdict" if verdict.exploratory else "no verdict"
    text = f"{kind} on {verdict.a} against {verdict.b}: {verdict.reason}"
    if verdict.difference is None:
        return text
    words = _words(verdict, facts)
    return f"{text}; {_standing(verdict, facts, words)}"


def _standing(verdict: Verdict, facts: Circumstances, words: _Words) -> str:
    d = verdict.difference or 0.0
    basis = _basis(verdict, facts, words, turned=d < 0)
    if d == 0:
        return f"{verdict.a} and {verdict.b} are level in {words.metric} ({basis})"
    first, second = (verdict.a, verdict.b) if d > 0 else (verdict.b, verdict.a)
    return f"{first} is ahead of {second} by {words.amount(abs(d))} ({basis})"


def _basis(verdict: Verdict, facts: Circumstances, words: _Words, *, turned: bool) -> str:
    """Interval, seeds and p-value; turned round where the sentence turns the difference round."""
    p = verdict.p_corrected
    known = "" if p is None else f"corrected p {_p(p)}"
    return ", ".join(filter(None, [_interval(verdict, words, turned), _pairs(facts), known]))


def _interval(verdict: Verdict, words: _Words, turned: bool = False) -> str:
    if verdict.ci95 is None:
        return "no interval"
    low, high = verdict.ci95
    ends = (-high, -low) if turned else (low, high)
    return f"95 % interval {words.number(ends[0])} to {words.number(ends[1])}"


def _pairs(facts: Circumstances) -> str:
    if facts.folds:
        times = f" x {facts.repeats} repeats" if facts.repeats > 1 else ""
        seeds = f", {facts.seed_count} seeds in each" if facts.seed_count > 1 else ""
        return f"{facts.folds} folds{times}{seeds}"
    return f"{facts.seed_count} paired seed{'s' if facts.seed_count != 1 else ''}"


def _divergence(verdict: Verdict, facts: Circumstances) -> str:
    """Whose training broke off: the numbers are then of what it had come to, or of a stand-in."""
    cells = facts.seed_count * max(1, facts.folds * facts.repeats)
    unit = "cell" if facts.folds else "seed"
    told = [
        f"{facts.diverged[name]} of {_counts(cells, cells, unit)} of {name} diverged"
        for name in (verdict.a, verdict.b)
        if facts.diverged.get(name)
    ]
    return "".join(f"; {part}" for part in told)


def _p(p: float) -> str:
    if p < 0.0001:
        return "< 0.0001"
    shown = f"{p:.2g}"
    # Rounding must not carry it to the level that it is below of.
    return f"= {p:.3g}" if p < 0.05 <= float(shown) else f"= {shown}"


def _cost(verdict: Verdict, before: str) -> str:
    """The price in time, where an interval says how well it is known, and in arithmetic."""
    told, ratio, ends = [], verdict.cost_ratio, verdict.cost_ratio_ci95
    if ratio is not None and ends is not None:
        span = f"95 % interval {_times(ends[0])} to {_times(ends[1])}"
        told.append(f"{_times(ratio)} times the training time ({span})")
    macs = verdict.macs_ratio
    if macs is not None and not 0.95 <= macs < 1.05:
        told.append(f"{_times(macs)} times the multiply-accumulates of a prediction")
    return f"{before}{' and '.join(told)}" if told else ""


def _times(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 0.95 else f"{ratio:.2g}"


def _leaves_out_zero(ends: Range | None) -> bool:
    return ends is not None and (ends[0] > 0 or ends[1] < 0)


def _why(verdict: Verdict, facts: Circumstances) -> str:
    """Why what looks like a difference is not called one."""
    if _leaves_out_zero(verdict.ci95):
        looks, pairs = facts.look_count, facts.comparison_count
        return f"not by enough for {pairs} comparison{'s' if pairs > 1 else ''}" + (
            "" if facts.folds else f" and {looks} look{'s' if looks > 1 else ''}"
        )
    if _leaves_out_zero(verdict.ci_this_test_set):
        return "ahead on these examples; too few of them to expect it on new ones"
    return ""


def _price(verdict: Verdict, facts: Circumstances) -> str:
    """What may decide it: more seeds, or else more test examples."""
    if verdict.seeds_to_decide:
        first, last = verdict.seeds_to_decide
        if first > facts.last_look:
            return (
                f"the plan ends at {facts.last_look} seeds; a new study with about "
                f"{_counts(first, last, 'seed')}{_time(first, last, facts)} may decide"
            )
        more = (first - facts.seed_count, last - facts.seed_count)
        beyond = f", though the plan ends at {facts.last_look}" if last > facts.last_look else ""
        return f"about {_counts(*more, 'more seed')}{_time(*more, facts)} may decide{beyond}"
    if verdict.limited_by != "examples":
        return ""
    if verdict.examples_to_decide is None:
        return "neither more seeds alone nor more test examples alone may decide"
    missing = _counts(verdict.examples_to_decide, verdict.examples_to_decide, "more test example")
    if facts.seed_count < facts.last_look:
        # So many are reckoned for all the seeds of the plan.
        return f"about {missing}, with {facts.last_look} seeds, may decide; seeds alone would not"
    return f"about {missing} may decide, more seeds would not"


def _counts(first: int, last: int, noun: str) -> str:
    if first == last:
        return f"{first} {noun}{'s' if first != 1 else ''}"
    return f"{first} to {last} {noun}s"


def _time(first: int, last: int, facts: Circumstances) -> str:
    each = facts.seconds_per_seed
    if each is None:
        return ""
    shortest, longest = (duration(max(1, round(count * each))) for count in (first, last))
    return f" ({shortest})" if shortest == longest else f" ({shortest} to {longest})"


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value
