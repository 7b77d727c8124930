"""LoRA beside peft: equal outputs and gradients, files that both read."""

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.tiny import KINDS, Kind, save_tiny
from torch import nn

from bakeoff.core.errors import InputError
from bakeoff.core.streams import Streams
from bakeoff.models.lora import (
    ALLOWED,
    HARMLESS,
    READ,
    Adapted,
    Adapters,
    adapt,
    adapted_layers,
    load_adapters,
    matching,
    save_adapters,
    usual_targets,
)
from bakeoff.models.pretrained import find_pretrained, load_causal, load_encoder, quietly

IDS = torch.tensor([[5, 9, 11, 4], [6, 8, 4, 20]])
TARGETS: dict[Kind, tuple[str, ...]] = {
    "gpt2": ("c_attn", "c_proj"),
    "llama": ("q_proj", "v_proj", "down_proj"),
    "bert": ("query", "value"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tiny")
    for kind in TARGETS:
        save_tiny(home / kind, kind, causal=kind != "bert")
    return home


def base_of(home: Path, kind: Kind) -> nn.Module:
    found = find_pretrained(str(home / kind))
    return load_encoder(found) if kind == "bert" else load_causal(found)


def said(model: Any) -> torch.Tensor:
    out = model(IDS)
    found: torch.Tensor = out.logits if hasattr(out, "logits") else out.last_hidden_state
    return found


def learnt(model: nn.Module) -> None:
    """As if something had been learnt: B is not 0."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in adapted_layers(model).values():
            weight = layer.lora_B.weight
            assert isinstance(weight, torch.Tensor)
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))


@pytest.mark.parametrize("kind", list(TARGETS))
def test_the_start_is_the_base_model_exactly(kind: Kind, home: Path) -> None:
    model, base = base_of(home, kind), base_of(home, kind)
    paths = adapt(model, Adapters(TARGETS[kind], rank=4), Streams(0))
    assert len(paths) >= 4
    with torch.inference_mode():
        assert torch.equal(said(model), said(base))
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {f"{path}.lora_{side}.weight" for path in paths for side in "AB"}


@pytest.mark.parametrize("kind", list(TARGETS))
def test_merged_equals_unmerged(kind: Kind, home: Path) -> None:
    model = base_of(home, kind)
    adapt(model, Adapters(TARGETS[kind], rank=4), Streams(0))
    learnt(model)
    with torch.inference_mode():
        apart = said(model)
    assert (apart - said(base_of(home, kind))).abs().max() > 1e-2
    for layer in adapted_layers(model).values():
        layer.merge()
        layer.merge()  # twice is once
    with torch.inference_mode():
        torch.testing.assert_close(said(model), apart, atol=1e-5, rtol=1e-5)
    for layer in adapted_layers(model).values():
        layer.unmerge()
    with torch.inference_mode():
        assert torch.equal(said(model), apart)


@pytest.mark.parametrize("kind", list(TARGETS))
def test_peft_reads_ours_with_equal_outputs_and_gradients(
    kind: Kind, home: Path, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    adapters = Adapters(TARGETS[kind], rank=4, alpha=12.0)
    model = base_of(home, kind)
    paths = adapt(model, adapters, Streams(0))
    learnt(model)
    save_adapters(model, adapters, tmp_path, kind)
    with quietly():
        theirs = peft.PeftModel.from_pretrained(
            base_of(home, kind), str(tmp_path), is_trainable=True
        )
    theirs.eval()
    torch.testing.assert_close(said(theirs), said(model), atol=1e-5, rtol=1e-5)
    for each in (model, theirs):
        said(each).square().mean().backward()  # type: ignore[no-untyped-call]
    their_gradients = {n: p.grad for n, p in theirs.named_parameters() if p.grad is not None}
    assert len(their_gradients) == 2 * len(paths)
    for path, layer in adapted_layers(model).items():
        for side in ("lora_A", "lora_B"):
            weight: Any = getattr(layer, side).weight
            wanted = their_gradients[f"base_model.model.{path}.{side}.default.weight"]
            torch.testing.assert_close(weight.grad, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", list(TARGETS))
def test_we_read_peft_s(kind: Kind, home: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    with quietly(), torch.random.fork_rng([]):
        config = peft.LoraConfig(
            r=3, lora_alpha=6, target_modules=list(TARGETS[kind]), init_lora_weights=False
        )
        theirs = peft.get_peft_model(base_of(home, kind), config).eval()
        theirs.save_pretrained(str(tmp_path))
    model = base_of(home, kind)
    found = load_adapters(model, tmp_path)
    assert (found.rank, found.alpha, found.targets) == (3, 6.0, tuple(sorted(TARGETS[kind])))
    with torch.inference_mode():
        torch.testing.assert_close(said(model), said(theirs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", list(TARGETS))
def test_all_layers_are_those_that_peft_calls_all_linear(
    kind: Kind, home: Path, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    with quietly(), torch.random.fork_rng([]):
        config = peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
        theirs = peft.get_peft_model(base_of(home, kind), config).eval()
    model = base_of(home, kind)
    paths = matching(model, "all")
    assert set(paths) == set(theirs.peft_config["default"].target_modules)
    assert not {"lm_head", "wte", "embed_tokens"} & set(paths)
    assert adapt(model, Adapters("all", rank=2), Streams(0)) == paths
    learnt(model)
    save_adapters(model, Adapters("all", rank=2), tmp_path, kind)
    with quietly():
        loaded = peft.PeftModel.from_pretrained(base_of(home, kind), str(tmp_path)).eval()
    again = base_of(home, kind)
    assert load_adapters(again, tmp_path).targets == tuple(sorted(paths))
    with torch.inference_mode():
        torch.testing.assert_close(said(loaded), said(model), atol=1e-5, rtol=1e-5)
        assert torch.equal(said(again), said(model))


def test_without_linear_layers_there_is_nothing_to_adapt() -> None:
    with pytest.raises(InputError, match="all received, but there is no linear layer"):
        matching(nn.Sequential(nn.Conv2d(3, 3, 1)), "all")


class Convolutions(nn.Module):
    """A convolution of one, two or three axes below another with a step."""

    def __init__(self, axes: int, **options: Any) -> None:
        super().__init__()
        kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
        self.first = kind(3, 6, 3, padding=1, **options)
        self.second = kind(6, 5, (3, 2, 1)[:axes], stride=2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.second(self.first(inputs).relu())
        return out


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_convolutions_go_to_peft_and_back(axes: int, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    base, inputs = Convolutions(axes), torch.randn(2, 3, *[9, 8, 7][:axes])
    model, adapters = copy.deepcopy(base), Adapters(("first", "second"), rank=2, alpha=6.0)
    adapt(model, adapters, Streams(0))
    learnt(model)
    save_adapters(model, adapters, tmp_path, "convolutions")
    theirs = peft.PeftModel.from_pretrained(copy.deepcopy(base), str(tmp_path)).eval()
    again = copy.deepcopy(base)
    assert load_adapters(again, tmp_path) == adapters
    with torch.inference_mode():
        assert (model(inputs) - base(inputs)).abs().max() > 1e-2
        torch.testing.assert_close(theirs(inputs), model(inputs), atol=1e-5, rtol=1e-5)
        assert torch.equal(again(inputs), model(inputs))
    config = peft.LoraConfig(r=2, target_modules=["first", "second"], init_lora_weights=False)
    made = peft.get_peft_model(copy.deepcopy(base), config).eval()
    made.save_pretrained(str(tmp_path / "theirs"))
    read = copy.deepcopy(base)
    load_adapters(read, tmp_path / "theirs")
    with torch.inference_mode():
        torch.testing.assert_close(read(inputs), made(inputs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dilation": 2}, r"first: dilation 2 cannot be saved in peft's format \(allowed: 1\)"),
        ({"padding_mode": "circular"}, "first: padding_mode circular cannot be saved"),
    ],
)
def test_convolutions_that_peft_cannot_hold(
    options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    model, adapters = Convolutions(2, **options), Adapters(("first",), rank=2)
    adapt(model, adapters, Streams(0))
    with pytest.raises(InputError, match=told):
        save_adapters(model, adapters, tmp_path, "convolutions")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(4, 6, 3, padding=1), (2, 4, 9)),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1), (2, 4, 9, 9)),
        (nn.Conv3d(3, 4, 2, dilation=2, padding=1, padding_mode="circular"), (2, 3, 5, 6, 4)),
        (nn.Linear(5, 7), (2, 5)),
    ],
)
def test_convolutions_and_linear_layers(layer: nn.Module, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(shape)
    with torch.inference_mode():
        before = layer(inputs)
    made = Adapted(layer, 2, 4.0)
    with torch.inference_mode():
        assert torch.equal(made(inputs), before)
        weight = made.lora_B.weight
        assert isinstance(weight, torch.Tensor)
        weight.normal_()
        apart = made(inputs)
        made.merge()
        torch.testing.assert_close(made(inputs), apart, atol=1e-5, rtol=1e-5)


def test_layers_of_sequences_are_replaced() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 2)))
    assert adapt(model, Adapters(("0", "2.0"), rank=1), Streams(0)) == ["0", "2.0"]
    assert isinstance(model[0], Adapted)
    assert model(torch.zeros(1, 3)).shape == (1, 2)


def test_adapters_of_one_name_start_alike_whatever_else_is_adapted(home: Path) -> None:
    few, more = base_of(home, "bert"), base_of(home, "bert")
    adapt(few, Adapters(("query",)), Streams(3))
    adapt(more, Adapters(("query", "key")), Streams(3))
    one, other = adapted_layers(few), adapted_layers(more)
    for path, layer in one.items():
        assert torch.equal(layer.lora_A.weight, other[path].lora_A.weight)  # type: ignore[arg-type]


def test_targets_that_match_nothing(home: Path) -> None:
    model = base_of(home, "gpt2")
    with pytest.raises(InputError) as caught:
        matching(model, ("c_atn", "query", "c_attn"))
    first, second = caught.value.faults
    assert "'c_atn' matches no layer; did you mean 'c_attn'?" in first
    assert "'query' matches no layer" in second
    assert "(allowed: c_attn, c_fc, c_proj, lm_head, or a whole path; all)" in second


def test_a_rank_above_the_width(home: Path) -> None:
    model = base_of(home, "bert")
    with pytest.raises(InputError, match=r"rank: 33 received, .* 32 x 32 \(allowed: 1 to 32\)"):
        adapt(model, Adapters(("query",), rank=33), Streams(0))
    assert not adapted_layers(model)


def test_what_cannot_be_adapted() -> None:
    with pytest.raises(InputError, match="a LayerNorm cannot be adapted"):
        Adapted(nn.LayerNorm(4), 1, 1.0)
    with pytest.raises(InputError, match="matches no layer"):
        matching(nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)), ("0",))


def test_the_usual_targets_are_there(home: Path) -> None:
    for kind in ("bert", "gpt2", "llama"):
        assert matching(base_of(home, kind), usual_targets(kind))


REFUSED = {
    "use_dora": True,
    "use_rslora": True,
    "use_qalora": True,
    "use_bdlora": {"target_modules_bd_a": ["query"]},
    "lora_bias": True,
    "rank_pattern": {"query": 4},
    "alpha_pattern": {"query": 4},
    "modules_to_save": ["pooler"],
    "trainable_token_indices": [1, 2],
    "target_parameters": ["query.weight"],
    "layer_replication": [[0, 2], [1, 2]],
    "loftq_config": {"loftq_bits": 4},
    "eva_config": {"rho": 2.0},
    "corda_config": {"corda_method": "ipm"},
    "lora_ga_config": {"direction": "ArBr"},
    "alora_invocation_tokens": [3],
    "monteclora_config": {"num_samples": 2},
    "arrow_config": {"top_k": 3},
    "kasa_config": {"beta": 1.0},
}
"""What we read of no file of peft's: one value of each field that changes what adapters say, or
that says how they began."""


def test_every_field_of_peft_s_is_read_or_refused_or_says_nothing() -> None:
    """One that a new version brings must be put where it belongs."""
    peft = pytest.importorskip("peft")
    fields = {field.name for field in dataclasses.fields(peft.LoraConfig)} - {"runtime_config"}
    assert fields == READ | HARMLESS | ALLOWED.keys() | REFUSED.keys()


@pytest.mark.parametrize("begun", ["pissa", "pissa_niter_2", "olora", "orthogonal", "gaussian"])
def test_adapters_that_took_their_start_from_the_base_are_refused(
    begun: str, home: Path, tmp_path: Path
) -> None:
    """What they are beside is no longer the base; those that were drawn alone are read."""
    peft = pytest.importorskip("peft")
    with quietly(), torch.random.fork_rng([]):
        config = peft.LoraConfig(r=2, target_modules=["query"], init_lora_weights=begun)
        theirs = peft.get_peft_model(base_of(home, "bert"), config).eval()
        theirs.save_pretrained(str(tmp_path))
    model = base_of(home, "bert")
    if begun in ("orthogonal", "gaussian"):
        load_adapters(model, tmp_path)
        with torch.inference_mode():
            torch.testing.assert_close(said(model), said(theirs), atol=1e-5, rtol=1e-5)
        return
    with pytest.raises(InputError, match=f"init_lora_weights '{begun}': not read here"):
        load_adapters(model, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"bias": "all"},
        {"peft_type": "X"},
        {"use_of_tomorrow": True},
        *({"init_lora_weights": begun} for begun in ("loftq", "corda", "eva", "lora_ga", "mica")),
        *({name: value} for name, value in REFUSED.items()),
    ],
)
def test_adapters_of_other_kinds_are_refused(
    change: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    adapters = Adapters(("query",))
    model = base_of(home, "bert")
    adapt(model, adapters, Streams(0))
    save_adapters(model, adapters, tmp_path, "bert")
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match="not read here"):
        load_adapters(base_of(home, "bert"), tmp_path)
    with pytest.raises(InputError, match="no adapters in peft's format"):
        load_adapters(base_of(home, "bert"), tmp_path / "none")


def test_adapters_of_another_model_are_refused(home: Path, tmp_path: Path) -> None:
    adapters = Adapters(("query",))
    model = base_of(home, "bert")
    adapt(model, adapters, Streams(0))
    save_adapters(model, adapters, tmp_path, "bert")
    with pytest.raises(InputError, match=r"attention\.self\.query: not a layer of a Llama"):
        load_adapters(base_of(home, "llama"), tmp_path)


def test_adapters_of_a_body_are_none_of_the_model_around_it(home: Path, tmp_path: Path) -> None:
    """Their paths are the ends of paths there."""
    body = load_encoder(find_pretrained(str(home / "llama")))
    adapters = Adapters(TARGETS["llama"])
    adapt(body, adapters, Streams(0))
    save_adapters(body, adapters, tmp_path, "llama")
    model = base_of(home, "llama")
    with pytest.raises(InputError, match="belong to another kind of model"):
        load_adapters(model, tmp_path)
    assert not adapted_layers(model)


def test_what_is_tied_to_a_merged_layer_stays(home: Path) -> None:
    model: Any = base_of(home, "gpt2")
    assert model.lm_head.weight is model.transformer.wte.weight
    adapt(model, Adapters(("lm_head",)), Streams(0))
    learnt(model)
    with torch.inference_mode():
        apart = said(model)
    model.lm_head.merge()
    with torch.inference_mode():
        torch.testing.assert_close(said(model), apart, atol=1e-5, rtol=1e-5)
    model.lm_head.unmerge()
    assert model.lm_head.base.weight is model.transformer.wte.weight


@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_has_its_usual_targets(kind: Kind, tmp_path: Path) -> None:
    body = load_encoder(find_pretrained(str(save_tiny(tmp_path / kind, kind))))
    assert len(matching(body, usual_targets(kind))) >= (1 if kind == "albert" else 2)
