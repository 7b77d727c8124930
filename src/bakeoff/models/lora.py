"""LoRA: a low-rank update beside a layer whose own weights stay as they are.

Source: Hu et al. 2021, "LoRA: Low-rank adaptation of large language models", section 4.1:
h = W x + (alpha / r) B A x, with B = 0 at the start, so that the start is the base model exactly.
By composition: a layer of any module is put into an `Adapted` one. Saved in peft's format
(`adapter_config.json`, `adapter_model.safetensors`), which both read.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from bakeoff.core.errors import InputError, suggest
from bakeoff.core.files import pretty_json, write_atomic
from bakeoff.core.initial import initial_weights
from bakeoff.core.streams import Streams

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""Before every name in peft's files."""
USUAL: Mapping[str, tuple[str, ...]] = {
    "albert": ("query", "value"),
    "bert": ("query", "value"),
    "camembert": ("query", "value"),
    "deberta-v2": ("query_proj", "value_proj"),
    "distilbert": ("q_lin", "v_lin"),
    "electra": ("query", "value"),
    "gpt2": ("c_attn",),
    "gpt_neox": ("query_key_value",),
    "modernbert": ("Wqkv",),
    "mpnet": ("q", "v"),
    "roberta": ("query", "value"),
    "xlm-roberta": ("query", "value"),
}
"""By architecture, the projections of queries and values, as in the paper's section 5.1."""
OTHERS = ("q_proj", "v_proj")
ALL = "all"
"""The target that stands for all linear layers but the one that gives logits."""
READ = frozenset({"peft_type", "r", "lora_alpha", "lora_dropout", "target_modules"})
"""Fields of peft's configuration that are taken over."""
ALLOWED: Mapping[str, tuple[object, ...]] = {
    "bias": ("none",),
    "init_lora_weights": (True, False, "gaussian", "orthogonal"),
}
"""Fields that are read only with these values: others train biases, or take from the base's weights
what adapters begin with (pissa, olora, corda, loftq, lora_ga), so that they fit no other base."""
HARMLESS = frozenset(
    {"auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "exclude_modules"}
    | {"fan_in_fan_out", "inference_mode", "layers_pattern", "layers_to_transform"}
    | {"megatron_config", "megatron_core", "peft_version", "qalora_group_size", "revision"}
    | {"task_type", "velora_config"}
)
"""Fields that change nothing of what files of adapters say: by what layers were found (the files
name them), how they were trained, how others lay out weights. All else must say nothing."""


@dataclass(frozen=True)
class Adapters:
    """What is put beside layers.

    Args:
        targets: Names of layers: the last parts of their paths, or whole ones; `all`: all linear
            layers but the one that gives logits, whatever they are called.
        rank: r.
        alpha: The update is scaled by alpha / r.
        dropout: Share of the update's inputs that is dropped in training.
    """

    targets: tuple[str, ...] | Literal["all"]
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0


class Adapted(nn.Module):
    """A layer that learns nothing, and a low-rank update beside it.

    Args:
        base: `nn.Linear`, a convolution of one group, or the fused `Conv1D` of GPT-2.
        rank: r; at most the smaller side of the layer's weight.
        alpha: The update is scaled by alpha / r.
        dropout: Of the update's inputs.

    Raises:
        InputError: where the layer is none of these, or narrower than the rank.
    """

    def __init__(self, base: nn.Module, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        inputs, outputs = sides(base)
        if rank > min(inputs, outputs):
            raise InputError(
                f"adapt.rank: {rank} received, but a layer is {inputs} x {outputs} "
                f"(allowed: 1 to {min(inputs, outputs)})"
            )
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        self._alone: dict[str, nn.Parameter] = {}
        """The layer's own parameters, while others hold them and the update."""
        self.dropout = nn.Dropout(dropout)
        self.lora_A, self.lora_B = _pair(base, inputs, outputs, rank)
        nn.init.zeros_(cast(Tensor, self.lora_B.weight))
        self.to(next(base.parameters()).device)

    @property
    def merged(self) -> bool:
        """Whether the layer's weight holds the update."""
        return bool(self._alone)

    def forward(self, inputs: Tensor) -> Tensor:
        """What the layer says, and the update."""
        out: Tensor = self.base(inputs)
        if self.merged:
            return out
        update: Tensor = self.lora_B(self.lora_A(self.dropout(inputs)))
        return out + self.scale * update

    @torch.no_grad()
    def delta(self) -> Tensor:
        """The update as the layer's weight has it."""
        a, b = cast(Tensor, self.lora_A.weight), cast(Tensor, self.lora_B.weight)
        product = self.scale * (b.flatten(1) @ a.flatten(1))
        if isinstance(self.base, _ConvNd):
            return product.view_as(self.base.weight)
        return product.T if is_fused(self.base) else product

    @torch.no_grad()
    def merge(self) -> None:
        """Give the layer the sum of weight and update; predictions then cost what the base's do.

        In float32, as a weight that rests in bfloat16 could not hold the sum, and in a place of its
        own: others may have the same weight, as embeddings have that of the layer that gives
        logits.
        """
        if not self._alone:
            self._alone = dict(self.base.named_parameters(recurse=False))
            for name, own in self._alone.items():
                whole = own + self.delta() if name == "weight" else own.float()
                setattr(self.base, name, nn.Parameter(whole, requires_grad=False))

    @torch.no_grad()
    def unmerge(self) -> None:
        """Give the layer its own weight again, bit for bit."""
        for name, own in self._alone.items():
            own.data = own.data.to(cast(Tensor, self.base.weight).device)  # moved since, maybe
            setattr(self.base, name, own)
        self._alone = {}


def usual_targets(kind: str) -> tuple[str, ...]:
    """Names of the projections of queries and values of an architecture."""
    return USUAL.get(kind, OTHERS)


def adapt(module: nn.Module, adapters: Adapters, streams: Streams) -> list[str]:
    """Freeze a module, put adapters into it, and draw their weights.

    Args:
        module: Changed in place.
        adapters: Which and how large.
        streams: The cell's: A is drawn by name, B is 0.

    Returns:
        The paths of the layers that were adapted.

    Raises:
        InputError: where a target matches nothing, or a layer is narrower than the rank; no layer
            was replaced then.
    """
    paths = matching(module, adapters.targets)
    made = {
        path: Adapted(module.get_submodule(path), adapters.rank, adapters.alpha, adapters.dropout)
        for path in paths
    }
    module.requires_grad_(False)
    for path, layer in made.items():
        weight = cast(Tensor, layer.lora_A.weight)
        shape = tuple(weight.shape)
        drawn = initial_weights(
            streams, f"{path}.lora_A", shape, (weight[0].numel(), shape[0]), "lecun"
        )
        with torch.no_grad():
            weight.copy_(torch.from_numpy(drawn))
        layer.lora_A.requires_grad_(True)
        layer.lora_B.requires_grad_(True)
        _replace(module, path, layer)
    return paths


def matching(module: nn.Module, targets: Iterable[str] | Literal["all"]) -> list[str]:
    """The paths of the layers that targets name, in the module's order.

    Raises:
        InputError: for each target that matches nothing, with the nearest names.
    """
    if targets == ALL:
        return _linear(module)
    able = [path for path, layer in module.named_modules() if path and is_able(layer)]
    short = sorted({path.rpartition(".")[2] for path in able})
    chosen: set[str] = set()
    faults = []
    for target in targets:
        found = [path for path in able if path == target or path.endswith(f".{target}")]
        if not found:
            near = suggest(target, [*short, *able])
            faults.append(
                f"adapt.targets: '{target}' matches no layer{near} (allowed: {', '.join(short)}, "
                "or a whole path; all)"
            )
        chosen.update(found)
    if faults:
        raise InputError(faults)
    return [path for path in able if path in chosen]


def _linear(module: nn.Module) -> list[str]:
    """The paths of all linear layers but the one that gives logits.

    Raises:
        InputError: where there is none.
    """
    head = getattr(module, "get_output_embeddings", lambda: None)()
    found = [
        path
        for path, layer in module.named_modules()
        if path and layer is not head and (isinstance(layer, nn.Linear) or is_fused(layer))
    ]
    if not found:
        raise InputError(f"adapt.targets: {ALL} received, but there is no linear layer")
    return found


def adapted_layers(module: nn.Module) -> dict[str, Adapted]:
    """The adapted layers of a module by path."""
    return {path: m for path, m in module.named_modules() if isinstance(m, Adapted)}


def save_adapters(module: nn.Module, adapters: Adapters, folder: Path, base: str) -> None:
    """Write a module's adapters in peft's format into an existing folder.

    Args:
        module: The one that `adapt` was given.
        adapters: As they were made.
        folder: Gets the two files.
        base: The weights' name.

    Raises:
        InputError: where peft would make another layer of what a file can say.
        DiskError: where they cannot be written.
    """
    from safetensors.torch import save

    layers = adapted_layers(module)
    _refuse_unknown_to_peft(layers)
    tensors = {
        f"{PREFIX}{path}.{side}.weight": cast(Tensor, getattr(layer, side).weight)
        .detach()
        .cpu()
        .contiguous()
        for path, layer in layers.items()
        for side in ("lora_A", "lora_B")
    }
    write_atomic(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    config = {
        "base_model_name_or_path": base,
        "bias": "none",
        "fan_in_fan_out": any(is_fused(layer.base) for layer in layers.values()),
        "inference_mode": True,
        "lora_alpha": adapters.alpha,
        "lora_dropout": adapters.dropout,
        "peft_type": "LORA",
        "r": adapters.rank,
        "target_modules": list(layers if adapters.targets == ALL else adapters.targets),
        "task_type": None,
    }
    write_atomic(folder / CONFIG, pretty_json(config))


def _refuse_unknown_to_peft(layers: Mapping[str, Adapted]) -> None:
    """Its convolutions beside a layer have no dilation, and pad with zeros."""
    faults = [
        f"{path}: {name} {value} cannot be saved in peft's format (allowed: {allowed})"
        for path, layer in layers.items()
        if isinstance(layer.base, _ConvNd)
        for name, value, allowed in (
            ("dilation", max(layer.base.dilation), 1),
            ("padding_mode", layer.base.padding_mode, "zeros"),
        )
        if value != allowed
    ]
    if faults:
        raise InputError(faults)


def base_of(folder: Path) -> str | None:
    """The weights that a folder's adapters belong to, by name; None: there are no adapters in it.

    Raises:
        InputError: where they name none.
    """
    if not (folder / CONFIG).is_file():
        return None
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        name = found["base_model_name_or_path"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / CONFIG}: no configuration of peft's: {error}") from None
    if not isinstance(name, str) or not name:
        raise InputError(f"{folder / CONFIG}: base_model_name_or_path: no weights are named")
    return name


def load_adapters(module: nn.Module, folder: Path) -> Adapters:
    """Put the adapters that we or peft saved into a module whose base they were made for.

    Raises:
        InputError: where files are missing or unreadable, ask for what is not read here (DoRA,
            ranks by layer, trained biases, other base weights), or do not fit the module.
    """
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        named = config["target_modules"]
    except Exception as error:  # of JSON, of safetensors, of missing fields
        raise InputError(f"{folder}: no adapters in peft's format: {error}") from None
    if odd := _unread(config):
        raise InputError(f"{folder / CONFIG}: {', '.join(odd)}: not read here")
    paths = _paths(tensors, folder)
    able = {path for path, layer in module.named_modules() if is_able(layer)}
    if odd := sorted(set(paths) - able):
        raise InputError(
            f"{folder / WEIGHTS}: {odd[0]}: not a layer of a {type(module).__name__} that can be "
            "adapted: these adapters belong to another kind of model"
        )
    targets = _targets(module, named, paths)
    adapters = Adapters(targets, rank, alpha, float(config.get("lora_dropout") or 0.0))
    adapt(module, Adapters(tuple(paths), rank, alpha, adapters.dropout), Streams(0))
    layers = adapted_layers(module)
    with torch.no_grad():
        for path in paths:
            for side in ("lora_A", "lora_B"):
                own = cast(Tensor, getattr(layers[path], side).weight)
                given = tensors.get(f"{PREFIX}{path}.{side}.weight")
                if given is None or given.shape != own.shape:
                    shape = None if given is None else tuple(given.shape)
                    raise InputError(
                        f"{folder / WEIGHTS}: {path}.{side}: {shape} received, "
                        f"{tuple(own.shape)} needed"
                    )
                own.copy_(given)
    return adapters


def _unread(config: Mapping[str, Any]) -> list[str]:
    """What a configuration of peft's says that changes outputs, and is not read here."""
    odd = [] if config.get("peft_type") == "LORA" else ["peft_type"]
    for name, value in config.items():
        if name in ALLOWED:
            odd += [] if value in ALLOWED[name] else [f"{name} {value!r}"]
        elif name not in READ | HARMLESS and value:
            odd.append(name)
    return odd


def _targets(module: nn.Module, named: object, paths: Sequence[str]) -> tuple[str, ...]:
    """Names for layers: those of peft's configuration, where they name these and no others."""
    if isinstance(named, list | tuple):
        try:
            if sorted(matching(module, named)) == sorted(paths):
                return tuple(sorted(named))
        except InputError:
            pass  # peft lets names be there that match nothing
    return tuple(paths)


def is_fused(layer: nn.Module) -> bool:
    """Whether it is Transformers' `Conv1D`: a linear layer whose weight is (inputs, outputs)."""
    names = {kind.__name__ for kind in type(layer).__mro__}
    return "Conv1D" in names and hasattr(layer, "nf")


def is_able(layer: nn.Module) -> bool:
    """Whether a layer can have an update beside it."""
    plain = isinstance(layer, _ConvNd) and not layer.transposed and layer.groups == 1
    return isinstance(layer, nn.Linear) or plain or is_fused(layer)


def sides(layer: nn.Module) -> tuple[int, int]:
    """Inputs (with the receptive field) and outputs of a unit of a layer.

    Raises:
        InputError: where the layer cannot be adapted.
    """
    if not is_able(layer):
        raise InputError(
            f"a {type(layer).__name__} cannot be adapted "
            "(allowed: linear layers, convolutions of one group, Conv1D)"
        )
    weight = cast(Tensor, layer.weight)
    if is_fused(layer):
        return weight.shape[0], weight.shape[1]
    return weight[0].numel(), weight.shape[0]


def _pair(base: nn.Module, inputs: int, outputs: int, rank: int) -> tuple[nn.Module, nn.Module]:
    """A and B of a layer, with torch's initial weights."""
    if not isinstance(base, _ConvNd):
        return nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs, bias=False)
    made = cast(Any, type(base))
    first = made(
        base.in_channels, rank, base.kernel_size, base.stride, base.padding, base.dilation,
        bias=False, padding_mode=base.padding_mode,
    )  # fmt: skip
    return first, made(rank, outputs, 1, bias=False)


def _replace(module: nn.Module, path: str, layer: nn.Module) -> None:
    owner, _, name = path.rpartition(".")
    parent = module.get_submodule(owner)
    if name.isdigit() and isinstance(parent, nn.Sequential | nn.ModuleList):
        parent[int(name)] = layer
    else:
        setattr(parent, name, layer)


def _paths(tensors: Mapping[str, Tensor], folder: Path) -> Sequence[str]:
    """The paths of the layers that a file of peft's is about."""
    ends = (".lora_A.weight", ".lora_B.weight")
    odd = [n for n in tensors if not (n.startswith(PREFIX) and n.endswith(ends))]
    if odd or not tensors:
        raise InputError(f"{folder / WEIGHTS}: {', '.join(sorted(odd)[:3]) or 'empty'}: not read")
    return sorted(
        {n.removeprefix(PREFIX).removesuffix(e) for n in tensors for e in ends if n.endswith(e)}
    )
