"""Which texts of a study's validation part show what attention looks at.

A few short texts, of different classes, by the first cells of recipes whose predictors can tell.
They are loaded again when all cells have run: this is no part of any price and reads no test data.
"""

from pathlib import Path

import numpy as np

from bakeoff.analysis.attention import Attended, write_attention
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Attending
from bakeoff.execution.cell import load_again
from bakeoff.study.first_cells import first_cells, is_made, keys_of
from bakeoff.study.folder import Folder, cell_folder
from bakeoff.study.prepare import Ready

VERSION = 1
"""Raised when the same cells would be shown otherwise."""
MOST_RECIPES = 3
MOST_TEXTS = 3
MOST_SIGNS = 120
"""Of a text that is shown: its tokens must fit beside a picture."""
MOST_TOKENS = 32


def write_attended(ready: Ready, folder: Folder, path: Path) -> None:
    """Write what attention looks at, unless it is there already.

    Only a loaded predictor tells whether it attends: the file is also written where none does.

    Raises:
        DiskError: where it cannot be written.
    """
    cells = list(first_cells(ready, folder))
    about = {"version": VERSION, "keys": keys_of(cells)}
    if is_made(path, about):
        return
    found: dict[str, list[Attended]] = {}
    for planned, record in cells:
        if len(found) == MOST_RECIPES:
            break
        predictor = load_again(folder.path / cell_folder(record), record)
        if not isinstance(predictor, Attending):
            continue
        data = ready.split(planned.recipe.data, record.replicate).training_data()
        texts, classes = _shown(data.validation), data.task.classes
        guesses = predictor.predict(texts.items).argmax(axis=1)
        told = [predictor.attention(str(text), MOST_TOKENS) for text in texts.items]
        found[planned.name] = [
            Attended(tokens, weights, classes[label], classes[guess])
            for (tokens, weights), label, guess in zip(told, texts.labels, guesses, strict=True)
        ]
    write_attention(path, found, about)


def _shown(examples: Examples) -> Examples:
    """The first short text of each class, or its shortest where none is short."""
    lengths = np.array([len(text) for text in examples.items])
    chosen = []
    for label in np.unique(examples.labels):
        own = np.flatnonzero(examples.labels == label)
        short = own[lengths[own] <= MOST_SIGNS]
        chosen.append(short[0] if len(short) else own[lengths[own].argmin()])
    return examples.take(np.array(sorted(chosen)[:MOST_TEXTS], np.intp))
