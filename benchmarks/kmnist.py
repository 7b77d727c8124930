"""7,011 Kuzushiji characters: our perceptron, scikit-learn's of the same shape, and neighbours.

    python benchmarks/kmnist.py                 all of it
    python benchmarks/kmnist.py search          scikit-learn's settings, on validation alone
    python benchmarks/kmnist.py compare         five seeds of each, test opened once a fit
    python benchmarks/kmnist.py neighbours      votes of the nearest images, alike or by distance

Ours is the recipe `perceptron` of the study `mlp-kmnist`. scikit-learn's `MLPClassifier` has the
same layers, batches, number of epochs, training images and normalised pixels, in float32 on the
same threads; of each of its two solvers every rate and every `alpha` of a grid was tried on the
validation images of the first seeds, and the best is used. Both keep the weights of the epoch that
scores best on validation. scikit-learn adds `alpha / (2 B) |W|^2` to the mean loss of a batch of B,
so that our `l2` is its `alpha / B`. The neighbours are the 4 nearest among all 7,011 images, and
among those left by the first seed's carve.

Writes `benchmarks/results/kmnist.json`, each part its own.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from bakeoff.core.cell import Cell, Replicate
from bakeoff.core.recipe import DataSettings, Numerics
from bakeoff.core.streams import Streams
from bakeoff.data import catalogue, splits
from bakeoff.data.dataset import Dataset
from bakeoff.execution import numerics
from bakeoff.execution.run import CellRun
from bakeoff.study.study import load_study
from bakeoff.techniques import find
from bakeoff.techniques.recipes import parse_recipe
from bakeoff.training.observers import Silent

RESULT = Path(__file__).parent / "results" / "kmnist.json"
STUDY, DATASET, NEIGHBOURS = "mlp-kmnist", "kmnist-7011", 4
RATES = {"adam": (3e-4, 1e-3, 3e-3), "sgd": (0.02, 0.05, 0.1)}
ALPHAS = (1e-4, 0.02, 0.2, 0.6)
SEARCHED, SEEDS = (0,), (0, 1, 2, 3, 4)
Matrix = np.ndarray[Any, np.dtype[np.float32]]


def fitted(content: Mapping[str, Any], data: Any, dataset: Dataset, seed: int) -> tuple[Any, float]:
    """A predictor of one of our recipes, and its training seconds."""
    recipe = parse_recipe({**content, "data": {"set": DATASET}})
    technique = find(recipe.technique)
    cell = Cell(recipe, Replicate(seed=seed), dataset.hash, "", technique.version)
    with tempfile.TemporaryDirectory() as folder:
        run = CellRun(Path(folder), Streams(seed), {}, True, Silent(), lambda: None)
        predictor = technique.fit(cell, data, {}, run)
    return predictor, run.train_seconds + run.warm_up_seconds


def theirs(
    data: Any, settings: Mapping[str, Any], epochs: int, seed: int
) -> tuple[MLPClassifier, float, float]:
    """scikit-learn's network of the best epoch, its validation accuracy, and training seconds."""
    x, validation = rows(data, data.train.items), rows(data, data.validation.items)
    model = MLPClassifier(random_state=seed, **settings)
    best, kept, seconds = -1.0, model, 0.0
    for _ in range(epochs):
        began = time.perf_counter()
        model.partial_fit(x, data.train.labels, classes=range(len(data.task.classes)))
        score = float(model.score(validation, data.validation.labels))
        seconds += time.perf_counter() - began
        if score > best:
            best, kept = score, deepcopy(model)
    return kept, best, seconds


def rows(data: Any, items: np.ndarray[Any, Any]) -> Matrix:
    """Images as both networks read them, a row each."""
    normalised: Matrix = data.normaliser(items).reshape(len(items), -1)
    return normalised


def search(dataset: Dataset, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Validation accuracy of every setting, and the best one."""
    training = recipe["training"]
    found = []
    for solver in RATES:
        for rate, alpha in product(RATES[solver], ALPHAS):
            settings = {
                "hidden_layer_sizes": tuple(recipe["model"]["hidden"]),
                "batch_size": training["batch_size"],
                "solver": solver,
                "learning_rate_init": rate,
                "alpha": alpha,
            }
            scores = [
                theirs(carved(dataset, seed), settings, training["epochs"], seed)[1]
                for seed in SEARCHED
            ]
            found.append({"settings": settings, "validation": statistics.mean(scores)})
            told = f"{solver}, rate {rate:g}, alpha {alpha:g}"
            print(f"{told}: {found[-1]['validation']:.4f} on validation", flush=True)
    best = max(found, key=lambda row: row["validation"])
    return {"seeds": list(SEARCHED), "tried": found, "chosen": best["settings"]}


def carved(dataset: Dataset, seed: int) -> Any:
    """The study's training and validation images of a seed."""
    return splits.draw(dataset, DataSettings(set=DATASET), Streams(seed)).training_data()


def compare(
    dataset: Dataset, recipe: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """Test accuracy and seconds of both perceptrons over the seeds, in turn, and of neighbours."""
    test = splits.examples_of_test(dataset, DataSettings(set=DATASET))
    accuracy: dict[str, list[float]] = {"bakeoff": [], "scikit-learn": []}
    seconds: dict[str, list[float]] = {"bakeoff": [], "scikit-learn": []}
    for seed in SEEDS:
        data = carved(dataset, seed)
        predictor, taken = fitted(recipe, data, dataset, seed)
        guesses = predictor.predict(test.items).argmax(axis=1)
        accuracy["bakeoff"].append(float((guesses == test.labels).mean()))
        seconds["bakeoff"].append(taken)
        model, _, taken = theirs(data, chosen, recipe["training"]["epochs"], seed)
        accuracy["scikit-learn"].append(float(model.score(rows(data, test.items), test.labels)))
        seconds["scikit-learn"].append(taken)
        told = ", ".join(f"{name} {values[-1]:.4f}" for name, values in accuracy.items())
        print(f"seed {seed}: {told}", flush=True)
    summary = {
        name: {
            "accuracy": values,
            "mean": statistics.mean(values),
            "sd": statistics.stdev(values),
            "train_seconds": seconds[name],
            "median_seconds": statistics.median(seconds[name]),
        }
        for name, values in accuracy.items()
    }
    return {"seeds": list(SEEDS), "perceptrons": summary}


def neighbours(dataset: Dataset) -> dict[str, Any]:
    """Test accuracy of the nearest images, their votes alike or by distance."""
    test = splits.examples_of_test(dataset, DataSettings(set=DATASET))
    found, data = {}, carved(dataset, 0)
    for name, training in (("all", replace(data, train=dataset.train)), ("carved", data)):
        for weights in ("uniform", "distance"):
            content = {"technique": "knn", "k": NEIGHBOURS, "weights": weights}
            predictor, _ = fitted(content, training, dataset, 0)
            began = time.perf_counter()
            guesses = predictor.predict(test.items).argmax(axis=1)
            found[f"{name}, {weights}"] = {
                "images": len(training.train),
                "accuracy": float((guesses == test.labels).mean()),
                "seconds_to_predict": time.perf_counter() - began,
            }
            told = f"{NEIGHBOURS} nearest of {name} images, {weights} votes"
            print(f"{told}: {found[f'{name}, {weights}']}", flush=True)
    return found


def main() -> None:
    """Search, compare, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="?", choices=("search", "compare", "neighbours"))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    found = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    used = numerics.apply(Numerics(threads=arguments.threads), "numpy")
    dataset, recipe = catalogue.load(DATASET), load_study(STUDY).variants["perceptron"]
    if arguments.part in (None, "search"):
        found["search"] = search(dataset, recipe)
    if arguments.part in (None, "compare"):
        found |= compare(dataset, recipe, found["search"]["chosen"]) | {"machine": used}
    if arguments.part in (None, "neighbours"):
        found["neighbours"] = neighbours(dataset)
    RESULT.write_text(json.dumps(found, indent=1, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
