"""What torch networks that classify minimise: the labels' loss, and a teacher's beside it."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from bakeoff.core.teaching import Teaching
from bakeoff.training.settings import TrainingSettings

LabelLoss = Callable[[Tensor, Tensor, NDArray[np.intp]], Tensor]
"""The sum of the examples' losses, from logits (B, K), targets, and positions (B,) in the training
set, which say what else is known of the examples."""
Loss = Callable[[Tensor, Tensor, NDArray[np.intp]], Tensor | Mapping[str, Tensor]]
"""The same; or several sums, `loss` among them, to be told instead of the number of hits."""


def summed_cross_entropy(
    logits: Tensor, targets: Tensor, rows: NDArray[np.intp], smoothing: float = 0.0
) -> Tensor:
    """The sum over the examples of softmax and cross-entropy.

    Args:
        logits: (B, K).
        targets: Labels (B,), or shares of the classes (B, K).
        rows: Positions (B,) in the training set; nothing is asked of them.
        smoothing: Share of a target that is spread evenly over the classes.
    """
    return cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)


def cross_entropy_of(settings: TrainingSettings, teaching: Teaching | None = None) -> Loss:
    """What a classifier minimises: cross-entropy by the settings, beside a teacher if there is one.

    Args:
        settings: Label smoothing.
        teaching: What a teacher says of the training examples; None: there is none.
    """
    return taught(partial(summed_cross_entropy, smoothing=settings.label_smoothing), teaching)


def taught(loss: LabelLoss, teaching: Teaching | None) -> Loss:
    """A loss of labels, mixed with the distance from a teacher where there is one.

    See `core.teaching`. With extra examples, which have no labels, no hits are told.

    Args:
        loss: Of the labels.
        teaching: What the teacher says of the training examples.
    """
    if teaching is None:
        return loss
    settings, labelled = teaching.settings, teaching.labelled

    def distance(logits: Tensor, rows: NDArray[np.intp]) -> Tensor:
        theirs = torch.from_numpy(teaching.targets(rows)).to(logits.device)
        if settings.loss == "logits":
            away = logits - logits.mean(dim=1, keepdim=True) - theirs
            return away.square().sum()
        own = log_softmax(logits / settings.temperature, dim=1)
        return settings.temperature**2 * kl_div(own, theirs, reduction="sum")

    def mixed(logits: Tensor, targets: Tensor, rows: NDArray[np.intp]) -> Tensor:
        labels = loss(logits, targets, rows)
        return settings.alpha * labels + (1 - settings.alpha) * distance(logits, rows)

    def with_extra(logits: Tensor, targets: Tensor, rows: NDArray[np.intp]) -> Mapping[str, Tensor]:
        known = np.flatnonzero(rows < labelled)
        chosen = torch.from_numpy(known).to(logits.device)
        labels = loss(logits[chosen], targets[chosen], rows[known])
        away = distance(logits, rows)
        return {"loss": settings.alpha * labels + (1 - settings.alpha) * away}

    return with_extra if teaching.extra else mixed
