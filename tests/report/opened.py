"""A run folder with opened networks, written by what writes them in a run."""

from pathlib import Path

import numpy as np

from bakeoff.analysis.inside import Look, Numbers, State, Units, numbers, write_inside
from bakeoff.analysis.pictures import write_filters

LAYERS = ("conv", "hidden", "output")
GENERATOR = np.random.default_rng(0)


def drawn(scale: float) -> Numbers:
    """Numbers around zero."""
    return numbers((scale * GENERATOR.standard_normal((20, 30))).astype(np.float32))


def state(scale: float, dead: float | None, saturated: float | None = None) -> State:
    """Three layers, two activations."""
    kind = "relu" if saturated is None else "tanh"
    zero = None if dead is None else (1 + dead) / 2
    return State(
        {layer: drawn(scale) for layer in LAYERS},
        {layer: drawn(scale * 1e-4) for layer in LAYERS},
        [Units(layer, kind, 20, dead, zero, saturated) for layer in LAYERS[:2]],
    )


def write_opened(folder: Path) -> None:
    """Add to a run folder: `plain` and `batch-norm` alike, `swish` without an end, `softmax`."""
    target = folder / "artifacts" / "inside"
    target.mkdir(parents=True, exist_ok=True)
    silent = {layer: numbers(np.zeros((20, 30), np.float32)) for layer in LAYERS}
    linear = State({"output": drawn(0.1)}, {"output": drawn(1e-3)})
    filters = GENERATOR.standard_normal((20, 5, 5, 3))
    pictures = {
        "plain": {
            "filters_start": write_filters(target / "0-filters-start.png", filters),
            "filters_end": write_filters(target / "0-filters-end.png", filters),
        },
        "softmax": {
            "filters_end": write_filters(target / "1-filters-end.png", filters[:2]),
            "classes": ["cat", "dog"],
        },
    }
    looks = {
        "plain": Look(0, "a", {"start": state(0.2, 0.0), "end": state(0.3, 0.25)}),
        "batch-norm": Look(0, "b", {"start": State(silent, silent), "end": state(0.2, None, 0.5)}),
        "swish": Look(0, "c", {"start": state(0.2, 0.0)}),
        "softmax": Look(0, "d", {"start": linear, "end": linear}),
    }
    about = {"version": 1, "batch": 128, "images": 256, "recipes": 5}
    write_inside(target, looks, about, pictures)
