"""All vectors of a fitted encoder on a plane: a table, a picture, and how far it can be trusted.

A report shows some hundred points of a study; here are as many as there are.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.analysis.projections import (
    LARGE,
    check_perplexity,
    neighbours_kept,
    pca,
    trustworthiness,
    tsne,
    tsne_program,
)
from bakeoff.analysis.scatter import scatter
from bakeoff.core.archive import npy_bytes
from bakeoff.core.collapse import at_one_point
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, concatenated
from bakeoff.core.files import write_atomic
from bakeoff.core.protocols import Representer
from bakeoff.core.table import csv_bytes
from bakeoff.data import catalogue, splits
from bakeoff.execution.cores import core_count
from bakeoff.study.predict import LoadedCell, read_items
from bakeoff.techniques.encoders import precision_of, vectors_and_guesses
from bakeoff.techniques.recipes import parse_recipe

Method = Literal["tsne", "pca"]
K = 10
"""Neighbours that count for how far a picture can be trusted."""
ASKED = 500
"""Points at most whose neighbours are counted, among all others."""
FEWEST = 3 * K
"""Points below which there is no telling."""
MANY = 2_000
"""Points from which more than one thread pays."""
HEADER = ("id", "part", "label", "prediction", "x", "y")


@dataclass(frozen=True)
class How:
    """How vectors come onto the plane.

    Args:
        method: `tsne` from the first principal components, or these themselves.
        perplexity: Of t-SNE: about how many neighbours count.
        seed: Of t-SNE.
    """

    method: Method = "tsne"
    perplexity: float = 30.0
    seed: int = 0


@dataclass(frozen=True)
class Mapped:
    """What was written.

    Args:
        points: N.
        dimension: Of the vectors.
        encode_seconds: Of turning items into vectors.
        map_seconds: Of the method.
        program: Whose: openTSNE's or scikit-learn's t-SNE; NumPy's principal components.
        trustworthiness: Of `asked` points, drawn by the seed, among all.
        kept: Share of their 10 nearest vectors that are among their 10 nearest in the picture.
        asked: At most 500.
        notes: What was left out of the input or changed in it, and what would have been quicker, a
            sentence each.
    """

    points: int
    dimension: int
    encode_seconds: float
    map_seconds: float
    program: str
    trustworthiness: float
    kept: float
    asked: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """The files to write, each whole or not at all.

    Args:
        table: A CSV file: id, part, label, prediction, x, y.
        picture: A PNG file, or None.
        vectors: The vectors (N, D) float32 as a .npy file in the order of the table, or None.
    """

    table: Path
    picture: Path | None = None
    vectors: Path | None = None


def map_vectors(fitted: LoadedCell, source: str | None, outputs: Outputs, how: How) -> Mapped:
    """Map the vectors of an encoder.

    Args:
        fitted: What has the encoder: anything with vectors.
        source: What `predict` reads; None: all examples it was fitted with and those that
            validated it. Reading a catalogue's test split is noted in the ledger.
        outputs: Where to write.
        how: Method and its settings.

    Raises:
        InputError: where there are no vectors, the items cannot be read, they are too few for the
            perplexity, or vectors are not finite or lie at one point.
        DiskError: where a file cannot be written.
    """
    predictor = fitted.predictor
    if not isinstance(predictor, Representer):
        raise InputError(
            f"{fitted.record.name}: the technique {fitted.record.recipe['technique']} gives no "
            "vectors to map"
        )
    notes: list[str] = []
    parts = _own(fitted) if source is None else _given(fitted, source, notes)
    examples = concatenated([part for _, part in parts])
    if len(examples) < FEWEST:
        raise InputError(f"{len(examples)} items received (allowed: {FEWEST} or more)")
    if how.method == "tsne":
        check_perplexity(how.perplexity, len(examples))
    began = time.perf_counter()
    vectors, guesses = vectors_and_guesses(predictor, examples.items)
    encoded = time.perf_counter()
    _check_vectors(vectors, predictor, fitted.record.name)
    program = "NumPy" if how.method == "pca" else tsne_program(len(vectors))
    if program == "scikit-learn" and len(vectors) >= LARGE:
        notes.append(
            f"scikit-learn drew {len(vectors):,} points; openTSNE (extra: tsne), which is not "
            f"installed here, is quicker from {LARGE:,} on"
        )
    places = _places(vectors, how)
    mapped = time.perf_counter()
    classes = fitted.record.classes
    part_names = [name for name, part in parts for _ in range(len(part))]
    table = _table(examples, part_names, guesses, places, classes)
    write_atomic(outputs.table, table)
    if outputs.picture is not None:
        write_atomic(outputs.picture, scatter(places, examples.labels, classes))
    if outputs.vectors is not None:
        write_atomic(outputs.vectors, npy_bytes(vectors))
    asked = _asked(len(examples), how.seed)
    return Mapped(
        points=len(examples),
        dimension=vectors.shape[1],
        encode_seconds=encoded - began,
        map_seconds=mapped - encoded,
        program=program,
        trustworthiness=trustworthiness(vectors, places, K, asked),
        kept=neighbours_kept(vectors, places, K, asked),
        asked=len(asked),
        notes=tuple(notes),
    )


def _check_vectors(vectors: NDArray[np.float32], encoder: Representer, name: str) -> None:
    """Whether they can be laid out.

    Raises:
        InputError: where they are not finite, or lie at one point.
    """
    if not np.isfinite(vectors).all():
        raise InputError(f"{name}: its vectors hold infinities or NaN")
    if at_one_point(vectors, precision_of(encoder)):
        raise InputError(
            f"{name}: its vectors lie at one point: it has collapsed, and there is nothing to map"
        )


def _places(vectors: NDArray[np.float32], how: How) -> NDArray[np.float64]:
    """(N, 2) on the plane."""
    if how.method == "pca":
        return pca(vectors)
    # Threads that wait for each other cost more than a few points do.
    jobs = core_count() if len(vectors) >= MANY else 1
    return tsne(vectors, how.perplexity, how.seed, jobs)


def _own(fitted: LoadedCell) -> list[tuple[str, Examples]]:
    """What a cell was fitted with, and what validated it."""
    record = fitted.record
    if record.replicate.fold is not None:
        raise InputError(
            f"{record.name}: fitted on folds; name the items to map (INPUT), as for predict"
        )
    settings = parse_recipe(record.recipe, record.name).data
    split = splits.draw_cell(catalogue.load(settings.set), settings, record.replicate)
    if split.hash != record.hashes["split"]:
        raise InputError(
            f"{record.name}: the data are not those it was fitted with (split "
            f"{split.hash[:12]}, in its record {record.hashes['split'][:12]})"
        )
    data = split.training_data()
    return [("train", data.train), ("validation", data.validation)]


def _given(fitted: LoadedCell, source: str, notes: list[str]) -> list[tuple[str, Examples]]:
    """The items of an input."""
    return [("", part) for part in read_items(source, fitted, notes)]


def _asked(count: int, seed: int) -> NDArray[np.intp]:
    """Points whose neighbours are counted."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:ASKED])


def _table(
    examples: Examples,
    parts: Sequence[str],
    guesses: NDArray[Any],
    places: NDArray[np.float64],
    classes: Sequence[str],
) -> bytes:
    """The rows of the CSV file; an unknown label is empty."""
    labels = ["" if label < 0 else classes[label] for label in examples.labels.tolist()]
    names = [classes[guess] for guess in guesses.tolist()]
    columns = (examples.ids.tolist(), parts, labels, names, *places.T.astype(np.float32).tolist())
    return csv_bytes(HEADER, iter(list(zip(*columns, strict=True))))
