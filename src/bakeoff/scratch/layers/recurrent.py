"""Recurrent layers: a state goes from word to word, and every step has the same weights.

Inputs x are (B, T, D): T steps of D numbers; outputs are the states (B, T, H) after each step, the
first one from a state of zeros. Parameters have torch's names and layouts: `weight_ih_l0` W
(G H, D) and `bias_ih_l0` b meet the inputs, `weight_hh_l0` U (G H, H) and `bias_hh_l0` c the state
before, with the G gates one behind another.

Gradients go back through time (Werbos 1990, "Backpropagation through time: what it does and how to
do it"): from the last step to the first, the state's gradient is what arrives from above plus what
the next step passes back. The weights' are sums over all steps, computed as one product at the end.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Position
from bakeoff.scratch.layers.base import Layer, Shape
from bakeoff.scratch.memory import Array, Buffer

INPUT, STATE = ("weight_ih_l0", "bias_ih_l0"), ("weight_hh_l0", "bias_hh_l0")


class _Recurrent(Layer):
    """What all cells share: products with the weights, and the order of the steps.

    A cell reads `a = W x + b` and `r = U h + c` of each step, both (B, G H), and leaves the new
    state; going back, it turns the state's gradient into those of a and of r.

    Args:
        inputs: D.
        units: H.
        dtype: Of parameters and results.
    """

    gates: ClassVar[int]

    def __init__(self, inputs: int, units: int, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        rows = self.gates * units
        self.parameters = {
            INPUT[0]: np.zeros((rows, inputs), dtype),
            STATE[0]: np.zeros((rows, units), dtype),
            INPUT[1]: np.zeros(rows, dtype),
            STATE[1]: np.zeros(rows, dtype),
        }
        self.gradients = {name: np.zeros_like(p) for name, p in self.parameters.items()}
        self.weights = {INPUT[0]: (inputs, units), STATE[0]: (units, units)}
        self.units = units
        self._x = self._states = self._a = self._r = np.empty((0, 0, 0), dtype)
        self._memory = {name: Buffer() for name in ("x", "states", "a", "r", "da", "dr", "y", "dx")}

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """(B, T, D) to (B, T, H)."""
        weight, recurrent = self.parameters[INPUT[0]], self.parameters[STATE[0]]
        self._check(inputs.shape[1:])
        count, steps, width = inputs.shape
        rows, kind = len(weight), weight.dtype
        self._x = self._memory["x"]((steps, count, width), kind)
        self._x[...] = inputs.transpose(1, 0, 2)
        self._a = self._memory["a"]((steps, count, rows), kind)
        np.matmul(self._x, weight.T, out=self._a)
        self._a += self.parameters[INPUT[1]]
        self._r = self._memory["r"]((steps, count, rows), kind)
        self._states = self._memory["states"]((steps + 1, count, self.units), kind)
        self._states[0] = 0
        self._begin(steps, count)
        for step in range(steps):
            np.matmul(self._states[step], recurrent.T, out=self._r[step])
            self._r[step] += self.parameters[STATE[1]]
            self._step(step)
        outputs: Array = self._memory["y"]((count, steps, self.units), kind)
        outputs[...] = self._states[1:].transpose(1, 0, 2)
        return outputs

    def backward(self, upstream: Array, to_inputs: bool = True) -> Array | None:
        """(B, T, H) to (B, T, D)."""
        weight, recurrent = self.parameters[INPUT[0]], self.parameters[STATE[0]]
        da = self._memory["da"](self._a.shape, weight.dtype)
        dr = self._memory["dr"](self._a.shape, weight.dtype)
        arriving = np.zeros_like(self._states[0])
        self._begin_back()
        for step in reversed(range(len(da))):
            arriving += upstream[:, step]
            past = self._step_back(step, arriving, da[step], dr[step])
            arriving = dr[step] @ recurrent
            if past is not None:
                arriving += past
        rows = len(weight)
        for (name, bias), change, seen in (
            (INPUT, da, self._x),
            (STATE, dr, self._states[:-1]),
        ):
            flat = change.reshape(-1, rows)
            np.matmul(flat.T, seen.reshape(-1, seen.shape[2]), out=self.gradients[name])
            np.add.reduce(flat, axis=0, out=self.gradients[bias])
        if not to_inputs:
            return None
        downstream: Array = self._memory["dx"]((*upstream.shape[:2], self._x.shape[2]), da.dtype)
        downstream[...] = np.matmul(da, weight).transpose(1, 0, 2)
        return downstream

    def _begin(self, steps: int, count: int) -> None:
        """Before the first step of a pass."""

    def _begin_back(self) -> None:
        """Before the first step back."""

    def _step(self, step: int) -> None:
        """Write the state after a step, from `_a`, `_r` and the state before."""
        raise NotImplementedError

    def _step_back(self, step: int, arriving: Array, da: Array, dr: Array) -> Array | None:
        """Write the gradients at a and r of a step, from the one at its state.

        Returns:
            What reaches the state before by another way than r; None: nothing does.
        """
        raise NotImplementedError

    def _check(self, shape: Shape) -> None:
        width = self.parameters[INPUT[0]].shape[1]
        if len(shape) != 2 or shape[1] != width or not shape[0]:
            raise InputError(
                f"{self.kind}: examples of shape {shape} received (allowed: steps, {width})"
            )

    def _part(self, gate: int) -> slice:
        """The columns of one gate."""
        return slice(gate * self.units, (gate + 1) * self.units)

    def output_shape(self, shape: Shape) -> Shape:
        """(T, H) of (T, D).

        Raises:
            InputError: where an example has another shape.
        """
        self._check(shape)
        return (shape[0], self.units)

    def macs(self, shape: Shape) -> int:
        """Every step meets every weight once."""
        return shape[0] * sum(self.parameters[name].size for name in (INPUT[0], STATE[0]))


class Rnn(_Recurrent):
    """`h' = tanh(a + r)`; with G at h', `da = dr = G (1 - h'^2)`.

    Source: Elman 1990, "Finding structure in time".
    """

    kind = "rnn"
    gates = 1

    def _step(self, step: int) -> None:
        np.tanh(self._a[step] + self._r[step], out=self._states[step + 1])

    def _step_back(self, step: int, arriving: Array, da: Array, dr: Array) -> Array | None:
        np.multiply(arriving, 1 - self._states[step + 1] ** 2, out=da)
        dr[...] = da
        return None


class Lstm(_Recurrent):
    """`i, f, o = sigmoid`, `g = tanh` of `a + r`; `c' = f c + i g`, `h' = o tanh c'`.

    With G at h' and D what the next step passes back to c': `dc' = D + G o (1 - tanh^2 c')`; then
    `di = dc' g i (1 - i)`, `df = dc' c f (1 - f)`, `dg = dc' i (1 - g^2)`,
    `do = G tanh c' o (1 - o)`, and `f dc'` goes back to c.
    Source: Hochreiter and Schmidhuber 1997, "Long short-term memory"; forget gate: Gers,
    Schmidhuber and Cummins 2000, "Learning to forget".
    """

    kind = "lstm"
    gates = 4

    def __init__(self, inputs: int, units: int, dtype: DTypeLike = np.float32) -> None:
        super().__init__(inputs, units, dtype)
        self._cells = self._squashed = self._back = np.empty((0, 0, 0), dtype)
        self._memory |= {"cells": Buffer(), "squashed": Buffer()}

    def _begin(self, steps: int, count: int) -> None:
        kind = self._a.dtype
        self._cells = self._memory["cells"]((steps + 1, count, self.units), kind)
        self._cells[0] = 0
        self._squashed = self._memory["squashed"]((steps, count, self.units), kind)

    def _step(self, step: int) -> None:
        gates = self._r[step]  # what is kept for the way back: the gates' values
        gates += self._a[step]
        for gate in (0, 1, 3):
            _sigmoid(gates[:, self._part(gate)])
        g = gates[:, self._part(2)]
        np.tanh(g, out=g)
        cells = self._cells[step + 1]
        np.multiply(gates[:, self._part(1)], self._cells[step], out=cells)
        cells += gates[:, self._part(0)] * g
        np.tanh(cells, out=self._squashed[step])
        np.multiply(gates[:, self._part(3)], self._squashed[step], out=self._states[step + 1])

    def _begin_back(self) -> None:
        self._back = np.zeros_like(self._cells[0])

    def _step_back(self, step: int, arriving: Array, da: Array, dr: Array) -> Array | None:
        i, f, g, o = (self._r[step][:, self._part(gate)] for gate in range(4))
        squashed = self._squashed[step]
        dc = self._back + arriving * o * (1 - squashed**2)
        da[:, self._part(0)] = dc * g * i * (1 - i)
        da[:, self._part(1)] = dc * self._cells[step] * f * (1 - f)
        da[:, self._part(2)] = dc * i * (1 - g**2)
        da[:, self._part(3)] = arriving * squashed * o * (1 - o)
        dr[...] = da
        self._back = dc * f
        return None


class Gru(_Recurrent):
    """`s, z = sigmoid(a + r)`, `n = tanh(a_n + s r_n)`; `h' = (1 - z) n + z h`.

    With G at h': `dn = G (1 - z) (1 - n^2)`, `ds = dn r_n s (1 - s)`, `dz = G (h - n) z (1 - z)`;
    at r_n it is `dn s`, and `G z` goes back to h. The reset gate s meets the product with the
    state, as in torch, not the state itself.
    Source: Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for
    statistical machine translation".
    """

    kind = "gru"
    gates = 3

    def __init__(self, inputs: int, units: int, dtype: DTypeLike = np.float32) -> None:
        super().__init__(inputs, units, dtype)
        self._values = np.empty((0, 0, 0), dtype)
        self._memory |= {"values": Buffer()}

    def _begin(self, steps: int, count: int) -> None:
        self._values = self._memory["values"](self._a.shape, self._a.dtype)

    def _step(self, step: int) -> None:
        values, a, r = self._values[step], self._a[step], self._r[step]
        both, new = slice(0, 2 * self.units), self._part(2)
        np.add(a[:, both], r[:, both], out=values[:, both])
        _sigmoid(values[:, both])
        s, z, n = (values[:, self._part(gate)] for gate in range(3))
        np.tanh(a[:, new] + s * r[:, new], out=n)
        before = self._states[step]
        np.add(n, z * (before - n), out=self._states[step + 1])

    def _step_back(self, step: int, arriving: Array, da: Array, dr: Array) -> Array | None:
        s, z, n = (self._values[step][:, self._part(gate)] for gate in range(3))
        dn = arriving * (1 - z) * (1 - n**2)
        da[:, self._part(0)] = dn * self._r[step][:, self._part(2)] * s * (1 - s)
        da[:, self._part(1)] = arriving * (self._states[step] - n) * z * (1 - z)
        da[:, self._part(2)] = dn
        dr[...] = da
        dr[:, self._part(2)] *= s
        past: Array = arriving * z
        return past


def _sigmoid(values: Array) -> None:
    """In place, by way of tanh, which never overflows."""
    values *= 0.5
    np.tanh(values, out=values)
    values *= 0.5
    values += 0.5
