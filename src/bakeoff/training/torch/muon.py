"""Orthogonalised updates: Muon.

The update of a weight, seen as a matrix (outputs, inputs), is replaced by one with the same left
and right singular vectors and singular values near 1. They are not found: an odd polynomial of the
matrix moves all of them at once, and takes nothing but matrix products (Newton and Schulz).
Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
"""

from collections.abc import Sequence

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic `a x + b x^3 + c x^5`, Jordan's: the steepest at 0, so that small singular values
grow fast; in exchange they end up between 0.7 and 1.2 or so, not at 1."""
STEPS = 5
EPSILON = 1e-7


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices with singular values moved near 1, the singular vectors kept.

    Products are computed in the precision of an `autocast` around the call.

    Args:
        matrices: (N, R, C) float32; a matrix of zeros stays one.

    Returns:
        (N, R, C) float32.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices  # products of rows: the shorter side
    # By the Frobenius norm, which is no less than the greatest singular value.
    x = x / torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True).clamp(min=EPSILON)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        gram = torch.bmm(x, x.mT)
        even = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, even, x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


def directions(updates: Sequence[Tensor]) -> list[Tensor]:
    """Each update (outputs, ...) orthogonalised as a matrix (outputs, rest).

    They are `sqrt(max(1, outputs / rest))` long, as Jordan's, so that rates mean the same for all
    shapes. Those of one shape pass together: many small products cost as much as a few.
    """
    alike: dict[tuple[int, int], list[int]] = {}
    matrices = [update.flatten(1) for update in updates]
    for place, matrix in enumerate(matrices):
        alike.setdefault((matrix.shape[0], matrix.shape[1]), []).append(place)
    found = list(updates)
    for (outputs, rest), places in alike.items():
        stack = orthogonalised(torch.stack([matrices[place] for place in places]))
        stack = stack * max(1.0, outputs / rest) ** 0.5
        for place, matrix in zip(places, stack, strict=True):
            found[place] = matrix.view(updates[place].shape)
    return found
