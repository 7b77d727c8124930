"""Saved predictors come back exactly, and what is none is refused; item checks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.errors import InputError
from bakeoff.techniques.saved import images, read_predictor, read_state, texts_of, write_predictor

ARRAYS: dict[str, NDArray[Any]] = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "b": np.array([7], np.int64),
}


def test_round_trip(tmp_path: Path) -> None:
    write_predictor(tmp_path, ARRAYS, {"technique": "mlp", "hidden": [3]})
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "state.json"}
    arrays, state = read_predictor(tmp_path, "mlp")
    assert state == {"technique": "mlp", "hidden": [3]}
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], values)
        assert arrays[name].dtype == values.dtype


def test_another_techniques_predictor_is_refused(tmp_path: Path) -> None:
    write_predictor(tmp_path, ARRAYS, {"technique": "mlp"})
    with pytest.raises(InputError, match="saved by the technique 'mlp', not by 'softmax'"):
        read_predictor(tmp_path, "softmax")


def test_what_is_no_predictor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a saved predictor"):
        read_state(tmp_path)
    (tmp_path / "state.json").write_text("[1]")
    with pytest.raises(InputError, match="names no technique"):
        read_state(tmp_path)
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(InputError, match=r"state\.json: not a saved predictor"):
        read_state(tmp_path)
    write_predictor(tmp_path, ARRAYS, {"technique": "mlp"})
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x04cbuiltins\neval\n")
    with pytest.raises(InputError, match=r"model\.safetensors: not a saved predictor"):
        read_predictor(tmp_path, "mlp")


def test_images_of_the_right_shape_pass() -> None:
    items = np.zeros((2, 4, 3, 1), np.uint8)
    assert images(items, (4, 3, 1), "mlp") is items


@pytest.mark.parametrize(
    ("items", "received"),
    [
        (np.zeros((2, 4, 4, 1), np.uint8), r"\(2, 4, 4, 1\) uint8 received"),
        (np.zeros((4, 3, 1), np.uint8), r"\(4, 3, 1\) uint8 received"),
        (np.zeros((2, 4, 3, 1), np.float32), r"\(2, 4, 3, 1\) float32 received"),
        (["a text"], "list received"),
    ],
)
def test_other_items_are_refused(items: object, received: str) -> None:
    with pytest.raises(InputError, match=r"mlp: images \(N, 4, 3, 1\) uint8 needed, " + received):
        images(items, (4, 3, 1), "mlp")  # type: ignore[arg-type]


def test_arrays_are_no_texts() -> None:
    assert texts_of(["a", "b"], "it") == ["a", "b"]
    with pytest.raises(InputError, match=r"it: texts needed, \(2, 3\) float64 received"):
        texts_of(np.zeros((2, 3)), "it")
