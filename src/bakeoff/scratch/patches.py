"""Single-layer patch features: whitened patches, a dictionary, an encoder, pooling; NumPy alone.

Every patch of an image is normalised for contrast and whitened, compared with the n atoms of a
dictionary, encoded, and averaged over a grid of windows. A linear classifier on these numbers is a
strong baseline without any network that is trained through.
Sources: Coates, Lee and Ng 2011, "An analysis of single-layer networks in unsupervised feature
learning" (pipeline, triangle); Coates and Ng 2011, "The importance of encoding versus training
with sparse coding and vector quantization" (random patches, soft threshold with split signs);
Thiry et al. 2021, "The unreasonable effectiveness of patches in deep convolutional kernels methods"
(nearest). Square roots as in Perronnin, Sanchez and Mensink 2010, "Improving the Fisher kernel for
large-scale image classification".
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]
EncoderName = Literal["soft-threshold", "triangle", "nearest"]
CONTRAST = 10.0
"""Added to a patch's variance (of pixels 0..255), so that flat patches are not noise blown up."""
BLOCK = 256
"""Atoms at a time: 729 positions times 256 float32 stay in a core's cache for all passes."""
ROUNDS = 10
"""Of k-means (Coates, Lee and Ng found that more change nothing)."""
REACH = 4.0
"""Standard deviations on either side of a feature's mean that its 256 levels span."""


@dataclass(frozen=True)
class Pooling:
    """Where encoded patches are averaged: a grid of equal square windows.

    Args:
        grid: Windows along each axis.
        overlap: 0: windows side by side; 0.5: each half as large again; they stay inside.
    """

    grid: int = 2
    overlap: float = 0.0

    def windows(self, positions: int) -> list[slice]:
        """The windows along an axis of so many positions.

        Raises:
            ValueError: where there are more windows than positions.
        """
        if self.grid > positions:
            raise ValueError(f"{self.grid} windows, but {positions} positions of a patch")
        side = min(positions, round(-(-positions // self.grid) * (1 + self.overlap)))
        last = positions - side
        steps = max(1, self.grid - 1)
        starts = [round(i * last / steps) for i in range(self.grid)]
        return [slice(start, start + side) for start in starts]

    def matrix(self, rows: int, columns: int) -> Floats:
        """(grid^2, rows * columns) float32: averaging over every window as a matrix product."""
        matrix = np.zeros((self.grid, self.grid, rows, columns), np.float32)
        for i, down in enumerate(self.windows(rows)):
            for j, across in enumerate(self.windows(columns)):
                matrix[i, j, down, across] = 1
        flat = matrix.reshape(self.grid**2, rows * columns)
        averaging: Floats = flat / flat.sum(axis=1, keepdims=True)
        return averaging


@dataclass(frozen=True, eq=False)
class Dictionary:
    """What patches are compared with.

    Args:
        mean: (p,) float32, of contrast-normalised patches; p = size * size * C.
        whitening: (p, p) float32, symmetric.
        atoms: (n, p) float32, in whitened space.
    """

    mean: Floats
    whitening: Floats
    atoms: Floats


@dataclass(frozen=True)
class Encoding:
    """How a patch becomes numbers.

    Args:
        size: Side of a patch in pixels.
        name: `soft-threshold`: of the product z with each atom of length 1, `max(0, z - t)` and
            `max(0, -z - t)`; `triangle`: `max(0, mean distance - distance)` to each atom;
            `nearest`: 1 for the share of plus and minus all atoms with the greatest products.
        threshold: t; in `nearest` the share.
        pooling: Windows.
        mirror: Average the pooled numbers of an image and its mirror image: what is learnt from
            them cannot tell left from right.
    """

    size: int = 6
    name: EncoderName = "soft-threshold"
    threshold: float = 1.5
    pooling: Pooling = Pooling()
    mirror: bool = False

    @property
    def signs(self) -> int:
        """Numbers an atom gives in every window."""
        return 1 if self.name == "triangle" else 2


def patches(images: NDArray[np.uint8], size: int) -> Floats:
    """Every patch of one image (H, W, C): (positions, size * size * C) float32, row by row."""
    windows = sliding_window_view(images, (size, size), axis=(0, 1))
    rows, columns = windows.shape[:2]
    return windows.reshape(rows * columns, -1).astype(np.float32)


def sample_patches(
    images: NDArray[np.uint8], size: int, count: int, generator: np.random.Generator
) -> Floats:
    """Patches (count, size * size * C) float32 from anywhere in (N, H, W, C) uint8."""
    windows = sliding_window_view(images, (size, size), axis=(1, 2))
    places = tuple(generator.integers(windows.shape[axis], size=count) for axis in range(3))
    chosen: Floats = windows[places].reshape(count, -1).astype(np.float32)
    return chosen


def normalise_contrast(rows: Floats) -> Floats:
    """Each patch less its mean, over the root of its variance + 10; in place."""
    rows -= rows.mean(axis=1, keepdims=True)
    variances = np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
    rows /= np.sqrt(variances + CONTRAST)[:, None]
    return rows


def zca(rows: Floats, epsilon: float) -> tuple[Floats, Floats]:
    """Mean and whitening matrix: `U (S + epsilon)^(-1/2) U^T` of the covariance `U S U^T`.

    Source: Bell and Sejnowski 1997, "The independent components of natural scenes are edge
    filters".
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows.astype(np.float64) - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / len(rows))
    scaled = vectors / np.sqrt(np.maximum(values, 0) + epsilon)
    return mean.astype(np.float32), (scaled @ vectors.T).astype(np.float32)


def k_means(rows: Floats, count: int, generator: np.random.Generator) -> Floats:
    """`count` centroids (n, p) of rows (N, p) after 10 rounds of Lloyd's algorithm.

    A centroid that nothing is nearest to starts again at a random row.
    """
    centroids = rows[generator.choice(len(rows), count, replace=False)]
    for _ in range(ROUNDS):
        halves = 0.5 * np.einsum("ij,ij->i", centroids, centroids)
        nearest = np.empty(len(rows), np.intp)
        for start in range(0, len(rows), 4096):
            part = slice(start, start + 4096)
            nearest[part] = (rows[part] @ centroids.T - halves).argmax(axis=1)
        order = np.argsort(nearest, kind="stable")
        present, first = np.unique(nearest[order], return_index=True)
        sums = np.add.reduceat(rows[order], first, axis=0)
        centroids = rows[generator.choice(len(rows), count, replace=False)]
        counts = np.bincount(nearest, minlength=count)[present, None]
        centroids[present] = sums / counts.astype(np.float32)
    return centroids


def fit_dictionary(
    rows: Floats,
    atoms: int,
    epsilon: float,
    kind: Literal["random", "k-means"],
    generator: np.random.Generator,
    unit: bool = True,
) -> Dictionary:
    """A dictionary from raw patches.

    Args:
        rows: (N, p) float32, raw; changed in place.
        atoms: n <= N.
        epsilon: Of the whitening.
        kind: Whitened patches themselves, or centroids of them.
        generator: Draws them.
        unit: Whether atoms are scaled to length 1.

    Raises:
        ValueError: where there are fewer patches than atoms.
    """
    if len(rows) < atoms:
        raise ValueError(f"{atoms} atoms from {len(rows)} patches")
    mean, whitening = zca(normalise_contrast(rows), epsilon)
    whitened = np.matmul(rows - mean, whitening, dtype=np.float32)
    chosen: Floats
    if kind == "k-means":
        chosen = k_means(whitened, atoms, generator)
    else:
        chosen = whitened[generator.choice(len(rows), atoms, replace=False)]
    if unit:
        chosen /= np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-6)
    return Dictionary(mean, whitening, chosen)


class PatchEncoder:
    """Images to patch features, one image at a time, so that batches change no bit.

    Whitening and atoms are one matrix: `((x - m) W) d = x (W d) - m W d`.

    Args:
        shape: (H, W, C) of an image.
        encoding: How.
        dictionary: Fitted on training images.

    Attributes:
        size: D, the numbers an image becomes: windows * signs * atoms.
        low, step: (D,) float32: level q of a feature stands for `low + step * q`, q = 0..255.

    Raises:
        ValueError: where patches are larger than images, or windows outnumber positions.
    """

    def __init__(self, shape: tuple[int, ...], encoding: Encoding, dictionary: Dictionary) -> None:
        rows, columns = (side - encoding.size + 1 for side in shape[:2])
        if min(rows, columns) < 1:
            raise ValueError(
                f"patches of {encoding.size} pixels, images of {shape[0]} x {shape[1]}"
            )
        self.shape, self.encoding, self.dictionary = shape, encoding, dictionary
        self.positions = rows * columns
        self._pooling = encoding.pooling.matrix(rows, columns)
        self._filters: Floats = dictionary.whitening @ dictionary.atoms.T
        self._offsets: Floats = dictionary.mean @ self._filters
        self.size = len(self._pooling) * encoding.signs * len(dictionary.atoms)
        self.low, self.step = np.zeros(self.size, np.float32), np.ones(self.size, np.float32)

    def fit_levels(self, images: NDArray[np.uint8], threads: int = 1) -> None:
        """Choose what the 256 levels of every feature stand for, from some training images."""
        features = self.features(images, threads)
        mean, sd = features.mean(axis=0), features.std(axis=0)
        self.low = np.maximum(mean - REACH * sd, 0)
        self.step = np.maximum((mean + REACH * sd - self.low) / 255, 1e-6).astype(np.float32)

    def levels(self, images: NDArray[np.uint8], threads: int = 1) -> NDArray[np.uint8]:
        """(N, D) uint8: features of (N, H, W, C) uint8, rounded to their nearest level."""
        out = np.empty((len(images), self.size), np.uint8)
        self._run(images, out, threads)
        return out

    def features(self, images: NDArray[np.uint8], threads: int = 1) -> Floats:
        """(N, D) float32: the root of every window's average."""
        out = np.empty((len(images), self.size), np.float32)
        self._run(images, out, threads)
        return out

    def _run(self, images: NDArray[np.uint8], out: NDArray[Any], threads: int) -> None:
        """Encode image by image, in as many threads as told; the bits do not depend on them."""

        def work(part: range) -> None:
            for i in part:
                row = self._encode(images[i])
                if out.dtype == np.uint8:
                    row -= self.low
                    row /= self.step
                    np.clip(np.rint(row, out=row), 0, 255, out=row)
                out[i] = row

        if threads == 1 or len(images) < 2 * threads:
            return work(range(len(images)))
        with ThreadPoolExecutor(threads) as pool:
            # Interleaved, so that no thread is left with more than its share at the end.
            list(pool.map(work, [range(i, len(images), threads) for i in range(threads)]))
        return None

    def _encode(self, image: NDArray[np.uint8]) -> Floats:
        """The features (D,) of one image."""
        pooled = self._pooled(image)
        if self.encoding.mirror:
            pooled += self._pooled(image[:, ::-1])
            pooled /= 2
        # Rounding leaves averages of nothing a hair below 0.
        return np.sqrt(np.maximum(pooled, 0, out=pooled), out=pooled).reshape(-1)

    def _pooled(self, image: NDArray[np.uint8]) -> Floats:
        """(windows, signs * n) float32."""
        rows = normalise_contrast(patches(image, self.encoding.size))
        match self.encoding.name:
            case "soft-threshold":
                return self._soft_threshold(rows)
            case "triangle":
                return self._triangle(rows)
            case "nearest":
                return self._nearest(rows)

    def _blocks(self) -> Iterator[slice]:
        count = len(self.dictionary.atoms)
        return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))

    def _products(self, rows: Floats, block: slice) -> Floats:
        """(positions, atoms of the block): whitened patches times atoms."""
        products: Floats = rows @ self._filters[:, block]
        products -= self._offsets[block]
        return products

    def _soft_threshold(self, rows: Floats) -> Floats:
        """`max(0, z - t) = max(z, t) - t`: one pass each way; averaging takes the rest."""
        count, t = len(self.dictionary.atoms), np.float32(self.encoding.threshold)
        pooled = np.empty((len(self._pooling), 2 * count), np.float32)
        for block in self._blocks():
            z = self._products(rows, block)
            above = np.maximum(z, t)
            np.minimum(z, -t, out=z)
            pooled[:, block] = self._pooling @ above - t
            mirrored = slice(block.start + count, block.stop + count)
            pooled[:, mirrored] = -(self._pooling @ z) - t
        return pooled

    def _triangle(self, rows: Floats) -> Floats:
        """The distances of a patch are compared with each other, so all atoms go at once."""
        atoms = self.dictionary.atoms
        whitened = (rows - self.dictionary.mean) @ self.dictionary.whitening
        distances: Floats = self._products(rows, slice(None))
        distances *= -2
        distances += np.einsum("ij,ij->i", whitened, whitened)[:, None]
        distances += np.einsum("ij,ij->i", atoms, atoms)
        np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
        nearer = np.subtract(distances.mean(axis=1, keepdims=True), distances, out=distances)
        pooled: Floats = self._pooling @ np.maximum(nearer, 0, out=nearer)
        return pooled

    def _nearest(self, rows: Floats) -> Floats:
        """Of unit atoms, the nearest are those with the greatest products."""
        z = self._products(rows, slice(None))
        both = np.concatenate([z, -z], axis=1)
        chosen = max(1, round(self.encoding.threshold * both.shape[1]))
        limit = np.partition(both, -chosen, axis=1)[:, -chosen]
        given: Floats = (both >= limit[:, None]).astype(np.float32)
        pooled: Floats = self._pooling @ given
        return pooled
