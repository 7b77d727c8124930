"""Parameters and multiply-accumulates of a torch module, layer by layer.

One multiply-accumulate (MAC) is counted for each term of a sum of products: matrix products,
convolutions, attention, recurrent cells. Biases, norms, activations, pooling and look-ups count
nothing. Sums are counted whole: padding and masked attention are part of them, because kernels
compute them or not as they like. Only where the padding is gone from the tensor itself (packed
sequences, nested tensors) is it not counted.

We count below autograd, where torch's operators are few, and give every fused kernel its formula:
`torch.utils.flop_counter`, torchinfo and fvcore miss attention on a CPU, recurrent layers and the
fused transformer layer, so that a model with them looks cheaper than it is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bakeoff.core.protocols import LayerProfile

Arguments = Mapping[str, Any]
Formula = Callable[[Arguments, Any], int]
"""From an operator's arguments by name and its result to MACs."""

aten = torch.ops.aten


def _product(left: str, right: str) -> Formula:
    """(..., n, k) times (..., k, m), (..., n, k) times (k), or (k) times (k)."""

    def formula(a: Arguments, out: Any) -> int:
        other = a[right]
        return int(a[left].numel() * (other.shape[-1] if other.dim() > 1 else 1))

    return formula


def _linear(a: Arguments, out: Any) -> int:
    return int(a["input"].numel() * a["weight"].shape[0])


def _convolution(a: Arguments, out: Any) -> int:
    """Each output is a sum over weight[0]; transposed, each input is spread over weight[0]."""
    places = a["input"] if a["transposed"] else out
    return int(places.numel() * a["weight"][0].numel())


def _attention(a: Arguments, out: Any) -> int:
    """Queries (..., L, E) by keys (..., S, E), then weights (..., L, S) by values (..., S, V)."""
    query, key, value = a["query"], a["key"], a["value"]
    return int(query[..., 0].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1]))


def _recurrent(a: Arguments, out: Any) -> int:
    """Every step of every sequence meets every weight matrix once, padding of batches apart."""
    inputs = a["data"] if "data" in a else a["input"]
    weights = a["params"] if "params" in a else a["weight"]
    steps = inputs.numel() // inputs.shape[-1]
    return int(steps * sum(w.numel() for w in weights if w.dim() == 2))


def _mkldnn_recurrent(a: Arguments, out: Any) -> int:
    """One layer in one direction: weights from the input and from the state."""
    steps = a["input"].numel() // a["input"].shape[-1]
    return int(steps * (a["weight0"].numel() + a["weight1"].numel()))


def _trilinear(a: Arguments, out: Any) -> int:
    """`nn.Bilinear`: each output is a sum over weight[0], one term for every pair of inputs."""
    return int(out.numel() * a["i2"][0].numel())


def _lengths(tokens: Tensor) -> list[int]:
    """Tokens of every sequence in (B, T, D), or in the nested tensor that padding was cut from."""
    if tokens.is_nested:
        return [int(length) for length in tokens._nested_tensor_size()[:, 0]]
    return [tokens.shape[-2]] * (tokens.numel() // (tokens.shape[-2] * tokens.shape[-1]))


def _self_attention(tokens: Tensor, width: int) -> int:
    """Four projections, and two products over all pairs of the tokens of a sequence."""
    return sum(n * (4 * width * width + 2 * n * width) for n in _lengths(tokens))


def _native_attention(a: Arguments, out: Any) -> int:
    return _self_attention(a["query"], a["embed_dim"])


def _encoder_layer(a: Arguments, out: Any) -> int:
    tokens = sum(_lengths(a["src"]))
    feed_forward = a["ffn_weight_1"].numel() + a["ffn_weight_2"].numel()
    return _self_attention(a["src"], a["embed_dim"]) + int(tokens * feed_forward)


FORMULAS: Mapping[Any, Formula] = {
    aten.mm: _product("self", "mat2"),
    aten._int_mm: _product("self", "mat2"),
    aten._scaled_mm: _product("self", "mat2"),
    aten.addmm: _product("mat1", "mat2"),
    aten._addmm_activation: _product("mat1", "mat2"),
    aten.bmm: _product("self", "mat2"),
    aten.baddbmm: _product("batch1", "batch2"),
    aten.addbmm: _product("batch1", "batch2"),
    aten.mv: _product("self", "vec"),
    aten.addmv: _product("mat", "vec"),
    aten.dot: _product("self", "tensor"),
    aten.vdot: _product("self", "other"),
    aten.linear: _linear,
    aten._trilinear: _trilinear,
    aten.convolution: _convolution,
    aten._convolution: _convolution,
    aten.convolution_overrideable: _convolution,
    aten._scaled_dot_product_flash_attention: _attention,
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    aten._scaled_dot_product_efficient_attention: _attention,
    aten._scaled_dot_product_cudnn_attention: _attention,
    aten._scaled_dot_product_fused_attention_overrideable: _attention,
    aten._native_multi_head_attention: _native_attention,
    aten._transformer_encoder_layer_fwd: _encoder_layer,
    aten.lstm: _recurrent,
    aten.gru: _recurrent,
    aten.rnn_tanh: _recurrent,
    aten.rnn_relu: _recurrent,
    aten._cudnn_rnn: _recurrent,
    aten.mkldnn_rnn_layer: _mkldnn_recurrent,
}


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the MACs of every operator under the name of the layer that called it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs: defaultdict[str, int] = defaultdict(int)
        self.layers = [""]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: torch's compiler, whose loading takes a second, has no part in counting."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        formula = FORMULAS.get(func.overloadpacket)
        if formula is None:
            with self:  # operators made of others come whole in inference mode
                out = func.decompose(*args, **named)
            return func(*args, **named) if out is NotImplemented else out
        out = func(*args, **named)
        names = [argument.name for argument in func._schema.arguments]
        arguments = {**dict(zip(names, args, strict=False)), **named}
        self.macs[self.layers[-1]] += formula(arguments, out)
        return out


def count_macs(call: Callable[[], object]) -> int:
    """The MACs of everything torch computes in `call`."""
    with _Counter() as counter:
        call()
    return sum(counter.macs.values())


def profile(
    module: nn.Module, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> tuple[LayerProfile, ...]:
    """One row for each layer, of a prediction for one example.

    The rows come in the order in which the module names its layers: those that hold parameters,
    count MACs or were called and have no parts. A parameter that two layers share counts where it
    comes first, its MACs wherever it is used.

    Args:
        module: Takes (1, *shape) and is left as it was.
        shape: Of one example, without the batch axis.
        dtype: Of the example: `torch.int64` for tokens.
    """
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    example = torch.zeros((1, *shape), dtype=dtype, device=device)
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    with _evaluating(module), torch.no_grad(), _Counter() as counter:
        hooks = _attach(module, counter, shapes)
        try:
            module(example)
        finally:
            for hook in hooks:
                hook.remove()
    return tuple(_rows(module, counter.macs, shapes))


def _attach(
    module: nn.Module,
    counter: _Counter,
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]],
) -> list[Any]:
    """Hooks that tell the counter which layer is at work, and note the shapes of its first call."""

    def watch(name: str, layer: nn.Module) -> list[Any]:
        def enter(layer: nn.Module, inputs: Any) -> None:
            counter.layers.append(name)

        def leave(layer: nn.Module, inputs: Any, output: Any) -> None:
            counter.layers.pop()
            shapes.setdefault(name, (_shape(inputs), _shape(output)))

        return [layer.register_forward_pre_hook(enter), layer.register_forward_hook(leave)]

    return [hook for name, layer in module.named_modules() for hook in watch(name, layer)]


def _shape(value: Any) -> tuple[int, ...]:
    """The shape of the first tensor in `value`, without its batch axis."""
    if isinstance(value, Tensor):
        return tuple(value.shape[1:])
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return next((_shape(v) for v in value if isinstance(v, Tensor | tuple | list)), ())
    return ()


def _rows(
    module: nn.Module,
    macs: Mapping[str, int],
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]],
) -> Iterator[LayerProfile]:
    counted: set[Tensor] = set()
    for name, layer in module.named_modules():
        weights = dict(layer.named_parameters(recurse=False))
        leaf = name in shapes and not any(True for _ in layer.children())
        if isinstance(layer, nn.Identity) or not (weights or macs.get(name) or leaf):
            continue
        new = [p for p in weights.values() if p not in counted]
        counted.update(new)
        into, out = shapes.get(name, ((), ()))
        yield LayerProfile(
            name=name or "model",
            kind=type(layer).__name__,
            input=into,
            output=out,
            weights={key: tuple(p.shape) for key, p in weights.items()},
            parameters=sum(p.numel() for p in new),
            trained_parameters=sum(p.numel() for p in new if p.requires_grad),
            macs=macs.get(name, 0),
        )


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, with torch's fused encoder layer off: it would hide its parts."""
    modes = {layer: layer.training for layer in module.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    module.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for layer, mode in modes.items():
            layer.training = mode
