"""Threads are set once, determinism is on, and neither NumPy nor torch feels it."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from tests.core.samples import environment

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import Numerics
from bakeoff.training.keras import numerics
from bakeoff.training.keras.library import tf

SETTLED = Numerics(device="cpu", precision="float32", threads=1)


def test_other_threads_are_refused_once_it_has_computed() -> None:
    tf.constant(1) + 1
    numerics.apply(SETTLED)
    with pytest.raises(InputError, match=r"numerics\.threads: 3 received.*computed with 1 in"):
        numerics.apply(SETTLED.model_copy(update={"threads": 3}))


def test_threads_in_a_process_of_its_own() -> None:
    program = (
        "from bakeoff.core.recipe import Numerics\n"
        "from bakeoff.training.keras import numerics\n"
        "asked = Numerics(device='cpu', precision='float32', threads=2)\n"
        "numerics.apply(asked)\n"
        "found = numerics.fingerprint(asked)\n"
        "print(found['tensorflow_threads'], found['deterministic'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True
    )
    assert done.stdout.split() == ["2", "True"], done.stderr


def test_the_fingerprint_says_what_bits_depend_on() -> None:
    found = numerics.fingerprint(SETTLED)
    assert found["tensorflow"] == tf.__version__
    assert found["keras"]
    assert found["tensorflow_threads"] == 1
    assert found["deterministic"] is True


def test_numpy_and_torch_compute_as_before() -> None:
    """Threads and subnormal numbers (which TensorFlow rounds to 0 in its own) stay theirs."""
    tiny = np.float32(1e-40)
    torch.set_num_threads(2)
    try:
        tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))
        numerics.apply(SETTLED)
        assert torch.get_num_threads() == 2
        assert np.multiply(tiny, np.float32(0.5)) > 0
        assert torch.tensor([1e-40]).mul(0.5).item() > 0
    finally:
        torch.set_num_threads(1)
