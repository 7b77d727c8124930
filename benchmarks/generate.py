"""Texts continued by a language model: ours beside `generate` of Transformers.

    python benchmarks/generate.py --weights smollm2

Both continue the same prompts by as many tokens in float32, with the same threads: one prompt and
four side by side greedily, one by beams. Tokens are compared first. Writes a JSON document on
stdout; exit code 1 where tokens differ.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from comparing import Target, compare, ratio

from bakeoff.core.generation import GenerationSettings
from bakeoff.models.generation import Generator
from bakeoff.models.language import pretrained_causal
from bakeoff.models.pretrained import find_pretrained, load_causal, quietly

PROMPTS = (
    "The old mill stood by the river",
    "At night the city",
    "In 1997 , the band released",
    "A quiet town",
)
WORK = {"one": (1, 1), "four": (4, 1), "beams": (1, 4)}
"""Prompts and beams, by name."""


class Both:
    """A model twice, ours and as Transformers loads it.

    Args:
        weights: Where `find_folder` looks.
        tokens: To continue by.
    """

    def __init__(self, weights: str, tokens: int) -> None:
        found = find_pretrained(weights)
        causal = pretrained_causal(found)
        self.tokens = tokens
        self.generator = Generator(causal.module, (), causal.limit)  # nothing ends a text
        theirs: Any = load_causal(found, attention="eager")
        theirs.set_attn_implementation("sdpa")  # its default
        self.theirs = theirs.eval()
        self.prompts = [causal.words.encode(prompt) for prompt in PROMPTS]

    def ours(self, prompts: int, beams: int) -> list[list[int]]:
        """Ids that follow."""
        settings = GenerationSettings(max_tokens=self.tokens, beams=beams)
        return self.generator(self.prompts[:prompts], settings)

    def transformers(self, prompts: int, beams: int) -> list[list[int]]:
        """Ids that follow, by `generate`, of prompts padded on the left."""
        some = self.prompts[:prompts]
        width = max(map(len, some))
        ids = torch.tensor([[0] * (width - len(one)) + one for one in some])
        mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in some])
        with torch.inference_mode(), quietly():
            found = self.theirs.generate(
                ids, attention_mask=mask, max_new_tokens=self.tokens, num_beams=beams,
                do_sample=False, eos_token_id=None, pad_token_id=0,
            )  # fmt: skip
        texts: list[list[int]] = found[:, width:].tolist()
        return texts


def timed(write: Callable[[int, int], object], work: tuple[int, int]) -> Callable[[], float]:
    """Seconds of one call."""

    def run() -> float:
        began = time.perf_counter()
        write(*work)
        return time.perf_counter() - began

    return run


def main() -> None:
    """Compare, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weights", default="smollm2")
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    both = Both(chosen.weights, chosen.tokens)
    result: dict[str, Any] = {**vars(chosen), "torch": torch.__version__}
    for name, work in WORK.items():
        equal = both.ours(*work) == both.transformers(*work)
        seconds = compare(
            {"ours": timed(both.ours, work), "transformers": timed(both.transformers, work)},
            chosen.repeats,
        )
        made = work[0] * chosen.tokens
        rates = {one: round(made / float(np.median(s)), 1) for one, s in seconds.items()}
        result[name] = {
            "tokens_equal": equal,
            "tokens_per_second": rates,
            "ratio": asdict(ratio(seconds, Target("ours", "transformers", 1.0))),
        }
    print(json.dumps(result, indent=2))
    sys.exit(not all(result[name]["tokens_equal"] for name in WORK))


if __name__ == "__main__":
    main()
