"""`bakeoff perplexity`: how well a causal language model foretells a text, with the protocol."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.options import FILE, device_option, json_option, offline_option
from bakeoff.cli.output import count, print_json, print_table
from bakeoff.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bakeoff.core.perplexity import Protocol
    from bakeoff.core.recipe import DeviceName

LONGEST = 1024
"""Tokens of a window where none are asked for, and the model sees as many."""


@click.command()
@click.argument("weights")
@click.argument("file", type=FILE)
@click.option(
    "--context",
    type=click.IntRange(2),
    metavar="N",
    help=f"Tokens that the model sees at once [{LONGEST:,}, or as many as it can].",
)
@click.option(
    "--stride",
    type=click.IntRange(1),
    metavar="N",
    help="Tokens between the beginnings of two windows [half the context].",
)
@click.option(
    "--detokenise", is_flag=True, help="Take WikiText's marks and spaces out of the text first."
)
@click.option("--bos", is_flag=True, help="Put the token that begins texts before it.")
@device_option
@offline_option
@json_option
def perplexity(
    weights: str,
    file: Path,
    context: int | None,
    stride: int | None,
    detokenise: bool,
    bos: bool,
    device: "DeviceName",
    as_json: bool,
) -> None:
    """Perplexity of WEIGHTS on the text in FILE (UTF-8), by sliding windows.

    WEIGHTS: a hub id, a folder of weights or of peft's adapters, a cell's, or DIR:recipe[:seed].
    Every figure's name has the protocol in it: unit, context, stride, whether the text was
    detokenised, and whether a token was put before it. Figures of different protocols cannot be
    compared.
    """
    import time

    from bakeoff.cli.weights import load_language_model
    from bakeoff.core import perplexity as measured
    from bakeoff.data.corpus import read_utf8
    from bakeoff.models.language import score_text

    text = read_utf8(file)
    model = load_language_model(weights, device)
    flags = {"detokenised": detokenise, "bos": bos}
    protocol = _protocol(model.causal.limit, context, stride, flags)
    began = time.perf_counter()
    nats, covered = score_text(model.causal, text, protocol, model.precision)
    seconds = time.perf_counter() - began
    tokens = len(nats) - bos
    scored, total = _scored(nats, weights)
    if not scored:
        raise InputError(f"{file}: {tokens} token, at least two are needed, or one with --bos")
    found = measured.figures(protocol, total, scored, text, covered)
    if as_json:
        content: dict[str, Any] = {
            "weights": weights,
            "file": str(file),
            "protocol": protocol.model_dump(),
            "tokens": tokens,
            "scored_tokens": scored,
            "words": measured.word_count(text),
            "bytes": measured.byte_count(text),
            "covered": covered,
            "precision": model.precision,
            "nats": total,
            "figures": found,
            "seconds": round(seconds, 3),
        }
        print_json(content)
        return
    rows = [(name, f"{value:.4f}") for name, value in found.items()]
    print_table(("figure", "value"), rows, right="lr")
    click.echo(
        f"\n{count(scored)} of {count(tokens)} tokens scored, which stand for {covered:.2%} of "
        f"{count(measured.word_count(text))} words and {count(measured.byte_count(text))} bytes; "
        f"products in {model.precision}"
    )


def _scored(nats: "NDArray[np.float64]", weights: str) -> tuple[int, float]:
    """How many tokens were scored, and the sum of their nats.

    Raises:
        InputError: where the model gives no number for some.
    """
    import numpy as np

    found = nats[~np.isnan(nats)]
    if wrong := int(np.isinf(found).sum()):
        raise InputError(
            f"{weights}: gives no number for {count(wrong)} of {count(len(found))} tokens (needed: "
            "a probability of each)"
        )
    return len(found), float(found.sum())


def _protocol(
    limit: int, context: int | None, stride: int | None, flags: Mapping[str, bool]
) -> "Protocol":
    """What was asked for, and the usual where nothing was.

    Raises:
        InputError: for a context beyond the model's, and a stride beyond the context.
    """
    from bakeoff.core.perplexity import Protocol

    chosen = context or min(LONGEST, limit)
    content = {"context": chosen, "stride": stride or max(1, chosen // 2), **flags}
    protocol = Protocol.parse(content)
    protocol.check(limit, "--context")
    return protocol
