"""Whose vectors the report shows: the encoders of a study, with some of their examples.

They are loaded again when all cells have run, like the networks that are opened: it costs no bit
and no second of any price, and reads no test data.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bakeoff.analysis.spaces import NAME, Points, Space, write_spaces
from bakeoff.core.examples import Examples, concatenated
from bakeoff.core.files import new_folder
from bakeoff.core.protocols import Encoding, Representer
from bakeoff.core.record import Record
from bakeoff.execution.cell import load_again
from bakeoff.study.first_cells import first_cells, is_made, keys_of
from bakeoff.study.folder import Folder, cell_folder
from bakeoff.study.planned import Planned
from bakeoff.study.prepare import Ready
from bakeoff.techniques import find
from bakeoff.techniques.encoders import Encoder, precision_of, vectors_and_guesses

VERSION = 2
"""Raised when the same cells would be shown otherwise."""
MOST_RECIPES = 4
SHOWN = 300
"""Examples of training, and of those that validate, at most."""
FEWEST = 40
"""Points below which there is no map."""


def write_vectors(ready: Ready, folder: Folder, target: Path) -> None:
    """Write what the report shows of the vectors of a study, unless it is there already.

    Args:
        ready: The study.
        folder: Its run folder.
        target: `spaces/` of its artifacts; goes where there are no encoders.

    Raises:
        DiskError: where it cannot be written.
    """
    chosen = list(_chosen(ready, folder))
    if not chosen:
        shutil.rmtree(target, ignore_errors=True)
        return
    shown = chosen[:MOST_RECIPES]
    points = _points(ready, *shown[0])
    # Of all that were to be shown, though the vectors of one may not be finite.
    about = {"version": VERSION, "recipes": len(chosen), "keys": keys_of(shown)}
    if is_made(target / NAME, about):
        return
    spaces: dict[str, Space] = {}
    for planned, record in shown:
        predictor = load_again(folder.path / cell_folder(record), record)
        if points is not None and isinstance(predictor, Representer):
            space = _space(predictor, record, points)
            if np.isfinite(space.vectors).all():
                spaces[planned.name] = space
    if points is None:
        shutil.rmtree(target, ignore_errors=True)
        return
    with new_folder(target) as partial:
        write_spaces(partial, points, spaces, about)


def _chosen(ready: Ready, folder: Folder) -> Iterator[tuple[Planned, Record]]:
    """Encoders, and what other recipes need vectors of, with their first cells.

    Only those that learn from the same examples as the first of them.
    """
    needed = {i.recipe for planned in ready.planned for i in planned.inputs.values()}
    data = None
    for planned, record in first_cells(ready, folder, every_level=True):
        technique = find(planned.recipe.technique)
        if not (isinstance(technique, Encoding) and technique.encodes) and (
            planned.name not in needed
        ):
            continue
        data = data or planned.recipe.data
        if planned.recipe.data == data:
            yield planned, record


def _points(ready: Ready, planned: Planned, record: Record) -> Points | None:
    """The examples that are shown, drawn by name; None where they are too few."""
    data = ready.split(planned.recipe.data, record.replicate).training_data()

    def some(what: str, examples: Examples) -> Examples:
        drawn = record.replicate.streams.generator("spaces", what).permutation(len(examples))
        return examples.take(np.sort(drawn[:SHOWN]))

    train, validation = some("train", data.train), some("validation", data.validation)
    if len(train) + len(validation) < FEWEST or not len(validation):
        return None
    return Points(train, validation, tuple(data.task.classes))


def _space(predictor: Encoder, record: Record, points: Points) -> Space:
    both = concatenated([points.train, points.validation]).items
    vectors, guesses = vectors_and_guesses(predictor, both)
    precision = precision_of(predictor)
    return Space(record.replicate.seed, record.key, vectors, guesses, precision)
