"""`bakeoff completion`, and the names that shells complete."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS = ("bash", "fish", "zsh")
VARIABLE = "_BAKEOFF_COMPLETE"


HELP = """Print a script that makes SHELL complete commands, options and names.

\b
bash   eval "$(bakeoff completion bash)"       in ~/.bashrc
zsh    eval "$(bakeoff completion zsh)"        in ~/.zshrc, after compinit
fish   bakeoff completion fish | source        in ~/.config/fish/config.fish
"""
"""The sign before the lines keeps click from filling them up."""


@click.command(help=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script for a shell."""
    from click.shell_completion import get_completion_class

    from bakeoff.cli import group

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(group, {}, "bakeoff", VARIABLE).source())


def study_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Built-in studies that begin so, or else files."""
    from bakeoff.study.study import built_in_names

    return _names_or_files(built_in_names(), incomplete)


def dataset_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Sets of the catalogue that begin so, or else files."""
    from bakeoff.data.catalogue import DATASETS

    return _names_or_files(sorted(DATASETS), incomplete)


def model_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Models and techniques that begin so."""
    from bakeoff.models import MODELS
    from bakeoff.techniques import names

    return _names(sorted({*MODELS, *names()}), incomplete)


def checkable_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Techniques, layers and losses of our own that begin so."""
    from bakeoff.techniques.gradients import checkable_names

    return _names(checkable_names(), incomplete)


def _names_or_files(names: list[str], incomplete: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    # Shells drop names where an item says `file`, so it is one or the other.
    return _names(names, incomplete) or [CompletionItem(incomplete, type="file")]


def _names(names: list[str], incomplete: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
