"""Vectors of other recipes: shared keys, refusals, saving."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.techniques.conftest import MemoryRun

from bakeoff.core.cache import shared_path
from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.protocols import TrainingData
from bakeoff.core.recipe import DeviceName, Numerics, Ref
from bakeoff.core.streams import Streams
from bakeoff.execution.run import CellRun
from bakeoff.techniques.encoders import (
    encode,
    encoder_of,
    finite,
    load_encoder,
    save_encoder,
)
from bakeoff.techniques.majority import Majority
from bakeoff.techniques.mlp import Mlp
from bakeoff.techniques.perceptrons import PerceptronPredictor
from bakeoff.training.observers import Silent

Cells = Callable[..., Cell]
NET = Ref(recipe="net")


@pytest.fixture
def encoder(digits: TrainingData, cell_of: Cells) -> PerceptronPredictor:
    cell = cell_of("mlp", model={"hidden": [8]}, training={"iterations": 5})
    return Mlp().fit(cell, digits, {}, MemoryRun(1))


def test_keys_say_encoder_data_split_and_part(
    digits: TrainingData, cell_of: Cells, encoder: PerceptronPredictor
) -> None:
    def keys(cell: Cell) -> set[str | None]:
        run = MemoryRun()
        encode(encoder, NET, cell, digits, run)
        encode(encoder, NET, cell, digits, run, "validation")
        assert set(run.solved) == {"encode", "encode-validation"}
        return set(run.solved.values())

    cell = cell_of("probe", inputs={"net": "0123456789abcdef"})
    others = [
        cell_of("probe", inputs={"net": "1123456789abcdef"}),
        replace(cell, data_hash="other"),
        replace(cell, split_hash="other"),
    ]
    found = keys(cell)
    assert len(found) == 2
    assert keys(cell_of("knn", inputs={"net": "0123456789abcdef"})) == found
    assert not any(keys(other) & found for other in others)
    assert keys(cell_of("probe")) == {None}, "outside of a study nothing is shared"


def test_a_second_recipe_reads_what_the_first_computed(
    digits: TrainingData,
    cell_of: Cells,
    encoder: PerceptronPredictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    cell = cell_of("probe", inputs={"net": "0123456789abcdef"})

    def run(name: str) -> CellRun:
        return CellRun(tmp_path / name, Streams(0), {}, True, Silent(), lambda: None)

    first = run("first")
    vectors = encode(encoder, NET, cell, digits, first)
    np.testing.assert_array_equal(vectors, encoder.represent(digits.train.items))
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 1

    class Unused:
        def represent(self, items: object) -> None:
            raise AssertionError("computed twice")

    second = run("second")
    again = encode(Unused(), NET, cell, digits, second)  # type: ignore[arg-type]
    np.testing.assert_array_equal(again, vectors)
    assert second.train_seconds == first.train_seconds, "who profits pays the price"
    assert shared_path("ab" * 8).is_relative_to(tmp_path)


def test_what_gives_no_vectors_is_refused(digits: TrainingData, cell_of: Cells) -> None:
    majority = Majority().fit(cell_of("majority"), digits, {}, MemoryRun())
    with pytest.raises(InputError, match=r"probe: encoder: .* recipe 'net' gives no vectors"):
        encoder_of(NET, {"net": majority}, "probe")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    vectors = np.zeros((3, 2), np.float32)
    assert finite(vectors, "knn") is vectors
    vectors[1, 1] = value
    with pytest.raises(InputError, match=r"knn: encoder: .*infinities or NaN; it has diverged"):
        finite(vectors, "knn")


def test_saved_and_loaded(
    digits: TrainingData, encoder: PerceptronPredictor, tmp_path: Path
) -> None:
    save_encoder(encoder, tmp_path)
    items = digits.validation.items
    np.testing.assert_array_equal(load_encoder(tmp_path).represent(items), encoder.represent(items))
    with pytest.raises(InputError, match="not a saved predictor"):
        load_encoder(tmp_path / "elsewhere")


def test_keys_say_the_device_where_it_is_no_cpu(
    digits: TrainingData, cell_of: Cells, encoder: PerceptronPredictor
) -> None:
    """Those of CPUs are what they were before."""

    def key(device: DeviceName) -> str | None:
        cell = cell_of("probe", inputs={"net": "0123456789abcdef"})
        recipe = cell.recipe.model_copy(update={"numerics": Numerics(device=device)})
        run = MemoryRun()
        encode(encoder, NET, replace(cell, recipe=recipe), digits, run)
        return run.solved["encode"]

    cell = cell_of("probe", inputs={"net": "0123456789abcdef"})
    before = {"vectors of": "0123456789abcdef", "data": cell.data_hash, "split": cell.split_hash}
    assert key("cpu") == digest(canonical_json(before))[:16]
    assert key("cuda") != key("cpu")
