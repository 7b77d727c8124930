"""One cell: fit, save, score what was held out (the test split, or a fold), commit."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Cell, Key
from bakeoff.core.checking import vectors_from
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.files import canonical_json, digest, folder_digests, new_folder, write_atomic
from bakeoff.core.frozen import plain
from bakeoff.core.language import LanguageModelling
from bakeoff.core.ledger import open_test
from bakeoff.core.perplexity import byte_count
from bakeoff.core.protocols import (
    Cutting,
    Fitted,
    LayerProfile,
    Normaliser,
    Predictor,
    Remembering,
    Technique,
    TrainingData,
)
from bakeoff.core.recipe import DeviceName
from bakeoff.core.record import CURVES, Cost, Record
from bakeoff.core.store import KEY_FILE, Store
from bakeoff.core.streams import Streams
from bakeoff.core.table import Table, scored_hash
from bakeoff.data import catalogue, splits
from bakeoff.data.dataset import Dataset
from bakeoff.execution import numerics
from bakeoff.execution.measure import Meter
from bakeoff.execution.run import CellRun
from bakeoff.models.pretrained import weights_of
from bakeoff.techniques import find, framework_of
from bakeoff.techniques.saved import read_state
from bakeoff.training.observers import Observer, Silent

BEST = Path("checkpoints", "best")
"""Where a cell leaves its predictor."""
LEFT_OUT = 2_000
"""Training examples at most that a technique which remembers them is scored on."""
SHOWN_BYTES = 200_000
"""Of training texts that a language model is scored on, about: all would take a third of the
training's time."""
STAND_IN = "majority"
"""The technique that stands for one that diverged before its first validation."""
BeforeTest = Callable[[Cell, Mapping[str, float]], None]


def untold(cell: Cell, validation: Mapping[str, float]) -> None:
    """Tells nobody that what was held out is about to be scored."""


@dataclass(frozen=True)
class Context:
    """What running a cell needs from around it."""

    store: Store
    sharing: bool = False
    """Whether other cells run at the same time: seconds are then no price."""
    observer: Observer = field(default_factory=Silent)
    check: Callable[[], None] = lambda: None
    before_test: BeforeTest = untold
    """Told the validation metrics before what was held out is scored."""


@dataclass(frozen=True)
class Prepared:
    """A cell's technique and data, ready to fit."""

    technique: Technique
    dataset: Dataset
    split: splits.Split
    data: TrainingData
    fingerprint: dict[str, Any]


def run_cell(cell: Cell, context: Context, records: Mapping[Key, Record]) -> Record:
    """Run or resume a cell and commit its record.

    Args:
        cell: Resolved.
        context: Store, observer, interruption.
        records: Of finished cells; among them those that it needs, and those that they needed.

    Raises:
        InputError: where the data are not those the cell was planned for.
        Interrupted: after a checkpoint, where a signal came.
        DiskError: where something cannot be written; what was written before is intact.
    """
    folder = context.store.open(cell)
    # Seconds of an earlier attempt are part of the price, and nobody knows what ran beside it.
    resumed = (folder / "checkpoints" / "last").exists()
    write_atomic(folder / "recipe.yaml", recipe_yaml(cell))
    ready = _prepare(cell, context)
    inputs = {name: records[key] for name, key in cell.inputs.items()}
    cells, device = context.store.folder / "cells", cell.recipe.numerics.device
    predictors = {
        name: load_predictor(cells / r.name / r.replicate.folder, device)
        for name, r in inputs.items()
    }
    run = CellRun(
        folder,
        cell.replicate.streams,
        ready.fingerprint,
        cell.recipe.numerics.deterministic,
        context.observer,
        context.check,
        context.sharing,
    )
    lost = {
        name
        for name, r in inputs.items()
        if saved_by(cells / r.name / r.replicate.folder) == STAND_IN != r.recipe["technique"]
    }
    with Meter() as meter:
        predictor = _fit(cell, ready, predictors, run, lost)
    if cell.purpose != "trial":  # which is scored once, and never asked again
        with new_folder(folder / BEST) as partial:
            predictor.save(partial)
    if run.rows:
        lines = b"".join(canonical_json(row) + b"\n" for row in run.rows)
        write_atomic(folder / CURVES, lines)
    context.check()
    scores = _evaluate(cell, ready, predictor, folder, context.before_test)
    run.remark(scores.cut)
    upstream = needed(cell, records)
    cost = _cost(run, predictor.layers(), meter, scores, upstream)
    # What an input needed may be lost since, and with it a part of the price.
    whole = all(key in records for r in upstream for key in r.inputs.values())
    priced = run.alone and whole and all(r.cost.alone for r in upstream)
    if context.sharing or resumed or not priced:
        cost = cost.model_copy(update={"alone": False})
    content = _content(cell, ready, run, scores)
    record = Record.model_validate(content | {"cost": cost, "files": _files(folder)})
    context.store.commit(folder, record)
    return record


def needed(cell: Cell, records: Mapping[Key, Record]) -> list[Record]:
    """What a cell uses, itself or through what it uses, each once; lost ones are left out."""
    found: dict[Key, Record] = {}
    left = list(cell.inputs.values())
    while left:
        key = left.pop()
        if key in records and key not in found:
            found[key] = records[key]
            left += records[key].inputs.values()
    return list(found.values())


def _fit(
    cell: Cell,
    ready: Prepared,
    predictors: Mapping[str, Predictor],
    run: CellRun,
    lost: Set[str],
) -> Predictor:
    """What the technique makes of its data, or what stands for it where it diverged at once.

    Args:
        cell: That is fitted.
        ready: Its technique and data.
        predictors: Of what it needs.
        run: What is worked through.
        lost: Which of them stand for recipes that diverged: where it reads vectors it has none.
    """
    encoder = vectors_from(cell.recipe.settings)
    if encoder in lost:
        run.remark([f"'{encoder}' diverged before its first validation: it has no vectors"])
        run.note(Fitted(steps=0, selected_step=0, diverged_at=0))
    else:
        predictor = ready.technique.fit(cell, ready.data, predictors, run)
    if any(f.diverged_at is not None and f.selected_step == 0 for f in run.fitted):
        predictor = find(STAND_IN).fit(cell, ready.data, {}, run)
    return predictor


def recipe_yaml(cell: Cell) -> bytes:
    """A resolved recipe in the layout of a study file."""
    import yaml

    numerics = {"numerics": plain(cell.recipe.numerics)}
    content = {"name": cell.recipe.name} | cell.recipe.resolved() | numerics
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def load_predictor(folder: Path, device: DeviceName = "auto") -> Predictor:
    """The predictor that a finished cell left in its folder, on a device.

    Raises:
        InputError: where there is none, or no such device.
    """
    return find(saved_by(folder)).load(folder / BEST, device)


def load_again(folder: Path, record: Record) -> Predictor:
    """The predictor that a finished cell left, on the device of its fit where that is at hand.

    Args:
        folder: The cell's.
        record: Its record.

    Raises:
        InputError: where there is no predictor.
    """
    return load_predictor(folder, numerics.at_hand(record.recipe["numerics"]["device"]))


def saved_by(folder: Path) -> str:
    """The technique of the predictor that a finished cell left.

    Not always the recipe's: a cell that diverged before its first validation left the majority.

    Raises:
        InputError: where there is none.
    """
    return cast(str, read_state(folder / BEST)["technique"])


def of_split(metrics: Mapping[str, float], split: str) -> dict[str, float]:
    """The metrics of one split, without its name."""
    prefix = f"{split}/"
    return {n.removeprefix(prefix): v for n, v in metrics.items() if n.startswith(prefix)}


def _prepare(cell: Cell, context: Context) -> Prepared:
    recipe = cell.recipe
    technique = find(recipe.technique)
    fingerprint = numerics.apply(recipe.numerics, framework_of(recipe))
    dataset = catalogue.load(recipe.data.set)
    split = splits.draw_cell(dataset, recipe.data, cell.replicate, cell.folds)
    if (dataset.hash, split.hash) != (cell.data_hash, cell.split_hash):
        raise InputError(f"{dataset.name}: the data set changed after the study began")
    now = weights_of(recipe.settings)
    if changed := [name for name in now if now[name] != cell.weights.get(name)]:
        raise InputError(f"weights {', '.join(changed)}: changed after the study began")
    path = context.store.folder / "splits" / f"{split.hash[:16]}.json"
    if not path.exists():
        write_atomic(path, canonical_json(split.describe()))
    data = split.training_data()
    return Prepared(technique, dataset, split, data, fingerprint)


@dataclass(frozen=True)
class Sealed:
    """What was kept from the fit, by the name of its split, and how often it was opened.

    Args:
        split: `test`, `fold`, or the empty string: nothing is scored.
        hash: Of the examples: of the test split, or of the ids and labels of the fold.
        size: How many there are.
        opened: How often this cell read the test split.
        ledger: Recipes ever scored on it on this machine.
    """

    split: str
    hash: str = ""
    size: int = 0
    opened: int = 0
    ledger: int = 0


@dataclass
class _Scores:
    metrics: dict[str, float] = field(default_factory=dict)
    sealed: Sealed = Sealed("")
    examples_per_second: float | None = None
    left_out: int | None = None
    train_scored: int | None = None
    cut: Sequence[str] = ()
    """What is said of sealed texts that are longer than is read."""


def _evaluate(
    cell: Cell, ready: Prepared, predictor: Predictor, folder: Path, before_test: BeforeTest
) -> _Scores:
    """Score every split; the only place where labels of test or of the fold held out are read.

    Raises:
        InputError: where the figure that selects is no number of use, before test is opened if it
            is none on validation.
    """
    task, training = ready.data.task, getattr(cell.recipe.settings, "training", None)
    select = getattr(training, "select", None)
    scores = _Scores()
    metrics = scores.metrics

    def tell(split: str, examples: Examples, outputs: NDArray[Any]) -> Table:
        table = task.table(examples.ids, examples.labels, outputs, examples.groups)
        metrics.update({f"{split}/{name}": v for name, v in task.metrics(table).items()})
        return table

    def score(split: str, examples: Examples) -> tuple[Table, float]:
        began = time.perf_counter()
        outputs = predictor.predict(examples.items)
        seconds = time.perf_counter() - began
        table = tell(split, examples, outputs)
        if select in task.directions and f"{split}/{select}" not in metrics:
            raise InputError(f"{split}/{select}: no number, or too large a one to compare by")
        write_atomic(folder / "predictions" / f"{split}.csv", task.write(table))
        return table, seconds

    train = ready.data.train
    if isinstance(predictor, Remembering):
        drawn = cell.replicate.streams.generator("left out").permutation(len(train))
        rows = np.sort(drawn[:LEFT_OUT])
        scores.left_out = len(rows)
        tell("train", train.take(rows), predictor.left_out(rows))
    elif cell.purpose != "trial":  # of which nobody asks how well it knows what it learnt from
        some = shown(cell.replicate.streams, ready.data)
        scores.train_scored = len(some) if len(some) < len(train) else None
        tell("train", some, predictor.predict(some.items))
    score("validation", ready.data.validation)
    if cell.purpose != "final":
        return scores
    before_test(cell, of_split(metrics, "validation"))
    if cell.replicate.fold is not None:  # no test, so none of the ledger's business
        judged = ready.split.fold_examples()
        table, seconds = score("fold", judged)
        scores.sealed = Sealed("fold", scored_hash(table), table.length)
    else:
        judged = splits.examples_of_test(ready.dataset, cell.recipe.data)
        recipe_hash = digest(canonical_json(cell.recipe.resolved()))
        opened, ledger = open_test(ready.dataset.test_hash, recipe_hash, cell.key)
        _, seconds = score("test", judged)
        scores.sealed = Sealed("test", ready.dataset.test_hash, len(judged), opened, ledger)
    cut = predictor.cut_notes(judged.items) if isinstance(predictor, Cutting) else []
    scores.cut = [f"{scores.sealed.split}: {note}" for note in cut]
    scores.examples_per_second = len(judged) / max(seconds, 1e-9)
    return scores


def shown(streams: Streams, data: TrainingData) -> Examples:
    """The training examples that a predictor is scored on: all, but of long texts some."""
    train = data.train
    if data.task.name != LanguageModelling.name:
        return train
    drawn = streams.generator("shown").permutation(len(train))
    sizes = np.cumsum([byte_count(str(train.items[i])) for i in drawn])
    count = max(1, int(np.searchsorted(sizes, SHOWN_BYTES, side="right")))
    return train.take(np.sort(drawn[:count]))


def _content(cell: Cell, ready: Prepared, run: CellRun, scores: _Scores) -> dict[str, Any]:
    """What the record says besides price and files."""
    fitted = run.fitted[-1] if run.fitted else None
    diverged = next((f.diverged_at for f in run.fitted if f.diverged_at is not None), None)
    hashes = {"data": cell.data_hash, "split": cell.split_hash}
    sizes = {"train": len(ready.data.train), "validation": len(ready.data.validation)}
    sealed = scores.sealed
    if sealed.split:
        hashes[sealed.split], sizes[sealed.split] = sealed.hash, sealed.size
    return {
        "name": cell.recipe.name,
        "key": cell.key,
        "technique_version": cell.version,
        "recipe": cell.recipe.resolved(),
        "replicate": cell.replicate,
        "inputs": dict(cell.inputs),
        "purpose": cell.purpose,
        "task": ready.data.task.name,
        "classes": ready.data.task.classes,
        "hashes": hashes,
        "weights": dict(cell.weights),
        "sizes": sizes,
        "status": "done" if diverged is None else "diverged",
        "steps": fitted.steps if fitted else None,
        "selected_step": fitted.selected_step if fitted else None,
        "stopped_by": fitted.stopped_by if fitted else None,
        "diverged_at": diverged,
        "test_opened": sealed.opened,
        "test_ledger": sealed.ledger,
        "metrics": scores.metrics,
        "left_out": scores.left_out,
        "train_scored": scores.train_scored,
        "fingerprint": ready.fingerprint,
        "normaliser": _described(ready.data.normaliser),
        "source": source_state(),
        "interruptions": tuple(run.interruptions),
        "notes": tuple(run.notes),
    }


def _described(normaliser: Normaliser | None) -> dict[str, Any] | None:
    if normaliser is None:
        return None
    return {
        "shape": list(normaliser.mean.shape),
        "mean": float(normaliser.mean.mean()),
        "sd": float(normaliser.sd.mean()),
        "fitted_on": "train",
    }


def _cost(
    run: CellRun,
    layers: tuple[LayerProfile, ...],
    meter: Meter,
    scores: _Scores,
    upstream: Sequence[Record],
) -> Cost:
    rate = scores.examples_per_second
    return Cost(
        parameters=sum(layer.parameters for layer in layers),
        trained_parameters=sum(layer.trained_parameters for layer in layers),
        macs_per_example=sum(layer.macs for layer in layers),
        train_seconds=round(run.train_seconds, 6),
        warm_up_seconds=round(run.warm_up_seconds, 6),
        compile_seconds=round(run.compile_seconds, 6),
        evaluate_examples_per_second=rate and round(rate, 3),
        peak_bytes=meter.peak_bytes,
        optimiser_bytes=run.optimiser_bytes,
        gpu_peak_bytes=meter.gpu_peak_bytes,
        gpu_utilisation=meter.gpu_utilisation,
        upstream_seconds=sum(r.cost.train_seconds for r in upstream),
        alone=meter.alone,
    )


def _files(folder: Path) -> dict[str, str]:
    """Hashes of all that stays: not of the marks of unfinished work."""
    passing = {KEY_FILE, "record.json", "failure.txt"}
    return {
        name: value
        for name, value in folder_digests(folder).items()
        if name not in passing and not name.startswith("checkpoints/last/")
    }


@cache
def source_state() -> dict[str, Any]:
    """The commit of the package's own checkout, and a hash of what was not committed."""
    home = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(home), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    if git("ls-files", "--error-unmatch", "cell.py") is None:
        return {"commit": None, "uncommitted": None}
    commit, changes = git("rev-parse", "HEAD"), git("diff", "HEAD", "--", "..")
    return {
        "commit": commit.strip() if commit else None,
        "uncommitted": digest(changes.encode()) if changes else None,
    }
