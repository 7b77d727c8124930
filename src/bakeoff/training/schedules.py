"""Learning-rate schedules: the rate as a function of the number of updates done."""

import math
from collections.abc import Callable

from bakeoff.training.settings import LoopSettings

Schedule = Callable[[int], float]


def schedule(settings: LoopSettings, steps: int) -> Schedule:
    """The rate of update 0 .. steps - 1.

    With warm-up over w updates the rate rises linearly, (step + 1) / w of the peak; the named shape
    then spans what is left. `one-cycle` (Smith 2018, "A disciplined approach to neural network
    hyper-parameters") without a `warmup` rises over the first 30 % from a 25th of the peak; it then
    falls to 1/10,000 of the start along a cosine. We leave momentum alone, unlike the paper.

    Args:
        settings: `schedule`, `learning_rate`, `warmup`, `decay`.
        steps: Updates in all.
    """
    peak = settings.learning_rate
    rising = round(settings.warmup * steps)
    if settings.schedule == "one-cycle":
        return _one_cycle(peak, rising or max(1, round(0.3 * steps)), steps)
    shape = _shape(settings)
    span = max(1, steps - rising)

    def rate(step: int) -> float:
        if step < rising:
            return peak * (step + 1) / rising
        return peak * shape((step - rising) / span)

    return rate


def _shape(settings: LoopSettings) -> Callable[[float], float]:
    """The factor on the peak rate at a share 0 <= x < 1 of the run."""
    decay = settings.decay
    match settings.schedule:
        case "step":
            return lambda x: decay ** math.floor(3 * x)
        case "exponential":
            return lambda x: decay**x
        case "cosine":
            return lambda x: 0.5 * (1 + math.cos(math.pi * x))
        case _:
            return lambda x: 1.0


def _one_cycle(peak: float, rising: int, steps: int) -> Schedule:
    start, end = peak / 25, peak / 25e4
    falling = max(1, steps - rising)

    def rate(step: int) -> float:
        if step < rising:
            return _cosine_between(start, peak, step / rising)
        return _cosine_between(peak, end, (step - rising) / falling)

    return rate


def _cosine_between(a: float, b: float, x: float) -> float:
    return b + (a - b) * 0.5 * (1 + math.cos(math.pi * x))
