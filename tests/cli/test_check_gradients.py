"""`bakeoff check-gradients`: right gradients, wrong ones, bad input."""

import json

import pytest
from tests.cli.calling import Caller, assert_clear

from bakeoff.scratch.layers import Affine
from bakeoff.scratch.memory import Array

SMALL = ("mlp", "--input", "3x2x1", "--set", "model.hidden=[4, 3]")


def test_a_table_of_right_gradients(bakeoff: Caller) -> None:
    called = bakeoff("check-gradients", *SMALL, "--set", "model.normalisation=batch")
    assert (called.code, called.err) == (0, "")
    lines = called.out.splitlines()
    names = [line.split()[0] for line in lines[1:-2]]
    assert names == [
        "inputs", "hidden-1.weight", "hidden-1.bias", "batch-norm-1.weight", "batch-norm-1.bias",
        "hidden-2.weight", "hidden-2.bias", "batch-norm-2.weight", "batch-norm-2.bias",
        "output.weight", "output.bias", "outputs",
    ]  # fmt: skip
    assert lines[-1] == "all 12 right; allowed: relative errors up to 1e-07"


def test_json(bakeoff: Caller) -> None:
    called = bakeoff("check-gradients", "batch-norm", "--json", "--seed", "4")
    assert called.code == 0
    found = json.loads(called.out)
    assert (found["model"], found["seed"], found["right"]) == ("batch-norm", 4, True)
    assert [row["name"] for row in found["gradients"]] == ["inputs", "weight", "bias"]
    for row in found["gradients"]:
        assert 0 <= row["relative"] <= found["tolerance"]
        assert row["checked"] > row["kinks"]


def test_the_same_seed_says_the_same(bakeoff: Caller) -> None:
    one, two = (bakeoff("check-gradients", *SMALL, "--seed", "3") for _ in range(2))
    assert one.out == two.out


@pytest.mark.parametrize("factor", [1 + 1e-5, float("nan")])
def test_a_wrong_gradient_ends_with_1(
    bakeoff: Caller, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    backward = Affine.backward

    def wrong(self: Affine, upstream: Array, to_inputs: bool = True) -> Array | None:
        found = backward(self, upstream, to_inputs)
        self.gradients["bias"] *= factor
        return found

    monkeypatch.setattr(Affine, "backward", wrong)
    called = bakeoff("check-gradients", *SMALL)
    assert called.code == 1
    assert called.out.count("WRONG") == 3
    assert "3 of 8 wrong" in called.out
    found = json.loads(bakeoff("check-gradients", *SMALL, "--json").out)
    assert not found["right"]
    assert [row["name"] for row in found["gradients"] if not row["right"]] == [
        "hidden-1.bias", "hidden-2.bias", "output.bias",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cnn",), "no gradients of our own in 'cnn'"),
        (("batchnorm",), "did you mean 'batch-norm'"),
        (("relu", "--set", "model.hidden=[3]"), "relu has no settings"),
        (("mlp", "--set", "model.hidden=0"), "model.hidden"),
        (("mlp", "--input", "3x3"), "--input 3x3"),
        (("scratch-cnn", "--input", "7"), "--input 7: images are needed"),
        (("scratch-cnn", "--input", "4x4x1"), "too small"),
    ],
)
def test_bad_input(bakeoff: Caller, arguments: tuple[str, ...], message: str) -> None:
    called = bakeoff("check-gradients", *arguments)
    assert_clear(called)
    assert message in called.err
