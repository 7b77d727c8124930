"""Running a study: plan, cells, verdicts, report; what is finished is not repeated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bakeoff import report
from bakeoff.analysis.disagreements import write_disagreements
from bakeoff.core.cell import Cell, Key, Replicate
from bakeoff.core.errors import InputError
from bakeoff.core.files import pretty_json, write_atomic
from bakeoff.core.frozen import plain
from bakeoff.core.store import Store
from bakeoff.core.streams import Streams
from bakeoff.core.task import Classification
from bakeoff.data import catalogue, splits
from bakeoff.data.dataset import Dataset
from bakeoff.execution.local import Cells, Outcome, Unwatched, Watcher
from bakeoff.execution.signals import Interruptions, interruptions
from bakeoff.study.looks import LookPlan, plan_looks, still_racing
from bakeoff.study.manifest import write_manifest
from bakeoff.study.resolve import Planned, metric_of, resolve
from bakeoff.study.results import SCHEMA, open_folder, read_plan, results, write_results
from bakeoff.study.statistics import default_margin
from bakeoff.study.study import Study
from bakeoff.techniques import find


@dataclass(frozen=True)
class Options:
    """How to run a study; none of it changes a number.

    Args:
        seeds: So many seeds in all instead of the first look's.
        jobs: Worker processes.
        offline: Fetch nothing.
        watcher: Told what happens.
    """

    seeds: int | None = None
    jobs: int = 1
    offline: bool = False
    watcher: Watcher = field(default_factory=Unwatched)


@dataclass(frozen=True)
class Finished:
    """What a run came to.

    Attributes:
        folder: Of the run.
        results: The content of `results.json`.
        failures: What went wrong, by cell folder.
    """

    folder: Path
    results: dict[str, Any]
    failures: Mapping[str, str]

    @property
    def report(self) -> Path:
        """The report's path."""
        return self.folder / "report.html"


@dataclass(frozen=True)
class Ready:
    """A study checked and resolved: nothing in it can be refused any more."""

    study: Study
    dataset: Dataset
    planned: tuple[Planned, ...]
    looks: LookPlan

    @property
    def control(self) -> Planned:
        """The control of the first level."""
        return next(p for p in self.planned if p.plain_name == self.control_plain)

    @property
    def control_plain(self) -> str:
        """The control's name, without a level."""
        return str(self.study.control.get("name") or self.study.control["technique"])


def prepare(study: Study, offline: bool = False) -> Ready:
    """Check everything that can be wrong, before anything runs.

    Raises:
        InputError: for settings, data, names or metrics that are not allowed.
    """
    if "technique" not in study.control:
        raise InputError("control.technique: this field is required")
    dataset = catalogue.load(study.dataset, offline=offline)
    ready = Ready(study, dataset, tuple(resolve(study, dataset)), plan_looks(study.seeds))
    if dataset.test is None or (len(dataset.test) and (dataset.test.labels < 0).all()):
        raise InputError(f"dataset: {dataset.name} has no labelled test split to compare on")
    for settings in {p.recipe.data: None for p in ready.planned}:
        # Budgets and classes that the data cannot serve are refused here.
        splits.draw(dataset, settings, Streams(ready.looks.seeds[0]))
    return ready


def cells_of(ready: Ready, planned: Sequence[Planned], seeds: Sequence[int]) -> list[Cell]:
    """The cells of some recipes and seeds, seed by seed: recipes interleave in time."""
    hashes: dict[tuple[Any, int], str] = {}
    cells: list[Cell] = []
    for seed in seeds:
        keys: dict[str, Key] = {}
        for p in planned:
            drawn = seed + p.seed_offset
            at = (p.recipe.data, drawn)
            if at not in hashes:
                hashes[at] = splits.draw(ready.dataset, p.recipe.data, Streams(drawn)).hash
            cell = Cell(
                recipe=p.recipe,
                replicate=Replicate(seed=drawn),
                data_hash=ready.dataset.hash,
                split_hash=hashes[at],
                version=find(p.recipe.technique).version,
                inputs={name: keys[unique] for name, unique in p.inputs.items()},
            )
            keys[p.name] = cell.key
            cells.append(cell)
    return cells


def run(study: Study, out: Path, options: Options) -> Finished:
    """Run what is missing of a study, judge, and write results and report.

    Raises:
        InputError: before anything runs.
        Interrupted: after a checkpoint, where a signal came; running again continues.
        DiskError: where something cannot be written; what was written before is intact.
    """
    ready = prepare(study, options.offline)
    store = Store(out)
    with store.locked(), interruptions() as signals:
        plan = _plan(ready, store)
        runner = _Runner(ready, store, options, signals, plan)
        runner.all_looks()
        content = write_results(out)
        _write_disagreements(ready, out)
        store.reindex()
        write_manifest(out)
        report.write(out)
        return Finished(out, content, runner.failures)


class _Runner:
    """The cells of a study, look by look."""

    def __init__(
        self,
        ready: Ready,
        store: Store,
        options: Options,
        signals: Interruptions,
        plan: dict[str, Any],
    ) -> None:
        self.ready, self.store, self.options, self.signals = ready, store, options, signals
        self.plan = plan
        self.failures: dict[str, str] = {}

    def all_looks(self) -> None:
        """The first look's seeds, or those asked for; a race goes on while it is undecided."""
        ready, looks = self.ready, self.ready.looks
        seeds = self.options.seeds
        racing = isinstance(ready.study.seeds, Mapping) and "race" in ready.study.seeds
        if seeds is not None:
            count = min(seeds, len(looks.seeds))
            extra = range(max(looks.seeds) + 1, max(looks.seeds) + 1 + seeds - count)
            self._run(ready.planned, [*looks.seeds[:count], *extra])
        elif not racing:
            self._run(ready.planned, looks.seeds[: looks.sizes[0]])
        else:
            self._race()

    def _race(self) -> None:
        looks, wanted = self.ready.looks, {p.name for p in self.ready.planned}
        for number, size in enumerate(looks.sizes):
            start = looks.sizes[number - 1] if number else 0
            planned = [p for p in self.ready.planned if p.name in wanted]
            self._run(planned, looks.seeds[start:size])
            verdicts = results(open_folder(self.store.folder))["verdicts"]
            going = still_racing(
                (v["a"], v["b"], v["outcome"])
                for v in verdicts
                if v["metric"] == self.plan["metric"] and v["reason"] is None
            )
            if not going:
                return
            needed = {i for p in planned if p.name in going for i in p.inputs.values()}
            wanted = set(going) | needed

    def _run(self, planned: Sequence[Planned], seeds: Sequence[int]) -> None:
        self.plan["seeds_run"] = sorted({*self.plan["seeds_run"], *seeds})
        self._write_plan()
        if self.plan["margin"] is None:
            self._fix_margin(seeds[0])
        self._outcome(cells_of(self.ready, planned, seeds), self.options.jobs)

    def _outcome(self, cells: Sequence[Cell], jobs: int) -> Outcome:
        options = self.options
        todo = Cells(cells, self.store, options.offline, jobs, options.watcher)
        outcome = todo.run(self.signals)
        folders = {cell.key: cell.folder for cell in cells}
        self.failures |= {folders[key]: message for key, message in outcome.failures.items()}
        return outcome

    def _fix_margin(self, seed: int) -> None:
        """Set the default margin from the control's validation score, before test is opened."""
        control = self.ready.control
        needed = {control.name, *control.inputs.values()}
        planned = [p for p in self.ready.planned if p.name in needed]
        cells = cells_of(self.ready, planned, [seed])
        metric = self.plan["metric"].partition("/")[2]

        def fix(cell: Cell, validation: Mapping[str, float]) -> None:
            if cell.recipe.name == control.name and self.plan["margin"] is None:
                self.plan["margin"] = default_margin(metric, validation[metric])
                self._write_plan()

        todo = Cells(cells, self.store, self.options.offline, 1, self.options.watcher, fix)
        outcome = todo.run(self.signals)
        if self.plan["margin"] is None:
            raise InputError(
                "margin: none was declared, and the control, whose validation score would set it, "
                "failed: " + "; ".join(outcome.failures.values())
            )

    def _write_plan(self) -> None:
        write_atomic(self.store.folder / "plan.json", pretty_json(self.plan))


def _plan(ready: Ready, store: Store) -> dict[str, Any]:
    """What is asked, resolved: written before the first cell, kept by later runs.

    Raises:
        InputError: where an earlier run in this folder asked something else of other data.
    """
    study, dataset = ready.study, ready.dataset
    old = read_plan(store.folder)
    tested = bool(store.records()) and old is not None
    task = Classification(dataset.classes)
    metric = f"test/{metric_of(study, task)}"
    margin, source = study.margin, "declared" if study.margin is not None else "default"
    if tested and old is not None:
        for name, now in (("metric", metric), ("dataset", dataset.test_hash), ("margin", margin)):
            then = old["dataset"]["test_hash"] if name == "dataset" else old[name]
            if now is not None and now != then:
                raise InputError(
                    f"{name}: {now} received, but test scores in {store.folder} were read under "
                    f"{then}; use another --out"
                )
        margin, source = old["margin"], old["margin_source"]
    write_atomic(
        store.folder / "study.yaml",
        yaml.safe_dump(plain(study), sort_keys=False, allow_unicode=True).encode(),
    )
    return {
        "schema": SCHEMA,
        "study": study.name,
        "question": study.question,
        "metric": metric,
        "direction": task.directions[metric.partition("/")[2]],
        "margin": margin,
        "margin_source": source,
        "seeds": study.seeds,
        "seeds_run": old["seeds_run"] if tested and old is not None else [],
        "control": ready.control.name,
        "control_plain": ready.control_plain,
        "recipes": {p.name: _planned(p, old if tested else None) for p in ready.planned},
        "dataset": _described(ready),
        "references": [plain(reference) for reference in study.references],
    }


def _described(ready: Ready) -> dict[str, Any]:
    """What results say about the data set: nothing of its content."""
    dataset, settings = ready.dataset, ready.control.recipe.data
    split = splits.draw(dataset, settings, Streams(ready.looks.seeds[0]))
    return {
        "name": dataset.name,
        "modality": dataset.modality,
        "classes": list(split.classes),
        "sizes": {
            "train": len(split.train),
            "validation": len(split.validation),
            "test": len(split.test),
        },
        "hash": dataset.hash,
        "test_hash": dataset.test_hash,
        "notes": list(dataset.notes),
    }


def _planned(p: Planned, old: Mapping[str, Any] | None) -> dict[str, Any]:
    """A recipe's entry; `late` where it came, or changed, after a test score was read."""
    resolved = p.recipe.resolved()
    before = old["recipes"].get(p.name) if old else None
    late = bool(old) and (before is None or before["recipe"] != resolved or before["late"])
    return {
        "plain_name": p.plain_name,
        "technique": p.recipe.technique,
        "level": dict(p.level),
        "changed": dict(p.changed),
        "late": late,
        "seed_offset": p.seed_offset,
        "recipe": resolved,
    }


def _write_disagreements(ready: Ready, out: Path) -> None:
    """Pictures of the test items on which recipes of the first level disagree."""
    folder = open_folder(out)
    level = dict(ready.control.level)
    predictions = {}
    for name, recipe in folder.plan["recipes"].items():
        records = folder.records[name].values()
        if recipe["level"] == level and records and not recipe["seed_offset"]:
            tables = [folder.predictions(record)["prediction"] for record in records]
            predictions[name] = np.stack(tables)
    if predictions:
        test = splits.test_examples(ready.dataset, ready.control.recipe.data)
        classes = folder.plan["dataset"]["classes"]
        write_disagreements(out / "artifacts", test, classes, predictions)
