"""Affine layers, plain and behind a normalisation of their own."""

import numpy as np
import torch
from tests.scratch.layers.case import Case, normal

from bakeoff.scratch.layers import Affine, Layer, NormalisedAffine

SCALE, SHIFT = np.linspace(0.5, 2, 7), np.linspace(-1, 1, 7)


class ScaledLinear(torch.nn.Linear):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs * torch.from_numpy(SCALE) + torch.from_numpy(SHIFT))


CASES: dict[type[Layer], Case] = {
    Affine: Case(lambda: Affine(7, 4, np.float64), normal(5, 7), torch.nn.Linear(7, 4).double()),
    NormalisedAffine: Case(
        lambda: NormalisedAffine(SCALE, SHIFT, 4, np.float64),
        normal(5, 7),
        ScaledLinear(7, 4).double(),
    ),
}


def test_affine_counts() -> None:
    (row,) = Affine(3072, 512).profile("hidden-1", (3072,))
    assert row.parameters == row.trained_parameters == 3072 * 512 + 512
    assert row.macs == 3072 * 512
    assert row.weights == {"weight": (512, 3072), "bias": (512,)}
