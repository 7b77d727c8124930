"""What a run leaves for its report beside numbers: it is made while data and models are at hand."""

from pathlib import Path

import numpy as np

from bakeoff.analysis.disagreements import write_disagreements
from bakeoff.analysis.fits import Fit, Scene, grid, write_fits
from bakeoff.core.protocols import Noted, Traced
from bakeoff.core.record import Record
from bakeoff.core.streams import Streams
from bakeoff.data import splits
from bakeoff.execution.cell import load_predictor
from bakeoff.study.prepare import Ready
from bakeoff.study.resolve import Planned
from bakeoff.study.results import Folder, cell_folder, open_folder
from bakeoff.techniques import find

ARTIFACTS = "artifacts"


def write_artifacts(ready: Ready, out: Path) -> None:
    """Write the artifacts of the task: disputed items, or what the fits look like.

    Raises:
        DiskError: where they cannot be written.
    """
    folder = open_folder(out)
    if ready.dataset.classes:
        _write_disagreements(ready, folder)
    else:
        _write_fits(ready, folder)


def _write_disagreements(ready: Ready, folder: Folder) -> None:
    """Pictures of the test items on which recipes of the first level disagree on the class."""
    test = splits.test_examples(ready.dataset, ready.control.recipe.data)
    known = np.flatnonzero(test.known)
    predictions = {}
    for name, recipe in folder.plan["recipes"].items():
        records = folder.records[name].values()
        if recipe["level"] == dict(ready.control.level) and records and not recipe["seed_offset"]:
            tables = [folder.predictions(record)["prediction"][known] for record in records]
            predictions[name] = np.stack(tables)
    if predictions:
        classes = folder.plan["dataset"]["classes"]
        write_disagreements(folder.path / ARTIFACTS, test.take(known), classes, predictions)


def _write_fits(ready: Ready, folder: Folder) -> None:
    """The fits of the first level's recipes, each by its first seed."""
    dataset = ready.dataset
    test = splits.test_examples(dataset, ready.control.recipe.data)
    scene = Scene(test, dataset.columns, dataset.ordered, dataset.clean)
    fits: dict[str, Fit] = {}
    for planned in ready.planned:
        record = next(iter(folder.records.get(planned.name, {}).values()), None)
        if record is not None and planned.level == ready.control.level and not planned.seed_offset:
            fits[planned.name] = _fit(planned, record, ready, folder, scene)
    if fits:
        write_fits(folder.path / ARTIFACTS, scene, fits)


def _fit(planned: Planned, record: Record, ready: Ready, folder: Folder, scene: Scene) -> Fit:
    places = grid(scene)
    surface = None
    if places is not None:
        surface = load_predictor(folder.path / cell_folder(record)).predict(places)
    technique, recipe = find(planned.recipe.technique), planned.recipe
    streams = Streams(record.replicate.seed)
    data = splits.draw(ready.dataset, recipe.data, streams).training_data()
    trace = None
    if isinstance(technique, Traced):
        trace = technique.trace(recipe.settings, data, streams)
    return Fit(
        seed=record.replicate.seed,
        predictions=folder.predictions(record)["prediction"],
        surface=surface,
        notes=technique.notes(recipe.settings, data) if isinstance(technique, Noted) else (),
        errors=None if trace is None else trace[0],
        overflow_at=None if trace is None else trace[1],
    )
