"""Layers made of layers: paths, averages, streams."""

import numpy as np

from bakeoff.core.protocols import Position
from bakeoff.core.streams import Streams
from bakeoff.scratch.layers import Affine, BatchNorm, Dropout
from bakeoff.scratch.layers.composite import Composite


class Pair(Composite):
    kind = "pair"


def test_arrays_are_the_childrens_by_path() -> None:
    affine, norm = Affine(3, 2), BatchNorm(2)
    outer = Pair({"inner": Pair({"a": affine}), "norm": norm})
    assert outer.parameters["inner.a.weight"] is affine.parameters["weight"]
    assert outer.gradients["norm.bias"] is norm.gradients["bias"]
    assert outer.averages["norm.running_var"] is norm.averages["running_var"]
    assert outer.weights == {"inner.a.weight": (3, 2)}
    assert not outer.splittable
    assert Pair({"a": affine}).splittable


def test_streams_are_named_by_path() -> None:
    deep, alone = Dropout(), Dropout()
    Pair({"body": Pair({"drop": deep})}).draw_from(Streams(5), "")
    alone.draw_from(Streams(5), "body.drop")
    at = Position(3, 0, 0.0)
    np.testing.assert_array_equal(deep.mask((9, 9), at), alone.mask((9, 9), at))
