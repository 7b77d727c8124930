"""What a teacher says of the training examples, and how a student listens to it.

Source: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network",
arXiv:1503.02531, section 2; the regression of logits is that of Ba and Caruana 2014, "Do deep nets
really need to be deep?", and of Tang et al. 2019, "Distilling task-specific knowledge from BERT
into simple neural networks", arXiv:1903.12136.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from bakeoff.core.errors import InputError
from bakeoff.core.frozen import Frozen, later
from bakeoff.core.recipe import Ref
from bakeoff.core.softmax import softmax

SMALLEST = np.finfo(np.float32).tiny
"""Probabilities below it count as it: their logarithm is -87.3."""
ZERO = 1e-4
"""What a probability of 0 counts as where logits are compared. Votes and shares say 0 of what they
never saw, which has no logit; -87.3 would swamp the loss, and -9.2 is about what networks say of a
class that they rule out."""


class ExtraSettings(Frozen):
    """Texts without labels; the name of their file alone says the same."""

    texts: str
    """A text file in UTF-8, one text a line; empty lines count as none. A path, like those of data,
    begins at the current folder."""
    hash: str | None = None
    """Of the texts; None: a study fills it in, so that another content is another recipe."""


class TeacherSettings(Ref):
    """The fitted result of another recipe that a student learns from, beside the labels.

    The loss is `alpha * cross-entropy + (1 - alpha) * D`, where D compares the student's outputs
    with the teacher's: with `kl` it is `T^2 * KL(teacher || student)` of probabilities at
    temperature T; with `logits` the sum over the classes of the squared differences of logits.
    Of an example of which the teacher says exactly 0 for some class, `logits` takes probabilities
    below 1e-4 for 1e-4.
    Of texts without labels it is `(1 - alpha) * D`.
    """

    temperature: Annotated[float, Field(gt=0)] = 4.0
    """T: logits are divided by it, so that the teacher's smaller probabilities count. Of `kl`."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the labels' cross-entropy; 1: the teacher is not listened to."""
    loss: Literal["kl", "logits"] = "kl"
    """What compares the outputs of both: D above."""
    extra: ExtraSettings | None = later(None)
    """Texts without labels, which the student learns from the teacher alone."""

    @field_validator("extra", mode="before")
    @classmethod
    def _file_alone(cls, value: Any) -> Any:
        return {"texts": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _listened_to(self) -> "TeacherSettings":
        if self.extra is not None and self.alpha == 1:
            raise ValueError(
                "alpha 1 received with extra texts, which only the teacher says something of "
                "(allowed: less than 1)"
            )
        return self


@dataclass(frozen=True, eq=False)
class Teaching:
    """The outputs of a teacher for N examples: the training examples, then extra texts.

    Args:
        settings: How the student listens.
        logits: (N, K) float32, their mean over the classes 0: a softmax does not see it, and
            probabilities do not tell it.
        extra: The last M of the N examples: texts without labels.
    """

    settings: TeacherSettings
    logits: NDArray[np.float32]
    extra: Sequence[str] = ()

    @property
    def labelled(self) -> int:
        """How many of the first examples have labels: N - M."""
        return len(self.logits) - len(self.extra)

    def targets(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """(B, K) what the student's outputs for some training examples are compared with.

        With `kl` probabilities at the temperature, with `logits` the logits.
        """
        logits = self.logits[rows]
        if self.settings.loss == "logits":
            return _without_zeros(logits)
        return softmax(logits / np.float32(self.settings.temperature))


def _without_zeros(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centred logits (B, K); rows that stand for a probability of 0 with `ZERO` in its place."""
    said = softmax(logits)
    never = (said < 2 * SMALLEST).any(axis=1, keepdims=True)
    logs = np.log(np.maximum(said, np.float32(ZERO)))
    return np.where(never, logs - logs.mean(axis=1, keepdims=True), logits)


def centred_logits(probabilities: NDArray[Any], classes: int, teacher: str) -> NDArray[np.float32]:
    """A teacher's logits (N, K) from its probabilities, as `Teaching` takes them.

    Args:
        probabilities: (N, K) of a predictor.
        classes: Of the student.
        teacher: Its recipe, named in the message.

    Raises:
        InputError: where the teacher tells other classes apart.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != classes:
        told = f"{probabilities.shape[1]} classes" if probabilities.ndim == 2 else "no classes"
        raise InputError(
            f"training.teacher: '{teacher}' tells {told} apart, the student {classes} "
            "(allowed: a teacher of the same classes)"
        )
    logits = np.log(np.maximum(probabilities.astype(np.float32), SMALLEST))
    centred: NDArray[np.float32] = logits - logits.mean(axis=1, keepdims=True)
    return centred
