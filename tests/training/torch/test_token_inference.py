"""A network at work on sequences: an answer depends on its own sequence alone."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from bakeoff.core.recipe import Numerics
from bakeoff.core.streams import Streams
from bakeoff.models.recurrent import Recurrent
from bakeoff.models.settings import RecurrentSettings
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.token_inference import TokenInference, cut_to, drawn, inference_on


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[(None, 8), (4, 16)], ids=["by tokens", "by rows"])
def network(request: pytest.FixtureRequest) -> TokenInference:
    rows, multiple = request.param
    with torch.random.fork_rng([]):
        module = Recurrent(RecurrentSettings(embedding=8, hidden=8), 40, 3)
    initialise(module, Streams(0))
    return TokenInference(module, torch.device("cpu"), "float32", rows=rows, multiple=multiple)


def sequences(count: int = 30, width: int = 20) -> np.ndarray:
    generator = np.random.default_rng(3)
    ids = generator.integers(0, 40, (count, width), np.int32)
    ids[np.arange(width) >= generator.integers(1, width + 1, count)[:, None]] = -1
    return ids


def test_neither_order_nor_company_nor_padding_change_a_bit(network: TokenInference) -> None:
    ids = sequences()
    whole = network.outputs(ids)
    order = np.random.default_rng(0).permutation(len(ids))
    np.testing.assert_array_equal(network.outputs(ids[order]), whole[order])
    for row in (0, 7, 29):
        np.testing.assert_array_equal(network.outputs(ids[row : row + 1]), whole[row : row + 1])
    np.testing.assert_array_equal(network.outputs(cut_to(ids, 32)), whole)
    other = network.of(network.module)
    np.testing.assert_array_equal(other.outputs(ids), whole)


def test_no_sequences_and_probabilities(network: TokenInference) -> None:
    assert network.outputs(np.zeros((0, 0), np.int32)).shape == (0, 3)
    found = network.probabilities(sequences(5))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)


def test_drawn_sequences_differ_and_fit_their_width() -> None:
    ids = drawn(10, 16)
    lengths = (ids >= 0).sum(axis=1)
    assert lengths.min() > 8
    assert lengths.max() <= 16
    assert len(np.unique(ids, axis=0)) == 10


def test_on_the_device_asked_for() -> None:
    with torch.random.fork_rng([]):
        module = Recurrent(RecurrentSettings(embedding=2, hidden=2), 4, 2)
    made = inference_on(module, Numerics(device="cpu", precision="float32"))
    assert (made.device.type, made.precision) == ("cpu", "float32")
