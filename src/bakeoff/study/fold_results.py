"""What a cross-validated study came to: verdicts over folds, and the recipe chosen on them.

Like all results a pure function of plan, records and predictions.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bakeoff.core.cell import Replicate
from bakeoff.core.measures import measure_of
from bakeoff.core.record import Record, common_metrics
from bakeoff.core.tasks import metric_owner, task_of
from bakeoff.study.comparisons import comparisons, other_metrics
from bakeoff.study.costs import macs_ratio
from bakeoff.study.cross_validation import Cut, FoldPair, FoldScore, by_fold, judge_folds
from bakeoff.study.declaration import Resampling
from bakeoff.study.folder import Folder
from bakeoff.study.looks import plan_looks
from bakeoff.study.plan import protocol_of
from bakeoff.study.sentences import chosen_sentence
from bakeoff.study.statistics import (
    group_values,
    half_width,
    half_width_of_examples,
    mean_interval,
    measure,
)

TIES = 12
"""Significant digits in which mean fold scores must differ to count as different."""


def fold_results(folder: Folder, resampling: Resampling) -> dict[str, Any]:
    """What `results.json` says differently, and more, of a cross-validated study."""
    share = f"{resampling.folds - 1}/{resampling.folds}"
    return {
        "population": f"new training sets of {share} of the training examples and new examples "
        "like these (approximate); these recipes; seeds",
        "verdicts": _verdicts(folder, resampling),
        "noise_floor": None,
        "resampling": folder.plan["resampling"],
        "final": _final(folder),
    }


def _verdicts(folder: Folder, resampling: Resampling) -> list[dict[str, Any]]:
    """Every variant against the control of its level, the study's metric first, then the others."""
    plan = folder.plan
    pairs = _pairs(folder, plan["metric"])
    gone = {c.a for c in comparisons(plan) if c.replaced}
    uncounted = [
        replace(pair, scored_a={}, scored_b={}, role="planned") for pair in pairs if pair.a in gone
    ]
    for other in other_metrics(folder):
        pairs += [replace(pair, role="secondary") for pair in _pairs(folder, f"fold/{other}")]
    seeds = plan_looks(plan["seeds"]).seeds
    cut = Cut(resampling.folds, resampling.repeats, seeds)
    judged = judge_folds([*uncounted, *pairs], cut=cut, margin=plan["margin"])
    return [verdict.to_json() for verdict in judged[len(uncounted) :]]


def _pairs(folder: Folder, metric: str) -> list[FoldPair]:
    scored = {
        name: {at: _fold_score(record, metric) for at, record in records.items()}
        for name, records in folder.records.items()
    }
    return [
        FoldPair(
            a=c.a,
            b=c.b,
            metric=metric,
            scored_a=scored[c.a],
            scored_b=scored[c.b],
            level=c.level,
            role=c.role,
            macs_ratio=macs_ratio(folder, c.a, c.b),
            protocol=protocol_of(folder.plan),
        )
        for c in comparisons(folder.plan)
    ]


def _fold_score(record: Record, metric: str) -> FoldScore:
    return FoldScore(
        score=measure_of(metric).judged(record.metrics[metric]),
        examples=record.sizes["fold"],
        scored=record.hashes["fold"],
        train_seconds=record.priced_seconds,
        diverged=record.status == "diverged",
    )


def choose_best(folder: Folder) -> str | None:
    """The recipe with the best mean fold score; None while a planned cell is missing.

    Among equals the one with fewer parameters, then the first. Recipes that came or changed after
    a fold score was read, and the control run again, are not chosen.
    """
    plan = folder.plan
    seeds = set(plan_looks(plan["seeds"]).seeds)
    sign = 1 if plan["direction"] == "max" else -1
    ranks: list[tuple[float, float, int, str]] = []
    for number, (name, recipe) in enumerate(plan["recipes"].items()):
        if recipe["late"] or recipe["seed_offset"] or not recipe["planned"]:
            continue
        records = {at: r for at, r in folder.records[name].items() if at.seed in seeds}
        if len(records) < len(seeds) * _fold_count(folder):
            return None
        mean = float(f"{_mean_fold_score(records, plan['metric']):.{TIES}g}")
        parameters = float(np.mean([record.cost.parameters for record in records.values()]))
        ranks.append((-sign * mean, parameters, number, name))
    return min(ranks)[3] if ranks else None


def _fold_count(folder: Folder) -> int:
    resampling = folder.resampling
    return 0 if resampling is None else resampling.folds * resampling.repeats


def _mean_fold_score(records: Mapping[Replicate, Record], metric: str) -> float:
    """On the scale on which differences are taken."""
    judged = measure_of(metric).judged
    folds = by_fold({at: judged(record.metrics[metric]) for at, record in records.items()})
    return float(np.mean(list(folds.values())))


def _final(folder: Folder) -> dict[str, Any] | None:
    """The recipe chosen on folds, and what it scored on test; None where none was chosen."""
    plan, chosen = folder.plan, folder.plan["final"]
    if chosen is None:
        return None
    records, name = folder.final, chosen["recipe"]
    metric = f"test/{plan['metric'].partition('/')[2]}"
    values, measure = [record.metrics[metric] for record in records.values()], measure_of(metric)
    judged = [measure.judged(value) for value in values]
    asked, ends = [int(seed) for seed in chosen["cells"]], mean_interval(judged)
    content = {
        "recipe": name,
        "chosen_by": plan["metric"],
        "fold_mean": measure.told(_mean_fold_score(folder.records[name], plan["metric"])),
        "metric": metric,
        "seeds": list(records),
        "failed": [seed for seed in asked if seed not in records],
        "statuses": [record.status for record in records.values()],
        "keys": [record.key for record in records.values()],
        "values": values,
        "mean": measure.told(float(np.mean(judged))) if values else None,
        "ci95": interval_on_test(folder, metric) if values else None,
        "ci_this_test_set": ends and _told(ends, metric),
        "metrics": _test_metrics(records),
    }
    return content | {"sentence": chosen_sentence(content, plan["resampling"], protocol_of(plan))}


def _test_metrics(records: Mapping[int, Record]) -> dict[str, float]:
    """Means over seeds of every test metric."""
    names = [name for name in common_metrics(records.values()) if name.startswith("test/")]
    return {n: float(np.mean([r.metrics[n] for r in records.values()])) for n in names}


def interval_on_test(folder: Folder, metric: str) -> tuple[float, float]:
    """The 95 % interval of the chosen recipe's mean test score: new examples and new seeds.

    With one seed it is about new examples alone; it ends where the metric does. The spread over
    examples is that of their values (of jackknife values, for scores of a confusion table), two
    invented ones at 0 included.
    """
    name = metric.partition("/")[2]
    answers = [
        task_of(record.task, record.classes).answers(folder.predictions(record, "test"))
        for record in folder.final.values()
    ]
    values = np.array([metric_owner(name).example_values(name, table) for table in answers])
    if (groups := answers[0].get("group")) is not None:
        values = group_values(values, groups)
    judged = measure_of(metric).judged
    scores = np.array([judged(record.metrics[metric]) for record in folder.final.values()])
    spreads = measure(scores, values, invented=0.0)
    width = half_width if len(scores) > 1 else half_width_of_examples
    h, mean = float(width(spreads, 0.05)), float(scores.mean())
    return _told((mean - h, mean + h), metric)


def _told(ends: tuple[float, float], metric: str) -> tuple[float, float]:
    """An interval of what is judged as one of the metric, without what the metric cannot be."""
    measure = measure_of(metric)
    least, most = measure.range
    return max(measure.told(ends[0]), least), min(measure.told(ends[1]), most)
