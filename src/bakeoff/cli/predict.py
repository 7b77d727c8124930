"""`bakeoff predict` and `bakeoff score`: new items, and files from anywhere."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from bakeoff.cli.options import FILE, can_be_made, check_output, json_option, offline_option
from bakeoff.cli.output import print_json, print_table, say
from bakeoff.core.errors import InputError

if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    from bakeoff.study.predict import LoadedCell, Predicted
    from bakeoff.study.score import FileScores
    from bakeoff.study.submission import Labels

    class Named(TypedDict):
        """The options of `score` that say what its files hold."""

        prediction: str | None
        label: str | None
        id: str | None
        label_id: str | None
        classes: tuple[str, ...]
        numbers: bool


@click.command()
@click.argument("run")
@click.argument("items", metavar="INPUT")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=can_be_made,
    required=True,
    help="The predictions file to write.",
)
@click.option("--submission", type=FILE, help="A sample_submission.csv: write in its shape.")
@click.option(
    "--labels",
    type=click.Choice(["auto", "names", "indices"]),
    help="How a submission writes classes; auto: as its sample does [auto].",
)
@click.option("--resize", is_flag=True, help="Bring images of another size to the one learnt.")
@click.option("--text", metavar="COLUMN", help="Of texts, in a table.")
@click.option("--id", metavar="COLUMN", help="Of ids, in a table.")
@offline_option
def predict(
    run: str,
    items: str,
    output: Path,
    submission: Path | None,
    labels: "Labels | None",
    resize: bool,
    **named: str | None,
) -> None:
    """Predict INPUT with RUN, a cell's folder or DIR:recipe[:seed].

    INPUT is a folder of images, an image, an array of images (.npz, .npy, IDX, a binary batch of
    CIFAR-10), a table of texts or numbers, or a catalogue name (its test split). Columns are called
    as in what was learnt from, or as is usual, unless they are named.
    """
    from bakeoff.study.predict import load_fitted

    check_output(output, items, submission)
    if labels is not None and submission is None:
        raise InputError("--labels: only a submission is written so (needed: --submission)")
    fitted = load_fitted(run)
    how = _Reading(resize, {role: name for role, name in named.items() if name is not None})
    if submission is not None:
        _submit(fitted, items, output, (submission, labels or "auto", how))
        return
    made = _write(fitted, items, output, how)
    for note in made.notes:
        say(f"bakeoff: {note}")
    say(f"{output}: {made.rows} prediction{'' if made.rows == 1 else 's'}")


class _Reading(NamedTuple):
    """How what is to be predicted is read."""

    resize: bool
    columns: dict[str, str]


def _write(fitted: "LoadedCell", items: str, output: Path, how: _Reading) -> "Predicted":
    """Write a predictions file, and tell how far that is."""
    from bakeoff.cli.progress import Count
    from bakeoff.study.predict import predict as write

    told = Count()
    try:
        return write(fitted, items, output, resize=how.resize, columns=how.columns, watch=told)
    finally:
        told.close()


def _submit(
    fitted: "LoadedCell", items: str, output: Path, how: "tuple[Path, Labels, _Reading]"
) -> None:
    """Write predictions in the shape of a sample submission."""
    from bakeoff.core.files import write_atomic
    from bakeoff.study.submission import submission

    sample, labels, reading = how
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "predictions.csv"
        made = _write(fitted, items, file, reading)
        shaped = submission(file, sample, labels)
    write_atomic(output, shaped.content)
    for note in (*made.notes, *shaped.notes):
        say(f"bakeoff: {note}")
    say(f"{output}: {shaped.rows} prediction{'' if shaped.rows == 1 else 's'}")


@click.command()
@click.argument("predictions", type=FILE, nargs=-1, required=True)
@click.argument("labels", type=FILE)
@click.option("--prediction", metavar="COLUMN", help="Of predicted classes.")
@click.option("--label", metavar="COLUMN", help="Of labels.")
@click.option("--id", metavar="COLUMN", help="Of ids, in all files.")
@click.option("--label-id", metavar="COLUMN", help="Of ids in LABELS, where it is another.")
@click.option(
    "--classes",
    metavar="A,B,...",
    callback=lambda _context, _parameter, text: tuple(text.split(",")) if text else (),
    help="Class names in the order of their indices.",
)
@click.option("--numbers", is_flag=True, help="Values are numbers, though they look like classes.")
@json_option
def score(
    predictions: tuple[Path, ...], labels: Path, as_json: bool, **named: "Unpack[Named]"
) -> None:
    """Score files of PREDICTIONS against the file LABELS, joined by id.

    PREDICTIONS have a column of predicted classes (or numbers), or a column for each class. Several
    are laid side by side, with McNemar's exact test of the first against each other.
    """
    from bakeoff.study.score import Columns
    from bakeoff.study.score import score as metrics

    if twice := [path for path in predictions if predictions.count(path) > 1]:
        raise InputError(f"{twice[0]}: given more than once, and it does not differ from itself")
    columns = Columns(**named)
    found = {str(path): metrics(path, labels, columns) for path in predictions}
    for note in dict.fromkeys(note for scores in found.values() for note in scores.notes):
        say(f"bakeoff: {note}")
    if len(found) > 1:
        _compare(found, as_json)
        return
    (alone,) = found.values()
    if as_json:
        print_json(alone.metrics)
    else:
        rows = [[name, f"{value:.6g}"] for name, value in alone.metrics.items()]
        print_table(["metric", "value"], rows, right="lr")


def _compare(found: "dict[str, FileScores]", as_json: bool) -> None:
    """Print the metrics of several files, and where each differs from the first."""
    from bakeoff.study.score import disagreement

    first, *others = found
    differences = {name: disagreement(found[first], found[name]) for name in others}
    if as_json:
        told = {
            name: asdict(difference)
            for name, difference in differences.items()
            if difference is not None
        }
        metrics = {name: scores.metrics for name, scores in found.items()}
        print_json({"metrics": metrics, "against": first, "mcnemar": told})
        return
    names = dict.fromkeys(name for scores in found.values() for name in scores.metrics)
    rows = [
        [name, *(_figure(scores.metrics.get(name)) for scores in found.values())] for name in names
    ]
    print_table(["metric", *found], rows, right="l" + "r" * len(found))
    for name, difference in differences.items():
        if difference is not None:
            click.echo(
                f"Only {first} is right on {difference.first}, only {name} on {difference.second}: "
                f"p = {difference.p_value:.3g} (McNemar's exact test of these two files, not of "
                "what made them)."
            )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
