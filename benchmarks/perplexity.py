"""Perplexity of a language model on a whole text: `bakeoff perplexity` against a plain script.

The script is what a competent person writes with Transformers: windows of `context` tokens that
begin every `stride` tokens, each token scored once, in the first window that holds it, by
`AutoModelForCausalLM`'s own loss. Both read the text in float32.

    python benchmarks/perplexity.py smollm2 wikitext-2/wiki.test.raw --protocols 1024/512 512/512

Names are looked for below `$BAKEOFF_MODELS` and `$BAKEOFF_DATA`. The results go to
`benchmarks/results/perplexity.json`. Exit code 1 where the two differ by more than 0.001.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

RESULTS = Path(__file__).parent / "results" / "perplexity.json"
LARGEST_GAP = 1e-3


def plain(folder: Path, text: str, context: int, stride: int) -> dict[str, float]:
    """The sum over windows, as loops over them usually go."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    options = {"add_special_tokens": False, "return_tensors": "pt", "verbose": False}
    ids = tokenizer(text, **options).input_ids
    nats, scored, before = 0.0, 0, 0
    for start in range(0, ids.size(1), stride):
        end = min(start + context, ids.size(1))
        window = ids[:, start:end]
        targets = window.clone()
        targets[:, : before - start] = -100
        count = int((targets[:, 1:] != -100).sum())
        with torch.no_grad():
            loss = model(window, labels=targets).loss
        nats, scored, before = nats + float(loss.double()) * count, scored + count, end
        if end == ids.size(1):
            break
    return {"perplexity": math.exp(nats / scored), "scored_tokens": scored}


def ours(folder: Path, file: Path, context: int, stride: int) -> dict[str, Any]:
    """What the command says."""
    start = [sys.executable, "-c", "from bakeoff.cli import main; main()", "perplexity"]
    options = ["--context", str(context), "--stride", str(stride), "--device", "cpu", "--json"]
    done = subprocess.run(
        [*start, str(folder), str(file), *options], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    """Compare, write, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("file")
    parser.add_argument("--protocols", nargs="+", default=["1024/512", "512/512"])
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    folder = Path(os.environ.get("BAKEOFF_MODELS", ".")) / given.weights
    file = Path(os.environ.get("BAKEOFF_DATA", ".")) / given.file
    written = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    missed = False
    for protocol in given.protocols:
        context, stride = map(int, protocol.split("/"))
        mine = ours(folder, file, context, stride)
        name, value = next((n, v) for n, v in mine["figures"].items() if "[token" in n)
        began = time.perf_counter()
        theirs = plain(folder, file.read_text("utf-8"), context, stride)
        told = {
            "bakeoff": value,
            "plain": theirs["perplexity"],
            "scored_tokens": [mine["scored_tokens"], theirs["scored_tokens"]],
            "seconds": [mine["seconds"], round(time.perf_counter() - began, 3)],
        }
        print(name, json.dumps(told))
        written[f"{given.weights} {given.file} {name}"] = told
        RESULTS.write_text(json.dumps(written, indent=1) + "\n")
        missed |= abs(told["bakeoff"] - told["plain"]) > LARGEST_GAP
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
