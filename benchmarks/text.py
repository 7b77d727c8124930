"""What becomes of padding, and what it costs: one epoch of the recurrent network on made-up texts.

Lengths are those of IMDB's training reviews, cut at the limit: log-normal, half of them above 174
words. The same texts pass in buckets, packed, and padded to the limit; a plain loop of PyTorch's
(`nn.LSTM` over padded batches, Adam) stands beside them in float32 and with bfloat16 by autocast.
Ours is in the precision that the technique takes here. Seconds are of one epoch's updates; they go
to `benchmarks/results/text.json`. Exit code 1 where a ratio is surely missed.

    python benchmarks/text.py --texts 512 --length 400 --threads 2
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from comparing import Target, compare, ratio
from torch import nn

from bakeoff.core.protocols import Position
from bakeoff.core.recipe import Numerics
from bakeoff.core.streams import Streams
from bakeoff.core.tokens import Tokens
from bakeoff.data.token_batches import PaddedBatches, TokenBatches, TokenExamples
from bakeoff.models.recurrent import Recurrent
from bakeoff.models.settings import RecurrentSettings
from bakeoff.techniques.lstm import MULTIPLE, ROWS, LstmTraining
from bakeoff.training.torch import numerics
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.step import TorchStep
from bakeoff.training.torch.token_inference import TokenInference

RESULTS = Path(__file__).parent / "results" / "text.json"
WORDS = 20_000
MEDIAN, SPREAD = 174, 0.75
"""Of the log-normal lengths."""


def texts(count: int, length: int) -> TokenExamples:
    """Made-up texts as numbers of words, with labels of two classes."""
    generator = np.random.default_rng(0)
    lengths = generator.lognormal(math.log(MEDIAN), SPREAD, count).astype(int).clip(10, length)
    tokens = Tokens.of([generator.integers(0, WORDS, n) for n in lengths])
    return TokenExamples(tokens, generator.integers(0, 2, count))


def precision() -> numerics.Precision:
    """What the technique takes on this processor."""
    best = numerics.resolve_device_and_precision("cpu", Numerics().precision)[1]
    return best if numerics.has_bfloat16_units("cpu") else "float32"


def ours(examples: TokenExamples, batches: str, length: int, both: bool) -> Callable[[], float]:
    """An epoch of the technique's own step."""
    settings = LstmTraining.parse({"batches": batches})
    module = Recurrent(RecurrentSettings(bidirectional=both, dropout=0), WORDS, 2)
    initialise(module, Streams(0))
    module.packed = batches == "packed"
    inference = TokenInference(
        module, torch.device("cpu"), precision(), rows=ROWS, multiple=MULTIPLE
    )
    step = TorchStep(inference, settings, Streams(0))
    cut = TokenBatches(examples, settings.batch_size, Streams(0), buckets=batches == "buckets")
    padded = PaddedBatches(cut, length if batches == "padded" else None)

    def epoch() -> float:
        began = time.perf_counter()
        for number, batch in enumerate(padded.epoch(0)):
            step(batch, Position(number, 0, 1e-3))
        return time.perf_counter() - began

    return epoch


class Plain(nn.Module):
    """What a plain PyTorch program has: padding is a word like others."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS + 1, 128, padding_idx=WORDS)
        self.lstm = nn.LSTM(128, 128, batch_first=True, bidirectional=both)
        self.output = nn.Linear(256 if both else 128, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """(B, T) to (B, 2)."""
        states, _ = self.lstm(self.embedding(ids))
        logits: torch.Tensor = self.output(states.amax(dim=1))
        return logits


def plain(examples: TokenExamples, length: int, both: bool, autocast: bool) -> Callable[[], float]:
    """An epoch of a plain loop over padded batches, in bfloat16 where `autocast`."""
    module = Plain(both)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    ids = torch.from_numpy(examples.tokens.padded(WORDS, length)).long()
    labels = torch.from_numpy(examples.labels)

    def epoch() -> float:
        began = time.perf_counter()
        for rows in torch.randperm(len(labels)).split(64):
            optimiser.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                loss = nn.functional.cross_entropy(module(ids[rows]), labels[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
        return time.perf_counter() - began

    return epoch


def main() -> int:
    """Measure, print a line of JSON, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--length", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--both", action="store_true", help="two directions")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    examples = texts(given.texts, given.length)
    ways = {
        way: ours(examples, way, given.length, given.both)
        for way in ("buckets", "packed", "padded")
    }
    ways["plain"] = plain(examples, given.length, given.both, autocast=False)
    ways["plain, bfloat16"] = plain(examples, given.length, given.both, autocast=True)
    targets = [Target("buckets", way, 1 / 1.5) for way in ("plain", "plain, bfloat16")]
    seconds = compare(ways, given.rounds)
    ratios = [ratio(seconds, target) for target in targets]
    found = {
        "precision": precision(),
        "seconds": {way: round(statistics.median(taken), 3) for way, taken in seconds.items()},
        "ratios": [asdict(found) for found in ratios],
        "real_tokens": round(float(examples.tokens.lengths.mean()) / given.length, 3),
    }
    print(json.dumps(vars(given) | found))
    RESULTS.write_text(json.dumps(vars(given) | found, indent=1) + "\n")
    return int(any(found.missed for found in ratios))


if __name__ == "__main__":
    sys.exit(main())
