"""Fine-tuning in torch: an encoder of another recipe and a head learn on together, end to end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Batch, Predictor, Run, TrainingData
from bakeoff.core.recipe import Numerics
from bakeoff.core.teaching import Teaching
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.techniques.heads import Head
from bakeoff.training.plan import plan
from bakeoff.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

    from bakeoff.techniques.encoders import Encoder
    from bakeoff.training.torch.inference import Inference


@dataclass(frozen=True)
class Thaw:
    """What of an encoder learns.

    Args:
        layers: By name; None: all.
        rates: Shares of the learning rate by layer; under "" that of all others.
    """

    layers: Sequence[str] | None
    rates: Mapping[str, float]


def inference_of(encoder: Predictor, technique: str) -> "Inference":
    """The torch network of an encoder of images, at work.

    Raises:
        InputError: where it is none.
    """
    from bakeoff.training.torch.inference import Inference

    found = getattr(encoder, "inference", None)
    if not isinstance(found, Inference):
        raise InputError(
            f"{technique}: classifier.fine_tune: the encoder is no torch network on images, so its "
            "layers cannot learn on (allowed: the techniques cnn and contrastive, and network-b "
            "on one of them)"
        )
    return found


def tune(
    learning: tuple["Encoder", Head],
    data: TrainingData,
    run: Run,
    training: TrainingSettings,
    augmentation: AugmentationSettings,
    numerics: Numerics,
    what: Thaw,
    teaching: Teaching | None = None,
) -> None:
    """Train encoder and head in one phase, `tune`, both in place.

    Args:
        learning: The encoder, a torch network on images, nobody else's, and the head on its
            vectors. The encoder then sees each image once, in the precision of the passes, whatever
            its own recipe said: as what is validated here does.
        data: Images.
        run: What is worked through.
        training: How.
        augmentation: Of the training images.
        numerics: Of the passes; the encoder moves to their device.
        what: Learns of the encoder.
        teaching: What a teacher says of the training images; None: there is none.

    Raises:
        InputError: where layers have no such names.
    """
    from bakeoff.techniques.frameworks.torch import Passes, convert, read_weights
    from bakeoff.training.torch.losses import cross_entropy_of
    from bakeoff.training.torch.step import TorchStep
    from bakeoff.training.torch.transforms import Augmentation

    encoder, head = learning
    theirs = inference_of(encoder, "probe")
    passes = Passes()
    added = convert(head.network, passes)
    inference = _joined(theirs, added, head, numerics, what)
    pixels = inference.pixels
    draws = Draws(augmentation, pixels.shape, len(data.train), run.streams)
    changes = Augmentation(draws, pixels.normaliser.mean, pixels.device)
    loss = cross_entropy_of(training, teaching)
    step = TorchStep(inference, training, run.streams, changes, loss, passes.begin)
    step.splittable = step.splittable and head.network.splittable
    batches = TrainingBatches(data.train, training.batch_size, run.streams, training.sampling)

    def validating() -> Iterator[Batch]:
        return iter(evaluation_batches(data.validation, inference.pass_size))

    watched = validating if len(data.validation) else None
    run.loop("tune", step, batches, plan(training, batches, data.task, watched))
    step.keep()
    read_weights(head.network, added)


def _joined(
    theirs: "Inference", added: "nn.Module", head: Head, numerics: Numerics, what: Thaw
) -> "Inference":
    """Encoder and head as one network on images, with what learns said."""
    import torch

    from bakeoff.training.torch.inference import ONE_VIEW, Inference
    from bakeoff.training.torch.joined import Joined, thaw
    from bakeoff.training.torch.numerics import resolve_device_and_precision

    device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
    if theirs.device.type != device:
        theirs.move(torch.device(device))
    theirs.look(ONE_VIEW)
    theirs.compute_in(precision)
    pixels, reader = theirs.pixels, head.reader
    blank = torch.zeros((1, *pixels.shape), dtype=torch.uint8, device=pixels.device)
    thaw(theirs.module, what.layers, what.rates, theirs.inputs(blank))
    mean, sd = torch.from_numpy(reader.mean.copy()), torch.from_numpy(reader.sd.copy())
    joined = Joined(theirs.module, added, mean, sd)
    return Inference(joined, pixels, precision, channels_last=theirs.channels_last)


def check_shape(encoder: Predictor, data: TrainingData, technique: str) -> None:
    """Whether the training examples are images that an encoder reads.

    Raises:
        InputError: where they are not.
    """
    shape: tuple[int, ...] = inference_of(encoder, technique).pixels.shape
    if not isinstance(data.train.items, np.ndarray) or data.train.items.shape[1:] != shape:
        raise InputError(f"{technique}: images {shape} needed, {data.modality} received")
