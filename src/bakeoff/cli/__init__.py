"""The command line. Each command's module is imported when the command is called, not before."""

import sys
from importlib import import_module

import click

COMMANDS = {
    "data": ("bakeoff.cli.data:data", "List, fetch, check and locate data sets."),
    "demo": ("bakeoff.cli.run:demo", "Run the main job on embedded data."),
    "doctor": ("bakeoff.cli.doctor:doctor", "Say what this machine and installation can do."),
    "list": ("bakeoff.cli.show:list_", "List techniques, models, data sets or studies."),
    "pack": ("bakeoff.cli.folder:pack", "Reduce a run to evidence that verify can check."),
    "plan": ("bakeoff.cli.show:plan", "Parameters, MACs, predicted seconds and bytes of a study."),
    "predict": ("bakeoff.cli.predict:predict", "Predict new items with a fitted recipe."),
    "profile": ("bakeoff.cli.show:profile", "Shapes, parameters and MACs, layer by layer."),
    "report": ("bakeoff.cli.folder:report", "Write report.html again, from what the run left."),
    "run": ("bakeoff.cli.run:run", "Run a study, or finish one that was interrupted."),
    "score": ("bakeoff.cli.predict:score", "Metrics of any predictions file against any labels."),
    "show": ("bakeoff.cli.show:show", "What a study asks and what it changes."),
    "verify": ("bakeoff.cli.folder:verify", "Recompute every reported number."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and help, and imports only the one called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which name is nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from bakeoff.core.errors import suggest

            near = suggest(args[0], COMMANDS)
            listing = ", ".join(sorted(COMMANDS))
            context.fail(f"unknown command '{args[0]}'{near} (allowed: {listing})")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table above, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bakeoff")
def group() -> None:
    """Which technique is worth its cost on your data?

    Controlled, paired, multi-seed comparisons of neural-network techniques on images and text;
    each ends in a verdict. Start with: bakeoff demo
    """


def main() -> None:
    """The entry point: errors become clear lines and exit codes, never tracebacks.

    Exit codes: 0 done; 1 a cell failed, or verify found a difference; 2 bad usage or bad input;
    3 --require-verdict and undecided; 130, 143, 129 interrupted, resumable.
    """
    try:
        code = group.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        code = 0
    except Exception as error:
        code = _tell(error)
    sys.exit(code if isinstance(code, int) else 0)


def _tell(error: Exception) -> int:
    from bakeoff.core.errors import BakeoffError

    if not isinstance(error, BakeoffError):
        raise error
    for line in str(error).splitlines():
        click.echo(f"bakeoff: {line}", err=True)
    return error.exit_code
