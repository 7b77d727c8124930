"""Models with their words: drawn, pretrained, rebuilt."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.causal_models import POSITIONS, save_causal, text_of
from tests.models.tiny import DECODERS, LIMIT, Decoder, configuration, save_tiny

from bakeoff.core.errors import InputError
from bakeoff.core.perplexity import Protocol, figures
from bakeoff.core.streams import Streams
from bakeoff.models.language import (
    ByteWords,
    build_causal,
    draw,
    drawn_causal,
    pretrained_causal,
    profile,
    score_text,
    tokenizer_words,
    vocabulary_of,
)
from bakeoff.models.lora import Adapters, adapt
from bakeoff.models.pretrained import find_pretrained
from bakeoff.models.settings import CausalSettings


def test_bytes() -> None:
    words = ByteWords()
    ids = words.encode("öl")
    assert ids == [0xC3, 0xB6, 0x6C]
    assert words.decode([*ids, words.end]) == "öl"
    told: object = words.state()  # type: ignore[func-returns-value]
    assert told is None


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_drawn(kind: str) -> None:
    settings = CausalSettings.parse({"kind": kind, "layers": 2, "width": 16, "heads": 2})
    one, same, other = (drawn_causal(settings, 32, Streams(seed)) for seed in (0, 0, 1))
    ids = torch.arange(8)[None]
    with torch.no_grad():
        found = [causal.module(ids).logits for causal in (one, same, other)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert found[0].shape == (1, 8, 257)
    rows = profile(one.module, 32)
    assert [row.name for row in rows] == ["embeddings", "block 1", "block 2", "head"]
    total = sum(p.numel() for p in one.module.parameters())
    assert sum(row.parameters for row in rows) == total
    assert rows[-1].parameters == 0  # tied to the embeddings
    assert rows[-1].macs == 32 * 16 * 257
    if kind == "gpt2":  # projections of 3, 1, 4 and 4 times the width, and two products of T x T
        assert rows[1].macs == 32 * 12 * 16 * 16 + 2 * 32 * 32 * 16
    adapt(one.module, Adapters(("lm_head",), rank=2), Streams(0))
    assert profile(one.module, 32)[-1].macs == 32 * (16 * 257 + 2 * (16 + 257))


def test_pretrained_and_rebuilt(tmp_path: Path) -> None:
    found = find_pretrained(str(save_causal(tmp_path, "gpt2")))
    causal = pretrained_causal(found)
    assert (causal.limit, causal.base) == (POSITIONS, found)
    text = "the old mill \N{GREEK SMALL LETTER PI}"
    assert causal.words.decode(causal.words.encode(text)) == text
    assert causal.words.encode("\udcff")
    state = causal.words.state()
    assert state is not None
    words = tokenizer_words(state, causal.words.end, causal.words.begin)
    again = build_causal(causal.config, words, causal.limit)
    assert again.words.encode(text) == causal.words.encode(text)
    again.module.load_state_dict(causal.module.state_dict())
    ids = torch.tensor([causal.words.encode(text)])
    with torch.no_grad():
        assert torch.equal(again.module(ids).logits, causal.module(ids).logits)
    fresh = pretrained_causal(found, Streams(0))
    assert fresh.base is None
    with torch.no_grad():
        assert not torch.equal(fresh.module(ids).logits, causal.module(ids).logits)


def test_texts_are_neither_cut_nor_filled_up_as_a_file_says(tmp_path: Path) -> None:
    file = save_causal(tmp_path, "gpt2") / "tokenizer.json"
    text = text_of(100)
    whole = pretrained_causal(find_pretrained(str(tmp_path))).words.encode(text)
    content = json.loads(file.read_text())
    content["truncation"] = {
        "direction": "Right",
        "max_length": 8,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    content["padding"] = {
        "strategy": {"Fixed": 300},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "<|end|>",
    }
    file.write_text(json.dumps(content))
    assert pretrained_causal(find_pretrained(str(tmp_path))).words.encode(text) == whole
    assert tokenizer_words(file.read_text(), 0, None).encode(text) == whole


@pytest.mark.parametrize("kind", DECODERS)
def test_of_every_architecture(kind: Decoder) -> None:
    """It is built from its configuration, drops nothing, and each weight has its row."""
    causal = build_causal(configuration(kind, LIMIT).to_dict(), ByteWords(), LIMIT)
    draw(causal.module, Streams(0))
    rows = profile(causal.module, LIMIT)
    assert [row.name for row in rows] == ["embeddings", "block 1", "block 2", "head"]
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in causal.module.parameters())
    causal.module.train()
    ids = torch.arange(4, LIMIT)[None]
    with torch.no_grad():
        one, other = (causal.module(ids).logits for _ in range(2))
    assert torch.equal(one, other)


def test_vocabularies_are_told_apart_by_their_content(tmp_path: Path) -> None:
    same = [find_pretrained(str(save_causal(tmp_path / kind, kind))) for kind in ("gpt2", "llama")]
    other = find_pretrained(str(save_tiny(tmp_path / "tiny", "gpt2", causal=True)))
    digests = [vocabulary_of(found) for found in (*same, other, None)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_tokens_stand_for_all_bytes_of_a_text(kind: str, tmp_path: Path) -> None:
    words = pretrained_causal(find_pretrained(str(save_causal(tmp_path, kind)))).words
    for text in ("the river runs", " öl und 水 \n", "a", "\U0001f600\U0001f600 end  ", ""):
        for own in (words, ByteWords()):
            widths = own.widths(text)
            assert len(widths) == len(own.encode(text))
            assert widths.sum() == len(text.encode())
            assert (widths >= 0).all()
    ends = np.cumsum(words.widths("the river runs"))
    ids = words.encode("the river runs")
    decoded = [words.decode(ids[:count]) for count in range(1, len(ids) + 1)]
    assert [len(text.encode()) for text in decoded] == ends.tolist()


def test_what_no_token_is_scored_for_is_not_covered() -> None:
    """Protocols that score less do not make a model of bytes look better per byte."""
    causal = drawn_causal(CausalSettings(layers=1, width=8, heads=2), 8, Streams(0))
    text = "abcdefghijklmnop"
    for context, stride, bos, share in (
        (8, 4, False, 15 / 16),
        (8, 8, False, 14 / 16),
        (2, 2, False, 8 / 16),
        (8, 4, True, 1.0),
    ):
        scoring = Protocol(context=context, stride=stride, bos=bos)
        nats, covered = score_text(causal, text, scoring)
        assert covered == share
        assert (~np.isnan(nats)).sum() == 16 * share
        found = figures(scoring, float(np.nansum(nats)), round(16 * share), text, covered)
        assert found[scoring.name("byte")] == pytest.approx(found[scoring.name("token")])
    assert score_text(causal, "a", Protocol(context=8, stride=4)).covered == 0


def test_what_a_protocol_puts_before_a_text() -> None:
    causal = drawn_causal(CausalSettings(layers=1, width=8, heads=2), 8, Streams(0))
    plain, begun = (Protocol(context=8, stride=4, bos=bos) for bos in (False, True))
    assert np.isnan(score_text(causal, "a", plain).nats).tolist() == [True]
    assert np.isnan(score_text(causal, "a", begun).nats).tolist() == [True, False]
    assert np.isnan(score_text(causal, "abcdef", plain).nats).tolist() == [True] + 5 * [False]
    causal.words.begin = None
    with pytest.raises(InputError, match="the tokenizer names no token that begins texts"):
        score_text(causal, "ab", begun)


def test_refused() -> None:
    with pytest.raises(InputError, match="not the configuration"):
        build_causal({"model_type": "none of these"}, ByteWords(), 8)
    for content, told in (
        ({"weights": "x", "layers": 3}, "layers: received with weights"),
        ({"fresh": True}, "fresh: received without weights"),
        ({"width": 10, "heads": 4}, "width 10 received with 4 heads"),
        ({"kind": "llama", "width": 12, "heads": 4}, "multiple of 8"),
    ):
        with pytest.raises(InputError, match=told):
            CausalSettings.parse(content)
