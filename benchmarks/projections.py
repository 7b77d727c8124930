"""Seconds of t-SNE of many vectors, and how far the pictures can be trusted.

Vectors are made up: ten groups in 128 dimensions, on the unit sphere, as contrastive encoders leave
them. Trustworthiness and kept neighbours are those of 2,000 of the points.

    python benchmarks/projections.py [--points 10000] [--jobs 2] [--dimension 128]
"""

import argparse
import json
import time

import numpy as np

from bakeoff.analysis.projections import (
    neighbours_kept,
    on_sphere,
    trustworthiness,
    tsne,
    tsne_program,
)

MEASURED = 2_000


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser()
    for name, value in (("points", 10_000), ("jobs", 2), ("dimension", 128)):
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, chosen.points)
    middles = generator.normal(size=(10, chosen.dimension))
    noise = generator.normal(size=(chosen.points, chosen.dimension))
    vectors = on_sphere(middles[labels] + noise).astype(np.float32)
    began = time.perf_counter()
    places = tsne(vectors, jobs=chosen.jobs)
    seconds = time.perf_counter() - began
    some = generator.permutation(chosen.points)[:MEASURED]
    told = {
        "points": chosen.points,
        "dimension": chosen.dimension,
        "jobs": chosen.jobs,
        "by": tsne_program(chosen.points),
        "seconds": round(seconds, 1),
        "trustworthiness": round(trustworthiness(vectors[some], places[some]), 4),
        "neighbours_kept": round(neighbours_kept(vectors[some], places[some]), 4),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
