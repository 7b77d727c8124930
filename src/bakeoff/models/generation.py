"""Texts from a causal language model: greedy, sampled, or by beams, with a key-value cache.

Prompts of different lengths are padded on the left, with positions that count real tokens alone, so
that a text does not depend on what it is generated beside, but for rounding: where two tokens are
equal to some five digits, either may be taken. A sampled text draws from a stream of its own: the
same prompt, seed and number give the same text, alone or in a batch.
Greedy and beam search choose the tokens that Transformers' `generate` chooses.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from bakeoff.core.errors import InputError
from bakeoff.core.generation import GenerationSettings
from bakeoff.core.streams import Streams
from bakeoff.models.thin_products import thin_products

NEVER = float("-inf")


@dataclass(frozen=True)
class Generator:
    """A model that continues token sequences.

    Args:
        model: Causal, in evaluation mode, on its device.
        ends: Ids that end a text; none may be there.
        limit: The most tokens it sees: no text is continued beyond.
    """

    model: nn.Module
    ends: tuple[int, ...]
    limit: int

    def __call__(
        self,
        prompts: Sequence[Sequence[int]],
        settings: GenerationSettings,
        streams: Streams | None = None,
    ) -> list[list[int]]:
        """The tokens that follow each prompt, those that end a text left out.

        Args:
            prompts: N lists of ids, none of them empty.
            settings: How tokens are chosen.
            streams: Sampled texts draw from ("generate", prompt's ids, number, token), where the
                number counts equal prompts before; None: those of seed 0.

        Raises:
            InputError: where the model gives no number for what may follow.
        """
        if not prompts:
            return []
        with thin_products(self.model), torch.inference_mode():
            if settings.beams > 1:
                return [self._beams(list(prompt), settings) for prompt in prompts]
            return self._side_by_side(prompts, settings, streams or Streams(0))

    def room(self, prompt: Sequence[int], settings: GenerationSettings) -> int:
        """The most tokens that may follow a prompt: those asked for, within the model's limit."""
        return max(min(settings.max_tokens, self.limit - len(prompt)), 0)

    def _side_by_side(
        self, prompts: Sequence[Sequence[int]], settings: GenerationSettings, streams: Streams
    ) -> list[list[int]]:
        """Greedy or sampled, all prompts in one batch."""
        ids, mask = self._padded(prompts)
        room = [self.room(prompt, settings) for prompt in prompts]
        texts: list[list[int]] = [[] for _ in prompts]
        names = [
            (" ".join(map(str, prompt)), list(prompts[:place]).count(prompt))
            for place, prompt in enumerate(prompts)
        ]
        open_ = list(range(len(prompts)))
        state = _State(self.model, mask)
        for number in range(max(room)):
            logits = state.next_logits(ids)
            own = [names[text] for text in open_]
            chosen = _choose(logits, settings, streams, own, number)
            kept = []
            for row, text in enumerate(open_):
                token = int(chosen[row])
                if token in self.ends or len(texts[text]) == room[text]:
                    continue
                texts[text].append(token)
                if len(texts[text]) < room[text]:
                    kept.append(row)
            if not kept:
                break
            if len(kept) < len(open_):  # what has ended costs nothing more
                rows = torch.tensor(kept, device=chosen.device)
                state.keep(rows)
                chosen, open_ = chosen[rows], [open_[row] for row in kept]
            ids = chosen[:, None]
        return texts

    def _padded(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """(B, T) ids padded on the left, and (B, T) 1 where there is a token."""
        width = max(len(prompt) for prompt in prompts)
        device = next(self.model.parameters()).device
        ids = torch.zeros((len(prompts), width), dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.as_tensor(list(prompt))
            mask[row, width - len(prompt) :] = 1
        return ids.to(device), mask.to(device)

    def _beams(self, prompt: list[int], settings: GenerationSettings) -> list[int]:
        """Beam search of one prompt.

        At every token the best of all continuations go on, until as many texts have ended as there
        are beams; scores are means of the log-probabilities of a text's tokens, the ending one
        included.
        """
        count = settings.beams
        ids, mask = self._padded([prompt] * count)
        state = _State(self.model, mask)
        scores = torch.full((count,), NEVER, device=ids.device)
        scores[0] = 0.0  # the beams are equal at first: one of them goes on
        texts: list[list[int]] = [[] for _ in range(count)]
        ended: list[tuple[float, list[int]]] = []
        longest = self.room(prompt, settings)
        for length in range(1, longest + 1):
            logits = state.next_logits(ids)
            sums = (scores[:, None] + log_softmax(logits, dim=-1)).flatten()
            # So many that as many as there are beams are left where others end.
            best = sums.topk(min((1 + len(self.ends)) * count, len(sums)))
            going: list[tuple[float, int, int]] = []
            for place, (score, at) in enumerate(zip(*map(Tensor.tolist, best), strict=True)):
                row, token = divmod(at, logits.shape[1])
                if token not in self.ends:
                    going.append((score, row, token))
                if place < count and (token in self.ends or length == longest):
                    own = [] if token in self.ends else [token]
                    ended.append((score / length, [*texts[row], *own]))
            ended = sorted(ended, key=lambda text: -text[0])[:count]
            # A text that goes on is as good as its mean is now: it must beat one that has ended.
            done = len(ended) == count and ended[-1][0] >= going[0][0] / length
            if done or length == longest:
                break
            going = going[:count]
            texts = [[*texts[row], token] for _, row, token in going]
            scores = torch.tensor([score for score, _, _ in going], device=ids.device)
            ids = torch.tensor([[token] for _, _, token in going], device=ids.device)
            state.keep(torch.tensor([row for _, row, _ in going], device=ids.device))
        return ended[0][1] if ended else []


class _State:
    """What a model has seen of a batch: keys, values, and which places hold tokens."""

    def __init__(self, model: nn.Module, mask: Tensor) -> None:
        from transformers import DynamicCache

        self._model, self._mask = model, mask
        self._cache: Any = DynamicCache()
        forward = inspect.signature(cast(Any, model).base_model.forward).parameters
        # Transformers gives the argument another name from 5.24 on, one architecture at a time.
        self._argument = "cache" if "cache" in forward else "past_key_values"

    def next_logits(self, ids: Tensor) -> Tensor:
        """(B, V) float32, of what follows ids (B, T): the prompts, or then a token each."""
        if self._cache.get_seq_length():
            self._mask = torch.cat([self._mask, torch.ones_like(ids)], dim=1)
        positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        model = cast(Any, self._model)
        told = model.base_model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            use_cache=True,
            **{self._argument: self._cache},
        )
        logits: Tensor = model.get_output_embeddings()(told.last_hidden_state[:, -1])
        if logits.isnan().any():
            raise InputError("the model gives no number for what may follow: its weights are bad")
        return logits.float()

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch, in this order."""
        self._cache.reorder_cache(rows)
        self._mask = self._mask[rows]


def _choose(
    logits: Tensor,
    settings: GenerationSettings,
    streams: Streams,
    texts: Sequence[tuple[str, int]],
    number: int,
) -> Tensor:
    """(B,) the next token of each text, of logits (B, V), by draws of its own."""
    if not settings.sample:
        return logits.argmax(dim=-1)
    shares = probabilities(logits, settings).double().cpu().numpy()
    # Each token waits for a time whose mean is one over its probability; the first one comes. So
    # the last digits of probabilities, which depend on what is computed beside them, decide where
    # two are first at once, and not, as with sums of probabilities, wherever a sum ends.
    own = [streams.generator("generate", *text, number) for text in texts]
    waits = np.stack([stream.standard_exponential(shares.shape[1]) for stream in own])
    return torch.from_numpy((shares / waits).argmax(axis=1)).to(logits.device)


def probabilities(logits: Tensor, settings: GenerationSettings) -> Tensor:
    """(B, V) what tokens are drawn by: temperature first, then `top_k`, then `top_p`.

    Args:
        logits: (B, V).
        settings: Which tokens may be drawn.
    """
    logits = logits / settings.temperature
    if settings.top_k is not None:
        least = logits.topk(min(settings.top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < least, NEVER)
    if settings.top_p is not None and settings.top_p < 1:  # sums of shares may be rounded to 1
        ordered, order = logits.sort(dim=-1, descending=True)
        shares = ordered.softmax(dim=-1)
        # A token stays while those before it do not yet make up the sum.
        out = shares.cumsum(dim=-1) - shares >= settings.top_p
        out[:, 0] = False
        logits = logits.masked_fill(out.scatter(-1, order, out), NEVER)
    return logits.softmax(dim=-1)


def continuation(
    decode: Callable[[Sequence[int]], str], prompt: Sequence[int], ids: Sequence[int]
) -> str:
    """What tokens say behind a prompt.

    They are decoded together with it: some tokenizers drop the space before a first word.

    Args:
        decode: Ids to a text.
        prompt: Ids of the prompt.
        ids: Of what follows it.
    """
    before, whole = decode(prompt), decode([*prompt, *ids])
    return whole[len(before) :] if whole.startswith(before) else decode(ids)
