"""The student's loss in torch beside that of NumPy, which its own tests hold to its definition."""

from functools import partial
from typing import Literal

import numpy as np
import pytest
import torch

from bakeoff.core.teaching import TeacherSettings, Teaching
from bakeoff.scratch.distillation import Distillation
from bakeoff.scratch.losses import SoftmaxCrossEntropy
from bakeoff.training.torch.losses import summed_cross_entropy, taught

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.normal(0, 2, (6, 4)).astype(np.float32)
LABELS = GENERATOR.integers(0, 4, 6)
TEACHER = GENERATOR.normal(0, 2, (20, 4)).astype(np.float32)
TEACHER -= TEACHER.mean(1, keepdims=True)
ROWS = np.array([4, 19, 0, 7, 3, 11])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", ["kl", "logits"])
def test_equals_numpy(loss: Literal["kl", "logits"], smoothing: float) -> None:
    teaching = Teaching(TeacherSettings(recipe="t", alpha=0.3, loss=loss), TEACHER)
    labels, distillation = SoftmaxCrossEntropy(smoothing), Distillation(teaching)
    losses = distillation.forward(labels.forward(LOGITS, LABELS), LOGITS, ROWS)
    gradient = distillation.backward(labels.backward(1), 1)
    logits = torch.from_numpy(LOGITS).requires_grad_()
    found = taught(partial(summed_cross_entropy, smoothing=smoothing), teaching)(
        logits, torch.from_numpy(LABELS), ROWS
    )
    assert isinstance(found, torch.Tensor)
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == pytest.approx(losses.sum(), rel=1e-5)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["kl", "logits"])
def test_examples_without_labels_are_compared_with_the_teacher_alone(
    loss: Literal["kl", "logits"],
) -> None:
    settings = TeacherSettings(recipe="t", alpha=0.3, loss=loss)
    logits, labels = torch.from_numpy(LOGITS), torch.from_numpy(LABELS)
    with_extra = taught(summed_cross_entropy, Teaching(settings, TEACHER, [""] * 10))
    told = with_extra(logits, labels, ROWS)
    assert isinstance(told, dict)
    assert list(told) == ["loss"]
    known = ROWS < 10
    assert 0 < known.sum() < len(ROWS)
    deaf = taught(
        summed_cross_entropy, Teaching(settings.model_copy(update={"alpha": 0.0}), TEACHER)
    )
    distance = deaf(logits, labels, ROWS)
    assert isinstance(distance, torch.Tensor)
    entropy = summed_cross_entropy(logits[known], labels[known], ROWS[known])
    wanted = 0.3 * entropy.item() + 0.7 * distance.item()
    assert told["loss"].item() == pytest.approx(wanted, rel=1e-6)
    alone = with_extra(logits[~known], labels[~known] * 0, ROWS[~known])
    other = with_extra(logits[~known], labels[~known] * 0 + 1, ROWS[~known])
    assert isinstance(alone, dict)
    assert isinstance(other, dict)
    assert alone["loss"] == other["loss"] > 0, "their labels are not read"


def test_without_a_teacher_the_loss_is_the_labels() -> None:
    assert taught(summed_cross_entropy, None) is summed_cross_entropy
