"""The test items on which recipes disagree, as pictures or texts, for the report."""

import io
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import shown
from bakeoff.core.examples import Examples, Items
from bakeoff.core.files import new_folder, pretty_json, write_atomic

COUNT = 24
TEXT_LENGTH = 400


def most_disputed(predictions: Mapping[str, NDArray[np.int64]], count: int = COUNT) -> list[int]:
    """The items whose predictions differ most between recipes that are worth comparing.

    Dispute is the variance, between recipes, of the share of seeds that were right; among equals,
    the item with the smaller index comes first. Items on which all agree are left out. Recipes
    less than half as good as the best have no say, where two others are left: the items that only
    a constant guess gets wrong tell nothing.

    Args:
        predictions: (n, m) 1 where right, else 0, for n seeds and m items, by recipe.
        count: How many at most.
    """
    shares = np.stack([right.mean(axis=0) for right in predictions.values()])
    worthy = shares.mean(axis=1) >= shares.mean(axis=1).max() / 2
    if worthy.sum() > 1:
        shares = shares[worthy]
    dispute = shares.var(axis=0).round(12)  # equal shares vary by rounding alone
    order = np.lexsort((np.arange(len(dispute)), -dispute))
    return [int(i) for i in order[:count] if dispute[i] > 0]


def write_disagreements(
    folder: Path,
    test: Examples,
    classes: Sequence[str],
    predictions: Mapping[str, NDArray[np.int64]],
) -> None:
    """Write `disagreements.json` and pictures into the artifacts of a study.

    Args:
        folder: The study's `artifacts/`.
        test: The m test examples.
        classes: Names.
        predictions: (n, m) predicted classes for n seeds, by recipe.
    """
    right = {name: (p == test.labels).astype(np.int64) for name, p in predictions.items()}
    chosen = most_disputed(right) if len(right) > 1 else []
    pictures = folder / "disagreements"
    images = isinstance(test.items, np.ndarray)
    if images and chosen:
        with new_folder(pictures) as partial:
            for number, index in enumerate(chosen):
                (partial / f"{number}.png").write_bytes(png(test.items, index))
    else:
        shutil.rmtree(pictures, ignore_errors=True)
    rows: list[dict[str, Any]] = []
    for number, index in enumerate(chosen):
        row: dict[str, Any] = {
            "id": str(test.ids[index]),
            "label": classes[test.labels[index]],
            "image": f"artifacts/disagreements/{number}.png" if images else None,
            "text": None if images else shown(test.items[index][:TEXT_LENGTH]),
            "predictions": {},
        }
        for name, guesses in predictions.items():
            counts = np.bincount(guesses[:, index], minlength=len(classes))
            row["predictions"][name] = {
                "prediction": classes[int(counts.argmax())],
                "right": int(right[name][:, index].sum()),
                "seeds": len(guesses),
            }
        rows.append(row)
    write_atomic(folder / "disagreements.json", pretty_json(rows))


def png(items: Items, index: int) -> bytes:
    """One image as PNG."""
    from PIL import Image

    pixels = np.asarray(items[index], dtype=np.uint8)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    stream = io.BytesIO()
    image.save(stream, "png", optimize=False)
    return stream.getvalue()
