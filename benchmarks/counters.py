"""Multiply-accumulates and parameters by four counters, beside sums worked out by hand.

    python benchmarks/counters.py            counts, writes the results and the page's tables
    python benchmarks/counters.py --check    exits with 1 where the page differs from the results

torchinfo and fvcore are no dependencies of bakeoff. To have them in a folder of their own:

    pip install --no-deps --target /tmp/counters torchinfo fvcore iopath yacs tabulate termcolor portalocker
    PYTHONPATH=/tmp/counters python benchmarks/counters.py

Where one is missing the script says so and leaves its column out. Every model is in evaluation
mode, and counted without gradients unless its name says otherwise.
"""  # noqa: E501

import argparse
import json
import logging
import platform
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from bakeoff.models.macs import count_macs
from bakeoff.models.resnet import ResNet
from bakeoff.models.settings import ResNetSettings

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "counters.json"
PAGE = ROOT / "docs" / "counting.md"
BLOCK = re.compile(r"(<!-- counters: (\w+) -->\n).*?(<!-- /counters -->)", re.DOTALL)
LIBRARIES = {"torchinfo": "torchinfo", "fvcore": "fvcore.nn"}
Inputs = tuple[Tensor, ...]
Count = int | str
"""A number, or why there is none."""


@dataclass(frozen=True)
class Case:
    """A model, what it is given, and what is right.

    Attributes:
        name: In the table.
        model: Built with torch's seed 0.
        inputs: What its forward takes.
        macs: By hand.
        parameters: By hand, each once.
        sum: How the MACs come about.
        gradients: Whether it is counted with gradients on.
    """

    name: str
    model: nn.Module
    inputs: Inputs
    macs: int
    parameters: int
    sum: str
    gradients: bool = False


class Attention(nn.Module):
    """`scaled_dot_product_attention` of a tensor with itself."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, heads, T, D) to the same."""
        return scaled_dot_product_attention(x, x, x)


class SelfAttention(nn.Module):
    """`nn.MultiheadAttention` of a sequence with itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to the same."""
        attended: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return attended


class Tied(nn.Module):
    """Tokens in, tokens out, with one matrix."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(tokens, width)
        self.output = nn.Linear(width, tokens, bias=False)
        self.output.weight = self.tokens.weight

    def forward(self, x: Tensor) -> Tensor:
        """(B, T) to (B, T, tokens)."""
        logits: Tensor = self.output(self.tokens(x))
        return logits


class Twice(nn.Module):
    """One layer, called two times."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) to (B, D)."""
        again: Tensor = self.layer(self.layer(x))
        return again


def cases() -> list[Case]:
    """What is counted."""
    torch.manual_seed(0)
    return [*_convolutions(), *_attention(), *_recurrent(), *_shared(), *_networks()]


def _convolutions() -> list[Case]:
    image = (torch.rand(1, 16, 32, 32),)
    return [
        Case(
            "3 x 3 convolution, stride 2",
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            image,
            16 * 16 * 32 * 16 * 9,
            32 * 16 * 9 + 32,
            "16 · 16 places · 32 channels · (16 · 9) weights",
        ),
        Case(
            "the same in 4 groups",
            nn.Conv2d(16, 32, 3, stride=2, padding=1, groups=4),
            image,
            16 * 16 * 32 * 4 * 9,
            32 * 4 * 9 + 32,
            "16 · 16 · 32 · (4 · 9)",
        ),
        Case(
            "transposed 4 x 4 convolution, stride 2",
            nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1),
            image,
            32 * 32 * 16 * 8 * 16,
            16 * 8 * 16 + 8,
            "32 · 32 places of the input · 16 · (8 · 16)",
        ),
    ]


def _attention() -> list[Case]:
    x = (torch.rand(2, 16, 64),)
    attention = 2 * 16 * (4 * 64 * 64 + 2 * 16 * 64)
    encoder = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    feed_forward = 2 * 16 * 2 * 64 * 128
    biases = 4 * 64 + 128 + 64 + 4 * 64
    parameters = 4 * 64 * 64 + 2 * 64 * 128 + biases
    how = "attention as above, and 32 tokens · (2 · 64 · 128)"
    of_encoder = (encoder, x, attention + feed_forward, parameters, how)
    return [
        Case(
            "`scaled_dot_product_attention`, 12 heads, 64 tokens",
            Attention(),
            (torch.rand(1, 12, 64, 64),),
            2 * 12 * 64 * 64 * 64,
            0,
            "2 products · 12 · 64 · 64 · 64",
        ),
        Case(
            "`nn.MultiheadAttention`, 4 heads, 2 x 16 tokens",
            SelfAttention(64, 4),
            x,
            attention,
            4 * 64 * 64 + 4 * 64,
            "32 tokens · (4 · 64 · 64 + 2 · 16 · 64)",
        ),
        Case(
            "the same, with gradients",
            SelfAttention(64, 4),
            x,
            attention,
            4 * 64 * 64 + 4 * 64,
            "the same",
            gradients=True,
        ),
        Case("`nn.TransformerEncoderLayer`", *of_encoder),
        Case("the same, with gradients", *of_encoder, gradients=True),
    ]


def _recurrent() -> list[Case]:
    x = (torch.rand(10, 2, 32),)
    return [
        Case(
            "`nn.LSTM(32, 64)`, 2 x 10 steps",
            nn.LSTM(32, 64),
            x,
            20 * 4 * 64 * (32 + 64),
            4 * 64 * (32 + 64 + 2),
            "20 steps · 4 gates · 64 · (32 + 64)",
        ),
        Case(
            "`nn.GRU(32, 64)`, two layers, both directions",
            nn.GRU(32, 64, 2, bidirectional=True),
            x,
            20 * 2 * 3 * 64 * (32 + 64 + 128 + 64),
            2 * 3 * 64 * (32 + 64 + 2 + 128 + 64 + 2),
            "20 · 2 · 3 gates · 64 · (32 + 64 + 128 + 64)",
        ),
    ]


def _shared() -> list[Case]:
    return [
        Case(
            "tied embedding, 1,000 tokens of 64 numbers, 16 tokens",
            Tied(1000, 64),
            (torch.zeros(1, 16, dtype=torch.int64),),
            16 * 64 * 1000,
            64 * 1000,
            "16 tokens · 64 · 1,000; looking up counts nothing",
        ),
        Case(
            "a linear layer called twice",
            Twice(nn.Linear(64, 64)),
            (torch.rand(1, 64),),
            2 * 64 * 64,
            64 * 64 + 64,
            "2 calls · 64 · 64",
        ),
    ]


def _networks() -> list[Case]:
    image = (torch.rand(1, 3, 32, 32),)
    projections = 16 * 32, 32 * 64
    return [
        Case(
            "ResNet-20, shortcuts without weights",
            ResNet(ResNetSettings(), (32, 32, 3), 10),
            image,
            40_551_040,
            269_722,
            "convolutions 40,550,400, linear layer 640",
        ),
        Case(
            "ResNet-20, shortcuts of 1 x 1 convolutions",
            ResNet(ResNetSettings(shortcut="B"), (32, 32, 3), 10),
            image,
            40_551_040 + 16 * 16 * projections[0] + 8 * 8 * projections[1],
            269_722 + sum(projections) + 2 * (32 + 64),
            "and 16 · 16 · (16 · 32) + 8 · 8 · (32 · 64)",
        ),
    ]


def ours(case: Case) -> tuple[Count, Count, Any]:
    """bakeoff's counter."""
    distinct = {id(p): p.numel() for p in case.model.parameters()}
    return count_macs(lambda: case.model(*case.inputs)), sum(distinct.values()), None


def of_torch(case: Case) -> tuple[Count, Count, Any]:
    """torch's: floating-point operations, two a MAC; it counts no parameters."""
    counter = FlopCounterMode(display=False)
    with counter:
        case.model(*case.inputs)
    found = {str(op): n // 2 for op, n in counter.get_flop_counts().get("Global", {}).items()}
    return counter.get_total_flops() // 2, "", found


def of_torchinfo(case: Case) -> tuple[Count, Count, Any]:
    """torchinfo's `total_mult_adds`."""
    from torchinfo import summary

    found = summary(case.model, input_data=case.inputs, verbose=0)
    layers: defaultdict[str, int] = defaultdict(int)
    for layer in found.summary_list:
        if layer.is_leaf_layer and layer.macs:
            layers[layer.class_name] += layer.macs
    return int(found.total_mult_adds), int(found.total_params), dict(layers)


def of_fvcore(case: Case) -> tuple[Count, Count, Any]:
    """fvcore's: it counts a MAC as one operation."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(case.model, case.inputs).unsupported_ops_warnings(False)
    analysis.uncalled_modules_warnings(False).tracer_warnings("none")
    found = {str(op): int(n) for op, n in analysis.by_operator().items() if n}
    left = dict(analysis.unsupported_ops())
    parameters = parameter_count(case.model).get("", 0)
    return int(analysis.total()), int(parameters), {"counted": found, "unknown": left}


COUNTERS: Mapping[str, Callable[[Case], tuple[Count, Count, Any]]] = {
    "bakeoff": ours,
    "torch": of_torch,
    "torchinfo": of_torchinfo,
    "fvcore": of_fvcore,
}


def count(case: Case, counter: str) -> dict[str, Any]:
    """What a counter makes of a case; what it fails with, where it fails."""
    case.model.eval()
    try:
        with nullcontext() if case.gradients else torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            macs, parameters, details = COUNTERS[counter](case)
    except Exception as error:  # a counter that fails is a result
        return {"macs": f"fails: {type(error).__name__}", "parameters": "", "details": str(error)}
    return {"macs": macs, "parameters": parameters, "details": details}


def available() -> list[str]:
    """The counters that can be imported; the others are told on stderr."""
    found = ["bakeoff", "torch"]
    for name, module in LIBRARIES.items():
        try:
            import_module(module)
        except ImportError as error:
            print(f"{name}: left out, it cannot be imported ({error})", file=sys.stderr)
        else:
            found.append(name)
    return found


def measure() -> dict[str, Any]:
    """Everything, JSON-ready."""
    logging.disable(logging.WARNING)  # fvcore logs what it does not know; it is kept in `details`
    counters = available()
    rows = []
    for case in cases():
        found = {name: count(case, name) for name in counters}
        rows.append(
            {
                "case": case.name,
                "sum": case.sum,
                "macs": case.macs,
                "parameters": case.parameters,
                "counters": found,
            }
        )
    versions = {name: metadata.version(name) for name in counters}
    return {"python": platform.python_version(), "versions": versions, "cases": rows}


def table(result: Mapping[str, Any], what: str) -> str:
    """A table of the page: `macs` or `parameters`, wrong figures in bold."""
    counters = [n for n in result["versions"] if not (what == "parameters" and n == "torch")]
    versions = [f"{name} {result['versions'][name]}" for name in counters]
    by_hand = ["MACs by hand", "how"] if what == "macs" else ["parameters by hand"]
    header = ["case", *by_hand, *versions]
    lines = [header, ["---", *("---" if name == "how" else "---:" for name in header[1:])]]
    for row in result["cases"]:
        right = row[what]
        cells = [_shown(row["counters"][name][what], right) for name in counters]
        hand = [_shown(right, right)] + ([row["sum"]] if what == "macs" else [])
        lines.append([row["case"], *hand, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _shown(found: Count, right: int) -> str:
    text = f"{found:,}" if isinstance(found, int) else found
    return text if found == right else f"**{text}**"


def filled(page: str, result: Mapping[str, Any]) -> str:
    """The page with every block made anew from the results."""
    return BLOCK.sub(lambda m: f"{m[1]}{table(result, m[2])}\n{m[3]}", page)


def main() -> int:
    """Count, write down, fill the page; or check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="count nothing, compare the page")
    if not parser.parse_args().check:
        text = json.dumps(measure(), indent=1, ensure_ascii=False) + "\n"
        RESULT.write_text(text, encoding="utf-8")
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    made = filled(page, result)
    if "--check" in sys.argv:
        return int(made != page)
    PAGE.write_text(made, encoding="utf-8")
    print(table(result, "macs"), table(result, "parameters"), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
