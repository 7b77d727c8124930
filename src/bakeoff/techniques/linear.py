"""What softmax and logistic regression share: settings, features, both solvers, the predictor."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bakeoff.core.augmentation import AugmentationSettings, Draws
from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, Items
from bakeoff.core.frozen import Frozen, later, plain
from bakeoff.core.protocols import (
    Batch,
    LayerProfile,
    Normaliser,
    Predictor,
    Run,
    Step,
    TrainingData,
)
from bakeoff.core.recipe import DeviceName, Settings
from bakeoff.core.teaching import Teaching
from bakeoff.data.batches import TrainingBatches, evaluation_batches
from bakeoff.data.normalise import fit as fit_normaliser
from bakeoff.scratch.augmentation import Augmentation
from bakeoff.scratch.inside import NetworkInside
from bakeoff.scratch.layers import Layer
from bakeoff.scratch.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy
from bakeoff.scratch.network import Sequence as Sequential
from bakeoff.scratch.network import saved, softmax_regression
from bakeoff.scratch.objective import Objective
from bakeoff.scratch.patches import PatchEncoder
from bakeoff.scratch.step import Evaluator, Inputs, NumpyStep
from bakeoff.techniques.frameworks import Computing, Engine, Extras, engine
from bakeoff.techniques.frameworks.numpy import optimiser_of
from bakeoff.techniques.lbfgs import solve
from bakeoff.techniques.patches import (
    FeatureSettings,
    PatchFeatures,
    PixelFeatures,
    encode,
    fit_features,
    profile,
    restored_encoder,
    saved_encoder,
    untrained_encoder,
)
from bakeoff.techniques.saved import images, read_predictor, write_predictor
from bakeoff.training.plan import plan
from bakeoff.training.settings import TrainingSettings

EVALUATION_BATCH = 1024
NUMPY = Computing()
ENCODED_AT_ONCE = 2048
"""Images whose features are in memory at a time while predicting."""


class LinearTraining(TrainingSettings):
    """How a linear classifier trains: by the loop, or by L-BFGS over all examples at once."""

    epochs: Annotated[int, Field(ge=1)] | None = 30
    solver: Literal["loop", "lbfgs"] = "loop"
    """`lbfgs`: `iterations` of L-BFGS, which reads only the fields below besides."""
    tolerance: Annotated[float, Field(gt=0)] = 1e-5
    """Of `lbfgs`: it has converged where no component of the gradient is greater."""

    lbfgs_iterations: ClassVar[int] = 100
    """Where none are given."""
    lbfgs_reads: ClassVar[frozenset[str]] = frozenset(
        {"solver", "iterations", "l2", "select", "restore_best", "tolerance"}
    )

    @model_validator(mode="before")
    @classmethod
    def _lbfgs_has_iterations(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("solver") == "lbfgs":
            return {"epochs": None, "iterations": cls.lbfgs_iterations} | value
        return value

    @model_validator(mode="after")
    def _nothing_without_meaning(self) -> "LinearTraining":
        """What the solver does not read may not be set to anything but its default."""
        if self.solver == "loop":
            unread = {"tolerance"}
        else:
            unread = set(type(self).model_fields) - self.lbfgs_reads
        fields = type(self).model_fields
        allowed = {name: None if name == "epochs" else fields[name].default for name in unread}
        wrong = {n: getattr(self, n) for n in sorted(unread) if getattr(self, n) != allowed[n]}
        if wrong:
            told = ", ".join(n if isinstance(v, Frozen) else f"{n} {v}" for n, v in wrong.items())
            read = ", ".join(sorted(self.lbfgs_reads - {"solver"}))
            why = "the loop does not read it" if self.solver == "loop" else f"it reads {read}"
            raise ValueError(f"solver {self.solver} received with {told}: {why}")
        return self


class LinearSettings(Settings):
    """Of a linear classifier."""

    features: FeatureSettings = PixelFeatures()
    training: LinearTraining = LinearTraining()
    augmentation: AugmentationSettings = later(AugmentationSettings())
    """Of pixels, in the loop. Of it `lbfgs` reads `flip: true`: it learns from every image and its
    mirror image, which is what the loop learns from on average."""

    @model_validator(mode="after")
    def _augmentation_is_read(self) -> "LinearSettings":
        """Features are computed once, and a solve sees the same examples in every pass."""
        changes = self.augmentation
        if changes == AugmentationSettings():
            return self
        changes.check_unblended("a linear technique")
        if isinstance(self.features, PatchFeatures):
            raise ValueError(
                "augmentation received with patch features, which are computed once (allowed: "
                "features.mirror)"
            )
        if self.training.solver == "lbfgs" and changes != AugmentationSettings(flip=True):
            raise ValueError(
                "augmentation received with solver lbfgs, which sees the same examples in every "
                "pass (allowed: augmentation {flip: true}, both orientations of every image)"
            )
        return self

    @property
    def solves(self) -> bool:
        """Whether fitting has phases in one piece, whose price grows with the examples."""
        return self.training.solver == "lbfgs" or not self.on_pixels

    @property
    def on_pixels(self) -> bool:
        """Whether the network reads the images themselves."""
        return isinstance(self.features, PixelFeatures)


class LinearPredictor:
    """A linear classifier with what it needs to read images and to name classes.

    Args:
        technique: The name it is saved under.
        normaliser: Of the pixels, or of the features (D,); fitted on training examples.
        shape: (H, W, C) of one image.
        classes: The K class names.
        outputs: Logits: K, or 1 for two classes.
        encoder: Of images to features, with its settings; None: pixels.
    """

    def __init__(
        self,
        technique: str,
        normaliser: Normaliser,
        shape: Sequence[int],
        classes: Sequence[str],
        outputs: int,
        encoder: tuple[PatchFeatures, PatchEncoder] | None = None,
    ) -> None:
        self.technique, self.normaliser = technique, normaliser
        self.shape, self.classes, self.outputs = tuple(shape), tuple(classes), outputs
        self.features = None if encoder is None else encoder[0]
        self.encoder = None if encoder is None else encoder[1]
        inputs = self.shape if self.encoder is None else (self.encoder.size,)
        self.network = softmax_regression(normaliser, inputs, outputs)
        self.reader = Inputs(inputs)
        self.computing = NUMPY
        self._known: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []

    @cached_property
    def engine(self) -> Engine:
        """The network at work on images, in a framework that may be another one."""
        return engine(self.network, self.computing, None, self.shape)

    def remember(self, items: Items, features: Items) -> None:
        """Take these features for these very items (the same array) from here on."""
        self._known.append((np.asarray(items), np.asarray(features)))

    def predict(self, items: Items) -> NDArray[np.float32]:
        """Class probabilities (N, K) float32 of (N, H, W, C) uint8.

        Raises:
            InputError: where the items are not images of that shape.
        """
        pixels = images(items, self.shape, self.technique)
        if self.computing.framework != "numpy":
            return self.engine.probabilities(pixels)
        evaluator = Evaluator(self.network, self.reader)
        out = np.empty((len(pixels), len(self.classes)), np.float32)
        for rows, inputs in self._inputs(pixels):
            out[rows] = evaluator.probabilities(inputs)
        return out

    def represent(self, items: Items) -> NDArray[np.float32]:
        """(N, D) float32: what the classifier reads, normalised.

        Raises:
            InputError: where the items are not images of the right shape.
        """
        pixels = images(items, self.shape, self.technique)
        out = np.empty((len(pixels), self.reader.size), np.float32)
        for rows, inputs in self._inputs(pixels):
            out[rows] = self.normaliser(inputs).reshape(len(inputs), -1)
        return out

    def _inputs(self, pixels: NDArray[np.uint8]) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
        """What the network reads: the images, or their features, some at a time."""
        if self.encoder is None:
            yield slice(0, len(pixels)), pixels
            return
        for known, features in self._known:
            if known is pixels:
                yield slice(0, len(pixels)), features
                return
        for start in range(0, len(pixels), ENCODED_AT_ONCE):
            rows = slice(start, start + ENCODED_AT_ONCE)
            yield rows, encode(self.encoder, pixels[rows])

    def layers(self) -> tuple[LayerProfile, ...]:
        """One row for each layer; the features' before them."""
        rows = self.network.profile("", self.reader.shape)
        return rows if self.encoder is None else (profile(self.encoder), *rows)

    def save(self, folder: Path) -> None:
        """Write it into an existing folder."""
        arrays = {f"network.{path}": values for path, values in saved(self.network).items()}
        arrays |= {"normaliser.mean": self.normaliser.mean, "normaliser.sd": self.normaliser.sd}
        if self.encoder is not None:
            arrays |= {f"encoder.{n}": a for n, a in saved_encoder(self.encoder).items()}
        state = {
            "technique": self.technique,
            "shape": list(self.shape),
            "classes": list(self.classes),
            "features": None if self.features is None else plain(self.features),
            **self.computing.state(),
        }
        write_predictor(folder, arrays, state)


def load_linear(folder: Path, technique: str, device: DeviceName) -> LinearPredictor:
    """A saved predictor, back; it gives the same bits.

    Raises:
        InputError: where there is none of that technique.
    """
    arrays, state = read_predictor(folder, technique)
    try:
        encoder = None
        if state["features"] is not None:
            features = PatchFeatures.parse(state["features"])
            prefix = "encoder."
            own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
            encoder = features, restored_encoder(features, tuple(state["shape"]), own)
        predictor = LinearPredictor(
            technique,
            Normaliser(arrays["normaliser.mean"], arrays["normaliser.sd"]),
            state["shape"],
            state["classes"],
            len(arrays["network.output.bias"]),
            encoder,
        )
        predictor.computing = Computing.from_state(state, device)
        for path, values in saved(predictor.network).items():
            np.copyto(values, arrays[f"network.{path}"], casting="no")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: not a saved {technique}: {error}") from None
    return predictor


def untrained_linear(
    technique: str, settings: LinearSettings, shape: tuple[int, ...], classes: int, outputs: int
) -> LinearPredictor:
    """A predictor with zero weights, for its sizes.

    Raises:
        InputError: where the features do not fit the images.
    """
    size, encoder = shape[-1], None
    if isinstance(settings.features, PatchFeatures):
        encoder = settings.features, untrained_encoder(settings.features, shape)
        size = encoder[1].size
    normaliser = Normaliser(np.zeros(size, np.float32), np.ones(size, np.float32))
    names = [str(i) for i in range(classes)]
    return LinearPredictor(technique, normaliser, shape, names, outputs, encoder)


def new_linear(technique: str, data: TrainingData, outputs: int) -> LinearPredictor:
    """What a fit on pixels starts from: zero weights.

    Raises:
        InputError: where the data are not images.
    """
    if data.normaliser is None or not isinstance(data.train.items, np.ndarray):
        raise InputError(f"{technique}: images needed, {data.modality} received")
    shape = data.train.items.shape[1:]
    return LinearPredictor(technique, data.normaliser, shape, data.task.classes, outputs)


def open_linear(predictor: Predictor, *, fresh: bool) -> NetworkInside:
    """A linear classifier on pixels to look into, in NumPy."""
    own = cast(LinearPredictor, predictor)
    return NetworkInside(own.network, own.reader, _loss(own.outputs), fresh=fresh)


def differentiable_linear(
    shape: tuple[int, ...], outputs: int, smoothing: float = 0.0
) -> tuple[Layer, Loss]:
    """The network in float64 and its loss, for checks of gradients."""
    # Any normalisation that is neither 0 nor 1 anywhere.
    mean, sd = np.linspace(-0.3, 0.5, shape[-1]) / 255, np.linspace(0.5, 2, shape[-1]) / 255
    normaliser = Normaliser(mean.astype(np.float32), sd.astype(np.float32))
    network = softmax_regression(normaliser, shape, outputs, np.float64)
    return network, _loss(outputs, smoothing)


def fit_linear(
    technique: str,
    settings: LinearSettings,
    data: TrainingData,
    run: Run,
    outputs: int,
    computing: Computing = NUMPY,
    teaching: Teaching | None = None,
) -> LinearPredictor:
    """Fit a linear classifier from zero weights: there is one minimum.

    Phases: `dictionary` and `features` for patch features, then `train` (a loop) or `solve`.

    Args:
        technique: The name it is saved under.
        settings: Features and training.
        data: Images.
        run: What is worked through.
        outputs: Logits: one for each class, or 1 for two classes.
        computing: What computes; patch features, the solve and one logit are NumPy's alone.
        teaching: What a teacher says of the training examples, to the loop with a logit for each
            class; None: there is none.

    Raises:
        InputError: where the data are not images, or features do not fit them.
    """
    if data.normaliser is None or not isinstance(data.train.items, np.ndarray):
        raise InputError(f"{technique}: images needed, {data.modality} received")
    shape, classes = data.train.items.shape[1:], data.task.classes
    train, validation = data.train, data.validation
    if isinstance(settings.features, PatchFeatures):
        encoder, train, validation = fit_features(settings.features, data, run)
        normaliser = fit_normaliser("feature", np.asarray(train.items))
        kind = (settings.features, encoder)
        predictor = LinearPredictor(technique, normaliser, shape, classes, outputs, kind)
        for images_, features in ((data.train, train), (data.validation, validation)):
            predictor.remember(images_.items, features.items)
    else:
        predictor = new_linear(technique, data, outputs)
    predictor.computing = computing
    if settings.training.solver == "lbfgs":
        _solve(predictor, settings, (data, train, validation), run)
    else:
        _train(predictor, settings, (data, train, validation), run, teaching)
    return predictor


Sets = tuple[TrainingData, Examples, Examples]
"""What is learnt, and the examples to train and to validate on as the network reads them."""


def _loss(outputs: int, smoothing: float = 0.0) -> Loss:
    kind = BinaryCrossEntropy if outputs == 1 else SoftmaxCrossEntropy
    return kind(smoothing)


def _train(
    predictor: LinearPredictor,
    settings: LinearSettings,
    sets: Sets,
    run: Run,
    teaching: Teaching | None,
) -> None:
    """Minibatches, in the loop."""
    data, train, validation = sets
    network, training = predictor.network, settings.training
    augmentation = None
    if settings.augmentation != AugmentationSettings():
        shape = cast(tuple[int, int, int], predictor.shape)
        draws = Draws(settings.augmentation, shape, len(train), run.streams)
        augmentation = Augmentation(draws, predictor.normaliser.mean)
    elsewhere = predictor.computing.framework != "numpy"
    step: Step
    if elsewhere:
        extras = Extras(augmentation=augmentation, teaching=teaching)
        step = predictor.engine.step(training, run.streams, extras)
    else:
        optimiser = optimiser_of(network, training)
        loss = _loss(predictor.outputs, training.label_smoothing)
        step = NumpyStep(network, optimiser, predictor.reader, loss, augmentation, teaching)
    batches = TrainingBatches(train, training.batch_size, run.streams, training.sampling)

    def validating() -> Iterator[Batch]:
        return iter(evaluation_batches(validation, EVALUATION_BATCH))

    watched = validating if len(validation) else None
    run.loop("train", step, batches, plan(training, batches, data.task, watched))
    if elsewhere:
        predictor.engine.keep()


def _solve(predictor: LinearPredictor, settings: LinearSettings, sets: Sets, run: Run) -> None:
    """All examples at once."""
    data, train, validation = sets
    items, labels = np.asarray(train.items), train.labels
    if settings.augmentation.flip:
        items = np.concatenate([items, items[:, :, ::-1]])
        labels = np.concatenate([labels, labels])
    doubled = replace(train, items=items, labels=labels)
    network = predictor.network, predictor.reader
    loss = _loss(predictor.outputs)
    minimise(network, loss, (data, doubled, validation), run, settings.training)


def minimise(
    network: tuple[Sequential, Inputs], loss: Loss, sets: Sets, run: Run, training: LinearTraining
) -> None:
    """Minimise the mean loss of all examples by L-BFGS, in one phase, `solve`.

    Args:
        network: From its parameters on, and what reads items for it; left with those selected.
        loss: Of its outputs.
        sets: The task's data, and what is trained and validated on as the network reads it.
        run: What is worked through.
        training: Iterations, penalty, tolerance, selection.
    """
    data, train, validation = sets
    own, reader = network
    evaluator, others = Evaluator(own, reader), np.asarray(validation.items)
    items = np.asarray(train.items)
    objective = Objective(own, loss, reader, items, train.labels, training.l2)

    def scores() -> Mapping[str, float]:
        if not len(validation):
            return {}
        return data.task.score(validation.labels, evaluator.probabilities(others))

    metric = "accuracy" if training.select == "auto" else training.select
    select = None
    if training.restore_best and len(validation):
        select = metric, data.task.directions[metric]
    objective.put(
        solve(run, objective, scores, select, training.iterations or 1, training.tolerance)
    )
