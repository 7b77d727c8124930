"""The answer in words: a headline, and the table one glance should be enough for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bakeoff.report import words
from bakeoff.report.results import RecipeResult, Results, Verdict, level_name, short_name
from bakeoff.report.spec import Cell, Table


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
    metric = words.Metric(results.metric)
    listed = words.joined([f"{r.name} scores {metric.score(mean)}" for r, mean in scored[:4]])
    return Headline("", "undecided", "No verdict: nothing was compared.", f"{listed}.")


def _headline(results: Results, level: str, verdicts: list[Verdict]) -> Headline:
    groups: dict[str, list[Verdict]] = {}
    for verdict in sorted(verdicts, key=lambda v: -(v.difference or 0.0)):
        groups.setdefault(_group(verdict), []).append(verdict)
    if "better" in groups:
        return _winner(results, level, groups)
    control = verdicts[0].short_b
    one = verdicts[0].short_a if len(verdicts) == 1 else ""
    if "undecided" in groups:
        return _open(results, level, groups, control)
    margin = _margin(results)
    if "worse" not in groups and "equivalent" in groups:
        subject = f"{one} makes" if one else "None of the variants makes"
        verb = "no difference" if one else "a difference"
        text = f"{subject} {verb} to {control} that matters{margin}."
        return Headline(level, "equivalent", text, _cheapest(groups["equivalent"]))
    if "equivalent" in groups:
        names = _names(groups["equivalent"])
        text = f"Nothing beats {control}; {names} {_is(groups['equivalent'])} as good{margin}."
        return Headline(level, "equivalent", text, _cheapest(groups["equivalent"]))
    if "worse" in groups:
        text = f"{one} loses to {control}." if one else f"Nothing beats {control}."
        return Headline(level, "worse", text)
    reasons = sorted({v.reason for v in verdicts if v.reason})
    more = words.first_upper(reasons[0].rstrip(".") + ".") if reasons else ""
    return Headline(level, "undecided", "No verdict was possible.", more)


def _group(verdict: Verdict) -> str:
    """Its outcome; `none` where there could be no outcome."""
    return "none" if verdict.exploratory or verdict.reason else verdict.outcome


def _winner(results: Results, level: str, groups: dict[str, list[Verdict]]) -> Headline:
    best, *others = groups["better"]
    metric = words.Metric(best.metric)
    amount = metric.rounded(best.difference or 0.0)
    text = f"{best.short_a} beats {best.short_b} by {amount} of {metric.words}"
    if best.cost_ratio is not None:
        text += f", at {words.ratio(best.cost_ratio)} the training time"
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


def _names(verdicts: Sequence[Verdict]) -> str:
    return words.joined([verdict.short_a for verdict in verdicts])


def _open(results: Results, level: str, groups: dict[str, list[Verdict]], control: str) -> Headline:
    undecided = groups["undecided"]
    verdict = undecided[0]
    names = [v.short_a for v in undecided]
    who = words.joined(names, "or") if len(names) <= 3 else f"any of {len(names)} variants"
    behind = all(v.ci95 is not None and v.ci95[1] < 0 for v in undecided)
    if behind and len(names) > 3:
        who = f"all {len(names)} variants"
    asked = f"{control} beats {who}" if behind else f"{who} beats {control}"
    text = f"Cannot tell yet whether {asked}."
    more = [_price(results, verdict), *_rest(results, groups, control)]
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
        return f"About {words.count(missing)} more test examples may decide it; seeds would not."
    return ""


def _is(verdicts: Sequence[Verdict]) -> str:
    return "is" if len(verdicts) == 1 else "are"


def _margin(results: Results) -> str:
    if results.margin is None:
        return ""
    return f", to within your margin of {words.Metric(results.metric).amount(results.margin)}"


def _cheapest(verdicts: Sequence[Verdict]) -> str:
    """Among equals the price decides."""
    priced = [(v.cost_ratio, v.short_a, v.short_b) for v in verdicts if v.cost_ratio is not None]
    if not priced:
        return ""
    ratio, a, b = min(priced)
    if ratio > 0.95:
        return ""
    return f"{a} needs only {words.ratio(ratio)} the training time of {b}."


def glance(results: Results) -> Table:
    """Recipe, score, difference, outcome and cost, the best variant first below the control."""
    metric = words.Metric(results.metric)
    scored = f"fold {metric.word}" if results.folds else metric.words
    header = [
        "Recipe",
        f"{words.first_upper(scored)}{' (%)' if metric.percent else ''}, mean ± SD",
        f"Difference{' (points)' if metric.percent else ''}, 95 % interval",
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
    seconds = recipe.cost.get("train_seconds")
    price = Cell(words.duration(seconds), seconds, numeric=True)
    if verdict is None:
        role = "control" if recipe.name in controls else words.MISSING
        difference, outcome = Cell(words.MISSING, numeric=True), Cell(role)
    else:
        ends = f"{metric.range(verdict.ci95, signs=True)}" if verdict.ci95 else "no interval"
        moved = metric.difference(verdict.difference)
        difference = Cell(moved, verdict.difference, numeric=True, note=ends)
        outcome = outcome_cell(verdict)
        if verdict.cost_ratio is not None:
            share = f"{words.ratio(verdict.cost_ratio)} of {verdict.short_b}"
            price = replace(price, note=share)
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
