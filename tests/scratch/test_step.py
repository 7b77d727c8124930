"""The step: sums, parts, learning, exact resumption, divergence; evaluation in any batches."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.protocols import Batch, Normaliser, Position
from bakeoff.core.softmax import softmax
from bakeoff.core.streams import Streams
from bakeoff.scratch.augmentation import Augmentation
from bakeoff.scratch.convolutional import Block, convolutional
from bakeoff.scratch.losses import Hinge
from bakeoff.scratch.memory import Array
from bakeoff.scratch.network import Sequence, initialise, perceptron
from bakeoff.scratch.optimisers import Name, optimiser
from bakeoff.scratch.step import BLOCK, CHUNK, Evaluator, Inputs, NumpyStep, Pixels

SHAPE = (5, 4, 3)
CLASSES = 4
CHANNELS = Normaliser(np.array([0.4, 0.5, 0.6], np.float32), np.array([0.2, 0.25, 0.3], np.float32))


def images(count: int, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def batch(count: int, seed: int = 0) -> Batch:
    labels = np.random.default_rng(seed + 1).integers(0, CLASSES, count)
    return Batch(images(count, seed=seed), labels, np.arange(count))


def built(seed: int = 0, name: Name = "adam", l2: float = 1e-3) -> tuple[Sequence, NumpyStep]:
    network = perceptron(SHAPE, (7,), CLASSES)
    initialise(network, Streams(seed))
    step = NumpyStep(network, optimiser(name, network, l2), Pixels(CHANNELS, SHAPE))
    return network, step


def at(number: int, rate: float = 0.01, parts: int = 1) -> Position:
    return Position(step=number, epoch=0, learning_rate=rate, parts=parts)


def bits(network: Sequence) -> bytes:
    return b"".join(values.tobytes() for values in network.parameters.values())


@pytest.mark.parametrize("shape", [(3,), SHAPE], ids=["channel", "feature"])
@pytest.mark.parametrize("size", [SHAPE, (40, 41, 3)], ids=["small", "more than a block"])
def test_pixels_have_the_bits_of_the_normaliser(
    shape: tuple[int, ...], size: tuple[int, ...]
) -> None:
    generator = np.random.default_rng(0)
    shape = size if shape == SHAPE else shape
    mean = generator.uniform(0.3, 0.7, shape).astype(np.float32)
    sd = generator.uniform(0.1, 0.4, shape).astype(np.float32)
    normaliser, pixels = Normaliser(mean, sd), images(BLOCK // (40 * 41 * 3) + 3, size)
    out = np.empty((len(pixels), int(np.prod(size))), np.float32)
    Pixels(normaliser, size).write(pixels, out)
    np.testing.assert_array_equal(out.reshape(pixels.shape), normaliser(pixels))


def test_raw_pixels_are_cast_and_no_more() -> None:
    some = images(5)
    out = np.empty((5, 60), np.float32)
    Inputs(SHAPE).write(some, out)
    np.testing.assert_array_equal(out, some.reshape(5, 60))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrices_of_numbers_are_learnt_from(dtype: type[np.floating[Any]]) -> None:
    network = perceptron((6,), (5,), CLASSES, dtype)
    initialise(network, Streams(0))
    step = NumpyStep(network, optimiser("adam", network), Inputs((6,), dtype))
    generator = np.random.default_rng(0)
    rows, labels = generator.standard_normal((40, 6)), generator.integers(0, CLASSES, 40)
    some = Batch(rows, labels, np.arange(40))
    before = step.evaluate(some)
    logits = network.forward(rows.astype(dtype)).copy()
    np.testing.assert_allclose(before, softmax(logits), rtol=20 * float(np.finfo(dtype).eps))
    losses = [step(some, at(number, 0.03))["loss"] for number in range(50)]
    assert before.dtype == dtype
    assert losses[-1] < 0.6 * losses[0]


def test_sums_are_those_before_the_update() -> None:
    network, step = built()
    some = batch(9)
    logits = network.forward(CHANNELS(np.asarray(some.items))).copy()
    chosen = softmax(logits.astype(np.float64))[np.arange(9), some.labels]
    before = bits(network)
    sums = step(some, at(0))
    assert sums.keys() == {"loss", "correct", "count"}
    assert sums["loss"] == pytest.approx(-np.log(chosen).sum(), rel=1e-5)
    assert sums["correct"] == (logits.argmax(axis=1) == some.labels).sum()
    assert sums["count"] == 9
    assert bits(network) != before


@pytest.mark.parametrize("parts", [2, 3, 5, 12, 40])
def test_parts_make_the_update_of_the_whole_batch(parts: int) -> None:
    whole, whole_step = built(name="momentum")
    cut, cut_step = built(name="momentum")
    for number in range(3):
        expected = whole_step(batch(12, number), at(number))
        sums = cut_step(batch(12, number), at(number, parts=parts))
        assert sums["loss"] == pytest.approx(expected["loss"], rel=1e-5)
        assert (sums["correct"], sums["count"]) == (expected["correct"], 12)
    for path, values in whole.parameters.items():
        np.testing.assert_allclose(cut.parameters[path], values, rtol=1e-4, atol=1e-7)


def test_one_batch_is_learnt_by_heart() -> None:
    _, step = built(l2=0.0)
    some = batch(16)
    sums = [step(some, at(number, 0.03)) for number in range(300)]
    assert sums[-1]["correct"] == 16
    assert sums[-1]["loss"] / 16 < 0.01 < sums[0]["loss"] / 16
    np.testing.assert_array_equal(step.evaluate(some).argmax(axis=1), some.labels)


def test_same_seed_same_bits() -> None:
    (one, one_step), (two, two_step), (other, other_step) = built(3), built(3), built(4)
    for number in range(5):
        for step in (one_step, two_step, other_step):
            step(batch(8, number), at(number))
    assert bits(one) == bits(two) != bits(other)


def test_evaluation_changes_nothing() -> None:
    one, one_step = built()
    two, two_step = built()
    for number in range(4):
        one_step(batch(8, number), at(number))
        two_step.evaluate(batch(3 * CHUNK + 1, 50))
        two_step(batch(8, number), at(number))
    assert bits(one) == bits(two)


def test_going_on_from_a_state_gives_the_same_bits() -> None:
    network, step = built()
    for number in range(3):
        step(batch(8, number), at(number))
    state = step.state()
    for number in range(3, 6):
        step(batch(8, number), at(number))

    other, again = built(seed=9)
    memory = other.parameters["output.weight"]
    again.load(state)
    assert other.parameters["output.weight"] is memory
    for number in range(3, 6):
        again(batch(8, number), at(number))
    assert bits(network) == bits(other)
    assert {n: a.tobytes() for n, a in step.state().items()} == {
        n: a.tobytes() for n, a in again.state().items()
    }


def test_a_state_is_a_copy() -> None:
    network, step = built()
    state = step.state()
    before = {name: values.copy() for name, values in state.items()}
    step(batch(8), at(0))
    for name, values in state.items():
        np.testing.assert_array_equal(values, before[name])
        assert not any(np.shares_memory(values, p) for p in network.parameters.values())


def test_divergence_flows_into_the_loss_without_warnings() -> None:
    network, step = built(name="sgd")
    losses = [step(batch(8), at(number, rate=1e30))["loss"] for number in range(4)]
    assert np.isfinite(losses[0])
    assert not np.isfinite(losses[-1])
    assert np.isnan(step.evaluate(batch(5))).any()
    network.parameters["hidden-1.weight"][0, 0] = np.nan
    assert np.isnan(step(batch(8), at(4))["loss"])


@pytest.mark.parametrize("kind", ["perceptron", "convolutional", "softmax"])
def test_probabilities_do_not_depend_on_how_images_are_batched(kind: str) -> None:
    shape = (16, 16, 3)
    network = {
        "perceptron": lambda: perceptron(shape, (33, 20), 7),
        "convolutional": lambda: convolutional(shape, (Block(9, 2), Block(20)), (11,), 7),
        "softmax": lambda: perceptron(shape, (), 7),
    }[kind]()
    initialise(network, Streams(0))
    evaluator = Evaluator(network, Pixels(CHANNELS, shape))
    some = images(2 * CHUNK + 17, shape)
    whole = evaluator.probabilities(some)
    assert whole.shape == (len(some), 7)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole.sum(axis=1), 1, rtol=1e-6)
    for size in (1, 2, 37, CHUNK, CHUNK + 1):
        parts = [evaluator.probabilities(some[i : i + size]) for i in range(0, len(some), size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    order = np.random.default_rng(0).permutation(len(some))
    np.testing.assert_array_equal(evaluator.probabilities(some[order]), whole[order])


class Placed(Sequence):
    """A network whose outputs depend on a row's place from the fourth one on, as with some BLAS."""

    def forward(self, inputs: Array, at: Position | None = None) -> Array:
        """The outputs, with a fault."""
        outputs = super().forward(inputs, at)
        outputs[4:] = np.nextafter(outputs[4:], np.inf)
        return outputs


def test_a_pass_is_as_long_as_places_do_not_matter() -> None:
    network = perceptron(SHAPE, (7,), CLASSES)
    initialise(network, Streams(0))
    some = images(21)
    expected = Evaluator(network, Pixels(CHANNELS, SHAPE)).outputs(some)
    placed = Evaluator(Placed(network.children), Pixels(CHANNELS, SHAPE)).outputs(some)
    np.testing.assert_allclose(placed, expected, rtol=1e-5, atol=1e-6)
    order = np.arange(21)[::-1]
    again = Evaluator(Placed(network.children), Pixels(CHANNELS, SHAPE)).outputs(some[order])
    np.testing.assert_array_equal(again, placed[order])


def test_no_images_no_probabilities() -> None:
    _, step = built()
    assert step.evaluate(batch(0)).shape == (0, CLASSES)


def augmented(parts: int) -> Sequence:
    """A network after three updates on changed images, with dropout and another loss."""
    network = perceptron(SHAPE, (7,), CLASSES, dropout=0.4, activation="swish")
    initialise(network, Streams(0))
    settings = AugmentationSettings(flip=True, crop=2)
    augmentation = Augmentation(Draws(settings, SHAPE, 12, Streams(0)), CHANNELS.mean)
    step = NumpyStep(
        network, optimiser("momentum", network), Pixels(CHANNELS, SHAPE), Hinge(), augmentation
    )
    for number in range(3):
        step(batch(12, number), at(number, 0.1, parts))
    return network


@pytest.mark.parametrize("parts", [2, 5, 12])
def test_parts_see_the_changes_and_masks_of_the_whole_batch(parts: int) -> None:
    whole, cut = augmented(1), augmented(parts)
    for path, values in whole.parameters.items():
        np.testing.assert_allclose(cut.parameters[path], values, rtol=1e-4, atol=1e-6)


def test_images_are_changed_before_they_are_learnt_from() -> None:
    """A step on changed images is the plain step on images that were changed before."""
    settings = AugmentationSettings(flip=True, crop=2)
    augmentation = Augmentation(Draws(settings, SHAPE, 9, Streams(0)), CHANNELS.mean)
    some = batch(9)
    changed = augmentation(np.asarray(some.items), some.indices, 0)
    (one, plain), (two, _) = built(), built()
    plain(Batch(changed, some.labels, some.indices), at(0))
    chosen = optimiser("adam", two, 1e-3)
    NumpyStep(two, chosen, Pixels(CHANNELS, SHAPE), None, augmentation)(some, at(0))
    assert bits(one) == bits(two)
    assert (changed != some.items).any()


def test_batch_norms_averages_are_state() -> None:
    def made() -> tuple[Sequence, NumpyStep]:
        network = perceptron(SHAPE, (7,), CLASSES, normalisation="batch")
        initialise(network, Streams(0))
        return network, NumpyStep(network, optimiser("sgd", network), Pixels(CHANNELS, SHAPE))

    (_, step), (network, again) = made(), made()
    for number in range(3):
        step(batch(8, number), at(number))
    again.load(step.state())
    some = batch(5, 9)
    np.testing.assert_array_equal(again.evaluate(some), step.evaluate(some))
    assert network.averages["batch-norm-1.running_mean"].any()
    assert not again.splittable
