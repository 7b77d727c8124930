"""Training images on the device: the bits of those that batches bring, or a note that says why."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.training.torch.small import CLASSES, CPU, SHAPE, Small, inference

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Position
from bakeoff.core.streams import Streams
from bakeoff.data.batches import TrainingBatches
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch import resident
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.resident import reside
from bakeoff.training.torch.step import TorchStep
from bakeoff.training.torch.transforms import Augmentation

COUNT = 50


def examples() -> Examples:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (COUNT, *SHAPE), np.uint8)
    return Examples(images, generator.integers(0, CLASSES, COUNT), np.arange(COUNT).astype(str))


def trained(at_hand: bool, parts: int = 1, **changes: Any) -> dict[str, np.ndarray[Any, Any]]:
    """The state after two epochs."""
    given, streams = examples(), Streams(3)
    ready = inference(Small(dropout=0.2))
    initialise(ready.module, streams)
    draws = Draws(AugmentationSettings(**changes), SHAPE, COUNT, streams)
    augmentation = Augmentation(draws, np.full(3, 0.4, np.float32), CPU)
    kept = reside(given, CPU)[0] if at_hand else None
    training = TrainingSettings(epochs=2, batch_size=16)
    step = TorchStep(ready, training, streams, augmentation, resident=kept)
    batches = TrainingBatches(given, 16, streams, gather=not at_hand)
    for number in range(2 * batches.per_epoch):
        epoch, start = divmod(number, batches.per_epoch)
        some = next(batches.epoch(epoch, start))
        assert (len(some.items) == 0) is at_hand
        step(some, Position(number, epoch, 0.05, parts))
    return step.state()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"flip": True},
        {"crop": 2},
        {"cutout": 3},
        {"flip": "alternating", "crop": 3, "cutout": 4, "brightness": 0.3},
    ],
    ids=lambda changes: "-".join(changes) or "nothing",
)
@pytest.mark.parametrize("parts", [1, 3])
def test_bits_are_those_of_gathered_batches(changes: dict[str, Any], parts: int) -> None:
    gathered, at_hand = (trained(some, parts, **changes) for some in (False, True))
    assert gathered.keys() == at_hand.keys()
    assert all(np.array_equal(values, at_hand[name]) for name, values in gathered.items())


def test_a_cpu_shares_memory_and_copies_what_must_not_be_written_to() -> None:
    given = examples()
    images = np.asarray(given.items)
    kept, note = reside(given, CPU)
    assert kept is not None
    assert note is None
    assert kept.images.data_ptr() == images.ctypes.data
    images.flags.writeable = False
    kept, _ = reside(given, CPU)
    assert kept is not None
    assert kept.images.data_ptr() != images.ctypes.data
    assert np.array_equal(kept.images.numpy(), images)


def test_images_beyond_the_room_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    size = np.asarray(examples().items).nbytes
    monkeypatch.setattr(resident, "_room", lambda device: size)
    assert reside(examples(), CPU)[0] is not None
    monkeypatch.setattr(resident, "_room", lambda device: size - 1)
    kept, note = reside(examples(), CPU)
    assert kept is None
    assert note == (
        f"training images of {size:,} bytes stayed in the host's memory: they may take "
        f"{size - 1:,} bytes of the GPU's"
    )


def test_half_of_a_gpus_free_memory_is_for_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 4000))
    assert resident._room(torch.device("cuda")) == 500
    assert resident._room(CPU) is None
