"""Losses against torch and central differences, and at extremes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from bakeoff.core.errors import InputError
from bakeoff.core.softmax import softmax
from bakeoff.scratch.gradient_check import check_loss
from bakeoff.scratch.losses import (
    LOSSES,
    BinaryCrossEntropy,
    Hinge,
    Loss,
    LossName,
    SoftmaxCrossEntropy,
    hits,
    loss_of,
    probabilities,
)

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.standard_normal((6, 4)) * 3
LABELS = GENERATOR.integers(0, 4, 6)
THEIRS: dict[LossName, Callable[..., torch.Tensor]] = {
    "cross-entropy": functional.cross_entropy,
    "hinge": functional.multi_margin_loss,
}
every_loss = pytest.mark.parametrize("name", LOSSES)


def test_every_loss_has_its_reference() -> None:
    assert LOSSES.keys() == THEIRS.keys()


@every_loss
def test_losses_and_gradient_are_torchs(name: LossName) -> None:
    there = torch.from_numpy(LOGITS.copy()).requires_grad_()
    expected = THEIRS[name](there, torch.from_numpy(LABELS), reduction="none")
    expected.mean().backward()  # type: ignore[no-untyped-call]
    loss = LOSSES[name]()
    losses = loss.forward(LOGITS, LABELS)
    np.testing.assert_allclose(losses, expected.detach().numpy(), rtol=1e-13)
    assert there.grad is not None
    np.testing.assert_allclose(loss.backward(6), there.grad.numpy(), rtol=1e-12, atol=1e-15)


@every_loss
def test_gradient_is_that_of_central_differences(name: LossName) -> None:
    loss, logits, h = LOSSES[name](), LOGITS.copy(), 1e-5
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


def test_hinge_by_hand() -> None:
    scores, labels = np.array([[2.0, 1.5, 0.0], [0.0, 3.0, 1.0]]), np.array([0, 0])
    hinge = Hinge()
    np.testing.assert_allclose(hinge.forward(scores, labels), [0.5 / 3, (4 + 2) / 3])
    np.testing.assert_allclose(
        hinge.backward(2), np.array([[-1.0, 1, 0], [-2, 1, 1]]) / 6, rtol=1e-15
    )


def test_hinge_is_0_where_every_margin_is_kept() -> None:
    scores = np.array([[2.0, 1.0, 0.0]], np.float32)
    hinge = Hinge()
    assert hinge.forward(scores, np.array([0])).tolist() == [0]
    gradient = hinge.backward(1)
    assert gradient.dtype == np.float32
    assert not gradient.any()


@every_loss
def test_not_a_number_shows(name: LossName) -> None:
    scores = np.array([[np.nan, 0.0], [1.0, 0.0]])
    losses = LOSSES[name]().forward(scores, np.array([1, 0]))
    assert np.isnan(losses).tolist() == [True, False]


def test_softmax_writes_where_told() -> None:
    out = np.empty_like(LOGITS)
    assert softmax(LOGITS, out=out) is out
    np.testing.assert_allclose(out.sum(axis=1), 1)
    logits = LOGITS.copy()
    softmax(logits, out=logits)
    np.testing.assert_array_equal(logits, out)


@every_loss
def test_logits_are_left_alone(name: LossName) -> None:
    logits = LOGITS.copy()
    loss = LOSSES[name]()
    loss.forward(logits, LABELS)
    loss.backward(6)
    np.testing.assert_array_equal(logits, LOGITS)


@every_loss
def test_a_part_of_a_batch_counts_by_the_whole(name: LossName) -> None:
    loss = LOSSES[name]()
    loss.forward(LOGITS, LABELS)
    whole = loss.backward(6).copy()
    loss.forward(LOGITS[2:5], LABELS[2:5])
    np.testing.assert_allclose(loss.backward(6), whole[2:5], rtol=1e-14)


ONE_LOGIT = np.array([[0.3], [-2.0], [7.5], [-41.0], [0.0], [1e-3]])
BINARY = np.array([1, 0, 0, 1, 1, 0])


def test_binary_cross_entropy_is_torchs() -> None:
    there = torch.from_numpy(ONE_LOGIT.copy()).requires_grad_()
    labels = torch.from_numpy(BINARY).double()[:, None]
    expected = functional.binary_cross_entropy_with_logits(there, labels, reduction="none")
    expected.mean().backward()  # type: ignore[no-untyped-call]
    loss = BinaryCrossEntropy()
    losses = loss.forward(ONE_LOGIT, BINARY)
    np.testing.assert_allclose(losses, expected.detach().numpy()[:, 0], rtol=1e-13)
    assert there.grad is not None
    np.testing.assert_allclose(loss.backward(6), there.grad.numpy(), rtol=1e-12, atol=1e-18)


def test_binary_cross_entropy_is_the_softmaxs_of_0_and_z() -> None:
    two = np.concatenate([np.zeros_like(ONE_LOGIT), ONE_LOGIT], axis=1)
    binary, both = BinaryCrossEntropy(), SoftmaxCrossEntropy()
    np.testing.assert_allclose(
        binary.forward(ONE_LOGIT, BINARY), both.forward(two, BINARY), rtol=1e-12, atol=1e-15
    )
    np.testing.assert_allclose(binary.backward(6), both.backward(6)[:, 1:], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(probabilities(ONE_LOGIT), softmax(two), rtol=1e-15)
    assert hits(ONE_LOGIT, BINARY) == hits(two, BINARY) == 2


def test_a_great_logit_is_no_trouble() -> None:
    logits = np.array([[1000.0], [-1000.0], [-80.0]], np.float32)
    loss = BinaryCrossEntropy()
    np.testing.assert_allclose(loss.forward(logits, np.array([1, 1, 0])), [0, 1000, 0], atol=1e-30)
    np.testing.assert_allclose(loss.backward(1)[:, 0], [0, -1, 0], atol=1e-30)
    tail = probabilities(logits)[2]
    assert tail.tolist() == [1.0, pytest.approx(np.exp(-80.0), rel=1e-6)]


def test_probabilities_of_several_logits_take_their_memory() -> None:
    logits = LOGITS.copy()
    assert probabilities(logits) is logits
    np.testing.assert_array_equal(logits, softmax(LOGITS))
    assert hits(LOGITS, LOGITS.argmax(axis=1)) == 6


def test_not_a_number_shows_in_binary_cross_entropy() -> None:
    losses = BinaryCrossEntropy().forward(np.array([[np.nan], [1.0]]), np.array([1, 0]))
    assert np.isnan(losses).tolist() == [True, False]


@pytest.mark.parametrize("wrong", [-1, 4])
@every_loss
def test_labels_out_of_range_are_refused(name: LossName, wrong: int) -> None:
    labels = LABELS.copy()
    labels[2] = wrong
    with pytest.raises(InputError, match=rf"labels: {wrong} received \(allowed: 0 to 3\)"):
        LOSSES[name]().forward(LOGITS, labels)


def test_one_logit_tells_two_classes_apart() -> None:
    with pytest.raises(InputError, match=r"labels: 2 received \(allowed: 0 to 1\)"):
        BinaryCrossEntropy().forward(LOGITS[:, :1], np.array([0, 1, 2, 0, 0, 0]))


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothed_cross_entropy_and_its_gradient_are_torchs(smoothing: float) -> None:
    there = torch.from_numpy(LOGITS.copy()).requires_grad_()
    expected = functional.cross_entropy(
        there, torch.from_numpy(LABELS), reduction="none", label_smoothing=smoothing
    )
    expected.mean().backward()  # type: ignore[no-untyped-call]
    loss = loss_of("cross-entropy", smoothing)
    np.testing.assert_allclose(loss.forward(LOGITS, LABELS), expected.detach().numpy(), rtol=1e-12)
    assert there.grad is not None
    np.testing.assert_allclose(loss.backward(6), there.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_one_smoothed_logit_is_two_of_which_one_is_zero() -> None:
    binary, both = BinaryCrossEntropy(0.2), SoftmaxCrossEntropy(0.2)
    z, labels = LOGITS[:, :1].copy(), LABELS % 2
    two = np.concatenate([np.zeros_like(z), z], axis=1)
    np.testing.assert_allclose(binary.forward(z, labels), both.forward(two, labels), rtol=1e-12)
    np.testing.assert_allclose(binary.backward(6)[:, 0], both.backward(6)[:, 1], rtol=1e-12)


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(0.3), BinaryCrossEntropy(0.3)])
def test_smoothed_gradients_are_those_of_central_differences(loss: Loss) -> None:
    outputs = 4 if isinstance(loss, SoftmaxCrossEntropy) else 1
    labels = LABELS % (outputs if outputs > 1 else 2)
    assert check_loss(loss, LOGITS[:, :outputs].copy(), labels, np.random.default_rng(0)).right


def test_losses_by_name() -> None:
    assert isinstance(loss_of("hinge"), Hinge)
    plain, none = SoftmaxCrossEntropy(), loss_of("cross-entropy", 0.0)
    assert np.array_equal(plain.forward(LOGITS, LABELS), none.forward(LOGITS, LABELS))
    assert np.array_equal(plain.backward(6), none.backward(6))
