"""Patch features as a part of linear techniques: settings, the phases that fit and compute them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.frozen import Frozen, plain
from bakeoff.core.protocols import Arrays, LayerProfile, Run, TrainingData
from bakeoff.core.streams import Streams
from bakeoff.data.hashing import examples_hash
from bakeoff.scratch.patches import (
    ROUNDS,
    Dictionary,
    Encoding,
    PatchEncoder,
    Pooling,
    fit_dictionary,
    sample_patches,
)

VERSION = 1
"""Of the features: raised when their numbers change, so that the cache gives no old ones."""
LEVELS_FROM = 1024
"""Training images that decide what the 256 levels of a feature stand for."""
LIMIT = 6 << 30
"""Bytes of training features, one each, that are held in memory."""


class PixelFeatures(Frozen):
    """The pixels themselves, normalised."""

    name: Literal["pixels"] = "pixels"


class PatchFeatures(Frozen):
    """Single-layer features of whitened patches; a feature is kept in one byte.

    The defaults were chosen on validation examples of CIFAR-10.
    """

    name: Literal["patches"] = "patches"
    size: Annotated[int, Field(ge=2)] = 6
    """Side of a patch in pixels."""
    atoms: Annotated[int, Field(ge=1)] = 2048
    """Of the dictionary."""
    dictionary: Literal["random", "k-means"] = "random"
    """Patches of training images as they are, or centroids of them."""
    patches: Annotated[int, Field(ge=2)] = 100_000
    """Drawn from the training images, to fit whitening and dictionary."""
    whitening: Annotated[float, Field(gt=0)] = 0.1
    """Added to every variance before whitening divides by its root."""
    encoder: Literal["soft-threshold", "triangle", "nearest"] = "soft-threshold"
    """What a patch says of each atom: by how much its product exceeds the threshold; by how much it
    is nearer than atoms are on average; whether it is among the nearest."""
    threshold: Annotated[float, Field(ge=0)] = 1.5
    """Of `soft-threshold`."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Of `nearest`: of plus and minus all atoms, how many a patch is given to."""
    grid: Annotated[int, Field(ge=1)] = 3
    """Pooling windows along each axis."""
    overlap: Annotated[float, Field(ge=0)] = 0.5
    """What windows are larger by than windows side by side."""
    mirror: bool = True
    """Average the features of an image and its mirror image."""

    def encoding(self) -> Encoding:
        """What the encoder is told."""
        threshold = self.share if self.encoder == "nearest" else self.threshold
        pooling = Pooling(self.grid, self.overlap)
        return Encoding(self.size, self.encoder, threshold, pooling, self.mirror)


FeatureSettings = Annotated[PixelFeatures | PatchFeatures, Field(discriminator="name")]


def untrained_encoder(settings: PatchFeatures, shape: tuple[int, ...]) -> PatchEncoder:
    """An encoder of the right sizes that has seen nothing.

    Raises:
        InputError: where patches or windows do not fit images of this shape (H, W, C).
    """
    p = settings.size**2 * shape[-1]
    blank = Dictionary(
        np.zeros(p, np.float32),
        np.eye(p, dtype=np.float32),
        np.zeros((settings.atoms, p), np.float32),
    )
    return _encoder(settings, shape, blank)


def _encoder(
    settings: PatchFeatures, shape: tuple[int, ...], dictionary: Dictionary
) -> PatchEncoder:
    try:
        return PatchEncoder(shape, settings.encoding(), dictionary)
    except ValueError as error:
        raise InputError(f"features: does not fit the images: {error}") from None


def fit_features(
    settings: PatchFeatures, data: TrainingData, run: Run
) -> tuple[PatchEncoder, Examples, Examples]:
    """Fit an encoder on training images, and encode training and validation images.

    Both phases, `dictionary` and `features`, are shared through the cache by all cells with these
    settings, these examples and this seed.

    Returns:
        The encoder, and the two sets of examples with features (N, D) uint8 as items.

    Raises:
        InputError: where the settings do not fit the images, or features would not fit into memory.
    """
    images, others = np.asarray(data.train.items), np.asarray(data.validation.items)
    blank = untrained_encoder(settings, images.shape[1:])
    needed = blank.size * (len(images) + len(others))
    if needed > LIMIT:
        raise InputError(
            f"features: {blank.size:,} numbers of {len(images) + len(others):,} images are "
            f"{needed / 2**30:.1f} GiB (allowed: {LIMIT / 2**30:.0f}); fewer atoms or windows"
        )
    if settings.patches < settings.atoms:
        raise InputError(
            f"features.patches: {settings.patches} received (allowed: at least "
            f"{settings.atoms}, the atoms)"
        )
    share = _key(settings, data, run)
    arrays = run.solve("dictionary", lambda: _fit_encoder(settings, images, run.streams), share)
    encoder = restored_encoder(settings, images.shape[1:], arrays)

    def encode_all() -> Arrays:
        with one_blas_thread() as threads:
            return {
                "train": encoder.levels(images, threads),
                "validation": encoder.levels(others, threads),
            }

    found = run.solve("features", encode_all, digest(share.encode())[:16])
    return (
        encoder,
        replace(data.train, items=found["train"]),
        replace(data.validation, items=found["validation"]),
    )


def _fit_encoder(
    settings: PatchFeatures, images: NDArray[np.uint8], streams: Streams
) -> dict[str, NDArray[Any]]:
    """All numbers of an encoder fitted on training images."""
    generator = streams.generator("patches")
    rows = sample_patches(images, settings.size, settings.patches, generator)
    unit = settings.encoder != "triangle"
    dictionary = fit_dictionary(
        rows, settings.atoms, settings.whitening, settings.dictionary, generator, unit
    )
    encoder = _encoder(settings, images.shape[1:], dictionary)
    some = generator.permutation(len(images))[:LEVELS_FROM]
    with one_blas_thread() as threads:
        encoder.fit_levels(images[some], threads)
    return saved_encoder(encoder)


def _key(settings: PatchFeatures, data: TrainingData, run: Run) -> str:
    """What the features are a function of."""
    content = {
        "patch features": VERSION,
        "settings": plain(settings),
        "train": examples_hash(data.train, data.task.classes),
        "validation": examples_hash(data.validation, data.task.classes),
        "stream": run.streams.integer("patches"),
    }
    return digest(canonical_json(content))[:16]


def saved_encoder(encoder: PatchEncoder) -> dict[str, NDArray[Any]]:
    """All numbers of an encoder."""
    kept = encoder.dictionary
    return {
        "mean": kept.mean,
        "whitening": kept.whitening,
        "atoms": kept.atoms,
        "low": encoder.low,
        "step": encoder.step,
    }


def restored_encoder(
    settings: PatchFeatures, shape: tuple[int, ...], arrays: Mapping[str, NDArray[Any]]
) -> PatchEncoder:
    """The encoder `saved_encoder` took apart.

    Raises:
        InputError: where the settings do not fit the images.
        KeyError, ValueError: where the numbers are not there, or of other sizes.
    """
    dictionary = Dictionary(arrays["mean"], arrays["whitening"], arrays["atoms"])
    encoder = _encoder(settings, shape, dictionary)
    for name in ("low", "step"):
        np.copyto(getattr(encoder, name), arrays[name], casting="no")
    return encoder


def encode(encoder: PatchEncoder, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, D) uint8 features of images, with the threads this process may use."""
    with one_blas_thread() as threads:
        return encoder.levels(images, threads)


def fitting_macs(settings: PatchFeatures, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of the dictionary of images (H, W, C): whitening, then k-means."""
    p = settings.size**2 * shape[-1]
    means = ROUNDS * settings.atoms if settings.dictionary == "k-means" else 0
    return settings.patches * p * (2 * p + means)


def profile(encoder: PatchEncoder) -> LayerProfile:
    """One row: every patch times every atom, twice where mirror images are averaged in."""
    weights = {name: values.shape for name, values in saved_encoder(encoder).items()}
    size, atoms = encoder.dictionary.mean.size, len(encoder.dictionary.atoms)
    return LayerProfile(
        name="patches",
        kind="patch features",
        input=encoder.shape,
        output=(encoder.size,),
        weights=weights,
        parameters=sum(values.size for values in saved_encoder(encoder).values()),
        trained_parameters=0,
        macs=encoder.positions * size * atoms * (2 if encoder.encoding.mirror else 1),
    )


@contextmanager
def one_blas_thread() -> Iterator[int]:
    """Products in one thread inside; gives the threads they had, for images to be encoded in.

    An image's products are small: whole images in parallel use cores better than parallel
    products, and products of one thread have the same bits whatever the machine allows.
    """
    from threadpoolctl import threadpool_info, threadpool_limits

    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    with threadpool_limits(1, user_api="blas"):
        yield max(pools, default=1)
