"""Which kernels compute, and what they refuse."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from tests.core.samples import environment
from tests.scratch.layers.case import normal, to_inputs

from bakeoff.core.errors import InputError
from bakeoff.scratch import kernels
from bakeoff.scratch.kernels.rules import Numbers
from bakeoff.scratch.kernels.window import Window
from bakeoff.scratch.layers import Convolution, MaxPool

WINDOW = Window((2, 2))
BUILT = kernels._load("auto")[0] is not kernels.numpy_kernels
PROBE = (
    "import os, sys; from bakeoff.scratch import kernels\n"
    "print(kernels.describe(), '|', os.environ.get('OMP_WAIT_POLICY'), '|', 'torch' in sys.modules)"
)


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    yield
    kernels.use_threads(1)


def describe(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_environment_chooses() -> None:
    assert describe(BAKEOFF_KERNELS="numpy").stdout.startswith("NumPy (asked for) |")
    chosen = describe(BAKEOFF_KERNELS="auto").stdout
    assert chosen.startswith("compiled, with" if BUILT else "NumPy (compiled ones: not built)")
    assert chosen == describe(BAKEOFF_KERNELS="").stdout
    wrong = describe(BAKEOFF_KERNELS="numpie").stderr
    assert "BAKEOFF_KERNELS: unknown kernels 'numpie'; did you mean 'numpy'?" in wrong


@pytest.mark.skipif(BUILT, reason="the kernels are built")
def test_kernels_that_are_not_built_cannot_be_demanded() -> None:
    with pytest.raises(InputError, match="BAKEOFF_KERNELS: compiled kernels asked for"):
        kernels._load("compiled")


def test_the_environment_ends_as_it_began() -> None:
    assert describe().stdout.split(" | ")[1:] == ["None", "False\n"]
    assert describe(OMP_WAIT_POLICY="active").stdout.split(" | ")[1] == "active"


def test_using_is_undone() -> None:
    before = kernels.describe()
    with kernels.using("numpy"):
        assert kernels.describe() == "NumPy (asked for)"
    assert kernels.describe() == before


@pytest.mark.parametrize("name", ["numpy", *(["compiled"] if BUILT else [])])
def test_every_kernel_and_its_dispatch(name: kernels.Name) -> None:
    images = normal(2, 4, 4, 3)
    columns, out = np.empty((18, 12)), np.empty((2, 3, 3, 3))
    winners, back = np.empty(out.shape, np.uint32), np.empty_like(images)
    with kernels.using(name):
        kernels.im2col(images, WINDOW, columns)
        assert columns[0, 0] == images[0, 0, 0, 0]
        kernels.col2im(columns, WINDOW, back)
        np.testing.assert_allclose(back[0, 1, 1], 4 * images[0, 1, 1])
        kernels.max_pool(images, WINDOW, out, winners)
        np.testing.assert_array_equal(out[0, 0, 0], images[0, :2, :2].max(axis=(0, 1)))
        kernels.max_pool_backward(out, winners, WINDOW, back)
        np.testing.assert_allclose(back.sum(), out.sum())
        kernels.average_pool(images, WINDOW, out)
        np.testing.assert_allclose(out[0, 0, 0], images[0, :2, :2].mean(axis=(0, 1)))
        kernels.average_pool_backward(out, WINDOW, back)
        np.testing.assert_allclose(back.sum(), out.sum())
        line = np.array([1.0, -1.0, 2.0])
        kernels.relu_backward(np.ones(3), line, out.reshape(-1)[:3])
        assert out.reshape(-1)[:3].tolist() == [1, 0, 1]
        kernels.update("sgd", line, np.ones(3), None, None, Numbers(rate=0.5))
        assert line.tolist() == [0.5, -1.5, 1.5]


def test_arrays_that_do_not_fit_are_refused() -> None:
    images = normal(2, 4, 4, 3)
    with pytest.raises(ValueError, match=r"shape \(17, 12\) received"):
        kernels.im2col(images, WINDOW, np.empty((17, 12)))
    with pytest.raises(ValueError, match="float32 array"):
        kernels.im2col(images, WINDOW, np.empty((18, 12), np.float32))
    with pytest.raises(ValueError, match="int64 images"):
        kernels.im2col(images.astype(np.int64), WINDOW, np.empty((18, 12)))
    with pytest.raises(ValueError, match="not C-contiguous"):
        kernels.im2col(images.swapaxes(1, 2), WINDOW, np.empty((18, 12)))
    out = np.empty((2, 3, 3, 3))
    with pytest.raises(ValueError, match="uint8 array"):
        kernels.max_pool(images, WINDOW, out, np.empty(out.shape, np.uint8))
    with pytest.raises(ValueError, match=r"of shape \(12, 12\)\)"):
        kernels.col2im(np.empty((18, 12)), WINDOW, np.empty((2, 4, 3, 3)))
    with pytest.raises(ValueError, match=r"\[\(3,\), \(2,\)\].*one shape \(N,\), one dtype"):
        kernels.update("sgd", np.ones(3), np.ones(2), None, None, Numbers(rate=0.5))
    with pytest.raises(ValueError, match="one shape"):
        kernels.relu_backward(np.ones(3), np.ones(3), np.ones(3, np.float32))


def test_moments_that_a_rule_does_not_keep_are_refused() -> None:
    some = np.ones(3)
    with pytest.raises(ValueError, match="momentum: not the moments"):
        kernels.update("momentum", some, some.copy(), None, None, Numbers(rate=0.5))
    with pytest.raises(ValueError, match="sgd: not the moments"):
        kernels.update("sgd", some, some.copy(), some.copy(), None, Numbers(rate=0.5))


@pytest.mark.parametrize("limited", [True, False])
def test_threads_change_nothing_but_rounding(limited: bool) -> None:
    convolution, pool = Convolution(3, 4, 3, padding=1, dtype=np.float64), MaxPool(2)
    convolution.parameters["weight"][...] = normal(4, 3, 3, 3)
    images = normal(5, 6, 7, 3)

    def passes() -> list[np.ndarray]:
        outputs = pool.forward(convolution.forward(images))
        to_images = to_inputs(convolution, to_inputs(pool, normal(*outputs.shape)))
        arrays = (outputs, to_images, *convolution.gradients.values())
        return [array.copy() for array in arrays]

    alone = passes()
    noted: list[int] = []
    kernels.use_threads(2, noted.append if limited else None)
    assert kernels.threads() == (2 if limited else 1)
    for ours, theirs in zip(passes(), alone, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)
    assert noted == ([1, 2] * 2 if limited else [])


def test_little_work_is_not_cut() -> None:
    kernels.use_threads(2, lambda number: None)
    slices: list[slice] = []
    assert kernels.split(4, lambda number, part: slices.append(part), worth=False) == 1
    assert slices == [slice(0, 4)]
    assert kernels.split(4, lambda number, part: slices.append(part)) == 2
