"""Optimisers by the names of `TrainingSettings`, with all their memory from the start."""

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from bakeoff.training.settings import TrainingSettings


def optimiser(settings: TrainingSettings, module: nn.Module) -> Optimizer:
    """An optimiser of the module's trained parameters; its rate is set before every update.

    `l2` is on weights (two axes and more), not on biases and norms: `adamw` decays them by it
    (Loshchilov and Hutter 2019, "Decoupled weight decay regularization"), the others add
    l2 * w to the gradient. The betas of `adam` (Kingma and Ba 2015, "Adam") are torch's.

    Torch's fused kernels update all parameters in one pass over memory. Moments exist from the
    start, as zeros, so that a state can be put back before the first update; torch would make the
    first gradient the first momentum, which is the same.

    Args:
        settings: `optimizer`, `momentum`, `l2`.
        module: On its device.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": settings.l2},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    rate = settings.learning_rate
    match settings.optimizer:
        case "sgd":
            return SGD(groups, rate, fused=True)
        case "momentum" | "nesterov" as name:
            made: Optimizer = SGD(
                groups,
                rate,
                momentum=settings.momentum,
                nesterov=name == "nesterov" and settings.momentum > 0,
                fused=True,
            )
            moments = ["momentum_buffer"]
        case "adam" | "adamw" as name:
            made = (Adam if name == "adam" else AdamW)(groups, rate, fused=True)
            moments = ["exp_avg", "exp_avg_sq"]
    for parameter in trained:
        made.state[parameter] = {key: torch.zeros_like(parameter) for key in moments}
        if "exp_avg" in moments:
            count = torch.zeros((), dtype=torch.float32, device=parameter.device)
            made.state[parameter]["step"] = count
    return made


def optimiser_tensors(made: Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """The optimiser's moments and counts by `path.key`."""
    return {
        f"{path}.{key}": value
        for path, parameter in module.named_parameters()
        if parameter.requires_grad
        for key, value in sorted(made.state[parameter].items())
    }
