"""Kernels: inner loops of convolution, pooling and updates, compiled where there was a compiler.

Two implementations give the same numbers, bit for bit: `_compiled` (Cython, with OpenMP where the
compiler has it) and `numpy_kernels`. The compiled one is used where it was built, unless the
environment says `BAKEOFF_KERNELS=numpy`. Images are channels last, (B, H, W, C); every array is
float32 or float64, all of one call alike, and results are written into C-contiguous memory given.
Source of the method: Chellapilla, Puri and Simard 2006, "High performance convolutional neural
networks for document processing" (unrolled convolution).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError, unknown
from bakeoff.scratch.kernels import numpy_kernels
from bakeoff.scratch.kernels.parallel import SetThreads, Team, Work
from bakeoff.scratch.kernels.rules import MOMENTS, Numbers, Rule
from bakeoff.scratch.kernels.window import Window
from bakeoff.scratch.memory import Array

__all__ = [
    "VARIABLE",
    "Numbers",
    "Rule",
    "Window",
    "average_pool",
    "average_pool_backward",
    "col2im",
    "describe",
    "im2col",
    "max_pool",
    "max_pool_backward",
    "relu_backward",
    "split",
    "threads",
    "update",
    "use_threads",
    "using",
]
VARIABLE = "BAKEOFF_KERNELS"
"""`auto` (as where it is not set), `compiled` (refuses to go on without them) or `numpy`."""
Name = Literal["compiled", "numpy"]


class _Implementation(Protocol):
    """What both implementations offer; see the functions of this module."""

    def im2col(self, images: Array, window: Window, out: Array, /) -> None: ...
    def col2im(self, columns: Array, window: Window, out: Array, /) -> None: ...
    def max_pool(
        self, images: Array, window: Window, out: Array, winners: NDArray[np.uint32], /
    ) -> None: ...
    def max_pool_backward(
        self, upstream: Array, winners: NDArray[np.uint32], window: Window, out: Array, /
    ) -> None: ...
    def average_pool(self, images: Array, window: Window, out: Array, /) -> None: ...
    def average_pool_backward(self, upstream: Array, window: Window, out: Array, /) -> None: ...
    def relu_backward(self, upstream: Array, outputs: Array, out: Array, /) -> None: ...
    def update(
        self,
        rule: Rule,
        values: Array,
        gradient: Array,
        mean: Array | None,
        square: Array | None,
        numbers: Numbers,
        /,
    ) -> None: ...


def _load(name: str) -> tuple[_Implementation, str]:
    """The implementation of that name (or `auto`), and a line that says which it is, and why.

    Raises:
        InputError: where there is none of that name, or it was not compiled.
    """
    if name not in ("auto", "compiled", "numpy"):
        raise unknown("kernels", name, ("auto", "compiled", "numpy"), VARIABLE)
    if name == "numpy":
        return numpy_kernels, "NumPy (asked for)"
    try:
        with _waiting_threads_sleep():
            from bakeoff.scratch.kernels import _compiled
    except ImportError as error:
        why = "not built" if "_compiled" in str(error) else str(error)
        if name == "compiled":
            raise InputError(
                f"{VARIABLE}: compiled kernels asked for, but there are none: {why} "
                "(allowed: auto, numpy)"
            ) from error
        return numpy_kernels, f"NumPy (compiled ones: {why})"
    return _compiled, f"compiled, {'with' if _compiled.OPENMP else 'without'} OpenMP"


@contextmanager
def _waiting_threads_sleep() -> Iterator[None]:
    """Load OpenMP so that its threads sleep between two calls; the environment ends as it began.

    Spinning, which is its habit, takes the core from BLAS's threads: a step took 60 times longer.
    """
    name = "OMP_WAIT_POLICY"
    if name in os.environ:
        yield
        return
    os.environ[name] = "passive"
    try:
        yield
    finally:
        del os.environ[name]


_team = Team()
_used, _description = _load(os.environ.get(VARIABLE) or "auto")


def describe() -> str:
    """Which kernels compute: `compiled, with OpenMP`, or NumPy and why."""
    return _description


def use_threads(number: int, limit_blas: SetThreads | None = None) -> None:
    """Compute with this many threads from now on.

    Args:
        number: Of threads.
        limit_blas: Bounds the threads of NumPy's BLAS. Where it is given, `split` cuts batches;
            otherwise whole batches are worked on, by BLAS's threads and OpenMP's.
    """
    global _team
    limits = (limit_blas, _set_openmp) if limit_blas is not None else ()
    _team = Team(number if limits else 1, limits)
    _set_openmp(number)


def threads() -> int:
    """Slices that `split` makes at most."""
    return _team.number


def split(count: int, work: Work, worth: bool = True) -> int:
    """Call `work` with slices of a batch, at the same time where `use_threads` asked for it.

    Args:
        count: Examples of the batch.
        work: Called with a number below `threads()` and a slice, and writes what belongs to those.
        worth: False where there is too little work for a second thread.

    Returns:
        How many slices there were.
    """
    if not worth:
        work(0, slice(0, count))
        return 1
    return _team.split(count, work)


def _set_openmp(number: int) -> None:
    if _used is not numpy_kernels:
        from bakeoff.scratch.kernels import _compiled

        _compiled.use_threads(number)


@contextmanager
def using(name: Name) -> Iterator[None]:
    """Compute with these kernels for a while, to hold one against the other.

    Raises:
        InputError: where they were not compiled.
    """
    global _used, _description
    before = _used, _description
    _used, _description = _load(name)
    try:
        yield
    finally:
        _used, _description = before


def _check(images: Array, window: Window, kind: str, *arrays: tuple[NDArray[Any], Any]) -> None:
    """Refuse arrays that the compiled kernels would read or write past.

    Args:
        images: (B, H, W, C), read or written.
        window: Gives the shape of every other array.
        kind: Of those shapes: `columns` or `outputs`.
        arrays: Each with the dtype it must have.

    Raises:
        ValueError: where a shape, a dtype or the order in memory is not as documented.
    """
    count, height, width, channels = images.shape
    rows, columns = window.output(height, width)
    shape: tuple[int, ...] = (count, rows, columns, channels)
    if kind == "columns":
        shape = (count * rows * columns, window.area * channels)
    if images.dtype not in (np.float32, np.float64):
        raise ValueError(f"{images.dtype} images received (allowed: float32, float64)")
    for array, dtype in arrays:
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"{array.dtype} array of shape {array.shape} received "
                f"(allowed: {np.dtype(dtype)} of shape {shape})"
            )
    if not all(array.flags.c_contiguous for array in (images, *(array for array, _ in arrays))):
        raise ValueError("an array that is not C-contiguous received")


def im2col(images: Array, window: Window, out: Array) -> None:
    """Write what every window sees as a row.

    Args:
        images: (B, H, W, C).
        window: Of the output size OH x OW.
        out: (B * OH * OW, kH * kW * C), the window's rows first, channels last; 0 on padding.
    """
    _check(images, window, "columns", (out, images.dtype))
    _used.im2col(images, window, out)


def col2im(columns: Array, window: Window, out: Array) -> None:
    """The gradient of `im2col`: write, for every pixel, the sum over the windows that see it.

    Args:
        columns: (B * OH * OW, kH * kW * C).
        window: As in `im2col`.
        out: (B, H, W, C).
    """
    _check(out, window, "columns", (columns, out.dtype))
    _used.col2im(columns, window, out)


def max_pool(images: Array, window: Window, out: Array, winners: NDArray[np.uint32]) -> None:
    """Write the greatest number of every window; the first of equals, and any not-a-number.

    Args:
        images: (B, H, W, C).
        window: Of the output size OH x OW; padding is never chosen.
        out: (B, OH, OW, C).
        winners: (B, OH, OW, C), which element of the window that was.
    """
    _check(images, window, "outputs", (out, images.dtype), (winners, np.uint32))
    _used.max_pool(images, window, out, winners)


def max_pool_backward(
    upstream: Array, winners: NDArray[np.uint32], window: Window, out: Array
) -> None:
    """Write, for every pixel, the sum of the gradients of the windows that it won.

    Args:
        upstream: (B, OH, OW, C).
        winners: As `max_pool` wrote them.
        window: As there.
        out: (B, H, W, C).
    """
    _check(out, window, "outputs", (upstream, out.dtype), (winners, np.uint32))
    _used.max_pool_backward(upstream, winners, window, out)


def average_pool(images: Array, window: Window, out: Array) -> None:
    """Write the mean of every window, padding counted as zeros.

    Args:
        images: (B, H, W, C).
        window: Of the output size OH x OW.
        out: (B, OH, OW, C).
    """
    _check(images, window, "outputs", (out, images.dtype))
    _used.average_pool(images, window, out)


def average_pool_backward(upstream: Array, window: Window, out: Array) -> None:
    """Write, for every pixel, its share of the gradients of the windows that see it.

    Args:
        upstream: (B, OH, OW, C).
        window: As in `average_pool`.
        out: (B, H, W, C).
    """
    _check(out, window, "outputs", (upstream, out.dtype))
    _used.average_pool_backward(upstream, window, out)


def _check_flat(*arrays: Array) -> None:
    """Refuse arrays that differ, which the compiled kernels would read or write past.

    Raises:
        ValueError: where they are not all (N,) of one dtype.
    """
    first = arrays[0]
    if any(a.shape != (first.size,) or a.dtype != first.dtype for a in arrays):
        raise ValueError(
            f"arrays of shapes {[a.shape for a in arrays]} and dtypes "
            f"{[str(a.dtype) for a in arrays]} received (allowed: one shape (N,), one dtype)"
        )


def relu_backward(upstream: Array, outputs: Array, out: Array) -> None:
    """Write the upstream gradient where an output is positive, elsewhere 0 times it.

    Args:
        upstream: (N,).
        outputs: (N,) of the layer.
        out: (N,).
    """
    _check_flat(out, upstream, outputs)
    _used.relu_backward(upstream, outputs, out)


def update(
    rule: Rule,
    values: Array,
    gradient: Array,
    mean: Array | None,
    square: Array | None,
    numbers: Numbers,
) -> None:
    """Change weights by their gradients, which are used up.

    `scratch.optimisers` says what each rule computes, and which moments it keeps.

    Args:
        rule: Its name.
        values: (N,) weights.
        gradient: (N,) of the loss; what it holds afterwards is arbitrary.
        mean: (N,) the velocity, or the running mean of gradients; None where the rule has none.
        square: (N,) the running mean of squared gradients; None where the rule has none.
        numbers: Rate, penalties, shares.

    Raises:
        ValueError: where a moment is missing or too many, or arrays differ in shape or dtype.
    """
    if (mean is not None, square is not None) != MOMENTS[rule]:
        raise ValueError(f"{rule}: not the moments that it keeps received (mean, square)")
    _check_flat(*(array for array in (values, gradient, mean, square) if array is not None))
    _used.update(rule, values, gradient, mean, square, numbers)
