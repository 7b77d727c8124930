"""Maps of vectors, written by what writes them in a run, beside a made-up run."""

import json
from pathlib import Path

import numpy as np

from bakeoff.analysis.spaces import Points, Space, write_spaces
from bakeoff.core.examples import Examples

COUNT, TRAIN = 60, 40
CLASSES = ("T-shirt", "Trouser", "Pullover")
LABELS = np.arange(COUNT) % 3
GENERATOR = np.random.default_rng(0)


def _examples(rows: slice) -> Examples:
    labels = LABELS[rows]
    images = GENERATOR.integers(0, 255, (len(labels), 14, 14, 1), np.uint8)
    return Examples(images, labels, np.arange(len(labels)).astype(np.str_))


def write_mapped(folder: Path) -> None:
    """Add spaces of `plain` and `swish` to a run folder, and one of `softmax` that collapsed."""
    target = folder / "artifacts" / "spaces"
    target.mkdir(parents=True, exist_ok=True)
    points = Points(_examples(slice(TRAIN)), _examples(slice(TRAIN, None)), CLASSES)
    vectors = (GENERATOR.normal(size=(COUNT, 6)) + 4 * np.eye(3, 6)[LABELS]).astype(np.float32)
    guesses = np.where(np.arange(COUNT) % 7 == 0, 0, LABELS)
    spaces = {
        "plain": Space(0, "a", vectors, guesses),
        "swish": Space(0, "b", 2 * vectors[:, ::-1], LABELS),
        "softmax": Space(0, "c", np.ones((COUNT, 2), np.float32), np.zeros(COUNT, np.int64)),
    }
    write_spaces(target, points, spaces, {"version": 1, "recipes": 3})


def write_distances(folder: Path, recipe: str) -> None:
    """Put distances into the curves of a recipe's cells."""
    for path in (folder / "cells" / recipe).glob("*/metrics.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for place, row in enumerate(rows):
            row |= {"train/positive_distance": 1 / (1 + place), "train/negative_distance": 1.25}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
