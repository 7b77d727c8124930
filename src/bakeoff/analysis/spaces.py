"""The vectors of encoders for the report: maps, neighbours, distances of classes."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.analysis.disagreements import png
from bakeoff.analysis.pictures import LARGEST, grid
from bakeoff.analysis.projections import (
    alignment,
    class_distances,
    neighbours_kept,
    pca,
    trustworthiness,
    tsne,
    uniformity,
)
from bakeoff.core.collapse import Precision, at_one_point
from bakeoff.core.examples import Examples, Items
from bakeoff.core.files import pretty_json, write_atomic

Vectors = NDArray[np.float32]
Pixels = NDArray[np.uint8]
NAME = "spaces.json"
PERPLEXITY = 30.0
SEED = 0
K = 10
"""Neighbours that count for how far a picture can be trusted."""
TILE, ACROSS, COLOURS = 20, 25, 64
"""Pixels a side of a small picture, pictures in a row of the sheet, colours of the sheet."""
TEXT_LENGTH = 160
QUERIES, STRIP = 6, 8
"""Validation items whose neighbours are shown, and how many of these."""


@dataclass(frozen=True, eq=False)
class Points:
    """The examples that are shown: training examples first, then those that validate.

    Args:
        train: Some training examples.
        validation: Some of the examples that validate.
        classes: The K class names.
    """

    train: Examples
    validation: Examples
    classes: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) of all."""
        return np.concatenate([self.train.labels, self.validation.labels])

    def items(self) -> tuple[Items, Items]:
        """Of both."""
        return self.train.items, self.validation.items


@dataclass(frozen=True, eq=False)
class Space:
    """What an encoder makes of the points.

    Args:
        seed: Of its cell.
        key: Of its cell.
        vectors: (N, D), training examples first; finite.
        guesses: (N,) the classes its own predictor gives.
        precision: In which the vectors were computed.
    """

    seed: int
    key: str
    vectors: Vectors
    guesses: NDArray[np.int64]
    precision: Precision = "float32"


def write_spaces(
    folder: Path, points: Points, spaces: Mapping[str, Space], about: Mapping[str, Any]
) -> None:
    """Write `spaces.json` and its pictures into a folder.

    Args:
        folder: `spaces/` of the study's artifacts.
        points: That are shown.
        spaces: By recipe.
        about: What the report tells of how they were made, JSON-ready.

    Raises:
        DiskError: where they cannot be written.
    """
    images = isinstance(points.train.items, np.ndarray)
    count = len(points.train)
    told: dict[str, Any] = {"labels": points.labels.tolist(), "train": count, "sheet": None}
    if images:
        both = np.concatenate([np.asarray(items) for items in points.items()])
        write_atomic(folder / "sheet.png", sheet(both))
        told["sheet"] = {"file": "sheet.png", "tile": TILE, "across": ACROSS}
    else:
        told["texts"] = [str(t)[:TEXT_LENGTH] for items in points.items() for t in items]
    recipes: dict[str, Any] = {}
    for number, (name, space) in enumerate(spaces.items()):
        row = described(space, points.labels, len(points.classes))
        if images and not row["collapsed"]:
            row["strips"] = _write_strips(folder / f"{number}-neighbours.png", points, space)
        recipes[name] = {"seed": space.seed, "key": space.key, **row}
    content = {
        "about": {**about, "perplexity": perplexity_of(len(points.labels)), "seed": SEED, "k": K},
        "classes": list(points.classes),
        "points": told,
        "recipes": recipes,
    }
    write_atomic(folder / NAME, pretty_json(content))


def described(space: Space, labels: NDArray[np.int64], classes: int) -> dict[str, Any]:
    """What is told of one encoder's vectors, JSON-ready."""
    vectors = space.vectors.astype(np.float64)
    collapsed = at_one_point(vectors, space.precision)
    row: dict[str, Any] = {
        "collapsed": collapsed,
        "dimension": vectors.shape[1],
        "guesses": space.guesses.tolist(),
        "alignment": alignment(vectors, labels),
        "uniformity": uniformity(vectors),
        "maps": {},
    }
    if collapsed:
        return row
    distances = class_distances(vectors, labels, classes)
    row["distances"] = [
        [None if np.isnan(value) else round(float(value), 4) for value in line]
        for line in distances
    ]
    perplexity = perplexity_of(len(vectors))
    for name, places in (("tsne", tsne(vectors, perplexity, SEED)), ("pca", pca(vectors))):
        ends = places.min(axis=0), places.max(axis=0)
        scaled = (places - (ends[0] + ends[1]) / 2) / ((ends[1] - ends[0]).max() / 2 or 1.0)
        row["maps"][name] = {
            "x": [round(float(x), 4) for x in scaled[:, 0]],
            "y": [round(float(y), 4) for y in scaled[:, 1]],
            "trustworthiness": trustworthiness(vectors, places, K),
            "kept": neighbours_kept(vectors, places, K),
        }
    return row


def perplexity_of(points: int) -> float:
    """`PERPLEXITY`, or what so many points allow."""
    return min(PERPLEXITY, (points - 1) / 3)


def sheet(images: Pixels) -> bytes:
    """Small pictures (N, H, W, C) side by side, `ACROSS` in a row, as a PNG of few colours."""
    from PIL import Image

    rows = -(-len(images) // ACROSS)
    whole = Image.new("RGB", (ACROSS * TILE, rows * TILE))
    for place, image in enumerate(images):
        pixels = image if image.shape[2] == 3 else np.repeat(image[..., :1], 3, axis=2)
        small = Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.BOX)
        whole.paste(small, (place % ACROSS * TILE, place // ACROSS * TILE))
    stream = io.BytesIO()
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(stream, "png", optimize=True)
    return stream.getvalue()


def nearest_rows(queries: Vectors, others: Vectors, k: int) -> NDArray[np.intp]:
    """(Q, k) the nearest of the others to each query."""
    left, right = queries.astype(np.float64), others.astype(np.float64)
    table = np.square(left[:, None, :] - right[None, :, :]).sum(axis=2)
    return np.argsort(table, axis=1, kind="stable")[:, :k]


def _write_strips(path: Path, points: Points, space: Space) -> dict[str, Any]:
    """A row for each query: the item itself, a gap, and its nearest training examples."""
    count, labels = len(points.train), points.validation.labels
    chosen = _of_all_classes(labels)
    queries = space.vectors[count:][chosen]
    found = nearest_rows(queries, space.vectors[:count], min(STRIP, count))
    train, validation = (np.asarray(items) for items in points.items())
    rows: list[Sequence[Pixels | None]] = [
        [_tile(validation[query]), None, *(_tile(train[row]) for row in own)]
        for query, own in zip(chosen, found, strict=True)
    ]
    canvas = grid(rows)
    path.write_bytes(png(canvas[np.newaxis], 0))
    return {
        "file": path.name,
        "width": canvas.shape[1],
        "queries": [points.classes[label] for label in labels[chosen]],
        "same": [
            int((points.train.labels[own] == label).sum())
            for own, label in zip(found, labels[chosen], strict=True)
        ],
        "shown": found.shape[1],
    }


def _of_all_classes(labels: NDArray[np.int64]) -> NDArray[np.intp]:
    """Places of the first items of as many classes as can be, `QUERIES` at most."""
    firsts = np.sort(np.unique(labels, return_index=True)[1])
    return firsts[:QUERIES]


def _tile(image: Pixels) -> Pixels:
    """(h, w, 3), large ones thinned out."""
    thin = -(-max(image.shape[:2]) // LARGEST)
    small = image[::thin, ::thin]
    return small if small.shape[2] == 3 else np.repeat(small[..., :1], 3, axis=2)
