"""Choosing settings on validation, before anything that is compared runs.

Every recipe is tried with the same values (`Search`), with seeds that are none of the study's, so
that no score that counts had a part in a choice. Trials never see test examples. What a recipe
needs of others is chosen first.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.measures import measure_of
from bakeoff.core.record import Record
from bakeoff.study.planned import Planned
from bakeoff.study.prepare import Ready, cells_of

T = TypeVar("T")
FIRST_SEED = 2_000_000
"""Of the first trial."""


class Trial(NamedTuple):
    """What a combination of values came to."""

    values: Mapping[str, Any]
    scores: tuple[float, ...]
    """On validation, a seed each; NaN where it diverged."""

    @property
    def mean(self) -> float:
        """Over seeds; NaN where one diverged, or there is none."""
        return float(np.mean(self.scores)) if self.scores else math.nan


def trial_of(values: Mapping[str, Any], records: Sequence[Record], metric: str) -> Trial:
    """What its cells say of a combination, by the study's metric."""
    name = f"validation/{metric.partition('/')[2]}"
    scores = (
        np.nan if record.status == "diverged" else record.metrics.get(name, np.nan)
        for record in records
    )
    return Trial(values, tuple(map(float, scores)))


def best(trials: Sequence[Trial], metric: str) -> int:
    """The position of the best mean score; the first of equals, and where all diverged."""
    sign = -1 if measure_of(metric).direction == "max" else 1
    ranks = [sign * trial.mean for trial in trials]
    return int(np.argmin([np.inf if np.isnan(rank) else rank for rank in ranks]))


def trial_seconds(tried: Sequence[Sequence[Record]]) -> float:
    """What trying took in training."""
    costs = [record.cost for records in tried for record in records]
    return math.fsum(cost.train_seconds + cost.warm_up_seconds for cost in costs)


def search_result(
    name: str, planned: Mapping[str, Any], tried: Sequence[Sequence[Record]], metric: str
) -> dict[str, Any]:
    """What `results.json` says of how a recipe's values were chosen.

    Args:
        name: Of the recipe.
        planned: What the plan says of it.
        tried: The records of each combination, in the plan's order.
        metric: The study's.
    """
    pairs = zip(planned["trials"], tried, strict=True)
    trials = [trial_of(one["values"], records, metric) for one, records in pairs]
    chosen: Mapping[str, Any] = planned["values"]
    shown = ", ".join(f"{path} {value}" for path, value in chosen.items())
    count = f"{len(trials)} combinations" if len(chosen) > 1 else f"{len(trials)} values"
    seeds = max((len(trial.scores) for trial in trials), default=0)
    ends = [f"{path} is {end}" for path in chosen if (end := _end(path, chosen, trials))]
    return {
        "values": chosen,
        "metric": f"validation/{metric.partition('/')[2]}",
        "trials": [
            {
                "values": trial.values,
                "scores": [None if np.isnan(score) else score for score in trial.scores],
                "mean": None if np.isnan(trial.mean) else trial.mean,
            }
            for trial in trials
        ],
        "sentence": f"{name} has {shown}: of {count} the best on validation "
        f"({seeds} seed{'s' if seeds != 1 else ''}){'; ' if ends else ''}{', '.join(ends)}.",
    }


def _end(path: str, chosen: Mapping[str, Any], trials: Sequence[Trial]) -> str:
    """Whether a number that was chosen is the last one tried on its side: more may be better."""
    values = [trial.values[path] for trial in trials]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return ""
    least, most = min(values), max(values)
    if least == most:
        return ""
    told = {least: "the smallest that was tried", most: "the largest that was tried"}
    return told.get(chosen[path], "")


def next_to_choose(ready: Ready) -> list[Planned]:
    """The recipes to be tried next: those that need nothing of one that is yet to be chosen."""
    by_name = {p.name: p for p in ready.planned}

    def settled(p: Planned) -> bool:
        return (not p.tries or bool(p.values)) and ripe(p)

    def ripe(p: Planned) -> bool:
        needed = {given.recipe for one in p.whole for given in one.inputs.values()}
        return all(settled(by_name[name]) for name in needed)

    return [p for p in ready.planned if p.tries and not p.values and ripe(p)]


def trial_cells(ready: Ready, p: Planned) -> dict[tuple[str, Replicate], Cell]:
    """The cells of a recipe's tries, by their names, and those that they need."""
    search = ready.study.search
    count = 0 if search is None else search.seeds
    replicates = [Replicate(seed=FIRST_SEED + number) for number in range(count)]
    return cells_of(ready, p.tries, replicates, purpose="input", own="trial")


def with_choice(ready: Ready, p: Planned, finished: Callable[[Cell], Record | None]) -> Ready:
    """A study in which a recipe, and with the control the control run again, has what did best.

    Args:
        ready: The study.
        p: One of its recipes, all of whose trials ran.
        finished: The record of a cell.
    """
    records: dict[str, list[Record]] = {one.name: [] for one in p.tries}
    for (name, _), cell in trial_cells(ready, p).items():
        if name in records and (record := finished(cell)) is not None:
            records[name].append(record)
    metric, control = ready.study.metric, ready.study.control_name
    trials = [trial_of(one.values, records[one.name], metric) for one in p.tries]
    chosen = p.tries[best(trials, metric)]
    of_control = p.plain_name == control
    names = {
        q.name
        for q in ready.planned
        if q.name == p.name or (of_control and q.seed_offset and q.level == p.level)
    }
    return replace(
        ready,
        planned=tuple(_settled(q, chosen) if q.name in names else q for q in ready.planned),
        weights=_also(ready.weights, chosen.name, names),
        vocabularies=_also(ready.vocabularies, chosen.name, names),
    )


def _settled(p: Planned, chosen: Planned) -> Planned:
    """A recipe as one of its tries is, under its own name."""
    recipe = chosen.recipe.model_copy(update={"name": p.name})
    return replace(p, recipe=recipe, values=chosen.values, inputs=chosen.inputs)


def _also(told: Mapping[str, T], of: str, names: Iterable[str]) -> dict[str, T]:
    """What is told of one, told of others, too."""
    return {**told, **{name: told[of] for name in names if of in told}}
