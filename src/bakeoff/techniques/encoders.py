"""What turns items into vectors for other recipes, and the vectors themselves, kept by content."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.protocols import Predictor, Representer, Run, TrainingData
from bakeoff.core.recipe import Ref
from bakeoff.techniques import find
from bakeoff.techniques.saved import read_state

Vectors = NDArray[np.float32]
FOLDER = "encoder"
"""Where a predictor keeps its encoder, below its own folder."""


class Encoder(Predictor, Representer, Protocol):
    """A predictor that turns items into vectors."""


def encoder_of(reference: Ref, inputs: Mapping[str, Predictor], technique: str) -> Encoder:
    """The fitted recipe that is referred to.

    Args:
        reference: To it.
        inputs: Fitted recipes by name.
        technique: That needs it, for the message.

    Raises:
        InputError: where it gives no vectors.
    """
    found = inputs[reference.recipe]
    if not hasattr(found, "represent"):
        raise InputError(
            f"{technique}: encoder: the technique of recipe '{reference.recipe}' gives no vectors"
        )
    return cast(Encoder, found)


def encode(
    encoder: Encoder,
    reference: Ref,
    cell: Cell,
    data: TrainingData,
    run: Run,
    part: Literal["train", "validation"] = "train",
) -> Vectors:
    """The vectors (N, D) of a part of the examples, finite or not.

    The phase is `encode` for training and `encode-validation`. All recipes, seeds and searches
    that use the same fitted encoder on the same examples share what it computed; its key says
    device and precision.
    """
    phase, examples = "encode", data.train
    content = {
        "vectors of": cell.inputs.get(reference.recipe),
        "data": cell.data_hash,
        "split": cell.split_hash,
    }
    if part == "validation":
        phase, examples = "encode-validation", data.validation
        content["part"] = part
    known = reference.recipe in cell.inputs
    share = digest(canonical_json(content))[:16] if known else None
    return run.solve(phase, lambda: {"vectors": encoder.represent(examples.items)}, share)[
        "vectors"
    ]


def finite(vectors: Vectors, technique: str) -> Vectors:
    """The vectors themselves.

    Raises:
        InputError: where they hold infinities or NaN.
    """
    if not np.isfinite(vectors).all():
        raise InputError(
            f"{technique}: encoder: its vectors hold infinities or NaN; it has diverged"
        )
    return vectors


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write an encoder below a predictor's folder."""
    (folder / FOLDER).mkdir()
    encoder.save(folder / FOLDER)


def load_encoder(folder: Path) -> Encoder:
    """An encoder that `save_encoder` wrote below a folder.

    Raises:
        InputError: where there is none.
    """
    saved = folder / FOLDER
    return cast(Encoder, find(read_state(saved)["technique"]).load(saved))
