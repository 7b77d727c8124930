"""Pretrained language models as commands load them."""

from pathlib import Path

import pytest
from tests.models.causal_models import POSITIONS, save_causal

from bakeoff.cli.weights import load_language_model
from bakeoff.core.errors import InputError


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
