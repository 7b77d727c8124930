"""What networks from first principles cost beside their peers: same architecture, batch, threads.

    python benchmarks/scratch.py                      all of it, in under four minutes
    python benchmarks/scratch.py pair --repeats 20    one half of it

`perceptron` is an epoch of Fashion-MNIST's size through 784-512-256-10 with Adam, batches of 128:
what a study runs (uint8 images, normalised batch by batch), beside PyTorch's eager loop and
scikit-learn's MLPClassifier, both on float32 ready in memory. `pair` is a forward and a backward
pass through two 3 x 3 convolutions (32 and 64 channels), each with ReLU and 2 x 2 max pooling, on
128 images of 32 x 32 x 3: compiled kernels and NumPy's alone, beside PyTorch in both its memory
formats. All compute in float32; before any clock starts, ours and PyTorch's give the same numbers.

Contenders run in turn, in changing order, so that what else the machine does falls on all; a ratio
is the median over neighbouring runs, with the 95 % interval that the sign test gives. The results
go to `benchmarks/results/scratch.json`; exit code 1 where an interval lies beyond its target.
"""

import argparse
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparing import Contenders, Target, compare, interval, ratio
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Batch, Normaliser, Position
from bakeoff.core.streams import Streams
from bakeoff.core.task import Classification
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.execution.numerics import core_count, limiter, machine
from bakeoff.scratch import kernels
from bakeoff.scratch.layers import Convolution, MaxPool, Relu
from bakeoff.scratch.network import Sequence, initialise, perceptron
from bakeoff.scratch.optimisers import optimiser
from bakeoff.scratch.step import NumpyStep, Pixels
from bakeoff.training.loop import run_loop
from bakeoff.training.plan import plan
from bakeoff.training.settings import TrainingSettings

RESULTS = Path(__file__).parent / "results" / "scratch.json"
EXAMPLES, BATCH, CLASSES, RATE = 60_000, 128, 10, 1e-3
HIDDEN = (512, 256)
LEARNING = Position(step=0, epoch=0, learning_rate=RATE)


def perceptrons() -> Contenders:
    """An epoch of each; the numbers do not matter to the clock."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (EXAMPLES, 28, 28, 1), np.uint8)
    labels = generator.integers(0, CLASSES, EXAMPLES)
    ready = images.reshape(EXAMPLES, -1).astype(np.float32) / 255
    examples = Examples(images, labels, np.arange(EXAMPLES).astype(np.str_))
    return {
        "bakeoff": partial(our_epoch, examples),
        "torch": partial(torch_epoch, torch.from_numpy(ready), torch.from_numpy(labels)),
        "scikit-learn": partial(sklearn_epoch, ready, labels),
    }


def our_epoch(examples: Examples) -> float:
    """Seconds of the product's batches, step and loop."""
    settings = TrainingSettings(
        epochs=1, batch_size=BATCH, optimizer="adam", learning_rate=RATE, validate_every=10**6
    )
    shape = np.asarray(examples.items).shape[1:]
    network = perceptron(shape, HIDDEN, CLASSES)
    initialise(network, Streams(0))
    pixels = Pixels(Normaliser(np.full(1, 0.286, np.float32), np.full(1, 0.353, np.float32)), shape)
    step = NumpyStep(network, optimiser("adam", network), pixels)
    batches = TrainingBatches(examples, BATCH, Streams(0), "shuffle")
    few = examples.take(np.arange(64))
    task = Classification([str(i) for i in range(CLASSES)])

    def validation() -> Iterator[Batch]:
        return iter(evaluation_batches(few, 64))

    began = time.perf_counter()
    run_loop(
        step, batches, plan(settings, batches, task, lambda: iter(evaluation_batches(few, 64)))
    )
    return time.perf_counter() - began


def torch_epoch(inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Seconds of PyTorch's eager loop."""
    widths = (inputs.shape[1], *HIDDEN, CLASSES)
    layers: list[torch.nn.Module] = []
    for before, behind in pairwise(widths):
        layers += [torch.nn.Linear(before, behind), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    loss_of = torch.nn.CrossEntropyLoss()
    began = time.perf_counter()
    for rows in torch.randperm(len(inputs)).split(BATCH):
        optimiser.zero_grad()
        loss = loss_of(model(inputs[rows]), labels[rows])
        loss.backward()
        optimiser.step()
    return time.perf_counter() - began


def sklearn_epoch(inputs: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> float:
    """Seconds of scikit-learn's classifier."""
    model = MLPClassifier(
        HIDDEN, alpha=0, batch_size=BATCH, learning_rate_init=RATE, max_iter=1, random_state=0
    )
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs, labels)
    return time.perf_counter() - began


def pairs() -> Contenders:
    """A forward and a backward pass of each, from the same weights on the same images."""
    generator = np.random.default_rng(0)
    network = Sequence(
        {
            "0": Convolution(3, 32, 3, padding=1),
            "1": Relu(),
            "2": MaxPool(2),
            "3": Convolution(32, 64, 3, padding=1),
            "4": Relu(),
            "5": MaxPool(2),
        }
    )
    initialise(network, Streams(0))
    images = generator.standard_normal((BATCH, 32, 32, 3)).astype(np.float32)
    upstream = generator.standard_normal((BATCH, 8, 8, 64)).astype(np.float32)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 32, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(32, 64, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
    )
    model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in network.parameters.items()})
    there, back = (torch.from_numpy(a).permute(0, 3, 1, 2) for a in (images, upstream))
    np.testing.assert_allclose(
        network.forward(images), model(there).permute(0, 2, 3, 1).detach().numpy(), atol=1e-4
    )
    contenders: dict[str, Callable[[], float]] = {
        "bakeoff": partial(our_pair, network, images, upstream),
        "bakeoff, NumPy kernels": partial(our_pair, network, images, upstream, "numpy"),
    }
    for name, layout in (
        ("torch", torch.contiguous_format),
        ("torch, channels last", torch.channels_last),
    ):
        contenders[name] = partial(
            torch_pair,
            deepcopy(model).to(memory_format=layout),  # type: ignore[call-overload]
            there.contiguous(memory_format=layout),
            back.contiguous(memory_format=layout),
        )
    return contenders


def our_pair(
    network: Sequence,
    images: np.ndarray[Any, Any],
    upstream: np.ndarray[Any, Any],
    name: kernels.Name | None = None,
) -> float:
    """Seconds with the kernels in use, or those of another name."""
    if name is not None:
        with kernels.using(name):
            return our_pair(network, images, upstream)
    began = time.perf_counter()
    network.forward(images, LEARNING)
    network.backward(upstream, to_inputs=False)
    return time.perf_counter() - began


def torch_pair(model: torch.nn.Module, images: torch.Tensor, upstream: torch.Tensor) -> float:
    """Seconds of PyTorch's."""
    model.zero_grad()
    began = time.perf_counter()
    torch.autograd.backward(model(images), upstream)
    return time.perf_counter() - began


CASES: dict[str, tuple[Callable[[], Contenders], int, tuple[Target, ...]]] = {
    "perceptron": (
        perceptrons,
        12,
        (Target("bakeoff", "torch", 1.0), Target("bakeoff", "scikit-learn", 1.0)),
    ),
    "pair": (
        pairs,
        60,
        (
            Target("bakeoff", "torch", 1.2),
            Target("bakeoff", "torch, channels last", 1.2),
            Target("bakeoff", "bakeoff, NumPy kernels", 1 / 3),
        ),
    ),
}
"""Contenders, how often they run, and what ours is to reach."""


def outcome(name: str, repeats: int | None) -> Iterator[tuple[str, Any]]:
    """A case's results, told while they come."""
    build, usual, targets = CASES[name]
    count = repeats or usual
    seconds = compare(build(), count)
    yield "repeats", count
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    yield (
        "seconds",
        {k: {"median": medians[k], "ci95": interval(v)} for k, v in seconds.items()},
    )
    for key, median in medians.items():
        print(f"{name}: {key}: {median * 1000:,.1f} ms", file=sys.stderr)
    ratios = [ratio(seconds, target) for target in targets]
    for found in ratios:
        low, high = found.ci95
        print(
            f"{name}: {found.ours} / {found.theirs}: {found.median:.2f} ({low:.2f} to {high:.2f}), "
            f"target {found.at_most:.2f}: {'MISSED' if found.missed else 'met or open'}",
            file=sys.stderr,
        )
    yield "ratios", [asdict(found) | {"missed": found.missed} for found in ratios]


def main() -> int:
    """Compare what was asked for; 1 where a target is surely missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"of {list(CASES)}; all by default"
    )
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--threads", type=int, default=core_count())
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    if unknown := set(chosen.cases) - set(CASES):
        parser.error(f"{sorted(unknown)}: not among {list(CASES)}")
    limiter(chosen.threads)
    torch.set_num_threads(chosen.threads)
    cases = {name: dict(outcome(name, chosen.repeats)) for name in chosen.cases or CASES}
    known = machine() | {"kernels": kernels.describe(), "torch": torch.__version__}
    results = {"threads": chosen.threads, "precision": "float32", "machine": known, "cases": cases}
    chosen.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return int(any(found["missed"] for case in cases.values() for found in case["ratios"]))


if __name__ == "__main__":
    sys.exit(main())
