"""The items on which recipes disagree: which, in which order, and what the report gets of them."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bakeoff.analysis.disagreements import TEXT_LENGTH, most_disputed, png, write_disagreements
from bakeoff.core.examples import Examples

CLASSES = ["cat", "dog", "owl"]
LABELS = np.array([0, 1, 2, 1])
IDS = np.array(["w", "x", "y", "z"])
Predicted = dict[str, NDArray[np.int64]]
PREDICTED: Predicted = {
    # Item 1 divides the recipes wholly, item 3 by one seed of three, items 0 and 2 not at all.
    "plain": np.array([[0, 0, 0, 1], [0, 2, 0, 1], [0, 2, 0, 1]]),
    "wide": np.array([[0, 1, 1, 1], [0, 1, 1, 0], [0, 1, 1, 1]]),
}


def images(channels: int) -> Examples:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, channels), dtype=np.uint8)
    return Examples(pixels, LABELS, IDS)


def rows(folder: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((folder / "disagreements.json").read_text())
    return content


def test_the_most_disputed_items_come_first() -> None:
    right = {name: (p == LABELS).astype(np.int64) for name, p in PREDICTED.items()}
    assert most_disputed(right) == [1, 3]
    assert most_disputed(right, count=1) == [1]


def test_of_equals_the_first_comes_first() -> None:
    right = {"a": np.array([[1, 0, 1, 0, 1]]), "b": np.array([[0, 1, 0, 0, 0]])}
    assert most_disputed(right) == [0, 1, 2, 4]
    assert most_disputed(right, count=2) == [0, 1]


def test_agreement_up_to_rounding_is_agreement() -> None:
    # The mean of equal floating-point numbers may be another number: then they vary.
    lengths = range(3, 30)
    right = [np.array([[1]] * k + [[0]] * (n - k)) for n in lengths for k in range(1, n)]
    varying = [r for r in right if np.array([r.mean()] * 3).var() > 0]
    assert varying
    assert all(most_disputed(dict.fromkeys("abc", r)) == [] for r in varying)


def test_recipes_with_other_numbers_of_seeds_are_compared_by_their_shares() -> None:
    assert most_disputed({"a": np.array([[1], [0]]), "b": np.array([[1], [1], [0], [0]])}) == []


def test_a_constant_guess_has_no_say_beside_recipes_that_learnt() -> None:
    right = {
        "majority": np.array([[1, 0, 0, 0, 0, 0]]),
        "plain": np.array([[0, 1, 1, 1, 1, 0]]),
        "wide": np.array([[0, 1, 1, 1, 1, 1]]),
    }
    assert most_disputed(right) == [5]
    assert most_disputed({name: right[name] for name in ("majority", "wide")}) == [0, 1, 2, 3, 4, 5]


def test_pictures_and_predictions_are_written(tmp_path: Path) -> None:
    test = images(3)
    write_disagreements(tmp_path, test, CLASSES, PREDICTED)
    assert rows(tmp_path)[0] == {
        "id": "x",
        "label": "dog",
        "image": "artifacts/disagreements/0.png",
        "text": None,
        "predictions": {
            "plain": {"prediction": "owl", "right": 0, "seeds": 3},
            "wide": {"prediction": "dog", "right": 3, "seeds": 3},
        },
    }
    assert [row["id"] for row in rows(tmp_path)] == ["x", "z"]
    assert sorted(p.name for p in (tmp_path / "disagreements").iterdir()) == ["0.png", "1.png"]
    picture = Image.open(tmp_path / "disagreements" / "1.png")
    assert np.array_equal(np.asarray(picture), np.asarray(test.items)[3])


def test_texts_are_cut(tmp_path: Path) -> None:
    texts = Examples(["a", "ü" * 1000, "c", "short"], LABELS, IDS)
    write_disagreements(tmp_path, texts, CLASSES, PREDICTED)
    found = rows(tmp_path)
    assert [row["text"] for row in found] == ["ü" * TEXT_LENGTH, "short"]
    assert all(row["image"] is None for row in found)
    assert not (tmp_path / "disagreements").exists()


def test_what_was_there_before_goes(tmp_path: Path) -> None:
    write_disagreements(tmp_path, images(1), CLASSES, PREDICTED)
    fewer = {"plain": PREDICTED["plain"][:, :], "wide": PREDICTED["plain"].copy()}
    fewer["wide"][:, 1] = 1
    write_disagreements(tmp_path, images(1), CLASSES, fewer)
    assert [p.name for p in (tmp_path / "disagreements").iterdir()] == ["0.png"]
    write_disagreements(tmp_path, images(1), CLASSES, {"plain": PREDICTED["plain"]})
    assert rows(tmp_path) == []
    assert not (tmp_path / "disagreements").exists()


def test_grey_and_coloured_images_survive_as_png() -> None:
    for channels in (1, 3):
        items = np.asarray(images(channels).items)
        back = np.asarray(Image.open(io.BytesIO(png(items, 2))))
        assert np.array_equal(back.reshape(items[2].shape), items[2])
