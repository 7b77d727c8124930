"""Predicting new items with what a finished cell left."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bakeoff.core.errors import InputError, unknown
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Predictor
from bakeoff.core.recipe import TableSource
from bakeoff.core.record import Record, read_record
from bakeoff.core.task import Classification
from bakeoff.data import catalogue
from bakeoff.data.images import SUFFIXES, UnreadableImageError, read_image, to_channels
from bakeoff.execution.cell import load_predictor

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Fitted:
    """A finished cell's predictor and record."""

    predictor: Predictor
    record: Record
    shape: tuple[int, ...]
    """(H, W, C) of its images; () for texts."""


def find_cell(run: str) -> Path:
    """The folder of a cell: given as such, or as `DIR:recipe[:seed]` (seed 0 by default).

    Raises:
        InputError: where there is none.
    """
    if (Path(run) / "record.json").exists():
        return Path(run)
    folder, _, rest = run.partition(":")
    recipe, _, seed = rest.partition(":")
    if not recipe:
        raise InputError(f"{run}: not a cell (needed: its folder, or DIR:recipe[:seed])")
    cells = Path(folder) / "cells"
    names = sorted(path.name for path in cells.glob("*") if path.is_dir())
    if recipe not in names:
        raise unknown("recipe", recipe, names, folder)
    found = cells / recipe / f"seed-{seed or 0}"
    if not (found / "record.json").exists():
        seeds = sorted(p.parent.name for p in (cells / recipe).glob("*/record.json"))
        raise unknown("seed", found.name, seeds, f"{folder}:{recipe}")
    return found


def load_fitted(run: str) -> Fitted:
    """What a finished cell left, ready to predict."""
    folder = find_cell(run)
    record = read_record(folder)
    if record is None:
        raise InputError(f"{folder}: not a finished cell")
    predictor = load_predictor(folder.parent.parent.parent, record)
    layers = predictor.layers()
    shape = tuple(getattr(predictor, "shape", ()) or (layers[0].input if layers else ()))
    return Fitted(predictor, record, shape)


def predict(fitted: Fitted, source: Path | str) -> bytes:
    """A predictions file for new items, in input order.

    Args:
        fitted: What to predict with.
        source: A folder of images (class folders or not), an image, a table of texts, or a
            catalogue name, which means its test split.

    Raises:
        InputError: where the items cannot be read or do not fit the predictor.
    """
    task = Classification(fitted.record.classes)
    examples = _read(Path(source), fitted)
    probabilities = fitted.predictor.predict(examples.items)
    return task.write(task.table(examples.ids, examples.labels, probabilities, None))


def _read(source: Path, fitted: Fitted) -> Examples:
    if str(source) in catalogue.DATASETS and not source.exists():
        dataset = catalogue.load(str(source))
        if dataset.test is None:
            raise InputError(f"{source}: has no test split")
        return _relabelled(dataset.test, dataset.classes, fitted.record.classes)
    if not source.exists():
        raise InputError(
            f"{source}: neither a file, a folder, nor one of {', '.join(catalogue.DATASETS)}"
        )
    if source.suffix.lower() in TABLES:
        dataset = catalogue.load(TableSource(table=str(source)))
        return _relabelled(dataset.train, dataset.classes, fitted.record.classes)
    return _images(source, fitted)


def _images(source: Path, fitted: Fitted) -> Examples:
    """Images of a folder, sorted by path; folders named like classes give labels."""
    found = [source] if source.is_file() else sorted(source.rglob("*"))
    paths = [p for p in found if p.is_file() and p.suffix.lower() in SUFFIXES]
    if not paths:
        raise InputError(f"{source}: no images (looked for {', '.join(sorted(SUFFIXES))})")
    height, width, channels = fitted.shape
    settings = fitted.record.recipe["data"]["set"]
    size = settings.get("size") if isinstance(settings, Mapping) else None
    items = np.empty((len(paths), height, width, channels), np.uint8)
    faults = []
    for number, path in enumerate(paths):
        try:
            pixels = to_channels(read_image(path, size), channels)
        except UnreadableImageError as error:
            faults.append(f"{path}: cannot be read: {error}")
            continue
        if pixels.shape != items.shape[1:]:
            shown = f"{pixels.shape[1]} x {pixels.shape[0]}"
            faults.append(f"{path}: {shown} pixels, where {width} x {height} were learnt")
            continue
        items[number] = pixels
    if faults:
        raise InputError(faults)
    base = source if source.is_dir() else source.parent
    index = {name: i for i, name in enumerate(fitted.record.classes)}
    labels = np.array([index.get(path.parent.name, -1) for path in paths], np.int64)
    ids = np.array([path.relative_to(base).as_posix() for path in paths], np.str_)
    return Examples(items, labels, ids)


def _relabelled(examples: Examples, names: tuple[str, ...], classes: tuple[str, ...]) -> Examples:
    """Labels by the predictor's classes; those it does not know become unknown."""
    index = {name: i for i, name in enumerate(classes)}
    table = np.array([index.get(name, -1) for name in names], np.int64)
    return Examples(examples.items, table[examples.labels], examples.ids, examples.groups)
