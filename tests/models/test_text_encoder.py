"""Pretrained Transformers as modules: equal to Transformers, whatever the padding."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
import transformers
from tests.models.tiny import (
    DECODERS,
    ENCODERS,
    KINDS,
    LIMIT,
    VOCABULARY,
    Kind,
    configuration,
    save_tiny,
)

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
    share_rates,
)

LENGTHS = (30, 5, 12)
"""Of texts: longer than windows, and padded further than they reach."""

END_NORMS: dict[Kind, str | None] = {
    **dict.fromkeys(kind for kind in ENCODERS if kind != "albert"),
    "gemma": "norm",
    "gpt2": "ln_f",
    "gpt_neo": "ln_f",
    "gpt_neox": "final_layer_norm",
    "llama": "norm",
    "mistral": "norm",
    "modernbert": "final_norm",
    "opt": "decoder.final_layer_norm",
    "phi": "final_layernorm",
    "qwen2": "norm",
    "qwen3": "norm",
}
"""By architecture, what stands behind the last block."""


def drawn_ids() -> torch.Tensor:
    """(3, 32) int64: texts of ids that no architecture takes for padding, then -1."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, len(VOCABULARY), (len(LENGTHS), LIMIT), generator=generator)
    ids[torch.arange(LIMIT) >= torch.tensor(LENGTHS)[:, None]] = -1
    return ids


IDS = drawn_ids()
TEXTS = [row[row >= 0][None] for row in IDS]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tiny")
    for kind in KINDS:
        save_tiny(home / kind, kind, causal=kind in DECODERS)
    return home


def encoder(folder: Path, pooling: Pooling = "mean", layer: int | None = None) -> TextEncoder:
    found = find_pretrained(str(folder))
    body = load_encoder(found)
    if layer is not None:
        cut(body, layer, found.layers)
    return TextEncoder(body, found.family, pooling)


def plainly(folder: Path, ids: torch.Tensor) -> Any:
    """What Transformers says with attention and masks of its own, told where there are tokens."""
    body = load_encoder(find_pretrained(str(folder)), attention="eager")
    mask = (ids >= 0).long()
    return body(ids.clamp(min=0), attention_mask=mask, output_hidden_states=True)


def close(found: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(found, wanted, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_padded_alone_and_through_transformers_are_equal(kind: Kind, home: Path) -> None:
    """Token by token, in texts that are longer than the windows of layers that have one."""
    made = encoder(home / kind)
    wanted = plainly(home / kind, IDS).last_hidden_state
    together, vectors = made.hidden(IDS), made(IDS)
    for i, text in enumerate(TEXTS):
        own, theirs = together[i, : LENGTHS[i]], wanted[i, : LENGTHS[i]]
        close(own, theirs)
        close(own, made.hidden(text)[0])
        close(own, plainly(home / kind, text).last_hidden_state[0])
        close(vectors[i], theirs.mean(dim=0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [0, 1, 2])
@torch.inference_mode()
def test_a_layer_is_the_hidden_state_of_transformers(kind: Kind, layer: int, home: Path) -> None:
    """Without the norm at the end, wherever an architecture keeps it."""
    if (kind == "albert" and layer < 2) or (kind == "deberta-v2" and layer == 0):
        with pytest.raises(InputError, match=r"model\.layer: "):
            encoder(home / kind, layer=layer)
        return
    short, wanted = encoder(home / kind, layer=layer), plainly(home / kind, IDS)
    states = wanted.last_hidden_state if layer == 2 else wanted.hidden_states[layer]
    real = IDS >= 0
    close(short.hidden(IDS)[real], states[real])
    if layer < 2:
        assert count_macs(lambda: short(IDS)) < count_macs(lambda: encoder(home / kind)(IDS))


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


def test_the_first_token_of_a_language_model_says_nothing(home: Path) -> None:
    with pytest.raises(InputError, match=r"model.pooling: cls received, but a language model"):
        encoder(home / "llama", "cls")
    encoder(home / "bert", "cls")


def test_the_pooler_is_gone(home: Path) -> None:
    names = [name for name, _ in encoder(home / "bert").named_parameters()]
    assert not any("pooler" in name for name in names)


def test_a_layer_that_is_not_there(home: Path) -> None:
    with pytest.raises(InputError, match=r"model\.layer: 3 received \(allowed: 0 to 2\)"):
        encoder(home / "bert", layer=3)


@pytest.mark.parametrize(("kind", "norm"), END_NORMS.items())
def test_rates_fall_from_the_norm_at_the_end(kind: Kind, norm: str | None, home: Path) -> None:
    body = load_encoder(find_pretrained(str(home / kind)))
    share_rates(body, 0.5, 2)
    of: dict[str, float] = {name: p.rate_share for name, p in body.named_parameters()}  # type: ignore[attr-defined]
    whole = {name.rpartition(".")[0] for name, share in of.items() if share == 1}
    assert whole == (set() if norm is None else {norm})
    for number, share in enumerate((0.25, 0.5)):
        assert {of[name] for name in of if f".{number}." in f".{name}"} == {share}
    embedding: Any = cast(Any, body).get_input_embeddings().weight
    assert embedding.rate_share == 0.125


def test_rates_of_blocks_that_share_their_weights(home: Path) -> None:
    body = load_encoder(find_pretrained(str(home / "albert")))
    with pytest.raises(InputError, match=r"training\.layer_decay: .* share their weights"):
        share_rates(body, 0.5, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_dropped_but_by_layers_that_are_no_attention_s(kind: Kind, home: Path) -> None:
    """In training mode, with all other dropout at 0, two passes are the same."""
    made = encoder(home / kind)
    set_dropout(made.body, 0.0)
    made.train()
    torch.testing.assert_close(made(IDS), made(IDS), atol=0, rtol=0)


@pytest.mark.parametrize(
    ("kind", "attention", "other"),
    [
        ("bert", "attention.self.dropout", "attention.output.dropout"),
        ("mpnet", "attention.attn.dropout", "attention.dropout"),
    ],
)
def test_other_dropout_is_set_or_left(kind: Kind, attention: str, other: str, home: Path) -> None:
    attention, other = (f"encoder.layer.0.{name}" for name in (attention, other))
    body = load_encoder(find_pretrained(str(home / kind)))
    set_dropout(body, None)
    rates = {name: m.p for name, m in body.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert rates["embeddings.dropout"] == rates[other] == 0.1
    assert rates[attention] == 0.0
    set_dropout(body, 0.3)
    assert body.get_submodule("embeddings.dropout").p == body.get_submodule(other).p == 0.3
    assert body.get_submodule(attention).p == 0.0


def test_a_layer_of_another_width_than_the_end_is_refused() -> None:
    """As in OPT of 350 million weights, whose vectors are projected at the end."""
    config = configuration("opt", LIMIT)
    config.word_embed_proj_dim = 16
    face: Any = transformers.AutoModel
    made = face.from_config(config).eval()
    with pytest.raises(InputError, match=r"not as wide as those at its end \(allowed: 2\)"):
        cut(made, 1, 2)
    share_rates(made, 0.5, 2)
    assert made.decoder.project_out.weight.rate_share == 1.0
    assert made.decoder.project_in.weight.rate_share == 0.125
