"""A network at work on images: probabilities and features, whatever the batches."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.core.errors import InputError
from bakeoff.core.passes import PassSize
from bakeoff.core.softmax import softmax
from bakeoff.core.views import PredictionSettings
from bakeoff.training.torch.memory import is_out_of_memory
from bakeoff.training.torch.numerics import Precision
from bakeoff.training.torch.transforms import Pixels
from bakeoff.training.torch.views import averaged

LARGEST_PASS = 128
"""Examples of an evaluation pass; fewer where images are large."""
PASS_PIXELS = 1 << 20
ONE_VIEW = PredictionSettings()


class Network(ABC):
    """A module at work in its precision on its device.

    Args:
        module: `forward` gives logits, or vectors.
        device: Where it computes.
        precision: Of matrix products and convolutions; weights and sums of losses are float32.
        compiles: Whether training passes are to be compiled; evaluation never is.

    Attributes:
        pass_size: Items of the longest pass, where memory is not short.
        cuts: By what passes were shortened, because memory was short.
    """

    pass_size = LARGEST_PASS

    def __init__(
        self, module: nn.Module, device: torch.device, precision: Precision, compiles: bool = False
    ) -> None:
        self.module, self.device = module, device
        self.precision, self.compiles = precision, compiles
        self.cut_passes(1)
        module.to(device)

    def inputs(self, items: Tensor) -> Tensor:
        """What the module reads, of items on its device."""
        return items

    def of(self, module: nn.Module) -> "Network":
        """The same with another module of the same kind."""
        return type(self)(module, self.device, self.precision)

    def compute_in(self, precision: Precision) -> None:
        """Compute in another precision from now on."""
        self.precision = precision
        self.cut_passes(self.cuts)

    def cut_passes(self, cuts: int) -> None:
        """Pass at most `pass_size / cuts` items at once from now on."""
        self.cuts = cuts

    def autocast(self) -> torch.autocast:
        """The context in which the network computes in its precision."""
        enabled = self.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def probabilities(self, items: NDArray[Any]) -> NDArray[np.float32]:
        """(N, K) float32 class probabilities of N items; logits are averaged over views."""
        return softmax(self.outputs(items))

    @abstractmethod
    def outputs(self, items: NDArray[Any]) -> NDArray[np.float32]:
        """(N, ...) float32, the network's outputs for N items."""

    @staticmethod
    def in_passes(
        items: NDArray[Any], size: int, run: Callable[[NDArray[Any]], Tensor]
    ) -> NDArray[np.float32]:
        """What passes of one size give of N items, (N, ...) float32; the last one is filled up.

        No items still make a pass, since it tells how wide the result is.
        """
        filled = np.zeros((size, *items.shape[1:]), items.dtype)
        found: list[Tensor] = []
        for start in range(0, max(1, len(items)), size):
            rows = items[start : start + size]
            filled[: len(rows)] = rows
            found.append(run(filled)[: len(rows)])
        # Read once, not pass by pass: the device need not wait between them.
        return torch.cat(found).cpu().numpy()


class Inference(Network):
    """A network with what it needs to read images.

    Every pass has the same number of examples, so that an example's bits do not depend on what is
    beside it (`core.passes`); the last one is filled up, and what the filling gave is thrown away.

    Args:
        module: Image model: `forward` gives logits, `features` the last hidden layer.
        pixels: Its inputs, on its device.
        precision: Of matrix products and convolutions; weights and sums of losses are float32.
        prediction: The views of an image over which all outputs are averaged.
        channels_last: Whether images lie in memory pixel by pixel, not channel by channel.
        compiles: Whether training passes are to be compiled; evaluation never is.
    """

    def __init__(
        self,
        module: nn.Module,
        pixels: Pixels,
        precision: Precision,
        prediction: PredictionSettings = ONE_VIEW,
        channels_last: bool = True,
        compiles: bool = False,
    ) -> None:
        super().__init__(module, pixels.device, precision, compiles)
        self.pixels = pixels
        self.look(prediction)
        self.channels_last = channels_last
        height, width, _ = pixels.shape
        self.pass_size = max(1, min(LARGEST_PASS, PASS_PIXELS // (height * width)))
        self.cut_passes(1)
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        module.to(memory_format=self._layout)  # type: ignore[call-overload]

    def inputs(self, items: Tensor) -> Tensor:
        """What the network reads: (B, C, H, W) float32 of (B, H, W, C) uint8 on its device."""
        return self.pixels(items).contiguous(memory_format=self._layout)

    def of(self, module: nn.Module) -> "Inference":
        """The same with another module of the same kind."""
        made = Inference(module, self.pixels, self.precision, self.prediction, self.channels_last)
        made.cut_passes(self.cuts)
        return made

    def look(self, prediction: PredictionSettings) -> None:
        """Average over other views from now on."""
        self.prediction, self._views = prediction, prediction.views()

    def move(self, device: torch.device) -> None:
        """Compute on another device from now on."""
        self.device = device
        self.pixels = Pixels(self.pixels.normaliser, self.pixels.shape, device)
        self.module.to(device)
        self.cut_passes(self.cuts)  # how long passes are is tried out anew

    def cut_passes(self, cuts: int) -> None:
        """Pass at most `pass_size / cuts` images at once from now on."""
        super().cut_passes(cuts)
        self._pass_size = PassSize(max(1, self.pass_size // cuts))

    def outputs(self, items: NDArray[Any]) -> NDArray[np.float32]:
        """(N, ...) float32, the network's outputs for (N, H, W, C) uint8."""
        return self._all(self.module, items)

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, D) float32, the last hidden layer's output for (N, H, W, C) uint8."""
        compute = cast(Callable[[Tensor], Tensor], self.module.features)
        return self._all(compute, images)

    def _all(
        self, compute: Callable[[Tensor], Tensor], images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """What `compute` gives of the inputs, averaged over views.

        Where memory is short, passes are shortened, from now on.

        Raises:
            InputError: where there is none for a single image.
        """
        found = self._attempt(compute, images)
        while found is None:
            if self.cuts >= self.pass_size:
                raise InputError("memory was short for a pass of 1 image: the model is too large")
            self.cut_passes(2 * self.cuts)
            if self.pixels.device.type == "cuda":
                torch.cuda.empty_cache()
            found = self._attempt(compute, images)
        return found

    def _attempt(
        self, compute: Callable[[Tensor], Tensor], images: NDArray[np.uint8]
    ) -> NDArray[np.float32] | None:
        """All passes; None where memory was short."""
        try:
            return self._passes(compute, images)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None  # what the error's frames hold is free when it is

    def _passes(
        self, compute: Callable[[Tensor], Tensor], images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Pass after pass, and what they gave together."""
        self.module.eval()
        with torch.inference_mode(), self.autocast():
            size = self._size() if len(images) else 1
            return self.in_passes(images, size, lambda rows: self._pass(compute, rows))

    def _size(self) -> int:
        """Of a pass; tried out once."""
        return self._pass_size(lambda x: self._pass(self.module, x).cpu().numpy(), self._draw)

    def _draw(self, count: int) -> NDArray[np.uint8]:
        """That many images that differ."""
        return np.random.default_rng(0).integers(0, 256, (count, *self.pixels.shape), np.uint8)

    def _pass(self, compute: Callable[[Tensor], Tensor], images: NDArray[np.uint8]) -> Tensor:
        given = torch.from_numpy(images).to(self.pixels.device)
        return averaged(lambda x: compute(self.inputs(x)).float(), given, self._views)
