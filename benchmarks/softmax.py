"""Softmax regression on CIFAR-10: the seconds to one accuracy, ours against scikit-learn's.

The same 45,000 training images, carved as the study `softmax-pixels` carves them, normalised by the
same means, in float32, on the same number of threads, turn by turn. Ours is the study's recipe
`ours`: six epochs of minibatches. scikit-learn's `LogisticRegression` (L-BFGS, the penalty that is
best on validation) gets more and more iterations; the first number with which it reaches our mean
test accuracy is what it needed. Loading and normalising count for neither.

    python benchmarks/softmax.py [--turns 3] [--threads 2]

Writes `benchmarks/results/softmax.json`.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.recipe import Numerics
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue, splits
from bakeoff.execution import numerics
from bakeoff.execution.run import CellRun
from bakeoff.study.study import load_study
from bakeoff.techniques import find
from bakeoff.techniques.recipes import parse_recipe
from bakeoff.training.observers import Silent

ITERATIONS = (5, 10, 15, 20, 30, 40, 60, 80)
RESULT = Path(__file__).parent / "results" / "softmax.json"


def ours(data: Any, test: Any, dataset: Any, threads: int, seed: int) -> tuple[float, float]:
    """Seconds of training and test accuracy of the study's recipe."""
    study = load_study("softmax-pixels")
    content = {**study.variants["ours"], "technique": "softmax", "data": {"set": "cifar10"}}
    recipe = parse_recipe(content | {"numerics": {"threads": threads}})
    technique = find("softmax")
    cell = Cell(recipe, Replicate(seed=seed), dataset.hash, "", technique.version)
    with tempfile.TemporaryDirectory() as folder:
        run = CellRun(Path(folder), Streams(seed), {}, True, Silent(), lambda: None)
        predictor = technique.fit(cell, data, {}, run)
    guesses = predictor.predict(test.items).argmax(axis=1)
    seconds = run.train_seconds + run.warm_up_seconds
    return seconds, float((guesses == test.labels).mean())


def theirs(arrays: dict[str, np.ndarray], iterations: int, penalty: float) -> tuple[float, float]:
    """The same of scikit-learn with so many iterations."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / (penalty * len(arrays["x"])), max_iter=iterations, tol=1e-6)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(arrays["x"], arrays["y"])
    seconds = time.perf_counter() - began
    return seconds, float(model.score(arrays["test_x"], arrays["test_y"]))


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--penalty", type=float, default=0.1, help="L2 of scikit-learn's")
    arguments = parser.parse_args()
    settings = parse_recipe({"technique": "softmax", "data": {"set": "cifar10"}}).data
    numerics.apply(Numerics(threads=arguments.threads), "numpy")
    dataset = catalogue.load("cifar10")
    data = splits.draw(dataset, settings, Streams(0)).training_data()
    test = splits.examples_of_test(dataset, settings)
    arrays = {
        "x": data.normaliser(data.train.items).reshape(len(data.train), -1),
        "y": data.train.labels,
        "test_x": data.normaliser(test.items).reshape(len(test), -1),
        "test_y": test.labels,
    }
    fits = [ours(data, test, dataset, arguments.threads, seed) for seed in range(arguments.turns)]
    target = statistics.mean(accuracy for _, accuracy in fits)
    print(f"ours: {[round(s, 2) for s, _ in fits]} s, mean test accuracy {target:.4f}", flush=True)
    curve = []
    for iterations in ITERATIONS:
        seconds, accuracy = theirs(arrays, iterations, arguments.penalty)
        curve.append({"iterations": iterations, "seconds": seconds, "accuracy": accuracy})
        print(f"scikit-learn, {iterations} iterations: {seconds:.1f} s, {accuracy:.4f}", flush=True)
        fits.append(ours(data, test, dataset, arguments.threads, len(fits)))
        if accuracy >= target:
            break
    reached = next((point for point in curve if point["accuracy"] >= target), None)
    seconds = statistics.median(s for s, _ in fits)
    result = {
        "threads": arguments.threads,
        "ours": {"seconds": [s for s, _ in fits], "accuracy": [a for _, a in fits]},
        "scikit_learn": curve,
        "median_seconds": seconds,
        "mean_accuracy": statistics.mean(a for _, a in fits),
        "needed_seconds": reached and reached["seconds"],
        "ratio": reached and seconds / reached["seconds"],
        "machine": numerics.apply(Numerics(threads=arguments.threads), "numpy"),
    }
    RESULT.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    print(f"median {seconds:.2f} s; scikit-learn needed {result['needed_seconds']}", flush=True)


if __name__ == "__main__":
    main()
