"""Looking inside the networks of a study: which of its cells are opened, and with which examples.

The first recipes' cells of the first seed (or its first fold) are loaded again when all cells have
run: what is done here is no part of any price, reads no test data and can change no number.
"""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.analysis.inside import NAME, Look, Moment, State, look, write_inside
from bakeoff.analysis.pictures import covers, write_filters, write_maps
from bakeoff.core.examples import Examples
from bakeoff.core.files import new_folder
from bakeoff.core.protocols import Batch, Inside, Openable, TrainingData
from bakeoff.core.recipe import DataSettings
from bakeoff.core.record import Record
from bakeoff.execution.cell import load_again, saved_by
from bakeoff.study.first_cells import first_cells
from bakeoff.study.folder import Folder, cell_folder
from bakeoff.study.planned import Planned
from bakeoff.study.prepare import Ready
from bakeoff.techniques import find

VERSION = 1
"""Raised when the same cells would be shown otherwise."""
MOST_RECIPES = 8
MOST_PICTURED = 6
"""Recipes with pictures of filters and feature maps."""
BATCH = 128
"""Training examples whose gradients are counted."""
IMAGES = 256
"""Validation images that pass at most."""
PIXELS = 1 << 18
"""Of all that pass together; larger images are fewer."""
SHOWN = 2
"""Validation images whose feature maps are shown."""


@dataclass(frozen=True)
class _Chosen:
    """A recipe, its cell, and what that learnt from."""

    planned: Planned
    record: Record
    technique: Openable
    data: TrainingData


def write_looks(ready: Ready, folder: Folder, target: Path) -> None:
    """Write what is inside the networks of a study, unless it is there already.

    Args:
        ready: The study.
        folder: Its run folder.
        target: `inside/` of its artifacts; goes where there is nothing to look into.

    Raises:
        DiskError: where it cannot be written.
    """
    chosen = list(_chosen(ready, folder))
    if not chosen:
        shutil.rmtree(target, ignore_errors=True)
        return
    shown = chosen[:MOST_RECIPES]
    about = {"version": VERSION, "recipes": len(chosen), **_sizes(shown[0])}
    if _written(target) == (about, {one.planned.name: one.record.key for one in shown}):
        return
    with new_folder(target) as partial:
        looks: dict[str, Look] = {}
        pictures: dict[str, Any] = {}
        for number, one in enumerate(shown):
            opened = _open(one, folder)
            states = _states(one, opened)
            looks[one.planned.name] = Look(one.record.replicate.seed, one.record.key, states)
            if number < MOST_PICTURED:
                pictures[one.planned.name] = _pictures(one, opened, partial, number)
        write_inside(partial, looks, about, pictures)


def _sizes(one: _Chosen) -> dict[str, int]:
    """How many examples pass."""
    train, validation = one.data.train, one.data.validation
    return {
        "batch": min(len(train), _room(train, BATCH)),
        "images": min(len(validation), _room(validation, IMAGES)),
    }


def _written(target: Path) -> tuple[dict[str, Any], dict[str, str]] | None:
    """How and of which cells the folder was made; None where there is none."""
    try:
        content = json.loads((target / NAME).read_bytes())
        about = {n: v for n, v in content["about"].items() if n not in ("near_zero", "flat")}
        return about, {name: recipe["key"] for name, recipe in content["recipes"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _chosen(ready: Ready, folder: Folder) -> Iterator[_Chosen]:
    """The recipes whose networks can be looked into, with their first cell."""
    known: dict[DataSettings, TrainingData] = {}
    for planned, record in first_cells(ready, folder, every_level=True):
        recipe, technique = planned.recipe, find(planned.recipe.technique)
        if not isinstance(technique, Openable) or not technique.opens(recipe.settings):
            continue
        if recipe.data not in known:
            known[recipe.data] = ready.split(recipe.data, record.replicate).training_data()
        yield _Chosen(planned, record, technique, known[recipe.data])


def _open(one: _Chosen, folder: Folder) -> dict[Moment, Inside]:
    """Its network at the start; and at the end, unless it ended as something else."""
    recipe, technique = one.planned.recipe, one.technique
    streams = one.record.replicate.streams
    begun = technique.beginning(recipe.settings, one.data, streams)
    opened: dict[Moment, Inside] = {"start": technique.opened(recipe.settings, begun, fresh=True)}
    place = folder.path / cell_folder(one.record)
    if saved_by(place) == recipe.technique:
        predictor = load_again(place, one.record)
        opened["end"] = technique.opened(recipe.settings, predictor, fresh=False)
    return opened


def _some(one: _Chosen, what: str, examples: Examples, most: int) -> Examples:
    """So many examples at most, drawn by name: every recipe of a split gets the same."""
    drawn = one.record.replicate.streams.generator("inside", what).permutation(len(examples))
    return examples.take(np.sort(drawn[:most]))


def _states(one: _Chosen, opened: Mapping[Moment, Inside]) -> dict[Moment, State]:
    train, validation = one.data.train, one.data.validation
    learnt = _some(one, "batch", train, _room(train, BATCH))
    batch = Batch(learnt.items, learnt.labels, np.arange(len(learnt)))
    images = _some(one, "images", validation, _room(validation, IMAGES)).items
    return {moment: look(network, batch, images) for moment, network in opened.items()}


def _room(examples: Examples, most: int) -> int:
    """How many of these items may pass together."""
    size = math.prod(np.shape(examples.items)[1:3])
    return max(1, min(most, PIXELS // size))


def _pictures(
    one: _Chosen, opened: Mapping[Moment, Inside], folder: Path, number: int
) -> dict[str, Any]:
    """Filters at the end, those of convolutions at the start too; feature maps at the end."""
    found: dict[str, Any] = {}
    for moment, network in opened.items():
        filters = network.filters()
        if filters is None:
            continue
        whole = covers(filters, one.data.train.items)
        if moment == "end" or not whole:
            path = folder / f"{number}-filters-{moment}.png"
            found[f"filters_{moment}"] = write_filters(path, filters)
        if whole and len(network.weights()) == 1:  # the first layer is the last
            found["classes"] = _told(one.data.task.classes, len(filters))
    shown = _of_several_classes(_some(one, "shown", one.data.validation, IMAGES))
    if "end" in opened and len(shown):
        labels = [one.data.task.classes[label] for label in shown.labels]
        path = folder / f"{number}-maps.png"
        maps = write_maps(path, opened["end"], shown.items, labels)
        if maps is not None:
            found["maps"] = maps
    return found


def _told(classes: Sequence[str], units: int) -> list[str]:
    """What each output speaks for: a class, or the second of two."""
    return list(classes) if units == len(classes) else [classes[1]]


def _of_several_classes(examples: Examples) -> Examples:
    """The first examples of the first classes that come."""
    firsts = np.sort(np.unique(examples.labels, return_index=True)[1])
    return examples.take(firsts[:SHOWN])
