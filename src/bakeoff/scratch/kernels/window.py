"""Windows: where a kernel lies on an image, and what it then sees."""

from collections.abc import Iterator
from dataclasses import dataclass

from bakeoff.core.errors import InputError

Pair = tuple[int, int]


@dataclass(frozen=True)
class Tap:
    """One element of a kernel: which outputs see a pixel through it, and which pixels those are.

    Args:
        number: Of the element, row by row, from 0.
        outputs: Rows and columns of the outputs.
        inputs: Rows and columns of the pixels, as many.
    """

    number: int
    outputs: tuple[slice, slice]
    inputs: tuple[slice, slice]


@dataclass(frozen=True)
class Window:
    """A kernel that moves over images padded with nothing (0 in sums) on every side.

    Args:
        kernel: Height and width.
        stride: Pixels it moves at a time, down and right.
        padding: Rows above and below, columns left and right; less than the kernel, so that every
            window sees at least one pixel.

    Raises:
        InputError: where a number is out of its range.
    """

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    def __post_init__(self) -> None:
        faults = [
            f"{name}: {received} received (allowed: two whole numbers, at least {least})"
            for name, received, least in (
                ("kernel", self.kernel, 1),
                ("stride", self.stride, 1),
                ("padding", self.padding, 0),
            )
            if min(received) < least
        ]
        if not faults and any(p >= k for p, k in zip(self.padding, self.kernel, strict=True)):
            faults = [
                f"padding: {self.padding} received (allowed: less than the kernel {self.kernel})"
            ]
        if faults:
            raise InputError(faults)

    @classmethod
    def of(cls, kernel: int | Pair, stride: int | Pair = 1, padding: int | Pair = 0) -> "Window":
        """A window from numbers that hold for both directions, or from pairs."""
        return cls(_pair(kernel), _pair(stride), _pair(padding))

    @property
    def area(self) -> int:
        """Elements of the kernel."""
        return self.kernel[0] * self.kernel[1]

    def output(self, height: int, width: int) -> Pair:
        """Height and width behind an image; the last pixels are left out where no window fits.

        Raises:
            InputError: where the padded image is smaller than the kernel.
        """
        rows, columns = (
            (size + 2 * padding - kernel) // stride + 1
            for size, kernel, stride, padding in zip(
                (height, width), self.kernel, self.stride, self.padding, strict=True
            )
        )
        if rows < 1 or columns < 1:
            raise InputError(
                f"image of {height} x {width} pixels received, which is smaller than the kernel "
                f"{self.kernel} even with padding {self.padding} (allowed: at least one window)"
            )
        return rows, columns

    def taps(self, height: int, width: int) -> Iterator[Tap]:
        """The kernel's elements, row by row, on an image of this size.

        Elements that fall on padding everywhere are left out.
        """
        rows, columns = self.output(height, width)
        for i in range(self.kernel[0]):
            down = _line(i, height, rows, self.stride[0], self.padding[0])
            for j in range(self.kernel[1]):
                right = _line(j, width, columns, self.stride[1], self.padding[1])
                if down and right:
                    number = i * self.kernel[1] + j
                    yield Tap(number, (down[0], right[0]), (down[1], right[1]))


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


def _line(
    offset: int, size: int, count: int, stride: int, padding: int
) -> tuple[slice, slice] | None:
    """Along one direction: outputs that see a pixel at this offset, and the pixels they see."""
    first = max(0, -((offset - padding) // stride))
    last = min(count - 1, (size - 1 + padding - offset) // stride)
    if first > last:
        return None
    begin, end = (place * stride - padding + offset for place in (first, last))
    return slice(first, last + 1), slice(begin, end + 1, stride)
