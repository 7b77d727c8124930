"""The plan of a run folder: what was asked, resolved, and fixed before a test score was read.

`plan.json` holds every recipe with the keys of the cells asked of it, the margin, the looks and the
metric. Once a test score was read, these four stay: a recipe that comes or changes later is marked
`late` and exploratory, one that is taken out stays in the plan as `dropped`, and both go on
counting among the comparisons that the verdicts correct for. In cross-validation the same holds
once a fold was scored. What was chosen on folds to be scored on test is noted before that, and so
is what a search chose on validation, with the cells that tried it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.files import pretty_json, write_atomic
from bakeoff.core.frozen import plain
from bakeoff.core.language import LanguageModelling
from bakeoff.core.measures import measure_of
from bakeoff.core.perplexity import Protocol
from bakeoff.core.recipe import renamed
from bakeoff.study.planned import Planned
from bakeoff.study.prepare import Ready, cells_of
from bakeoff.study.tuning import trial_cells

SCHEMA = 1
PLAN = "plan.json"
NEEDED = ("recipes", "numerics", "metric", "margin", "seeds", "control_plain", "dataset")

Plan = dict[str, Any]


def read_plan(folder: Path) -> Plan | None:
    """`plan.json`, or None where there is none.

    Raises:
        InputError: where it is no plan.
    """
    path = folder / PLAN
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise InputError(f"{path}: not the plan of a study (needed: schema {SCHEMA})")
    if lacking := [name for name in NEEDED if name not in content]:
        raise InputError(f"{path}: not the plan of a study: it lacks {', '.join(lacking)}")
    return content


def write_plan(folder: Path, plan: Plan) -> None:
    """Write `plan.json`.

    Raises:
        DiskError: where it cannot be written.
    """
    write_atomic(folder / PLAN, pretty_json(plan))


def make_plan(ready: Ready, folder: Path) -> Plan:
    """The plan of this run: the earlier one of the folder where a test score was read under it.

    Raises:
        InputError: where that one had another metric, margin, control, looks or data.
    """
    study, old = ready.study, None
    if _tested(folder):
        old = read_plan(folder)
        if old is None:
            raise InputError(f"{folder}: holds test scores, but no {PLAN}; use another --out")
        _refuse_changes(ready, folder, old)
    recipes = {p.name: _entry(p, ready, old) for p in ready.planned}
    margin, source = study.margin, "default" if study.margin is None else "declared"
    if old is not None:
        margin, source = old["margin"], old["margin_source"]
        dropped = {n: e | {"dropped": True} for n, e in old["recipes"].items() if n not in recipes}
        recipes |= dropped
    plan = {
        "schema": SCHEMA,
        "study": study.name,
        "question": study.question,
        "metric": study.metric,
        "direction": measure_of(study.metric).direction,
        "margin": margin,
        "margin_source": source,
        "seeds": plain(study)["seeds"],
        "control": ready.control.name,
        "control_plain": study.control_name,
        "numerics": plain(ready.control.recipe.numerics),
        "recipes": recipes,
        "dataset": _dataset(ready),
        "references": [plain(reference) for reference in study.references],
    }
    if study.search is not None:
        plan["search"] = plain(study.search)
        _note_trials(recipes, ready)
    if study.resampling is not None:
        plan["resampling"] = plain(study.resampling)
        plan["final"] = None if old is None else old.get("final")
    return plan


def ask(plan: Plan, name: str, keys: Mapping[Replicate, str]) -> None:
    """Note that cells of a recipe are asked for.

    Args:
        plan: Changed in place.
        name: Of the recipe.
        keys: Of the cells, by replicate as planned.
    """
    entry = plan["recipes"][name]
    entry["cells"] = _by_label(asked(entry["cells"]) | dict(keys))


def choose(plan: Plan, name: str, keys: Mapping[Replicate, str]) -> None:
    """Note which recipe was chosen on folds, and its cells that are to be scored on test."""
    before = plan["final"]["cells"] if plan["final"] else {}
    plan["final"] = {"recipe": name, "cells": _by_label(asked(before) | dict(keys))}


def asked(cells: Mapping[str, str]) -> dict[Replicate, str]:
    """The keys of cells that a plan asks for, by replicate as planned."""
    return {Replicate.labelled(label): key for label, key in cells.items()}


def asked_of(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """What is asked of cells, by the recipe's name that they bear: of recipes, and of trials."""
    recipes: dict[str, Mapping[str, Any]] = dict(plan["recipes"])
    tried = (one for recipe in plan["recipes"].values() for one in recipe.get("trials", ()))
    return recipes | {one["name"]: one for one in tried}


def protocol_of(plan: Plan) -> str:
    """By what texts were scored, in the words of figures' names; empty of all other data."""
    scoring = plan["recipes"][plan["control"]]["recipe"].get("scoring")
    if plan["dataset"].get("task") != LanguageModelling.name or scoring is None:
        return ""
    return Protocol.parse(scoring).words


def vocabularies(plan: Plan) -> dict[str, list[str]]:
    """The recipes that cut texts into the same tokens, by what these are."""
    found: dict[str, list[str]] = {}
    for name, recipe in plan["recipes"].items():
        if "vocabulary" in recipe:
            found.setdefault(recipe["vocabulary"], []).append(name)
    return found


def _by_label(cells: Mapping[Replicate, str]) -> dict[str, str]:
    return {at.label: cells[at] for at in sorted(cells, key=lambda at: at.order)}


def _tested(folder: Path) -> bool:
    """Whether a score of test, or of a fold that was held out, was read in this folder."""
    places, names = ("cells", "superseded"), ("test.csv", "fold.csv")
    return any(
        any((folder / place).glob(f"**/predictions/{name}")) for place in places for name in names
    )


def _refuse_changes(ready: Ready, folder: Path, old: Plan) -> None:
    """What a verdict rests on must not follow from test scores.

    Raises:
        InputError: naming what was changed.
    """
    study, now, then = ready.study, _dataset(ready), old["dataset"]
    margin = old["margin"] if study.margin is None else study.margin
    pairs = (
        ("metric", study.metric, old["metric"]),
        ("margin", margin, old["margin"]),
        ("seeds", plain(study)["seeds"], old["seeds"]),
        ("resampling", _cuts(plain(study)["resampling"]), _cuts(old.get("resampling"))),
        *_searched(ready, old),
        ("control", study.control_name, old["control_plain"]),
        ("dataset", now["name"], then["name"]),
        ("data.classes", now["classes"], then["classes"]),
        ("hash of the test split", now["test_hash"], then["test_hash"]),
    )
    scores = "test scores" if "resampling" not in old else "fold scores"
    faults = [
        f"{name}: {new} received, but {scores} in {folder} were read under {was}; use another "
        f"--out{' (--seeds N adds seeds)' if name == 'seeds' else ''}"
        for name, new, was in pairs
        if new != was
    ]
    if faults:
        raise InputError(faults)


def _searched(ready: Ready, old: Plan) -> Iterator[tuple[str, str, str]]:
    """Of each recipe that was there before, what it is tried with and was."""
    search, then = ready.study.search, old.get("search")
    if search is not None and then is not None:
        yield "search.seeds", str(search.seeds), str(then["seeds"])
        yield "search.labels", str(search.labels), str(then.get("labels"))
    for p in ready.planned:
        if (before := old["recipes"].get(p.name)) is not None:
            tried = [one["values"] for one in before.get("trials", ())]
            yield f"search of {p.name}", _shown(one.values for one in p.tries), _shown(tried)


def _shown(tried: Iterable[Mapping[str, Any]]) -> str:
    """Combinations of values, in one order whatever that of the file."""
    found = sorted(", ".join(f"{path} {value}" for path, value in one.items()) for one in tried)
    return "; ".join(found) or "no search"


def _cuts(resampling: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What fixes the folds: to be scored on test after them is a choice one may still make."""
    if resampling is None:
        return None
    return {name: value for name, value in resampling.items() if name != "then_test"}


def _entry(p: Planned, ready: Ready, old: Plan | None) -> dict[str, Any]:
    """What the plan says of one recipe.

    `cells`: the keys of those asked for before and still the same; `late`: it came, or changed,
    after a test score was read; `planned`: it was there before.
    """
    resolved = p.recipe.resolved()
    before = None if old is None else old["recipes"].get(p.name)
    cells: dict[str, str] = {}
    late = old is not None
    if before is not None:
        then = asked(before["cells"])
        now = cells_of(ready, [p], list(then))
        keys = {at: now[p.name, p.drawn(at)].key for at in then}
        cells = _by_label({at: key for at, key in keys.items() if key == then[at]})
        same = renamed(before["recipe"], {}) == renamed(resolved, {})
        late = before["late"] or not same or len(cells) < len(keys)
    entry = {
        "plain_name": p.plain_name,
        "technique": p.recipe.technique,
        "level": dict(p.level),
        "changed": dict(p.changed),
        "late": late,
        "planned": old is None if before is None else before["planned"],
        "dropped": False,
        "seed_offset": p.seed_offset,
        "recipe": resolved,
        "cells": cells,
    }
    if p.values:
        entry["values"] = dict(p.values)
    vocabulary = ready.vocabularies.get(p.name)
    return entry if vocabulary is None else entry | {"vocabulary": vocabulary}


def _note_trials(recipes: Mapping[str, dict[str, Any]], ready: Ready) -> None:
    """Note what recipes were tried with, the cells that did so, and what these needed.

    `served`: cells of a recipe that were fitted for the trials of others alone.

    Args:
        recipes: What the plan says of each; changed in place.
        ready: The study.
    """
    served: dict[str, dict[Replicate, str]] = {}
    for p in ready.planned:
        if not (p.values and p.tries):
            continue
        cells: dict[str, dict[Replicate, str]] = {}
        for (name, at), cell in trial_cells(ready, p).items():
            place = cells if cell.purpose == "trial" else served
            place.setdefault(name, {})[at] = cell.key
        recipes[p.name]["trials"] = [
            {
                "name": one.name,
                "values": dict(one.values),
                "recipe": one.recipe.resolved(),
                "cells": _by_label(cells[one.name]),
            }
            for one in p.tries
        ]
    for name, keys in served.items():
        recipes[name]["served"] = _by_label(keys)


def _dataset(ready: Ready) -> dict[str, Any]:
    """What is said about the data set: nothing of its content."""
    dataset, settings = ready.dataset, ready.control.recipe.data
    split = ready.split(settings, ready.replicates(ready.looks.seeds)[0])
    sizes = {"train": len(split.train), "validation": len(split.validation)}
    if split.fold is not None:
        sizes["fold"] = len(split.fold)
    return {
        "name": dataset.name,
        "modality": dataset.modality,
        "task": dataset.task_name,
        "classes": list(split.classes),
        "sizes": sizes | {"test": len(split.test)},
        "hash": dataset.hash,
        "test_hash": None if dataset.test is None else dataset.test_hash,
        "notes": list(dataset.notes),
    }
