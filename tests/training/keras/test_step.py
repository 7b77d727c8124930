"""A step: sums of loss and hits, parts, state, and one trace for batches of every size."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.training.keras.small import IMAGES, LABELS, at, batch, inference, step, variables

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Position
from bakeoff.training.keras.library import tf
from bakeoff.training.keras.step import Learning


def test_sums_are_those_of_the_weights_before() -> None:
    made = inference()
    probabilities = made.probabilities(IMAGES[:16]).astype(np.float64)
    found = step(made)(batch(), at())
    expected = -np.log(probabilities[np.arange(16), LABELS[:16]]).sum()
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["correct"] == (probabilities.argmax(axis=1) == LABELS[:16]).sum()
    assert found["count"] == 16


def test_the_loss_falls() -> None:
    made = inference()
    taken = step(made, learning_rate=0.1)
    losses = [float(taken(batch(), at(i))["loss"]) for i in range(40)]
    assert losses[-1] < losses[0] / 2


def test_a_shorter_batch_is_not_traced_anew() -> None:
    traces = []

    def loss(labels: object, logits: object) -> object:
        traces.append(1)  # runs when the graph is made
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    taken = step(inference(), Learning(loss=loss))
    for number, size in enumerate((16, 7, 1, 16)):
        assert taken(batch(size=size), at(number))["count"] == size
    assert len(traces) == 1


def test_parts_add_up_and_are_told_where_they_are() -> None:
    told: list[Position] = []
    whole, cut = inference(), inference()
    step(whole)(batch(), at())
    step(cut, Learning(on_pass=told.append))(batch(), at(parts=3))
    for path, variable in variables(whole).items():
        np.testing.assert_allclose(variables(cut)[path], variable, rtol=1e-5, atol=1e-7)
    assert [(p.first, p.examples) for p in told] == [(0, 16), (6, 16), (12, 16)]


def test_augmentation_is_given_what_it_draws_by() -> None:
    asked = []

    def black(
        images: NDArray[np.uint8], indices: NDArray[np.intp], epoch: int
    ) -> NDArray[np.uint8]:
        asked.append((indices.tolist(), epoch))
        return np.zeros_like(images)

    made = inference()
    expected = -np.log(made.probabilities(np.zeros_like(IMAGES[:1]))[0, LABELS[:4]]).sum()
    found = step(made, Learning(augmentation=black))(batch(size=4), at())
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert asked == [([0, 1, 2, 3], 0)]


def test_a_state_put_back_goes_on_to_the_bit() -> None:
    first = step(inference(), optimizer="adam", l2=0.01)
    first(batch(), at())
    state = first.state()
    second = step(inference(), optimizer="adam", l2=0.01)
    second.load(state)
    for taken in (first, second):
        taken(batch(16), at(1))
    found = second.state()
    for name, values in first.state().items():
        assert found[name].tobytes() == values.tobytes(), name
        assert name == "optimiser.updates" or values.dtype == np.float32
    assert found["optimiser.updates"].tolist() == [2]


def test_a_state_of_another_network_is_refused_whole() -> None:
    taken = step(inference())
    state = taken.state()
    wrong = dict(state)
    name = next(name for name in wrong if name.startswith("network."))
    wrong[name] = wrong[name][:1]
    with pytest.raises(InputError, match="do not belong to this model"):
        taken.load(wrong)
    for path, values in taken.state().items():
        assert values.tobytes() == state[path].tobytes()


def test_evaluation_is_the_predictors() -> None:
    made = inference()
    assert step(made).evaluate(batch()).tobytes() == made.probabilities(IMAGES[:16]).tobytes()
