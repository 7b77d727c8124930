"""The whole check: techniques, layers and losses, wrong gradients, wrong names."""

from typing import Any

import pytest

from bakeoff.core.errors import InputError
from bakeoff.scratch.examples import LAYERS, LOSSES
from bakeoff.scratch.layers import BatchNorm
from bakeoff.scratch.memory import Array
from bakeoff.techniques import TECHNIQUES, find
from bakeoff.techniques.gradients import Checkable, check_gradients, checkable_names

SHAPE = (8, 8, 2)


def test_every_technique_of_our_own_layers_can_be_checked() -> None:
    checkable = {name for name in TECHNIQUES if isinstance(find(name), Checkable)}
    assert {"mlp", "scratch-cnn", "softmax"} <= checkable
    assert set(checkable_names()) == {*checkable, *LAYERS, *LOSSES}


@pytest.mark.parametrize("name", [n for n in TECHNIQUES if isinstance(find(n), Checkable)])
def test_every_array_of_every_technique(name: str) -> None:
    errors = check_gradients(name, {}, SHAPE, 2, limit=8)
    assert all(error.right for error in errors), errors
    assert errors[0].name == "inputs"
    assert errors[-1].name == "outputs"
    learnt = find(name).untrained(find(name).settings.parse({}), SHAPE, 2).layers()
    assert len(errors) == 2 + sum(len(layer.weights) for layer in learnt)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (
            "mlp",
            {
                "model": {"hidden": [6, 5], "normalisation": "batch", "dropout": 0.3},
                "training": {"loss": "hinge"},
            },
        ),
        ("mlp", {"model": {"hidden": [6], "activation": "swish", "normalisation": "layer"}}),
        ("mlp", {"model": {"hidden": [6]}, "training": {"label_smoothing": 0.2}}),
        ("softmax", {"training": {"label_smoothing": 0.2}}),
        (
            "scratch-cnn",
            {
                "model": {
                    "channels": [3, 4],
                    "convolutions": 2,
                    "residual": True,
                    "pooling": "average",
                    "hidden": [5],
                    "dropout": 0.2,
                }
            },
        ),
    ],
)
def test_other_settings(name: str, settings: dict[str, Any]) -> None:
    errors = check_gradients(name, settings, SHAPE, 3, seed=3, limit=10)
    assert all(error.right for error in errors), errors


def test_a_fault_in_one_layer_shows_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    backward = BatchNorm.backward

    def wrong(self: BatchNorm, upstream: Array, to_inputs: bool = True) -> Array | None:
        found = backward(self, upstream, to_inputs)
        self.gradients["weight"] *= 1.001
        return found

    monkeypatch.setattr(BatchNorm, "backward", wrong)
    errors = check_gradients("scratch-cnn", {"model": {"channels": [3]}}, SHAPE, 3, limit=10)
    assert [error.name for error in errors if not error.right] == ["batch-norm-1-1.weight"]


def test_the_seed_moves_the_points() -> None:
    one, two, again = (check_gradients("affine", {}, SHAPE, 3, seed=seed) for seed in (0, 1, 0))
    assert one == again != two


def test_what_cannot_be_checked_is_refused() -> None:
    for name in ("cnn", "batchnorm", "majority"):
        with pytest.raises(InputError, match=f"no gradients of our own in '{name}'"):
            check_gradients(name, {}, SHAPE, 3)
    with pytest.raises(InputError, match="did you mean 'batch-norm'"):
        check_gradients("batchnorm", {}, SHAPE, 3)
    with pytest.raises(InputError, match="relu has no settings"):
        check_gradients("relu", {"model": {}}, SHAPE, 3)
    with pytest.raises(InputError, match=r"model\.hidde"):
        check_gradients("mlp", {"model": {"hidde": [3]}}, SHAPE, 3)
