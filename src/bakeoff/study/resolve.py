"""From a study to its recipes: overrides applied, factors crossed, `auto` resolved, refs ordered."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bakeoff.core.errors import InputError, unknown
from bakeoff.core.frozen import flatten
from bakeoff.core.recipe import Recipe, references
from bakeoff.core.task import Classification
from bakeoff.data.dataset import Dataset
from bakeoff.execution import numerics
from bakeoff.study.study import AGAIN, Study, changed
from bakeoff.techniques import find
from bakeoff.techniques.recipes import parse_recipe

AGAIN_SEEDS = 1_000_000
"""What its seeds are moved by."""
KEPT = ("data", "numerics")
"""Sections that a new technique keeps."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class Planned:
    """A recipe of a study, at one level of its factors.

    Args:
        recipe: Resolved; its name is unique in the study.
        plain_name: Without the level.
        changed: What was declared to differ from the control.
        level: Values of the factors.
        inputs: Unique names of the recipes whose fitted results it needs.
    """

    recipe: Recipe
    plain_name: str
    changed: Mapping[str, Any]
    level: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Unique in the study, and the name of its folder."""
        return self.recipe.name

    @property
    def seed_offset(self) -> int:
        """What its seeds are moved by: 0, but for the control run again."""
        return AGAIN_SEEDS if self.plain_name == AGAIN and not self.changed else 0


def resolve(study: Study, dataset: Dataset) -> list[Planned]:
    """All recipes of a study, inputs before what needs them; the control is the first of a level.

    Raises:
        InputError: with every fault of every recipe at once.
    """
    faults: list[str] = []
    planned: list[Planned] = []
    contents = _contents(study, faults)
    for level in _levels(study):
        suffix = "".join(f"@{path.rpartition('.')[2]}={value}" for path, value in level.items())
        for name, (content, change) in contents.items():
            where = "control" if not planned or name == _control_name(study) else f"variants.{name}"
            try:
                levelled = changed(content, level)
                levelled["data"] = {"set": study.dataset} | (levelled.get("data") or {})
                recipe = parse_recipe(levelled, name + suffix, where)
            except InputError as error:
                faults += [fault for fault in error.faults if fault not in faults]
                continue
            planned.append(Planned(recipe, name, change, level))
    if faults:
        raise InputError(faults)
    planned = _settle(study, dataset, planned)
    _only_declared(planned)
    return _ordered(planned)


def metric_of(study: Study, task: Classification) -> str:
    """The study's metric without its split.

    Raises:
        InputError: where the task does not know it.
    """
    name = study.metric.partition("/")[2]
    if name not in task.directions:
        raise unknown("metric", study.metric, [f"test/{m}" for m in task.directions], "metric")
    return name


def _control_name(study: Study) -> str:
    return str(study.control.get("name") or study.control.get("technique"))


def _contents(study: Study, faults: list[str]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Every recipe as plain data, with what it changes, by name."""
    control = {key: value for key, value in study.control.items() if key != "name"}
    contents = {_control_name(study): (control, dict[str, Any]())}
    for name, change in study.variants.items():
        if name in contents:
            faults.append(f"variants.{name}: this name is the control's; choose another")
            continue
        base = control
        if "technique" in change:
            base = {key: control[key] for key in KEPT if key in control}
        try:
            contents[name] = (changed(base, change), change)
        except InputError as error:
            faults += [f"variants.{name}.{fault}" for fault in error.faults]
    for name in contents:
        if not NAME.fullmatch(name):
            faults.append(f"'{name}': a recipe's name must match {NAME.pattern}")
    return contents


def _levels(study: Study) -> list[dict[str, Any]]:
    for path, values in study.factors.items():
        if not values:
            raise InputError(f"factors.{path}: at least one value is needed")
    crossed = itertools.product(*study.factors.values())
    return [dict(zip(study.factors, values, strict=True)) for values in crossed]


def _settle(study: Study, dataset: Dataset, planned: list[Planned]) -> list[Planned]:
    """Resolve every `auto`, check techniques against the data, and find inputs."""
    techniques = {p.recipe.technique: find(p.recipe.technique) for p in planned}
    frameworks: set[str] = {technique.framework for technique in techniques.values()}
    metric = metric_of(study, Classification(dataset.classes))
    faults: list[str] = []
    settled: list[Planned] = []
    for p in planned:
        recipe = p.recipe
        technique = techniques[recipe.technique]
        if dataset.modality not in technique.modalities:
            faults.append(
                f"{p.plain_name}: technique {technique.name} reads "
                f"{' or '.join(sorted(technique.modalities))} data; {dataset.name} holds "
                f"{dataset.modality} data"
            )
        data = recipe.data
        if data.normalise == "auto":
            kind = "channel" if dataset.modality == "image" else "none"
            data = data.model_copy(update={"normalise": kind})
        settings = recipe.settings
        training = getattr(settings, "training", None)
        if getattr(training, "select", None) == "auto":
            training = training.model_copy(update={"select": metric})
            settings = settings.model_copy(update={"training": training})
        resolved = numerics.resolve(recipe.numerics, frameworks)
        recipe = recipe.model_copy(
            update={"data": data, "settings": settings, "numerics": resolved}
        )
        inputs = _inputs(p, recipe, planned, faults)
        settled.append(Planned(recipe, p.plain_name, p.changed, p.level, inputs))
    if faults:
        raise InputError(faults)
    return settled


def _inputs(
    p: Planned, recipe: Recipe, planned: list[Planned], faults: list[str]
) -> dict[str, str]:
    """The recipes it refers to, in the same level: name as referred to -> unique name."""
    names = {q.plain_name: q.name for q in planned if q.level == p.level}
    found = {}
    for ref in references(recipe.settings):
        if ref.recipe in names:
            found[ref.recipe] = names[ref.recipe]
        else:
            error = unknown("recipe", ref.recipe, list(names), p.plain_name)
            faults += error.faults
    return found


def _only_declared(planned: list[Planned]) -> None:
    """Resolved recipes may differ only in what was declared.

    Raises:
        InputError: naming fields that differ all the same.
    """
    faults = []
    controls = {tuple(p.level.items()): p for p in reversed(planned) if not p.changed}
    for p in planned:
        control = controls[tuple(p.level.items())]
        if "technique" in p.changed:
            allowed = {s for s in p.recipe.resolved() if s not in KEPT} | set(p.changed)
            allowed |= set(control.recipe.resolved()) - set(KEPT)
        else:
            allowed = set(p.changed)
        mine, theirs = flatten(p.recipe.resolved()), flatten(control.recipe.resolved())
        for path in sorted({*mine, *theirs}):
            same = path in mine and path in theirs and mine[path] == theirs[path]
            if not same and not any(path == a or path.startswith(f"{a}.") for a in allowed):
                faults.append(
                    f"{p.plain_name}: differs from {control.plain_name} in {path} "
                    f"({mine.get(path)} against {theirs.get(path)}), which was not declared"
                )
        for path in ("data.set", "data.classes"):
            if mine.get(path) != theirs.get(path):
                faults.append(f"{p.plain_name}: {path} must be the control's: same test examples")
    if faults:
        raise InputError(faults)


def _ordered(planned: list[Planned]) -> list[Planned]:
    """Inputs before what needs them, otherwise as written.

    Raises:
        InputError: where recipes need each other in a circle.
    """
    waiting, ordered, done = list(planned), [], set[str]()
    while waiting:
        ready = [p for p in waiting if set(p.inputs.values()) <= done]
        if not ready:
            circle = ", ".join(p.plain_name for p in waiting)
            raise InputError(f"these recipes need each other's results in a circle: {circle}")
        ordered.append(ready[0])
        done.add(ready[0].name)
        waiting.remove(ready[0])
    return ordered
