"""A network at work on images: probabilities and features, whatever the batches."""

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.training.torch.numerics import Precision
from bakeoff.training.torch.transforms import Pixels

LARGEST_PASS = 128
"""Examples of an evaluation pass; fewer where images are large."""
PASS_PIXELS = 1 << 20


class Inference:
    """A network with what it needs to read images.

    The bits of a matrix product depend on the number of rows, not on which row an example is. So
    every pass has the same number of examples; the last one is filled up, and what the filling
    gave is thrown away.

    Args:
        module: Image model: `forward` gives logits, `features` the last hidden layer.
        pixels: Its inputs, on its device.
        precision: Of matrix products and convolutions; weights and sums of losses are float32.
        channels_last: Whether images lie in memory pixel by pixel, not channel by channel.
        compiles: Whether training passes are to be compiled; evaluation never is.
    """

    def __init__(
        self,
        module: nn.Module,
        pixels: Pixels,
        precision: Precision,
        channels_last: bool = True,
        compiles: bool = False,
    ) -> None:
        self.module, self.pixels, self.precision = module, pixels, precision
        self.channels_last, self.compiles = channels_last, compiles
        height, width, _ = pixels.shape
        self.pass_size = max(1, min(LARGEST_PASS, PASS_PIXELS // (height * width)))
        module.to(pixels.device)
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        module.to(memory_format=self._layout)  # type: ignore[call-overload]

    def inputs(self, images: Tensor) -> Tensor:
        """What the network reads: (B, C, H, W) float32 of (B, H, W, C) uint8 on its device."""
        return self.pixels(images).contiguous(memory_format=self._layout)

    def autocast(self) -> torch.autocast:
        """The context in which the network computes in its precision."""
        enabled = self.precision == "bfloat16"
        return torch.autocast(self.pixels.device.type, torch.bfloat16, enabled=enabled)

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) float32 class probabilities of (N, H, W, C) uint8."""
        return self._all(lambda x: torch.softmax(self.module(x).float(), dim=1), images)

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, ...) float32, the network's outputs for (N, H, W, C) uint8."""
        return self._all(lambda x: self.module(x).float(), images)

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, D) float32, the last hidden layer's output for (N, H, W, C) uint8."""
        compute = cast(Callable[[Tensor], Tensor], self.module.features)
        return self._all(lambda x: compute(x).float(), images)

    def _all(
        self, compute: Callable[[Tensor], Tensor], images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        self.module.eval()
        filled = np.zeros((self.pass_size, *self.pixels.shape), np.uint8)
        found: list[Tensor] = []
        with torch.inference_mode(), self.autocast():
            # No images still make one pass: it tells how wide the result is.
            for start in range(0, max(1, len(images)), self.pass_size):
                rows = images[start : start + self.pass_size]
                filled[: len(rows)] = rows
                out = compute(self.inputs(torch.from_numpy(filled).to(self.pixels.device)))
                found.append(out[: len(rows)])
            # Read once, not pass by pass: the device need not wait between them.
            return torch.cat(found).cpu().numpy()
