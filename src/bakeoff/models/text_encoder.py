"""Pretrained Transformers as plain modules: token ids to a vector, or to logits.

Ids come as one tensor (B, T) int64, every text from the left, with -1 where there is no token. So a
text needs no second tensor, and the module can pass for one of an image: it has `features`, and its
parameters and sums are counted like any other's.
"""

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from bakeoff.core.errors import InputError
from bakeoff.models.pretrained import Family

Pooling = Literal["cls", "mean", "max", "last"]
NORMS_AT_THE_END = ("norm", "ln_f", "final_norm", "final_layer_norm", "final_layernorm")
"""What decoders call the norm behind their last block."""
MASKS_OF_ATTENTION = ("attn_dropout", "attention_dropout")
"""Names of layers that drop weights of attention, besides `dropout` in a class `...Attention`."""


class TextEncoder(nn.Module):
    """A Transformer without a head, and what makes one vector of a text's vectors.

    Args:
        body: As `load_encoder` gives it; used as it is.
        family: Whether tokens see those behind them.
        pooling: `cls`: the first token's vector; `mean` and `max`: over the tokens; `last`: the
            last token's.
        normalise: Whether vectors have length 1.
    """

    def __init__(
        self, body: nn.Module, family: Family, pooling: Pooling, *, normalise: bool = False
    ) -> None:
        super().__init__()
        if getattr(body, "pooler", None) is not None:
            cast(Any, body).pooler = None  # of another task's head: its result is not used
        self.body, self.family = body, family
        self.pooling, self.normalise = pooling, normalise

    def extra_repr(self) -> str:
        """What it does besides its body, in what it prints as."""
        return f"family={self.family}, pooling={self.pooling}, normalise={self.normalise}"

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) int64, -1 where there is no token, to vectors (B, D)."""
        vectors = pooled(self.hidden(ids), ids >= 0, self.pooling)
        return normalize(vectors.float(), dim=1) if self.normalise else vectors

    def features(self, ids: Tensor) -> Tensor:
        """The same."""
        vectors: Tensor = self(ids)
        return vectors

    def hidden(self, ids: Tensor, **options: Any) -> Tensor:
        """(B, T, D): the last block's vectors; those of no tokens mean nothing.

        Args:
            ids: (B, T) int64, -1 where there is no token.
            options: For the body.
        """
        hidden: Tensor = self.outputs(ids, **options).last_hidden_state
        return hidden

    def outputs(self, ids: Tensor, **options: Any) -> Any:
        """All that the body says of some ids."""
        return self.body(input_ids=ids.clamp(min=0), **self._masks(ids >= 0), **options)

    def _masks(self, real: Tensor) -> dict[str, Any]:
        """What keeps tokens from seeing padding.

        A decoder's needs nothing: padding comes behind all tokens. An encoder's is handed over
        whole, (B, 1, T, T), because Transformers leaves a plainer one out where nothing happens to
        be padded, and then computes in another way.
        """
        if self.family == "decoder":
            return {"use_cache": False}
        seen = real[:, None, None, :].expand(-1, 1, real.shape[1], -1)
        config: Any = self.body.config
        if config._attn_implementation == "eager":  # adds the mask
            lowest = torch.finfo(torch.float32).min
            return {
                "attention_mask": real.new_zeros(seen.shape, dtype=torch.float32).masked_fill(
                    ~seen, lowest
                )
            }
        return {"attention_mask": seen}


class TokenEncoder(nn.Module):
    """The vectors of all tokens: what an encoder pools.

    Args:
        encoder: Whose; used as it is.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) int64, -1 where there is no token, to (B, T, D), which means nothing there."""
        return self.encoder.hidden(ids)


class TextClassifier(nn.Module):
    """A text's vector, dropout, and a linear layer.

    Args:
        encoder: Ids to vectors.
        width: D of the vectors.
        classes: K.
        dropout: Share of the vector that is dropped in training.
    """

    def __init__(self, encoder: TextEncoder, width: int, classes: int, dropout: float = 0.0):
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) int64, -1 where there is no token, to logits (B, K)."""
        logits: Tensor = self.output(self.dropout(self.encoder(ids)))
        return logits

    def features(self, ids: Tensor) -> Tensor:
        """(B, D): what the linear layer sees."""
        vectors: Tensor = self.encoder(ids)
        return vectors


class ClassifierHead(nn.Module):
    """What a `TextClassifier` makes of its encoder's vectors: the same dropout and linear layer.

    Args:
        classifier: Whose; what the head learns, it knows.
    """

    def __init__(self, classifier: TextClassifier) -> None:
        super().__init__()
        self.dropout, self.output = classifier.dropout, classifier.output

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, D) to logits (B, K)."""
        logits: Tensor = self.output(self.dropout(vectors))
        return logits


def pooled(hidden: Tensor, real: Tensor, pooling: Pooling) -> Tensor:
    """(B, D) of the vectors (B, T, D) of the tokens that are `real` (B, T); the others never count.

    Every text has a token.
    """
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        last = real.sum(dim=1) - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    if pooling == "max":
        return hidden.masked_fill(~real[:, :, None], -torch.inf).amax(dim=1)
    sums = hidden.masked_fill(~real[:, :, None], 0.0).sum(dim=1)
    return sums / real.sum(dim=1, keepdim=True)


def cut(body: nn.Module, layer: int, layers: int) -> None:
    """Take off the blocks behind the first `layer` ones, and a norm at the very end with them.

    What the body says then are the vectors between two blocks, and nothing is computed for naught.

    Args:
        body: Changed in place.
        layer: 0: the embeddings alone; `layers`: all is left as it is.
        layers: Blocks that the body has.

    Raises:
        InputError: where there are fewer blocks, or the body has none that can be taken off.
    """
    if not 0 <= layer <= layers:
        raise InputError(f"model.layer: {layer} received (allowed: 0 to {layers})")
    if layer == layers:
        return
    blocks = blocks_of(body, layers)
    del blocks[layer:]
    for name in NORMS_AT_THE_END:
        if isinstance(getattr(body, name, None), nn.Module):
            setattr(body, name, nn.Identity())
    config: Any = body.config
    for name in ("num_hidden_layers", "n_layer", "n_layers"):
        if getattr(config, name, None) is not None:
            setattr(config, name, layer)


def blocks_of(body: nn.Module, layers: int) -> nn.ModuleList:
    """The list of a body's blocks, first to last.

    Raises:
        InputError: where it has none.
    """
    for module in body.modules():
        if isinstance(module, nn.ModuleList) and len(module) == layers:
            return module
    raise InputError(f"model.layer: the blocks of a {type(body).__name__} share their weights")


def set_dropout(body: nn.Module, rate: float | None) -> None:
    """Set what a body drops in training; attention's weights are never dropped.

    Fused attention computes no weights that could be dropped; with them it falls back to a path
    that takes several times as long.

    Args:
        body: Changed in place.
        rate: Of all its other dropout layers; None leaves them as they are.
    """
    for owner in body.modules():
        attends = type(owner).__name__.endswith("Attention")
        for name, layer in owner.named_children():
            if not isinstance(layer, nn.Dropout):
                continue
            if name in MASKS_OF_ATTENTION or (attends and name == "dropout"):
                layer.p = 0.0
            elif rate is not None:
                layer.p = rate
        if isinstance(getattr(owner, "attention_dropout", None), float):
            owner.attention_dropout = 0.0  # type: ignore[assignment]
