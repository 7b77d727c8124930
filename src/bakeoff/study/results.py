"""Results of a study: a pure function of its plan, its records and its predictions.

Running and verifying call the same functions, so a number in `results.json` can be recomputed by
anyone who has the folder.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.files import pretty_json, write_atomic
from bakeoff.core.record import Record, read_record
from bakeoff.core.table import Table
from bakeoff.core.task import Task, metric_owner, task_of
from bakeoff.study.looks import LookPlan, plan_looks
from bakeoff.study.plan import PLAN, SCHEMA, Plan, read_plan
from bakeoff.study.statistics import mean_interval, noise_floor
from bakeoff.study.verdicts import PairInput, Role, Scored, judge

COUNTS = ("parameters", "trained_parameters", "macs_per_example", "peak_bytes")
MEASURES = (
    *("train_seconds", "warm_up_seconds", "evaluate_examples_per_second"),
    *("upstream_seconds", "tuning_seconds"),
)
POPULATION = "new examples like the test examples; these recipes; seeds"


@dataclass(frozen=True)
class Folder:
    """A run folder's plan, records and predictions.

    Attributes:
        path: Of the run folder.
        plan: `plan.json`: what was asked, resolved, with the margin.
        records: Of the cells the plan asks for, by recipe, then by seed (the plan's, without the
            offset of a recipe run again). What other settings left behind is not among them.
    """

    path: Path
    plan: Plan
    records: Mapping[str, Mapping[int, Record]]

    def everything(self) -> list[Record]:
        """All records."""
        return [record for records in self.records.values() for record in records.values()]

    def predictions(self, record: Record, split: str = "test") -> Table:
        """The predictions a cell left, full or reduced.

        Raises:
            InputError: where they are missing or cannot be read.
        """
        folder = self.path / cell_folder(record) / "predictions"
        packed = folder / f"{split}.csv.gz"
        path = packed if packed.exists() else folder / f"{split}.csv"
        return task(record).read(path)


def task(record: Record) -> Task:
    """What was asked of the data."""
    return task_of(record.task, record.classes)


def cell_folder(record: Record) -> str:
    """A cell's place in its run folder."""
    return f"cells/{record.name}/{record.replicate.folder}"


def open_folder(path: Path) -> Folder:
    """A run folder for reading.

    Raises:
        InputError: where it is none.
    """
    plan = read_plan(path)
    if plan is None:
        raise InputError(f"{path}: not a run folder: it has no {PLAN}")
    records: dict[str, dict[int, Record]] = {}
    for name, recipe in plan["recipes"].items():
        records[name] = {}
        for seed, key in recipe["cells"].items():
            replicate = Replicate(seed=int(seed) + recipe["seed_offset"])
            record = read_record(path / "cells" / name / replicate.folder)
            if record is not None and record.key == key:
                records[name][int(seed)] = record
    return Folder(path, plan, records)


def results(folder: Folder) -> dict[str, Any]:
    """The content of `results.json`."""
    plan = folder.plan
    looks = plan_looks(plan["seeds"])
    everything = folder.everything()
    first = everything[0] if everything else None
    return {
        "schema": SCHEMA,
        "study": plan["study"],
        "question": plan["question"],
        "metric": plan["metric"],
        "direction": plan["direction"],
        "control": plan["control"],
        "recipes": {name: _recipe(folder, name) for name in plan["recipes"]},
        "margin": plan["margin"],
        "margin_source": plan["margin_source"],
        "population": POPULATION,
        "verdicts": _verdicts(folder, looks),
        "seeds_planned": looks.sizes[0],
        "noise_floor": _noise_floor(folder),
        "costs_alone": all(r.cost.alone for r in everything) and bool(everything),
        "dataset": plan["dataset"],
        "references": plan["references"],
        "ledger": {
            "test_hash": plan["dataset"]["test_hash"],
            "recipes": max((r.test_ledger for r in everything), default=0),
        },
        "environment": first.fingerprint if first else {},
        "source": first.source if first else {},
    }


def _recipe(folder: Folder, name: str) -> dict[str, Any]:
    """What is known of one recipe over its seeds."""
    planned, records = folder.plan["recipes"][name], folder.records[name]
    names = sorted({metric for record in records.values() for metric in record.metrics})
    metrics = {}
    for metric in names:
        values = [record.metrics[metric] for record in records.values()]
        metrics[metric] = {
            "values": values,
            "mean": float(np.mean(values)),
            "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "ci95": mean_interval(values),
        }
    return {
        "technique": planned["technique"],
        "level": planned["level"],
        "changed": planned["changed"],
        "late": planned["late"],
        "dropped": planned["dropped"],
        "seeds": list(records),
        "failed": [int(seed) for seed in planned["cells"] if int(seed) not in records],
        "statuses": [record.status for record in records.values()],
        "keys": [record.key for record in records.values()],
        "metrics": metrics,
        "cost": _cost(list(records.values())),
        "recipe": planned["recipe"],
    }


def _cost(records: Sequence[Record]) -> dict[str, Any]:
    """Means over seeds, counts rounded; seconds are a price only where `alone` is true."""
    cost: dict[str, Any] = {}
    for name in (*COUNTS, *MEASURES):
        values = [v for r in records if (v := getattr(r.cost, name)) is not None]
        mean = float(np.mean(values)) if values else None
        cost[name] = round(mean) if name in COUNTS and mean is not None else mean
    return cost | {"alone": all(r.cost.alone for r in records)}


def _noise_floor(folder: Folder) -> float | None:
    """What two means of the control would differ by through seeds alone, in 5 % of cases."""
    plan = folder.plan
    records = folder.records.get(plan["control"], {})
    values = [record.metrics[plan["metric"]] for record in records.values()]
    if len(values) < 2:
        return None
    return noise_floor(float(np.std(values, ddof=1)), len(values))


def _verdicts(folder: Folder, looks: LookPlan) -> list[dict[str, Any]]:
    """Every variant against the control of its level, the study's metric first, then the others."""
    plan = folder.plan
    scored = {name: _scored(folder, name) for name in plan["recipes"]}
    metric = plan["metric"].partition("/")[2]
    pairs = _pairs(folder, scored, plan["metric"], "planned")
    uncounted = _replaced(pairs, plan)
    for other in metric_owner(metric).directions:
        if other != metric:
            pairs += _pairs(folder, scored, f"test/{other}", "secondary")
    judged = judge([*uncounted, *pairs], plan=looks, margin=plan["margin"])
    return [verdict.to_json() for verdict in judged[len(uncounted) :]]


def _replaced(pairs: Sequence[PairInput], plan: Plan) -> list[PairInput]:
    """Planned comparisons whose settings were changed since: nothing is known of them any more.

    They are judged with the others, without any cell, so that the correction goes on counting them.
    """
    was = {name for name, recipe in plan["recipes"].items() if recipe["planned"]}
    late = [pair for pair in pairs if pair.role == "late" and pair.a in was]
    return [replace(pair, scored_a={}, scored_b={}, role="planned") for pair in late]


def _pairs(
    folder: Folder, scored: Mapping[str, Mapping[int, Scored]], metric: str, role: Role
) -> list[PairInput]:
    recipes = folder.plan["recipes"]
    control_plain = folder.plan["control_plain"]
    controls = [name for name, r in recipes.items() if r["plain_name"] == control_plain]
    pairs = []
    for name, recipe in recipes.items():
        if name in controls:
            continue
        control = next(c for c in controls if recipes[c]["level"] == recipe["level"])
        own: Role = role
        if recipe["seed_offset"]:
            own = "secondary"
        elif role == "planned" and (recipe["late"] or recipes[control]["late"]):
            own = "late"
        pairs.append(
            PairInput(
                a=name,
                b=control,
                metric=metric,
                scored_a=scored[name],
                scored_b=scored[control],
                level=recipe["level"],
                role=own,
                seconds_per_seed=_seconds_per_seed(folder, (name, control)),
            )
        )
    return pairs


def _seconds_per_seed(folder: Folder, names: Sequence[str]) -> float | None:
    """What one more seed of these recipes would take; None where one of them never ran."""
    total = 0.0
    for name in names:
        costs = [record.cost for record in folder.records[name].values()]
        if not costs:
            return None
        total += float(np.mean([c.train_seconds + c.warm_up_seconds for c in costs]))
    return total


def _scored(folder: Folder, name: str) -> dict[int, Scored]:
    """The test predictions of one recipe by seed."""
    found = {}
    for seed, record in folder.records[name].items():
        answers = task(record).answers(folder.predictions(record))
        seconds = record.cost.train_seconds + record.cost.upstream_seconds
        found[seed] = Scored(
            labels=answers["truth"],
            predictions=answers["prediction"],
            label_probabilities=answers.get("label_probability"),
            groups=answers.get("group"),
            train_seconds=seconds if record.cost.alone and seconds > 0 else None,
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
            cost["train_seconds"], cost["parameters"], cost["macs_per_example"], cost["peak_bytes"],
        ))  # fmt: skip
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["recipe", "technique", "seeds", metric, "sd", "ci95_low", "ci95_high", "difference",
         "outcome", "train_seconds", "parameters", "macs_per_example", "peak_bytes"]
    )  # fmt: skip
    writer.writerows(row[1:] for row in sorted(rows, key=lambda row: (row[0], row[1])))
    return text.getvalue().encode()


def write_results(out: Path) -> dict[str, Any]:
    """Judge what is there, and write `results.json` and `standings.csv`."""
    content = results(open_folder(out))
    write_atomic(out / "results.json", pretty_json(content))
    write_atomic(out / "standings.csv", standings(content))
    return content
