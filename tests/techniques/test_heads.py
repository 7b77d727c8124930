"""Classifiers on vectors: scikit-learn's minimum, standardised inputs, torch's loss."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from tests.techniques.conftest import MemoryRun, image_data

from bakeoff.core.protocols import TrainingData
from bakeoff.scratch.losses import SoftmaxCrossEntropy
from bakeoff.scratch.network import perceptron
from bakeoff.techniques.heads import Head, Standardised, fit_head, standardiser
from bakeoff.techniques.linear import LinearTraining

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 3, 400)
SHIFT, SCALE = np.array([0, 5, -3, 100.0]), np.array([1, 0.1, 20, 3.0])
VECTORS = ((GENERATOR.normal(size=(400, 4)) + 2 * np.eye(3, 4)[LABELS]) * SCALE + SHIFT).astype(
    "f4"
)


def data() -> TrainingData:
    return image_data(np.zeros((400, 1, 1, 1), np.uint8), LABELS, 100, 3)


def softmax() -> Head:
    return Head(perceptron((4,), (), 3), standardiser(VECTORS[:300]))


def test_standardised_by_training_vectors() -> None:
    reader = standardiser(VECTORS[:300])
    out = np.empty((400, 4), np.float32)
    reader.write(VECTORS, out)
    np.testing.assert_allclose(out[:300].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(out[:300].std(axis=0), 1, rtol=1e-4)


def test_numbers_that_do_not_vary_are_not_blown_up() -> None:
    vectors = VECTORS.copy()
    vectors[:, 2] = 7
    out = np.empty((1, 4), np.float32)
    new = vectors[:1] + np.float32(1e-3)
    standardiser(vectors).write(new, out)
    assert abs(out[0, 2]) < 10
    standardiser(np.ones((5, 4), np.float32)).write(new, out)
    assert np.isfinite(out).all()


def test_lbfgs_finds_scikit_learns_minimum() -> None:
    head, run = softmax(), MemoryRun()
    training = LinearTraining.parse(
        {"solver": "lbfgs", "iterations": 300, "l2": 0.01, "tolerance": 1e-6, "restore_best": False}
    )
    fit_head(head, (VECTORS[:300], VECTORS[300:]), data(), run, training)
    inputs = np.empty((400, 4), np.float32)
    head.reader.write(VECTORS, inputs)
    reference = LogisticRegression(C=1 / (0.01 * 300), tol=1e-8, max_iter=1000)
    reference.fit(inputs[:300], LABELS[:300])
    expected = reference.predict_proba(inputs[300:])
    np.testing.assert_allclose(head.probabilities(VECTORS[300:]), expected, atol=2e-3)
    assert set(run.solved) == {"solve"}


def test_the_loop_learns() -> None:
    head, run = softmax(), MemoryRun()
    training = LinearTraining.parse({"epochs": 10, "batch_size": 30, "learning_rate": 0.05})
    fit_head(head, (VECTORS[:300], VECTORS[300:]), data(), run, training)
    guesses = head.probabilities(VECTORS[300:]).argmax(axis=1)
    assert (guesses == LABELS[300:]).mean() > 0.75
    assert len(run.rows) == 10


def test_cross_entropy_is_log_softmax_and_negative_log_likelihood() -> None:
    """In value and gradient, with torch's two functions as the reference."""
    logits = 5 * GENERATOR.normal(size=(40, 7))
    labels = GENERATOR.integers(0, 7, 40)
    tensor = torch.tensor(logits, requires_grad=True)
    likelihood = torch.nn.NLLLoss(reduction="none")
    expected = likelihood(torch.nn.LogSoftmax(dim=1)(tensor), torch.from_numpy(labels))
    expected.mean().backward()
    assert tensor.grad is not None
    loss = SoftmaxCrossEntropy()
    np.testing.assert_allclose(loss.forward(logits, labels), expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(loss.backward(40), tensor.grad.numpy(), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_arrays_restore_the_bits(hidden: tuple[int, ...]) -> None:
    network = perceptron((4,), hidden, 3)
    for values in network.parameters.values():
        values[...] = GENERATOR.normal(size=values.shape)
    head = Head(network, standardiser(VECTORS))
    arrays = head.arrays()
    reader = Standardised(arrays["vectors.mean"], arrays["vectors.sd"])
    again = Head(perceptron((4,), hidden, 3), reader)
    again.restore(arrays)
    np.testing.assert_array_equal(again.probabilities(VECTORS), head.probabilities(VECTORS))
    assert head.hidden(VECTORS).shape == (400, hidden[0] if hidden else 4)
