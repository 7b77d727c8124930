"""Results of a study: a pure function of its plan, its records and its predictions.

Running and verifying call the same functions, so a number in `results.json` can be recomputed by
anyone who has the folder.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff import __version__
from bakeoff.core.cell import Replicate
from bakeoff.core.files import pretty_json, write_atomic
from bakeoff.core.measures import heading, measure_of
from bakeoff.core.record import common_metrics
from bakeoff.core.tasks import task_of
from bakeoff.data import catalogue
from bakeoff.study.comparisons import comparisons, other_metrics
from bakeoff.study.costs import costs, macs_ratio, seconds_per_seed, training_seconds
from bakeoff.study.cross_validation import by_fold
from bakeoff.study.declaration import Resampling
from bakeoff.study.effects import effects
from bakeoff.study.fold_results import fold_results
from bakeoff.study.folder import Folder, open_folder
from bakeoff.study.looks import LookPlan, plan_looks
from bakeoff.study.plan import SCHEMA, asked, protocol_of
from bakeoff.study.statistics import FoldSpread, mean_interval, noise_floor
from bakeoff.study.tuning import search_result, taken_over, trial_costs
from bakeoff.study.verdicts import PairInput, Role, Scored, judge

POPULATION = "new examples like the test examples; these recipes; seeds"


def results(folder: Folder) -> dict[str, Any]:
    """The content of `results.json`."""
    plan, resampling = folder.plan, folder.resampling
    looks = plan_looks(plan["seeds"])
    everything = folder.everything()
    first = everything[0] if everything else None
    recipes = {name: _recipe(folder, name) for name in plan["recipes"]}
    content = {
        "schema": SCHEMA,
        "program": __version__,
        "study": plan["study"],
        "question": plan["question"],
        "metric": plan["metric"],
        "direction": plan["direction"],
        "control": plan["control"],
        "recipes": recipes,
        "margin": plan["margin"],
        "margin_source": plan["margin_source"],
        "population": POPULATION,
        "verdicts": _verdicts(folder, looks) if resampling is None else [],
        "seeds_planned": looks.sizes[0],
        "looks": list(looks.sizes) if resampling is None else [],
        "noise_floor": _noise_floor(folder),
        "costs_alone": first is not None
        and all(r["cost"]["alone"] for r in recipes.values() if r["keys"]),
        "dataset": plan["dataset"],
        "references": plan["references"],
        "ledger": {
            "test_hash": plan["dataset"]["test_hash"],
            "recipes": max((r.test_ledger for r in everything), default=0),
        },
        "environment": first.fingerprint if first else {},
        "source": first.source if first else {},
    }
    if protocol := protocol_of(plan):
        content["protocol"] = protocol
    if resampling is not None:
        return content | fold_results(folder, resampling)
    found = effects(content)
    return content | {"effects": found} if found else content


def _recipe(folder: Folder, name: str) -> dict[str, Any]:
    """What is known of one recipe over its seeds, or its folds."""
    planned, records = folder.plan["recipes"][name], folder.records[name]
    names = common_metrics(records.values())
    of_metric = {n: {at: record.metrics[n] for at, record in records.items()} for n in names}
    resampling = folder.resampling
    missing = [at for at in asked(planned["cells"]) if at not in records]
    content = {
        "technique": planned["technique"],
        "level": planned["level"],
        "changed": planned["changed"],
        "late": planned["late"],
        "dropped": planned["dropped"],
        "seeds": sorted({at.seed for at in records}),
        "failed": [at.seed if resampling is None else at.label for at in missing],
        "statuses": [record.status for record in records.values()],
        "keys": [record.key for record in records.values()],
        "metrics": {n: _summary(n, values, resampling) for n, values in of_metric.items()},
        "cost": costs(list(records.values())),
        "precision": sorted({r.fingerprint.get("precision", "float32") for r in records.values()}),
        "recipe": planned["recipe"],
    }
    tried, served = folder.trials.get(name, []), folder.served.get(name, [])
    if tried or served:
        content["cost"] |= trial_costs([*tried, served])
    if tried:
        content["search"] = search_result(name, planned, tried, folder.plan["metric"])
    elif "values" in planned:
        content["search"] = taken_over(name, folder.plan["control_plain"], planned["values"])
    if parts := _parts(folder, name):
        content["parts"] = parts
    if "vocabulary" in planned:
        content["vocabulary"] = planned["vocabulary"]
    if resampling is not None:
        folds = dict.fromkeys((at.repeat, at.fold) for at in records)
        content["folds"] = [{"repeat": repeat, "fold": fold} for repeat, fold in sorted(folds)]
        content["cells"] = [at.label for at in records]
    return content


def _parts(folder: Folder, name: str) -> dict[str, Any]:
    """One recipe on the published parts of the test split; empty where none are told apart."""
    entry = catalogue.DATASETS.get(folder.plan["dataset"]["name"])
    if entry is None or not entry.parts or folder.resampling is not None:
        return {}
    scores: dict[str, dict[str, dict[Replicate, float]]] = {part: {} for part in entry.parts}
    counts: dict[str, int] = {}
    for at, record in folder.records[name].items():
        task, table = task_of(record.task, record.classes), folder.predictions(record, "test")
        for part, of_metric in scores.items():
            rows = np.flatnonzero(np.char.startswith(table["id"], f"{part}-"))
            counts[part] = len(rows)
            for metric, value in task.metrics(table.take(rows)).items():
                of_metric.setdefault(f"test/{metric}", {})[at] = value
    return {
        part: {
            "count": counts[part],
            "metrics": {n: _summary(n, v, None) for n, v in found.items()},
        }
        for part, found in scores.items()
        if found
    }


def _summary(
    metric: str, scores: Mapping[Replicate, float], resampling: Resampling | None
) -> dict[str, Any]:
    """One metric of one recipe: a value a seed, or a fold, and what they come to.

    The interval is made on the scale on which differences are taken.
    """
    measure = measure_of(metric)
    if resampling is None:
        values = list(scores.values())
        ends = mean_interval([*map(measure.judged, values)])
    else:
        values = list(by_fold(scores).values())
        spread = FoldSpread(np.array([*map(measure.judged, values)]), resampling.folds)
        ends = spread.interval() if len(values) > 1 else None
    if ends is not None and measure.scale == "factor":
        ends = measure.told(ends[0]), measure.told(ends[1])
    return {
        "values": values,
        "mean": float(np.mean(values)),
        "sd": _sd(values) if len(values) > 1 else None,
        "ci95": ends,
    }


def _sd(values: Sequence[float]) -> float:
    """0 of equal values, whose mean may be rounded."""
    return 0.0 if len(set(values)) == 1 else float(np.std(values, ddof=1))


def _noise_floor(folder: Folder) -> float | None:
    """What two means of the control would differ by through seeds alone, in 5 % of cases."""
    plan = folder.plan
    records = folder.records.get(plan["control"], {})
    judged = measure_of(plan["metric"]).judged
    values = [judged(record.metrics[plan["metric"]]) for record in records.values()]
    if len(values) < 2:
        return None
    return noise_floor(_sd(values), len(values))


def _verdicts(folder: Folder, looks: LookPlan) -> list[dict[str, Any]]:
    """Every variant against the control of its level, the study's metric first, then the others."""
    plan = folder.plan
    scored = {name: _scored(folder, name) for name in plan["recipes"]}
    pairs = _pairs(folder, scored, plan["metric"], "planned")
    gone = {c.a for c in comparisons(plan) if c.replaced}
    uncounted = [
        replace(pair, scored_a={}, scored_b={}, role="planned") for pair in pairs if pair.a in gone
    ]
    for other in other_metrics(folder):
        pairs += _pairs(folder, scored, f"test/{other}", "secondary")
    judged = judge([*uncounted, *pairs], plan=looks, margin=plan["margin"])
    return [verdict.to_json() for verdict in judged[len(uncounted) :]]


def _pairs(
    folder: Folder, scored: Mapping[str, Mapping[int, Scored]], metric: str, role: Role
) -> list[PairInput]:
    return [
        PairInput(
            a=c.a,
            b=c.b,
            metric=metric,
            scored_a=scored[c.a],
            scored_b=scored[c.b],
            level=c.level,
            role=c.role,
            seconds_per_seed=seconds_per_seed(folder, (c.a, c.b)),
            macs_ratio=macs_ratio(folder, c.a, c.b),
            protocol=protocol_of(folder.plan),
        )
        for c in comparisons(folder.plan, role)
    ]


def _scored(folder: Folder, name: str) -> dict[int, Scored]:
    """The test predictions of one recipe by seed."""
    found = {}
    for at, record in folder.records[name].items():
        task = task_of(record.task, record.classes)
        answers = task.answers(folder.predictions(record, "test"))
        found[at.seed] = Scored(
            labels=answers["truth"],
            predictions=answers["prediction"],
            label_probabilities=answers.get("label_probability"),
            groups=answers.get("group"),
            train_seconds=record.priced_seconds,
            diverged=record.status == "diverged",
            weights=answers.get("weight"),
            bytes=answers.get("bytes"),
            covered=answers.get("covered"),
        )
    return found


def standings(content: Mapping[str, Any]) -> bytes:
    """`standings.csv`: a row a recipe, best mean first."""
    metric, sign = content["metric"], -1 if content["direction"] == "max" else 1
    verdicts = {v["a"]: v for v in content["verdicts"] if v["metric"] == metric}
    rows = []
    for name, recipe in content["recipes"].items():
        score = recipe["metrics"].get(metric)
        if score is None:
            continue
        verdict = verdicts.get(name, {})
        low, high = score["ci95"] or (None, None)
        cost = recipe["cost"]
        rows.append((
            sign * score["mean"], name, recipe["technique"], len(recipe["seeds"]), score["mean"],
            score["sd"], low, high, verdict.get("difference"), verdict.get("outcome"),
            training_seconds(cost), cost["parameters"], cost["macs_per_example"],
            cost["peak_bytes"],
        ))  # fmt: skip
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["recipe", "technique", "seeds", heading(metric, content.get("protocol", "")), "sd",
         "ci95_low", "ci95_high", "difference", "outcome", "train_seconds", "parameters",
         "macs_per_example", "peak_bytes"]
    )  # fmt: skip
    writer.writerows(row[1:] for row in sorted(rows, key=lambda row: (row[0], row[1])))
    return text.getvalue().encode()


def write_results(out: Path) -> dict[str, Any]:
    """Judge what is there, and write `results.json` and `standings.csv`."""
    content = results(open_folder(out))
    write_atomic(out / "results.json", pretty_json(content))
    write_atomic(out / "standings.csv", standings(content))
    return content
