"""What is written of encoders' vectors: maps, a sheet of pictures, neighbours, collapse."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tests.techniques.conftest import numbered

from bakeoff.analysis.spaces import (
    ACROSS,
    NAME,
    TILE,
    Points,
    Space,
    described,
    nearest_rows,
    sheet,
    write_spaces,
)
from bakeoff.core.examples import Examples

GENERATOR = np.random.default_rng(0)
LABELS = np.arange(60) % 3
VECTORS = (GENERATOR.normal(size=(60, 5)) + 5 * np.eye(3, 5)[LABELS]).astype(np.float32)
GUESSES = np.where(np.arange(60) == 4, 0, LABELS)


def pictures(count: int) -> np.ndarray:
    return GENERATOR.integers(0, 256, (count, 12, 12, 1), np.uint8)


def points(texts: bool = False) -> Points:
    if texts:
        words = [f"text {i} " + "long " * 60 for i in range(60)]
        ids = np.arange(60).astype(np.str_)
        parts = (Examples(words[:40], LABELS[:40], ids[:40]),
                 Examples(words[40:], LABELS[40:], ids[40:]))  # fmt: skip
    else:
        parts = numbered(pictures(40), LABELS[:40]), numbered(pictures(20), LABELS[40:])
    return Points(*parts, ("cat", "dog", "cow"))


def written(folder: Path, of: Points, **spaces: Space) -> dict[str, Any]:
    write_spaces(folder, of, spaces, {"version": 1})
    found: dict[str, Any] = json.loads((folder / NAME).read_bytes())
    return found


def test_everything_of_images(tmp_path: Path) -> None:
    space = Space(3, "key", VECTORS, GUESSES)
    content = written(tmp_path, points(), net=space)
    assert content["classes"] == ["cat", "dog", "cow"]
    assert content["points"]["labels"] == LABELS.tolist()
    assert content["points"]["train"] == 40
    row = content["recipes"]["net"]
    assert (row["seed"], row["key"], row["collapsed"], row["dimension"]) == (3, "key", False, 5)
    for method in ("tsne", "pca"):
        found = row["maps"][method]
        assert len(found["x"]) == len(found["y"]) == 60
        assert max(map(abs, found["x"] + found["y"])) == 1
        assert 0.8 < found["trustworthiness"] <= 1
        assert 0 < found["kept"] <= 1
    assert row["alignment"] > 0 > row["uniformity"]
    assert np.shape(row["distances"]) == (3, 3)
    strips = row["strips"]
    assert strips["queries"] == ["dog", "cow", "cat"]
    assert min(strips["same"]) >= 6
    assert strips["shown"] == 8
    for name, size in ((strips["file"], (strips["width"], 76)), ("sheet.png", (500, 60))):
        with Image.open(tmp_path / name) as picture:
            assert picture.size == size


def test_texts_have_no_pictures(tmp_path: Path) -> None:
    content = written(tmp_path, points(texts=True), net=Space(0, "k", VECTORS, GUESSES))
    assert content["points"]["sheet"] is None
    assert len(content["points"]["texts"]) == 60
    assert max(map(len, content["points"]["texts"])) == 160
    assert "strips" not in content["recipes"]["net"]
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_one_point_has_no_map(tmp_path: Path) -> None:
    collapsed = Space(0, "k", np.full((60, 5), 2, np.float32), GUESSES)
    row = written(tmp_path, points(), net=collapsed)["recipes"]["net"]
    assert row["collapsed"]
    assert row["maps"] == {}
    assert "distances" not in row
    assert not described(Space(0, "k", VECTORS, GUESSES), LABELS, 3)["collapsed"]


def test_few_points_have_a_smaller_perplexity() -> None:
    few = Space(0, "k", VECTORS[:13], GUESSES[:13])
    assert len(described(few, LABELS[:13], 3)["maps"]["tsne"]["x"]) == 13


def test_the_sheet_has_few_colours_and_every_picture() -> None:
    shades = np.repeat(np.linspace(0, 250, 30).astype(np.uint8), 16 * 16 * 3)
    with Image.open(io.BytesIO(sheet(shades.reshape(30, 16, 16, 3)))) as made:
        assert made.mode == "P"
        pixels = np.asarray(made.convert("RGB")).astype(int)
    for place in range(30):
        row, column = divmod(place, ACROSS)
        middle = pixels[row * TILE + TILE // 2, column * TILE + TILE // 2]
        assert np.abs(middle - np.linspace(0, 250, 30)[place]).max() < 8


def test_neighbours_are_the_nearest() -> None:
    found = nearest_rows(VECTORS[:2], VECTORS, 3)
    assert found[:, 0].tolist() == [0, 1]
    distances = np.linalg.norm(VECTORS - VECTORS[0], axis=1)
    assert found[0].tolist() == np.argsort(distances)[:3].tolist()
