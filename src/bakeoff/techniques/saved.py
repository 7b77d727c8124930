"""Saved predictors: arrays as safetensors, the rest as JSON. Nothing is ever unpickled."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items
from bakeoff.core.files import pretty_json, write_atomic
from bakeoff.core.protocols import Arrays

MODEL, STATE = "model.safetensors", "state.json"


def write_predictor(folder: Path, arrays: Arrays, state: dict[str, Any]) -> None:
    """Write `model.safetensors` and `state.json` into an existing folder.

    Args:
        folder: Of the predictor.
        arrays: Its numbers.
        state: All else, JSON-ready; `technique` says who reads it back.

    Raises:
        DiskError: where they cannot be written.
    """
    write_atomic(folder / MODEL, save({n: np.ascontiguousarray(a) for n, a in arrays.items()}))
    write_atomic(folder / STATE, pretty_json(state))


def read_state(folder: Path) -> dict[str, Any]:
    """What `state.json` says.

    Raises:
        InputError: where it is missing, unreadable, or does not name its technique.
    """
    path = folder / STATE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a saved predictor: {error}") from None
    if not isinstance(state, dict) or not isinstance(state.get("technique"), str):
        raise InputError(f"{path}: not a saved predictor: it names no technique")
    return state


def read_predictor(folder: Path, technique: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the state of a predictor that `technique` saved.

    Raises:
        InputError: where they are missing, unreadable, or another technique's.
    """
    state = read_state(folder)
    if state["technique"] != technique:
        raise InputError(
            f"{folder}: saved by the technique '{state['technique']}', not by '{technique}'"
        )
    path = folder / MODEL
    try:
        return load(path.read_bytes()), state
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a saved predictor: {error}") from None


def numbers(items: Items, size: int, technique: str) -> NDArray[np.float64]:
    """Items as rows of as many finite numbers as a predictor was fitted on.

    Args:
        items: What was received.
        size: D.
        technique: Named in the message.

    Returns:
        `items` itself: (N, D) float64.

    Raises:
        InputError: where they are something else.
    """
    needed = f"rows of {size} finite numbers (N, {size}) float64 needed"
    if not isinstance(items, np.ndarray):
        raise InputError(f"{technique}: {needed}, {type(items).__name__} received")
    if items.dtype != np.float64 or items.shape[1:] != (size,):
        raise InputError(f"{technique}: {needed}, {items.shape} {items.dtype} received")
    if not np.isfinite(items).all():
        raise InputError(f"{technique}: {needed}, NaN or infinite ones received")
    return items


def images(items: Items, shape: tuple[int, ...], technique: str) -> NDArray[np.uint8]:
    """Items as images of the shape a predictor was fitted on.

    Args:
        items: What was received.
        shape: (H, W, C).
        technique: Named in the message.

    Returns:
        `items` itself: (N, H, W, C) uint8.

    Raises:
        InputError: where they are something else.
    """
    needed = f"images (N, {', '.join(map(str, shape))}) uint8"
    if not isinstance(items, np.ndarray):
        raise InputError(f"{technique}: {needed} needed, {type(items).__name__} received")
    if items.dtype != np.uint8 or items.shape[1:] != shape:
        raise InputError(f"{technique}: {needed} needed, {items.shape} {items.dtype} received")
    return items


def texts_of(items: Items, technique: str) -> Sequence[str]:
    """Items as texts.

    Raises:
        InputError: where they are something else.
    """
    if isinstance(items, np.ndarray):
        raise InputError(f"{technique}: texts needed, {items.shape} {items.dtype} received")
    return items
