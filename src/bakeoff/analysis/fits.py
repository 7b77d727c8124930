"""What regressions look like: points, surfaces, signals and errors, for the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.examples import Examples
from bakeoff.core.files import pretty_json, write_atomic

Floats = NDArray[np.float64]
NAME = "fits.json"
MOST_POINTS = 300
GRID = 7
"""Places along each input at which a surface is known."""
WINDOW = 400
"""Test samples of a signal that are drawn."""
BLOCKS = 45
"""Mean squared errors of an epoch that are drawn."""
LARGEST = 1e60
"""Squared errors beyond it are written as it."""


@dataclass(frozen=True)
class Fit:
    """What one recipe made of the data.

    Attributes:
        seed: Of the cell that is shown.
        predictions: (m,) float64 of the m test examples.
        surface: (GRID * GRID,) float64 at the places of `grid`, where there are two inputs.
        notes: What its technique says of its settings on these data.
        errors: (n,) float64 of the first epoch's samples, before each was learnt from.
        overflow_at: The sample, from 0, at which they overflowed.
    """

    seed: int
    predictions: Floats
    surface: Floats | None = None
    notes: tuple[str, ...] = ()
    errors: Floats | None = None
    overflow_at: int | None = None


@dataclass(frozen=True)
class Scene:
    """The test examples that recipes are shown on.

    Attributes:
        test: m rows of D numbers, with targets.
        columns: The names of the D inputs.
        ordered: Whether examples follow each other in time.
        clean: (m,) float64, the targets without their noise, where that is known.
    """

    test: Examples
    columns: tuple[str, ...]
    ordered: bool = False
    clean: Floats | None = None


def grid(scene: Scene) -> Floats | None:
    """The places where surfaces are wanted: (GRID * GRID, 2); None unless there are two inputs."""
    items = np.asarray(scene.test.items)
    if items.shape[1:] != (2,) or scene.ordered:
        return None
    first, second = _axes(items)
    return np.column_stack([np.tile(first, GRID), np.repeat(second, GRID)])


def write_fits(
    folder: Path, scene: Scene, fits: Mapping[str, Fit], about: Mapping[str, Any]
) -> None:
    """Write `fits.json` into the artifacts of a study.

    Args:
        folder: The study's `artifacts/`.
        scene: The test examples.
        fits: By recipe.
        about: How it was made, JSON-ready.

    Raises:
        DiskError: where it cannot be written.
    """
    content: dict[str, Any] = {
        "about": about,
        "columns": list(scene.columns),
        "points": _points(scene),
        "signal": _signal(scene),
        "recipes": {name: _recipe(fit, scene) for name, fit in fits.items()},
    }
    write_atomic(folder / NAME, pretty_json(content))


def _axes(items: Floats) -> tuple[Floats, Floats]:
    low, high = items.min(axis=0), items.max(axis=0)
    return np.linspace(low[0], high[0], GRID), np.linspace(low[1], high[1], GRID)


def _points(scene: Scene) -> dict[str, Any] | None:
    """Some test examples, and the axes of the surfaces."""
    if grid(scene) is None:
        return None
    items = np.asarray(scene.test.items)
    rows = np.linspace(0, len(items) - 1, min(len(items), MOST_POINTS)).astype(np.intp)
    first, second = _axes(items)
    return {
        "first": _short(items[rows, 0]),
        "second": _short(items[rows, 1]),
        "target": _short(scene.test.labels[rows]),
        "along_first": _short(first),
        "along_second": _short(second),
    }


def _signal(scene: Scene) -> dict[str, Any] | None:
    if not scene.ordered:
        return None
    clean = None if scene.clean is None else _short(scene.clean[:WINDOW])
    return {"observed": _short(scene.test.labels[:WINDOW]), "clean": clean}


def _recipe(fit: Fit, scene: Scene) -> dict[str, Any]:
    row: dict[str, Any] = {"seed": fit.seed, "notes": list(fit.notes)}
    if fit.surface is not None:
        row["surface"] = [_short(line) for line in fit.surface.reshape(GRID, GRID)]
    if scene.ordered:
        row["output"] = _short(fit.predictions[:WINDOW])
    if scene.ordered and scene.clean is not None:
        row["leaves"] = _meant(fit.predictions, scene)
    if fit.errors is not None:
        row["epoch"] = _epoch(fit.errors, fit.overflow_at)
    return row


def _meant(predictions: Floats, scene: Scene) -> dict[str, float]:
    """How far the output, and what it leaves over, are from the clean signal (mean squares)."""
    assert scene.clean is not None
    left = scene.test.labels - predictions
    with np.errstate(over="ignore"):
        return {
            "output": _finite(np.square(predictions - scene.clean).mean()),
            "error": _finite(np.square(left - scene.clean).mean()),
        }


def _epoch(errors: Floats, overflow_at: int | None) -> dict[str, Any]:
    """Mean squared errors of consecutive blocks of samples, by each block's last sample."""
    size = max(1, len(errors) // BLOCKS)
    edges = [*range(size, len(errors), size), len(errors)]
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.square(errors)
        means = [_finite(part.mean()) for part in np.split(squares, edges[:-1])]
    return {"sample": edges, "squared_error": means, "overflow_at": overflow_at}


def _finite(value: Any) -> float:
    """A number that JSON and a log axis can hold."""
    found = float(value)
    return float(f"{min(found, LARGEST):.6g}") if found == found else LARGEST


def _short(values: Sequence[float] | Floats) -> list[float]:
    """Six significant digits: enough for any screen."""
    return [float(f"{value:.6g}") for value in np.asarray(values).tolist()]
