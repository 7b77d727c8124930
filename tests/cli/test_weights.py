"""Pretrained language models as commands load them."""

from pathlib import Path

import pytest
from tests.models.causal_models import POSITIONS, save_causal

from bakeoff.cli.weights import load_language_model
from bakeoff.core.errors import InputError


def test_loaded_and_encoding(tmp_path: Path) -> None:
    model = load_language_model(str(save_causal(tmp_path, "llama")), "cpu")
    assert model.limit == POSITIONS
    assert not model.module.training
    ids = model.encode("the old mill")
    assert model.tokenizer.decode(ids) == "the old mill"
    with pytest.raises(InputError, match="1 token"):
        model.encode("a")
    with pytest.raises(InputError, match="cuda received"):
        load_language_model(str(tmp_path), "cuda")
