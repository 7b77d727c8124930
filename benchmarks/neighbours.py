"""Exact nearest neighbours against scikit-learn's brute force: seconds, and whether they agree.

Both search the k nearest of 10,000 queries among 60,000 vectors of 784 numbers, turn by turn; of
each the fastest turn counts. On a busy machine take one thread: the seconds of the processor, which
are told too, then do not depend on what else runs. Vectors are Fashion-MNIST's pixels where
`$BAKEOFF_DATA` has them, and made up otherwise: sums of a few patterns with noise.

    python benchmarks/neighbours.py [--turns 2] [--queries 10000] [--vectors 60000] [--k 5]
"""

import argparse
import json
import time

import numpy as np
from sklearn.neighbors import NearestNeighbors

from bakeoff.core.errors import BakeoffError
from bakeoff.data import catalogue
from bakeoff.techniques.neighbours import Neighbours, squared_lengths


def vectors(count: int, queries: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Vectors and queries (N, 784) float32, and what they are."""
    try:
        dataset = catalogue.load("fashion-mnist", offline=True)
        assert dataset.test is not None
        parts = (np.asarray(p.items, "f4").reshape(-1, 784) for p in (dataset.train, dataset.test))
        train, test = (part / np.float32(255) for part in parts)
        return train[:count], test[:queries], "fashion-mnist"
    except BakeoffError:
        generator = np.random.default_rng(0)
        mixed = generator.normal(size=(count + queries, 20)) @ generator.normal(size=(20, 784))
        mixed += generator.normal(size=mixed.shape)
        return mixed[:count].astype("f4"), mixed[count:].astype("f4"), "made up"


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser()
    for name, value in (("turns", 2), ("queries", 10_000), ("vectors", 60_000), ("k", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    train, queries, name = vectors(chosen.vectors, chosen.queries)
    squares = squared_lengths(lambda rows: train[rows], len(train))
    ours = Neighbours(lambda rows: train[rows], squares, "euclidean")
    theirs = NearestNeighbors(n_neighbors=chosen.k, algorithm="brute").fit(train)
    found: dict[str, np.ndarray] = {}
    seconds: dict[str, list[tuple[float, float]]] = {"ours": [], "scikit-learn": []}
    for _ in range(chosen.turns):
        for who in seconds:
            began, busy = time.perf_counter(), time.process_time()
            search = ours.search if who == "ours" else theirs.kneighbors
            _, found[who] = search(queries, chosen.k)
            seconds[who].append((time.perf_counter() - began, time.process_time() - busy))
    mine, reference = found.values()
    wall, processor = (
        {who: round(min(times[place] for times in own), 3) for who, own in seconds.items()}
        for place in (0, 1)
    )
    print(
        json.dumps(
            {
                "vectors": name,
                "shape": [len(queries), *train.shape],
                "k": chosen.k,
                "seconds": wall,
                "processor_seconds": processor,
                "times_as_fast": round(wall["scikit-learn"] / wall["ours"], 2),
                "same_neighbours": float((mine == reference).mean()),
                "rows_with_the_same_set": float(
                    (np.sort(mine, axis=1) == np.sort(reference, axis=1)).all(axis=1).mean()
                ),
            }
        )
    )


if __name__ == "__main__":
    main()
