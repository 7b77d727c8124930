"""Nearest class means: what vectors say of classes without learning anything more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.collapse import Precision, at_one_point
from bakeoff.core.examples import Examples
from bakeoff.core.protocols import Arrays, LayerProfile
from bakeoff.core.softmax import softmax

REFERENCE = 2_000
"""Training examples whose vectors make the class means, at most."""


def spread_rows(labels: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.intp]:
    """Rows of `REFERENCE` examples at most, in order, as many of each class as can be."""
    order = generator.permutation(len(labels))
    ranks = np.empty(len(labels), np.intp)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        ranks[members] = np.arange(len(members))
    return np.sort(np.lexsort((order.argsort(), ranks))[:REFERENCE])


def squared_distances(
    vectors: NDArray[np.float32], means: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(N, K) of N vectors from the means of K classes.

    Class by class: a product's bits would depend on how many vectors there are.
    """
    exact = vectors.astype(np.float64)
    return np.stack([np.square(exact - mean).sum(axis=1) for mean in means], axis=1)


def comparison(name: str, means: NDArray[np.float32], *, learnt: bool) -> LayerProfile:
    """The comparison with the means as a layer.

    Args:
        name: Of the layer.
        means: (K, D).
        learnt: Whether the means count as parameters that learn.
    """
    return LayerProfile(
        name=name,
        kind="nearest mean",
        input=(means.shape[1],),
        output=(len(means),),
        weights={"means": means.shape},
        parameters=means.size,
        trained_parameters=means.size if learnt else 0,
        macs=means.size,
    )


@dataclass(frozen=True, eq=False)
class Prototypes:
    """The mean vector of each class.

    The probability of a class is that of isotropic Gaussians of one width around the means, all
    equally frequent: the softmax of `-|v - mean|^2 / (2 * spread)`.

    Args:
        means: (K, D) float32.
        known: (K,) bool: whether there was an example; a class without one is never given.
        spread: Mean squared distance of the examples from their class's mean; 0: the encoder has
            collapsed, and all classes are equally likely.
        classes: The K class names.
    """

    means: NDArray[np.float32]
    known: NDArray[np.bool_]
    spread: float
    classes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        vectors: NDArray[np.float32],
        examples: Examples,
        classes: tuple[str, ...],
        precision: Precision = "float32",
    ) -> Self:
        """Of the vectors (N, D) of N examples; not finite where those are not.

        Args:
            vectors: The examples'.
            examples: Their labels are read.
            classes: The K class names.
            precision: In which the vectors were computed.
        """
        exact, labels = vectors.astype(np.float64), examples.labels
        hot = np.zeros((len(labels), len(classes)))
        hot[np.arange(len(labels)), labels] = 1
        counts = hot.sum(axis=0)
        with np.errstate(invalid="ignore", over="ignore"):
            means = hot.T @ exact / np.maximum(counts, 1)[:, None]
            spread = float(np.square(exact - means[labels]).sum(axis=1).mean())
        # Classes that are points have no width; that of the least number is told apart from 0.
        least = float(np.finfo(np.float32).tiny)
        width = 0.0 if at_one_point(vectors, precision) else max(spread, least)
        return cls(means.astype(np.float32), counts > 0, width, classes)

    @classmethod
    def blank(cls, classes: int, size: int) -> Self:
        """Of K classes, all at 0: nothing was seen."""
        names = tuple(str(i) for i in range(classes))
        return cls(np.zeros((classes, size), np.float32), np.ones(classes, bool), 1.0, names)

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]], classes: Sequence[str]) -> Self:
        """Back from what `arrays` gave, which is taken out."""
        means, known = arrays.pop("prototypes.means"), arrays.pop("prototypes.known")
        return cls(means, known, float(arrays.pop("prototypes.spread")[0]), tuple(classes))

    def arrays(self) -> Arrays:
        """To be saved."""
        return {
            "prototypes.means": self.means,
            "prototypes.known": self.known,
            "prototypes.spread": np.array([self.spread]),
        }

    def profile(self) -> LayerProfile:
        """The comparison as a layer: nothing of it learns."""
        return comparison("class-means", self.means, learnt=False)

    @property
    def collapsed(self) -> bool:
        """Whether the vectors lay at one point."""
        return self.spread == 0

    def probabilities(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K) float32 of vectors (N, D)."""
        if self.collapsed:
            return np.full((len(vectors), len(self.classes)), 1 / len(self.classes), np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            logits = -squared_distances(vectors, self.means) / (2 * self.spread)
        logits[:, ~self.known] = -np.inf
        return softmax(logits).astype(np.float32)
