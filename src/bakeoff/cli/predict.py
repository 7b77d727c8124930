"""`bakeoff predict` and `bakeoff score`: new items, and files from anywhere."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.options import FILE, can_be_made, json_option
from bakeoff.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from bakeoff.study.predict import LoadedCell, Predicted
    from bakeoff.study.submission import Labels


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
    default="auto",
    help="How a submission writes classes; auto: as its sample does.",
)
@click.option("--resize", is_flag=True, help="Bring images of another size to the one learnt.")
def predict(
    run: str, items: str, output: Path, submission: Path | None, labels: "Labels", resize: bool
) -> None:
    """Predict INPUT with RUN, a cell's folder or DIR:recipe[:seed].

    INPUT is a folder of images, an image, an array of images (.npz, .npy, IDX, a binary batch of
    CIFAR-10), a table of texts or numbers, or a catalogue name (its test split).
    """
    from bakeoff.study.predict import load_fitted

    fitted = load_fitted(run)
    if submission is not None:
        _submit(fitted, items, output, (submission, labels, resize))
        return
    made = _write(fitted, items, output, resize)
    for note in made.notes:
        say(f"bakeoff: {note}")
    say(f"{output}: {made.rows} predictions")


def _write(fitted: "LoadedCell", items: str, output: Path, resize: bool) -> "Predicted":
    """Write a predictions file, and tell how far that is."""
    from bakeoff.cli.progress import Count
    from bakeoff.study.predict import predict as write

    told = Count()
    try:
        return write(fitted, items, output, resize=resize, watch=told)
    finally:
        told.close()


def _submit(
    fitted: "LoadedCell", items: str, output: Path, how: "tuple[Path, Labels, bool]"
) -> None:
    """Write predictions in the shape of a sample submission."""
    from bakeoff.core.files import write_atomic
    from bakeoff.study.submission import submission

    sample, labels, resize = how
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "predictions.csv"
        made = _write(fitted, items, file, resize)
        shaped = submission(file, sample, labels)
    write_atomic(output, shaped.content)
    for note in (*made.notes, *shaped.notes):
        say(f"bakeoff: {note}")
    say(f"{output}: {shaped.rows} predictions")


@click.command()
@click.argument("predictions", type=FILE)
@click.argument("labels", type=FILE)
@click.option("--prediction", metavar="COLUMN", help="Of predicted classes.")
@click.option("--label", metavar="COLUMN", help="Of labels.")
@click.option("--id", "identity", metavar="COLUMN", help="Of ids, in both files.")
@click.option("--label-id", metavar="COLUMN", help="Of ids in LABELS, where it is another.")
@click.option("--classes", metavar="A,B,...", help="Class names in the order of their indices.")
@json_option
def score(
    predictions: Path,
    labels: Path,
    prediction: str | None,
    label: str | None,
    identity: str | None,
    label_id: str | None,
    classes: str | None,
    as_json: bool,
) -> None:
    """Score the file PREDICTIONS against the file LABELS, joined by id.

    PREDICTIONS has a column of predicted classes (or numbers), or a column for each class.
    """
    from bakeoff.study.score import Columns
    from bakeoff.study.score import score as metrics

    order = tuple(classes.split(",")) if classes else ()
    found = metrics(predictions, labels, Columns(prediction, label, identity, label_id, order))
    for note in found.notes:
        say(f"bakeoff: {note}")
    if as_json:
        print_json(found.metrics)
    else:
        rows = [[name, f"{value:.6g}"] for name, value in found.metrics.items()]
        print_table(["metric", "value"], rows, right="lr")
