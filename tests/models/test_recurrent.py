"""The recurrent network: closed forms, padding that changes nothing, both directions."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from bakeoff.core.streams import Streams
from bakeoff.models.macs import profile
from bakeoff.models.recurrent import Recurrent, mirrored
from bakeoff.models.settings import RecurrentSettings
from bakeoff.training.torch.initialise import initialise

CELLS = {"rnn": 1, "gru": 3, "lstm": 4}
"""Gates of each."""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(**fields: Any) -> Recurrent:
    settings = RecurrentSettings.parse({"embedding": 5, "hidden": 4} | fields)
    with torch.random.fork_rng([]):
        module = Recurrent(settings, 30, 3)
    initialise(module, Streams(0), {"output": "lecun"})
    return module.double().eval()


def ids(*lengths: int, width: int = 9) -> torch.Tensor:
    found = np.random.default_rng(0).integers(0, 30, (len(lengths), width))
    found[np.arange(width) >= np.array(lengths)[:, None]] = -1
    return torch.from_numpy(found)


every_network = pytest.mark.parametrize(
    "fields",
    [
        {"cell": cell, "pooling": pooling, "bidirectional": both, "layers": layers}
        for cell, layers in (("lstm", 2), ("gru", 1), ("rnn", 1))
        for pooling in ("last", "mean", "max")
        for both in (False, True)
    ],
    ids=lambda f: "-".join(map(str, f.values())),
)


@every_network
def test_padding_and_neighbours_change_nothing(fields: dict[str, Any]) -> None:
    module, batch = network(**fields), ids(9, 4, 1)
    with torch.no_grad():
        together = module(batch)
        alone = [module(row[row >= 0][None]) for row in batch]
        wider = module(torch.nn.functional.pad(batch, (0, 5), value=-1))
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-12)
    torch.testing.assert_close(together, wider, rtol=0, atol=1e-12)


@every_network
def test_packed_passes_give_the_same_numbers_and_gradients(fields: dict[str, Any]) -> None:
    module, batch = network(**fields, dropout=0), ids(4, 9, 1)
    module.train()
    gradients = []
    for packed in (False, True):
        module.packed = packed
        module.zero_grad()
        outputs = module(batch)
        outputs.square().sum().backward()
        gradients.append([outputs, *(p.grad for p in module.parameters())])
    for ours, theirs in zip(*gradients, strict=True):
        assert ours is not None
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_the_last_state_is_that_of_the_last_word() -> None:
    module, batch = network(pooling="last", bidirectional=False), ids(3, 5)
    with torch.no_grad():
        cell = module.get_submodule("layers.0.0.cell")
        for row in batch:
            words = row[row >= 0]
            states, _ = cell(module.embedding(words)[None])
            torch.testing.assert_close(module.features(row[None]), states[:, -1])


def test_the_backward_direction_has_read_all_words_at_the_first() -> None:
    module = network(pooling="last")
    batch = ids(6, 6)
    changed = batch.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 30
    with torch.no_grad():
        before, after = module.features(batch), module.features(changed)
    assert not torch.isclose(before[:, 4:], after[:, 4:]).any()


def test_turned_round_within_each_sequence() -> None:
    sequences = torch.arange(8.0).reshape(2, 4, 1)
    turned = mirrored(sequences, torch.tensor([4, 2]))
    assert turned[:, :, 0].tolist() == [[3, 2, 1, 0], [5, 4, 6, 7]]


@pytest.mark.parametrize(("cell", "gates"), CELLS.items())
@pytest.mark.parametrize("both", [False, True])
def test_parameters_and_macs_in_closed_form(cell: str, gates: int, both: bool) -> None:
    module = network(cell=cell, bidirectional=both, layers=2)
    rows = profile(module.float(), (7,), torch.int64)
    ways = 2 if both else 1
    first, second = gates * 4 * (5 + 4), gates * 4 * (4 * ways + 4)
    biases = 2 * gates * 4
    products = ways * (first + second)
    parameters = 30 * 5 + products + 2 * ways * biases + 3 * (4 * ways) + 3
    assert sum(row.parameters for row in rows) == parameters
    assert sum(row.macs for row in rows) == 7 * products + 3 * 4 * ways
    assert next(row.macs for row in rows if row.name == "embedding") == 0
