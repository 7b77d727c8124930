"""Products of few rows: the numbers of the layers, and nothing left behind."""

from typing import Any, cast

import pytest
import torch
from torch import nn

from bakeoff.models.thin_products import _pays, thin_products


def layer_of(kind: str, width: int, outputs: int, bias: bool = True) -> Any:
    from transformers.pytorch_utils import Conv1D

    torch.manual_seed(0)
    if kind == "linear":
        return nn.Linear(width, outputs, bias)
    layer: Any = cast(Any, Conv1D)(outputs, width)
    nn.init.normal_(layer.bias)
    return layer


@pytest.mark.parametrize("kind", ["linear", "conv1d"])
@pytest.mark.parametrize(("width", "outputs"), [(256, 256), (128, 512), (512, 128)])
@pytest.mark.parametrize("rows", [(1, 1), (2, 1), (1, 3), (4, 1), (7, 1), (3, 9), (0, 1)])
def test_numbers_are_those_of_the_layer(
    kind: str, width: int, outputs: int, rows: tuple[int, int]
) -> None:
    layer = layer_of(kind, width, outputs)
    inputs = torch.randn(*rows, width)
    with torch.inference_mode():
        expected = layer(inputs)
    with thin_products(nn.ModuleList([layer])), torch.inference_mode():
        found = layer(inputs)
    assert found.shape == expected.shape
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_without_a_bias() -> None:
    layer = layer_of("linear", 256, 256, bias=False)
    inputs = torch.randn(2, 256)
    with thin_products(layer), torch.no_grad():
        found = layer(inputs)
        torch.testing.assert_close(found, inputs @ layer.weight.T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["linear", "conv1d"])
def test_layers_are_what_they_were_in_the_end(kind: str) -> None:
    layer = layer_of(kind, 256, 256)
    inputs, weight = torch.randn(40, 256), layer.weight
    before, bits, strides = layer(inputs), weight.detach().clone(), weight.stride()
    with thin_products(layer):
        assert "forward" in vars(layer)
        torch.testing.assert_close(layer(inputs), before)
    with pytest.raises(RuntimeError, match="shape"), thin_products(layer):
        layer(inputs[:, 1:])
    assert "forward" not in vars(layer)
    assert layer.weight is weight
    assert weight.stride() == strides
    assert torch.equal(weight, bits)
    assert torch.equal(layer(inputs), before)


def test_small_layers_and_others_stay() -> None:
    rounded = nn.Linear(256, 256).bfloat16()
    module = nn.ModuleList([nn.Linear(8, 8), rounded, nn.Embedding(1000, 256), nn.Linear(256, 256)])
    with thin_products(module):
        assert ["forward" in vars(layer) for layer in module] == [False, False, False, True]


@pytest.mark.parametrize("threads", [1, 2])
def test_many_rows_are_left_to_the_layer(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert _pays(2, 576, 576)
    assert _pays(1, 576, 576)
    assert _pays(1, 2048, 2048) is (threads > 1)
    assert _pays(8, 1536, 576) is (threads > 1)
    assert not any(_pays(rows, 100_000, 576) for rows in (0, 9, 64))
    assert not _pays(5, 576, 576)
