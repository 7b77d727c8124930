"""Our own convolution and linear layer are torch's, in numbers, gradients and state dict."""

import pytest
import torch
from torch import Tensor, nn

from bakeoff.core.errors import InputError
from bakeoff.models.macs import profile
from bakeoff.models.settings import SimpleNnSettings
from bakeoff.models.simple_nn import Convolution, Linear, SimpleNn

PAIRS = {
    "linear": (Linear(7, 4), nn.Linear(7, 4), (5, 7)),
    "convolution": (Convolution(3, 4, 5), nn.Conv2d(3, 4, 5, padding=2), (2, 3, 6, 9)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_equal_to_torchs(name: str) -> None:
    ours, theirs, shape = PAIRS[name]
    ours, theirs = ours.double(), theirs.double()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    generator = torch.Generator().manual_seed(0)

    def passed(module: nn.Module) -> list[Tensor]:
        inputs = torch.randn(shape, dtype=torch.float64, generator=generator.manual_seed(1))
        inputs.requires_grad_()
        outputs: Tensor = module(inputs)
        upstream = torch.randn(outputs.shape, dtype=torch.float64, generator=generator)
        gradients = torch.autograd.grad(outputs, [inputs, *module.parameters()], upstream)
        return [outputs.detach(), *gradients]

    for mine, expected in zip(passed(ours), passed(theirs), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-12, atol=1e-12)


def test_a_network_of_torchs_layers_reads_its_state_dict() -> None:
    model = SimpleNn(SimpleNnSettings(width=4, hidden=6), (16, 16, 3), 5)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2, generator=generator)
    state = model.state_dict()
    twin = SimpleNn(SimpleNnSettings(width=4, hidden=6), (16, 16, 3), 5)
    for number, inputs in enumerate((3, 4, 8), start=1):
        setattr(twin, f"conv{number}", nn.Conv2d(inputs, 2 ** (number + 1), 3, padding=1))
    twin.hidden, twin.output = nn.Linear(64, 6), nn.Linear(6, 5)  # type: ignore[assignment]
    twin.load_state_dict(state, strict=True)
    images = torch.randn(2, 3, 16, 16, generator=generator)
    torch.testing.assert_close(model(images), twin(images))


def test_macs_are_those_of_torchs_layers() -> None:
    rows = profile(SimpleNn(SimpleNnSettings(width=4, hidden=6), (16, 16, 3), 5), (3, 16, 16))
    macs = {row.name: row.macs for row in rows if row.macs}
    assert macs == {
        "conv1": 256 * 27 * 4,
        "conv2": 64 * 36 * 8,
        "conv3": 16 * 72 * 16,
        "hidden": 64 * 6,
        "output": 30,
    }


def test_images_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="7 x 8 pixels received"):
        SimpleNn(SimpleNnSettings(), (7, 8, 1), 2)
