"""Optimisers by the names of `TrainingSettings`, with all their memory from the start.

They are torch's fused kernels, which update all parameters in one pass over memory, called without
`torch.optim.Optimizer`: that would load torch's compiler, a second or more, before the first
update, and make its memory during it, where a saved state cannot be put back before.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from bakeoff.core.optimisers import BETAS, CLIP_EPSILON, EPSILON, OPTIMISERS, SMOOTHING
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.muon import directions


@dataclass(eq=False)
class _Group:
    """Parameters with one weight decay and one share of the rate, and their memory in order."""

    decay: float
    weights: bool
    """Of two axes and more."""
    share: float = 1.0
    paths: list[str] = field(default_factory=list)
    parameters: list[Tensor] = field(default_factory=list)
    memory: dict[str, list[Tensor]] = field(default_factory=dict)


class Optimiser:
    """Updates the trained parameters of a module from their gradients.

    `l2` is on weights (two axes and more), not on biases and norms: `adamw` decays them by it
    (Loshchilov and Hutter 2019, "Decoupled weight decay regularization"), the others add
    l2 * w to the gradient. `momentum` (Polyak 1964) and `nesterov` (Sutskever et al. 2013, "On the
    importance of initialization and momentum") are as torch writes them: v = momentum * v + g; so
    is `rmsprop` (Tieleman and Hinton 2012, lecture 6.5). `muon` orthogonalises the steps that
    `nesterov` would take in weights, which it decays by L2; all else takes `nesterov`'s. `l1` and
    `max_norm` are on the same weights as `l2`, `clip` is on all gradients together.

    A parameter with an attribute `rate_share` has that share of the learning rate.

    Args:
        settings: `optimizer`, `momentum`, `other_learning_rate`, `l1`, `l2`, `max_norm`, `clip`.
        module: On its device.
    """

    def __init__(self, settings: TrainingSettings, module: nn.Module) -> None:
        self._name, self._momentum = settings.optimizer, settings.momentum
        self._l1, self._longest, self._clip = settings.l1, settings.max_norm, settings.clip
        others = settings.other_learning_rate or settings.learning_rate
        self._others = others / settings.learning_rate
        groups: dict[tuple[bool, float], _Group] = {}
        moments = OPTIMISERS[self._name].moments
        for path, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            kind = parameter.dim() >= 2, float(getattr(parameter, "rate_share", 1.0))
            if kind not in groups:
                groups[kind] = _Group(settings.l2 if kind[0] else 0.0, *kind)
            group = groups[kind]
            group.paths.append(path)
            group.parameters.append(parameter)
            for key in moments:
                group.memory.setdefault(key, []).append(torch.zeros_like(parameter))
            if "mean" in moments:
                count = torch.zeros((), dtype=torch.float32, device=parameter.device)
                group.memory.setdefault("updates", []).append(count)
        self._groups = sorted(groups.values(), key=lambda group: not group.weights)

    def tensors(self) -> dict[str, Tensor]:
        """All it remembers, by `path.key`."""
        return {
            f"{path}.{key}": tensor
            for group in self._groups
            for key, tensors in group.memory.items()
            for path, tensor in zip(group.paths, tensors, strict=True)
        }

    @property
    def bytes(self) -> int:
        """Bytes of all it remembers."""
        return sum(tensor.nbytes for tensor in self.tensors().values())

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update every parameter by its gradient, then forget the gradients."""
        groups = self._groups
        # A parameter no example reached still decays, so that all are treated alike.
        gradients = [
            [torch.zeros_like(p) if p.grad is None else p.grad for p in group.parameters]
            for group in groups
        ]
        if self._clip is not None:
            _shorten([gradient for some in gradients for gradient in some], self._clip)
        for group, some in zip(groups, gradients, strict=True):
            if self._l1 and group.weights:
                signs = [parameter.sign() for parameter in group.parameters]
                torch._foreach_add_(some, signs, alpha=self._l1)
            self._update(group, some, group.share * rate)
            for parameter in group.parameters:
                parameter.grad = None
        if self._longest is not None:
            for group in groups:
                for weight in group.parameters if group.weights else ():
                    _bound(weight, self._longest)

    def _update(self, group: _Group, gradients: list[Tensor], rate: float) -> None:
        if self._name == "rmsprop":
            _rmsprop(group, gradients, rate)
            return
        if self._name == "muon":
            if group.weights:
                _muon(group, gradients, rate, self._momentum)
                return
            rate *= self._others
        if "mean" in group.memory:
            kernel = adamw if self._name == "adamw" else adam
            kernel(
                group.parameters,
                gradients,
                group.memory["mean"],
                group.memory["square"],
                [],
                group.memory["updates"],
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=rate,
                weight_decay=group.decay,
                eps=EPSILON,
                maximize=False,
            )
            return
        nothing: list[Tensor | None] = [None] * len(group.parameters)
        velocity: list[Tensor | None] = [*group.memory.get("velocity", nothing)]
        sgd(
            group.parameters,
            gradients,
            velocity,
            fused=True,
            weight_decay=group.decay,
            momentum=self._momentum if self._name != "sgd" else 0.0,
            lr=rate,
            dampening=0.0,
            nesterov=self._name in ("nesterov", "muon"),
            maximize=False,
        )


def _rmsprop(group: _Group, gradients: list[Tensor], rate: float) -> None:
    """torch's formula; it has no fused kernel for it."""
    squares = group.memory["square"]
    if group.decay:
        torch._foreach_add_(gradients, group.parameters, alpha=group.decay)
    torch._foreach_mul_(squares, SMOOTHING)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - SMOOTHING)
    deviations = torch._foreach_sqrt(squares)
    torch._foreach_add_(deviations, EPSILON)
    torch._foreach_addcdiv_(group.parameters, gradients, deviations, value=-rate)


def _muon(group: _Group, gradients: list[Tensor], rate: float, momentum: float) -> None:
    """Orthogonalised steps; the decay is `adamw`'s."""
    velocities = group.memory["velocity"]
    torch._foreach_mul_(velocities, momentum)
    torch._foreach_add_(velocities, gradients)
    updates = torch._foreach_add(gradients, velocities, alpha=momentum)
    if group.decay:
        torch._foreach_mul_(group.parameters, 1 - rate * group.decay)
    torch._foreach_add_(group.parameters, directions(updates), alpha=-rate)


def _shorten(gradients: list[Tensor], longest: float) -> None:
    """Scale all gradients down where their common norm is greater; the device is not waited for."""
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    torch._foreach_mul_(gradients, (longest / (norm + CLIP_EPSILON)).clamp(max=1))


def _bound(weight: Tensor, longest: float) -> None:
    """Scale the weights of units down whose norm is greater; the first axis counts the units."""
    norms = weight.flatten(1).norm(dim=1)
    share = longest / norms.clamp(min=longest)
    weight.mul_(share.view(-1, *[1] * (weight.dim() - 1)))
