"""What the cells of a recipe cost together: counts, seconds, and what is a price."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bakeoff.core.record import Record
from bakeoff.study.folder import Folder

COUNTS = ("parameters", "trained_parameters", "macs_per_example", "peak_bytes", "optimiser_bytes")
TOLD = ("optimiser_bytes",)
"""What stands among the costs only where a cell tells it."""
MEASURES = (
    *("train_seconds", "warm_up_seconds", "evaluate_examples_per_second"),
    *("upstream_seconds", "tuning_seconds"),
)


def costs(records: Sequence[Record]) -> dict[str, Any]:
    """Means over cells, counts rounded; `alone`: whether the seconds are a price.

    Cells that diverged count only where all did: what stands in for weights that were lost has no
    price. Seconds are those of the cells that ran alone, where there are any.
    """
    whole = [record for record in records if record.status == "done"] or list(records)
    alone = [record for record in whole if record.cost.alone]
    cost: dict[str, Any] = {}
    for name in (*COUNTS, *MEASURES):
        counted = whole if name in COUNTS else alone or whole
        values = [v for r in counted if (v := getattr(r.cost, name)) is not None]
        if not values and name in TOLD:
            continue
        mean = float(np.mean(values)) if values else None
        cost[name] = round(mean) if name in COUNTS and mean is not None else mean
    return cost | {"alone": bool(alone)}


def training_seconds(cost: Mapping[str, Any]) -> float | None:
    """What training takes, that of the recipes whose results are used included.

    Args:
        cost: As `costs` gives it.
    """
    seconds = cost["train_seconds"]
    return None if seconds is None else float(seconds + cost["upstream_seconds"])


def macs_ratio(folder: Folder, a: str, b: str) -> float | None:
    """Multiply-accumulates of a prediction by recipe a over those by b; None where one has none."""
    first, second = (
        costs(list(folder.records[name].values()))["macs_per_example"] for name in (a, b)
    )
    return first / second if first and second else None


def seconds_per_seed(folder: Folder, names: Sequence[str]) -> float | None:
    """What one more seed of these recipes would take, with all that they need.

    Returns:
        None where one of them never ran alone.
    """
    total = 0.0
    for name in sorted(_needed(folder, names)):
        alone = [r.cost for r in folder.records[name].values() if r.cost.alone]
        if not alone:
            return None
        total += float(np.mean([c.train_seconds + c.warm_up_seconds for c in alone]))
    return total


def _needed(folder: Folder, names: Sequence[str]) -> set[str]:
    """These recipes, and those whose results they use, and theirs."""
    by_key = {r.key: name for name, rs in folder.records.items() for r in rs.values()}
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            keys = [key for r in folder.records[name].values() for key in r.inputs.values()]
            left += [by_key[key] for key in dict.fromkeys(keys) if key in by_key]
    return found
