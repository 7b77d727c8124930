"""The student's loss by its definition, and its gradient by central differences."""

from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.softmax import softmax
from bakeoff.core.teaching import TeacherSettings, Teaching
from bakeoff.scratch.distillation import Distillation
from bakeoff.scratch.losses import SoftmaxCrossEntropy

GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.normal(0, 2, (6, 4))
LABELS = np.array([0, 3, 2, 1, 0, 2])
TEACHER = GENERATOR.normal(0, 2, (20, 4)).astype(np.float32)
TEACHER -= TEACHER.mean(1, keepdims=True)
ROWS = np.array([4, 19, 0, 7, 3, 11])
KINDS: tuple[Literal["kl", "logits"], ...] = ("kl", "logits")


def mixed(
    logits: NDArray[np.float64], settings: TeacherSettings
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Each example's loss, and the gradient of their mean."""
    labels, distillation = SoftmaxCrossEntropy(), Distillation(Teaching(settings, TEACHER))
    losses = labels.forward(logits, LABELS)
    gradient = labels.backward(len(LABELS))
    return (
        distillation.forward(losses, logits, ROWS),
        distillation.backward(gradient, len(LABELS)),
    )


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_by_its_definition(alpha: float) -> None:
    t = 3.0
    losses, _ = mixed(LOGITS, TeacherSettings(recipe="t", temperature=t, alpha=alpha))
    q, p = softmax(TEACHER[ROWS] / t), softmax(LOGITS / t)
    kl = (q * np.log(q / p)).sum(1)
    cross_entropy = -np.log(softmax(LOGITS.copy())[range(6), LABELS])
    np.testing.assert_allclose(losses, alpha * cross_entropy + (1 - alpha) * t * t * kl, rtol=1e-5)
    losses, _ = mixed(LOGITS, TeacherSettings(recipe="t", loss="logits", alpha=alpha))
    away = np.square(LOGITS - LOGITS.mean(1, keepdims=True) - TEACHER[ROWS]).sum(1)
    np.testing.assert_allclose(losses, alpha * cross_entropy + (1 - alpha) * away, rtol=1e-5)


@pytest.mark.parametrize("loss", KINDS)
def test_gradient(loss: Literal["kl", "logits"]) -> None:
    settings = TeacherSettings(recipe="t", temperature=2.5, alpha=0.4, loss=loss)
    _, gradient = mixed(LOGITS, settings)
    for i in range(6):
        for k in range(4):
            step = np.zeros_like(LOGITS)
            step[i, k] = 1e-5
            ahead = mixed(LOGITS + step, settings)[0].mean()
            behind = mixed(LOGITS - step, settings)[0].mean()
            assert gradient[i, k] == pytest.approx((ahead - behind) / 2e-5, rel=1e-4, abs=1e-6)


def test_a_student_like_its_teacher_has_nothing_to_learn_from_it() -> None:
    for loss in KINDS:
        settings = TeacherSettings(recipe="t", alpha=0.0, loss=loss)
        losses, gradient = mixed(TEACHER[ROWS].astype(np.float64) + 7, settings)
        np.testing.assert_allclose(losses, 0, atol=1e-6)
        np.testing.assert_allclose(gradient, 0, atol=1e-6)
