"""Results as Markdown, for READMEs and notes: the same numbers as in `results.json`."""

from collections.abc import Mapping
from typing import Any

PERCENT = ("accuracy", "balanced_accuracy", "f1_macro")


def markdown(results: Mapping[str, Any]) -> str:
    """A table of recipes, best first; below it the verdicts' sentences and what was chosen.

    Args:
        results: The content of `results.json`.
    """
    metric = results["metric"]
    name = metric.partition("/")[2]
    verdicts = {v["a"]: v for v in results["verdicts"] if v["metric"] == metric}
    lines = [
        f"| recipe | {metric} | sd over {'folds' if results.get('resampling') else 'seeds'} "
        f"| against {results['control'].partition('@')[0]} (95 % interval) "
        "| outcome | training seconds | parameters | MACs |",
        "|---|--:|--:|--:|---|--:|--:|--:|",
    ]
    scored = [(n, r) for n, r in results["recipes"].items() if metric in r["metrics"]]
    sign = -1 if results["direction"] == "max" else 1
    for recipe_name, recipe in sorted(scored, key=lambda p: sign * p[1]["metrics"][metric]["mean"]):
        score, cost = recipe["metrics"][metric], recipe["cost"]
        verdict = verdicts.get(recipe_name)
        lines.append(
            f"| {recipe_name} | {figure(score['mean'], name)} | {figure(score['sd'], name)} "
            f"| {_difference(verdict, name)} | {verdict['outcome'] if verdict else 'control'} "
            f"| {cost['train_seconds']:.1f} | {cost['parameters']:,} "
            f"| {cost['macs_per_example']:,} |"
        )
    environment = results["environment"]
    lines += [
        "",
        f"{_amount(results)}; margin {figure(results['margin'], name)}; seconds on "
        f"{environment.get('cores')} cores of {environment.get('processor')}"
        f"{'' if results['costs_alone'] else ' (not measured alone: no price)'}.",
        "",
    ]
    lines += [f"- {verdict['sentence']}" for verdict in verdicts.values()]
    lines += [f"- {effect['sentence']}" for effect in results.get("effects", ())]
    if final := results.get("final"):
        lines.append(f"- {final['sentence']}")
    return "\n".join(lines)


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
    return f"{100 * value:.2f} %" if name in PERCENT else f"{value:.4g}"


def _difference(verdict: Mapping[str, Any] | None, name: str) -> str:
    if verdict is None or verdict["difference"] is None or verdict["ci95"] is None:
        return ""
    scale, digits = (100, 2) if name in PERCENT else (1, 4)
    numbers = (scale * verdict["difference"], *(scale * end for end in verdict["ci95"]))
    shown = [f"{number:+.{digits}f}" for number in numbers]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"
