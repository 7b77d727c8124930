"""Pretrained Transformers as plain modules: token ids to a vector, or to logits.

Ids come as one tensor (B, T) int64, every text from the left, with -1 where there is no token. So a
text needs no second tensor, and the module can pass for one of an image: it has `features`, and its
parameters and sums are counted like any other's.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from bakeoff.core.errors import InputError
from bakeoff.models.pretrained import Family

Pooling = Literal["cls", "mean", "max", "last"]
PROJECTION = "project_out"
"""What OPT calls a layer at its end that makes vectors as wide as the embedding of tokens."""
AT_THE_END = ("norm", "ln_f", "final_norm", "final_layer_norm", "final_layernorm", PROJECTION)
"""What bodies call the norm behind their last block, and what comes behind that."""
NEEDS_A_BLOCK = frozenset({"deberta-v2"})
"""Architectures whose code fails without a block."""
MASKS_OF_ATTENTION = ("attn_dropout", "attention_dropout")
"""Names of layers that drop weights of attention, besides `dropout` in a class `...Attention`."""
RATES = ("attention_dropout", "dropout", "layerdrop")
"""Rates of what is dropped without a layer of its own: those of OPT, and of fused attention."""


class TextEncoder(nn.Module):
    """A Transformer without a head, and what makes one vector of a text's vectors.

    Args:
        body: As `load_encoder` gives it; used as it is.
        family: Whether tokens see those behind them.
        pooling: `cls`: the first token's vector; `mean` and `max`: over the tokens; `last`: the
            last token's.
        normalise: Whether vectors have length 1.

    Raises:
        InputError: for the first token of a language model, which sees no other.
    """

    def __init__(
        self, body: nn.Module, family: Family, pooling: Pooling, *, normalise: bool = False
    ) -> None:
        super().__init__()
        if (family, pooling) == ("decoder", "cls"):
            raise InputError(
                "model.pooling: cls received, but a language model's first token sees none of the "
                "others (allowed with it: last, mean, max)"
            )
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
        """All that the body says of some ids.

        An encoder is told where there are tokens, and makes of it what each of its layers needs. A
        decoder needs nothing: padding comes behind all tokens.
        """
        real = ids >= 0
        if self.family == "encoder":
            options["attention_mask"] = real.long()
        else:
            options["use_cache"] = False
        return self.body(input_ids=ids.clamp(min=0), **options)


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


@dataclass(frozen=True)
class Stack:
    """Where a body's blocks are.

    Args:
        owner: The module that they are a list of.
        blocks: First to last.
    """

    owner: nn.Module
    blocks: nn.ModuleList

    @property
    def end(self) -> dict[str, nn.Module]:
        """What stands behind the last block, by the names that its owner calls it."""
        parts = dict(self.owner.named_children())
        return {name: parts[name] for name in AT_THE_END if name in parts}


def stack_of(body: nn.Module, layers: int, asked: str) -> Stack:
    """A body's blocks.

    Args:
        body: Of Transformers.
        layers: Blocks that it has.
        asked: The field that asks for them.

    Raises:
        InputError: where they share their weights.
    """
    for owner in body.modules():
        for part in owner.children():
            if isinstance(part, nn.ModuleList) and len(part) == layers:
                return Stack(owner, part)
    raise InputError(f"{asked}: the blocks of a {type(body).__name__} share their weights")


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
    config: Any = body.config
    fewest = 1 if config.model_type in NEEDS_A_BLOCK else 0
    if not fewest <= layer <= layers:
        raise InputError(f"model.layer: {layer} received (allowed: {fewest} to {layers})")
    if layer == layers:
        return
    stack = stack_of(body, layers, "model.layer")
    if PROJECTION in stack.end:
        raise InputError(
            f"model.layer: {layer} received, but vectors between the blocks of this "
            f"{type(body).__name__} are not as wide as those at its end (allowed: {layers})"
        )
    del stack.blocks[layer:]
    for name in stack.end:
        setattr(stack.owner, name, nn.Identity())
    config.num_hidden_layers = layer


def share_rates(body: nn.Module, decay: float, layers: int) -> None:
    """Give a body's parameters their shares of the rate: `decay` less block by block below.

    A norm behind the last block learns at the whole rate, the embeddings as if they were a block
    below the first one.

    Args:
        body: Changed in place: its parameters get the attribute `rate_share`.
        decay: From a block to the one below it.
        layers: Blocks that the body has.

    Raises:
        InputError: where they share their weights.
    """
    stack = stack_of(body, layers, "training.layer_decay")
    shares = [(body, layers + 1), *((part, 0) for part in stack.end.values())]
    shares += [(block, layers - number) for number, block in enumerate(stack.blocks)]
    for part, below in shares:
        for parameter in part.parameters():
            cast(Any, parameter).rate_share = decay**below


def set_dropout(body: nn.Module, rate: float | None) -> None:
    """Set what a body drops in training; attention's weights are never dropped.

    Fused attention computes no weights that could be dropped; with them it falls back to a path
    that takes several times as long. What is dropped without a layer of its own (by OPT) is not
    dropped either: it could not be drawn by name.

    Args:
        body: Changed in place.
        rate: Of all its other dropout layers; None leaves them as they are.
    """
    for owner in body.modules():
        attends = _attends(owner) and not any(_attends(part) for part in owner.children())
        for name, layer in owner.named_children():
            if not isinstance(layer, nn.Dropout):
                continue
            if name in MASKS_OF_ATTENTION or (attends and name == "dropout"):
                layer.p = 0.0
            elif rate is not None:
                layer.p = rate
        for name in RATES:
            if isinstance(getattr(owner, name, None), float):
                setattr(owner, name, 0.0)


def _attends(module: nn.Module) -> bool:
    return type(module).__name__.endswith("Attention")
