"""Tensors as arrays and back."""

import numpy as np
import pytest
import torch
from torch import nn

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import State
from bakeoff.training.torch.arrays import copy_into, named_tensors, to_arrays


def module() -> nn.Module:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    return layers.to(memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


def test_parameters_and_buffers_by_path() -> None:
    assert set(named_tensors(module())) == {
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    }


def test_arrays_are_copies_in_c_order_and_go_back_exactly() -> None:
    first, second = module(), module()
    arrays = to_arrays(named_tensors(first))
    assert all(a.flags.c_contiguous and a.flags.owndata for a in arrays.values())
    copy_into(named_tensors(second), arrays)
    for name, tensor in named_tensors(second).items():
        assert torch.equal(tensor, named_tensors(first)[name])
    with torch.no_grad():
        first.get_parameter("0.weight").zero_()
    assert arrays["0.weight"].any()


def test_a_single_number_may_come_back_with_an_axis() -> None:
    """Files hold 0-d arrays as arrays of length 1."""
    target = torch.zeros(())
    copy_into({"count": target}, {"count": np.ones(1, np.float32)})
    assert target.item() == 1


@pytest.mark.parametrize(
    ("arrays", "fault"),
    [
        ({}, "x: missing"),
        ({"x": np.zeros(2, np.float32), "y": np.zeros(1)}, "y: unknown"),
        ({"x": np.zeros((2, 1), np.float32)}, r"x: \(2, 1\) float32 received, \(2,\) float32"),
        ({"x": np.zeros(2)}, r"x: \(2,\) float64 received"),
    ],
)
def test_what_does_not_fit_is_named(arrays: State, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        copy_into({"x": torch.zeros(2)}, arrays)
