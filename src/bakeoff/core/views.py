"""What a predictor looks at: an image, or several views of it whose outputs are averaged."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from bakeoff.core.errors import InputError
from bakeoff.core.frozen import Frozen


@dataclass(frozen=True)
class View:
    """An image as it is looked at: shifted, then mirrored.

    Attributes:
        shift: Pixels down and right; negative: up and left. What is missing is mirrored at the
            edge, as while learning.
        mirrored: Left and right changed over.
        weight: Of its outputs in the mean; those of all views add up to 1.
    """

    shift: int
    mirrored: bool
    weight: float


class PredictionSettings(Frozen):
    """Views of an image whose logits are averaged, wherever the predictor is used.

    With both, these are the six views and the weights of Jordan 2024, "94% on CIFAR-10 in 3.29
    seconds on a single GPU", section 3.5: the image as it is counts half, its two shifts a quarter
    each, and of each of the three the mirror image counts half.
    """

    mirror: bool = False
    """Also the mirror image."""
    shift: Annotated[int, Field(ge=0)] = 0
    """Also the image shifted up and left, and down and right, by this many pixels."""

    def views(self) -> tuple[View, ...]:
        """All views; the image as it is comes first."""
        shifts = {0: 0.5, -self.shift: 0.25, self.shift: 0.25} if self.shift else {0: 1.0}
        ways = (False, True) if self.mirror else (False,)
        return tuple(
            View(shift, mirrored, weight / len(ways))
            for shift, weight in shifts.items()
            for mirrored in ways
        )

    def check(self, shape: tuple[int, ...]) -> None:
        """Whether images of shape (H, W, C) can be looked at like this.

        Raises:
            InputError: where they are to be shifted by as much as their sides or more.
        """
        smaller = min(shape[:2])
        if self.shift >= smaller:
            raise InputError(
                f"prediction.shift: {self.shift} received (allowed: 0 to {smaller - 1}, less than "
                f"the sides of {shape[0]} x {shape[1]} images)"
            )
