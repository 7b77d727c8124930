"""The answer in words: a headline, and the table one glance should be enough for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bakeoff.report import words
from bakeoff.report.costs import TRAINING
from bakeoff.report.results import RecipeResult, Results, Verdict, level_name, short_name
from bakeoff.report.spec import Cell, Table

WELL_KNOWN = 1.5
"""A ratio is one number where the ends of its interval are no further apart than so many times."""


@dataclass(frozen=True)
class Headline:
    """What the verdicts of one level come to.

    Args:
        level: The level of the crossed factors, in words; empty without factors.
        outcome: The outcome it is about, for its sign.
        text: One sentence.
        more: One more, or the empty string.
    """

    level: str
    outcome: str
    text: str
    more: str = ""


def headlines(results: Results) -> list[Headline]:
    """One headline for every level of the crossed factors; one alone without factors."""
    levels = results.levels()
    if not levels:
        return [_without_verdicts(results)]
    return [_headline(results, name, verdicts) for name, verdicts in levels]


def _without_verdicts(results: Results) -> Headline:
    scored = [
        (r, s.mean) for r in results.recipes if (s := results.score(r)) and s.mean is not None
    ]
    if not scored:
        return Headline("", "undecided", "There is nothing to compare yet: no recipe has a score.")
    metric = results.judged_by
    listed = words.joined([f"{r.name} scores {metric.score(mean)}" for r, mean in scored[:4]])
    return Headline("", "undecided", "No verdict: nothing was compared.", f"{listed}.")


def _headline(results: Results, level: str, verdicts: list[Verdict]) -> Headline:
    groups: dict[str, list[Verdict]] = {}
    for verdict in sorted(verdicts, key=lambda v: -(v.difference or 0.0)):
        groups.setdefault(_group(verdict), []).append(verdict)
    unjudged = groups.pop("none", [])
    if not groups:
        reasons = sorted({v.reason for v in verdicts if v.reason})
        more = words.first_upper(reasons[0].rstrip(".") + ".") if reasons else ""
        return Headline(level, "undecided", "No verdict was possible.", more)
    alone, every = len(verdicts) == 1, not unjudged
    found = _judged(results, level, groups, alone=alone, every=every)
    if unjudged:
        more = f"{found.more} No verdict on {_names(unjudged)}."
        return replace(found, more=more.strip())
    return found


def _judged(
    results: Results, level: str, groups: dict[str, list[Verdict]], *, alone: bool, every: bool
) -> Headline:
    """What those with a verdict come to.

    Args:
        results: Of the study.
        level: Of its factors, in words.
        groups: Verdicts by outcome.
        alone: Whether there is but one comparison.
        every: Whether all of them have a verdict.
    """
    if "better" in groups:
        return _winner(results, level, groups)
    first = next(iter(groups.values()))[0]
    control, one = first.short_b, first.short_a
    if "undecided" in groups:
        return _open(results, level, groups, control)
    equal = groups.get("equivalent")
    if equal and "worse" not in groups:
        none = "None of the variants" if every else "No variant judged"
        what = f"{one} makes no difference" if alone else f"{none} makes a difference"
        text = f"{what} to {control} that matters{_margin(results)}."
        return Headline(level, "equivalent", text, _cheapest(equal))
    nothing = "Nothing" if every else "Nothing judged"
    if equal:
        text = f"{nothing} beats {control} by your margin{_margin(results, of=True)}; "
        text += f"{_names(equal)} {'differs' if len(equal) == 1 else 'differ'} from it by less."
        return Headline(level, "equivalent", text, _cheapest(equal))
    text = f"{one} loses to {control}." if alone else f"{nothing} beats {control}."
    return Headline(level, "worse", text)


def _group(verdict: Verdict) -> str:
    """Its outcome; `none` where there could be no outcome."""
    return "none" if verdict.exploratory or verdict.reason else verdict.outcome


def _winner(results: Results, level: str, groups: dict[str, list[Verdict]]) -> Headline:
    best, *others = groups["better"]
    metric = results.metric_of(best.metric)
    amount = metric.rounded(best.difference or 0.0)
    text = f"{best.short_a} beats {best.short_b} by {amount} of {metric.words}"
    if price := _paid(best):
        text += f", at {price}"
    more = []
    if others:
        verb = "does" if len(others) == 1 else "do"
        more.append(f"So {verb} {_names(others)}.")
    more += _rest(results, groups, best.short_b)
    if undecided := groups.get("undecided"):
        more.append(f"Cannot tell yet: {_names(undecided)}.")
    return Headline(level, "better", f"{text}.", " ".join(more))


def _rest(results: Results, groups: dict[str, list[Verdict]], control: str) -> list[str]:
    """Those that are as good as the control, and those that are worse."""
    said = []
    if equal := groups.get("equivalent"):
        said.append(f"As good as {control}{_margin(results)}: {_names(equal)}.")
    if worse := groups.get("worse"):
        said.append(f"Worse: {_names(worse)}.")
    return said


def _names(verdicts: Sequence[Verdict], last: str = "and") -> str:
    return words.joined([verdict.short_a for verdict in verdicts], last)


def _open(results: Results, level: str, groups: dict[str, list[Verdict]], control: str) -> Headline:
    undecided = groups["undecided"]
    behind = [v for v in undecided if v.ci95 is not None and v.ci95[1] < 0]
    others = [v for v in undecided if v not in behind]
    asked = []
    if others:
        who = f"any of {len(others)} variants" if len(others) > 3 else _names(others, "or")
        asked.append(f"{who} beats {control}")
    if behind:
        who = f"{len(behind)} variants" if len(behind) > 3 else _names(behind, "or")
        asked.append(f"{control} beats {who}")
    text = f"Cannot tell yet whether {', or whether '.join(asked)}."
    price = _price(results, undecided[0]) if len(undecided) == 1 else ""
    more = [price, *_rest(results, groups, control)]
    return Headline(level, "undecided", text, " ".join(filter(None, more)))


def _price(results: Results, verdict: Verdict) -> str:
    """What might decide it."""
    recipe = results.recipe(verdict.a)
    done = len(recipe.seeds) if recipe else 0
    if verdict.seeds_to_decide is not None:
        low, high = verdict.seeds_to_decide
        span = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
        return f"About {span} seeds in all may decide it; {done} are done." if high > done else ""
    missing = verdict.numbers["examples_to_decide"]
    if verdict.limited_by == "examples" and missing:
        last = max(results.looks, default=0)
        seeds = f", with {last} seeds," if done < last else ""
        more = f"About {words.count(missing)} more test examples{seeds} may decide it"
        return f"{more}; seeds alone would not."
    return ""


def _margin(results: Results, *, of: bool = False) -> str:
    """What the margin is; `of`: behind "your margin", which is said already."""
    if results.margin is None:
        return ""
    amount = results.judged_by.amount(results.margin)
    return f" of {amount}" if of else f", to within your margin of {amount}"


def _paid(verdict: Verdict) -> str:
    """The price of a variant: in time where it is known well enough to say, else in arithmetic."""
    if times := _times(verdict):
        return f"{times} the training time"
    if verdict.macs_ratio is None or 0.95 <= verdict.macs_ratio < 1.05:
        return ""
    return f"{words.ratio(verdict.macs_ratio)} the multiply-accumulates of a prediction"


def _times(verdict: Verdict) -> str:
    """Of the training time, how often; as a range where it is not well known."""
    ratio, ends = verdict.cost_ratio, verdict.cost_ratio_ci95
    if ratio is None or ends is None:
        return ""
    if ends[1] <= WELL_KNOWN * ends[0]:
        return words.ratio(ratio)
    return f"{words.ratio(ends[0])} to {words.ratio(ends[1])}"


def _cheapest(verdicts: Sequence[Verdict]) -> str:
    """Among equals the price decides, where it is surely less."""
    priced = [(v.cost_ratio, v) for v in verdicts if v.cost_ratio and v.cost_ratio_ci95]
    cheaper = [(ratio, v) for ratio, v in priced if v.cost_ratio_ci95 and v.cost_ratio_ci95[1] < 1]
    if not cheaper:
        return ""
    _, best = min(cheaper, key=lambda pair: pair[0])
    return f"{best.short_a} needs only {_paid(best)} of {best.short_b}."


def glance(results: Results) -> Table:
    """Recipe, score, difference, outcome and cost, the best variant first below the control."""
    metric = results.judged_by
    scored = f"fold {metric.word}" if results.folds else metric.words
    header = [
        "Recipe",
        f"{words.first_upper(scored)}{' (%)' if metric.percent else ''}, mean ± SD",
        f"Difference{metric.in_points}, 95 % interval",
        "Verdict",
        "Training",
    ]
    controls = results.controls()
    rows = [_glance_row(results, recipe, metric, controls) for recipe in _by_score(results)]
    return Table("All recipes at a glance", header, rows)


def _by_score(results: Results) -> list[RecipeResult]:
    """Level by level, controls first, then from the best to the worst."""
    levels = [name for name, _ in results.levels()]
    controls = results.controls()

    def place(recipe: RecipeResult) -> tuple[int, bool, float, int]:
        level = level_of(results, recipe.name)
        score = results.score(recipe)
        mean = score.mean if score else None
        turned = float("inf") if mean is None else mean if results.direction == "min" else -mean
        rank = levels.index(level) if level in levels else len(levels)
        return rank, recipe.name not in controls, turned, recipe.index

    return sorted(results.recipes, key=place)


def level_of(results: Results, name: str) -> str:
    """The level a recipe stands in."""
    recipe = results.recipe(name)
    if recipe and recipe.level:
        return level_name(recipe.level)
    found = next((v for v in results.judged() if name in (v.a, v.b)), None)
    return level_name(found.level) if found else ""


def _glance_row(
    results: Results, recipe: RecipeResult, metric: words.Metric, controls: set[str]
) -> list[Cell]:
    score, verdict = results.score(recipe), results.verdict(recipe.name)
    mean = score.mean if score else None
    sd = score.sd if score else None
    spread = f" ± {metric.bare(sd)}" if sd is not None else ""
    shown = short_name(recipe.name, recipe.level)
    name = Cell(shown, head=True, recipe=recipe.index, note=level_of(results, recipe.name))
    price = TRAINING.cell(recipe)
    if verdict is None:
        role = "control" if recipe.name in controls else words.MISSING
        difference, outcome = Cell(words.MISSING, numeric=True), Cell(role)
    else:
        ends = f"{metric.range(verdict.ci95, signs=True)}" if verdict.ci95 else "no interval"
        moved = metric.difference(verdict.difference)
        difference = Cell(moved, verdict.difference, numeric=True, note=ends)
        outcome = outcome_cell(verdict)
        if times := _times(verdict):
            price = replace(price, note=f"{times} that of {verdict.short_b}")
    return [name, Cell(metric.bare(mean) + spread, mean, numeric=True), difference, outcome, price]


def spoken(verdict: Verdict) -> str:
    """The verdict's own sentence; a capital begins it unless a recipe's name does."""
    if not verdict.sentence:
        return f"{verdict.a} against {verdict.b}: {outcome_cell(verdict).text}."
    named = verdict.sentence.startswith((verdict.a, verdict.b))
    return verdict.sentence if named else words.first_upper(verdict.sentence)


def outcome_cell(verdict: Verdict) -> Cell:
    """The outcome of a verdict, or that there is none."""
    if verdict.exploratory:
        return Cell("exploratory", note="no verdict")
    if verdict.reason:
        return Cell("no verdict")
    return Cell(verdict.outcome, outcome=verdict.outcome)
