"""Choosing settings on validation, before anything that is compared runs.

Every recipe is tried with the same values (`Search`), with seeds that are none of the study's, so
that no score that counts had a part in a choice. Trials never see test examples. What a recipe
needs of others is chosen first.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.measures import measure_of
from bakeoff.core.record import Record
from bakeoff.study.planned import TRIAL_SEEDS, Planned
from bakeoff.study.prepare import Ready, cells_of

T = TypeVar("T")


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


def trial_costs(tried: Sequence[Sequence[Record]]) -> dict[str, Any]:
    """What trying took in training; `tuning_alone`: whether all of it ran alone: a price."""
    costs = [record.cost for records in tried for record in records]
    seconds = math.fsum(cost.train_seconds + cost.warm_up_seconds for cost in costs)
    return {"tuning_seconds": seconds, "tuning_alone": all(cost.alone for cost in costs)}


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
        "sentence": f"{name} has {_shown(chosen)}: {_why(chosen, trials, metric)}"
        f"{_fewer(planned)}.",
    }


def _fewer(planned: Mapping[str, Any]) -> str:
    """What is told of trials that learnt from fewer examples than what they are for."""
    own, tried = (
        one["data"]["labels"] for one in (planned["recipe"], planned["trials"][0]["recipe"])
    )
    if own == tried:
        return ""
    return (
        f" (trials learnt from {tried:,} examples, not from {own if own == 'all' else f'{own:,}'})"
    )


def taken_over(name: str, control: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """What `results.json` says of a recipe that has searched values from the control."""
    sentence = f"{name} has {_shown(values)}: what was chosen for {control}."
    return {"values": values, "sentence": sentence}


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{path} {value}" for path, value in values.items())


def _why(chosen: Mapping[str, Any], trials: Sequence[Trial], metric: str) -> str:
    """What spoke for values on validation."""
    count = f"{len(trials)} {'combinations' if len(chosen) > 1 else 'values'}"
    seeds = max((len(trial.scores) for trial in trials), default=0)
    of_seeds = f"({seeds} seed{'s' if seeds != 1 else ''})"
    own = next(trial.mean for trial in trials if trial.values == chosen)
    if np.isnan(own):
        return f"the first of {count}, all of which diverged {of_seeds}"
    equal = sum(trial.mean == own for trial in trials) - 1
    if equal:
        others = f"{equal} other{'s' if equal > 1 else ''}"
        return f"of {count} the first of the best on validation, as good as {others} {of_seeds}"
    ends = [f"{path} is {end}" for path in chosen if (end := _end(path, chosen, trials, metric))]
    return f"of {count} the best on validation {of_seeds}{'; ' if ends else ''}{', '.join(ends)}"


def _end(path: str, chosen: Mapping[str, Any], trials: Sequence[Trial], metric: str) -> str:
    """Whether a number that was chosen is the last one tried on its side, and scores still rose."""
    found = [trial.values[path] for trial in trials]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in found):
        return ""
    values = sorted(set(found))
    ends = {values[0]: "smallest", values[-1]: "largest"}
    if len(values) < 2 or chosen[path] not in ends:
        return ""
    beside = values[1] if chosen[path] == values[0] else values[-2]
    pair = [
        [trial for trial in trials if trial.values[path] == value]
        for value in (chosen[path], beside)
    ]
    own, other = (some[best(some, metric)].mean for some in pair)
    return "" if own == other else f"the {ends[chosen[path]]} that was tried"


def next_to_choose(ready: Ready) -> list[Planned]:
    """The recipes to be tried next: those that need nothing of one that is yet to be chosen."""
    by_name = {p.name: p for p in ready.planned}

    def ripe(p: Planned) -> bool:
        needed = {given.recipe for one in p.whole for given in one.inputs.values()}
        return all(by_name[name].settled and ripe(by_name[name]) for name in needed)

    return [p for p in ready.planned if p.tries and not p.settled and ripe(p)]


def trial_cells(ready: Ready, p: Planned) -> dict[tuple[str, Replicate], Cell]:
    """The cells of a recipe's tries, by their names, and those that they need."""
    search = ready.study.search
    count = 0 if search is None else search.seeds
    replicates = [Replicate(seed=TRIAL_SEEDS + number) for number in range(count)]
    return cells_of(ready, p.tries, replicates, purpose="input", own="trial")


def with_choice(ready: Ready, p: Planned, finished: Callable[[Cell], Record | None]) -> Ready:
    """A study in which a recipe has what did best, and so have those that have it from this one.

    Args:
        ready: The study.
        p: One of its recipes, all of whose trials ran.
        finished: The record of a cell.
    """
    records: dict[str, list[Record]] = {one.name: [] for one in p.tries}
    for (name, _), cell in trial_cells(ready, p).items():
        if name in records and (record := finished(cell)) is not None:
            records[name].append(record)
    metric = ready.study.metric
    trials = [trial_of(one.values, records[one.name], metric) for one in p.tries]
    place = best(trials, metric)
    chosen = {p.name: p.tries[place]}
    if p.plain_name == ready.study.control_name:
        beside = [q for q in ready.planned if q.along and q.level == p.level]
        chosen |= {q.name: q.along[place] for q in beside}
    return replace(
        ready,
        planned=tuple(
            _settled(q, chosen[q.name]) if q.name in chosen else q for q in ready.planned
        ),
        weights=_also(ready.weights, chosen),
        vocabularies=_also(ready.vocabularies, chosen),
    )


def _settled(p: Planned, chosen: Planned) -> Planned:
    """A recipe as one of its tries is, under its own name and with all its examples."""
    recipe = chosen.recipe.model_copy(update={"name": p.name, "data": p.recipe.data})
    return replace(p, recipe=recipe, values=chosen.values, inputs=chosen.inputs)


def _also(told: Mapping[str, T], chosen: Mapping[str, Planned]) -> dict[str, T]:
    """What is told of tries, told of the recipes that have their values now, too."""
    return {**told, **{name: told[one.name] for name, one in chosen.items() if one.name in told}}
