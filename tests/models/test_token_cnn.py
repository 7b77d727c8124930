"""Filters over token vectors: sizes, padding, windows at the ends."""

import numpy as np
import pytest
import torch
from torch import Tensor

from bakeoff.models.macs import profile
from bakeoff.models.token_cnn import Filters, TokenCnn

D, F = 6, 4


def network(widths: tuple[int, ...] = (2, 3, 5)) -> TokenCnn:
    torch.manual_seed(0)
    filters = Filters(torch.randn(D), torch.rand(D) + 0.5, widths, F)
    return TokenCnn(filters, F * len(widths), 3, 0.5).eval()


def inputs(length: int, width: int, filling: float = 0.0) -> Tensor:
    """One text of `length` tokens in `width` places; what stands behind it is `filling`."""
    generator = torch.Generator().manual_seed(1)
    made = torch.full((1, width, D + 1), filling)
    made[0, :length, :-1] = torch.randn((length, D), generator=generator)
    made[0, :, -1] = 0
    made[0, :length, -1] = 1
    return made


@pytest.mark.parametrize("length", [1, 2, 4, 9])
@pytest.mark.parametrize("filling", [0.0, 1e4, float("nan")])
def test_neither_padding_nor_what_stands_in_it_counts(length: int, filling: float) -> None:
    model = network()
    alone = model(inputs(length, length))
    padded = model(inputs(length, length + 7, filling))
    np.testing.assert_allclose(padded.detach(), alone.detach(), atol=1e-6)


def test_the_greatest_output_over_all_windows_by_hand() -> None:
    """Every token is the middle of a window; beyond the text it sees zeros."""
    model, text = network((3,)), inputs(4, 6)
    filters = model.filters
    standard = ((text[0, :4, :-1] - filters.mean) / filters.sd).detach()
    beyond = torch.zeros((1, D))
    around = torch.cat([beyond, standard, beyond])
    convolution = filters.of_width["3"]
    weight, bias = convolution.weight.detach(), convolution.bias.detach()  # type: ignore[operator]
    windows = torch.stack([around[i : i + 3].T for i in range(4)])  # (4, D, 3)
    wanted = (torch.einsum("ndw,fdw->nf", windows, weight) + bias).relu().amax(dim=0)
    np.testing.assert_allclose(model.features(text)[0].detach(), wanted, atol=1e-5)


def test_parameters_and_products() -> None:
    rows = profile(network(), (7, D + 1))
    assert sum(row.parameters for row in rows) == sum(
        D * width * F + F for width in (2, 3, 5)
    ) + 3 * (3 * F + 1)
    assert sum(row.macs for row in rows) == 7 * D * F * (2 + 3 + 5) + 3 * 3 * F
