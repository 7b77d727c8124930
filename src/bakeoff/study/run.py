"""Running a study: cells, verdicts, report; what is finished is not repeated."""

import itertools
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from bakeoff import report
from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.errors import BakeoffError, InputError
from bakeoff.core.files import write_atomic
from bakeoff.core.frozen import plain
from bakeoff.core.offline import offline
from bakeoff.core.store import Store
from bakeoff.execution.local import Cells, Unwatched, Watcher, run_cells
from bakeoff.execution.measure import Company
from bakeoff.execution.signals import Interruptions, interruptions
from bakeoff.study.artifacts import write_artifacts
from bakeoff.study.declaration import Declaration
from bakeoff.study.fold_results import choose_best
from bakeoff.study.folder import altered, open_folder
from bakeoff.study.identities import some
from bakeoff.study.looks import still_racing
from bakeoff.study.manifest import write_manifest
from bakeoff.study.plan import ask, choose, make_plan, read_plan, write_plan
from bakeoff.study.planned import Planned
from bakeoff.study.prepare import Ready, cells_of, prepare
from bakeoff.study.results import results, write_results
from bakeoff.study.statistics import default_margin
from bakeoff.study.tuning import next_to_choose, trial_cells, with_choice

__all__ = ["Finished", "Options", "prepare", "run"]


LOOK_SECONDS = 1.0
"""Preparing a study must have taken so long to tell from it who else is busy."""


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


def run(study: Declaration, out: Path, options: Options) -> Finished:
    """Run what is missing of a study, judge, and write results and report.

    Raises:
        InputError: before anything runs; also where predictions of a finished cell were changed.
        Interrupted: after a checkpoint, where a signal came; running again continues.
        DiskError: where something cannot be written; what was written before is intact.
        BakeoffError: where another run works in the folder, or the control fails while the margin
            is to be set from its validation score.
    """
    with offline() if options.offline else nullcontext():
        before = read_plan(out)
        if before is None:
            _check_place(out)
        company = Company()
        ready = prepare(study, before)
        if before is not None and (faults := altered(open_folder(out))):
            told = "not as the run left them; without their cells' folders they are run again"
            raise InputError([f"{out}: {told}:", *faults])
        store = Store(out)
        with store.locked(), interruptions() as signals:
            runner = _Runner(ready, store, options, signals, company.cores(LOOK_SECONDS))
            runner.search()
            runner.all_looks()
            content = write_results(out)
            write_artifacts(runner.ready, out)
            store.reindex()
            write_manifest(out)
            report.write(out)
            return Finished(out, content, runner.failures)


def _check_place(out: Path) -> None:
    """Whether a folder without a plan may become a run's: nobody's files are written over.

    Raises:
        InputError: where it holds something.
    """
    names = sorted(p.name for p in out.iterdir()) if out.is_dir() else []
    held = [name for name in names if not name.startswith(".")]
    if held and not any(out.glob("cells/*/*/record.json")):  # of those `make_plan` speaks
        raise InputError(
            f"--out {out}: holds {some(held)}, and is not the folder of a run (allowed: one that "
            "is new or empty, or an earlier run's)"
        )


class _Runner:
    """The cells of a study, look by look.

    Args:
        ready: The study.
        store: Its run folder.
        options: How to run it.
        signals: That end it.
        others: Cores that other programs keep busy.
    """

    def __init__(
        self, ready: Ready, store: Store, options: Options, signals: Interruptions, others: float
    ) -> None:
        self.ready, self.store, self.options, self.signals = ready, store, options, signals
        self.others = others
        self.plan = make_plan(ready, store.folder)
        self.failures: dict[str, str] = {}

    def search(self) -> None:
        """Try settings on validation; from now on, recipes have those that did best.

        Raises:
            BakeoffError: where a trial failed: a choice without it is not the one that was planned.
        """
        if self.ready.study.search is None:
            return
        if read_plan(self.store.folder) is None:
            write_plan(self.store.folder, self.plan)  # whose folder it is, should this be stopped
        while waiting := next_to_choose(self.ready):
            cells = {at: c for p in waiting for at, c in trial_cells(self.ready, p).items()}
            self._run_cells(self._cells(cells, self.options.jobs))
            if self.failures:
                told = "; ".join(f"{cell}: {why}" for cell, why in self.failures.items())
                raise BakeoffError(
                    f"search: nothing is chosen where trials fail: {told} (run it again, or take "
                    "what cannot be fitted out of search.grid)"
                )
            for p in waiting:
                self.ready = with_choice(self.ready, p, self.store.finished)
        self.plan = make_plan(self.ready, self.store.folder)

    def all_looks(self) -> None:
        """The first look's seeds, or those asked for; a race goes on while it is undecided."""
        looks, count = self.ready.looks, self.options.seeds
        if count is None and self.ready.study.seeds == {"race": True}:
            self._race()
        else:
            seeds = itertools.chain(looks.seeds, itertools.count(max(looks.seeds) + 1))
            asked = list(itertools.islice(seeds, count or looks.sizes[0]))
            self._run(self.ready.planned, asked)
            self._choose(asked)

    def _race(self) -> None:
        """Look by look, more seeds for the recipes of undecided pairs.

        A pair with a failed cell reaches no further look, so it gets no more seeds.
        """
        looks, going = self.ready.looks, frozenset(p.name for p in self.ready.planned)
        for start, size in itertools.pairwise((0, *looks.sizes)):
            planned = [p for p in self.ready.planned if p.name in going]
            self._run(planned, looks.seeds[start:size])
            running = going - {folder.partition("/")[0] for folder in self.failures}
            going = still_racing(
                (v["a"], v["b"], v["outcome"])
                for v in results(open_folder(self.store.folder))["verdicts"]
                if v["metric"] == self.plan["metric"] and v["reason"] is None
                if {v["a"], v["b"]} <= running
            )
            if not going:
                return

    def _run(self, planned: Sequence[Planned], seeds: Sequence[int]) -> None:
        """Note in the plan what is asked, then run what of it is missing."""
        replicates = self.ready.replicates(seeds)
        cells = cells_of(self.ready, planned, replicates)
        for p in planned:
            ask(self.plan, p.name, {at: cells[p.name, p.drawn(at)].key for at in replicates})
        write_plan(self.store.folder, self.plan)
        text = yaml.safe_dump(plain(self.ready.study), sort_keys=False, allow_unicode=True)
        write_atomic(self.store.folder / "study.yaml", text.encode())
        todo = self._cells(cells, self.options.jobs)
        if self.plan["margin"] is None:
            todo = replace(todo, told=frozenset([self._fix_margin(replicates[0])]))
        self._run_cells(todo)

    def _choose(self, seeds: Sequence[int]) -> None:
        """After the folds: fit the best recipe on the whole training part and score it on test.

        Raises:
            BakeoffError: where it was taken out of the study since.
        """
        resampling = self.ready.study.resampling
        if resampling is None or not resampling.then_test:
            return
        name = choose_best(open_folder(self.store.folder))
        if name is None:
            return  # a cell failed, and a choice without it would not be the one that was planned
        chosen = [p for p in self.ready.planned if p.name == name]
        if not chosen:
            raise BakeoffError(f"{name}: is best on the folds, but was taken out of the study")
        replicates = [Replicate(seed=seed) for seed in seeds]
        cells = cells_of(self.ready, chosen, replicates, purpose="input")
        choose(self.plan, name, {at: cells[name, at].key for at in replicates})
        write_plan(self.store.folder, self.plan)
        self._run_cells(self._cells(cells, self.options.jobs))

    def _fix_margin(self, first: Replicate) -> str:
        """Set the default margin from the control's validation score, before anything is scored.

        Returns:
            The folder of the cell that did it.

        Raises:
            BakeoffError: where the control fails, so that there is no such score.
        """
        control = self.ready.control
        cells = cells_of(self.ready, [control], [first])
        metric = self.plan["metric"].partition("/")[2]

        def fix(cell: Cell, validation: Mapping[str, float]) -> None:
            self.plan["margin"] = default_margin(metric, validation[metric])
            write_plan(self.store.folder, self.plan)

        self._run_cells(replace(self._cells(cells, jobs=1), before_test=fix))
        if self.plan["margin"] is None:
            raise BakeoffError(
                "margin: none was declared, and the control, whose validation score would set it, "
                f"failed: {'; '.join(self.failures.values())}"
            )
        return cells[control.name, first].folder

    def _cells(self, cells: Mapping[Any, Cell], jobs: int) -> Cells:
        return Cells(
            list(cells.values()),
            self.store,
            jobs,
            others=self.others,
            watcher=self.options.watcher,
        )

    def _run_cells(self, todo: Cells) -> None:
        failed = run_cells(todo, self.signals).failures
        self.failures |= {c.folder: failed[c.key] for c in todo.cells if c.key in failed}
