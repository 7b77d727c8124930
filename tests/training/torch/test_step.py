"""The torch step: equal updates however a batch is cut, equal bits however often it stops."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.training.torch.small import (
    CLASSES,
    CPU,
    EXAMPLES,
    SHAPE,
    Small,
    at,
    batch,
    inference,
    step,
)
from torch import nn
from torch.nn.functional import cross_entropy

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Batch, Position
from bakeoff.core.streams import Streams
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.mixing import Mixing
from bakeoff.training.torch.step import TorchStep
from bakeoff.training.torch.transforms import Augmentation

ROOT = Path(__file__).parents[3]
OPTIMISERS = ["sgd", "momentum", "nesterov", "adam", "adamw", "muon"]


def same(a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]]) -> bool:
    """Whether two states have the same bits."""
    return a.keys() == b.keys() and all(
        a[n].dtype == b[n].dtype and a[n].tobytes() == b[n].tobytes() for n in a
    )


def test_sums_are_those_of_the_batch_before_the_update() -> None:
    module = Small()
    ours, examples = step(module), batch()
    with torch.no_grad():
        images = inference(module).pixels(torch.from_numpy(examples.items))
        logits = module(images)
        labels = torch.from_numpy(examples.labels)
        loss = cross_entropy(logits, labels, reduction="sum").item()
        correct = (logits.argmax(1) == labels).sum().item()
    sums = ours(examples, at(0))
    assert float(sums["loss"]) == pytest.approx(loss, rel=1e-6)
    assert (int(sums["correct"]), sums["count"]) == (correct, EXAMPLES)


def test_update_is_torchs_own() -> None:
    ours, module, examples = step(optimizer="sgd"), Small(), batch()
    reference = step(module)
    module.load_state_dict(
        {
            n.removeprefix("network."): torch.from_numpy(a)
            for n, a in ours.state().items()
            if n.startswith("network.")
        }
    )
    images = inference(module).pixels(torch.from_numpy(examples.items))
    cross_entropy(module(images), torch.from_numpy(examples.labels)).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in module.parameters():
            assert parameter.grad is not None
            parameter.sub_(0.1 * parameter.grad)
    ours(examples, at(0, rate=0.1))
    wanted = reference.state()
    for name, values in ours.state().items():
        np.testing.assert_allclose(values, wanted[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("optimizer", OPTIMISERS)
@pytest.mark.parametrize("parts", [2, 5, EXAMPLES, EXAMPLES + 1])
def test_parts_make_the_update_of_the_whole(optimizer: str, parts: int) -> None:
    """With dropout and augmentation: the parts get the draws of the whole."""
    whole, cut = (
        step(Small(dropout=0.3), augment=True, optimizer=optimizer, l2=0.01) for _ in range(2)
    )
    examples = batch()
    one, other = whole(examples, at(0)), cut(examples, at(0, parts))
    assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=1e-6)
    assert int(one["correct"]) == int(other["correct"])
    # Adam divides by the gradient's size: where that is near 0, rounding decides the direction.
    tolerance = 1e-4 if optimizer in ("adam", "adamw", "muon") else 1e-6  # so does muon
    for name, values in whole.state().items():
        np.testing.assert_allclose(cut.state()[name], values, rtol=1e-5, atol=tolerance)


@pytest.mark.parametrize(
    ("module", "splittable"),
    [
        (Small(), True),
        (Small(dropout=0.5), True),
        (Small(norm=True), False),
        (nn.Sequential(Small(), nn.Dropout2d(0.5)), False),
    ],
    ids=["plain", "dropout", "batch-norm", "channel-dropout"],
)
def test_splittable(module: nn.Module, splittable: bool) -> None:
    assert step(module).splittable is splittable


@pytest.mark.parametrize("optimizer", OPTIMISERS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_state_goes_round_exactly(optimizer: str, precision: Any) -> None:
    """Train, save, train; load in another step, train: the same bits."""

    def fresh(seed: int) -> TorchStep:
        module = Small(norm=True, dropout=0.3)
        return step(module, seed, precision, augment=True, optimizer=optimizer, l2=0.01)

    unbroken, examples = fresh(0), batch()
    for number in range(3):
        unbroken(examples, at(number))
    saved = unbroken.state()
    kept = {name: values.copy() for name, values in saved.items()}
    rest = [unbroken(examples, at(number)) for number in range(3, 6)]
    assert same(saved, kept), "a state must be a copy"
    resumed = fresh(0)
    resumed.load(saved)
    assert same(resumed.state(), saved)
    again = [resumed(examples, at(number)) for number in range(3, 6)]
    assert same(unbroken.state(), resumed.state())
    assert [float(r["loss"]) for r in rest] == [float(r["loss"]) for r in again]


def test_loading_keeps_the_memory() -> None:
    module = Small()
    ours = step(module)
    before = [p.data_ptr() for p in module.parameters()]
    ours.load(ours.state())
    assert [p.data_ptr() for p in module.parameters()] == before


def test_foreign_states_are_refused_whole() -> None:
    ours = step(optimizer="momentum")
    state, kept = ours.state(), ours.state()
    state["network.output.bias"] = np.ones(CLASSES + 1, np.float32)
    state["more"] = np.ones(1, np.float32)
    del state["optimiser.output.bias.velocity"]
    with pytest.raises(InputError) as caught:
        ours.load(state)
    assert [fault.split(":")[0] for fault in caught.value.faults[1:]] == [
        "more",
        "network.output.bias",
        "optimiser.output.bias.velocity",
    ]
    assert same(ours.state(), kept)


def test_same_seed_same_numbers() -> None:
    def run(seed: int) -> dict[str, NDArray[Any]]:
        ours = step(Small(dropout=0.5), seed, augment=True)
        for number in range(3):
            ours(batch(), at(number))
        return ours.state()

    assert same(run(3), run(3))
    assert not same(run(3), run(4))


def test_the_users_generator_is_left_alone_and_has_no_say() -> None:
    """Even with a layer that draws from it."""

    def run(user_seed: int) -> tuple[dict[str, NDArray[Any]], torch.Tensor]:
        class Noisy(Small):
            def features(self, images: torch.Tensor) -> torch.Tensor:
                return super().features(images + 0.1 * torch.randn_like(images))

        torch.manual_seed(user_seed)
        ours = step(Noisy(dropout=0.5))
        torch.manual_seed(user_seed)
        for number in range(2):
            ours(batch(), at(number))
        return ours.state(), torch.rand(3)

    first, drawn = run(1)
    second, _ = run(2)
    assert same(first, second)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(3))


def test_dropout_differs_from_step_to_step_and_is_off_in_evaluation() -> None:
    ours = step(Small(dropout=0.5), optimizer="sgd")
    examples = batch()
    still = [float(ours(examples, Position(n, 0, 1e-30))["loss"]) for n in range(3)]
    assert len(set(still)) == 3
    assert np.array_equal(ours.evaluate(examples), ours.evaluate(examples))


def test_l2_is_on_weights_alone() -> None:
    """On no gradient, weights shrink by rate * l2 and biases stay."""
    module = Small(norm=True)
    ours = step(module, optimizer="adamw", l2=0.5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
        module.output.weight.fill_(0.0)
    examples = batch()
    ours(examples, at(0, rate=0.1))
    # The output weights are zero, so no gradient reaches what lies before them.
    assert torch.allclose(module.hidden.weight, torch.tensor(1 - 0.1 * 0.5))
    assert torch.equal(module.hidden.bias, torch.ones(10))
    assert torch.equal(module.norm.weight, torch.ones(6))  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_overfits_one_batch(precision: Any) -> None:
    ours, examples = step(precision=precision, optimizer="adam"), batch()
    first = float(ours(examples, at(0, rate=0.003))["loss"])
    for number in range(1, 80):
        last = ours(examples, at(number, rate=0.003))
    assert float(last["loss"]) < 0.05 * first
    assert int(last["correct"]) == EXAMPLES
    assert (ours.evaluate(examples).argmax(1) == examples.labels).all()


def test_evaluation_does_not_depend_on_the_batch() -> None:
    ours, examples = step(Small(norm=True), precision="bfloat16"), batch()
    whole = ours.evaluate(examples)
    alone = Batch(np.asarray(examples.items)[7:8], examples.labels[7:8], examples.indices[7:8])
    assert whole.dtype == np.float32
    assert whole.shape == (EXAMPLES, CLASSES)
    assert np.array_equal(ours.evaluate(alone)[0], whole[7])


def test_divergence_is_passed_on() -> None:
    """The loop looks for it; the step neither hides it nor fails."""
    ours = step()
    for number in range(6):
        sums = ours(batch(), at(number, rate=1e30))
    assert not np.isfinite(float(sums["loss"]))


def test_the_first_update_does_not_load_the_compiler() -> None:
    """It takes a second, and nothing here is compiled."""
    program = (
        "import sys; from tests.training.torch.small import *; "
        "[step(optimizer=name)(batch(), at(0)) for name in ('nesterov', 'adamw')]; "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_frozen_parameters_stay() -> None:
    module = Small()
    module.conv.weight.requires_grad_(False)
    ours = step(module, optimizer="adam")
    before = module.conv.weight.clone()
    ours(batch(), at(0))
    assert torch.equal(module.conv.weight, before)
    assert not [name for name in ours.state() if name.endswith("conv.weight")], "nothing to resume"
    assert "optimiser.conv.weight.mean" not in ours.state()


def test_every_update_is_in_training_mode_whatever_was_evaluated_before() -> None:
    module = Small()
    ours = step(module)
    seen: list[bool] = []
    module.conv.register_forward_hook(lambda layer, *_: seen.append(layer.training))
    for before in (lambda: None, module.eval, module.conv.eval):  # of all, of a part
        before()
        ours(batch(), at(0))
    ours.evaluate(batch())
    assert seen[:3] == [True] * 3
    assert not any(seen[3:])


def test_label_smoothing_is_torchs() -> None:
    module, examples = Small(), batch()
    ours = step(module, label_smoothing=0.2)
    with torch.no_grad():
        logits = module(inference(module).pixels(torch.from_numpy(examples.items)))
        labels = torch.from_numpy(examples.labels)
        loss = cross_entropy(logits, labels, reduction="sum", label_smoothing=0.2).item()
    assert float(ours(examples, at(0))["loss"]) == pytest.approx(loss, rel=1e-6)


FOLLOWING: dict[str, dict[str, Any]] = {
    "lookahead": {"lookahead": {"every": 2}},
    "average": {"averaging": {"decay": 0.5}},
    "both": {"lookahead": {"every": 2}, "averaging": {"decay": 0.5, "every": 2}},
}


@pytest.mark.parametrize("name", FOLLOWING)
def test_what_follows_is_evaluated_and_kept(name: str) -> None:
    module = Small(norm=True)
    ours, examples = step(module, **FOLLOWING[name]), batch()
    images = np.asarray(examples.items)
    for number in range(5):
        ours(examples, at(number))
    state, found = ours.state(), ours.evaluate(examples)
    prefix = "lookahead" if name == "lookahead" else "average"
    assert not np.array_equal(state[f"{prefix}.conv.weight"], state["network.conv.weight"])
    assert not np.array_equal(inference(module).probabilities(images), found)
    ours.keep()
    assert np.array_equal(inference(module).probabilities(images), found)
    kept = ours.state()["network.conv.weight"]
    assert np.array_equal(kept, state[f"{prefix}.conv.weight"])
    ours.keep()
    assert np.array_equal(ours.evaluate(examples), found)


def test_before_averaging_begins_the_weights_themselves_are_evaluated() -> None:
    plain, later = step(), step(averaging={"start": 1})
    for ours in (plain, later):
        ours(batch(), at(0))
    assert np.array_equal(plain.evaluate(batch()), later.evaluate(batch()))
    later(batch(), Position(1, 1, 0.1))
    later(batch(), Position(2, 1, 0.1))
    state = later.state()
    assert not np.array_equal(state["average.conv.weight"], state["network.conv.weight"])


def test_averaging_leaves_training_as_it_is() -> None:
    plain, averaged = step(Small(norm=True)), step(Small(norm=True), averaging={})
    for number in range(3):
        plain(batch(), at(number))
        averaged(batch(), at(number))
    state = averaged.state()
    assert same({n: a for n, a in state.items() if not n.startswith("average.")}, plain.state())


def mixed(seed: int = 0, module: nn.Module | None = None, **settings: Any) -> TorchStep:
    """A step that blends, over the examples of `batch`."""
    module = module or Small()
    streams, examples = Streams(seed), batch()
    ready = inference(module)
    initialise(module, streams)
    draws = Draws(AugmentationSettings(flip=True, mixup=0.4), SHAPE, EXAMPLES, streams)
    ids = np.arange(EXAMPLES).astype(np.str_)
    mixing = Mixing(draws, Examples(np.asarray(examples.items), examples.labels, ids), CPU)
    augmentation = Augmentation(draws, np.zeros(3, np.float32), CPU)
    training = TrainingSettings.parse({"epochs": 1} | settings)
    return TorchStep(ready, training, streams, augmentation, mixing=mixing)


def test_blended_examples_are_those_of_the_formula() -> None:
    """Both images are changed by their own draws; hits count by shares."""
    module, examples = Small(), batch()
    ours = mixed(module=module)
    draws = Draws(AugmentationSettings(flip=True, mixup=0.4), SHAPE, EXAMPLES, Streams(0))
    items = np.asarray(examples.items)
    images = np.where(draws.mirrored(0)[:, None, None, None], items[:, :, ::-1], items)
    partners, shares = draws.partners(0), torch.from_numpy(draws.shares(0))
    with torch.no_grad():
        inputs = inference(module).pixels(torch.from_numpy(images))
        weights = shares[:, None, None, None]
        logits = module(weights * inputs + (1 - weights) * inputs[partners])
        labels = torch.from_numpy(examples.labels)
        own, other = (
            cross_entropy(logits, some, reduction="none") for some in (labels, labels[partners])
        )
        loss = (shares * own + (1 - shares) * other).sum().item()
        guesses = logits.argmax(1)
        right = shares * (guesses == labels) + (1 - shares) * (guesses == labels[partners])
    sums = ours(examples, at(0))
    assert float(sums["loss"]) == pytest.approx(loss, rel=1e-5)
    assert float(sums["correct"]) == pytest.approx(right.sum().item(), rel=1e-6)
    assert sums["count"] == EXAMPLES


@pytest.mark.parametrize("parts", [2, 5])
def test_blended_parts_make_the_update_of_the_whole(parts: int) -> None:
    whole, cut = mixed(label_smoothing=0.1), mixed(label_smoothing=0.1)
    one, other = whole(batch(), at(0)), cut(batch(), at(0, parts))
    assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=1e-6)
    for name, values in whole.state().items():
        np.testing.assert_allclose(cut.state()[name], values, rtol=1e-5, atol=1e-6)


def test_state_of_everything_together_goes_round_exactly() -> None:
    settings: dict[str, Any] = {"optimizer": "muon", "label_smoothing": 0.1} | FOLLOWING["both"]

    def fresh() -> TorchStep:
        return mixed(module=Small(norm=True, dropout=0.3), **settings)

    unbroken = fresh()
    for number in range(3):
        unbroken(batch(), at(number))
    resumed = fresh()
    resumed.load(unbroken.state())
    for ours in (unbroken, resumed):
        for number in range(3, 6):
            ours(batch(), at(number))
    assert same(unbroken.state(), resumed.state())
    assert np.array_equal(unbroken.evaluate(batch()), resumed.evaluate(batch()))
