"""What techniques on pretrained models share: which weights, and texts as their tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bakeoff.core.cache import of_device
from bakeoff.core.cell import Key
from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.protocols import Arrays, Run
from bakeoff.core.recipe import Numerics
from bakeoff.core.tokens import Tokens
from bakeoff.data.hashing import item_digests
from bakeoff.models.pretrained import Pretrained, find_again, find_pretrained, load_tokenizer
from bakeoff.models.settings import NamedWeights

if TYPE_CHECKING:
    from torch import nn

    from bakeoff.models.text_encoder import TextEncoder
    from bakeoff.training.torch.token_inference import TokenInference

VECTORS = 3
"""Which way vectors are computed, in the keys they are kept by. Raise it whenever their bits change
(2: attention in float32 beside products in bfloat16; 3: MPNet's and ModernBERT's masks)."""


class WeightsSettings(NamedWeights):
    """Which pretrained weights, and how much of a text they read."""

    weights: str = "minilm"
    """A folder (a path begins at the current folder, as those of data do), a hub id, or a short
    name (`minilm`)."""
    max_tokens: Annotated[int, Field(ge=4)] = 128
    """The most tokens of a text, those at start and end included; what is beyond is cut off."""


@dataclass(frozen=True, eq=False)
class Tokeniser:
    """A pretrained model's own tokenizer, with a limit.

    Args:
        pretrained: Whose.
        tokenizer: As `load_tokenizer` gives it.
        limit: The most tokens of a text.
    """

    pretrained: Pretrained
    tokenizer: Any
    limit: int

    @property
    def key(self) -> dict[str, Any]:
        """What its tokens are a function of, besides the texts."""
        return {"tokens of": self.pretrained.digest, "limit": self.limit}

    def __call__(self, texts: Sequence[str]) -> tuple[Tokens, int]:
        """The texts' tokens, at least one each, and how many texts were too long."""
        readable = [text.encode("utf-8", "replace").decode() for text in texts]
        empty = [self.tokenizer.eos_token_id or 0]
        if not readable:
            return Tokens.of([]), 0
        quick = self.tokenizer.backend_tokenizer
        quick.no_padding()
        quick.enable_truncation(self.limit)
        found = quick.encode_batch(readable)
        ids = [encoding.ids or empty for encoding in found]
        return Tokens.of(ids), sum(bool(encoding.overflowing) for encoding in found)

    def padded(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """(N, T) the texts' tokens from the left, then -1."""
        return self(texts)[0].padded(-1)

    def cut_notes(self, texts: Sequence[str]) -> list[str]:
        """How many of these texts are too long."""
        return cut_note(self(texts)[1], len(texts), self.limit, "texts")

    def through(self, run: Run, phase: str, texts: Sequence[str]) -> tuple[Tokens, int]:
        """As a call, kept in the cache by content: once for all cells that read these texts."""

        def compute() -> Arrays:
            tokens, long = self(texts)
            return {"ids": tokens.ids, "starts": tokens.starts, "long": np.array([long])}

        arrays = run.solve(phase, compute, key_of({**self.key, "texts": texts_hash(texts)}))
        return Tokens(arrays["ids"], arrays["starts"]), int(arrays["long"][0])


def attended(
    tokeniser: Tokeniser, encoder: "TextEncoder", text: str, most: int
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The first tokens of a text, `most` at the most, and where the encoder's attention looks."""
    from torch import from_numpy

    from bakeoff.models.attention import attention_weights

    ids = tokeniser([text])[0][0][:most]
    device = next(encoder.parameters()).device
    weights = attention_weights(encoder, from_numpy(ids.copy()).long().to(device))
    return tuple(tokeniser.tokenizer.convert_ids_to_tokens(ids.tolist())), weights


def at_work(
    module: "nn.Module", encoder: "TextEncoder", pretrained: Pretrained, numerics: Numerics
) -> "TokenInference":
    """A model on its device; what learns nothing of it takes as little memory as it can.

    Args:
        module: On token ids.
        encoder: The part of it that was pretrained.
        pretrained: What its weights are of.
        numerics: What is asked for.

    Raises:
        InputError: where a GPU is asked for that torch cannot use.
    """
    from bakeoff.models.resting import rest
    from bakeoff.models.stored_rows import leave_rows_stored
    from bakeoff.training.torch.token_inference import inference_on

    inference = inference_on(module, numerics, pretrained.limit)
    leave_rows_stored(encoder.body, pretrained.folder)
    if inference.precision == "bfloat16":
        rest(encoder)
    return inference


def tokeniser_of(settings: WeightsSettings) -> Tokeniser:
    """Find the weights and load their tokenizer.

    Raises:
        InputError: where they are nowhere, cannot be loaded, or read fewer tokens than asked for.
    """
    return _tokeniser(settings, find_pretrained(settings.weights))


def _tokeniser(settings: WeightsSettings, pretrained: Pretrained) -> Tokeniser:
    if settings.max_tokens > pretrained.limit:
        raise InputError(
            f"model.max_tokens: {settings.max_tokens} received, but {settings.weights} reads "
            f"{pretrained.limit} at the most (allowed: 4 to {pretrained.limit})"
        )
    return Tokeniser(pretrained, load_tokenizer(pretrained), settings.max_tokens)


def same_weights(settings: WeightsSettings, state: Mapping[str, Any]) -> Tokeniser:
    """The weights that a predictor was made with.

    Args:
        settings: That name them.
        state: Of the saved predictor, with what `Pretrained.identity` gave.

    Raises:
        InputError: where they are nowhere, or others lie there now.
    """
    return _tokeniser(settings, find_again(settings.weights, state))


def cut_note(long: int, count: int, limit: int, what: str = "training texts") -> list[str]:
    """What is said where texts were cut, if any were."""
    if not long:
        return []
    return [f"{long:,} of {count:,} {what} were longer than {limit} tokens and were cut"]


def vectors_key(content: dict[str, Any], inference: "TokenInference") -> Key:
    """Of vectors that an encoder gives.

    Args:
        content: What tells the encoder and what of it gives them.
        inference: The encoder at work.
    """
    how = {"precision": inference.precision} | of_device(inference.device.type)
    return key_of(content | how | {"version": VECTORS})


def key_of(content: dict[str, Any]) -> Key:
    """A cache's key."""
    return digest(canonical_json(content))[:16]


def texts_hash(texts: Sequence[str]) -> str:
    """Of texts in their order."""
    return digest(item_digests(texts).tobytes())
