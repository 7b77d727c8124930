"""Generated tokens beside those of Transformers' `generate`."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.causal_models import KINDS, POSITIONS, save_causal

from bakeoff.core.errors import InputError
from bakeoff.core.generation import GenerationSettings
from bakeoff.core.streams import Streams
from bakeoff.models.generation import Generator, continuation, probabilities
from bakeoff.models.language import pretrained_causal
from bakeoff.models.pretrained import find_pretrained, load_causal, load_tokenizer, quietly

PROMPTS = ["the old mill", "a quiet town where people", "bread", "at night the streets are empty"]


class Loaded:
    """A model, its generator and prompts."""

    def __init__(self, folder: Any, ends: tuple[int, ...] | None = None) -> None:
        found = find_pretrained(str(folder))
        self.module: Any = load_causal(found)
        tokenizer = load_tokenizer(found)
        self.prompts = [tokenizer(prompt)["input_ids"] for prompt in PROMPTS]
        self.ends = pretrained_causal(found).ends if ends is None else ends
        self.generator = Generator(self.module, self.ends, found.limit)

    def theirs(self, prompt: list[int], **settings: Any) -> list[int]:
        """What Transformers generates, without the tokens that end a text."""
        ids = torch.tensor([prompt])
        with quietly():
            found = self.module.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                eos_token_id=list(self.ends) or None,
                pad_token_id=0,
                do_sample=False,
                **settings,
            )
        new: list[int] = found[0, len(prompt) :].tolist()
        ended = [place for place, token in enumerate(new) if token in self.ends]
        return new[: ended[0]] if ended else new


@pytest.fixture(scope="module", params=KINDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return Loaded(save_causal(tmp_path_factory.mktemp(request.param), request.param))


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A model in which every fourth token ends a text."""
    folder = save_causal(tmp_path_factory.mktemp("ending"), "llama", seed=3, spread=0.15)
    return Loaded(folder, tuple(range(0, 320, 4)))


def test_greedy_is_theirs(loaded: Loaded) -> None:
    found = loaded.generator(loaded.prompts, GenerationSettings(max_tokens=20))
    assert found == [loaded.theirs(prompt, max_new_tokens=20) for prompt in loaded.prompts]
    assert any(len(set(text)) > 3 for text in found)


def test_products_of_few_rows_choose_the_same(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of large layers, as these would be if they were not so small."""
    monkeypatch.setattr("bakeoff.models.thin_products.LEAST_WEIGHTS", 1)
    for count in (1, 3, 4):
        found = loaded.generator(loaded.prompts[:count], GenerationSettings(max_tokens=20))
        assert found == [loaded.theirs(p, max_new_tokens=20) for p in loaded.prompts[:count]]
    (text,) = loaded.generator(loaded.prompts[:1], GenerationSettings(max_tokens=12, beams=4))
    assert text == loaded.theirs(loaded.prompts[0], max_new_tokens=12, num_beams=4)


@pytest.mark.parametrize("beams", [2, 5])
def test_beams_are_theirs(loaded: Loaded, ending: Loaded, beams: int) -> None:
    for model in (loaded, ending):
        found = model.generator(model.prompts, GenerationSettings(max_tokens=12, beams=beams))
        theirs = [
            model.theirs(prompt, max_new_tokens=12, num_beams=beams) for prompt in model.prompts
        ]
        assert found == theirs


def test_texts_end(ending: Loaded) -> None:
    greedy = ending.generator(ending.prompts, GenerationSettings(max_tokens=12))
    assert greedy == [ending.theirs(prompt, max_new_tokens=12) for prompt in ending.prompts]
    assert len({len(text) for text in greedy}) > 1
    assert not any(token in ending.ends for text in greedy for token in text)


def test_a_batch_equals_single_runs(loaded: Loaded) -> None:
    settings = GenerationSettings(max_tokens=15, sample=True, top_p=0.9, temperature=1.5)
    together = loaded.generator(loaded.prompts, settings, Streams(4))
    alone = [loaded.generator([prompt], settings, Streams(4))[0] for prompt in loaded.prompts]
    assert together == alone
    assert loaded.generator(loaded.prompts, settings, Streams(5)) != together
    # Of probabilities that hardly differ, rounding decides nothing but what is first at once.
    flat = GenerationSettings(max_tokens=40, sample=True, temperature=30.0)
    wide = loaded.generator(loaded.prompts, flat, Streams(4))
    assert wide == [loaded.generator([prompt], flat, Streams(4))[0] for prompt in loaded.prompts]
    # Prompts do not share what is drawn: texts of nearly equal probabilities are not alike.
    for one, other in pairwise(wide):
        assert sum(a == b for a, b in zip(one, other, strict=False)) < 10
    twice = loaded.generator([loaded.prompts[0]] * 2, settings, Streams(4))
    assert twice[0] == together[0]
    assert twice[1] != twice[0]


@pytest.mark.parametrize("more", [{}, {"sample": True}, {"beams": 2}])
def test_a_model_that_gives_no_number_writes_nothing(more: dict[str, Any], tmp_path: Path) -> None:
    loaded = Loaded(save_causal(tmp_path / "weights", "gpt2"))
    with torch.no_grad():
        next(loaded.module.parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match="gives no number"):
        loaded.generator(loaded.prompts, GenerationSettings(max_tokens=3, **more))


def test_no_text_is_longer_than_the_model_sees(loaded: Loaded) -> None:
    endless = Generator(loaded.module, (), POSITIONS)
    (text,) = endless([loaded.prompts[0]], GenerationSettings(max_tokens=500))
    assert len(text) + len(loaded.prompts[0]) == POSITIONS
    assert loaded.generator([], GenerationSettings()) == []


def test_probabilities_are_cut_as_theirs() -> None:
    from transformers import (
        LogitsProcessorList,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0)) * 3
    settings = GenerationSettings(sample=True, temperature=0.7, top_k=12, top_p=0.8)
    warpers: Any = LogitsProcessorList(
        [TemperatureLogitsWarper(0.7), TopKLogitsWarper(12), TopPLogitsWarper(0.8)]
    )
    theirs = warpers(torch.zeros(6, 1, dtype=torch.int64), logits)
    found = probabilities(logits, settings)
    torch.testing.assert_close(found, theirs.softmax(-1))
    assert 1 < (found > 0).sum(1).max() <= 12
    one = probabilities(logits, GenerationSettings(sample=True, top_p=1e-6))
    assert torch.equal(one.argmax(1), logits.argmax(1))
    assert torch.equal(one.max(1).values, torch.ones(6))


def test_a_share_of_all_leaves_all() -> None:
    """Of so many tokens, the shares before the last ones add up to 1 in float32."""
    logits = torch.randn(2, 50_000, generator=torch.Generator().manual_seed(0))
    found = probabilities(logits, GenerationSettings(sample=True, top_p=1.0))
    assert torch.equal(found, logits.softmax(dim=-1))


def test_draws_follow_the_probabilities(loaded: Loaded) -> None:
    """500 first tokens of one prompt, against the probabilities they were drawn by."""
    settings = GenerationSettings(max_tokens=1, sample=True, top_k=5, temperature=2.0)
    prompt = loaded.prompts[1]
    texts = loaded.generator([prompt] * 500, settings, Streams(1))
    counts = Counter(text[0] for text in texts if text)
    with torch.no_grad():
        logits = loaded.module(torch.tensor([prompt])).logits[:, -1]
    expected = probabilities(logits, settings)[0]
    assert set(counts) <= set(np.flatnonzero(expected.numpy()).tolist())
    for token, count in counts.items():
        share = expected[token].item()
        assert abs(count / 500 - share) < 5 * (share * (1 - share) / 500) ** 0.5 + 0.01


def test_a_continuation_keeps_the_space_before_its_first_word() -> None:
    words = {0: "The", 1: " dog", 2: " was", 3: " it"}

    def decode(ids: Sequence[int]) -> str:  # as SentencePiece: nothing stands before a first word
        return "".join(words[i] for i in ids).lstrip()

    assert continuation(decode, [0, 1], [2, 3]) == " was it"
    assert continuation(decode, [], [2, 3]) == "was it"
    assert continuation(decode, [0], []) == ""


def test_what_changes_the_prompt_is_decoded_alone() -> None:
    def decode(ids: Sequence[int]) -> str:  # a character that the prompt ends in the middle of
        return bytes(ids).decode("utf-8", "replace")

    assert continuation(decode, [0xC3], [0xB6, 0x6C]) == "\N{REPLACEMENT CHARACTER}l"


def test_a_long_prompt_beside_it_shortens_no_text(loaded: Loaded) -> None:
    """Each ends where the model sees no more, counted from its own beginning."""
    long = (loaded.prompts[0] * POSITIONS)[: POSITIONS - 2]
    generator = Generator(loaded.module, (), POSITIONS)
    settings = GenerationSettings(max_tokens=6)
    beside = generator([long, loaded.prompts[2], long[:1] * POSITIONS], settings)
    assert [len(text) for text in beside] == [2, 6, 0]
    assert beside[1] == generator([loaded.prompts[2]], settings)[0]
