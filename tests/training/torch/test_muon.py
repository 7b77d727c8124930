"""Orthogonalised updates: against singular values in float64, and against torch's own Muon."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Muon

from bakeoff.training.torch.muon import COEFFICIENTS, STEPS, directions, orthogonalised

SHAPES = [(6, 6), (5, 9), (12, 4), (1, 7), (64, 27)]


def matrices(shape: tuple[int, int], count: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator)


def by_singular_values(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The polynomial of each singular value by itself, in float64."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values = values / np.linalg.norm(matrix)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        values = a * values + b * values**3 + c * values**5
    return np.asarray((left * values) @ right)


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_go_through_the_polynomial_and_vectors_stay(shape: tuple[int, int]) -> None:
    given = matrices(shape)
    for before, after in zip(given, orthogonalised(given), strict=True):
        expected = by_singular_values(before.double().numpy())
        np.testing.assert_allclose(after.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_they_end_near_one(shape: tuple[int, int]) -> None:
    """For every value of more than a thousandth of the norm, as it is in float64."""
    values = torch.linalg.svdvals(orthogonalised(matrices(shape).double()))
    assert values.min() > 0.3
    assert values.max() < 1.3
    start = torch.logspace(-3, 0, 500, dtype=torch.float64)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        start = a * start + b * start**3 + c * start**5
    assert start.max() < 1.25
    assert start[start.numel() // 6 :].min() > 0.6


def test_size_does_not_matter_and_zero_stays() -> None:
    given = matrices((5, 9))
    torch.testing.assert_close(orthogonalised(1e-4 * given), orthogonalised(given))
    assert not orthogonalised(torch.zeros(2, 5, 9)).any()


def test_a_transposed_matrix_gives_the_transposed_result() -> None:
    given = matrices((5, 9))
    assert torch.equal(orthogonalised(given.mT.contiguous()).mT, orthogonalised(given))


def test_products_are_in_the_precision_around_the_call() -> None:
    given = matrices((8, 16))
    with torch.autocast("cpu", torch.bfloat16):
        coarse = orthogonalised(given)
    fine = orthogonalised(given)
    assert coarse.dtype == torch.float32
    assert not torch.equal(coarse, fine)
    assert (coarse - fine).abs().max() < 0.05


def test_weights_of_any_shape_pass_together_and_apart_alike() -> None:
    shapes = [(8, 3, 3, 3), (8, 27), (8, 3, 3, 3), (16, 8), (10,) * 2]
    generator = torch.Generator().manual_seed(0)
    updates = [torch.randn(shape, generator=generator) for shape in shapes]
    found = directions(updates)
    for update, direction in zip(updates, found, strict=True):
        assert direction.shape == update.shape
        (alone,) = directions([update])
        torch.testing.assert_close(direction, alone, rtol=1e-5, atol=1e-6)
        outputs, rest = update.flatten(1).shape
        expected = by_singular_values(update.flatten(1).double().numpy())
        expected *= max(1.0, outputs / rest) ** 0.5
        np.testing.assert_allclose(direction.flatten(1).numpy(), expected, atol=2e-5)


def test_memory_formats_make_no_difference() -> None:
    update = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    (plain,) = directions([update])
    (other,) = directions([update.to(memory_format=torch.channels_last)])
    assert torch.equal(plain, other)


def test_it_is_torchs_within_the_precision_that_torch_computes_in() -> None:
    """torch.optim.Muon works in bfloat16 (8 bits) and on matrices alone."""
    given = matrices((12, 20), count=1)[0]
    ours, theirs = (torch.zeros(12, 20, requires_grad=True) for _ in range(2))
    optimiser = Muon([theirs], lr=0.1, weight_decay=0.0, momentum=0.9)
    velocity = torch.zeros(12, 20)
    for number in range(3):
        gradient = given if number == 0 else matrices((12, 20), 1, number)[0]
        theirs.grad = gradient.clone()
        optimiser.step()  # type: ignore[no-untyped-call]
        velocity = 0.9 * velocity + gradient
        with torch.no_grad():
            ours -= 0.1 * directions([gradient + 0.9 * velocity])[0]
    assert (ours - theirs).abs().max() < 0.1 * 3 * 0.05
    assert ours.abs().max() > 0.1


def test_the_polynomial_rises_steeply_at_zero() -> None:
    """What the coefficients were chosen for: five steps take 0.01 beyond a half."""
    a, b, c = COEFFICIENTS
    values = [0.01]
    for _ in range(STEPS):
        values.append(a * values[-1] + b * values[-1] ** 3 + c * values[-1] ** 5)
    assert all(after > before for before, after in pairwise(values[:-1]))
    assert values[-1] > 0.5
