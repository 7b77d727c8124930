"""Each scratch layer and its counterpart in torch, in float64; weights both ways."""

import numpy as np
import pytest
import torch
from tests.techniques.frameworks.kinds import CASES, kinds, passed, upstream_of
from tests.techniques.frameworks.same import NORMALISER, SHAPE, STREAMS, everything

from bakeoff.core.protocols import Position
from bakeoff.core.recipe import Numerics
from bakeoff.models.macs import profile
from bakeoff.scratch.convolutional import Block, convolutional
from bakeoff.scratch.layers import Dropout, Layer
from bakeoff.scratch.network import NormName, saved
from bakeoff.techniques.frameworks.torch import (
    CONVERSIONS,
    Passes,
    TorchEngine,
    convert,
    read_weights,
    write_weights,
)

AT = Position(step=3, epoch=0, learning_rate=0.0)


def test_no_layer_is_forgotten() -> None:
    assert CONVERSIONS.keys() == kinds()


@pytest.mark.parametrize("at", [AT, None], ids=["learning", "evaluating"])
@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_outputs_and_gradients(kind: type[Layer], at: Position | None) -> None:
    layer, inputs, passes = CASES[kind].drawn(), CASES[kind].inputs, Passes()
    layer.draw_from(STREAMS, "here")
    module = convert(layer, passes)
    module.train(at is not None)
    if at is not None:
        passes.begin(at)
    expected = passed(layer, inputs.copy(), at)
    same = tuple(range(inputs.ndim))
    axes, back = ((0, 3, 1, 2), (0, 2, 3, 1)) if inputs.ndim == 4 else (same, same)
    there = torch.from_numpy(inputs.transpose(axes).copy()).requires_grad_()
    outputs = module(there)
    last = outputs.permute(0, 2, 3, 1) if outputs.dim() == 4 else outputs
    last.backward(torch.from_numpy(upstream_of(expected["outputs"])))
    assert there.grad is not None
    found = {"outputs": last.detach().numpy(), "to inputs": there.grad.numpy().transpose(back)}
    for path, parameter in module.named_parameters():
        assert parameter.grad is not None
        found[path] = parameter.grad.numpy()
    found |= {path: dict(module.named_buffers())[path].numpy() for path in layer.averages}
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=1e-11, err_msg=name)


def test_masks_are_the_scratch_layers() -> None:
    layer, passes = Dropout(0.5), Passes()
    layer.draw_from(STREAMS, "here")
    module = convert(layer, passes)
    inputs = np.ones((6, 2, 3, 4), np.float32)
    passes.begin(AT)
    found = module(torch.from_numpy(inputs.transpose(0, 3, 1, 2))).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(found, layer.forward(inputs, AT))
    assert 0 < (found == 0).sum() < found.size


def test_weights_both_ways() -> None:
    network, fresh = everything(), everything()
    module = convert(network)
    for values in saved(network).values():
        values += 1
    write_weights(network, module)
    read_weights(fresh, module)
    for path, values in saved(network).items():
        assert saved(fresh)[path].tobytes() == values.tobytes()


def test_converting_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    TorchEngine(everything(), NORMALISER, SHAPE, Numerics(device="cpu", precision="float32"))
    assert torch.rand(1) == expected


def test_in_bfloat16_too() -> None:
    """Torch's precision is torch's own affair; it changes the numbers a little."""
    images = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), np.uint8)
    coarse, fine = (
        TorchEngine(
            everything(), NORMALISER, SHAPE, Numerics(device="cpu", precision=precision)
        ).probabilities(images)
        for precision in ("bfloat16", "float32")
    )
    assert coarse.tobytes() != fine.tobytes()
    np.testing.assert_allclose(coarse, fine, atol=0.05)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_both_counters_count_the_same(norm: NormName) -> None:
    """Parameters and MACs by our layers' own sums, and by torch's operators."""
    block = Block(6, 3, normalisation=norm, residual=True)
    network = convolutional((8, 10, 3), (block, block), (7,), 5)
    ours = network.profile("", (8, 10, 3))
    theirs = {row.name: row for row in profile(convert(network), (3, 8, 10))}
    for row in ours:
        assert row.macs == theirs[row.name].macs, row.name
        assert row.parameters == theirs[row.name].parameters, row.name
    assert sum(row.macs for row in ours) == sum(row.macs for row in theirs.values())
