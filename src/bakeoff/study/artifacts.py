"""What a run leaves for its report beside numbers: it is made while data and models are at hand."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.analysis.attention import NAME as ATTENTION
from bakeoff.analysis.disagreements import write_disagreements
from bakeoff.analysis.fits import NAME as FITS
from bakeoff.analysis.fits import Fit, Scene, grid, write_fits
from bakeoff.analysis.texts import Answers, write_texts
from bakeoff.analysis.writing import WRITING, write_writing
from bakeoff.core.cell import Replicate
from bakeoff.core.examples import Examples, concatenated
from bakeoff.core.protocols import Noted, Traced, Writing, Written
from bakeoff.core.record import Record
from bakeoff.data import splits
from bakeoff.execution.cell import load_again, saved_by
from bakeoff.study.attention import write_attended
from bakeoff.study.first_cells import first_cells, is_made, keys_of
from bakeoff.study.folder import Folder, cell_folder, open_folder
from bakeoff.study.inside import write_looks
from bakeoff.study.planned import Planned
from bakeoff.study.prepare import Ready
from bakeoff.study.spaces import write_vectors
from bakeoff.techniques import find

ARTIFACTS = "artifacts"
VERSION = 1
"""Raised when fits or writing of the same cells would be shown otherwise."""


def write_artifacts(ready: Ready, out: Path) -> None:
    """Write the artifacts of the task.

    Of classes disputed items and open networks; of numbers what fits look like; of texts, others.

    Raises:
        DiskError: where they cannot be written.
    """
    folder = open_folder(out)
    if ready.dataset.classes:
        _write_disagreements(ready, folder)
        write_looks(ready, folder, out / ARTIFACTS / "inside")
        write_vectors(ready, folder, out / ARTIFACTS / "spaces")
        if ready.dataset.modality == "text":
            write_attended(ready, folder, out / ARTIFACTS / ATTENTION)
    elif ready.dataset.task_name == "regression":
        _write_fits(ready, folder)
    else:
        _write_writing(ready, folder)


def _write_disagreements(ready: Ready, folder: Folder) -> None:
    """The test items, or held-out ones, that recipes of a level disagree on; mistaken texts too."""
    examples = _scored_examples(ready)
    known = np.flatnonzero(examples.known)
    answers = {}
    for name, recipe in folder.plan["recipes"].items():
        level = recipe["level"] == dict(ready.control.level) and not recipe["seed_offset"]
        if level and (rows := _predicted(folder, name, ready)):
            predictions, probabilities = (
                np.stack(column)[:, known] for column in zip(*rows, strict=True)
            )
            answers[name] = Answers(predictions, probabilities)
    if not answers:
        return
    classes, scored = folder.plan["dataset"]["classes"], examples.take(known)
    guesses = {name: answer.predictions for name, answer in answers.items()}
    write_disagreements(folder.path / ARTIFACTS, scored, classes, guesses)
    if ready.dataset.modality == "text" and all(a.probabilities.size for a in answers.values()):
        write_texts(folder.path / ARTIFACTS, scored, classes, answers)


def _scored_examples(ready: Ready) -> Examples:
    """What the control's level is scored on: the test split, or all folds of the first repeat."""
    data = ready.control.recipe.data
    if ready.study.resampling is None:
        return splits.examples_of_test(ready.dataset, data)
    folds = range(ready.study.resampling.folds)
    drawn = [ready.split(data, Replicate(seed=0, fold=fold)) for fold in folds]
    return concatenated([split.fold_examples() for split in drawn])


def _predicted(folder: Folder, name: str, ready: Ready) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Predictions and probabilities of these by a recipe, for each seed; folds in a row."""
    records, resampling = folder.records[name], ready.study.resampling

    def both(record: Record, split: str) -> tuple[NDArray[Any], NDArray[Any]]:
        table = folder.predictions(record, split)
        none = np.zeros((len(table["prediction"]), 0), np.float32)  # of reduced predictions
        return table["prediction"], table.get("probabilities", none)

    if resampling is None:
        return [both(record, "test") for record in records.values()]
    rows = []
    for seed in sorted({at.seed for at in records}):
        cells = [Replicate(seed=seed, fold=fold) for fold in range(resampling.folds)]
        if all(at in records for at in cells):
            columns = zip(*(both(records[at], "fold") for at in cells), strict=True)
            predictions, probabilities = (np.concatenate(column) for column in columns)
            rows.append((predictions, probabilities))
    return rows


def _write_fits(ready: Ready, folder: Folder) -> None:
    """The fits of the first level's recipes, each by its first seed, or that seed's first fold.

    Unless they are there already.
    """
    path, cells = folder.path / ARTIFACTS, list(first_cells(ready, folder))
    about = {"version": VERSION, "keys": keys_of(cells)}
    if is_made(path / FITS, about):
        return
    dataset, data = ready.dataset, ready.control.recipe.data
    first = ready.replicates(ready.looks.seeds)[0]
    if first.fold is None:
        scored = splits.examples_of_test(dataset, data)
    else:
        scored = ready.split(data, first).fold_examples()
    scene = Scene(scored, dataset.columns, dataset.ordered, dataset.clean)
    fits = {planned.name: _fit(planned, record, ready, folder, scene) for planned, record in cells}
    write_fits(path, scene, fits, about)


def _write_writing(ready: Ready, folder: Folder) -> None:
    """What the first level's recipes write, each as its first seed left it.

    Unless it is there already. What diverged at once left something else, which writes nothing.
    """
    path, cells = folder.path / ARTIFACTS, list(first_cells(ready, folder))
    about = {"version": VERSION, "keys": keys_of(cells)}
    if is_made(path / WRITING, about):
        return
    first = ready.replicates(ready.looks.seeds)[0]
    written: dict[str, Written] = {}
    for planned, record in cells:
        technique, recipe = find(planned.recipe.technique), planned.recipe
        place = folder.path / cell_folder(record)
        if isinstance(technique, Writing) and saved_by(place) == recipe.technique:
            data = ready.split(recipe.data, first).training_data()
            fitted = load_again(place, record)
            written[planned.name] = technique.texts(recipe.settings, fitted, data, first.streams)
    write_writing(path, written, about)


def _fit(planned: Planned, record: Record, ready: Ready, folder: Folder, scene: Scene) -> Fit:
    places = grid(scene)
    surface = None
    if places is not None:
        surface = load_again(folder.path / cell_folder(record), record).predict(places)
    technique, recipe = find(planned.recipe.technique), planned.recipe
    streams = record.replicate.streams
    data = ready.split(recipe.data, record.replicate).training_data()
    trace = None
    if isinstance(technique, Traced):
        trace = technique.trace(recipe.settings, data, streams)
    return Fit(
        seed=record.replicate.seed,
        predictions=folder.predictions(record, record.replicate.split)["prediction"],
        surface=surface,
        notes=technique.notes(recipe.settings, data) if isinstance(technique, Noted) else (),
        errors=None if trace is None else trace[0],
        overflow_at=None if trace is None else trace[1],
    )
