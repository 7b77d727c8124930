"""Where the numbers come from: what differs, what was opened, what ran where, how to check it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from bakeoff.core.frozen import flatten
from bakeoff.core.measures import difference_unit
from bakeoff.core.record import Record
from bakeoff.report import words
from bakeoff.report.folder import RunFolder
from bakeoff.report.results import RecipeResult, Results, level_name
from bakeoff.report.spec import Cell, Table
from bakeoff.report.values import listing, mapping, text, whole

_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One field a recipe changes: from the control's value to its own."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class Differences:
    """What one recipe changes, and all it consists of.

    Args:
        recipe: Whose.
        declared: The fields the study changes.
        others: How many more fields differ because of them (defaults of a new technique).
        resolved: The whole recipe, in the layout of a study file.
    """

    recipe: RecipeResult
    declared: list[Change]
    others: int
    resolved: str


def differences(results: Results) -> list[Differences]:
    """What every recipe changes against the control."""
    control = results.recipe(results.control)
    base = control.recipe if control else {}
    return [_differences(recipe, base) for recipe in results.recipes]


def _differences(recipe: RecipeResult, base: Mapping[str, Any]) -> Differences:
    declared = []
    chosen = mapping(recipe.search.get("values"))
    for path, value in flatten({**recipe.changed, **recipe.level, **chosen}).items():
        change = Change(path, _shown(_at(base, path)), _shown(value))
        if change.before != change.after:
            declared.append(change)
    mine, theirs = flatten(recipe.recipe), flatten(base)
    differing = {p for p in {*mine, *theirs} if mine.get(p, _ABSENT) != theirs.get(p, _ABSENT)}
    others = len(differing - {change.path for change in declared})
    resolved = ""
    if recipe.recipe:
        resolved = yaml.safe_dump(dict(recipe.recipe), sort_keys=False, allow_unicode=True)
    return Differences(recipe, declared, others if base else 0, resolved)


def _at(content: Mapping[str, Any], path: str) -> object:
    """The value at a dotted path, or a mark that there is none."""
    value: object = content
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def _shown(value: object) -> str:
    """A setting as a study file has it."""
    if value is _ABSENT:
        return "not set"
    if value is None or isinstance(value, bool | int | float | str):
        return "none" if value is None else text(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def full_table(results: Results) -> Table | None:
    """Every field in which any two recipes differ; None where there is nothing to compare."""
    flat = {recipe.name: flatten(recipe.recipe) for recipe in results.recipes if recipe.recipe}
    if len(flat) < 2:
        return None
    paths = list(dict.fromkeys(path for fields in flat.values() for path in fields))
    rows = []
    for path in paths:
        values = [_shown(fields.get(path, _ABSENT)) for fields in flat.values()]
        if len(set(values)) > 1:
            rows.append([Cell(path, head=True), *(Cell(value) for value in values)])
    return Table("Every field in which the recipes differ", ["Field", *flat], rows)


@dataclass(frozen=True)
class Fact:
    """A name and what it is; `code` where it is to be copied."""

    name: str
    value: str
    code: bool = False


def data_facts(run: RunFolder) -> list[Fact]:
    """The data set: name, sizes, classes, hashes."""
    data = run.results.dataset
    facts = [
        Fact("Data set", text(data.get("name"))),
        Fact("Kind", text(data.get("modality"))),
        Fact("Classes", _class_names(data.get("classes"))),
        *_examples(run),
        Fact("Hash of the data", text(data.get("hash")), code=True),
        Fact("Hash of the test examples", text(data.get("test_hash")), code=True),
    ]
    return [fact for fact in facts if fact.value]


def _class_names(value: object) -> str:
    number = whole(value)
    if number is not None:
        return words.count(number)
    names = [text(name, "?") for name in listing(value)]
    if not names:
        return ""
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"{len(names)}: {shown}"


def _examples(run: RunFolder) -> list[Fact]:
    """How many there are; each number of its own where recipes learn from different ones."""
    found: dict[str, list[RecipeResult]] = {}
    for recipe in run.results.recipes:
        for cell in run.cells.get(recipe.name, ())[:1]:
            found.setdefault(_sizes(cell.record.sizes), []).append(recipe)
    if len(found) < 2:
        return [Fact("Examples", _sizes(mapping(run.results.dataset.get("sizes"))))]
    levels = {shown: {level_name(one.level) for one in recipes} for shown, recipes in found.items()}
    every = [name for names in levels.values() for name in names]
    if len(every) > len(set(every)):  # a level with two sizes: only recipes tell them apart
        levels = {shown: {recipe.name for recipe in recipes} for shown, recipes in found.items()}
    return [Fact(f"Examples of {', '.join(sorted(levels[shown]))}", shown) for shown in found]


def _sizes(sizes: Mapping[str, Any]) -> str:
    known = [(name, whole(size)) for name, size in sizes.items()]
    return ", ".join(f"{words.count(size)} {name}" for name, size in known if size is not None)


def data_notes(results: Results) -> list[str]:
    """What the data set's card says one should know."""
    return [note for note in map(text, listing(results.dataset.get("notes"))) if note]


def environment_facts(run: RunFolder) -> list[Fact]:
    """Machine, versions, numerics, commit."""
    facts = [
        Fact(name.replace("_", " "), _shown(value))
        for name, value in flatten(run.results.environment).items()
        if value is not None
    ]
    return facts + _sources(run.results, list(run.records()))


def _sources(results: Results, records: list[Record]) -> list[Fact]:
    sources = [results.source, *(record.source for record in records)]
    commits = sorted({text(source.get("commit")) for source in sources} - {""})
    facts = [Fact("commit", commit, code=True) for commit in commits]
    if any(source.get("uncommitted") for source in sources):
        facts.append(Fact("uncommitted changes", "yes: the commit alone does not give these bits"))
    prints = {json.dumps(record.fingerprint, sort_keys=True, default=str) for record in records}
    if len(prints) > 1:
        different = "cells ran under different numerics; their records tell which"
        facts.append(Fact("fingerprints", f"{len(prints)}: {different}"))
    return facts


def ledger_sentences(run: RunFolder) -> list[str]:
    """How often the test set was opened, and what that means."""
    results, records = run.results, list(run.records())
    said = []
    count = whole(results.ledger.get("recipes"))
    if count is not None:
        own = min(count, _distinct(results) if results.folds is None else _tested(run))
        verb = "has" if count == 1 else "have"
        said.append(
            f"{words.plural(count, 'recipe')} {verb} ever been scored on this test set on this "
            f"machine, {own} of them in this study."
        )
        if count > own:
            said.append(
                "The more recipes were scored on a test set, the less the best of them says: "
                "choices made after looking fit these very examples."
            )
    else:
        said.append("The ledger of test openings was not kept with this folder.")
    if records:
        most = max(record.test_opened for record in records)
        if most == 0:
            said.append("No cell opened the test examples: recipes were scored on folds.")
        elif results.folds and most == 1:
            said.append(
                "It was opened after the folds had chosen, once by each cell of what they chose."
            )
        elif most == 1:
            said.append("Every cell opened the test examples once, at its end.")
        else:
            said.append(f"A cell opened the test examples {most} times: it was run again.")
    return said


def _tested(run: RunFolder) -> int:
    """How many recipes of a cross-validated study were scored on test."""
    return int(any(cell.record.test_opened for cell in run.final))


def _distinct(results: Results) -> int:
    """Recipes that differ; the control run again on other seeds is none of its own."""
    written = [json.dumps(r.recipe, sort_keys=True, default=str) for r in results.recipes]
    return len({text_ if text_ != "{}" else str(i) for i, text_ in enumerate(written)})


def exploratory_sentences(results: Results) -> list[str]:
    """Comparisons without an outcome, and why."""
    said = []
    for verdict in results.judged():
        if verdict.exploratory or verdict.reason:
            kind = "exploratory, so without a verdict" if verdict.exploratory else "no verdict"
            why = f": {verdict.reason.rstrip('.')}" if verdict.reason else ""
            said.append(f"{verdict.a} against {verdict.b}: {kind}{why}.")
    return list(dict.fromkeys(said))


def trouble_sentences(run: RunFolder) -> list[str]:
    """Late, dropped, failed, diverged and interrupted: what did not go as planned."""
    said = []
    for recipe in run.results.recipes:
        if recipe.late:
            read = "fold" if run.results.folds else "test"
            said.append(f"{recipe.name} was added after a {read} score was read.")
        if recipe.dropped:
            said.append(f"{recipe.name} was taken out of the study; what it left still counts.")
        if recipe.failed:
            at = _at_cells(run.results, recipe.failed)
            said.append(f"{recipe.name} left no result {at}; run again to finish it.")
        if recipe.diverged:
            at = _at_cells(run.results, recipe.diverged)
            said.append(f"{recipe.name} diverged {at}: counted with its last finite weights.")
    final = run.results.final
    if final and final.failed:
        seeds = words.joined(list(final.failed))
        said.append(f"{final.recipe} left no test result at seed {seeds}; run again to finish it.")
    stops = [stop for record in run.records() for stop in record.interruptions]
    if stops:
        unequal = sum(not stop.bit_equal for stop in stops)
        bits = "all resumed with the same bits" if not unequal else f"{unequal} not bit-equal"
        said.append(f"{words.plural(len(stops), 'interruption')} on the way: {bits}.")
    return said + _note_sentences(run)


def _note_sentences(run: RunFolder) -> list[str]:
    """What cells did to go on where something failed; each sentence once a recipe."""
    at: dict[tuple[str, str], list[str]] = {}
    for record in run.records():
        for note in record.notes:
            at.setdefault((record.name, note), []).append(record.replicate.label)
    return [
        f"{name}, {_at_cells(run.results, labels)}: {note}." for (name, note), labels in at.items()
    ]


def _at_cells(results: Results, labels: Sequence[str]) -> str:
    if results.folds is None:
        return f"at seed {words.joined(list(labels))}"
    return f"in {words.joined([f'seed-{label}' for label in labels])}"


def cells_table(run: RunFolder) -> Table | None:
    """Every cell: how it ended, how long it took, its key."""
    rows = []
    for recipe in run.results.recipes:
        tested = [cell for cell in run.final if cell.record.name == recipe.name]
        for cell in (*run.cells.get(recipe.name, ()), *tested):
            record = cell.record
            rows.append(
                [
                    Cell(recipe.name, head=True, recipe=recipe.index),
                    Cell(record.replicate.folder),
                    Cell(record.status),
                    Cell(words.count(record.steps), record.steps, numeric=True),
                    Cell(words.count(record.selected_step), record.selected_step, numeric=True),
                    Cell(record.stopped_by or words.MISSING),
                    Cell(
                        words.duration(record.cost.train_seconds),
                        record.cost.train_seconds,
                        numeric=True,
                    ),
                    Cell("yes" if record.cost.alone else "no"),
                    Cell(f"{record.test_opened}", record.test_opened, numeric=True),
                    Cell(record.key),
                ]
            )
    if not rows:
        return None
    header = ["Recipe", "Cell", "Status", "Steps", "Chosen step", "Stopped by", "Training"]
    return Table("Every cell", [*header, "Machine to itself", "Test opened", "Key"], rows)


def glossary(results: Results) -> list[tuple[str, str]]:
    """The words of the page."""
    told = dict(GLOSSARY) | (OF_FOLDS if results.folds else {})
    if difference_unit(results.metric) == "nats":
        told |= OF_LOGARITHMS
    return list(told.items())


OF_LOGARITHMS = {
    "Nats": "differences of natural logarithms: 0.05 nats are a factor of 1.05, 0.69 one of 2"
}


OF_FOLDS = {
    "Fold": "a part of the training examples that is held out once; recipes learn from the others",
    "Cell": "one recipe at one seed, with one fold held out: what is run, recorded, can be checked",
    "SD": "standard deviation over folds, which share most of what they learn from",
    "Margin": "the smallest difference that matters to you, fixed before a fold score was read",
}
GLOSSARY = (
    ("Recipe", "all settings of one technique on one data set"),
    ("Control", "the recipe the others are compared with"),
    ("Variant", "a recipe that changes declared fields of the control, and nothing else"),
    (
        "Seed",
        "one draw of everything random: split, order, starting weights; shared by all recipes",
    ),
    ("Cell", "one recipe at one seed: what is run, recorded and can be checked"),
    ("Points", "differences of percentages: from 90 % to 92 % are 2 points"),
    ("SD", "standard deviation over seeds: how far one run lies from another"),
    ("95 % interval", "made so that in 95 of 100 studies it covers the true value"),
    ("Margin", "the smallest difference that matters to you, fixed before the test was read"),
    ("Better, worse", "the difference holds after correction for all comparisons and looks"),
    ("Equivalent", "the difference, if any, is shown to be smaller than the margin"),
    ("Undecided", "these data allow neither; the sentence says what may decide it"),
    (
        "Corrected p",
        "how surprising such a difference were if there were none, for all comparisons",
    ),
    ("Look", "a planned moment of judging; the 5 % of error are shared out among the looks"),
    ("Exploratory", "computed outside the plan: a hint, never a verdict"),
    ("MACs", "multiply-accumulates: the arithmetic of one prediction"),
    ("Pareto front", "the recipes that no other beats in both cost and score"),
    ("Recall", "of the examples of a class, the share that is found"),
    ("Ledger", "the count of recipes ever scored on a test set; reading it often wears it out"),
)
