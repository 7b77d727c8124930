"""How image models begin: drawn weights, and what some fit to training images before they learn."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.streams import Streams

if TYPE_CHECKING:
    from torch import nn

    from bakeoff.training.torch.inference import Inference

ADAPTED_PIXELS = 5_000 * 32 * 32
"""Of the training images that a model looks at before it learns."""


def begin(
    model: "nn.Module",
    inference: "Inference",
    streams: Streams,
    images: NDArray[np.uint8] | None = None,
) -> None:
    """Give an image model its initial weights, its output layer's by `lecun`.

    Args:
        model: Changed in place: the network itself, or the part of it that is an image model.
        inference: Its network at work, which knows how images are read.
        streams: The cell's.
        images: Training images (N, H, W, C), of which a model may look at some, drawn by name;
            None: it must do without.
    """
    import torch

    from bakeoff.models.speedrun import Adapting
    from bakeoff.training.torch.initialise import initialise

    initialise(model, streams, {"output": "lecun"})
    if images is not None and isinstance(model, Adapting):
        height, width, _ = inference.pixels.shape
        count = min(len(images), max(1, ADAPTED_PIXELS // (height * width)))
        chosen = streams.generator("adapt").choice(len(images), count, replace=False)
        some = torch.from_numpy(images[np.sort(chosen)]).to(inference.pixels.device)
        model.adapt(inference.inputs(some))
