"""`bakeoff generate`: texts from a causal language model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.options import device_option, json_option, offline_option
from bakeoff.cli.output import print_json, say

if TYPE_CHECKING:
    from bakeoff.core.generation import GenerationSettings
    from bakeoff.core.recipe import DeviceName
    from bakeoff.models.generation import Generator

SHARE = click.FloatRange(0, 1, min_open=True)
ABOVE_0 = click.FloatRange(0, min_open=True)


@click.command()
@click.argument("weights")
@click.argument("prompts", metavar="PROMPT...", nargs=-1, required=True)
@click.option("--sample", is_flag=True, help="Draw tokens; the next three options do so too.")
@click.option("--top-p", type=SHARE, metavar="P", help="Among the likeliest that sum to P.")
@click.option("--top-k", type=click.IntRange(1), metavar="K", help="Among the K likeliest.")
@click.option("--temperature", type=ABOVE_0, metavar="T", help="Divides the logits before.")
@click.option("--beams", type=click.IntRange(1), default=1, metavar="N", help="Beam search of N.")
@click.option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Of the draws [0].")
@click.option(
    "--max-tokens", type=click.IntRange(1), default=50, metavar="N", help="At most so many [50]."
)
@click.option(
    "--count", type=click.IntRange(1), default=1, metavar="N", help="Texts for each prompt [1]."
)
@device_option
@offline_option
@json_option
def generate(
    weights: str, prompts: tuple[str, ...], seed: int, count: int, device: "DeviceName",
    as_json: bool,
    **chosen: Any,
) -> None:  # fmt: skip
    """Continue each PROMPT with WEIGHTS: greedily, unless asked otherwise.

    WEIGHTS: a hub id, a folder of weights or of peft's adapters, a cell's, or DIR:recipe[:seed].
    The same seed gives the same texts, rounding apart, whatever else is generated beside them.
    """
    from bakeoff.cli.weights import load_language_model
    from bakeoff.core.errors import InputError
    from bakeoff.core.generation import GenerationSettings
    from bakeoff.core.streams import Streams
    from bakeoff.core.variety import variety
    from bakeoff.models.generation import Generator, continuation

    content = {name: value for name, value in chosen.items() if value is not None}
    if {"top_p", "top_k", "temperature"} & content.keys():
        content["sample"] = True
    settings = GenerationSettings.parse(content)
    if count > 1 and not settings.sample:
        raise InputError(f"--count: {count} received, but without --sample all texts are the same")
    model = load_language_model(weights, device)
    given = [model.prompt(prompt) for prompt in prompts for _ in range(count)]
    asked = [prompt for prompt in prompts for _ in range(count)]
    module, words = model.causal.module, model.causal.words
    generator = Generator(module, model.causal.ends, model.causal.limit)
    found = generator(given, settings, Streams(seed))
    texts = [continuation(words.decode, *pair) for pair in zip(given, found, strict=True)]
    figures = variety(found)
    _tell_of_limit(generator, list(zip(given, found, strict=True)), settings)
    if as_json:
        rows = [
            {"prompt": prompt, "text": text, "tokens": len(ids)}
            for prompt, text, ids in zip(asked, texts, found, strict=True)
        ]
        print_json(
            {
                "weights": weights,
                "settings": settings.model_dump(),
                "seed": seed,
                "texts": rows,
                "variety": figures,
            }
        )
        return
    for prompt, text in zip(asked, texts, strict=True):
        click.echo(prompt + text)
        click.echo()
    click.echo(
        ", ".join(f"{name.replace('_', '-')} {value:.3f}" for name, value in figures.items())
    )


def _tell_of_limit(
    generator: "Generator",
    texts: Sequence[tuple[Sequence[int], Sequence[int]]],
    settings: "GenerationSettings",
) -> None:
    """Say how many texts, prompts and what follows, end where the model sees no more."""
    room = [generator.room(prompt, settings) for prompt, _ in texts]
    cut = sum(
        len(ids) == most < settings.max_tokens for (_, ids), most in zip(texts, room, strict=True)
    )
    if cut:
        say(
            f"bakeoff: {cut} of {len(texts)} texts end at the model's limit of "
            f"{generator.limit:,} tokens, prompt included"
        )
