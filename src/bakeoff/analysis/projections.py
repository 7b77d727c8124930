"""Vectors on a plane (PCA, t-SNE), how far the picture can be trusted, and what space they fill.

Sources: van der Maaten and Hinton 2008, "Visualizing data using t-SNE"; Kobak and Berens 2019, "The
art of using t-SNE for single-cell transcriptomics" (the start from PCA); Venna and Kaski 2001,
"Neighborhood preservation in nonlinear projection methods" (trustworthiness); Wang and Isola 2020,
"Understanding contrastive representation learning through alignment and uniformity on the
hypersphere".
"""

from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.errors import InputError

Doubles = NDArray[np.float64]
Vectors = NDArray[np.floating[Any]]
Rows = NDArray[np.intp]
LARGE = 5_000
"""Points from which openTSNE is asked, where it is installed: its time grows with the points alone
(Linderman et al. 2019, "Fast interpolation-based t-SNE"). Of 10,000 it takes 31 s where
scikit-learn takes 79, of 5,000 25 s where that takes 30 (`benchmarks/projections.py`)."""
START = 1e-4
"""SD of the first coordinate at the start."""


def pca(vectors: Vectors, dimensions: int = 2) -> Doubles:
    """The first principal components of N vectors, (N, dimensions), each with a fixed sign.

    Directions beyond the vectors' own are 0.
    """
    centred = vectors.astype(np.float64)
    centred -= centred.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    kept = directions[:dimensions]
    signs = np.sign(kept[np.arange(len(kept)), np.abs(kept).argmax(axis=1)])
    found = centred @ (kept * signs[:, None]).T
    return np.pad(found, ((0, 0), (0, dimensions - found.shape[1])))


def check_perplexity(perplexity: float, points: int) -> None:
    """Whether t-SNE of so many points can have a perplexity.

    Raises:
        InputError: where a point has fewer than three times as many others.
    """
    most = (points - 1) / 3
    if not 1 <= perplexity <= most:
        raise InputError(
            f"perplexity: {perplexity:g} received for {points:,} points (allowed: 1 to {most:.4g}, "
            "a third of the other points)"
        )


def tsne_program(points: int) -> Literal["openTSNE", "scikit-learn"]:
    """Whose t-SNE draws so many points here."""
    there = points >= LARGE and find_spec("openTSNE") is not None
    return "openTSNE" if there else "scikit-learn"


def tsne(vectors: Vectors, perplexity: float = 30.0, seed: int = 0, jobs: int = 1) -> Doubles:
    """t-SNE of N vectors, (N, 2), from their first two principal components.

    Args:
        vectors: (N, D).
        perplexity: About how many neighbours count.
        seed: Of what the start does not decide.
        jobs: Threads.

    Raises:
        InputError: where there are too few points for the perplexity, or vectors are not finite.
    """
    check_perplexity(perplexity, len(vectors))
    if not np.isfinite(vectors).all():
        raise InputError("vectors: infinities or NaN received (allowed: finite numbers)")
    start = pca(vectors)
    start *= START / (start[:, 0].std() or 1.0)
    if tsne_program(len(vectors)) == "openTSNE":
        import openTSNE

        made = openTSNE.TSNE(
            perplexity=perplexity, initialization=start, random_state=seed, n_jobs=jobs
        )
        return np.asarray(made.fit(vectors.astype(np.float64)), np.float64)
    from sklearn.manifold import TSNE

    theirs = TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=jobs)
    return np.asarray(theirs.fit_transform(vectors.astype(np.float32)), np.float64)


def _squares(points: Vectors, rows: Rows | None = None) -> Doubles:
    """(R, N) squared distances of the points at `rows` (all) from all; infinite from themselves."""
    exact = points.astype(np.float64)
    chosen = np.arange(len(points)) if rows is None else rows
    lengths = np.square(exact).sum(axis=1)
    table: Doubles = lengths[chosen, None] + lengths[None, :] - 2 * exact[chosen] @ exact.T
    table[np.arange(len(chosen)), chosen] = np.inf
    np.maximum(table, 0, out=table)
    return table


def _nearest(points: Vectors, k: int, rows: Rows | None = None) -> NDArray[np.intp]:
    """(R, k) the nearest of each of the points at `rows` (all), itself apart."""
    return np.argsort(_squares(points, rows), axis=1, kind="stable")[:, :k]


def trustworthiness(
    vectors: Vectors, places: Doubles, k: int = 10, rows: Rows | None = None
) -> float:
    """How far neighbours in a picture are neighbours in truth, 0..1: 1 where all k of each are.

    Each of a point's k neighbours in the picture that is none of its k nearest vectors costs by how
    much farther it is than those, in ranks (Venna and Kaski 2001, eq. 2).

    Args:
        vectors: (N, D).
        places: (N, 2) in the picture.
        k: Less than N / 2.
        rows: (R,) the points that are asked, each about all N; None: all. Memory grows with R x N.
    """
    count = len(vectors)
    order = np.argsort(_squares(vectors, rows), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, count + 1)[None, :], axis=1)
    beyond = np.take_along_axis(ranks, _nearest(places, k, rows), axis=1) - k
    cost = float(np.maximum(beyond, 0).sum())
    return 1 - cost * 2 / (len(order) * k * (2 * count - 3 * k - 1))


def neighbours_kept(
    vectors: Vectors, places: Doubles, k: int = 10, rows: Rows | None = None
) -> float:
    """Which share of the k nearest vectors of each point are among its k nearest in the picture.

    Arguments as of `trustworthiness`.
    """
    true, shown = _nearest(vectors, k, rows), _nearest(places, k, rows)
    return float((true[:, :, None] == shown[:, None, :]).any(axis=2).mean())


def on_sphere(vectors: Vectors) -> Doubles:
    """Vectors of length 1; those of length 0 stay."""
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / np.where(lengths > 0, lengths, 1)


def alignment(vectors: Vectors, labels: NDArray[np.int64]) -> float | None:
    """Mean squared distance of pairs of one class on the unit sphere; less is closer.

    None where there is no such pair. Source: Wang and Isola 2020, section 4.1.1, alpha = 2; their
    pairs are two views of an image.
    """
    same = labels[:, None] == labels[None, :]
    np.fill_diagonal(same, False)
    return float(_squares(on_sphere(vectors))[same].mean()) if same.any() else None


def uniformity(vectors: Vectors) -> float | None:
    """`log mean exp(-2 d^2)` of all pairs on the unit sphere: 0 at one point, less is more even.

    None where there is no pair. Source: Wang and Isola 2020, section 4.1.2, t = 2.
    """
    if len(vectors) < 2:
        return None
    pairs = _squares(on_sphere(vectors))[np.triu_indices(len(vectors), 1)]
    return float(np.log(np.exp(-2 * pairs).mean()))


def class_distances(vectors: Vectors, labels: NDArray[np.int64], classes: int) -> Doubles:
    """(K, K) mean distances between the vectors of two classes, in units of that of all pairs.

    NaN where a class has no vector, on the diagonal where it has one.
    """
    table = np.sqrt(_squares(vectors))
    others = np.isfinite(table)
    unit = table[others].mean() if others.any() else 0.0
    found = np.full((classes, classes), np.nan)
    for one in range(classes):
        for other in range(one, classes):
            pairs = np.ix_(labels == one, labels == other)
            some = table[pairs][others[pairs]]
            if some.size:
                found[one, other] = found[other, one] = some.mean() / (unit or 1.0)
    return found
