"""The objective of a solver: closed form, gradient, chunks, what the last evaluation saw."""

import numpy as np
import pytest

from bakeoff.core.protocols import Normaliser
from bakeoff.scratch import objective as module
from bakeoff.scratch.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from bakeoff.scratch.network import Sequence, softmax_regression
from bakeoff.scratch.objective import Objective
from bakeoff.scratch.step import Inputs

GENERATOR = np.random.default_rng(0)
ITEMS = GENERATOR.integers(0, 256, (23, 5), np.uint8)
LABELS = GENERATOR.integers(0, 2, 23)
NORMALISER = Normaliser(np.full(5, 0.4, np.float32), np.full(5, 0.3, np.float32))


def built(outputs: int, l2: float = 0.3) -> tuple[Sequence, Objective]:
    network = softmax_regression(NORMALISER, (5,), outputs, np.float64)
    loss: Loss = BinaryCrossEntropy() if outputs == 1 else SoftmaxCrossEntropy()
    return network, Objective(network, loss, Inputs((5,), np.float64), ITEMS, LABELS, l2)


def test_value_is_mean_loss_and_penalty_without_biases() -> None:
    network, objective = built(3)
    vector = GENERATOR.standard_normal(18)
    value, _ = objective(vector)
    weight, bias = vector[:15].reshape(3, 5), vector[15:]
    x = NORMALISER(ITEMS).astype(np.float64)
    z = x @ weight.T + bias
    losses = np.log(np.exp(z).sum(axis=1)) - z[np.arange(23), LABELS]
    assert value == pytest.approx(losses.mean() + 0.15 * (weight**2).sum(), rel=1e-6)
    assert objective.last.loss == pytest.approx(losses.mean(), rel=1e-6)
    assert objective.last.accuracy == (z.argmax(axis=1) == LABELS).mean()
    np.testing.assert_array_equal(network.parameters["output.weight"], weight)


@pytest.mark.parametrize("outputs", [1, 3])
def test_gradient_is_that_of_central_differences(outputs: int) -> None:
    _, objective = built(outputs)
    vector, h = GENERATOR.standard_normal(6 * outputs), 1e-5
    _, gradient = objective(vector)
    steps = h * np.eye(len(vector))
    numeric = np.array(
        [(objective(vector + s)[0] - objective(vector - s)[0]) / 2 / h for s in steps]
    )
    distance = np.linalg.norm(gradient - numeric)
    assert distance / (np.linalg.norm(gradient) + np.linalg.norm(numeric)) <= 1e-7


def test_chunks_change_nothing_but_the_last_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    _, objective = built(3)
    vector = GENERATOR.standard_normal(18)
    value, gradient = objective(vector)
    monkeypatch.setattr(module, "CHUNK", 4)
    again, other = objective(vector)
    assert again == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(other, gradient, rtol=1e-12)


def test_it_starts_where_the_network_is() -> None:
    network, objective = built(3)
    network.parameters["output.bias"][:] = [1, 2, 3]
    np.testing.assert_array_equal(objective.start(), [0] * 15 + [1, 2, 3])
    objective.put(np.arange(18.0))
    np.testing.assert_array_equal(network.parameters["output.bias"], [15, 16, 17])


def test_overflow_is_no_warning() -> None:
    _, objective = built(3)
    value, gradient = objective(np.full(18, 1e308))
    assert not (np.isfinite(value) and np.isfinite(gradient).all())
