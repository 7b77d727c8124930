"""Predicting new items with what a finished cell left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bakeoff.core.cell import LABEL
from bakeoff.core.errors import InputError, unknown
from bakeoff.core.examples import Examples
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.ledger import open_test
from bakeoff.core.protocols import Predictor
from bakeoff.core.recipe import Numerics, TableSource
from bakeoff.core.record import Record, read_record
from bakeoff.core.task import task_of
from bakeoff.data import catalogue
from bakeoff.data.images import SUFFIXES, UnreadableImageError, read_image, to_channels
from bakeoff.data.numbers import read_numbers
from bakeoff.data.tables import read_texts
from bakeoff.execution import numerics
from bakeoff.execution.cell import load_predictor
from bakeoff.techniques import find

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Fitted:
    """A finished cell's predictor and record."""

    predictor: Predictor
    record: Record
    shape: tuple[int, ...]
    """(H, W, C) of its images, (D,) of its numbers; () for texts."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its inputs, where it reads tables of numbers."""
        return tuple(getattr(self.predictor, "columns", ()))


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
        raise unknown("recipe", recipe, names, folder)
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


def load_fitted(run: str) -> Fitted:
    """What a finished cell left, ready to predict.

    Raises:
        InputError: where there is no such cell, or it is not finished.
    """
    folder = find_cell(run)
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder}: not a finished cell")
    # The bits of a prediction depend on threads and precision, as they did in the run.
    framework = record.recipe.get("framework") or find(record.recipe["technique"]).framework
    numerics.apply(Numerics.parse(record.recipe["numerics"]), framework)
    predictor = load_predictor(folder)
    layers = predictor.layers()
    shape = tuple(getattr(predictor, "shape", ()) or (layers[0].input if layers else ()))
    return Fitted(predictor, record, shape)


def predict(fitted: Fitted, source: Path | str) -> bytes:
    """A predictions file for new items, in input order.

    Args:
        fitted: What to predict with.
        source: A folder of images (class folders or not), an image, a table of texts, or a
            catalogue name, which means its test split; that is noted in the ledger.

    Raises:
        InputError: where the items cannot be read or do not fit the predictor.
    """
    task = task_of(fitted.record.task, fitted.record.classes)
    examples = _read(source, fitted)
    outputs = fitted.predictor.predict(examples.items)
    return task.write(task.table(examples.ids, examples.labels, outputs))


def _read(source: Path | str, fitted: Fitted) -> Examples:
    path, classes = Path(source), fitted.record.classes
    if str(source) in catalogue.DATASETS and not path.exists():
        return _test_split(str(source), fitted.record)
    if not path.exists():
        raise InputError(
            f"{source}: neither a file, a folder, nor one of {', '.join(catalogue.DATASETS)}"
        )
    if path.suffix.lower() in TABLES:
        learnt = fitted.record.recipe["data"]["set"]
        named = learnt if isinstance(learnt, Mapping) and "table" in learnt else {}
        if fitted.record.task == "regression":
            return read_numbers(path, fitted.columns, named.get("target"))
        return read_texts(TableSource(table=str(path), text=named.get("text")), classes)
    if fitted.record.task == "regression":
        raise InputError(f"{source}: a table of numbers is needed ({', '.join(TABLES)})")
    return _images(path, fitted)


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


def _hidden(path: Path, below: Path) -> bool:
    """Whether a file manager keeps it for itself."""
    parts = path.relative_to(below).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _images(source: Path, fitted: Fitted) -> Examples:
    """Images of a folder, sorted by path; folders named like classes give labels."""
    found = [source] if source.is_file() else sorted(source.rglob("*"))
    paths = [p for p in found if p.suffix.lower() in SUFFIXES and not _hidden(p, source)]
    if not paths:
        raise InputError(f"{source}: no images (looked for {', '.join(sorted(SUFFIXES))})")
    learnt = fitted.record.recipe["data"]["set"]
    size = learnt.get("size") if isinstance(learnt, Mapping) else None
    # A predictor without a shape looks at nothing: whatever can be read will do.
    shape = fitted.shape or (1, 1, 1)
    items = np.zeros((len(paths), *shape), np.uint8)
    faults = []
    for number, path in enumerate(paths):
        try:
            pixels = to_channels(read_image(path, size), shape[2])
        except UnreadableImageError as error:
            faults.append(f"{path}: cannot be read: {error}")
            continue
        if pixels.shape == shape:
            items[number] = pixels
        elif fitted.shape:
            faults.append(
                f"{path}: {pixels.shape[1]} x {pixels.shape[0]} pixels, where "
                f"{shape[1]} x {shape[0]} were learnt"
            )
    if faults:
        raise InputError(faults)
    base = source if source.is_dir() else source.parent
    index = {name: i for i, name in enumerate(fitted.record.classes)}
    labels = np.array([index.get(path.parent.name, -1) for path in paths], np.int64)
    ids = np.array([path.relative_to(base).as_posix() for path in paths], np.str_)
    return Examples(items, labels, ids)
