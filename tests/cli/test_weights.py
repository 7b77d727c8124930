"""Pretrained language models as commands load them."""

import json
from pathlib import Path

import pytest
import torch
from tests.models.causal_models import POSITIONS, save_causal

from bakeoff.cli.weights import load_language_model
from bakeoff.core.errors import InputError
from bakeoff.core.streams import Streams
from bakeoff.models.lora import Adapters, adapt, adapted_layers, save_adapters


def test_loaded_and_encoding(tmp_path: Path) -> None:
    model = load_language_model(str(save_causal(tmp_path, "llama")), "cpu")
    assert (model.causal.limit, model.precision, model.fitted) == (POSITIONS, "float32", False)
    assert not model.causal.module.training
    ids = model.prompt("the old mill")
    assert model.causal.words.decode(ids) == "the old mill"
    assert model.prompt("") == [model.causal.words.begin]
    with pytest.raises(InputError, match="64 at most"):
        model.prompt("the old mill" * 40)
    with pytest.raises(InputError, match="cuda received"):
        load_language_model(str(tmp_path), "cuda")


def test_adapters_bring_the_weights_that_they_name(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    save_causal(base, "gpt2")
    learnt = load_language_model(str(base), "cpu").causal.module
    adapters = Adapters(("c_attn",), rank=2)
    adapt(learnt, adapters, Streams(0))
    for layer in adapted_layers(learnt).values():
        torch.nn.init.ones_(layer.lora_B.weight)  # type: ignore[arg-type]
    own = tmp_path / "own"
    own.mkdir()
    save_adapters(learnt, adapters, own, str(base))
    found = load_language_model(str(own), "cpu")
    assert not found.causal.module.training
    ids = torch.tensor([found.prompt("the old mill")])
    plain = load_language_model(str(base), "cpu").causal.module
    with torch.inference_mode():
        logits = [m(input_ids=ids).logits for m in (found.causal.module, learnt, plain)]
    assert torch.equal(logits[0], logits[1])
    assert not torch.allclose(logits[0], logits[2])
    config = own / "adapter_config.json"
    content = json.loads(config.read_text())
    for wrong, told in (
        ({**content, "base_model_name_or_path": ""}, "no weights are named"),
        ({**content, "base_model_name_or_path": "nowhere"}, "nowhere"),
        ({}, "no configuration of peft's"),
    ):
        config.write_text(json.dumps(wrong))
        with pytest.raises(InputError, match=told):
            load_language_model(str(own), "cpu")
