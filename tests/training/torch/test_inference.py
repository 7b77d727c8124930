"""Predictions do not depend on how images are batched."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.training.torch.small import CLASSES, SHAPE, Small, batch, inference

from bakeoff.core.streams import Streams
from bakeoff.core.views import PredictionSettings
from bakeoff.training.torch.inference import Inference
from bakeoff.training.torch.initialise import initialise
from bakeoff.training.torch.views import seen


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("norm", [False, True])
def test_batches_do_not_matter(precision: Any, norm: bool) -> None:
    module = Small(norm=norm)
    initialise(module, Streams(0))
    ours = inference(module, precision)
    images = np.asarray(batch(2 * ours.pass_size + 5).items)
    whole = ours.probabilities(images)
    order = np.random.default_rng(0).permutation(len(images))
    assert np.array_equal(ours.probabilities(images[order]), whole[order])
    assert np.array_equal(ours.probabilities(images[9:12]), whole[9:12])
    np.testing.assert_allclose(whole.sum(axis=1), 1, rtol=1e-5)
    assert np.array_equal(ours.features(images[:3]), ours.features(images)[:3])


def test_shapes_and_types() -> None:
    ours = inference(Small(), "bfloat16")
    images = np.asarray(batch(3).items)
    assert ours.probabilities(images).shape == (3, CLASSES)
    assert ours.features(images).shape == (3, 10)
    assert ours.features(images).dtype == ours.probabilities(images).dtype == np.float32
    assert ours.probabilities(images[:0]).shape == (0, CLASSES)


def test_read_only_images_are_read() -> None:
    images = np.asarray(batch(3).items)
    images.flags.writeable = False
    assert inference(Small()).probabilities(images).shape == (3, CLASSES)


def test_passes_shrink_with_large_images() -> None:
    class Flat(torch.nn.Module):
        pass

    from bakeoff.core.protocols import Normaliser
    from bakeoff.training.torch.transforms import Pixels

    plain = Normaliser(np.zeros(1, np.float32), np.ones(1, np.float32))

    def size(side: int) -> int:
        pixels = Pixels(plain, (side, side, 1), torch.device("cpu"))
        return Inference(Flat(), pixels, "float32").pass_size

    assert [size(side) for side in (8, 64, 224, 2048)] == [128, 128, 20, 1]


def test_network_computes_in_its_precision_and_keeps_float32_weights() -> None:
    module = Small()
    seen = []
    module.conv.register_forward_hook(lambda layer, inputs, out: seen.append(out.dtype))
    inference(module, "bfloat16").probabilities(np.zeros((1, *SHAPE), np.uint8))
    inference(module, "float32").probabilities(np.zeros((1, *SHAPE), np.uint8))
    assert list(dict.fromkeys(seen)) == [torch.bfloat16, torch.float32]
    assert module.conv.weight.dtype == torch.float32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_views_are_averaged(precision: Any) -> None:
    module = Small(norm=True)
    initialise(module, Streams(0))
    prediction = PredictionSettings(mirror=True, shift=1)
    plain = inference(module, precision)
    ours = Inference(module, plain.pixels, precision, prediction)
    images = np.asarray(batch(ours.pass_size + 5).items)
    whole = ours.probabilities(images)
    given = torch.from_numpy(images)
    for compute, found in ((plain.outputs, ours.outputs), (plain.features, ours.features)):
        expected = sum(v.weight * compute(seen(given, v).numpy()) for v in prediction.views())
        np.testing.assert_allclose(found(images), expected, rtol=1e-5, atol=1e-5)
    logits = torch.from_numpy(ours.outputs(images))
    np.testing.assert_allclose(whole, torch.softmax(logits, 1).numpy(), rtol=1e-5, atol=1e-6)
    assert not np.array_equal(whole, plain.probabilities(images))
    assert np.array_equal(ours.of(module).probabilities(images), whole)


def test_it_moves_with_all_it_has() -> None:
    """To a device of shapes alone, which every machine has."""
    ours = inference(Small(), "float32")
    ours.move(torch.device("meta"))
    assert ours.device.type == ours.pixels.device.type == "meta"
    images = torch.zeros((2, *SHAPE), dtype=torch.uint8, device="meta")
    assert ours.module(ours.inputs(images)).shape == (2, CLASSES)
