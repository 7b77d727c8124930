"""`bakeoff perplexity` on small models: figures, their names, and what is refused."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.cli.calling import Caller, assert_clear
from tests.models.causal_models import save_causal, text_of


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_causal(tmp_path_factory.mktemp("gpt2"), "gpt2")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(text_of(200), encoding="utf-8")
    return path


def test_figures_have_their_protocol_in_their_names(
    bakeoff: Caller, weights: Path, text: Path
) -> None:
    called = bakeoff("perplexity", weights, text, "--context", "32", "--stride", "16", "--json")
    assert called.code == 0, called
    assert called.err == ""
    found = json.loads(called.out)
    assert list(found["figures"]) == [
        f"perplexity[{unit},context=32,stride=16]" for unit in ("token", "word", "byte")
    ]
    assert found["scored_tokens"] == found["tokens"] - 1
    assert found["words"] == 200
    assert 0.99 < found["covered"] < 1
    assert found["precision"] == "float32"
    words, size = (found["covered"] * count for count in (200, found["bytes"]))
    counts = {"token": found["scored_tokens"], "word": words, "byte": size}
    for unit, count in counts.items():
        figure = found["figures"][f"perplexity[{unit},context=32,stride=16]"]
        assert figure == pytest.approx(math.exp(found["nats"] / count))


def test_texts_without_spaces_have_no_figure_per_word(
    bakeoff: Caller, weights: Path, tmp_path: Path
) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\u6587" * 400, encoding="utf-8")
    called = bakeoff("perplexity", weights, path, "--context", "32", "--json")
    assert called.code == 0, called
    assert [name[:16] for name in json.loads(called.out)["figures"]] == [
        "perplexity[token", "perplexity[byte,"
    ]  # fmt: skip


def test_a_model_that_gives_no_numbers_is_told_as_such(
    bakeoff: Caller, weights: Path, text: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(weights, tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    name = next(name for name in tensors if name.endswith("wpe.weight"))
    tensors[name][9:] = np.nan
    save_file(tensors, broken / "model.safetensors", {"format": "pt"})
    told = assert_clear(bakeoff("perplexity", broken, text, "--context", "16", "--stride", "8"))
    assert f"{broken}: gives no number for " in told


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_technique_and_the_command_give_the_same_figures(
    kind: str, bakeoff: Caller, text: Path, tmp_path: Path
) -> None:
    """With and without a token before the text, whatever the tokenizer puts there by itself."""
    from bakeoff.techniques import find

    weights = save_causal(tmp_path / "weights", kind)
    content = json.loads((weights / "tokenizer.json").read_text(encoding="utf-8"))
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<|end|>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [0], "tokens": ["<|end|>"]}},
    }
    content["truncation"] = {
        "direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0
    }  # fmt: skip
    (weights / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    technique: Any = find("language-model")
    for bos in (False, True):
        options = ["--context", "32", "--stride", "16", *(["--bos"] if bos else [])]
        called = bakeoff("perplexity", weights, text, *options, "--device", "cpu", "--json")
        assert called.code == 0, called
        found = json.loads(called.out)
        settings = technique.settings.parse(
            {
                "model": {"weights": str(weights)},
                "blocks": {"tokens": 8},
                "scoring": {"context": 32, "stride": 16, "bos": bos},
            }
        )
        predictor = technique.untrained(settings, (), 0)
        predictor.precision = "float32"
        ((nats, tokens, size, covered),) = predictor.predict([text.read_text(encoding="utf-8")])
        assert found["nats"] == pytest.approx(nats, rel=1e-9)
        assert found["scored_tokens"] == tokens == found["tokens"] - (not bos)
        assert (found["bytes"], found["covered"]) == (size, covered)
        names = list(found["figures"])
        assert names[0] == f"perplexity[token,context=32,stride=16{',bos' if bos else ''}]"


def test_a_text_of_one_token(bakeoff: Caller, weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("a", encoding="utf-8")
    assert "1 token, at least two are needed" in assert_clear(bakeoff("perplexity", weights, path))
    assert bakeoff("perplexity", weights, path, "--bos").code == 0


def test_usual_context_is_what_the_model_sees(bakeoff: Caller, weights: Path, text: Path) -> None:
    called = bakeoff("perplexity", weights, text, "--detokenise")
    assert called.code == 0, called
    lines = called.out.splitlines()
    assert lines[1].startswith("perplexity[token,context=64,stride=32,detokenised]")
    assert "words" in lines[-1]


def test_bad_input(bakeoff: Caller, weights: Path, text: Path, tmp_path: Path) -> None:
    empty, broken = tmp_path / "empty.txt", tmp_path / "broken.txt"
    empty.write_text(" \n", encoding="utf-8")
    broken.write_bytes(b"\xff\xfe\xfa")
    for arguments, told in (
        ((weights, empty), "holds no text"),
        ((weights, broken), "not UTF-8"),
        ((weights, text, "--context", "65"), "--context: 65 received, but the model sees 64"),
        ((weights, text, "--context", "8", "--stride", "9"), "stride 9 received with context 8"),
        ((tmp_path / "none", text), "no such folder"),
    ):
        assert told in assert_clear(bakeoff("perplexity", *arguments))


def test_other_vocabulary(bakeoff: Caller, weights: Path, text: Path, tmp_path: Path) -> None:
    """A model with fewer tokens than its tokenizer knows is refused before anything runs."""
    from safetensors.torch import load_file, save_file

    for path in weights.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config["vocab_size"] = 100
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    arrays = load_file(tmp_path / "model.safetensors")
    cut = {
        name: array[:100].clone() if array.shape[0] == 320 else array
        for name, array in arrays.items()
    }
    save_file(cut, tmp_path / "model.safetensors", {"format": "pt"})
    assert any(len(array) == 100 for array in cut.values())
    assert "do not belong together" in assert_clear(bakeoff("perplexity", tmp_path, text))
