"""From a study to its recipes: overrides, factors, refs and `auto` resolved, all faults told."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, NamedTuple

from bakeoff.core.errors import InputError, unknown
from bakeoff.core.frozen import flatten, plain
from bakeoff.core.protocols import Compiling
from bakeoff.core.recipe import Numerics, Recipe, Ref, references
from bakeoff.core.task import Task
from bakeoff.core.tasks import TASKS, metric_owner
from bakeoff.data import catalogue
from bakeoff.data.dataset import Dataset
from bakeoff.execution import numerics
from bakeoff.study.declaration import AGAIN, Changes, Declaration, changed
from bakeoff.study.grid import of_point, overwritten, points
from bakeoff.study.planned import Input, Planned
from bakeoff.study.tries import along, grid_of, search_faults, tries
from bakeoff.techniques import find, framework_of
from bakeoff.techniques.recipes import parse_recipe
from bakeoff.techniques.teachers import pin_extra

KEPT = ("data", "numerics")
"""Sections that a new technique keeps."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
SAME_TEST = ("data.set", "data.classes")
"""What decides which test examples there are."""
SAME_FIGURES = "scoring."
"""Below it stands by which protocol texts are scored, which is one for all of a study."""


class Fault(NamedTuple):
    """What is wrong with a recipe."""

    recipe: str
    """Its plain name."""
    changed: Mapping[str, Any]
    """What it declares to differ from the control."""
    text: str
    """`.path: what is wrong` below the recipe, or `: what is wrong` with all of it."""


def declare(study: Declaration) -> list[Planned]:
    """All recipes as written, `auto` not yet resolved; inputs before what needs them.

    Raises:
        InputError: with every fault of every recipe that can be seen without the data.
    """
    faults: list[str] = []
    if isinstance(study.dataset, str) and study.dataset not in catalogue.DATASETS:
        faults += unknown("data set", study.dataset, sorted(catalogue.DATASETS), "dataset").faults
    known = [name for task in TASKS.values() for name in task.directions]
    if study.metric.partition("/")[2] not in known:
        metrics = [f"{study.scored_split}/{name}" for name in known]
        faults += unknown("metric", study.metric, metrics, "metric").faults
    planned: list[Planned] = []
    found: list[Fault] = []
    contents = _contents(study, faults)
    for level in points(study.factors, "factors", faults):
        of_level: list[Planned] = []
        for name, (content, change) in contents.items():
            where = _where(study, name)
            try:
                levelled = _with_set(changed(content, level.values), study, where)
                recipe = parse_recipe(levelled, name + level.suffix, where)
            except InputError as error:
                for fault in error.faults:
                    if of_factor := of_point(fault, where, "factors", level.values):
                        faults.append(of_factor)
                    else:
                        found.append(Fault(name, change, fault.removeprefix(where)))
                continue
            wrong = _selection_faults(recipe, study.metric)
            found += [Fault(name, change, fault) for fault in wrong]
            made = Planned(recipe, name, change, level.values)
            made = replace(made, tries=tries(study, made, levelled, where, faults))
            control = of_level[0] if of_level else made
            made = replace(made, along=along(made, control, levelled, where, faults))
            of_level.append(made)
        planned += [_with_inputs(p, of_level, study, found) for p in of_level]
    faults += search_faults(study, planned)
    if faults := [*faults, *_told(study, found)]:
        raise InputError(list(dict.fromkeys(faults)))
    return _ordered(planned)


def resolve(study: Declaration, dataset: Dataset, before: Numerics | None = None) -> list[Planned]:
    """All recipes with nothing left to `auto`.

    Args:
        study: What is asked.
        dataset: Its data.
        before: What `auto` came to when this study was run first: that holds.

    Raises:
        InputError: with every fault of every recipe at once.
    """
    planned = declare(study)
    task = dataset.task()
    _task_faults(study, dataset.name, task)
    frameworks = {framework_of(p.recipe) for p in planned}
    updates = _fewest_updates(planned, dataset)
    computed: dict[Numerics, Numerics] = {}
    found: list[Fault] = []
    settled: list[Planned] = []

    def settle(p: Planned) -> Planned:
        recipe = _settled(p.recipe, dataset, study.metric.partition("/")[2])
        numerics.require(framework_of(recipe))
        asked = recipe.numerics
        if asked not in computed:
            computed[asked] = _numerics(asked, before, frameworks, updates)
        ready = recipe.model_copy(update={"numerics": computed[asked]})
        tried, beside = (tuple(map(settle, some)) for some in (p.tries, p.along))
        return replace(p, recipe=ready, tries=tried, along=beside)

    for p in planned:
        technique = find(p.recipe.technique)
        if task.name not in technique.tasks:
            kinds = " and ".join(technique.tasks)
            text = f"{technique.name} is for {kinds}; {dataset.name} asks for {task.name}"
            found.append(Fault(p.plain_name, p.changed, f".technique: {text}"))
        elif dataset.modality not in technique.modalities:
            kinds = " or ".join(sorted(technique.modalities))
            text = (
                f"{technique.name} reads {kinds} data; {dataset.name} holds {dataset.modality} data"
            )
            found.append(Fault(p.plain_name, p.changed, f".technique: {text}"))
        try:
            settled.append(settle(p))
        except InputError as error:
            found += [Fault(p.plain_name, p.changed, f".{fault}") for fault in error.faults]
    if found:
        raise InputError(_told(study, found))
    _keep_threads(settled)
    _only_declared(study, settled)
    return settled


def _task_faults(study: Declaration, name: str, task: Task) -> None:
    """The metric is one of what the data ask for.

    Raises:
        InputError: where it is another task's.
    """
    if study.metric.partition("/")[2] not in task.directions:
        allowed = ", ".join(f"{study.scored_split}/{metric}" for metric in task.directions)
        raise InputError(
            f"metric: {study.metric} received, but {name} asks for {task.name} (allowed: {allowed})"
        )


def _where(study: Declaration, name: str) -> str:
    """The place of a recipe in the user's file."""
    return "control" if name == study.control_name else f"variants.{name}"


def _told(study: Declaration, found: Sequence[Fault]) -> list[str]:
    """Faults by their places in the user's file, each once.

    What a variant has from the control, and would be right if that were, is told of the control
    alone.
    """
    of_control = {_wrong(fault) for fault in found if fault.recipe == study.control_name}
    own = [
        fault
        for fault in found
        if fault.recipe == study.control_name or _wrong(fault) not in of_control or _own(fault)
    ]
    return list(dict.fromkeys(_where(study, fault.recipe) + fault.text for fault in own))


def _wrong(fault: Fault) -> str:
    """What is wrong, without what was received: of a whole section, that may differ elsewhere."""
    return fault.text.partition(" (received")[0]


def _own(fault: Fault) -> bool:
    """Whether a variant itself says what is at fault."""
    path = fault.text.partition(":")[0].removeprefix(".")
    if "technique" in fault.changed and path.partition(".")[0] not in KEPT:
        return True  # nothing else is the control's
    return any(f"{path}.".startswith(f"{own}.") for own in fault.changed)


def _contents(study: Declaration, faults: list[str]) -> dict[str, tuple[Changes, Changes]]:
    """Every recipe as plain data, with what it changes, by name."""
    control = {key: value for key, value in study.control.items() if key != "name"}
    contents = {study.control_name: (control, Changes())}
    faults += _control_faults(study, control)
    for name, change in study.variants.items():
        where = f"variants.{name}"
        if name in contents:
            faults.append(f"{where}: this name is the control's; choose another")
            continue
        if "name" in change:
            faults.append(f"{where}.name: a variant is named by its key")
        if not change and name != AGAIN:
            faults.append(
                f"{where}: changes nothing; what runs the control on other seeds is called {AGAIN}"
            )
        for path in overwritten(change, study.factors):
            faults.append(f"{where}.{path}: is a factor, which sets it at every level")
        for path in overwritten(change, grid_of(study, name)):
            faults.append(f"{where}.{path}: is searched; leave it out, or {name} out of search.of")
        kept = {key: control[key] for key in KEPT if key in control}
        try:
            contents[name] = changed(kept if "technique" in change else control, change), change
        except InputError as error:
            faults += [f"{where}.{fault}" for fault in error.faults]
    faults += _name_faults([study.control_name, *study.variants])
    return contents


def _control_faults(study: Declaration, content: Mapping[str, Any]) -> list[str]:
    """The control may have a value of a searched field to begin with: one of those tried."""
    faults: list[str] = []
    for path, values in grid_of(study, study.control_name).items():
        said: Any = content
        for part in path.split("."):
            said = said.get(part) if isinstance(said, Mapping) else None
        if said is not None and said not in values:
            faults.append(
                f"control.{path}: {said} received, but it is searched (allowed: left out, or one "
                "of the values that are tried)"
            )
    return faults


def _name_faults(names: Sequence[str]) -> list[str]:
    """Names become names of folders, on every system."""
    faults = [
        f"{name!r}: a recipe's name must match {NAME.pattern}"
        for name in names
        if not NAME.fullmatch(name)
    ]
    folded = Counter(name.casefold() for name in dict.fromkeys(names))
    alike = [name for name in dict.fromkeys(names) if folded[name.casefold()] > 1]
    if alike:
        faults.append(f"{', '.join(alike)}: recipes' names must differ in more than their case")
    return faults


def _with_set(content: Mapping[str, Any], study: Declaration, where: str) -> dict[str, Any]:
    """A recipe's content with the study's data set in it.

    Raises:
        InputError: where it names another one.
    """
    data = content.get("data") or {}
    if not isinstance(data, Mapping):
        return dict(content)  # refused with all else when it is parsed
    if data.get("set", study.dataset) not in (study.dataset, plain(study)["dataset"]):
        raise InputError(
            f"{where}.data.set: {data['set']!r} received, but the study's dataset is "
            f"{study.dataset!r}: all recipes need the same test examples"
        )
    return dict(content) | {"data": {**data, "set": study.dataset}}


def _with_inputs(
    p: Planned, of_level: Sequence[Planned], study: Declaration, faults: list[Fault]
) -> Planned:
    """Find the recipes of the same level that it refers to."""
    unique = {q.plain_name: q.name for q in of_level if not q.seed_offset}
    names = {study.control_name, *study.variants}
    found: dict[str, Input] = {}
    for ref in references(p.recipe.settings):
        if ref.recipe in unique:
            needed = Input(unique[ref.recipe], ref.seed)
            if found.setdefault(ref.recipe, needed) != needed:
                text = f": refers to '{ref.recipe}' with more than one seed"
                faults.append(Fault(p.plain_name, p.changed, text))
        elif ref.recipe not in names or ref.recipe == AGAIN:  # else its own faults were told
            if _has_from_control(p, ref, of_level, study):
                continue
            others = [name for name in unique if name != p.plain_name]
            (text,) = unknown("recipe", ref.recipe, others).faults
            faults.append(Fault(p.plain_name, p.changed, f": {text}"))
    tried, beside = (
        tuple(_with_inputs(t, of_level, study, faults) for t in some) for some in (p.tries, p.along)
    )
    return replace(p, inputs=found, tries=tried, along=beside)


def _has_from_control(
    p: Planned, ref: Ref, of_level: Sequence[Planned], study: Declaration
) -> bool:
    """Whether a variant refers to a recipe only because the control does."""
    leaves = flatten(p.changed).items()
    if any(path.endswith("recipe") and value == ref.recipe for path, value in leaves):
        return False
    control = next((q for q in of_level if q.plain_name == study.control_name), p)
    return control is not p and ref in references(control.recipe.settings)


def _selection_faults(recipe: Recipe, metric: str) -> tuple[str, ...]:
    """Weights are selected by a metric of the study's task, where a technique selects them."""
    try:
        allowed = ["auto", *metric_owner(metric).directions]
    except InputError:
        return ()  # the study's own metric is no metric, which was told
    select = getattr(getattr(recipe.settings, "training", None), "select", "auto")
    if select in allowed:
        return ()
    return unknown("metric", select, allowed, ".training.select").faults


def _settled(recipe: Recipe, dataset: Dataset, metric: str) -> Recipe:
    """A recipe with `auto` resolved in its data and training, and its extra texts told by content.

    Raises:
        InputError: where there are extra texts that cannot be read.
    """
    data, settings = recipe.data, recipe.settings
    if data.normalise == "auto":
        kind = "channel" if dataset.modality == "image" else "none"
        data = data.model_copy(update={"normalise": kind})
    training: Any = getattr(settings, "training", None)
    if getattr(training, "select", None) == "auto":
        training = training.model_copy(update={"select": metric})
        settings = settings.model_copy(update={"training": training})
    if (teacher := getattr(training, "teacher", None)) is not None:
        pinned = pin_extra(teacher, dataset.modality)
        training = training.model_copy(update={"teacher": pinned})
        settings = settings.model_copy(update={"training": training})
    return recipe.model_copy(update={"data": data, "settings": settings})


def _fewest_updates(planned: Sequence[Planned], dataset: Dataset) -> int:
    """Of a fit whose passes can be compiled, about; 0: there is none."""
    found = []
    for p in planned:
        technique, data = find(p.recipe.technique), p.recipe.data
        if isinstance(technique, Compiling):
            examples = len(dataset.train)
            if dataset.validation is None:  # so many are set aside, or such a share
                wanted = data.validation
                examples -= wanted if isinstance(wanted, int) else round(examples * wanted)
            if data.labels != "all":
                examples = min(examples, data.labels)
            found.append(technique.updates(p.recipe.settings, examples))
    return min(found, default=0)


def _numerics(
    asked: Numerics, before: Numerics | None, frameworks: Set[str], updates: int
) -> Numerics:
    """`auto` as it came out before, or as this machine has it.

    Raises:
        InputError: where a device or precision is asked for that is not there.
    """
    if before is None:
        return numerics.resolve(asked, frameworks, updates)
    left = {name: v for name, v in plain(before).items() if getattr(asked, name) == "auto"}
    filled = asked.model_copy(update=left)
    # Recipes that computed with torch may since have been taken out of the study.
    same = filled == before and "torch" not in frameworks
    return filled if same else numerics.resolve(filled, frameworks, updates)


def _keep_threads(planned: Sequence[Planned]) -> None:
    """TensorFlow's threads are set once in a process, which may run cells of several recipes.

    Raises:
        InputError: where recipes that compute in it differ in them.
    """
    keras = [p for p in planned if framework_of(p.recipe) == "keras"]
    asked = {p.name: p.recipe.numerics.threads for p in keras}
    if len(set(asked.values())) > 1:
        told = ", ".join(f"{threads} in {name}" for name, threads in asked.items())
        raise InputError(
            f"numerics.threads: {told} received (allowed: one number for all recipes that compute "
            "in keras, since TensorFlow takes it once in a process)"
        )


def _only_declared(study: Declaration, planned: Sequence[Planned]) -> None:
    """Resolved recipes may differ only in what was declared, and must differ in something.

    Raises:
        InputError: naming fields that differ all the same, and recipes that do not differ.
    """
    faults: list[str] = []
    levels = [p.level for p in planned if p.plain_name == study.control_name]
    controls = [p for p in planned if p.plain_name == study.control_name]
    for p in planned:
        control = controls[levels.index(p.level)]
        if p is control:
            continue
        where = _where(study, p.plain_name)
        mine, theirs = flatten(p.recipe.resolved()), flatten(control.recipe.resolved())
        differing = sorted(k for k in {*mine, *theirs} if _differ(mine, theirs, k))
        both_score = all(any(k.startswith(SAME_FIGURES) for k in own) for own in (mine, theirs))
        allowed = set(p.changed)
        if "technique" in p.changed:
            allowed |= {*p.recipe.resolved(), *control.recipe.resolved()} - set(KEPT)
        for path in differing:
            if path in SAME_TEST or path.startswith("data.set."):
                faults.append(f"{where}.{path}: must be the control's: the same test examples")
            elif path.startswith(SAME_FIGURES) and both_score:
                faults.append(
                    f"{where}.{path}: must be the control's: perplexities of different protocols "
                    "cannot be compared"
                )
            elif not any(path == a or path.startswith(f"{a}.") for a in allowed):
                faults.append(
                    f"{where}: differs from {control.plain_name} in {path} "
                    f"({mine.get(path)} against {theirs.get(path)}), which was not declared"
                )
        if not differing and not p.seed_offset:
            faults.append(
                f"{where}: has every field of the control; what runs the control on other seeds "
                f"is called {AGAIN}, and changes nothing"
            )
    if faults:
        raise InputError(list(dict.fromkeys(faults)))


def _differ(mine: Mapping[str, Any], theirs: Mapping[str, Any], path: str) -> bool:
    return (path in mine) != (path in theirs) or mine.get(path) != theirs.get(path)


def _ordered(planned: Sequence[Planned]) -> list[Planned]:
    """Inputs before what needs them, otherwise as written.

    Raises:
        InputError: where recipes need each other in a circle.
    """
    by_name = {p.name: p for p in planned}
    ordered: dict[str, Planned] = {}

    def visit(p: Planned, trail: tuple[str, ...]) -> None:
        if p.plain_name in trail:
            circle = " -> ".join([*trail[trail.index(p.plain_name) :], p.plain_name])
            raise InputError(f"recipes need each other's results in a circle: {circle}")
        if p.name not in ordered:
            for needed in (needed for one in p.whole for needed in one.inputs.values()):
                visit(by_name[needed.recipe], (*trail, p.plain_name))
            ordered[p.name] = p

    for p in planned:
        visit(p, ())
    return list(ordered.values())
