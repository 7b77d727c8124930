"""`bakeoff predict` and `bakeoff score`: new items, and files from anywhere."""

from pathlib import Path

import click

from bakeoff.cli.output import print_json, print_table
from bakeoff.core.files import write_atomic

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("run")
@click.argument("items", metavar="INPUT")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="The predictions file to write.",
)  # fmt: skip
@click.option("--submission", type=FILE, help="A sample_submission.csv: write in its shape.")
def predict(run: str, items: str, output: Path, submission: Path | None) -> None:
    """Predict INPUT with RUN, a cell's folder or DIR:recipe[:seed].

    INPUT is a folder of images, an image, a table of texts, or a catalogue name (its test split).
    """
    from bakeoff.study.predict import load_fitted
    from bakeoff.study.predict import predict as predictions

    written = predictions(load_fitted(run), items)
    write_atomic(output, written)
    if submission is not None:
        from bakeoff.study.submission import submission as shaped

        write_atomic(output, shaped(output, submission))
    rows = written.count(b"\n") - 1
    click.echo(f"{output}: {rows} predictions", err=True)


@click.command()
@click.argument("predictions", type=FILE)
@click.argument("labels", type=FILE)
@click.option("--prediction", metavar="COLUMN", help="Of predicted classes.")
@click.option("--label", metavar="COLUMN", help="Of labels.")
@click.option("--json", "as_json", is_flag=True, help="A JSON document on stdout.")
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
