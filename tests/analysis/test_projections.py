"""Maps and measures of vectors against scikit-learn and formulas written out."""

import math

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness as their_trustworthiness

from bakeoff.analysis import projections
from bakeoff.analysis.projections import (
    alignment,
    check_perplexity,
    class_distances,
    neighbours_kept,
    on_sphere,
    pca,
    trustworthiness,
    tsne,
    tsne_program,
    uniformity,
)
from bakeoff.core.errors import InputError

GENERATOR = np.random.default_rng(0)
LABELS = np.arange(90) % 3
VECTORS = (GENERATOR.normal(size=(90, 8)) + 6 * np.eye(3, 8)[LABELS]).astype(np.float32)


def test_pca_is_scikit_learns_but_for_signs() -> None:
    found, expected = pca(VECTORS), PCA(2).fit_transform(VECTORS.astype(np.float64))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-8)
    np.testing.assert_allclose(pca(VECTORS[::-1])[::-1], found, atol=1e-8)


def test_pca_of_one_direction_has_no_second() -> None:
    found = pca(np.arange(5, dtype=np.float32)[:, None])
    assert found.shape == (5, 2)
    assert not found[:, 1].any()


def test_tsne_keeps_groups_and_repeats() -> None:
    found = tsne(VECTORS, perplexity=10)
    assert tsne_program(len(VECTORS)) == "scikit-learn"
    np.testing.assert_array_equal(tsne(VECTORS, perplexity=10), found)
    middles = np.stack([found[c == LABELS].mean(axis=0) for c in range(3)])
    nearest = np.square(found[:, None] - middles[None]).sum(axis=2).argmin(axis=1)
    assert (nearest == LABELS).mean() > 0.95
    assert trustworthiness(VECTORS, found, 10) > 0.85


def test_many_points_go_to_open_tsne(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openTSNE", reason="THE EXTRA tsne IS NOT INSTALLED")
    monkeypatch.setattr(projections, "LARGE", 50)
    assert tsne_program(len(VECTORS)) == "openTSNE"
    found = tsne(VECTORS, perplexity=10)
    assert found.shape == (90, 2)
    assert trustworthiness(VECTORS, found, 10) > 0.85
    monkeypatch.undo()
    assert not np.allclose(found, tsne(VECTORS, perplexity=10))


@pytest.mark.parametrize(("perplexity", "points"), [(30, 90), (0.5, 90), (5, 10)])
def test_a_perplexity_beyond_the_points_is_refused(perplexity: float, points: int) -> None:
    with pytest.raises(
        InputError, match=rf"perplexity: {perplexity:g} received for {points} points"
    ):
        tsne(VECTORS[:points], perplexity)
    check_perplexity(30, 91)


def test_vectors_that_are_not_finite_are_refused() -> None:
    broken = VECTORS.copy()
    broken[3, 3] = np.nan
    with pytest.raises(InputError, match="infinities or NaN received"):
        tsne(broken, 10)


@pytest.mark.parametrize("k", [3, 10])
def test_trustworthiness_is_scikit_learns(k: int) -> None:
    for places in (pca(VECTORS), GENERATOR.normal(size=(90, 2))):
        expected = their_trustworthiness(VECTORS.astype(np.float64), places, n_neighbors=k)
        assert trustworthiness(VECTORS, places, k) == pytest.approx(expected, abs=1e-9)
    assert trustworthiness(VECTORS[:, :2], VECTORS[:, :2].astype(np.float64), k) == 1


def test_neighbours_kept() -> None:
    assert neighbours_kept(VECTORS, VECTORS.astype(np.float64)) == 1
    scattered = neighbours_kept(VECTORS, GENERATOR.normal(size=(90, 2)))
    assert 0 < scattered < 0.4


def test_alignment_and_uniformity_are_the_papers_formulas() -> None:
    z = on_sphere(VECTORS)
    pairs = [(i, j) for i in range(90) for j in range(i)]
    same = [np.square(z[i] - z[j]).sum() for i, j in pairs if LABELS[i] == LABELS[j]]
    assert alignment(VECTORS, LABELS) == pytest.approx(float(np.mean(same)))
    potential = np.mean([math.exp(-2 * np.square(z[i] - z[j]).sum()) for i, j in pairs])
    assert uniformity(VECTORS) == pytest.approx(math.log(potential))
    assert uniformity(np.ones((5, 3))) == pytest.approx(0, abs=1e-9)
    assert alignment(VECTORS[:3], LABELS[:3]) is None
    assert uniformity(VECTORS[:1]) is None
    assert not on_sphere(np.zeros((2, 3))).any()


def test_distances_of_classes() -> None:
    found = class_distances(VECTORS, LABELS, 4)
    np.testing.assert_array_equal(found, found.T)
    assert np.isnan(found[3]).all()
    table = np.sqrt(np.square(VECTORS[:, None] - VECTORS[None]).sum(axis=2))
    unit = table[~np.eye(90, dtype=bool)].mean()
    expected = table[np.ix_(LABELS == 0, LABELS == 1)].mean() / unit
    assert found[0, 1] == pytest.approx(expected, rel=1e-5)
    inner = table[np.ix_(LABELS == 2, LABELS == 2)].sum() / (30 * 29) / unit
    assert found[2, 2] == pytest.approx(inner, rel=1e-5)


def test_some_points_are_asked_about_all() -> None:
    places = pca(VECTORS)
    rows = np.arange(len(VECTORS))
    for measure in (trustworthiness, neighbours_kept):
        single = [measure(VECTORS, places, 10, rows[[i]]) for i in rows]
        assert measure(VECTORS, places, 10) == pytest.approx(np.mean(single))
