"""Causal language models as techniques use them: pretrained or drawn, with their words.

A drawn model reads bytes, so that it needs no tokenizer and no text is foreign to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.perplexity import Protocol as Scoring
from bakeoff.core.perplexity import detokenise
from bakeoff.core.protocols import LayerProfile
from bakeoff.core.streams import Streams
from bakeoff.models.causal import head_of, sliding_nats
from bakeoff.models.fused_attention import attention_of
from bakeoff.models.pretrained import (
    Pretrained,
    load_causal,
    load_tokenizer,
    quietly,
    require_decoder,
)
from bakeoff.models.settings import CausalSettings
from bakeoff.models.text_encoder import set_dropout, stack_of

SPREAD = 0.02
"""Standard deviation of drawn weights: that of GPT-2 (Radford et al. 2019) and Llama."""
BYTES = 256


class Words(Protocol):
    """Texts to tokens and back."""

    end: int
    """Stands between documents."""
    begin: int | None
    """Begins a text; None: there is none."""

    def encode(self, text: str, around: bool = False) -> list[int]:
        """The tokens of a text; `around`: with what a tokenizer of its own puts around it."""
        ...

    def widths(self, text: str) -> NDArray[np.int64]:
        """(T,) the bytes of a text that each of its tokens stands for: together all of them."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens."""
        ...

    def state(self) -> str | None:
        """What it is made of, as JSON; None: of nothing."""
        ...


class ByteWords:
    """A token a byte of UTF-8; the last one, 256, ends a document."""

    end = BYTES
    begin: int | None = BYTES

    def encode(self, text: str, around: bool = False) -> list[int]:
        """The bytes of a text, around which nothing is put."""
        return list(text.encode("utf-8", "surrogatepass"))

    def widths(self, text: str) -> NDArray[np.int64]:
        """(T,) ones."""
        return np.ones(len(self.encode(text)), np.int64)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of bytes; what is no UTF-8 shows as a sign for that."""
        return bytes(i for i in ids if i < BYTES).decode("utf-8", "replace")

    def state(self) -> None:
        """Nothing."""


class TokenizerWords:
    """The tokens of a pretrained model's own tokenizer.

    Of whole texts, and of nothing else: a file may say that its tokenizer cuts and fills up.

    Args:
        tokenizer: Fast, of the package tokenizers; changed in place.
        end: The id that ends a text.
        begin: The id that begins one; None: there is none.
    """

    def __init__(self, tokenizer: Any, end: int, begin: int | None) -> None:
        self._tokenizer, self.end, self.begin = tokenizer, end, begin
        tokenizer.no_truncation()
        tokenizer.no_padding()

    def encode(self, text: str, around: bool = False) -> list[int]:
        """The ids of a text; `around`: with those that the tokenizer puts around it."""
        clean = text.encode("utf-8", "replace").decode("utf-8")  # it takes no lone surrogates
        found: list[int] = self._tokenizer.encode(clean, add_special_tokens=around).ids
        return found

    def widths(self, text: str) -> NDArray[np.int64]:
        """(T,) the bytes from the end of the token before; what follows the last is the last's.

        Of a character that several tokens make up together, the first has all bytes.
        """
        clean = text.encode("utf-8", "replace").decode("utf-8")
        spans = self._tokenizer.encode(clean, add_special_tokens=False).offsets
        if not spans:
            return np.zeros(0, np.int64)
        points = np.frombuffer(clean.encode("utf-32-le"), np.uint32)
        sizes = 1 + sum((points >= least).astype(np.int64) for least in (0x80, 0x800, 0x10000))
        before = np.concatenate([[0], np.cumsum(sizes)])  # bytes before each character
        ends = np.maximum.accumulate([before[end] for _, end in spans])
        ends[-1] = before[-1]
        return np.diff(ends, prepend=0)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without those that stand for no text."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def state(self) -> str:
        """The tokenizer as JSON."""
        return str(self._tokenizer.to_str())


@dataclass(frozen=True, eq=False)
class Causal:
    """A causal model with its words.

    Args:
        module: In evaluation mode; nothing is ever dropped.
        words: Its tokens.
        limit: The most of them that it sees.
        config: All the module is built from.
        base: The pretrained weights that it has, or had before it learnt; None: drawn ones.
    """

    module: nn.Module
    words: Words
    limit: int
    config: Mapping[str, Any]
    base: Pretrained | None = None

    @property
    def ends(self) -> tuple[int, ...]:
        """The ids that end a text: of its tokenizer, and of its settings for generation."""
        found = cast(Any, self.module).generation_config.eos_token_id
        others = found if isinstance(found, list | tuple) else [] if found is None else [found]
        return tuple(dict.fromkeys([self.words.end, *map(int, others)]))


def pretrained_causal(found: Pretrained, streams: Streams | None = None) -> Causal:
    """A pretrained model.

    Args:
        found: What was looked over.
        streams: Draw other weights for the same architecture; None: those that were learnt.

    Raises:
        InputError: where weights, tokenizer and configuration do not belong together, or the
            tokenizer names no token that ends a text.
    """
    require_decoder(found)
    tokenizer = load_tokenizer(found)
    end = tokenizer.eos_token_id
    if end is None:
        raise InputError(f"{found.folder}: the tokenizer names no token that ends a text")
    words = TokenizerWords(tokenizer.backend_tokenizer, int(end), tokenizer.bos_token_id)
    module = load_causal(found)
    if streams is not None:
        draw(module, streams)
    return _causal(module, words, found.limit, found if streams is None else None)


def drawn_causal(settings: CausalSettings, limit: int, streams: Streams) -> Causal:
    """A model of bytes with drawn weights.

    Args:
        settings: Its kind and sizes.
        limit: The most tokens it is to see.
        streams: Of the cell.
    """
    sizes = {"vocab_size": BYTES + 1, "bos_token_id": BYTES, "eos_token_id": BYTES}
    if settings.kind == "gpt2":
        content = sizes | {
            "n_positions": limit,
            "n_embd": settings.width,
            "n_layer": settings.layers,
            "n_head": settings.heads,
        }
    else:
        content = sizes | {
            "max_position_embeddings": limit,
            "hidden_size": settings.width,
            "intermediate_size": 4 * settings.width,
            "num_hidden_layers": settings.layers,
            "num_attention_heads": settings.heads,
            "tie_word_embeddings": True,
        }
    made = build_causal({"model_type": settings.kind, **content}, ByteWords(), limit)
    draw(made.module, streams)
    return made


def build_causal(
    config: Mapping[str, Any], words: Words, limit: int, ends: Sequence[int] = ()
) -> Causal:
    """A model whose weights are still to be set, from its configuration.

    Args:
        config: With its kind, `model_type`.
        words: Its tokens.
        limit: The most of them that it is to see.
        ends: The ids that end a text, beside those of the words and the configuration.

    Raises:
        InputError: where it is the configuration of no causal model.
    """
    import transformers

    content = dict(config)
    try:
        with quietly(), torch.random.fork_rng([]):  # weights are drawn that we replace
            kind = content.pop("model_type")
            made = transformers.AutoConfig.for_model(kind, **content)
            face: Any = transformers.AutoModelForCausalLM  # partly untyped
            module = face.from_config(made, attn_implementation=attention_of(kind))
            if ends:
                module.generation_config.eos_token_id = list(ends)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not the configuration of a causal model: {error}") from None
    return _causal(module.float(), words, limit)


def tokenizer_words(state: str, end: int, begin: int | None) -> TokenizerWords:
    """The tokens of a saved tokenizer."""
    import tokenizers

    return TokenizerWords(tokenizers.Tokenizer.from_str(state), end, begin)


def vocabulary_of(found: Pretrained | None) -> str:
    """A digest of the tokens that texts become: equal where the vocabularies are.

    Args:
        found: Whose tokenizer cuts them; None: texts become bytes.

    Raises:
        InputError: where the tokenizer cannot be read.
    """
    tokens = BYTES if found is None else sorted(load_tokenizer(found).get_vocab().items())
    return digest(canonical_json(tokens))


def opening(words: Words, scoring: Scoring) -> tuple[int, ...]:
    """What a protocol puts before a text.

    Raises:
        InputError: where that is a token that the words do not have.
    """
    if not scoring.bos:
        return ()
    if words.begin is None:
        raise InputError("bos: asked for, but the tokenizer names no token that begins texts")
    return (words.begin,)


class ScoredText(NamedTuple):
    """What a model says of a text."""

    nats: NDArray[np.float64]
    """(T,) of each token; NaN where it is not scored, infinite where the model itself gives NaN."""
    covered: float
    """The share of the text's bytes that scored tokens stand for."""


def score_text(
    causal: Causal, text: str, scoring: Scoring, precision: str = "float32"
) -> ScoredText:
    """Score a text by a protocol.

    Args:
        causal: The model; its device computes.
        text: Of fewer than two tokens, none is scored.
        scoring: The protocol.
        precision: Of matrix products.

    Raises:
        InputError: where a token is to be put before the text, and the words have none.
    """
    plain = detokenise(text) if scoring.detokenised else text
    before = opening(causal.words, scoring)
    ids = [*before, *causal.words.encode(plain)]
    if len(ids) < 2:
        return ScoredText(np.full(len(ids), np.nan), 0.0)
    device = next(causal.module.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        nats = sliding_nats(causal.module, np.array(ids), scoring.context, scoring.stride)
    widths = np.concatenate([np.zeros(len(before), np.int64), causal.words.widths(plain)])
    return ScoredText(nats, float(widths[~np.isnan(nats)].sum() / widths.sum()))


def draw(module: nn.Module, streams: Streams) -> None:
    """Give a model its initial weights: normal ones, each a function of seed, path and shape.

    Biases are zero, and norms start as identity.
    """
    with torch.no_grad():
        for path, parameter in module.named_parameters():
            if parameter.dim() >= 2:
                drawn = streams.generator("initial", path).standard_normal(tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(SPREAD * drawn))
            else:
                parameter.fill_(0.0 if path.endswith("bias") else 1.0)


def profile(module: nn.Module, context: int) -> tuple[LayerProfile, ...]:
    """The embeddings, each block, and the head; MACs of one window of `context` tokens."""
    config, decoder = cast(Any, module).config, cast(Any, module).base_model
    head = head_of(module)
    blocks = stack_of(decoder, int(config.num_hidden_layers), "model.weights").blocks
    width, vocabulary = int(config.hidden_size), int(config.vocab_size)
    inside = {id(tensor) for tensor in blocks.parameters()}
    others = {p: t for p, t in decoder.named_parameters() if id(t) not in inside}
    rows = [_row("embeddings", "Embedding", (context,), (context, width), others, 0)]
    for number, block in enumerate(blocks):
        own = dict(block.named_parameters())
        products = sum(t.numel() for t in own.values() if t.dim() == 2)
        macs = context * products + 2 * context * context * width
        shape = (context, width)
        rows.append(_row(f"block {number + 1}", type(block).__name__, shape, shape, own, macs))
    known = {id(tensor) for tensor in others.values()}
    kept = {path: tensor for path, tensor in head.named_parameters() if id(tensor) not in known}
    macs = context * sum(tensor.numel() for tensor in head.parameters() if tensor.dim() == 2)
    rows.append(_row("head", "Linear", (context, width), (context, vocabulary), kept, macs))
    return tuple(rows)


def _row(
    name: str,
    kind: str,
    given: tuple[int, ...],
    made: tuple[int, ...],
    tensors: Mapping[str, torch.Tensor],
    macs: int,
) -> LayerProfile:
    return LayerProfile(
        name,
        kind,
        given,
        made,
        {path: tuple(tensor.shape) for path, tensor in tensors.items()},
        sum(tensor.numel() for tensor in tensors.values()),
        sum(tensor.numel() for tensor in tensors.values() if tensor.requires_grad),
        macs,
    )


def _causal(module: nn.Module, words: Words, limit: int, base: Pretrained | None = None) -> Causal:
    config = cast(Any, module).config.to_dict()
    set_dropout(module, 0.0)  # training is short, and what is dropped would be drawn by name
    plain = {key: value for key, value in config.items() if key != "_name_or_path"}
    return Causal(module.eval(), words, limit, plain, base)


def keep_fewer_activations(module: nn.Module) -> None:
    """Of each block of layers keep the inputs alone, and compute the rest again on the way back.

    Source: Chen et al. 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174.
    """
    model = cast(Any, module)
    # Transformers calls it by another name from 5.24 on.
    name = "activation_checkpointing_enable"
    enable = getattr(model, name, None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})
