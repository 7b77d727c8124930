"""Results as Markdown, for READMEs and notes: the same numbers as in `results.json`."""

from collections.abc import Mapping
from typing import Any

from bakeoff.core.measures import difference_unit, heading, scale_of
from bakeoff.study.costs import training_seconds


def markdown(results: Mapping[str, Any]) -> str:
    """A table of recipes, best first; below it the verdicts' sentences and what was chosen.

    Args:
        results: The content of `results.json`.
    """
    metric = results["metric"]
    name = metric.partition("/")[2]
    verdicts = {v["a"]: v for v in results["verdicts"] if v["metric"] == metric}
    unit = "folds" if results.get("resampling") else "seeds"
    lines = [
        f"| recipe | {heading(metric, results.get('protocol', ''))} | sd over {unit} "
        f"| against {results['control'].partition('@')[0]} ({_unit(name)}95 % interval) "
        "| outcome | training seconds | parameters | MACs |",
        "|---|--:|--:|--:|---|--:|--:|--:|",
    ]
    scored = [(n, r) for n, r in results["recipes"].items() if metric in r["metrics"]]
    sign = -1 if results["direction"] == "max" else 1
    for recipe_name, recipe in sorted(scored, key=lambda p: sign * p[1]["metrics"][metric]["mean"]):
        score, cost = recipe["metrics"][metric], recipe["cost"]
        verdict = verdicts.get(recipe_name)
        lines.append(
            f"| {_named(recipe_name, recipe)} "
            f"| {figure(score['mean'], name)} | {figure(score['sd'], name)} "
            f"| {_difference(verdict, name)} | {verdict['outcome'] if verdict else 'control'} "
            f"| {_seconds(cost)} | {cost['parameters']:,} "
            f"| {cost['macs_per_example']:,} |"
        )
    environment = results["environment"]
    lines += [
        "",
        f"{_amount(results)}; margin {_margin(results['margin'], name)}; seconds"
        f"{_upstream(results)} on {environment.get('cores')} cores of "
        f"{environment.get('processor')}{_brackets(results)}{_precisions(results)}.",
        "",
    ]
    lines += [f"- {verdict['sentence']}" for verdict in verdicts.values()]
    lines += [f"- {effect['sentence']}" for effect in results.get("effects", ())]
    if final := results.get("final"):
        lines.append(f"- {final['sentence']}")
    lines += [f"- {sentence}" for sentence in search_sentences(results)]
    return "\n".join(lines)


def search_sentences(results: Mapping[str, Any]) -> list[str]:
    """How values that were searched were chosen, a sentence a recipe."""
    recipes = results["recipes"].values()
    return [recipe["search"]["sentence"] for recipe in recipes if "search" in recipe]


def _named(name: str, recipe: Mapping[str, Any]) -> str:
    """A recipe's name, and how many of its cells diverged."""
    diverged, cells = recipe["statuses"].count("diverged"), len(recipe["statuses"])
    return f"{name} ({diverged} of {cells} diverged)" if diverged else name


def _seconds(cost: Mapping[str, Any]) -> str:
    """Of training; in brackets where no cell was measured alone, so that it is no price."""
    shown = f"{training_seconds(cost) or 0.0:.1f}"
    return shown if cost["alone"] else f"({shown})"


def _upstream(results: Mapping[str, Any]) -> str:
    needs = any(recipe["cost"]["upstream_seconds"] for recipe in results["recipes"].values())
    return ", those of what a recipe needs included," if needs else ""


def _brackets(results: Mapping[str, Any]) -> str:
    alone = results["costs_alone"]
    return "" if alone else ", in brackets where not measured alone: no price"


def _precisions(results: Mapping[str, Any]) -> str:
    """Which recipes computed in what, where that differs."""
    found: dict[str, list[str]] = {}
    plain: dict[str, set[str]] = {}  # a recipe's precisions over the levels of factors
    told = {n: " and ".join(recipe["precision"]) for n, recipe in results["recipes"].items()}
    for name, precision in told.items():
        plain.setdefault(name.partition("@")[0], set()).add(precision)
    for name, precision in told.items():
        alike = len(plain[name.partition("@")[0]]) == 1
        found.setdefault(precision, []).append(name.partition("@")[0] if alike else name)
    if len(found) < 2:
        return ""
    found = {precision: list(dict.fromkeys(names)) for precision, names in found.items()}
    return "; " + ", ".join(f"{', '.join(names)} in {kind}" for kind, names in found.items())


def _amount(results: Mapping[str, Any]) -> str:
    """How many seeds, or folds, the numbers are of."""
    seeds = max((len(recipe["seeds"]) for recipe in results["recipes"].values()), default=0)
    resampling = results.get("resampling")
    if not resampling:
        return f"{seeds} seeds"
    times = f" x {resampling['repeats']} repeats" if resampling["repeats"] > 1 else ""
    each = f", {seeds} seed{'s' if seeds != 1 else ''} in each"
    return f"{resampling['folds']} folds{times}{each}"


def figure(value: float | None, name: str) -> str:
    """A score as people write it: shares in percent with two decimals."""
    if value is None:
        return ""
    return f"{100 * value:.2f} %" if scale_of(name) == "share" else f"{value:.4g}"


def _unit(name: str) -> str:
    """Of differences, before what else is said of them."""
    unit = difference_unit(name)
    return f"{unit}, " if unit else ""


def _margin(value: float, name: str) -> str:
    """In the unit of differences."""
    size = f"{100 * value:.2f}" if scale_of(name) == "share" else f"{value:.4g}"
    return f"{size} {difference_unit(name)}".strip()


def _difference(verdict: Mapping[str, Any] | None, name: str) -> str:
    if verdict is None or verdict["difference"] is None or verdict["ci95"] is None:
        return ""
    scale, digits = (100, 2) if scale_of(name) == "share" else (1, 4)
    numbers = (scale * verdict["difference"], *(scale * end for end in verdict["ci95"]))
    shown = [f"{number:+.{digits}f}" for number in numbers]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"
