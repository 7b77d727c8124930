"""Windows and images of every odd size."""

from hypothesis import strategies as st

from bakeoff.scratch.kernels.window import Window


@st.composite
def windows_and_sizes(draw: st.DrawFn) -> tuple[Window, int, int]:
    """A window, and height and width of an image that it fits into."""
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    padding = draw(st.tuples(st.integers(0, kernel[0] - 1), st.integers(0, kernel[1] - 1)))
    height, width = (
        draw(st.integers(max(1, k - 2 * p), 11)) for k, p in zip(kernel, padding, strict=True)
    )
    return Window(kernel, stride, padding), height, width
