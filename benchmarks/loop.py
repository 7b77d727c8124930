"""What the product's loop costs over a bare loop: same model, batches, precision and updates.

    python benchmarks/loop.py torch numpy --repeats 30 --threads 2

Runs alternate between the two, so that what else the machine does falls on both; the figure is the
median ratio of neighbouring runs, with the 95 % interval that the sign test gives: a run that was
disturbed moves neither. Exit code 1 where the interval lies above the budget of 5 %.

The bare torch loop is what a competent person writes for this one model: images as uint8 in
memory, channels last, bfloat16 by autocast where the processor has units for it, a fused optimiser,
losses read once an epoch. The NumPy half is in `loop_numpy.py`.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from scipy import stats
from torch.nn.functional import cross_entropy

from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Batch, Normaliser
from bakeoff.core.recipe import Numerics
from bakeoff.core.streams import Streams
from bakeoff.core.task import Classification
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.models import build
from bakeoff.models.settings import SimpleCnnSettings
from bakeoff.training.loop import run_loop
from bakeoff.training.plan import plan
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch import numerics
from bakeoff.training.torch.inference import Inference
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.step import TorchStep
from bakeoff.training.torch.transforms import Pixels

BUDGET = 0.05
SHAPE, CLASSES, EXAMPLES = (32, 32, 3), 10, 10_240
BATCH, RATE, MOMENTUM, L2 = 256, 0.01, 0.9, 5e-4


@dataclass(frozen=True)
class Case:
    """Two ways to do the same work, each giving the seconds it took."""

    name: str
    examples: int
    """Training examples each of them reads."""
    bare: Callable[[], float]
    ours: Callable[[], float]


@dataclass(frozen=True)
class Outcome:
    """What a case's runs allow one to say; the ratio is ours over bare, less one."""

    name: str
    repeats: int
    threads: int
    overhead: float
    ci95: tuple[float, float]
    bare_examples_per_second: float
    ours_examples_per_second: float


def compare(case: Case, repeats: int, threads: int) -> Outcome:
    """Run both, in turn and in changing order, after one run of each that does not count."""
    case.bare()
    case.ours()
    bare: list[float] = []
    ours: list[float] = []
    for number in range(repeats):
        order = [(case.bare, bare), (case.ours, ours)]
        for run, seconds in order if number % 2 else reversed(order):
            seconds.append(run())
    logs = sorted(math.log(a / b) for a, b in zip(ours, bare, strict=True))
    cut = max(1, int(stats.binom.ppf(0.025, repeats, 0.5)))
    return Outcome(
        case.name,
        repeats,
        threads,
        math.expm1(statistics.median(logs)),
        (math.expm1(logs[cut - 1]), math.expm1(logs[-cut])),
        case.examples / statistics.median(bare),
        case.examples / statistics.median(ours),
    )


def torch_case(steps: int, device_numerics: Numerics) -> Case:
    """The small convolutional network on images of CIFAR-10's shape."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (EXAMPLES, *SHAPE), np.uint8)
    labels = generator.integers(0, CLASSES, EXAMPLES)
    examples = Examples(images, labels, np.arange(EXAMPLES).astype(np.str_))
    return Case(
        "torch",
        steps * BATCH,
        lambda: bare_torch(examples, steps, device_numerics),
        lambda: ours_torch(examples, steps, device_numerics),
    )


def _normaliser() -> Normaliser:
    return Normaliser(np.full(3, 0.47, np.float32), np.full(3, 0.25, np.float32))


def bare_torch(examples: Examples, steps: int, chosen: Numerics) -> float:
    """Seconds of the bare loop."""
    device = torch.device(str(chosen.device))
    model = build(SimpleCnnSettings(), SHAPE, CLASSES).to(device)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(
        model.parameters(), RATE, momentum=MOMENTUM, nesterov=True, weight_decay=L2, fused=True
    )
    images = torch.from_numpy(np.asarray(examples.items)).to(device)
    labels = torch.from_numpy(examples.labels).to(device)
    scale = torch.from_numpy(_normaliser().scale).to(device).view(1, -1, 1, 1)
    shift = torch.from_numpy(_normaliser().shift).to(device).view(1, -1, 1, 1)
    low = chosen.precision == "bfloat16"
    per_epoch = EXAMPLES // BATCH
    began, total = time.perf_counter(), torch.zeros((), device=device)
    for step in range(steps):
        if step % per_epoch == 0:
            order = torch.randperm(EXAMPLES).to(device)
        rows = order[step % per_epoch * BATCH :][:BATCH]
        x = images[rows].permute(0, 3, 1, 2).float().mul_(scale).add_(shift)
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            logits = model(x)
        loss = cross_entropy(logits.float(), labels[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        total += loss.detach()
    total.item()
    return time.perf_counter() - began


def ours_torch(examples: Examples, steps: int, chosen: Numerics) -> float:
    """Seconds of the product's batches, step and loop on the same work."""
    settings = TrainingSettings(
        iterations=steps,
        batch_size=BATCH,
        optimizer="nesterov",
        learning_rate=RATE,
        momentum=MOMENTUM,
        l2=L2,
        validate_every=steps,
    )
    pixels = Pixels(_normaliser(), SHAPE, torch.device(str(chosen.device)))
    precision: numerics.Precision = "bfloat16" if chosen.precision == "bfloat16" else "float32"
    streams = Streams(0)
    inference = Inference(build(SimpleCnnSettings(), SHAPE, CLASSES), pixels, precision)
    initialise(inference.module, streams)
    step = TorchStep(inference, settings, streams)
    batches = TrainingBatches(examples, BATCH, streams, "shuffle")
    few = examples.take(np.arange(inference.pass_size))

    def validation() -> Iterator[Batch]:
        return iter(evaluation_batches(few, inference.pass_size))

    task = Classification([str(i) for i in range(CLASSES)])
    began = time.perf_counter()
    run_loop(step, batches, plan(settings, batches, task, validation))
    return time.perf_counter() - began


def numpy_case(steps: int, precomputed: bool) -> Case:
    """Softmax regression; against a loop that normalises beforehand, or batch by batch."""
    import loop_numpy

    work = loop_numpy.random_work(precomputed=precomputed, steps=steps)
    name = "numpy, normalised beforehand" if precomputed else "numpy"
    return Case(
        name,
        steps * work.batch_size,
        lambda: loop_numpy.bare(work),
        lambda: loop_numpy.ours(work),
    )


def main() -> int:
    """Compare what was asked for; 1 where something is surely above the budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cases", nargs="*", choices=["torch", "numpy"], default=["torch", "numpy"])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--steps", type=int, default=40, help="updates of a torch run")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    chosen = parser.parse_args()
    device, precision = numerics.resolve_device_and_precision(chosen.device, chosen.precision)
    resolved = Numerics(device=device, precision=precision, threads=chosen.threads)
    numerics.apply(resolved)
    cases: list[Case] = []
    if "torch" in chosen.cases:
        cases.append(torch_case(chosen.steps, resolved))
    if "numpy" in chosen.cases:
        cases += [numpy_case(10 * chosen.steps, precomputed) for precomputed in (False, True)]
    worst = 0.0
    for case in cases:
        outcome = compare(case, chosen.repeats, chosen.threads)
        print(json.dumps(asdict(outcome)))
        low, high = outcome.ci95
        print(
            f"{outcome.name}: {outcome.overhead:+.1%} over bare ({low:+.1%} to {high:+.1%}), "
            f"{outcome.ours_examples_per_second:,.0f} examples/s",
            file=sys.stderr,
        )
        worst = max(worst, low)
    return int(worst > BUDGET)


if __name__ == "__main__":
    sys.exit(main())
