"""When vectors lie at one point, by the precision that computed them."""

import numpy as np
import torch

from bakeoff.core.collapse import at_one_point
from bakeoff.techniques.cnn import Cnn
from bakeoff.techniques.cnn import CnnSettings as Settings

VECTORS = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)


def test_one_point() -> None:
    assert at_one_point(np.full((9, 4), 7, np.float32))
    assert at_one_point(np.zeros((9, 4), np.float32))
    assert not at_one_point(VECTORS)
    assert not at_one_point(VECTORS, "bfloat16")
    assert at_one_point(1 + 1e-4 * VECTORS)
    assert not at_one_point(1 + 2e-3 * VECTORS)
    assert at_one_point(1 + 2e-3 * VECTORS, "bfloat16"), "rounding alone could do that"


def test_what_is_not_finite_is_no_point() -> None:
    broken = VECTORS.copy()
    broken[3, 1] = np.inf
    assert not at_one_point(broken)


def test_rounding_does_not_hide_a_near_collapse() -> None:
    """A network whose first layer lets next to nothing through, in both precisions."""
    torch.set_num_threads(1)
    settings = Settings.parse({"model": {"name": "mlp", "hidden": [64, 64, 64]}})
    predictor = Cnn().untrained(settings, (8, 8, 1), 10)
    first = next(m for m in predictor.inference.module.modules() if isinstance(m, torch.nn.Linear))
    first.weight.data *= 1e-3
    first.bias.data = torch.linspace(0.5, 1, len(first.bias))
    items = np.random.default_rng(1).integers(0, 256, (100, 8, 8, 1), np.uint8)
    predictor.inference.compute_in("float32")
    assert at_one_point(predictor.represent(items))
    predictor.inference.compute_in("bfloat16")
    noisy = predictor.represent(items)
    assert not at_one_point(noisy), "rounding looks like a difference"
    assert at_one_point(noisy, "bfloat16")
