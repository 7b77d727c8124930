"""Windows: sizes, and who sees what, against padding by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scratch.kernels.windows import windows_and_sizes

from bakeoff.core.errors import InputError
from bakeoff.scratch.kernels.window import Window


@given(windows_and_sizes())
def test_taps_are_what_a_padded_image_shows(drawn: tuple[Window, int, int]) -> None:
    window, height, width = drawn
    image = np.arange(1, height * width + 1).reshape(height, width)
    padded = np.pad(image, [(window.padding[0],) * 2, (window.padding[1],) * 2])
    views = np.lib.stride_tricks.sliding_window_view(padded, window.kernel)
    expected = views[:: window.stride[0], :: window.stride[1]].reshape(
        *window.output(height, width), -1
    )
    seen = np.zeros_like(expected)
    for tap in window.taps(height, width):
        seen[*tap.outputs, tap.number] = image[*tap.inputs]
    np.testing.assert_array_equal(seen, expected)


@given(windows_and_sizes())
def test_every_window_sees_a_pixel(drawn: tuple[Window, int, int]) -> None:
    window, height, width = drawn
    seen = np.zeros(window.output(height, width), bool)
    for tap in window.taps(height, width):
        seen[tap.outputs] = True
    assert seen.all()


@given(st.integers(1, 9), st.integers(1, 9))
def test_one_number_holds_for_both_directions(kernel: int, stride: int) -> None:
    window = Window.of(kernel, stride, kernel - 1)
    assert window == Window((kernel, kernel), (stride, stride), (kernel - 1, kernel - 1))
    assert window.area == kernel**2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (((0, 3),), r"kernel: \(0, 3\) received"),
        (((3, 3), (1, 0)), r"stride: \(1, 0\) received"),
        (((3, 3), (1, 1), (0, -1)), r"padding: \(0, -1\) received"),
        (((3, 2), (1, 1), (1, 2)), r"padding: \(1, 2\) received \(allowed: less than"),
    ],
)
def test_windows_that_cannot_be_are_refused(fields: tuple[tuple[int, int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Window(*fields)


def test_images_smaller_than_the_kernel_are_refused() -> None:
    assert Window((3, 3), padding=(1, 0)).output(1, 3) == (1, 1)
    with pytest.raises(InputError, match="image of 1 x 2 pixels received"):
        Window((3, 3), padding=(1, 0)).output(1, 2)
