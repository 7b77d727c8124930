"""Dropout: masks by name, whole batches and parts, nothing left out when nothing is learnt."""

import numpy as np
import torch
from tests.scratch.layers.case import Case, normal

from bakeoff.core.protocols import Position
from bakeoff.core.streams import Streams
from bakeoff.scratch.layers import Dropout, Layer

AT = Position(step=0, epoch=0, learning_rate=0.0)


class Masked(torch.nn.Module):
    """The mask of step 0, as a constant."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        kept = Dropout(0.4).mask(tuple(inputs.shape), AT)
        return inputs * torch.from_numpy(kept) / 0.6


CASES: dict[type[Layer], Case] = {Dropout: Case(lambda: Dropout(0.4), normal(6, 5), Masked())}


def named(path: str, seed: int = 0, rate: float = 0.4) -> Dropout:
    layer = Dropout(rate)
    layer.draw_from(Streams(seed), path)
    return layer


def test_masks_are_a_function_of_seed_path_and_step() -> None:
    mask = named("a").mask((50, 20), AT)
    np.testing.assert_array_equal(named("a").mask((50, 20), AT), mask)
    for other, at in (
        (named("b"), AT),
        (named("a", seed=1), AT),
        (named("a"), Position(1, 0, 0.0)),
    ):
        assert 0.3 < (other.mask((50, 20), at) != mask).mean() < 0.7


def test_a_part_gets_its_rows_of_the_whole_batchs_mask() -> None:
    layer = named("a")
    whole = layer.mask((7, 4, 3), AT)
    for first, last in ((0, 3), (3, 6), (6, 7)):
        at = Position(0, 0, 0.0, parts=3, first=first, examples=7)
        np.testing.assert_array_equal(layer.mask((last - first, 4, 3), at), whole[first:last])


def test_the_mean_stays() -> None:
    layer, ones = named("a", rate=0.3), np.ones((2000, 50), np.float32)
    outputs = layer.forward(ones, AT)
    assert outputs.dtype == np.float32
    assert set(np.unique(outputs)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs(outputs.mean() - 1) < 0.01


def test_nothing_is_left_out_when_nothing_is_learnt() -> None:
    inputs = normal(4, 3)
    assert named("a").forward(inputs) is inputs
    none = named("a", rate=0.0)
    assert none.forward(inputs, AT) is inputs
    assert none.backward(inputs) is inputs
