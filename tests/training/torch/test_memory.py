"""Short memory: batches are cut and the update is made all the same, or a clear error comes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.core.samples import environment
from tests.training.torch.small import EXAMPLES, Small, at, batch, inference, step
from torch import Tensor

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Batch
from bakeoff.training.torch.memory import is_out_of_memory

ROOT = Path(__file__).parents[3]


class Large(Small):
    """Has memory for so many examples at once; what it says where they are more."""

    def __init__(self, most: int, error: Exception | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.most, self.passed = most, list[int]()
        self.error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.passed.append(len(images))
            if len(images) > self.most:
                raise self.error
        return super().forward(images)


class LargeInEvaluation(Small):
    """Has memory for so many examples at once where nothing is learnt."""

    most = 7

    def forward(self, images: Tensor) -> Tensor:
        if not self.training and len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(images)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate"
                     " memory: you tried to allocate 1 bytes. Error code 12 (Cannot allocate)"),
    ],
)  # fmt: skip
def test_a_batch_is_cut_until_it_passes_and_learns_the_same(error: Exception) -> None:
    module = Large(7, error, dropout=0.3)
    short, plain = (step(m, augment=True, optimizer="sgd") for m in (module, Small(dropout=0.3)))
    for number in range(2):
        sums, expected = short(batch(), at(number)), plain(batch(), at(number))
        assert float(sums["loss"]) == pytest.approx(float(expected["loss"]), rel=1e-6)
        assert (int(sums["correct"]), sums["count"]) == (int(expected["correct"]), EXAMPLES)
    # 24, then 12, then 6: and 6 from the start in the second update.
    assert module.passed == [24, 12, *[6] * 4, *[6] * 4]
    wanted = plain.state()
    for name, values in short.state().items():
        if name in wanted:
            np.testing.assert_allclose(values, wanted[name], rtol=1e-5, atol=1e-6)
    assert short.notes == [
        "memory was short at update 1: 12 examples pass at once instead of 24, the update is the "
        "whole batch's",
        "memory was short at update 1: 6 examples pass at once instead of 12, the update is the "
        "whole batch's",
    ]


def test_how_batches_are_cut_is_part_of_the_state() -> None:
    first = step(Large(12))
    first(batch(), at(0))
    again = Large(24)
    resumed = step(again, seed=1)
    resumed.load(first.state())
    for ours in (first, resumed):
        ours(batch(), at(1))
    assert again.passed == [12, 12]
    assert all(np.array_equal(v, resumed.state()[n]) for n, v in first.state().items())
    resumed.load(step().state())
    resumed(batch(), at(1))
    assert again.passed[2:] == [24]


def test_what_sees_whole_batches_is_not_cut() -> None:
    ours = step(Large(12, norm=True), batch_size=24)
    message = r"training\.batch_size: 24 received, but memory was short .* choose a smaller one"
    with pytest.raises(InputError, match=message):
        ours(batch(), at(0))


def test_one_example_cannot_be_cut() -> None:
    with pytest.raises(InputError, match="memory was short for a pass of 1 example"):
        step(Large(0))(batch(), at(0))


def test_other_errors_are_passed_on() -> None:
    with pytest.raises(RuntimeError, match="another fault"):
        step(Large(0, RuntimeError("another fault")))(batch(), at(0))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_passes_that_evaluate_are_shortened_and_give_the_same() -> None:
    plain, short = step(), step(LargeInEvaluation())
    expected = plain.evaluate(batch(200))
    np.testing.assert_allclose(short.evaluate(batch(200)), expected, rtol=1e-5, atol=1e-6)
    assert short.notes == [
        "memory was short in evaluation: at most 4 examples pass at once instead of 128"
    ]
    again = short.evaluate(batch(200))
    assert np.array_equal(again[::-1], short.evaluate(reversed_(batch(200))))
    assert len(short.notes) == 1


def reversed_(given: Batch) -> Batch:
    """The examples of a batch from the last to the first."""
    return Batch(np.asarray(given.items)[::-1].copy(), given.labels[::-1], given.indices[::-1])


def test_how_passes_are_shortened_is_part_of_the_state() -> None:
    first = step(LargeInEvaluation(), lookahead={"every": 2})
    scores = first.evaluate(batch(30))
    resumed = step(LargeInEvaluation(), seed=1, lookahead={"every": 2})
    resumed.load(first.state())
    assert np.array_equal(resumed.evaluate(batch(30)), scores)
    assert resumed.notes == []
    before = {name: values for name, values in first.state().items()}
    before["guard"] = before["guard"][:3]  # as it was saved when passes were not shortened yet
    resumed.load(before)
    resumed.evaluate(batch(30))
    assert len(resumed.notes) == 1


def test_one_image_that_does_not_pass_is_an_error() -> None:
    class TooLarge(LargeInEvaluation):
        most = 0

    with pytest.raises(InputError, match="memory was short for a pass of 1 image"):
        inference(TooLarge()).probabilities(np.asarray(batch(3).items))


def test_other_errors_of_evaluation_are_passed_on() -> None:
    class Broken(Small):
        def forward(self, images: Tensor) -> Tensor:
            raise RuntimeError("another fault")

    with pytest.raises(RuntimeError, match="another fault"):
        inference(Broken()).probabilities(np.asarray(batch(3).items))


PROGRAM = """
import resource, torch
from tests.training.torch.small import *
torch.set_num_threads(1)
class Wide(Small):
    def features(self, images):
        x = torch.relu(self.conv(images)).repeat(1, 400, 1, 1)  # 0.6 MB an example
        return super().features(images) + 0 * x.mul(2).mean()
def trained(limited):
    ours = step(Wide(), optimizer="sgd", batch_size=512)
    ours(batch(8), at(0))
    if limited:
        with open("/proc/self/statm") as stream:
            now = int(stream.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + 450 * 2**20,) * 2)
    ours(batch(512), at(1))
    return ours
plain, short = trained(False), trained(True)
print(len(plain.notes), len(short.notes) > 0)
wanted, found = plain.state(), short.state()
print(max(float(np.abs(wanted[n] - found[n]).max()) for n in wanted))
print(short.notes[-1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits address space as Linux does")
def test_a_real_allocation_fails_and_the_update_is_made() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment(OMP_NUM_THREADS="1"),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    counts, difference, note = done.stdout.splitlines()
    assert counts == "0 True"
    assert float(difference) < 1e-5
    assert note.startswith("memory was short at update 2: ")
