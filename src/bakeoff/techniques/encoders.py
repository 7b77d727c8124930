"""What turns items into vectors for other recipes, and the vectors themselves, kept by content."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cache import of_device
from bakeoff.core.cell import Cell, Key
from bakeoff.core.collapse import Precision, at_one_point
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, Items
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.protocols import Arrays, Cutting, Predictor, Representer, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Ref
from bakeoff.core.tokens import Tokens
from bakeoff.data.hashing import item_digests
from bakeoff.techniques import find
from bakeoff.techniques.saved import read_state, texts_of

if TYPE_CHECKING:
    from bakeoff.training.torch.token_inference import TokenInference

Vectors = NDArray[np.float32]
LOOKED_AT = 2_000
"""Training vectors that are looked at for whether an encoder has collapsed, at most."""
FOLDER = "encoder"
"""Where a predictor keeps its encoder, below its own folder."""


class Encoder(Predictor, Representer, Protocol):
    """A predictor that turns items into vectors."""


@runtime_checkable
class Judging(Encoder, Protocol):
    """An encoder whose probabilities are a function of its vectors."""

    def judge(self, vectors: Vectors) -> NDArray[np.float32]:
        """Class probabilities (N, K) of the vectors (N, D) of N items."""
        ...


@runtime_checkable
class FixedEncoder(Encoder, Protocol):
    """An encoder of texts that learns nothing: whatever it was fitted on, its vectors are these."""

    @property
    def vectors_key(self) -> Key:
        """What a text's vector is a function of, besides the text."""
        ...


@runtime_checkable
class TokenReader(Encoder, Protocol):
    """An encoder of texts that gives a vector of every token, too."""

    @property
    def limit(self) -> int:
        """The most tokens of a text."""
        ...

    @property
    def token_encoder(self) -> "TokenInference":
        """Ids (B, T) to vectors (B, T, D)."""
        ...

    def tokens(self, items: Items) -> Tokens:
        """The tokens of N texts, at least one each."""
        ...


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
    if not isinstance(found, Representer):
        raise InputError(
            f"{technique}: encoder: the technique of recipe '{reference.recipe}' gives no vectors"
        )
    return found


def cut_notes(encoder: object, items: Items) -> list[str]:
    """What an encoder says of texts that are too long for it."""
    return encoder.cut_notes(items) if isinstance(encoder, Cutting) else []


def token_reader_of(reference: Ref, inputs: Mapping[str, Predictor], technique: str) -> TokenReader:
    """The fitted recipe that is referred to, as one that gives vectors of tokens.

    Raises:
        InputError: where it gives none.
    """
    found = inputs[reference.recipe]
    if not isinstance(found, TokenReader):
        raise InputError(
            f"{technique}: encoder: recipe '{reference.recipe}' gives no vectors of tokens "
            "(allowed with classifier cnn: a recipe of technique pretrained)"
        )
    return found


def precision_of(encoder: object) -> Precision:
    """In which a predictor computes vectors, and that whose vectors it reads."""
    source = getattr(encoder, "source", None)
    if source is not None and precision_of(source) == "bfloat16":
        return "bfloat16"
    own: Precision = getattr(getattr(encoder, "inference", None), "precision", "float32")
    return own


def vectors_and_guesses(encoder: Encoder, items: Items) -> tuple[Vectors, NDArray[np.intp]]:
    """What an encoder makes of N items: vectors (N, D), and the classes (N,) it gives.

    It passes them once where its probabilities are a function of the vectors.
    """
    vectors = encoder.represent(items)
    found = encoder.judge(vectors) if isinstance(encoder, Judging) else encoder.predict(items)
    return vectors, np.asarray(found).argmax(axis=1)


def no_vectors(encoder: Encoder, shape: tuple[int, ...]) -> Vectors:
    """The vectors (0, D) of no items: they say how large an encoder's are.

    Args:
        encoder: Fitted or not.
        shape: (H, W, C) of an image; () of a text.
    """
    return encoder.represent(np.zeros((0, *shape), np.uint8) if shape else [])


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
    that use the same fitted encoder on the same examples, on the same kind of device, share what it
    computed; its key says the precision. What does not depend on a fit is shared text by text.
    Training vectors that lie at one point are remarked on.
    """
    if part == "validation":
        return _encoded(encoder, reference, cell, data.validation, run, "encode-validation")
    vectors = _encoded(encoder, reference, cell, data.train, run, "encode")
    some = np.linspace(0, len(vectors) - 1, min(len(vectors), LOOKED_AT)).astype(np.intp)
    if at_one_point(vectors[some], precision_of(encoder)):
        run.remark([f"'{reference.recipe}' has collapsed: its vectors lie at one point"])
    return vectors


def _encoded(
    encoder: Encoder, reference: Ref, cell: Cell, examples: Examples, run: Run, phase: str
) -> Vectors:
    """The vectors of some examples, from the cache those that are there."""
    if isinstance(encoder, FixedEncoder):
        texts = texts_of(examples.items, cell.recipe.technique)

        def rows(at: NDArray[np.intp]) -> Vectors:
            return encoder.represent([texts[i] for i in at])

        return run.solve_rows(phase, item_digests(texts), rows, encoder.vectors_key)
    more = {} if phase == "encode" else {"part": "validation"}
    share = _shared("vectors of", reference, cell, **more)
    return run.solve(phase, lambda: {"vectors": encoder.represent(examples.items)}, share)[
        "vectors"
    ]


def encode_tokens(
    encoder: TokenReader, tokens: Tokens, reference: Ref, cell: Cell, run: Run
) -> NDArray[np.float16]:
    """The vectors (T, D) of all tokens of the training and then the validation texts.

    The phase is `encode`, shared like that of `encode`.
    """
    share = _shared("token vectors of", reference, cell)

    def compute() -> Arrays:
        return {"vectors": encoder.token_encoder.token_outputs(tokens)}

    return run.solve("encode", compute, share)["vectors"]


def _shared(what: str, reference: Ref, cell: Cell, **more: str) -> Key | None:
    """The key of what an encoder makes of a cell's examples; None where the encoder has none."""
    if reference.recipe not in cell.inputs:
        return None
    content = {
        what: cell.inputs[reference.recipe],
        "data": cell.data_hash,
        "split": cell.split_hash,
        **of_device(cell.recipe.numerics.device),
    }
    return digest(canonical_json(content | more))[:16]


def finite(vectors: NDArray[Any], technique: str) -> NDArray[Any]:
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


def load_encoder(folder: Path, device: DeviceName = "auto") -> Encoder:
    """An encoder that `save_encoder` wrote below a folder, on a device.

    Raises:
        InputError: where there is none.
    """
    saved = folder / FOLDER
    return cast(Encoder, find(read_state(saved)["technique"]).load(saved, device))
