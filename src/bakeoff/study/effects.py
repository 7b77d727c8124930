"""Main effects: what a change gives on average, where changes are combined in every way.

Source: Yates 1937, "The design and analysis of factorial experiments": with k changes and recipes
of all 2^k combinations, each change is judged by all of them, in pairs that differ in it alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bakeoff.core.measures import measure_of
from bakeoff.study.sentences import effect_sentence
from bakeoff.study.statistics import mean_interval

FEWEST = 2
"""Changes: one alone is judged by its verdict."""
Scores = Mapping[int, float]
"""By seed."""


@dataclass(frozen=True)
class Design:
    """The recipes of one level by what they change, all combinations of k changes.

    Attributes:
        names: k names, those of the recipes that make one change alone.
        recipes: Names by the set of changes; the control has none of them.
    """

    names: tuple[str, ...]
    recipes: Mapping[frozenset[str], str]


def effects(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The main effects of a study, level by level; none where it is no such design.

    An effect is d_s = mean of score(with) - score(without) over the pairs of recipes that differ in
    the change alone, averaged over the seeds s that all recipes have; of losses, how much less.
    The interval is Student's t over seeds, on these test examples: it decides nothing.

    Args:
        content: Of `results.json`, as far as recipes and metric go.
    """
    metric, sign = content["metric"], 1 if content["direction"] == "max" else -1
    levels: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, recipe in content["recipes"].items():
        of_level = levels.setdefault(json.dumps(recipe["level"]), {})
        again = not recipe["changed"] and any(not other["changed"] for other in of_level.values())
        if not recipe["dropped"] and not again:
            of_level[name] = recipe
    found: list[dict[str, Any]] = []
    for level, recipes in levels.items():
        design = design_of({name: recipe["changed"] for name, recipe in recipes.items()})
        if design is None:
            continue
        scores = {name: _scores(recipe, metric, sign) for name, recipe in recipes.items()}
        seeds = sorted(set.intersection(*(set(by_seed) for by_seed in scores.values())))
        if not seeds:
            continue
        for change in design.names:
            row = _effect(design, change, scores, seeds)
            row |= {"level": json.loads(level), "changed": dict(_changed(recipes, design, change))}
            found.append(row | {"sentence": effect_sentence(row, content)})
    return found


def design_of(changed: Mapping[str, Mapping[str, Any]]) -> Design | None:
    """What is combined with what; None where not all combinations are there.

    Fields that are always changed together, to the same values, are one change.

    Args:
        changed: Fields and values by recipe.
    """
    members: dict[str, set[str]] = {}
    for name, fields in changed.items():
        for field, value in fields.items():
            members.setdefault(json.dumps([field, value], sort_keys=True), set()).add(name)
    bundles = {frozenset(names) for names in members.values()}
    if len(bundles) < FEWEST or len(changed) != 2 ** len(bundles):
        return None
    made = {name: frozenset(b for b in bundles if name in b) for name in changed}
    alone = {next(iter(some)): name for name, some in made.items() if len(some) == 1}
    if len(set(made.values())) != len(changed) or len(alone) != len(bundles):
        return None
    recipes = {frozenset(alone[b] for b in some): name for name, some in made.items()}
    return Design(tuple(name for name in changed if name in alone.values()), recipes)


def _scores(recipe: Mapping[str, Any], metric: str, sign: int) -> Scores:
    """As they are judged, by seed, greater is better; none where a seed failed to leave one."""
    values, judged = recipe["metrics"].get(metric, {}).get("values", []), measure_of(metric).judged
    seeds = recipe["seeds"]
    return {s: sign * judged(v) for s, v in zip(seeds, values, strict=True)} if values else {}


def _effect(
    design: Design, change: str, scores: Mapping[str, Scores], seeds: Sequence[int]
) -> dict[str, Any]:
    without = [others for others in design.recipes if change not in others]
    gains = {
        others: np.array(
            [
                scores[design.recipes[others | {change}]][s] - scores[design.recipes[others]][s]
                for s in seeds
            ]
        )
        for others in without
    }
    by_seed = np.mean([*gains.values()], axis=0)
    largest = max(without, key=len)
    return {
        "change": change,
        "difference": float(by_seed.mean()),
        "ci95": mean_interval(by_seed.tolist()),
        "alone": float(gains[frozenset()].mean()),
        "beside_all": float(gains[largest].mean()),
        "seeds": len(seeds),
    }


def _changed(
    recipes: Mapping[str, Mapping[str, Any]], design: Design, change: str
) -> Mapping[str, Any]:
    """The fields of a change."""
    fields: Mapping[str, Any] = recipes[design.recipes[frozenset({change})]]["changed"]
    return fields
