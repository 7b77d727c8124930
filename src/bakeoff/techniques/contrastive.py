"""An encoder that learns by comparison: items of a class lie close, those of others far apart.

Its vectors are for other recipes (`probe`, `knn`); alone it gives the class whose mean vector is
nearest (Mensink, Verbeek, Perronnin and Csurka 2013, "Distance-based image classification:
generalizing to new classes at near-zero cost"). The encoder of images is here, that of texts in
`techniques/contrastive_texts.py`, what they share, with its sources, in `techniques/contrast.py`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.augmentation import Draws
from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items, Modality
from bakeoff.core.frozen import plain
from bakeoff.core.protocols import LayerProfile, Normaliser, Predictor, Run, TrainingData
from bakeoff.core.recipe import DeviceName, Framework, Numerics, Settings
from bakeoff.core.streams import Streams
from bakeoff.core.views import PredictionSettings
from bakeoff.models.settings import ModelSettings
from bakeoff.techniques.adapting import begin
from bakeoff.techniques.contrast import (
    ContrastiveSettings,
    TextTrunkSettings,
    learn,
    loss_of,
)
from bakeoff.techniques.contrastive_texts import (
    TextContrastivePredictor,
    fit_texts,
    load_texts,
    untrained_texts,
)
from bakeoff.techniques.prototypes import Prototypes
from bakeoff.techniques.saved import images, read_predictor, write_predictor
from bakeoff.training.settings import check_parts

if TYPE_CHECKING:
    from torch import nn

    from bakeoff.training.torch.inference import Inference
    from bakeoff.training.torch.step import TorchStep

Shape = tuple[int, int, int]
"""(H, W, C)."""


class ContrastivePredictor:
    """A torch encoder of images that gives the class whose mean vector is nearest.

    Args:
        inference: The encoder with its inputs; its outputs are vectors.
        settings: Of model and vector: with the shape, all it is built from.
        prototypes: Of the classes.
    """

    def __init__(
        self, inference: "Inference", settings: ContrastiveSettings, prototypes: Prototypes
    ) -> None:
        self.inference, self.settings, self.prototypes = inference, settings, prototypes
        self.classes, self.shape = prototypes.classes, inference.pixels.shape

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of (N, H, W, C) uint8.

        Raises:
            InputError: where the items are not images of that shape.
        """
        return self.judge(self.represent(items))

    def judge(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K) float32 of vectors (N, D)."""
        return self.prototypes.probabilities(vectors)

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32: the vectors.

        Raises:
            InputError: where the items are not images of the right shape.
        """
        return self.inference.features(images(items, self.shape, Contrastive.name))

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row for each layer of the encoder, then the comparison with the means."""
        from bakeoff.models.macs import profile

        height, width, channels = self.shape
        rows = profile(self.inference.module, (channels, height, width))
        return (*rows, self.prototypes.profile())

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        from bakeoff.training.torch.arrays import named_tensors, to_arrays

        weights = to_arrays(named_tensors(self.inference.module))
        normaliser = self.inference.pixels.normaliser
        arrays = {f"network.{path}": values for path, values in weights.items()}
        arrays |= {"normaliser.mean": normaliser.mean, "normaliser.sd": normaliser.sd}
        state = {
            "technique": Contrastive.name,
            "model": plain(self.settings.model),
            "vector": plain(self.settings.vector),
            "shape": list(self.shape),
            "classes": list(self.classes),
            "precision": self.inference.precision,
            "channels_last": self.inference.channels_last,
        }
        write_predictor(folder, arrays | dict(self.prototypes.arrays()), state)


class Contrastive:
    """An encoder of images or texts, trained by comparison."""

    name: ClassVar[str] = "contrastive"
    version: ClassVar[int] = 5
    """2: of texts, attention in float32 beside products in bfloat16; 3: masks of MPNet and
    ModernBERT, dropout of OPT; 4: what has collapsed as far as bfloat16 tells guesses nothing;
    5: other draws of dropout."""
    settings: ClassVar[type[Settings]] = ContrastiveSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image", "text"})
    framework: ClassVar[Framework] = "torch"
    seeded: ClassVar[bool] = True
    encodes: ClassVar[bool] = True
    summary: ClassVar[str] = "encoder trained by triplets or supervised contrast (torch)"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> ContrastivePredictor | TextContrastivePredictor:
        """Train in one phase, `train`; then the class means of its vectors.

        Raises:
            InputError: where the data are not what the model reads, a class has one example alone,
                or settings do not fit.
        """
        settings, train = cast(ContrastiveSettings, cell.recipe.settings), data.train
        if isinstance(settings.model, TextTrunkSettings):
            return fit_texts(settings, cell, data, run)
        if data.normaliser is None or not isinstance(train.items, np.ndarray):
            raise InputError(f"{self.name}: images needed, {data.modality} received")
        pixels = train.items
        inference = _inference(settings, pixels.shape[1:], data.normaliser, cell.recipe.numerics)
        step = _step(inference, settings, data, run.streams)

        def images_at(rows: NDArray[np.intp]) -> NDArray[Any]:
            return pixels.take(rows, axis=0)

        items = images_at, np.asarray(data.validation.items)
        prototypes = learn(step, inference, settings, data, run, items)
        return ContrastivePredictor(inference, settings, prototypes)

    def load(
        self, folder: Path, device: DeviceName = "auto"
    ) -> ContrastivePredictor | TextContrastivePredictor:
        """A saved predictor, back.

        Raises:
            InputError: where there is none of this technique, or its files contradict each other.
        """
        from bakeoff.training.torch.arrays import copy_into, named_tensors

        arrays, state = read_predictor(folder, self.name)
        try:
            if "weights" in state:
                return load_texts(arrays, state, device)
            normaliser = Normaliser(arrays.pop("normaliser.mean"), arrays.pop("normaliser.sd"))
            prototypes = Prototypes.restored(arrays, state["classes"])
            settings = ContrastiveSettings.parse({n: state[n] for n in ("model", "vector")})
            numerics = Numerics(
                device=device, precision=state["precision"], channels_last=state["channels_last"]
            )
            inference = _inference(settings, tuple(state["shape"]), normaliser, numerics)
            weights = {name.removeprefix("network."): values for name, values in arrays.items()}
            copy_into(named_tensors(inference.module), weights)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None
        return ContrastivePredictor(inference, settings, prototypes)

    def untrained(
        self, settings: Settings, shape: tuple[int, ...], classes: int
    ) -> ContrastivePredictor | TextContrastivePredictor:
        """An encoder with the initial weights of seed 0."""
        chosen = cast(ContrastiveSettings, settings)
        if isinstance(chosen.model, TextTrunkSettings):
            return untrained_texts(chosen, classes)
        channels = shape[-1]
        normaliser = Normaliser(np.zeros(channels, np.float32), np.ones(channels, np.float32))
        inference = _inference(chosen, shape, normaliser, Numerics())
        begin(_trunk(inference), inference, Streams(0))
        size = inference.features(np.zeros((0, *shape), np.uint8)).shape[1]
        return ContrastivePredictor(inference, chosen, Prototypes.blank(classes, size))

    def check(self, settings: Settings, offer: Offer) -> None:
        """Refuse models of other items, shifts beyond images, examples that cannot be compared.

        Raises:
            InputError: naming the setting.
        """
        from bakeoff.data.balanced_batches import check_balance

        chosen = cast(ContrastiveSettings, settings)
        on_texts = isinstance(chosen.model, TextTrunkSettings)
        if on_texts == bool(offer.shape):
            what, allowed = (
                ("images", "a model of images")
                if offer.shape
                else ("texts", "model {name: pretrained}")
            )
            raise InputError(f"model: {chosen.model.name} received for {what} (allowed: {allowed})")
        if offer.shape:
            chosen.augmentation.check(offer.shape)
        training = chosen.training
        check_parts(training.parts, splittable=False)
        check_balance(training.batch_size, training.classes_per_batch, offer.by_class)


def _step(
    inference: "Inference", settings: ContrastiveSettings, data: TrainingData, streams: Streams
) -> "TorchStep":
    """The loop's step, from drawn weights."""
    from bakeoff.training.torch.step import TorchStep
    from bakeoff.training.torch.transforms import Augmentation

    begin(_trunk(inference), inference, streams, np.asarray(data.train.items))
    pixels, loss = inference.pixels, loss_of(settings, streams)
    draws = Draws(settings.augmentation, pixels.shape, len(data.train), streams)
    augmentation = Augmentation(draws, pixels.normaliser.mean, pixels.device)
    return TorchStep(inference, settings.training, streams, augmentation, loss, loss.begin)


def _trunk(inference: "Inference") -> "nn.Module":
    """The image model below the vectors: it begins as that of `cnn` where paths are equal."""
    return cast("nn.Module", inference.module.trunk)


def _inference(
    settings: ContrastiveSettings,
    shape: tuple[int, ...],
    normaliser: Normaliser,
    numerics: Numerics,
) -> "Inference":
    """The encoder on its device, ready to read images; its weights are still to be set."""
    import torch

    from bakeoff.models import build
    from bakeoff.training.torch.embedding import Embedding
    from bakeoff.training.torch.inference import Inference
    from bakeoff.training.torch.numerics import resolve_device_and_precision
    from bakeoff.training.torch.transforms import Pixels

    device, precision = resolve_device_and_precision(numerics.device, numerics.precision)
    pixels = Pixels(normaliser, cast(Shape, shape), torch.device(device))
    vector, hidden = settings.vector, settings.vector.dimension is None
    model = cast(ModelSettings, settings.model)
    with torch.random.fork_rng([]):  # torch draws weights that we replace
        trunk = build(model, cast(Shape, shape), vector.dimension or 1)
    module = Embedding(trunk, normalise=vector.normalise, hidden=hidden)
    return Inference(module, pixels, precision, PredictionSettings(), numerics.channels_last)
