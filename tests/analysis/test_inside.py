"""Counting what is inside networks: bins, shares, dead and saturated units."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.analysis.inside import (
    BINS,
    DECADES,
    MOST_LAYERS,
    NEAR_ZERO,
    PER_DECADE,
    SAMPLE,
    Look,
    State,
    gradient_counts,
    look,
    numbers,
    spread,
    units,
    weight_counts,
    weight_edges,
    write_inside,
)
from bakeoff.core.examples import Items
from bakeoff.core.protocols import Arrays, Batch, Watch


def test_shares_of_weights() -> None:
    found = numbers(np.array([[0.0, 3.0], [-4.0, NEAR_ZERO / 2]], np.float32))
    assert found.shape == (2, 2)
    assert found.rms == pytest.approx(2.5)
    assert (found.zero, found.near_zero) == (0.25, 0.5)


def test_shares_are_of_all_and_bins_of_some() -> None:
    values = np.ones(3 * SAMPLE, np.float32)
    values[: 2 * SAMPLE] = 0
    found = numbers(values)
    assert len(found.some) == SAMPLE
    assert found.zero == pytest.approx(2 / 3)
    assert (found.some == 0).mean() == pytest.approx(2 / 3, abs=1e-4)


def test_numbers_that_are_none_are_left_out() -> None:
    found = numbers(np.array([np.nan, np.inf, 2.0, 0.0], np.float32))
    assert sorted(found.some) == [0, 2]
    assert found.zero == 0.25
    assert numbers(np.array([np.nan], np.float32)).rms == 0


def test_bins_of_weights_are_shared_and_zero_is_in_the_middle() -> None:
    narrow = numbers(np.linspace(-0.1, 0.1, 1000, dtype=np.float32))
    wide = numbers(np.linspace(-1, 1, 1000, dtype=np.float32))
    edges = weight_edges([narrow, wide])
    assert len(edges) == BINS + 1
    assert edges[-1] == pytest.approx(1, rel=2e-3) == -edges[0]
    assert edges[BINS // 2] < 0 < edges[BINS // 2 + 1]
    counts = weight_counts(narrow.some, edges)
    assert sum(counts) == 1000
    assert counts[0] == counts[-1] == 0
    assert weight_counts(np.array([-5.0, 5.0, 0.0]), edges) == [1, *[0] * 19, 1, *[0] * 19, 1]


def test_weights_that_are_all_zero_have_bins_too() -> None:
    edges = weight_edges([numbers(np.zeros(4, np.float32))])
    assert weight_counts(np.zeros(4), edges)[BINS // 2] == 4
    assert len(weight_edges([])) == BINS + 1


def test_gradients_are_counted_by_powers_of_ten() -> None:
    counts = gradient_counts(np.array([0.0, 0.0, 1.5, -1.5, 1e-30, 1e30, 2e-12]))
    low, high = DECADES
    assert len(counts) == 1 + (high - low) * PER_DECADE
    assert counts[0] == 2
    assert counts[1 + (0 - low) * PER_DECADE] == 2  # 1.5: the first third of its decade
    assert (counts[1], counts[-1]) == (2, 1)
    assert sum(counts) == 7


def test_dead_units_are_off_for_every_image() -> None:
    outputs = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    found = units("hidden", "relu", outputs)
    assert found.units == 3
    assert found.dead == pytest.approx(2 / 3)
    assert found.zero == pytest.approx(5 / 6)
    assert found.saturated is None


def test_a_dead_channel_is_off_at_every_place() -> None:
    outputs = np.zeros((2, 3, 3, 4))
    outputs[1, 2, 0, 1] = 1
    found = units("conv", "relu", outputs)
    assert (found.units, found.dead) == (4, 0.75)


def test_saturation_is_a_slope_below_a_twentieth() -> None:
    inputs = np.linspace(-6, 6, 4001)
    slope = 1 - np.tanh(inputs) ** 2
    found = units("hidden", "tanh", np.tanh(inputs)[:, None])
    assert found.saturated == pytest.approx(np.mean(slope < 0.05))
    # The sigmoid of 2x is tanh of x, moved and scaled: it saturates where that does.
    sigmoid = 1 / (1 + np.exp(-2 * inputs))
    assert units("hidden", "sigmoid", sigmoid[:, None]).saturated == found.saturated
    assert found.dead is None


def test_other_activations_have_neither() -> None:
    found = units("hidden", "swish", np.zeros((2, 3)))
    assert (found.dead, found.zero, found.saturated) == (None, None, None)


def test_spread() -> None:
    assert spread([1, 2, 3], 3) == [1, 2, 3]
    assert spread(list(range(20)), 4) == [0, 6, 13, 19]


class Fixed:
    """A network of twenty layers, all alike."""

    def weights(self) -> Arrays:
        return {f"layer-{i}": np.full((2, 3), i, np.float32) for i in range(20)}

    def filters(self) -> NDArray[np.float32] | None:
        return None

    def gradients(self, batch: Batch) -> Arrays:
        return {name: w * 2 for name, w in self.weights().items()}

    def outputs(self, items: Items, watch: Watch) -> None:
        for name in self.weights():
            watch(name, "relu", np.zeros((len(items), 3)))


BATCH = Batch(np.zeros((4, 1)), np.zeros(4, np.int64), np.arange(4))


def test_looking_takes_some_layers_the_first_and_the_last() -> None:
    state = look(Fixed(), BATCH, np.zeros((5, 1)))
    assert len(state.weights) == MOST_LAYERS
    assert list(state.weights)[:: MOST_LAYERS - 1] == ["layer-0", "layer-19"]
    assert state.gradients.keys() == state.weights.keys()
    assert state.gradients["layer-19"].rms == 38
    assert [one.dead for one in state.activations] == [1.0] * 20


def test_without_images_no_units_are_watched() -> None:
    assert look(Fixed(), BATCH, np.zeros((0, 1))).activations == []


def test_what_is_written(tmp_path: Path) -> None:
    state = look(Fixed(), BATCH, np.zeros((5, 1)))
    looks = {
        "a": Look(0, "key-a", {"start": state, "end": state}),
        "b": Look(0, "key-b", {"start": State()}),
    }
    write_inside(tmp_path, looks, {"batch": 4}, {"a": {"maps": None}})
    content = json.loads((tmp_path / "inside.json").read_text(encoding="utf-8"))
    assert content["about"] == {"batch": 4, "near_zero": NEAR_ZERO, "flat": 0.05}
    assert content["weight_limits"]["layer-19"] == 19
    own = content["recipes"]["a"]
    assert (own["seed"], own["key"], own["pictures"]) == (0, "key-a", {"maps": None})
    assert sum(own["end"]["weights"]["layer-19"]["counts"]) == 6
    assert own["start"]["weights"]["layer-0"]["zero"] == 1
    assert own["end"]["activations"][0] == {
        "layer": "layer-0", "kind": "relu", "units": 3, "dead": 1.0, "zero": 1.0,
    }  # fmt: skip
    assert content["recipes"]["b"]["start"]["weights"] == {}
    assert "end" not in content["recipes"]["b"]
    first = (tmp_path / "inside.json").read_bytes()
    write_inside(tmp_path, looks, {"batch": 4}, {"a": {"maps": None}})
    assert (tmp_path / "inside.json").read_bytes() == first
    assert len(first) < 60_000
