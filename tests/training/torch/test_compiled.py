"""Compiled passes: the same function, one size of batches, the same bits after an interruption."""

import importlib.util
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.torch.small import CLASSES, CPU, SHAPE, Small, at, batch, step
from torch import Tensor

from bakeoff.core.cache import cache_folder
from bakeoff.core.protocols import Normaliser
from bakeoff.core.streams import Streams
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch import compiled
from bakeoff.training.torch.compiled import TrainingPass
from bakeoff.training.torch.inference import Inference
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.numerics import Precision
from bakeoff.training.torch.step import TorchStep
from bakeoff.training.torch.transforms import Pixels

needs_compiler = pytest.mark.skipif(
    compiled.lacking("cpu") is not None, reason="there is nothing to compile with"
)


@pytest.fixture(scope="module", autouse=True)
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One folder of programs for all tests here: the second network compiles in no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("programs")))
        yield


def compiling(module: torch.nn.Module, precision: Precision = "float32", **given: Any) -> TorchStep:
    """A step that compiles its passes over batches of 16."""
    normaliser = Normaliser(np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32))
    ready = Inference(module, Pixels(normaliser, SHAPE, CPU), precision, compiles=True)
    initialise(module, Streams(0))
    training = TrainingSettings(**({"epochs": 1, "batch_size": 16} | given))
    return TorchStep(ready, training, Streams(0))


class Lean(torch.nn.Module):
    """Batch norm and dropout in few layers: each takes the compiler seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(SHAPE[2], 6, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(6)
        self.dropout = torch.nn.Dropout(0.3)
        self.output = torch.nn.Linear(6 * 64, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(images))).flatten(1)
        logits: Tensor = self.output(self.dropout(x))
        return logits


def everything() -> Lean:
    """The network of all compiled tests: the first of them has it compiled for the others."""
    return Lean()


@pytest.mark.slow
@needs_compiler
def test_a_compiled_step_learns_what_an_eager_one_learns() -> None:
    """With batch norm and dropout, which draws the same masks; smaller batches pass eagerly."""
    ours, plain = compiling(everything()), step(everything(), batch_size=16)
    for number, count in enumerate((16, 9, 16)):
        sums, wanted = (s(batch(count), at(number)) for s in (ours, plain))
        assert float(sums["loss"]) == pytest.approx(float(wanted["loss"]), rel=1e-5)
        assert int(sums["correct"]) == int(wanted["correct"])
    assert ours.notes == []
    assert ours.compile_seconds > 0
    expected = plain.state()
    for name, values in ours.state().items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-6)
    # Averages are of three batches: the pass that compiled left none.
    assert int(ours.state()["network.norm.num_batches_tracked"]) == 3


@pytest.mark.slow
@needs_compiler
def test_a_compiled_step_resumes_with_the_same_bits() -> None:
    """Also where the size that is compiled comes after another one, which it does not follow."""
    unbroken = compiling(everything())
    for number, count in enumerate((16, 16, 9)):
        unbroken(batch(count), at(number))
    saved = unbroken.state()
    resumed = compiling(everything())
    resumed.load(saved)
    for ours in (unbroken, resumed):
        for number, count in enumerate((9, 16, 16, 9), start=3):
            ours(batch(count), at(number))
        assert ours.notes == []
    wanted = unbroken.state()
    assert all(v.tobytes() == wanted[name].tobytes() for name, v in resumed.state().items())


@pytest.mark.slow
@needs_compiler
def test_in_full_precision_it_is_compiled_anew() -> None:
    ours = compiling(everything(), "bfloat16", optimizer="sgd")
    ours(batch(16), at(0))
    before = ours.compile_seconds
    ours.compute_exactly()
    exact = step(everything(), optimizer="sgd", batch_size=16)
    exact.load({n: v for n, v in ours.state().items() if n != "guard"})
    for some in (ours, exact):
        some(batch(16), at(1))
    assert ours.compile_seconds > before
    wanted = exact.state()
    for name, values in wanted.items():
        np.testing.assert_allclose(ours.state()[name], values, rtol=1e-4, atol=1e-6)


class Unwilling(Small):
    """Chooses by a number that it computes, which no compiled pass can."""

    def features(self, images: Tensor) -> Tensor:
        x = super().features(images)
        return x if x.detach().sum() > -1 else -x


def test_what_cannot_be_compiled_runs_eagerly_and_says_so() -> None:
    ours, plain = compiling(Unwilling(norm=True)), step(Unwilling(norm=True), batch_size=16)
    for number in range(2):
        for some in (ours, plain):
            some(batch(16), at(number))
    (note,) = ours.notes
    assert note.startswith("could not be compiled, ran eagerly: ")
    state, wanted = ours.state(), plain.state()
    assert all(np.array_equal(values, state[name]) for name, values in wanted.items())
    # A process that could compile it goes on eagerly: the bits would be others.
    again = compiling(Small(norm=True))
    again.load(state)
    again(batch(16), at(2))
    assert again.compile_seconds == 0
    assert again.notes == []


def test_a_pass_that_is_not_to_be_compiled_is_not() -> None:
    module = Small()
    ours = TrainingPass(module, compiles=False)
    x = torch.zeros(4, 3, 8, 8)
    assert not ours.wants(x, 4)
    assert not ours.fits(x)
    assert torch.equal(ours(x), module(x))


def test_only_one_size_is_wanted() -> None:
    ours = TrainingPass(Small(), compiles=True)
    assert ours.wants(torch.zeros(4, 3, 8, 8), 4)
    assert not ours.wants(torch.zeros(3, 3, 8, 8), 4)


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiled, "compiler", lambda: None)
    assert (compiled.lacking("cpu") or "").startswith("no C++ compiler is there (g++ or clang++")
    monkeypatch.setattr(compiled, "compiler", lambda: "/usr/bin/g++")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert (compiled.lacking("cpu") or "").startswith("Python's headers are not there")
    (tmp_path / "Python.h").touch()
    assert compiled.lacking("cpu") is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert (compiled.lacking("cuda") or "").startswith("triton")


def test_the_compiler_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = tmp_path / "my-compiler"
    mine.write_text("#!/bin/sh\necho mine 1.2\necho more\n", encoding="utf-8")
    mine.chmod(0o755)
    monkeypatch.setenv("CXX", str(mine))
    assert compiled.compiler() == str(mine)
    compiled.compiler_version.cache_clear()
    assert compiled.compiler_version() == "mine 1.2"
    compiled.compiler_version.cache_clear()


def test_programs_lie_in_our_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/mine")
    compiled.keep_programs()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/mine"
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    compiled.keep_programs()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(cache_folder() / "programs")
