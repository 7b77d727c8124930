"""`bakeoff check-gradients`: gradients by hand against central differences."""

from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.completion import checkable_names
from bakeoff.cli.options import json_option, parse_settings
from bakeoff.cli.output import print_json, print_table
from bakeoff.core.errors import InputError

if TYPE_CHECKING:
    from bakeoff.scratch.gradient_check import GradientError

HEADER = ("gradient of", "relative error", "compared", "at kinks", "")


@click.command("check-gradients")
@click.argument("model", shell_complete=checkable_names)
@click.option("--input", "shape", default="8x8x3", metavar="HxWxC", help="Of one image [8x8x3].")
@click.option(
    "--classes", type=click.IntRange(2), default=4, metavar="N", help="Classes to tell apart [4]."
)
@click.option(
    "--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="Change a field: model.hidden=[9]."
)
@click.option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Of all draws [0].")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=50,
    metavar="N",
    help="Numbers of each array that are compared at most [50].",
)
@json_option
def check_gradients(
    model: str,
    shape: str,
    classes: int,
    pairs: tuple[str, ...],
    seed: int,
    limit: int,
    as_json: bool,
) -> None:
    """Compare every gradient of MODEL (a from-scratch technique, layer or loss) with differences.

    In float64, under random gradients from above, at parameters and inputs. Numbers next to a kink
    (of ReLU, of a maximum) have no derivative and are left out. Exits with 1 where a relative error
    is above 1e-7.
    """
    from bakeoff.cli.profile import parse_shape
    from bakeoff.scratch.gradient_check import TOLERANCE
    from bakeoff.study.study import changed
    from bakeoff.techniques.gradients import check_gradients as check

    settings = changed({}, parse_settings(pairs))
    size = parse_shape(shape)
    if len(size) == 1:
        raise InputError(f"--input {shape}: images are needed (HxWxC, as in 8x8x3)")
    errors = check(model, settings, size, classes, seed, limit)
    right = all(error.right for error in errors)
    if as_json:
        rows = [_json(error) for error in errors]
        content = {"model": model, "seed": seed, "tolerance": TOLERANCE, "right": right}
        print_json(content | {"gradients": rows})
    else:
        print_table(HEADER, [_row(error) for error in errors], right="lrrrl")
        click.echo()
        wrong = sum(not error.right for error in errors)
        word = f"{wrong} of {len(errors)} wrong" if wrong else f"all {len(errors)} right"
        click.echo(f"{word}; allowed: relative errors up to {TOLERANCE:.0e}")
    if not right:
        raise click.exceptions.Exit(1)


def _row(error: "GradientError") -> list[str]:
    numbers = [f"{error.relative:.1e}", str(error.checked - error.kinks), str(error.kinks)]
    return [error.name, *numbers, "" if error.right else "WRONG"]


def _json(error: "GradientError") -> dict[str, Any]:
    # JSON has no infinity and no not-a-number.
    relative = error.relative if error.relative < float("inf") else None
    return vars(error) | {"relative": relative, "right": error.right}
