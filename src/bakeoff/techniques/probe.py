"""What vectors are worth: a classifier on those of another recipe, which may then learn on.

Source: Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes".
Vectors are computed once and kept by content (`techniques/encoders.py`). `network-b` adds layers,
as in a known course report; its log-softmax and negative log likelihood are together softmax and
cross-entropy. It may go on with layers of the encoder thawed. `cnn` reads the vectors of a text's
tokens (`techniques/token_probe.py`). Nearest neighbours on vectors are the technique `knn` with an
`encoder`.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
from pydantic import Field, field_validator, model_validator

from bakeoff.core.augmentation import AugmentationSettings
from bakeoff.core.cell import Cell
from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Items, Modality
from bakeoff.core.frozen import plain
from bakeoff.core.optimisers import OptimizerName
from bakeoff.core.protocols import (
    LayerProfile,
    Normaliser,
    Predictor,
    Run,
    TrainingData,
)
from bakeoff.core.recipe import DeviceName, Framework, Ref, Settings
from bakeoff.core.teaching import Teaching
from bakeoff.scratch.step import Pixels
from bakeoff.techniques.encoders import (
    Encoder,
    Vectors,
    cut_notes,
    encode,
    encoder_of,
    finite,
    load_encoder,
    no_vectors,
    save_encoder,
    token_reader_of,
)
from bakeoff.techniques.heads import (
    Head,
    NetworkB,
    SoftmaxClassifier,
    Standardised,
    VectorClassifier,
    build_head,
    check_same_layers,
    fit_head,
    standardiser,
)
from bakeoff.techniques.linear import LinearTraining
from bakeoff.techniques.saved import images, read_predictor, write_predictor
from bakeoff.techniques.teachers import teaching_of
from bakeoff.techniques.token_probe import (
    TokenCnnClassifier,
    TokenProbePredictor,
    fit_token_cnn,
    load_token_cnn,
    untrained_token_cnn,
)
from bakeoff.training.settings import TaughtSettings, check_framework, check_parts


class ProbeTraining(TaughtSettings, LinearTraining):
    """How the classifier trains, on standardised vectors."""

    epochs: Annotated[int, Field(ge=1)] | None = 30
    batch_size: Annotated[int, Field(ge=1)] = 128
    optimizer: OptimizerName = "nesterov"
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    l2: Annotated[float, Field(ge=0)] = 0.001
    schedule: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "cosine"


class ProbeSettings(Settings):
    """Of the probe."""

    encoder: Ref | None = None
    """The recipe whose fitted predictor gives the vectors; None: normalised pixels."""
    classifier: Annotated[
        SoftmaxClassifier | NetworkB | TokenCnnClassifier, Field(discriminator="name")
    ] = SoftmaxClassifier()
    training: ProbeTraining = ProbeTraining()
    augmentation: AugmentationSettings = AugmentationSettings()
    """Of the images, where layers of the encoder learn; vectors are computed once."""

    @field_validator("classifier", mode="before")
    @classmethod
    def _default_classifier(cls, value: Any) -> Any:
        """Fields without a name are those of network-b."""
        return {"name": "network-b"} | value if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _nothing_without_meaning(self) -> "ProbeSettings":
        self.augmentation.check_unblended("probe")
        on_tokens = isinstance(self.classifier, TokenCnnClassifier)
        check_framework(self.training, "torch" if self.tunes or on_tokens else "numpy")
        if on_tokens and self.encoder is None:
            raise ValueError(
                "classifier cnn received without an encoder (needed: a recipe of technique "
                "pretrained, whose vectors of tokens it reads)"
            )
        if self.training.teacher is not None and self.training.teacher.extra is not None:
            raise ValueError(
                "training.teacher.extra received, but vectors are those of the training texts "
                "(allowed: with lstm, fine-tune and lora)"
            )
        if on_tokens and self.training.solver != "loop":
            raise ValueError("training.solver lbfgs received with classifier cnn (allowed: loop)")
        if not self.tunes:
            if self.augmentation != AugmentationSettings():
                raise ValueError(
                    "augmentation received, but vectors are computed once (allowed: with "
                    "classifier.fine_tune)"
                )
            return self
        if self.encoder is None:
            raise ValueError("classifier.fine_tune received without an encoder, which is to learn")
        if self.training.solver != "loop":
            raise ValueError(
                "training.solver lbfgs received with classifier.fine_tune (allowed: loop)"
            )
        return self

    @property
    def tunes(self) -> bool:
        """Whether layers of the encoder learn."""
        return isinstance(self.classifier, NetworkB) and self.classifier.fine_tune != "none"

    @property
    def framework(self) -> Framework:
        """Encoders compute in torch, whatever the classifier does."""
        return "numpy" if self.encoder is None else "torch"


class PixelVectors:
    """Normalised pixels as vectors: what stands for an encoder where there is none.

    Args:
        normaliser: Fitted on the training images.
        shape: (H, W, C).
    """

    def __init__(self, normaliser: Normaliser, shape: tuple[int, ...]) -> None:
        self.normaliser, self.shape = normaliser, shape
        self._pixels = Pixels(normaliser, shape)

    def represent(self, items: Items) -> Vectors:
        """(N, H * W * C) float32."""
        pixels = images(items, self.shape, Probe.name)
        out = np.empty((len(pixels), self._pixels.size), np.float32)
        self._pixels.write(pixels, out)
        return out


class ProbePredictor:
    """A classifier on vectors, with what makes them.

    Args:
        source: Of the vectors.
        head: The classifier.
        classifier: Its settings.
        classes: The K class names.
        trained: Parameters of the encoder that learnt, by layer.
    """

    def __init__(
        self,
        source: Encoder | PixelVectors,
        head: Head,
        classifier: VectorClassifier,
        classes: tuple[str, ...],
        trained: Mapping[str, int] | None = None,
    ) -> None:
        self.source, self.head, self.classifier = source, head, classifier
        self.classes, self.trained = classes, dict(trained or {})
        self._known: list[tuple[Items, Vectors]] = []

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C) of an image; () where the encoder reads texts."""
        return tuple(getattr(self.source, "shape", ()))

    def cut_notes(self, items: Items) -> list[str]:
        """What the encoder says of N texts."""
        return cut_notes(self.source, items)

    def remember(self, items: Items, vectors: Vectors) -> None:
        """Take these vectors for these very items (the same object) from here on."""
        self._known.append((items, vectors))

    def predict(self, items: Items) -> Vectors:
        """Class probabilities (N, K) float32.

        Raises:
            InputError: where the encoder does not read such items, or has diverged.
        """
        return self.head.probabilities(self._vectors(items))

    def represent(self, items: Items) -> Vectors:
        """(N, H) float32: what the output layer sees; of softmax regression, the vectors."""
        return self.head.hidden(self._vectors(items))

    def _vectors(self, items: Items) -> Vectors:
        for known, vectors in self._known:
            if known is items:
                return vectors
        return finite(self.source.represent(items), Probe.name)

    def layers(self) -> tuple[LayerProfile, ...]:
        """The encoder's, then the classifier's."""
        rows: tuple[LayerProfile, ...] = ()
        if not isinstance(self.source, PixelVectors):
            rows = tuple(
                replace(row, trained_parameters=self.trained.get(row.name, 0))
                for row in self.source.layers()
            )
        return (*rows, *self.head.network.profile("head", self.head.reader.shape))

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        arrays = self.head.arrays()
        state: dict[str, Any] = {
            "technique": Probe.name,
            "classifier": plain(self.classifier),
            "classes": list(self.classes),
            "trained": self.trained,
            "shape": None,
        }
        if isinstance(self.source, PixelVectors):
            normaliser = self.source.normaliser
            arrays |= {"normaliser.mean": normaliser.mean, "normaliser.sd": normaliser.sd}
            state["shape"] = list(self.source.shape)
        else:
            save_encoder(self.source, folder)
        write_predictor(folder, arrays, state)


class Probe:
    """A classifier on the vectors of another recipe."""

    name: ClassVar[str] = "probe"
    version: ClassVar[int] = 5
    """2: one view of each image in tuning; 3: fixed filters stay so; 4: a network over tokens has
    the batch of the longest texts first; 5: other draws of dropout."""
    settings: ClassVar[type[Settings]] = ProbeSettings
    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})
    modalities: ClassVar[frozenset[Modality]] = frozenset({"image", "text"})
    framework: ClassVar[Framework] = "numpy"
    seeded: ClassVar[bool] = True
    summary: ClassVar[str] = "softmax regression or added layers on another recipe's vectors"

    def fit(
        self, cell: Cell, data: TrainingData, inputs: Mapping[str, Predictor], run: Run
    ) -> ProbePredictor | TokenProbePredictor:
        """Train on vectors: phases `encode`, `encode-validation`, then `train` or `solve`.

        Where layers of the encoder learn, `encode` is followed by `tune`. A teacher speaks in a
        phase before all others.

        Raises:
            InputError: where the encoder gives no vectors, has diverged, or cannot learn.
        """
        settings = cast(ProbeSettings, cell.recipe.settings)
        teaching = teaching_of(settings.training.teacher, cell, data, inputs, run)
        if isinstance(settings.classifier, TokenCnnClassifier):
            reference = cast(Ref, settings.encoder)
            encoder = reference, token_reader_of(reference, inputs, self.name)
            return fit_token_cnn(
                settings.classifier, settings.training, encoder, cell, data, run, teaching
            )
        if settings.tunes:
            return self._tune(settings, cell, data, inputs, run, teaching)
        source: Encoder | PixelVectors
        if settings.encoder is None:
            if data.normaliser is None or not isinstance(data.train.items, np.ndarray):
                raise InputError(
                    "probe: images needed, or an encoder that turns texts into vectors"
                )
            source = PixelVectors(data.normaliser, data.train.items.shape[1:])
            train = source.represent(data.train.items)
            validation = source.represent(data.validation.items)
        else:
            source = encoder_of(settings.encoder, inputs, self.name)
            train = encode(source, settings.encoder, cell, data, run)
            validation = encode(source, settings.encoder, cell, data, run, "validation")
        classes = tuple(data.task.classes)
        reader = standardiser(finite(train, self.name))
        head = build_head(settings.classifier, reader, len(classes), run.streams)
        vectors = train, finite(validation, self.name)
        fit_head(head, vectors, data, run, settings.training, teaching)
        predictor = ProbePredictor(source, head, settings.classifier, classes)
        predictor.remember(data.train.items, train)
        predictor.remember(data.validation.items, validation)
        return predictor

    def _tune(
        self,
        settings: ProbeSettings,
        cell: Cell,
        data: TrainingData,
        inputs: Mapping[str, Predictor],
        run: Run,
        teaching: Teaching | None,
    ) -> ProbePredictor:
        """Let layers of the encoder learn with the head."""
        from bakeoff.techniques.tuning import Thaw, check_shape, tune

        reference, classifier = cast(Ref, settings.encoder), cast(NetworkB, settings.classifier)
        theirs, begun = _beginning(reference, classifier, inputs)
        encoder, classes = copy.deepcopy(theirs), tuple(data.task.classes)
        check_shape(encoder, data, self.name)
        if begun:
            head = copy.deepcopy(begun.head)
        else:
            vectors = encode(encoder, reference, cell, data, run)
            reader = standardiser(finite(vectors, self.name))
            head = build_head(classifier, reader, len(classes), run.streams)
        what = Thaw(classifier.thawed, {"": classifier.encoder_rate} | classifier.rates)
        training, augmentation = settings.training, settings.augmentation
        numerics, both = cell.recipe.numerics, (encoder, head)
        tune(both, data, run, training, augmentation, numerics, what, teaching)
        trained = {row.name: row.trained_parameters for row in encoder.layers()}
        return ProbePredictor(encoder, head, classifier, classes, trained)

    def load(
        self, folder: Path, device: DeviceName = "auto"
    ) -> ProbePredictor | TokenProbePredictor:
        """A saved predictor, back, with its encoder.

        Raises:
            InputError: where there is none of this technique, or its files contradict each other.
        """
        arrays, state = read_predictor(folder, self.name)
        try:
            if state["classifier"]["name"] == TokenCnnClassifier().name:
                return load_token_cnn(folder, arrays, state, device)
            source: Encoder | PixelVectors
            if state["shape"] is None:
                source = load_encoder(folder, device)
            else:
                normaliser = Normaliser(arrays["normaliser.mean"], arrays["normaliser.sd"])
                source = PixelVectors(normaliser, tuple(state["shape"]))
            classifier = cast(
                VectorClassifier,
                ProbeSettings.model_validate(
                    {"classifier": state["classifier"], "encoder": {"recipe": "its-own"}}
                ).classifier,
            )
            reader = Standardised(arrays["vectors.mean"], arrays["vectors.sd"])
            head = build_head(classifier, reader, len(state["classes"]))
            head.restore(arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: not a saved {self.name}: {error}") from None
        return ProbePredictor(source, head, classifier, tuple(state["classes"]), state["trained"])

    def untrained(self, settings: Settings, shape: tuple[int, ...], classes: int) -> ProbePredictor:
        """On pixels: how large an encoder's vectors are is the encoder's to say.

        Raises:
            InputError: where the classifier reads nothing but an encoder's vectors.
        """
        channels = shape[-1:]
        normaliser = Normaliser(np.zeros(channels, np.float32), np.ones(channels, np.float32))
        source, size = PixelVectors(normaliser, shape), int(np.prod(shape))
        reader = Standardised(np.zeros(size, np.float32), np.ones(size, np.float32))
        chosen = cast(ProbeSettings, settings).classifier
        if isinstance(chosen, TokenCnnClassifier):
            raise InputError("classifier cnn: its sizes depend on an encoder's vectors of tokens")
        names = tuple(str(i) for i in range(classes))
        return ProbePredictor(source, build_head(chosen, reader, classes), chosen, names)

    def untrained_on(
        self, settings: Settings, offer: Offer
    ) -> ProbePredictor | TokenProbePredictor:
        """Nothing learnt, on vectors of the encoder that is offered.

        Raises:
            InputError: where it gives none, or none of tokens for a classifier that reads these.
        """
        chosen, classes = cast(ProbeSettings, settings), tuple(offer.by_class)
        if chosen.encoder is None:
            return self.untrained(settings, offer.shape, len(classes))
        if isinstance(chosen.classifier, TokenCnnClassifier):
            tokens = token_reader_of(chosen.encoder, offer.inputs, self.name)
            return untrained_token_cnn(chosen.classifier, tokens, classes)
        source = encoder_of(chosen.encoder, offer.inputs, self.name)
        size = no_vectors(source, offer.shape).shape[1]
        reader = Standardised(np.zeros(size, np.float32), np.ones(size, np.float32))
        head = build_head(chosen.classifier, reader, len(classes))
        return ProbePredictor(source, head, chosen.classifier, classes)

    def check(self, settings: Settings, offer: Offer) -> None:
        """Refuse shifts beyond the images, batch norm in parts of batches, and tokens of images.

        And encoders that cannot learn, or have no such layers, where they are to learn.

        Raises:
            InputError: naming the setting.
        """
        chosen = cast(ProbeSettings, settings)
        if isinstance(chosen.classifier, TokenCnnClassifier):
            if offer.shape:
                raise InputError(
                    "classifier: cnn received for data that are not texts: it reads the vectors of "
                    "a text's tokens (allowed: softmax, network-b)"
                )
            if chosen.training.sampling != "shuffle":
                raise InputError(
                    f"training.sampling: {chosen.training.sampling} received (allowed with "
                    "classifier cnn: shuffle)"
                )
        if chosen.tunes:
            from bakeoff.techniques.tuning import inference_of
            from bakeoff.training.torch.joined import check_layers

            classifier = cast(NetworkB, chosen.classifier)
            encoder, _ = _beginning(cast(Ref, chosen.encoder), classifier, offer.inputs)
            module = inference_of(encoder, self.name).module
            check_layers(module, classifier.thawed, classifier.rates)
            chosen.augmentation.check(offer.shape)
        normalisation = getattr(chosen.classifier, "normalisation", "none")
        check_parts(chosen.training.parts, normalisation != "batch")


def _beginning(
    reference: Ref, mine: NetworkB, inputs: Mapping[str, Predictor]
) -> tuple[Encoder, ProbePredictor | None]:
    """The encoder that is to learn on, and the network-b on it whose added layers do, too.

    Raises:
        InputError: where it is no torch network on images, or the added layers are others.
    """
    from bakeoff.techniques.tuning import inference_of

    start = encoder_of(reference, inputs, Probe.name)
    if not isinstance(start, ProbePredictor) or isinstance(start.source, PixelVectors):
        inference_of(start, Probe.name)
        return start, None
    inference_of(start.source, Probe.name)
    check_same_layers(start.classifier, mine, reference.recipe)
    return start.source, start
