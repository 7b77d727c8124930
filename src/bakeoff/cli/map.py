"""`bakeoff map`: all vectors of an encoder on a plane."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakeoff.cli.options import can_be_made, check_output, json_option
from bakeoff.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from bakeoff.study.mapping import Method

NEW = click.Path(dir_okay=False, path_type=Path)
WARNING = (
    "who is near whom can be read off a t-SNE picture, as far as these shares say; how far groups "
    "lie from each other, their sizes and shapes mean nothing"
)


@click.command(name="map")
@click.argument("run")
@click.argument("items", metavar="[INPUT]", required=False)
@click.option(
    "-o",
    "--output",
    type=NEW,
    callback=can_be_made,
    required=True,
    help="The table to write (CSV): id, part, label, prediction, x, y.",
)
@click.option("--picture", type=NEW, callback=can_be_made, help="A PNG file to draw.")
@click.option("--vectors", type=NEW, callback=can_be_made, help="A .npy file for the vectors.")
@click.option(
    "--method",
    type=click.Choice(["tsne", "pca"]),
    default="tsne",
    show_default=True,
    help="t-SNE, or the first two principal components.",
)
@click.option(
    "--perplexity",
    type=float,
    default=30.0,
    show_default=True,
    help="Of t-SNE: about how many neighbours count.",
)
@json_option
def map_(
    run: str,
    items: str | None,
    output: Path,
    picture: Path | None,
    vectors: Path | None,
    method: "Method",
    perplexity: float,
    as_json: bool,
) -> None:
    """Map the vectors that RUN, a cell's folder or DIR:recipe[:seed], gives to items.

    Without INPUT these are all its training and validation examples; INPUT is what `bakeoff
    predict` reads. Of many points t-SNE is openTSNE's, where it is installed (extra: tsne).
    """
    from bakeoff.study.mapping import How, Outputs, map_vectors
    from bakeoff.study.predict import load_fitted

    written = [path for path in (output, picture, vectors) if path is not None]
    for number, path in enumerate(written):
        check_output(path, items, *written[:number])
    made = map_vectors(
        load_fitted(run),
        items,
        Outputs(output, picture, vectors),
        How(method, perplexity),
    )
    for note in made.notes:
        say(f"bakeoff: {note}")
    if as_json:
        print_json(asdict(made))
        return
    rows = [
        ["points", f"{made.points:,}"],
        ["dimension", f"{made.dimension:,}"],
        ["seconds of encoding", f"{made.encode_seconds:.1f}"],
        [f"seconds of {method} ({made.program})", f"{made.map_seconds:.1f}"],
        ["trustworthiness", f"{made.trustworthiness:.3f}"],
        ["neighbours kept", f"{made.kept:.3f}"],
        ["points asked for these", f"{made.asked:,}"],
    ]
    print_table(["map", "value"], rows, right="lr")
    if method == "tsne":
        say(f"bakeoff: {WARNING}")
