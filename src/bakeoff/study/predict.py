"""Predicting new items with what a finished cell left."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.core.cell import LABEL
from bakeoff.core.errors import InputError, unknown
from bakeoff.core.examples import Examples, Modality
from bakeoff.core.files import canonical_json, digest, new_file
from bakeoff.core.ledger import open_test
from bakeoff.core.protocols import Cutting, Predictor
from bakeoff.core.recipe import TableSource
from bakeoff.core.record import Record, read_record
from bakeoff.core.tasks import task_of
from bakeoff.data import catalogue
from bakeoff.data.corpus import documents, read_utf8
from bakeoff.data.inputs import Wanted, read_images
from bakeoff.data.numbers import read_numbers
from bakeoff.data.tables import read_texts
from bakeoff.data.tabular import KINDS, kind_of
from bakeoff.execution import numerics
from bakeoff.execution.cell import load_again
from bakeoff.study.plan import PLAN
from bakeoff.techniques import framework_of
from bakeoff.techniques.recipes import parse_recipe

NAMED_AS_LEARNT: Mapping[str, str] = {}
"""Columns of tables that are called as in what was learnt from, or as is usual."""


@dataclass(frozen=True)
class LoadedCell:
    """A finished cell's predictor and record."""

    predictor: Predictor
    record: Record
    shape: tuple[int, ...]
    """(H, W, C) of its images, (D,) of its numbers; () for texts."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its inputs, where it reads tables of numbers."""
        return tuple(getattr(self.predictor, "columns", ()))


def names_run(name: str) -> bool:
    """Whether a name that may be one of pretrained weights, too, is one of a run or its cells."""
    path = Path(name)
    if (path / "record.json").exists() or (path / PLAN).exists():
        return True
    return ":" in name and not path.exists()


def find_cell(run: str) -> Path:
    """The folder of a cell: given as such, or as `DIR:recipe[:seed]` (seed 0 by default).

    In cross-validation a seed was fitted once for each fold, and `0.fold-2` names one.

    Raises:
        InputError: where there is none.
    """
    if (Path(run) / "record.json").exists():
        return Path(run)
    folder, colon, last = run.rpartition(":")
    recipe, seed = last, "0"
    if LABEL.fullmatch(last) and ":" in folder:
        seed = last
        folder, colon, recipe = folder.rpartition(":")
    if not colon or not (Path(folder) / "cells").is_dir():
        raise InputError(f"{run}: not a cell (needed: its folder, or DIR:recipe[:seed])")
    cells = Path(folder) / "cells"
    names = sorted(path.name for path in cells.iterdir() if path.is_dir())
    if recipe not in names:
        own = [name for name in names if not _is_trial(cells / name)]
        raise unknown("recipe", recipe, own, folder)
    found = cells / recipe / f"seed-{seed}"
    if not (found / "record.json").exists():
        seeds = [path.parent.name for path in sorted((cells / recipe).glob("*/record.json"))]
        if folds := [name for name in seeds if name.startswith(f"{found.name}.")]:
            raise InputError(
                f"{run}: seed {seed} was fitted once for each fold; name one, as in "
                f"{folder}:{recipe}:{folds[0].removeprefix('seed-')} ({len(folds)} are there)"
            )
        raise unknown("seed", found.name, seeds, f"{folder}:{recipe}")
    return found


def _is_trial(recipe: Path) -> bool:
    """Whether a recipe's cells tried settings for a search."""
    records = map(read_record, recipe.iterdir())
    return any(record is not None and record.purpose == "trial" for record in records)


def load_fitted(run: str) -> LoadedCell:
    """What a finished cell left, ready to predict.

    Raises:
        InputError: where there is no such cell, or it is not finished.
    """
    folder = find_cell(run)
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder}: not a finished cell")
    if record.purpose == "trial":
        raise InputError(f"{folder}: a trial of a search, which keeps no weights")
    # The bits of a prediction depend on threads and precision, as they did in the run.
    recipe = parse_recipe(record.recipe, record.name)
    device = numerics.at_hand(recipe.numerics.device)
    numerics.apply(recipe.numerics.model_copy(update={"device": device}), framework_of(recipe))
    predictor = load_again(folder, record)
    layers = predictor.layers()
    shape = tuple(getattr(predictor, "shape", ()) or (layers[0].input if layers else ()))
    return LoadedCell(predictor, record, shape)


@dataclass(frozen=True)
class Predicted:
    """What was written.

    Args:
        rows: Predictions, one for each item.
        notes: What was left out of the input or changed in it, a sentence each.
    """

    rows: int
    notes: tuple[str, ...]


def predict(
    fitted: LoadedCell,
    source: Path | str,
    output: Path,
    *,
    resize: bool = False,
    columns: Mapping[str, str] = NAMED_AS_LEARNT,
    watch: Callable[[int], None] = lambda rows: None,
) -> Predicted:
    """Write a predictions file for new items, in input order.

    Images are read, predicted and written in parts, so that their number is bounded by the disk.

    Args:
        fitted: What to predict with.
        source: A folder of images (class folders or not), an image, an array of images (.npz, .npy,
            IDX, a binary batch of CIFAR-10), a table of texts or numbers, for language models a
            text file, or a catalogue name, which means its test split; that is noted in the ledger.
        output: The file to write: all of it, or nothing.
        resize: Bring images of another size to the one that was learnt, by their middle square.
        columns: Of a table, by role, `text` and `id`, where they are called otherwise than in what
            was learnt from.
        watch: Told how many are written, after each part.

    Raises:
        InputError: where the items cannot be read or do not fit the predictor.
        DiskError: where the file cannot be written.
    """
    notes: list[str] = []
    items = read_items(source, fitted, notes, resize, columns)
    parts = _written(fitted, items, notes)
    begun = next(parts)  # what is refused at once leaves not even a folder behind
    rows = 0
    with new_file(output) as partial, partial.open("wb") as stream:
        for count, data in itertools.chain([begun], parts):
            stream.write(data)
            rows += count
            watch(rows)
    return Predicted(rows, tuple(notes))


def _written(
    fitted: LoadedCell, parts: Iterator[Examples], notes: list[str]
) -> Iterator[tuple[int, bytes]]:
    """For each part the number of its rows, and these; the header goes with the first."""
    task = task_of(fitted.record.task, fitted.record.classes)
    for number, examples in enumerate(parts):
        outputs = fitted.predictor.predict(examples.items)
        if isinstance(fitted.predictor, Cutting):
            notes += fitted.predictor.cut_notes(examples.items)
        table = task.table(examples.ids, examples.labels, outputs)
        yield len(examples), task.write(table, header=number == 0)


def read_items(
    source: Path | str,
    fitted: LoadedCell,
    notes: list[str],
    resize: bool = False,
    columns: Mapping[str, str] = NAMED_AS_LEARNT,
) -> Iterator[Examples]:
    """What `predict` reads, in parts; of images notes are added once all is read.

    Raises:
        InputError: as `predict` does.
    """
    path, learnt = Path(source), _modality(fitted.record.recipe["data"]["set"])
    _check_columns(columns, path, fitted.record)
    if resize and learnt not in ("image", None):
        raise InputError("--resize: of images alone, and no images were learnt from")
    if str(source) in catalogue.DATASETS and not path.exists():
        yield _test_split(str(source), fitted.record)
    elif not path.exists():
        raise InputError(
            f"{source}: neither a file, a folder, nor one of {', '.join(catalogue.DATASETS)}"
        )
    elif fitted.record.task == "language-modelling":
        if kind_of(path)[0] in KINDS:
            raise InputError(
                f"{source}: a table, where a language model reads a file of text as one document "
                "(allowed: other files of UTF-8, and data sets)"
            )
        yield documents([read_utf8(path)])
    elif kind_of(path)[0] in KINDS:
        if learnt == "image":
            raise InputError(
                f"{source}: a table, where images are needed: a folder, or one of them"
            )
        yield _rows(path, fitted, columns)
    elif fitted.record.task == "regression":
        raise InputError(f"{source}: a table of numbers is needed ({', '.join(KINDS)})")
    elif learnt == "text":
        raise InputError(f"{source}: a table of texts is needed ({', '.join(KINDS)})")
    else:
        yield from read_images(path, _wanted(fitted, resize), notes)


def _modality(learnt: str | Mapping[str, Any]) -> Modality | None:
    """Of the data set that was learnt from; None of one that is not known any more."""
    if isinstance(learnt, Mapping):
        return "image" if "folder" in learnt else "text"
    entry = catalogue.DATASETS.get(learnt)
    return None if entry is None else entry.modality


def _check_columns(columns: Mapping[str, str], path: Path, record: Record) -> None:
    """Whether columns can be named of what is to be predicted.

    Raises:
        InputError: where it is no table, or a table of numbers, which has no texts.
    """
    for role in columns:
        if not path.is_file() or kind_of(path)[0] not in KINDS:
            raise InputError(f"--{role}: received, but {path} is no table ({', '.join(KINDS)})")
        if record.task == "regression" and role == "text":
            raise InputError("--text: received, but a table of numbers is needed (allowed: --id)")


def _rows(path: Path, fitted: LoadedCell, columns: Mapping[str, str]) -> Examples:
    """The rows of a table of texts or numbers."""
    learnt = fitted.record.recipe["data"]["set"]
    known = learnt if isinstance(learnt, Mapping) and "table" in learnt else {}
    if fitted.record.task == "regression":
        identity, needed = columns.get("id", known.get("id")), "id" in columns
        return read_numbers(path, fitted.columns, known.get("target"), identity, needed)
    named = {role: known.get(role) for role in ("text", "label", "id")} | {**columns}
    source = TableSource(table=str(path), **named)
    return read_texts(source, fitted.record.classes, needed=tuple(columns))


def _wanted(fitted: LoadedCell, resize: bool) -> Wanted:
    """What images the predictor reads.

    Raises:
        InputError: where they are to be resized, but no square was learnt.
    """
    shape, classes = fitted.shape, fitted.record.classes
    learnt = fitted.record.recipe["data"]["set"]
    size = learnt.get("size") if isinstance(learnt, Mapping) else None
    if resize and shape:
        if shape[0] != shape[1]:
            raise InputError(
                f"--resize: gives squares, where {shape[1]} x {shape[0]} pixels were learnt"
            )
        size = shape[0]
    return Wanted(shape or None, size, classes)


def _test_split(name: str, record: Record) -> Examples:
    """The test examples of a set of the catalogue; labels count in the predictor's classes."""
    dataset = catalogue.load(name)
    if dataset.test is None:
        raise InputError(f"{name}: has no test split")
    if dataset.task_name != record.task:
        raise InputError(f"{name}: asks for {dataset.task_name}, where {record.task} was learnt")
    open_test(dataset.test_hash, digest(canonical_json(record.recipe)), record.key)
    if not record.classes:
        return dataset.test
    index = {name: i for i, name in enumerate(record.classes)}
    # The last entry is that of label -1, unknown, which stays so.
    table = np.array([*(index.get(name, -1) for name in dataset.classes), -1], np.int64)
    return replace(dataset.test, labels=table[dataset.test.labels])
