"""Softmax and cross-entropy against torch and central differences, and at extremes."""

import numpy as np
import torch

from bakeoff.scratch.losses import SoftmaxCrossEntropy, softmax

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.standard_normal((6, 4)) * 3
LABELS = GENERATOR.integers(0, 4, 6)


def test_losses_and_gradient_are_torchs() -> None:
    there = torch.from_numpy(LOGITS.copy()).requires_grad_()
    expected = torch.nn.functional.cross_entropy(there, torch.from_numpy(LABELS), reduction="none")
    expected.mean().backward()  # type: ignore[no-untyped-call]
    loss = SoftmaxCrossEntropy()
    losses = loss.forward(LOGITS, LABELS)
    np.testing.assert_allclose(losses, expected.detach().numpy(), rtol=1e-13)
    assert there.grad is not None
    np.testing.assert_allclose(loss.backward(6), there.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_gradient_is_that_of_central_differences() -> None:
    loss, logits, h = SoftmaxCrossEntropy(), LOGITS.copy(), 1e-5
    loss.forward(logits, LABELS)
    gradient = loss.backward(6).copy()
    numeric = np.empty_like(gradient)
    for place in np.ndindex(*logits.shape):
        kept = logits[place]
        logits[place] = kept + h
        above = loss.forward(logits, LABELS).mean()
        logits[place] = kept - h
        below = loss.forward(logits, LABELS).mean()
        logits[place] = kept
        numeric[place] = (above - below) / (2 * h)
    distance = np.linalg.norm(gradient - numeric)
    assert distance / (np.linalg.norm(gradient) + np.linalg.norm(numeric)) <= 1e-7


def test_great_logits_are_no_trouble() -> None:
    logits = np.array([[1000.0, 0.0, -1000.0], [-1e30, 1e30, 0.0]], np.float32)
    labels = np.array([0, 2])
    losses = SoftmaxCrossEntropy().forward(logits, labels)
    np.testing.assert_allclose(losses, [0, 1e30])
    np.testing.assert_array_equal(softmax(logits), [[1, 0, 0], [0, 1, 0]])


def test_softmax_writes_where_told() -> None:
    out = np.empty_like(LOGITS)
    assert softmax(LOGITS, out=out) is out
    np.testing.assert_allclose(out.sum(axis=1), 1)
    logits = LOGITS.copy()
    softmax(logits, out=logits)
    np.testing.assert_array_equal(logits, out)


def test_logits_are_left_alone() -> None:
    logits = LOGITS.copy()
    loss = SoftmaxCrossEntropy()
    loss.forward(logits, LABELS)
    loss.backward(6)
    np.testing.assert_array_equal(logits, LOGITS)


def test_a_part_of_a_batch_counts_by_the_whole() -> None:
    loss = SoftmaxCrossEntropy()
    loss.forward(LOGITS, LABELS)
    whole = loss.backward(6).copy()
    loss.forward(LOGITS[2:5], LABELS[2:5])
    np.testing.assert_allclose(loss.backward(6), whole[2:5], rtol=1e-14)
