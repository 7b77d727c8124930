"""Pretrained Transformers as modules: equal to Transformers, whatever the padding."""

from pathlib import Path

import pytest
import torch
from tests.models.tiny import Kind, save_tiny

from bakeoff.core.errors import InputError
from bakeoff.models.macs import count_macs
from bakeoff.models.pretrained import find_pretrained, load_encoder
from bakeoff.models.text_encoder import (
    ClassifierHead,
    Pooling,
    TextClassifier,
    TextEncoder,
    cut,
    pooled,
    set_dropout,
)

KINDS: tuple[Kind, ...] = ("bert", "distilbert", "llama", "gpt2")
IDS = torch.tensor([[2, 7, 9, 11, 3, -1, -1], [2, 8, 3, -1, -1, -1, -1], [2, 5, 6, 7, 8, 9, 3]])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tiny")
    for kind in KINDS:
        save_tiny(home / kind, kind, causal=kind in ("llama", "gpt2"))
    return home


def encoder(folder: Path, pooling: Pooling = "mean", layer: int | None = None) -> TextEncoder:
    found = find_pretrained(str(folder))
    body = load_encoder(found)
    if layer is not None:
        cut(body, layer, found.layers)
    return TextEncoder(body, found.family, pooling)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_transformers_without_padding(kind: Kind, home: Path) -> None:
    """One text at a time, as nobody could get it wrong."""
    made = encoder(home / kind)
    plain = load_encoder(find_pretrained(str(home / kind)))
    with torch.inference_mode():
        vectors = made(IDS)
        for row, vector in zip(IDS, vectors, strict=True):
            alone = plain(row[row >= 0][None]).last_hidden_state[0]
            torch.testing.assert_close(vector, alone.mean(dim=0), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_layer_is_the_hidden_state_of_transformers(kind: Kind, layer: int, home: Path) -> None:
    plain = load_encoder(find_pretrained(str(home / kind)))
    short = encoder(home / kind, layer=layer)
    ids = IDS[2:]
    with torch.inference_mode():
        wanted = plain(ids, output_hidden_states=True).hidden_states[layer]
        torch.testing.assert_close(short.hidden(ids), wanted, atol=1e-5, rtol=1e-5)
    if layer < 2:
        assert count_macs(lambda: short(ids)) < count_macs(lambda: encoder(home / kind)(ids))


def test_pooling_by_hand() -> None:
    hidden = torch.tensor([[[1.0, -5.0], [3.0, -1.0], [99.0, 99.0]]])
    real = torch.tensor([[True, True, False]])
    found = {name: pooled(hidden, real, name).tolist() for name in ("cls", "mean", "max", "last")}
    assert found == {
        "cls": [[1.0, -5.0]],
        "mean": [[2.0, -3.0]],
        "max": [[3.0, -1.0]],
        "last": [[3.0, -1.0]],
    }


def test_what_is_no_number_in_the_padding_does_not_matter() -> None:
    hidden = torch.tensor([[[1.0], [float("nan")]]])
    real = torch.tensor([[True, False]])
    for pooling in ("cls", "mean", "max", "last"):
        assert pooled(hidden, real, pooling).item() == 1.0


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_classifier_is_a_linear_layer_on_the_vector(kind: Kind, home: Path) -> None:
    made = TextClassifier(encoder(home / kind, "last"), 32, 3, dropout=0.5).eval()
    logits = made(IDS)
    assert logits.shape == (3, 3)
    torch.testing.assert_close(logits, made.output(made.features(IDS)))


def test_a_head_is_what_the_classifier_makes_of_its_vectors(home: Path) -> None:
    classifier = TextClassifier(encoder(home / "bert"), 32, 3, 0.5).eval()
    head = ClassifierHead(classifier)
    with torch.inference_mode():
        torch.testing.assert_close(head.eval()(classifier.features(IDS)), classifier(IDS))
    assert {name for name, _ in head.named_parameters()} == {"output.weight", "output.bias"}
    assert head.output.weight is classifier.output.weight


def test_vectors_of_length_one(home: Path) -> None:
    found = find_pretrained(str(home / "bert"))
    made = TextEncoder(load_encoder(found), "encoder", "mean", normalise=True)
    torch.testing.assert_close(made(IDS).norm(dim=1), torch.ones(3))


def test_the_pooler_is_gone(home: Path) -> None:
    names = [name for name, _ in encoder(home / "bert").named_parameters()]
    assert not any("pooler" in name for name in names)


def test_a_layer_that_is_not_there(home: Path) -> None:
    with pytest.raises(InputError, match=r"model\.layer: 3 received \(allowed: 0 to 2\)"):
        encoder(home / "bert", layer=3)


@pytest.mark.parametrize("kind", KINDS)
def test_attention_drops_nothing(kind: Kind, home: Path) -> None:
    """In training mode, with all other dropout at 0, two passes are the same."""
    made = encoder(home / kind)
    set_dropout(made.body, 0.0)
    made.train()
    torch.testing.assert_close(made(IDS), made(IDS), atol=0, rtol=0)


def test_other_dropout_is_set_or_left(home: Path) -> None:
    body = load_encoder(find_pretrained(str(home / "bert")))
    set_dropout(body, None)
    rates = {name: m.p for name, m in body.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert rates["embeddings.dropout"] == 0.1
    assert rates["encoder.layer.0.attention.self.dropout"] == 0.0
    set_dropout(body, 0.3)
    assert body.get_submodule("embeddings.dropout").p == 0.3
