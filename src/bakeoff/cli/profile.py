"""`bakeoff profile`: shapes, parameters and multiply-accumulates, layer by layer."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.completion import model_names
from bakeoff.cli.options import json_option, parse_settings
from bakeoff.cli.output import count, paragraph, print_json, print_table
from bakeoff.core.errors import InputError, unknown

MOST_NUMBERS = 10_000_000
"""Of one example: of more, not even the first layer's weights would fit into memory."""

if TYPE_CHECKING:
    from bakeoff.core.protocols import LayerProfile, Technique

HEADER = ("layer", "kind", "input", "output", "weights", "parameters", "MACs")


@click.command()
@click.argument("model", shell_complete=model_names)
@click.option(
    "--input", "shape", metavar="HxWxC", help="Of an image [32x32x3], or how many numbers [2]."
)
@click.option(
    "--classes", type=click.IntRange(2), default=10, metavar="N", help="Classes to tell apart [10]."
)
@click.option(
    "--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="Change a field: model.width=64."
)
@json_option
def profile(
    model: str, shape: str | None, classes: int, pairs: tuple[str, ...], as_json: bool
) -> None:
    """Profile MODEL (a model's or a technique's name) layer by layer, for one example.

    A name of both is the technique's; `cnn --set model.name=mlp` is the model.
    """
    technique, content = _resolve(model, parse_settings(pairs))
    usual = "2" if technique.modalities == {"numbers"} else "32x32x3"
    size = parse_shape(shape or usual)
    check_shape(technique, size, shape)
    layers = technique.untrained(technique.settings.parse(content), size, classes).layers()
    if as_json:
        print_json(_json(model, size, classes, layers))
        return
    rows = [_row(layer) for layer in layers]
    parameters, macs = (sum(getattr(e, name) for e in layers) for name in ("parameters", "macs"))
    growing = sum(per_example(layer) for layer in layers)
    rows.append(["total", "", "", "", "", _sum(parameters, growing), _sum(macs, growing)])
    print_table(HEADER, rows, right="lllllrr")
    if growing:
        click.echo()
        click.echo(paragraph(f"n: training examples; {model} keeps and compares with all of them."))
    if other := _namesake(model):
        click.echo()
        click.echo(paragraph(f"This is the technique {model}. The model of that name: {other}"))


def _resolve(name: str, settings: Mapping[str, Any]) -> tuple["Technique", dict[str, Any]]:
    """The technique that a technique's or a model's name stands for, and its settings.

    Raises:
        InputError: where there is neither.
    """
    from bakeoff.models import MODELS
    from bakeoff.study.study import changed
    from bakeoff.techniques import find, names

    content = changed({}, settings)
    if name in names():
        return find(name), content
    if name not in MODELS:
        raise unknown("model", name, sorted({*MODELS, *names()}))
    return _builder(name), changed(content, {"model.name": name})


def _namesake(name: str) -> str | None:
    """What shows the model that a technique has its name in common with; None: there is none."""
    from bakeoff.models import MODELS
    from bakeoff.techniques import names

    if name not in MODELS or name not in names():
        return None
    return f"bakeoff profile {_builder(name).name} --set model.name={name}"


def _builder(model: str) -> "Technique":
    """The first technique whose settings can name this model."""
    from bakeoff.techniques import find, names

    for technique in map(find, names()):
        if "model" in technique.settings.model_fields:
            try:
                technique.settings.parse({"model": {"name": model}})
            except InputError:
                continue
            return technique
    raise InputError(f"model '{model}': no technique builds it")


def parse_shape(text: str) -> tuple[int, ...]:
    """`32x32x3` as (32, 32, 3), and `12` as (12,).

    Raises:
        InputError: for anything but three positive numbers, or one, and for too many.
    """
    try:
        shape = tuple(int(part) for part in text.split("x"))
    except ValueError:
        shape = ()
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise InputError(
            f"--input {text}: needed is HEIGHTxWIDTHxCHANNELS, as in 32x32x3, or the count of "
            "numbers in a row"
        )
    if math.prod(shape) > MOST_NUMBERS:
        raise InputError(f"--input {text}: {math.prod(shape)} numbers (allowed: {MOST_NUMBERS})")
    return shape


def check_shape(technique: "Technique", size: tuple[int, ...], given: str | None) -> None:
    """Whether a technique reads examples of such a shape.

    Args:
        technique: Whose.
        size: The shape.
        given: As it was written; None: nothing was.

    Raises:
        InputError: where it reads others.
    """
    if given is None:
        return
    kinds, name = technique.modalities, technique.name
    if "image" not in kinds and "numbers" not in kinds:
        raise InputError(f"--input {given}: {name} reads texts, whose length is one of its fields")
    if len(size) == 1 and "numbers" not in kinds:
        raise InputError(f"--input {given}: {name} reads images (needed: HxWxC, as in 32x32x3)")
    if len(size) == 3 and "image" not in kinds:
        raise InputError(f"--input {given}: {name} reads rows of numbers (needed: how many)")


def per_example(layer: "LayerProfile") -> int:
    """Numbers that a layer keeps of every training example: (0, D) weights stand for D of them."""
    return sum(math.prod(shape[1:]) for shape in layer.weights.values() if shape[:1] == (0,))


def _row(layer: "LayerProfile") -> list[str]:
    growing = per_example(layer)
    return [
        layer.name,
        layer.kind,
        _shape(layer.input),
        _shape(layer.output),
        ", ".join(f"{name} {_shape(shape)}" for name, shape in layer.weights.items()),
        _sum(layer.parameters, growing),
        _sum(layer.macs, growing),
    ]


def _sum(fixed: int, growing: int) -> str:
    """A count, with what it grows by with every training example."""
    if not growing:
        return count(fixed)
    return f"{count(growing)} n" if not fixed else f"{count(fixed)} + {count(growing)} n"


def _shape(shape: Sequence[int]) -> str:
    return "x".join(str(side) if side else "n" for side in shape) or "-"


def _json(
    model: str, shape: tuple[int, ...], classes: int, layers: Sequence["LayerProfile"]
) -> dict[str, Any]:
    return {
        "model": model,
        "input": shape,
        "classes": classes,
        "parameters": sum(layer.parameters for layer in layers),
        "macs": sum(layer.macs for layer in layers),
        "per_training_example": sum(per_example(layer) for layer in layers),
        "layers": [vars(layer) | {"weights": dict(layer.weights)} for layer in layers],
    }
