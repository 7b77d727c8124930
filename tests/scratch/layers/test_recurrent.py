"""Recurrent layers: torch's states and gradients, refusals, prices."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.scratch.layers.case import Case, normal

from bakeoff.core.errors import InputError
from bakeoff.models.macs import count_macs
from bakeoff.scratch.layers import Gru, Layer, Lstm, Rnn


class States(torch.nn.Module):
    """A recurrent module of torch's that gives its states alone; parameters have their names."""

    def __init__(self, module: torch.nn.RNNBase) -> None:
        super().__init__()
        self._module = [module]
        for name, parameter in module.named_parameters():
            self.register_parameter(name, parameter)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self._module[0](inputs)[0]
        return states


def case(ours: type[Rnn | Lstm | Gru], theirs: Callable[..., torch.nn.RNNBase]) -> Case:
    module = theirs(4, 3, batch_first=True, dtype=torch.float64)
    return Case(lambda: ours(4, 3, np.float64), normal(3, 6, 4), States(module))


CASES: dict[type[Layer], Case] = {
    Rnn: case(Rnn, torch.nn.RNN),
    Lstm: case(Lstm, torch.nn.LSTM),
    Gru: case(Gru, torch.nn.GRU),
}
every_kind = pytest.mark.parametrize("kind", [Rnn, Lstm, Gru])


@every_kind
def test_later_steps_change_no_state_before_them(kind: type[Layer]) -> None:
    layer, inputs = CASES[kind].drawn(), CASES[kind].inputs.copy()
    states = layer.forward(inputs).copy()
    inputs[:, 4:] = 7
    np.testing.assert_array_equal(layer.forward(inputs)[:, :4], states[:, :4])


@every_kind
def test_long_sequences_of_large_numbers_stay_finite(kind: type[Layer]) -> None:
    layer = CASES[kind].drawn()
    states = layer.forward(np.full((2, 300, 4), 1e4))
    gradient = layer.backward(np.ones_like(states))
    assert np.isfinite(states).all()
    assert gradient is not None
    assert np.isfinite(gradient).all()


@every_kind
def test_macs_are_those_torch_is_counted_with(kind: type[Layer]) -> None:
    inputs, module = torch.zeros(1, 6, 4, dtype=torch.float64), CASES[kind].module
    assert CASES[kind].build().macs((6, 4)) == count_macs(lambda: module(inputs))


@every_kind
@pytest.mark.parametrize("shape", [(6, 5), (4,), (0, 4), (2, 6, 4)])
def test_other_shapes_are_refused(kind: type[Layer], shape: tuple[int, ...]) -> None:
    layer = CASES[kind].build()
    with pytest.raises(InputError, match=rf"{kind.kind}: examples of shape .* received"):
        layer.forward(np.zeros((2, *shape)))
    with pytest.raises(InputError, match=r"allowed: steps, 4"):
        layer.output_shape(shape)
