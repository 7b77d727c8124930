"""Texts per second of encoding: ours beside sentence-transformers and Transformers' pipeline.

    python benchmarks/encode_texts.py $BAKEOFF_DATA/ag-news/test.csv --texts 256 --repeats 5

All start from the texts, with the same weights and the same threads, and end with one vector of
length 1 for each text; contenders run in turn, with their own defaults (ours: bfloat16 where the
processor has units for it). Freed memory is kept, as in a cell of ours, for all. Vectors are
compared first: the cosine of each text's with sentence-transformers'. The pipeline takes one text
at a time, as it does unasked.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparing import Target, compare, ratio
from numpy.typing import NDArray

from bakeoff.execution.allocator import keep_freed
from bakeoff.models.pretrained import find_folder, quietly
from bakeoff.techniques import find
from bakeoff.techniques.pretrained import PretrainedPredictor, PretrainedSettings

TARGETS = (
    Target("ours", "sentence-transformers", 1 / 3),
    Target("ours", "pipeline", 1 / 6),
)
TOKENS = 256
"""What sentence-transformers cuts these weights' texts at."""


def read(path: Path, count: int) -> list[str]:
    """Title and description of AG News' items, evenly spread."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [f"{title} {said}" for _, title, said in csv.reader(stream)]
    return [rows[i] for i in np.linspace(0, len(rows) - 1, count).astype(int)]


def ours(weights: str) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """The technique `pretrained`."""
    settings = PretrainedSettings.parse({"model": {"weights": weights, "max_tokens": TOKENS}})
    predictor = find("pretrained").untrained(settings, (), 2)
    assert isinstance(predictor, PretrainedPredictor)
    return predictor.represent


def sentence_transformers(folder: str) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """`SentenceTransformer.encode`, with its defaults."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu", local_files_only=True)
    return lambda texts: np.asarray(model.encode(list(texts), normalize_embeddings=True))


def pipeline(folder: str) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """Transformers' feature extraction, with its defaults; the mean and the length are ours."""
    import transformers

    made: Any = transformers.pipeline("feature-extraction", model=folder, device="cpu")

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        means = np.stack([np.mean(one[0], axis=0) for one in made(list(texts), truncation=True)])
        units: NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return units

    return encode


def main() -> None:
    """Compare, and write a JSON document on stdout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path, help="ag-news/test.csv")
    parser.add_argument("--weights", default="minilm")
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    keep_freed()
    texts, folder = read(chosen.file, chosen.texts), str(find_folder(chosen.weights))
    with quietly():
        ways = {
            "ours": ours(chosen.weights),
            "sentence-transformers": sentence_transformers(folder),
            "pipeline": pipeline(folder),
        }
        vectors = {name: way(texts) for name, way in ways.items()}

        def timed(way: Callable[[Sequence[str]], Any]) -> Callable[[], float]:
            def run() -> float:
                began = time.perf_counter()
                way(texts)
                return time.perf_counter() - began

            return run

        seconds = compare({name: timed(way) for name, way in ways.items()}, chosen.repeats)
    cosines = {
        name: float((found * vectors["sentence-transformers"]).sum(axis=1).min())
        for name, found in vectors.items()
    }
    result = {
        "texts": len(texts),
        "threads": chosen.threads,
        "repeats": chosen.repeats,
        "torch": torch.__version__,
        "texts_per_second": {
            n: round(len(texts) / float(np.median(s)), 1) for n, s in seconds.items()
        },
        "lowest_cosine_with_sentence_transformers": cosines,
        "ratios": [asdict(ratio(seconds, target)) for target in TARGETS],
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
