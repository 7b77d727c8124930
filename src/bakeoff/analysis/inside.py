"""What networks hold and what examples make of them, layer by layer, counted for the report.

Weights, and gradients of one training batch, are counted into bins at the start and at the end of
learning; activations of validation images tell which units are dead or saturated. Bins are shared
by all recipes and both moments, so that pictures of them can be laid side by side.

Dead units: Lu, Shin, Su and Karniadakis 2020, "Dying ReLU and initialization: theory and numerical
examples". Saturation: Glorot and Bengio 2010, "Understanding the difficulty of training deep
feedforward neural networks", whose figures 2 and 3 these are after.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.examples import Items
from bakeoff.core.files import write_atomic
from bakeoff.core.protocols import Batch, Inside

Floats = NDArray[np.floating[Any]]
Moment = Literal["start", "end"]
T = TypeVar("T")
NAME = "inside.json"
MOST_LAYERS = 8
"""Layers of a network that are counted: the first, the last, and evenly some between."""
MOST_ACTIVATIONS = 24
SAMPLE = 50_000
"""Numbers of a layer that are counted into bins; shares are of all of them."""
BINS = 41
"""Of weights, odd: zero lies in the middle of one."""
COVERED = 0.999
"""Share of the weights that bins reach to; those beyond count in the last one on their side."""
DECADES = (-12, 2)
"""Powers of ten that gradients are told apart in; beyond, they count in the last bin."""
PER_DECADE = 3
NEAR_ZERO = 1e-3
"""A weight of less than this is near zero."""
FLAT = 0.05
"""An output is saturated where the slope is less than this share of the steepest."""
SATURATING = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
"""Activations that level off on both sides, with their limits."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """The weights, or the gradients, of a layer.

    Attributes:
        some: (n,) float32, n at most `SAMPLE`, evenly chosen; finite.
        shape: Of all of them.
        rms: Root of their mean square.
        zero: Share that is exactly 0.
        near_zero: Share below `NEAR_ZERO`, those included.
    """

    some: Floats
    shape: tuple[int, ...]
    rms: float
    zero: float
    near_zero: float


@dataclass(frozen=True)
class Units:
    """What an activation gave for some images.

    Attributes:
        layer: Before the activation.
        kind: Of the activation.
        units: Of a fully connected layer; channels of a convolution.
        dead: Share of the units that were 0 for all images, at all places; None but for `relu`.
        zero: Share of the outputs that were 0; None but for `relu`.
        saturated: Share of the outputs at which the slope was less than `FLAT` of the steepest;
            None but for activations that level off on both sides.
    """

    layer: str
    kind: str
    units: int
    dead: float | None = None
    zero: float | None = None
    saturated: float | None = None


@dataclass(frozen=True, eq=False)
class State:
    """A network at one moment: by layer what it holds, and its activations in order."""

    weights: Mapping[str, Numbers] = field(default_factory=dict)
    gradients: Mapping[str, Numbers] = field(default_factory=dict)
    activations: Sequence[Units] = ()


@dataclass(frozen=True, eq=False)
class Look:
    """A recipe's network before and after learning; no end where it diverged at once.

    Attributes:
        seed: Of the cell.
        key: Of the cell.
        states: By moment.
    """

    seed: int
    key: str
    states: Mapping[Moment, State]


def look(network: Inside, batch: Batch, images: Items) -> State:
    """Count what is inside a network.

    Args:
        network: Opened.
        batch: Training examples, whose gradients are counted.
        images: Validation items that pass; there may be none.
    """
    weights = network.weights()
    chosen = spread(list(weights), MOST_LAYERS)
    gradients = network.gradients(batch)
    activations: list[Units] = []

    def watch(layer: str, kind: str, outputs: Floats) -> None:
        activations.append(units(layer, kind, outputs))

    if len(images):
        network.outputs(images, watch)
    return State(
        {name: numbers(weights[name]) for name in chosen},
        {name: numbers(gradients[name]) for name in chosen if name in gradients},
        spread(activations, MOST_ACTIVATIONS),
    )


def spread(entries: Sequence[T], most: int) -> list[T]:
    """So many of them at most, evenly: the first and the last among them."""
    if len(entries) <= most:
        return list(entries)
    places = np.linspace(0, len(entries) - 1, most).round().astype(int)
    return [entries[place] for place in places]


def numbers(values: Floats) -> Numbers:
    """Shares of all numbers, and an even choice of the finite ones."""
    flat = values.reshape(-1)
    finite = flat[np.isfinite(flat)]
    size = np.abs(finite)
    count = max(1, len(flat))
    chosen = np.linspace(0, len(finite) - 1, min(len(finite), SAMPLE)).round().astype(np.intp)
    return Numbers(
        some=finite[chosen].copy(),
        shape=values.shape,
        rms=float(np.sqrt(np.mean(np.square(finite, dtype=np.float64)))) if len(finite) else 0.0,
        zero=float(np.count_nonzero(size == 0) / count),
        near_zero=float(np.count_nonzero(size < NEAR_ZERO) / count),
    )


def units(layer: str, kind: str, outputs: Floats) -> Units:
    """What outputs (B, ..., units) say of the units that gave them."""
    flat = outputs.reshape(-1, outputs.shape[-1])
    count = flat.shape[1]
    if kind == "relu":
        off = flat == 0
        return Units(layer, kind, count, float(off.all(axis=0).mean()), float(off.mean()))
    if kind in SATURATING:
        low, high = SATURATING[kind]
        # Of tanh and of the sigmoid, slope over steepest slope is 1 - y^2, y scaled to -1..1.
        scaled = (flat - low) * (2 / (high - low)) - 1
        flat_there = 1 - np.square(scaled) < FLAT
        return Units(layer, kind, count, saturated=float(flat_there.mean()))
    return Units(layer, kind, count)


def write_inside(
    folder: Path,
    looks: Mapping[str, Look],
    about: Mapping[str, Any],
    pictures: Mapping[str, Any],
) -> None:
    """Write `inside.json` into a folder.

    Args:
        folder: `inside/` of the study's artifacts.
        looks: By recipe.
        about: What the report tells of how they were made, JSON-ready.
        pictures: What `pictures` wrote, by recipe.

    Raises:
        DiskError: where it cannot be written.
    """
    every = [state for one in looks.values() for state in one.states.values()]
    layers = dict.fromkeys(name for state in every for name in state.weights)
    edges = {name: weight_edges(s.weights[name] for s in every if name in s.weights)
             for name in layers}  # fmt: skip
    content = {
        "about": {**about, "near_zero": NEAR_ZERO, "flat": FLAT},
        "weight_limits": {name: _short(float(found[-1])) for name, found in edges.items()},
        "gradient_decades": [*DECADES, PER_DECADE],
        "recipes": {
            name: {
                "seed": one.seed,
                "key": one.key,
                **{moment: _state(state, edges) for moment, state in one.states.items()},
                "pictures": pictures.get(name),
            }
            for name, one in looks.items()
        },
    }
    text = json.dumps(content, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    write_atomic(folder / NAME, text.encode() + b"\n")


def weight_edges(found: Iterable[Numbers]) -> Floats:
    """The edges of `BINS` bins of equal width around zero, of a layer in all networks."""
    reaches = [float(np.quantile(np.abs(n.some), COVERED)) for n in found if len(n.some)]
    limit = max(reaches, default=0.0) or 1.0
    return np.linspace(-limit, limit, BINS + 1)


def weight_counts(values: Floats, edges: Floats) -> list[int]:
    """How many lie in each bin; those beyond count in the first or the last."""
    inside = np.clip(values.astype(np.float64), edges[0], edges[-1])
    return [int(n) for n in np.histogram(inside, edges)[0]]


def gradient_counts(values: Floats) -> list[int]:
    """Zeros first, then how many absolute values lie in each bin between powers of ten."""
    size = np.abs(values.astype(np.float64))
    zeros = int(np.count_nonzero(size == 0))
    low, high = DECADES
    edges = np.linspace(low, high, (high - low) * PER_DECADE + 1)
    powers = np.clip(np.log10(size[size > 0]), low, high)
    return [zeros, *(int(n) for n in np.histogram(powers, edges)[0])]


def _state(state: State, edges: Mapping[str, Floats]) -> dict[str, Any]:
    return {
        "weights": {
            name: _counted(own, weight_counts(own.some, edges[name]))
            for name, own in state.weights.items()
        },
        "gradients": {
            name: _counted(own, gradient_counts(own.some)) for name, own in state.gradients.items()
        },
        "activations": [_unit_row(one) for one in state.activations],
    }


def _counted(own: Numbers, counts: list[int]) -> dict[str, Any]:
    return {
        "shape": list(own.shape),
        "rms": _short(own.rms),
        "zero": _short(own.zero),
        "near_zero": _short(own.near_zero),
        "counts": counts,
    }


def _unit_row(one: Units) -> dict[str, Any]:
    shares = {"dead": one.dead, "zero": one.zero, "saturated": one.saturated}
    told = {name: _short(share) for name, share in shares.items() if share is not None}
    return {"layer": one.layer, "kind": one.kind, "units": one.units, **told}


def _short(value: float) -> float:
    """Six significant digits; what is no number is 0."""
    return float(f"{value:.6g}") if np.isfinite(value) else 0.0
