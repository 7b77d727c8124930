"""Every kind of scratch layer, with the case its own tests hold it against."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.scratch.layers.case import Case
from tests.scratch.layers.test_init import CASES as ALL_CASES

import bakeoff.scratch
from bakeoff.scratch.layers import Gru, Layer, Lstm, Rnn

Floats = NDArray[np.floating[Any]]

ONLY_NUMPY: set[type[Layer]] = {Gru, Lstm, Rnn}
"""Part of no network of a technique that computes elsewhere, so without a conversion."""
CASES = {kind: case for kind, case in ALL_CASES.items() if kind not in ONLY_NUMPY}

__all__ = ["CASES", "Case", "kinds", "passed"]


def kinds() -> set[type[Layer]]:
    """All layers to convert: classes of the scratch package that say what kind they are."""
    for module in pkgutil.walk_packages(bakeoff.scratch.__path__, "bakeoff.scratch."):
        importlib.import_module(module.name)
    return {
        kind
        for kind in _below(Layer)
        if hasattr(kind, "kind")
        and kind.__module__.startswith("bakeoff.")
        and kind not in ONLY_NUMPY
    }


def _below(kind: type[Layer]) -> Iterator[type[Layer]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def passed(layer: Layer, inputs: Floats, at: object) -> dict[str, Floats]:
    """What a scratch layer makes of its inputs, and its gradients under a drawn upstream one."""
    outputs = layer.forward(inputs, at).copy()  # type: ignore[arg-type]
    to_inputs = layer.backward(upstream_of(outputs))
    assert to_inputs is not None
    found = {"outputs": outputs, "to inputs": to_inputs}
    return found | layer.gradients | layer.averages


def upstream_of(outputs: Floats) -> Floats:
    """The gradient that comes from above."""
    return np.random.default_rng(3).standard_normal(outputs.shape)
