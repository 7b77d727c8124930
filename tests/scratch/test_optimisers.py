"""Optimisers: torch's updates, exact states, pieces that change no bit."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from bakeoff.scratch import kernels
from bakeoff.scratch.kernels import numpy_kernels
from bakeoff.scratch.layers import Affine
from bakeoff.scratch.losses import SoftmaxCrossEntropy
from bakeoff.scratch.optimisers import Limits, Name, optimiser

Parameters = Iterator[torch.nn.Parameter]
THEIRS: dict[Name, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.8),
    "nesterov": lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.8, nesterov=True),
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
every_optimiser = pytest.mark.parametrize("name", THEIRS)


def fill(layer: Affine, seed: int = 0) -> Affine:
    generator = np.random.default_rng(seed)
    for values in layer.parameters.values():
        values[...] = generator.standard_normal(values.shape)
    return layer


def draw_gradients(layer: Affine, step: int) -> None:
    generator = np.random.default_rng(100 + step)
    for gradient in layer.gradients.values():
        gradient[...] = generator.standard_normal(gradient.shape)


@pytest.mark.parametrize("l2", [0.0, 0.05])
@every_optimiser
def test_updates_are_torchs(name: Name, l2: float) -> None:
    layer = fill(Affine(9, 5, np.float64))
    ours = optimiser(name, layer, l2, momentum=0.8)
    theirs = {
        path: torch.nn.Parameter(torch.from_numpy(values.copy()))
        for path, values in layer.parameters.items()
    }
    groups = [
        {"params": [theirs["weight"]], "weight_decay": l2},
        {"params": [theirs["bias"]], "weight_decay": 0.0},
    ]
    rates = [0.1, 0.05, 0.2, 0.01, 0.1, 0.1]
    reference = THEIRS[name](groups, lr=rates[0])
    for step, rate in enumerate(rates):
        draw_gradients(layer, step)
        for path, parameter in theirs.items():
            parameter.grad = torch.from_numpy(layer.gradients[path].copy())
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
        ours.step(rate)
        for path, values in layer.parameters.items():
            np.testing.assert_allclose(
                values, theirs[path].detach().numpy(), rtol=1e-12, atol=1e-14
            )


@pytest.mark.parametrize("clip", [2.0, 1e3], ids=["clipped", "left"])
@every_optimiser
def test_limits_are_those_written_with_torch(name: Name, clip: float) -> None:
    """Clip, L1, L2, update, bound: in this order."""
    layer = fill(Affine(9, 5, np.float64))
    limits = Limits(l1=0.02, max_norm=1.5, clip=clip)
    ours = optimiser(name, layer, 0.05, momentum=0.8, limits=limits)
    theirs = {
        path: torch.nn.Parameter(torch.from_numpy(values.copy()))
        for path, values in layer.parameters.items()
    }
    groups = [
        {"params": [theirs["weight"]], "weight_decay": 0.05},
        {"params": [theirs["bias"]], "weight_decay": 0.0},
    ]
    reference = THEIRS[name](groups, lr=0.1)
    for step in range(5):
        draw_gradients(layer, step)
        for path, parameter in theirs.items():
            parameter.grad = torch.from_numpy(layer.gradients[path].copy())
        torch.nn.utils.clip_grad_norm_(list(theirs.values()), clip)
        weight = theirs["weight"]
        assert weight.grad is not None
        weight.grad += 0.02 * weight.detach().sign()
        reference.step()
        weight.data = torch.renorm(weight.data, 2, 0, 1.5)
        ours.step(0.1)
        for path, values in layer.parameters.items():
            # torch.renorm adds 1e-7 to the norm it divides by
            np.testing.assert_allclose(values, theirs[path].detach().numpy(), rtol=1e-6, atol=1e-6)
    assert np.linalg.norm(layer.parameters["weight"], axis=1).max() <= 1.5 * (1 + 1e-12)


def test_filters_are_bounded_each_by_itself() -> None:
    layer = Affine(4, 3, np.float64)
    layer.parameters["weight"] = np.arange(24, dtype=np.float64).reshape(3, 2, 2, 2)
    layer.gradients["weight"] = np.zeros((3, 2, 2, 2))
    before = layer.parameters["weight"].copy()
    optimiser("sgd", layer, limits=Limits(max_norm=12)).step(0.1)
    after = layer.parameters["weight"]
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_allclose(np.linalg.norm(after[1:].reshape(2, -1), axis=1), 12)


def test_l1_leaves_a_weight_of_0_and_the_biases_alone() -> None:
    layer = Affine(3, 1, np.float64)
    layer.parameters["weight"][...] = [[0.5, 0, -0.5]]
    layer.parameters["bias"][...] = 1
    optimiser("sgd", layer, limits=Limits(l1=1.0)).step(0.1)
    np.testing.assert_allclose(layer.parameters["weight"], [[0.4, 0, -0.4]])
    assert layer.parameters["bias"].tolist() == [1]


def test_clipping_hides_no_divergence() -> None:
    for wrong in (np.nan, np.inf):
        layer = fill(Affine(3, 2))
        draw_gradients(layer, 0)
        layer.gradients["weight"][0, 0] = wrong
        ours = optimiser("sgd", layer, limits=Limits(clip=1.0))
        with np.errstate(invalid="ignore"):
            ours.step(0.1)
        assert np.isnan(layer.parameters["weight"][0, 0])


@every_optimiser
def test_float32_stays_float32(name: Name) -> None:
    layer = fill(Affine(9, 5))
    ours = optimiser(name, layer, 0.01)
    draw_gradients(layer, 0)
    ours.step(0.1)
    assert all(values.dtype == np.float32 for values in layer.parameters.values())
    moments = {n: a for n, a in ours.state().items() if n != "updates"}
    assert all(values.dtype == np.float32 for values in moments.values())


@every_optimiser
def test_pieces_change_no_bit(name: Name, monkeypatch: pytest.MonkeyPatch) -> None:
    def after(piece: int) -> bytes:
        monkeypatch.setattr(numpy_kernels, "PIECE", piece)
        layer = fill(Affine(30, 11))
        ours = optimiser(name, layer, 0.01)
        with kernels.using("numpy"):
            for step in range(3):
                draw_gradients(layer, step)
                ours.step(0.1)
        return b"".join(values.tobytes() for values in layer.parameters.values())

    assert after(7) == after(64) == after(1 << 20)


@every_optimiser
def test_state_round_trip_is_exact(name: Name) -> None:
    layer = fill(Affine(9, 5))
    ours = optimiser(name, layer, 0.01)
    for step in range(3):
        draw_gradients(layer, step)
        ours.step(0.1)
    state, weights = ours.state(), {p: v.copy() for p, v in layer.parameters.items()}
    draw_gradients(layer, 3)
    ours.step(0.1)
    expected = {path: values.copy() for path, values in layer.parameters.items()}

    other = fill(Affine(9, 5), seed=9)
    again = optimiser(name, other, 0.01)
    again.load(state)
    for path, values in other.parameters.items():
        values[...] = weights[path]
    draw_gradients(other, 3)
    again.step(0.1)
    for path, values in other.parameters.items():
        np.testing.assert_array_equal(values, expected[path])


def test_state_is_a_copy() -> None:
    layer = fill(Affine(9, 5))
    ours = optimiser("momentum", layer)
    before = ours.state()
    draw_gradients(layer, 0)
    ours.step(0.1)
    assert not before["velocity.weight"].any()
    assert before["updates"].tolist() == [0]


@pytest.mark.parametrize("name", ["momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_moments_do_not_become_subnormal(name: Name) -> None:
    """Processors are slow on such numbers, and momentum 0.9 would keep them for ever."""
    layer = fill(Affine(9, 5))
    ours = optimiser(name, layer)
    draw_gradients(layer, 0)
    for _ in range(1100):
        ours.step(1e-3)
        for gradient in layer.gradients.values():
            gradient[...] = 0
    for moment, values in ours.state().items():
        if moment != "updates":
            assert not ((values != 0) & (np.abs(values) < np.finfo(np.float32).tiny)).any(), moment


def test_l2_is_the_gradient_of_half_the_squared_weights() -> None:
    """Sgd on cross-entropy with `l2`, against central differences of the penalised loss."""
    generator = np.random.default_rng(5)
    inputs, labels = generator.standard_normal((6, 4)), generator.integers(0, 3, 6)
    layer, loss, l2, h = fill(Affine(4, 3, np.float64)), SoftmaxCrossEntropy(), 0.3, 1e-5

    def objective() -> float:
        penalty = l2 / 2 * np.square(layer.parameters["weight"]).sum()
        return float(loss.forward(layer.forward(inputs), labels).mean() + penalty)

    numeric = {path: np.empty_like(values) for path, values in layer.parameters.items()}
    for path, values in layer.parameters.items():
        for place in np.ndindex(*values.shape):
            kept = values[place]
            values[place] = kept + h
            above = objective()
            values[place] = kept - h
            numeric[path][place] = (above - objective()) / (2 * h)
            values[place] = kept
    before = {path: values.copy() for path, values in layer.parameters.items()}
    objective()
    layer.backward(loss.backward(6), to_inputs=False)
    optimiser("sgd", layer, l2).step(1.0)
    for path, values in layer.parameters.items():
        np.testing.assert_allclose(before[path] - values, numeric[path], rtol=1e-6, atol=1e-9)


def test_parameters_that_are_no_single_piece_of_memory_are_refused() -> None:
    layer = Affine(4, 3)
    layer.parameters["weight"] = np.zeros((4, 3), np.float32).T
    layer.gradients["weight"] = np.zeros((3, 4), np.float32)
    with pytest.raises(ValueError, match="C-contiguous"):
        optimiser("sgd", layer)
