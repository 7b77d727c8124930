"""`bakeoff run` and `bakeoff demo`: a study from question to verdict."""

from pathlib import Path
from typing import Any

import click
import yaml

from bakeoff.cli.output import duration, print_json, print_table
from bakeoff.cli.progress import Bars, watcher
from bakeoff.core.errors import InputError
from bakeoff.study.study import Study, built_in_names, load_study

UNDECIDED = 3


def complete_study(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Names of built-in studies, for shell completion."""
    return [name for name in built_in_names() if name.startswith(incomplete)]


def parse_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`a.b=c` pairs; values are read as YAML.

    Raises:
        InputError: for a pair without `=` or a value that is not YAML.
    """
    settings = {}
    for pair in pairs:
        path, equals, value = pair.partition("=")
        if not equals or not path:
            raise InputError(f"--set {pair}: needed is FIELD=VALUE, as in training.epochs=3")
        try:
            settings[path] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--set {pair}: the value is not YAML") from None
    return settings


_COMMON = (
    click.option("--out", type=click.Path(path_type=Path), help="Run folder [runs/<study>]."),
    click.option("--jobs", type=click.IntRange(1), default=1, help="Worker processes [1]."),
    click.option("--json", "as_json", is_flag=True, help="results.json on stdout."),
)


def _common(command: Any) -> Any:
    for option in reversed(_COMMON):
        command = option(command)
    return command


@click.command()
@click.argument("study", shell_complete=complete_study)
@click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="Change a field.")
@click.option("--seeds", type=click.IntRange(1), help="So many seeds in all.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to compute.")
@click.option("--offline", is_flag=True, help="Fetch nothing.")
@click.option("--require-verdict", is_flag=True, help="Exit with 3 where a pair is undecided.")
@_common
def run(study: str, pairs: tuple[str, ...], **given: Any) -> None:
    """Run STUDY, a built-in study's name or a YAML file; what is finished is not repeated."""
    settings = parse_settings(pairs)
    if given["device"]:
        settings["control.numerics.device"] = given["device"]
    _execute(load_study(study, settings), **given)


@click.command()
@_common
def demo(**given: Any) -> None:
    """Compare five techniques on embedded images of digits, and write a report."""
    _execute(load_study("digits-first"), **given)


def _execute(
    study: Study,
    out: Path | None,
    jobs: int,
    as_json: bool,
    seeds: int | None = None,
    offline: bool = False,
    require_verdict: bool = False,
    device: str | None = None,
) -> None:
    from bakeoff.study.run import Options

    progress = watcher(study.metric)
    try:
        options = Options(seeds=seeds, jobs=jobs, offline=offline, watcher=progress)
        finished = study.run(out, options)
    finally:
        if isinstance(progress, Bars):
            progress.close()
    if as_json:
        print_json(finished.results)
    else:
        tell(finished.results)
        click.echo(f"\nReport: {finished.report}")
    for name, message in finished.failures.items():
        click.echo(f"bakeoff: {name}: failed: {message}", err=True)
    judged = [v for v in finished.results["verdicts"] if v["metric"] == finished.results["metric"]]
    if finished.failures:
        raise click.exceptions.Exit(1)
    if require_verdict and any(v["outcome"] == "undecided" for v in judged):
        raise click.exceptions.Exit(UNDECIDED)


def tell(results: dict[str, Any]) -> None:
    """The standings and the verdicts of a study, for people."""
    metric = results["metric"]
    click.echo(f"\n{results['question']}\n")
    rows = []
    ranked = sorted(
        ((r["metrics"][metric]["mean"], name) for name, r in results["recipes"].items()
         if metric in r["metrics"]),
        reverse=results["direction"] == "max",
    )  # fmt: skip
    for mean, name in ranked:
        recipe = results["recipes"][name]
        sd = recipe["metrics"][metric]["sd"]
        rows.append([
            name, f"{mean:.4f}", "-" if sd is None else f"{sd:.4f}", str(len(recipe["seeds"])),
            duration(recipe["cost"]["train_seconds"]), f"{recipe['cost']['parameters']:,}",
        ])  # fmt: skip
    header = ["recipe", metric, "sd", "seeds", "training", "parameters"]
    print_table(header, rows, right="lrrrrr")
    click.echo()
    for verdict in results["verdicts"]:
        if verdict["metric"] == metric:
            click.echo(f"- {verdict['sentence']}")
    if results["margin"] is not None:
        click.echo(f"\nMargin: {results['margin']:.4g} ({results['margin_source']}).")
