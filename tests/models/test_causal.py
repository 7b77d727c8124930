"""Windows and nats, beside plain computations with Transformers."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.causal_models import KINDS, POSITIONS, save_causal, text_of
from torch.nn.functional import log_softmax

from bakeoff.models import causal, head_loss
from bakeoff.models.causal import Window, block_loss, sliding_nats, windows
from bakeoff.models.pretrained import find_pretrained, load_causal, load_tokenizer


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = save_causal(tmp_path_factory.mktemp(request.param), request.param)
    found = find_pretrained(str(folder))
    return load_causal(found), load_tokenizer(found)


def documentation_script(model: Any, ids: list[int], context: int, stride: int) -> float:
    """What Transformers' page on perplexity computes, a window at a time, loss by loss.

    It weights a window's mean loss by one token fewer than were scored in all windows but the
    first, which moves the figure by less than 1e-3 on texts of many windows.
    """
    total, count, before = 0.0, 0, 0
    for begin in range(0, len(ids), stride):
        end = min(begin + context, len(ids))
        given = torch.tensor([ids[begin:end]])
        labels = given.clone()
        labels[:, : end - begin - (end - before)] = -100
        with torch.no_grad():
            loss = model(given, labels=labels).loss.item()
        weight = int((labels != -100).sum()) - 1
        total, count, before = total + loss * weight, count + weight, end
        if end == len(ids):
            break
    return math.exp(total / count)


def textbook(model: Any, ids: list[int], context: int, stride: int) -> float:
    """Every token once, given all before it in the first window that holds it."""
    nats, done = [], 1
    for begin in range(0, len(ids), stride):
        end = min(begin + context, len(ids))
        with torch.no_grad():
            logits = model(torch.tensor([ids[begin:end]])).logits[0]
        for place in range(max(done, begin + 1), end):
            nats.append(-log_softmax(logits[place - begin - 1], -1)[ids[place]].item())
        done = end
        if end == len(ids):
            break
    return math.exp(sum(nats) / len(nats))


def test_windows_score_every_token_once() -> None:
    assert windows(5, 8, 4) == [Window(0, 5, 1)]
    assert windows(11, 4, 2)[:3] == [Window(0, 4, 1), Window(2, 6, 4), Window(4, 8, 6)]
    for count, context, stride in ((11, 4, 2), (100, 16, 8), (97, 16, 5), (16, 16, 1)):
        scored = [i for w in windows(count, context, stride) for i in range(w.scored, w.end)]
        assert scored == list(range(1, count))
    # Without overlap, the first token of every window has nothing before it.
    assert [w.scored for w in windows(12, 4, 4)] == [1, 5, 9]
    assert windows(9, 4, 4)[-1] == Window(4, 8, 5)


@pytest.mark.parametrize(("context", "stride"), [(64, 32), (32, 8), (40, 40), (64, 63)])
def test_equals_the_textbook_and_the_documentation(model: Any, context: int, stride: int) -> None:
    module, tokenizer = model
    ids = tokenizer(text_of(500))["input_ids"]
    nats = sliding_nats(module, np.array(ids), context, stride)
    found = math.exp(np.nanmean(nats))
    assert found == pytest.approx(textbook(module, ids, context, stride), rel=1e-5)
    assert found == pytest.approx(documentation_script(module, ids, context, stride), rel=1e-3)


def test_what_the_model_gives_no_number_for_is_scored_all_the_same(model: Any) -> None:
    module, tokenizer = copy.deepcopy(model[0]), model[1]
    ids = np.array(tokenizer.encode(text_of(60)))
    clean = sliding_nats(module, ids, 16, 8)
    with torch.no_grad():
        module.get_input_embeddings().weight[ids[20]] = math.nan
    nats = sliding_nats(module, ids, 16, 8)
    assert (np.isnan(nats) == np.isnan(clean)).all()
    assert np.isinf(nats[21])


def test_passes_and_chunks_change_nothing(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module, tokenizer = model
    ids = np.array(tokenizer(text_of(150))["input_ids"])
    whole = sliding_nats(module, ids, POSITIONS, 16)
    monkeypatch.setattr(causal, "PASS_TOKENS", 1)
    monkeypatch.setattr(head_loss, "CHUNK", 7)
    np.testing.assert_allclose(sliding_nats(module, ids, POSITIONS, 16), whole, rtol=1e-4)
    assert np.isnan(whole[0])
    assert np.isfinite(whole[1:]).all()


def test_the_loss_of_blocks_and_its_gradients_are_those_of_transformers(model: Any) -> None:
    module, tokenizer = model
    ids = torch.tensor([tokenizer(text_of(40))["input_ids"][:24]] * 2)
    weight = module.get_input_embeddings().weight
    weights = torch.full((2, 23), 1 / 46)
    losses = [block_loss(module, ids, weights), module(ids, labels=ids).loss]
    found = [torch.autograd.grad(loss, [weight])[0] for loss in losses]
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(found[0], found[1])


def test_what_has_no_weight_does_not_count(model: Any) -> None:
    module, tokenizer = model
    ids = torch.tensor([tokenizer(text_of(40))["input_ids"][:24]])
    weights = torch.zeros(1, 23)
    weights[0, :9] = 1 / 9
    with torch.no_grad():
        found = block_loss(module, ids, weights)
        expected = module(ids[:, :10], labels=ids[:, :10]).loss
    torch.testing.assert_close(found, expected)


@pytest.mark.data
def test_real_stories(tmp_path: Path) -> None:
    import os

    home = os.environ.get("BAKEOFF_MODELS")
    if not home or not (Path(home) / "stories15m").is_dir():
        pytest.skip(f"REAL WEIGHTS MISSING: stories15m is not under BAKEOFF_MODELS ({home})")
    found = find_pretrained(str(Path(home) / "stories15m"))
    module, tokenizer = load_causal(found), load_tokenizer(found)
    story = "Once upon a time there was a little dog who had a red ball. He ran to the park. "
    ids = tokenizer(story * 40)["input_ids"]
    measured = math.exp(np.nanmean(sliding_nats(module, np.array(ids), 128, 64)))
    assert measured == pytest.approx(textbook(module, ids, 128, 64), rel=1e-4)
    assert measured == pytest.approx(documentation_script(module, ids, 128, 64), rel=1e-3)
