"""Generated sets hold what their descriptions state."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.recipe import DataSettings
from bakeoff.core.streams import Streams
from bakeoff.data import generated as sets
from bakeoff.data.dataset import Dataset
from bakeoff.data.splits import draw

NOWHERE = Path("nowhere")


def test_two_inputs_are_as_stated() -> None:
    dataset = sets.load_two_inputs(NOWHERE)
    items, targets = dataset.train.items, dataset.train.labels
    found = np.linalg.eigvalsh(np.cov(np.asarray(items).T))
    np.testing.assert_allclose(found, sorted(sets.TWO_EIGENVALUES), rtol=0.1)
    weights = np.linalg.lstsq(np.asarray(items), targets, rcond=None)[0]
    np.testing.assert_allclose(weights, sets.TWO_WEIGHTS, atol=0.05)
    assert dataset.test is not None
    assert dataset.clean is not None
    noise = dataset.test.labels - dataset.clean
    assert noise.std() == pytest.approx(sets.TWO_NOISE_SD, rel=0.1)


def test_the_unknown_system_can_be_identified() -> None:
    dataset = sets.load_system_identification(NOWHERE)
    items = np.asarray(dataset.train.items)
    weights = np.linalg.lstsq(items, dataset.train.labels, rcond=None)[0]
    np.testing.assert_allclose(weights, sets.SYSTEM, atol=0.02)


def test_what_cancelling_leaves_is_the_signal() -> None:
    dataset = sets.load_noise_cancelling(NOWHERE)
    assert dataset.test is not None
    assert dataset.clean is not None
    items = np.asarray(dataset.train.items)
    weights = np.linalg.lstsq(items, dataset.train.labels, rcond=None)[0]
    left = dataset.test.labels - np.asarray(dataset.test.items) @ weights
    before = np.square(dataset.test.labels - dataset.clean).mean()
    assert np.square(left - dataset.clean).mean() < before / 100


def test_a_delay_line_holds_the_newest_first() -> None:
    line = sets.delay_line(np.arange(6.0), 3)
    assert line.tolist() == [[2, 1, 0], [3, 2, 1], [4, 3, 2], [5, 4, 3]]


@pytest.mark.parametrize("load", [sets.load_system_identification, sets.load_noise_cancelling])
def test_time_is_kept(load: Callable[[Path], Dataset]) -> None:
    """Train comes first, validation after it, test last; every row follows the one before."""
    dataset = load(NOWHERE)
    items = np.asarray(dataset.train.items)
    np.testing.assert_array_equal(items[1:, 1:], items[:-1, :-1])
    for seed in (0, 1):
        split = draw(dataset, DataSettings(set=dataset.name), Streams(seed))
        assert split.train.tolist() == list(range(len(split.train)))
        assert split.validation[0] == len(split.train)
        assert len(split.train) + len(split.validation) == len(dataset.train)
    small = draw(dataset, DataSettings(set=dataset.name, labels=100), Streams(0))
    assert small.train.tolist() == list(range(split.train[-1] - 99, split.train[-1] + 1))
