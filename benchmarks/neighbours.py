"""Exact nearest neighbours against scikit-learn's brute force: seconds, and whether they agree.

Both search the k nearest of 10,000 queries among 60,000 vectors of 784 numbers, turn by turn.
Vectors are Fashion-MNIST's pixels where `$BAKEOFF_DATA` has them, and made up otherwise: sums of a
few patterns with noise. The results go to `benchmarks/results/neighbours.json`. Exit code 1 where
2.5 times as fast is surely missed, or neighbours differ.

    python benchmarks/neighbours.py [--turns 5] [--queries 10000] [--vectors 60000] [--k 5]
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from comparing import Target, compare, ratio
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_info

from bakeoff.core.errors import BakeoffError
from bakeoff.core.offline import offline
from bakeoff.data import catalogue
from bakeoff.techniques.neighbours import Neighbours, squared_lengths

RESULTS = Path(__file__).parent / "results" / "neighbours.json"


def threads() -> int:
    """What BLAS computes with."""
    return max(pool["num_threads"] for pool in threadpool_info())


def vectors(count: int, queries: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Vectors and queries (N, 784) float32, and what they are."""
    try:
        with offline():
            dataset = catalogue.load("fashion-mnist")
        assert dataset.test is not None
        parts = (np.asarray(p.items, "f4").reshape(-1, 784) for p in (dataset.train, dataset.test))
        train, test = (part / np.float32(255) for part in parts)
        return train[:count], test[:queries], "fashion-mnist"
    except BakeoffError:
        generator = np.random.default_rng(0)
        mixed = generator.normal(size=(count + queries, 20)) @ generator.normal(size=(20, 784))
        mixed += generator.normal(size=mixed.shape)
        return mixed[:count].astype("f4"), mixed[count:].astype("f4"), "made up"


def main() -> int:
    """Measure, print a line of JSON, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("turns", 5), ("queries", 10_000), ("vectors", 60_000), ("k", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    train, queries, name = vectors(chosen.vectors, chosen.queries)
    squares = squared_lengths(lambda rows: train[rows], len(train))
    ours = Neighbours(lambda rows: train[rows], squares, "euclidean")
    theirs = NearestNeighbors(n_neighbors=chosen.k, algorithm="brute").fit(train)
    found: dict[str, np.ndarray] = {}

    def timed(who: str, search: Callable[..., tuple[np.ndarray, np.ndarray]]) -> float:
        began = time.perf_counter()
        _, found[who] = search(queries, chosen.k)
        return time.perf_counter() - began

    contenders = {
        "ours": lambda: timed("ours", ours.search),
        "scikit-learn": lambda: timed("scikit-learn", theirs.kneighbors),
    }
    seconds = compare(contenders, chosen.turns)
    asked = ratio(seconds, Target("ours", "scikit-learn", 1 / 2.5))
    mine, reference = (np.sort(found[who], axis=1) for who in ("ours", "scikit-learn"))
    told = {
        "vectors": name,
        "shape": [len(queries), *train.shape],
        "k": chosen.k,
        "threads": threads(),
        "seconds": {who: round(statistics.median(taken), 3) for who, taken in seconds.items()},
        "ratio": asdict(asked),
        "rows_with_the_same_set": float((mine == reference).all(axis=1).mean()),
    }
    print(json.dumps(told))
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")
    return int(asked.missed or told["rows_with_the_same_set"] < 1)


if __name__ == "__main__":
    sys.exit(main())
