"""One network in three frameworks: the same logits, losses, gradients, updates; weights both ways.

1e-5 is what is promised in float32. Every layer by itself is held against its counterparts in
float64, in the tests of the frameworks.
"""

from typing import Any, get_args

import numpy as np
import pytest
from tests.techniques.frameworks.same import (
    IMAGES,
    LABELS,
    NETWORKS,
    NORMALISER,
    SHAPE,
    STREAMS,
    at,
    batch,
    engine_of,
    everything,
    mlp,
    unchanged,
)

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.optimisers import names_in
from bakeoff.core.protocols import Batch
from bakeoff.core.recipe import Framework
from bakeoff.scratch.augmentation import Augmentation
from bakeoff.scratch.losses import SoftmaxCrossEntropy
from bakeoff.scratch.network import saved
from bakeoff.techniques.frameworks import Extras
from bakeoff.training.settings import TrainingSettings

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)
OTHERS = FRAMEWORKS[1:]
every_framework = pytest.mark.parametrize("framework", FRAMEWORKS)
every_other = pytest.mark.parametrize("framework", OTHERS)
every_network = pytest.mark.parametrize("network", NETWORKS)


def settings(**changes: Any) -> TrainingSettings:
    return TrainingSettings.parse({"epochs": 1, "optimizer": "sgd", **changes})


@every_network
@every_other
def test_logits_and_probabilities(framework: Framework, network: str) -> None:
    here = NETWORKS[network]()
    expected = engine_of("numpy", here)
    with unchanged(here):
        found = engine_of(framework, here)
        np.testing.assert_allclose(
            found.outputs(IMAGES), expected.outputs(IMAGES), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(
            found.probabilities(IMAGES), expected.probabilities(IMAGES), rtol=1e-5, atol=1e-5
        )


@every_network
@every_other
def test_losses_and_gradients(framework: Framework, network: str) -> None:
    """Plain descent at rate 1 moves each parameter by its gradient."""
    here, there = NETWORKS[network](), NETWORKS[network]()
    before = {path: values.copy() for path, values in here.parameters.items()}
    steps = [engine_of("numpy", here), engine_of(framework, there)]
    losses = [e.step(settings(), STREAMS)(batch(0), at(0, rate=1.0)) for e in steps]
    steps[1].keep()
    assert float(losses[1]["loss"]) == pytest.approx(float(losses[0]["loss"]), rel=1e-5)
    assert int(losses[1]["correct"]) == int(losses[0]["correct"])
    for path, start in before.items():
        expected, found = (start - network.parameters[path] for network in (here, there))
        np.testing.assert_allclose(found, expected, err_msg=path, rtol=1e-5, atol=1e-5)
        assert np.abs(expected).max() > 1e-4 or network == "everything", path


def test_the_gradient_of_the_loss_is_what_a_step_of_rate_1_takes() -> None:
    """So that the test above is about gradients."""
    network = mlp()
    before = {path: values.copy() for path, values in network.parameters.items()}
    engine_of("numpy", network).step(settings(), STREAMS)(batch(0), at(0, rate=1.0))
    fresh, loss = mlp(), SoftmaxCrossEntropy()
    loss.forward(fresh.forward(NORMALISER(IMAGES[:16])), LABELS[:16])
    fresh.backward(loss.backward(16))
    for path, gradient in fresh.gradients.items():
        np.testing.assert_allclose(before[path] - network.parameters[path], gradient, atol=1e-6)


@every_other
@pytest.mark.parametrize("optimizer", names_in("numpy"))
def test_optimisers(framework: Framework, optimizer: str) -> None:
    """With every penalty, over six updates whose rate changes."""
    chosen = settings(optimizer=optimizer, l2=0.02, l1=0.001, max_norm=0.9, clip=0.5)
    here, there = mlp(), mlp()
    rate = 0.002 if optimizer in ("rmsprop", "adam", "adamw") else 0.05
    for name, network in (("numpy", here), (framework, there)):
        working = engine_of(name, network)  # type: ignore[arg-type]
        step = working.step(chosen, STREAMS)
        for number in range(6):
            step(batch(number), at(number, rate=rate / (1 + number)))
        working.keep()
    for path, expected in here.parameters.items():
        np.testing.assert_allclose(
            there.parameters[path], expected, err_msg=path, rtol=1e-5, atol=1e-5
        )


@every_other
def test_dropout_and_running_averages_over_several_updates(framework: Framework) -> None:
    here, there = everything(), everything()
    for name, network in (("numpy", here), (framework, there)):
        working = engine_of(name, network)  # type: ignore[arg-type]
        step = working.step(settings(optimizer="momentum"), STREAMS)
        for number in range(4):
            step(batch(number), at(number, rate=0.01))
        working.keep()
    for path, expected in saved(here).items():
        np.testing.assert_allclose(saved(there)[path], expected, err_msg=path, rtol=1e-4, atol=2e-5)


@every_other
def test_hinge_and_augmentation(framework: Framework) -> None:
    changes = AugmentationSettings(flip=True, crop=2, cutout=3)
    here, there = mlp(), mlp()
    sums = []
    for name, network in (("numpy", here), (framework, there)):
        working = engine_of(name, network)  # type: ignore[arg-type]
        draws = Draws(changes, SHAPE, len(IMAGES), STREAMS)
        augmentation = Augmentation(draws, NORMALISER.mean)
        step = working.step(settings(), STREAMS, Extras("hinge", augmentation))
        sums.append([float(step(batch(i), at(i))["loss"]) for i in range(5)])
        working.keep()
    np.testing.assert_allclose(sums[1], sums[0], rtol=1e-5)
    for path, expected in here.parameters.items():
        np.testing.assert_allclose(
            there.parameters[path], expected, err_msg=path, rtol=1e-5, atol=1e-5
        )


@every_framework
def test_a_batch_in_parts_is_the_whole_batch(framework: Framework) -> None:
    whole, cut = mlp(), mlp()
    sums = []
    for network, parts in ((whole, 1), (cut, 3)):
        working = engine_of(framework, network)
        step = working.step(settings(optimizer="momentum", l2=0.01), STREAMS)
        assert step.splittable
        sums.append([float(step(batch(i), at(i, parts=parts))["loss"]) for i in range(3)])
        working.keep()
    np.testing.assert_allclose(sums[1], sums[0], rtol=1e-5)
    for path, expected in whole.parameters.items():
        np.testing.assert_allclose(
            cut.parameters[path], expected, err_msg=path, rtol=1e-5, atol=1e-5
        )
    assert not engine_of(framework, everything()).step(settings(), STREAMS).splittable


@every_network
@every_framework
def test_weights_go_there_and_back_to_the_bit(framework: Framework, network: str) -> None:
    here = NETWORKS[network]()
    generator = np.random.default_rng(1)
    for values in saved(here).values():
        values[...] = generator.random(values.shape) + 0.5
    kept = {path: values.copy() for path, values in saved(here).items()}
    working = engine_of(framework, here)
    for values in saved(here).values():
        values.fill(0)
    if framework != "numpy":
        working.keep()
        for path, values in saved(here).items():
            assert values.tobytes() == kept[path].tobytes(), path


@every_framework
def test_interrupted_anywhere_the_bits_are_the_same(framework: Framework) -> None:
    """The state put into a new step goes on as if nothing had happened."""
    for optimizer in names_in(framework):
        chosen = settings(optimizer=optimizer, l2=0.01)
        unbroken = engine_of(framework, everything()).step(chosen, STREAMS)
        for number in range(2):
            unbroken(batch(number), at(number))
        state = unbroken.state()
        resumed = engine_of(framework, everything()).step(chosen, STREAMS)
        resumed.load(state)
        for step in (unbroken, resumed):
            step(batch(2), at(2))
            step(batch(3, size=5), at(3))
        expected, found = unbroken.state(), resumed.state()
        assert expected.keys() == found.keys()
        for name, values in expected.items():
            assert found[name].tobytes() == values.tobytes(), (optimizer, name)
        assert any(values.tobytes() != state[name].tobytes() for name, values in expected.items())


@every_framework
def test_batches_change_no_bit_of_a_prediction(framework: Framework) -> None:
    working = engine_of(framework, everything())
    whole = working.probabilities(IMAGES)
    assert whole.dtype == np.float32
    parts = [working.probabilities(IMAGES[a:b]) for a, b in ((0, 1), (1, 40), (40, 70))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert working.probabilities(IMAGES[::-1])[::-1].tobytes() == whole.tobytes()
    assert working.probabilities(IMAGES[:0]).shape == (0, whole.shape[1])
    step = working.step(settings(), STREAMS)
    assert step.evaluate(batch(0)).tobytes() == whole[:16].tobytes()


@every_framework
def test_images_stay_images(framework: Framework) -> None:
    """Outputs before the flattening lie as the scratch network's do."""
    network = everything()
    expected = engine_of("numpy", network.until("flatten")).outputs(IMAGES)
    found = engine_of(framework, network.until("flatten")).outputs(IMAGES)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert found.flags.c_contiguous


@every_framework
def test_divergence_is_a_number_that_is_not_finite(framework: Framework) -> None:
    step = engine_of(framework, mlp()).step(settings(optimizer="momentum"), STREAMS)
    sums = [float(step(batch(i), at(i, rate=1e20))["loss"]) for i in range(6)]
    assert not np.isfinite(sums).all()


@every_other
def test_label_smoothing(framework: Framework) -> None:
    here, there = mlp(), mlp()
    sums = []
    for name, network in (("numpy", here), (framework, there)):
        working = engine_of(name, network)  # type: ignore[arg-type]
        step = working.step(settings(label_smoothing=0.2), STREAMS)
        sums.append([float(step(batch(i), at(i))["loss"]) for i in range(3)])
        working.keep()
    np.testing.assert_allclose(sums[1], sums[0], rtol=1e-5)
    plain = engine_of("numpy", mlp()).step(settings(), STREAMS)
    assert float(plain(batch(0), at(0))["loss"]) != sums[0][0]
    for path, expected in here.parameters.items():
        np.testing.assert_allclose(
            there.parameters[path], expected, err_msg=path, rtol=1e-5, atol=1e-5
        )


def test_averages_are_what_torch_hands_back() -> None:
    """What validated is what the scratch network is left with."""
    chosen = settings(optimizer="muon", lookahead={"every": 2}, averaging={"decay": 0.5})
    network = everything()
    working = engine_of("torch", network)
    step = working.step(chosen, STREAMS)
    for number in range(5):
        step(batch(number), at(number))
    validated = step.evaluate(Batch(IMAGES, LABELS, np.arange(len(LABELS))))
    working.keep()
    state = step.state()
    for path, values in saved(network).items():
        assert np.array_equal(values, state[f"average.{path}"]), path
    assert np.array_equal(working.probabilities(IMAGES), validated)
