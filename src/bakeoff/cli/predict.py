"""`bakeoff predict` and `bakeoff score`: new items, and files from anywhere."""

import tempfile
from pathlib import Path

import click

from bakeoff.cli.options import FILE, can_be_made, json_option
from bakeoff.cli.output import print_json, print_table, say


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
def predict(run: str, items: str, output: Path, submission: Path | None) -> None:
    """Predict INPUT with RUN, a cell's folder or DIR:recipe[:seed].

    INPUT is a folder of images, an image, a table of texts, or a catalogue name (its test split).
    """
    from bakeoff.core.files import write_atomic
    from bakeoff.study.predict import load_fitted
    from bakeoff.study.predict import predict as predictions

    made = predictions(load_fitted(run), items)
    rows = made.count(b"\n") - 1
    write_atomic(output, made if submission is None else _shaped(made, submission))
    say(f"{output}: {rows} predictions")


def _shaped(predictions: bytes, sample: Path) -> bytes:
    """Predictions in the shape of a sample submission."""
    from bakeoff.study.submission import submission

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "predictions.csv"
        file.write_bytes(predictions)
        return submission(file, sample)


@click.command()
@click.argument("predictions", type=FILE)
@click.argument("labels", type=FILE)
@click.option("--prediction", metavar="COLUMN", help="Of predicted classes.")
@click.option("--label", metavar="COLUMN", help="Of labels.")
@json_option
def score(
    predictions: Path, labels: Path, prediction: str | None, label: str | None, as_json: bool
) -> None:
    """Score the file PREDICTIONS against the file LABELS, joined by id."""
    from bakeoff.study.score import score as metrics

    found = metrics(predictions, labels, prediction, label)
    if as_json:
        print_json(found)
    else:
        print_table(["metric", "value"], [[n, f"{v:.6g}"] for n, v in found.items()], right="lr")
