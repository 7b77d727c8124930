"""Our perceptron against scikit-learn's: same architecture, batches, epochs; accuracy and time.

Both compute on one thread, in float32, turn by turn; of each the fastest turn counts, so that
another process on the machine disturbs both alike. Rows that are held out of training score.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/estimators.py [--turns 5]
"""

import argparse
import json
import time
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_classification
from sklearn.linear_model import LinearRegression
from sklearn.linear_model import LogisticRegression as TheirLogistic
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as TheirPerceptron
from sklearn.preprocessing import StandardScaler

from bakeoff.estimators import LMSRegressor, LogisticRegression, MLPClassifier, SoftmaxRegression

SEEDS = 3


def data_sets() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rows and labels by name: two small ones, and one of Fashion-MNIST's sizes for the clock."""
    large = make_classification(
        10_000, 784, n_informative=60, n_classes=10, n_clusters_per_class=1, random_state=0
    )
    return {
        "digits": load_digits(return_X_y=True),
        "breast cancer": load_breast_cancer(return_X_y=True),
        "10,000 x 784": large,
    }


def split(rows: np.ndarray, labels: np.ndarray, classes: bool = True) -> list[np.ndarray]:
    """Standardised rows to train and to score on, and the labels of each."""
    keep = labels if classes else None
    parts = train_test_split(rows, labels, test_size=0.25, stratify=keep, random_state=0)
    scaler = StandardScaler().fit(parts[0])
    return [
        scaler.transform(parts[0]).astype("f4"),
        scaler.transform(parts[1]).astype("f4"),
        *parts[2:],
    ]


def pairs(name: str) -> dict[str, tuple[Any, Any]]:
    """Ours and theirs, by what they are; all take `random_state`."""
    units, epochs = ((512, 256), 3) if name.startswith("10,000") else ((100,), 60)
    shared = {"learning_rate_init": 2e-3, "batch_size": 128, "max_iter": epochs}
    found = {
        f"perceptron {units}, {epochs} epochs": (
            MLPClassifier(units, tol=None, **shared),
            TheirPerceptron(units, tol=0, n_iter_no_change=10**6, **shared),
        )
    }
    if epochs == 60:
        linear = LogisticRegression if name == "breast cancer" else SoftmaxRegression
        found["linear, as it comes"] = linear(), TheirLogistic()
    return found


def turn(model: Any, parts: list[np.ndarray], seed: int) -> tuple[float, float]:
    """Seconds of fitting, and the score of the rows held out."""
    model.set_params(random_state=seed)
    began = time.perf_counter()
    model.fit(parts[0], parts[2])
    return time.perf_counter() - began, model.score(parts[1], parts[3])


def compare(what: str, models: tuple[Any, Any], parts: list[np.ndarray], turns: int) -> dict:
    """One line of the result."""
    seconds: list[list[float]] = [[], []]
    scores: list[list[float]] = [[], []]
    for number in range(turns):
        for side, model in enumerate(models):
            took, score = turn(model, parts, number % SEEDS)
            seconds[side].append(took)
            scores[side].append(score)
    return {
        "what": what,
        "seconds": [round(min(found), 4) for found in seconds],
        "ratio": round(min(seconds[0]) / min(seconds[1]), 2),
        "score": [round(float(np.mean(found[:SEEDS])), 4) for found in scores],
    }


def main() -> None:
    """Print a JSON line for each comparison: ours first, then theirs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    warnings.simplefilter("ignore")
    for name, (rows, labels) in data_sets().items():
        parts = split(rows, labels)
        for what, models in pairs(name).items():
            print(json.dumps(compare(f"{name}: {what}", models, parts, turns)), flush=True)
    parts = split(*load_diabetes(return_X_y=True), classes=False)
    scores = [
        m.fit(parts[0], parts[2]).score(parts[1], parts[3])
        for m in (LMSRegressor(random_state=0), LinearRegression())
    ]
    print(
        json.dumps(
            {"what": "diabetes: R2, LMS and least squares", "score": np.round(scores, 4).tolist()}
        )
    )


if __name__ == "__main__":
    main()
