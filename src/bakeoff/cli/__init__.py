"""The command line. Each command's module is imported when the command is called, not before.

Modules here import at their top only what `bakeoff COMMAND --help` needs; the rest is imported by
the command that runs.
"""

import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from bakeoff import __version__

COMMANDS = {
    "check-gradients": (
        "bakeoff.cli.check_gradients:check_gradients",
        "Every gradient of a from-scratch model against central differences.",
    ),
    "completion": ("bakeoff.cli.completion:completion", "Print a script that completes commands."),
    "data": ("bakeoff.cli.data:data", "List, fetch, check and locate data sets."),
    "demo": ("bakeoff.cli.run:demo", "Run the main job on embedded data."),
    "doctor": ("bakeoff.cli.doctor:doctor", "Say what this machine and installation can do."),
    "generate": ("bakeoff.cli.generate:generate", "Texts from a language model."),
    "list": ("bakeoff.cli.show:list_", "List techniques, models, data sets or studies."),
    "map": ("bakeoff.cli.map:map_", "All vectors of an encoder on a plane, and in a picture."),
    "pack": ("bakeoff.cli.folder:pack", "Reduce a run to evidence that verify can check."),
    "perplexity": (
        "bakeoff.cli.perplexity:perplexity",
        "How well a language model foretells a text, with the protocol in the name.",
    ),
    "plan": ("bakeoff.cli.show:plan", "Parameters, MACs, predicted seconds and bytes of a study."),
    "predict": ("bakeoff.cli.predict:predict", "Predict new items with a fitted recipe."),
    "profile": ("bakeoff.cli.profile:profile", "Shapes, parameters and MACs, layer by layer."),
    "report": ("bakeoff.cli.folder:report", "Write report.html again, from what the run left."),
    "run": ("bakeoff.cli.run:run", "Run a study, or finish one that was interrupted."),
    "score": ("bakeoff.cli.predict:score", "Metrics of any predictions file against any labels."),
    "show": ("bakeoff.cli.show:show", "What a study asks and what it changes."),
    "verify": ("bakeoff.cli.folder:verify", "Recompute every reported number."),
}
INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where no more can be written."""


class ReaderGoneError(Exception):
    """Whoever read our output has closed it: nothing is left to say, and nothing went wrong."""


class LazyGroup(click.Group):
    """A group that knows its commands' names and help, and imports only the one called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which name is nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from bakeoff.core.errors import suggest

            near = suggest(args[0], COMMANDS)
            listing = ", ".join(sorted(COMMANDS))
            ctx.fail(f"unknown command '{args[0]}'{near} (allowed: {listing})")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table above, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete a command's name from the table above, without importing any."""
        from click.shell_completion import CompletionItem

        names = [name for name in sorted(COMMANDS) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=COMMANDS[name][1]) for name in names), *options]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a closed pipe is told apart before click makes an exit of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGoneError from None


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Completion of commands and names: bakeoff completion bash, zsh or fish.",
)
@click.version_option(__version__)
def group() -> None:
    """Which technique is worth its cost on your data?

    Controlled, paired, multi-seed comparisons of neural-network techniques on images and text;
    each ends in a verdict. Start with: bakeoff demo
    """


def main() -> None:
    """The entry point: errors become clear lines and exit codes, never tracebacks.

    Exit codes: 0 done; 1 a cell failed, verify found a difference, or the disk is full; 2 bad usage
    or bad input; 3 --require-verdict and undecided; 130, 143, 129 interrupted, resumable.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # a sign the terminal lacks must end nothing
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        code = group.main(prog_name="bakeoff", standalone_mode=False)
        if sys.stdout is not None:  # closed with >&-
            sys.stdout.flush()
    except click.exceptions.Abort:
        click.echo("bakeoff: interrupted", err=True)
        code = INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (ReaderGoneError, BrokenPipeError):
        _close_quietly()
        code = 0
    except Exception as error:
        code = _tell(error)
    sys.exit(code if isinstance(code, int) else 0)


def _tell(error: Exception) -> int:
    """Say what went wrong, a line each; what is a fault of ours is raised again."""
    from bakeoff.core.errors import BakeoffError

    if isinstance(error, BakeoffError):
        lines, code = str(error).splitlines(), error.exit_code
    elif isinstance(error, MemoryError):
        lines, code = ["out of memory"], 1
    elif isinstance(error, OSError) and error.errno in FULL:
        where = f" {error.filename}" if error.filename else " the output"
        lines, code = [f"cannot write{where}: {error.strerror}"], 1
        _close_quietly()
    else:
        raise error
    with suppress(OSError):
        for line in lines:
            click.echo(f"bakeoff: {line}", err=True)
    return code


def _close_quietly() -> None:
    """Leave nothing for the interpreter to write, and to fail at, when it ends."""
    with suppress(OSError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
