"""Patch features against plain loops, whitening, k-means, pooling, levels, threads."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bakeoff.scratch.patches import (
    Dictionary,
    EncoderName,
    Encoding,
    PatchEncoder,
    Pooling,
    fit_dictionary,
    k_means,
    normalise_contrast,
    patches,
    sample_patches,
    zca,
)

SHAPE = (9, 8, 3)
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (6, *SHAPE), np.uint8)
EVERY = pytest.mark.parametrize("name", ["soft-threshold", "triangle", "nearest"])


def built(name: EncoderName, mirror: bool = False, atoms: int = 7) -> PatchEncoder:
    rows = sample_patches(IMAGES, 3, 200, np.random.default_rng(1))
    unit = name != "triangle"
    found = fit_dictionary(rows, atoms, 0.1, "random", np.random.default_rng(2), unit)
    threshold = 0.3 if name == "nearest" else 0.4
    return PatchEncoder(SHAPE, Encoding(3, name, threshold, Pooling(2, 0.5), mirror), found)


def slowly(encoder: PatchEncoder, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The pooled features (windows, numbers) of one image, position by position, in float64."""
    kept, size = encoder.dictionary, encoder.encoding.size
    rows, columns = SHAPE[0] - size + 1, SHAPE[1] - size + 1
    atoms, t = kept.atoms.astype(float), encoder.encoding.threshold
    codes = np.empty((rows, columns, encoder.encoding.signs * len(atoms)))
    for i in range(rows):
        for j in range(columns):
            patch = image[i : i + size, j : j + size].astype(float).transpose(2, 0, 1).reshape(-1)
            patch -= patch.mean()
            patch /= np.sqrt((patch**2).mean() + 10)
            white = (patch - kept.mean) @ kept.whitening
            z = np.array([white @ atom for atom in atoms])
            if encoder.encoding.name == "soft-threshold":
                codes[i, j] = [max(0, v - t) for v in z] + [max(0, -v - t) for v in z]
            elif encoder.encoding.name == "triangle":
                far = np.array([np.linalg.norm(white - atom) for atom in atoms])
                codes[i, j] = np.maximum(0, far.mean() - far)
            else:
                both = np.concatenate([z, -z])
                codes[i, j] = both >= np.sort(both)[-round(t * len(both))]
    windows = encoder.encoding.pooling
    return np.array(
        [
            codes[down, across].mean(axis=(0, 1))
            for down in windows.windows(rows)
            for across in windows.windows(columns)
        ]
    )


@EVERY
def test_features_are_those_of_plain_loops(name: EncoderName) -> None:
    encoder = built(name)
    expected = np.array([np.sqrt(slowly(encoder, image)).reshape(-1) for image in IMAGES])
    assert expected.std() > 0.01
    # Where a patch is an atom, float32 products give the root of their error for a distance of 0.
    atol = 3e-4 if name == "triangle" else 2e-5
    np.testing.assert_allclose(encoder.features(IMAGES) ** 2, expected**2, atol=atol)


@EVERY
def test_mirror_images_have_the_same_features(name: EncoderName) -> None:
    encoder = built(name, mirror=True)
    features = encoder.features(IMAGES)
    np.testing.assert_allclose(encoder.features(IMAGES[:, :, ::-1]), features, atol=1e-6)
    plain = slowly(encoder, IMAGES[0]), slowly(encoder, IMAGES[0, :, ::-1])
    np.testing.assert_allclose(features[0] ** 2, np.mean(plain, axis=0).reshape(-1), atol=3e-4)


def test_more_atoms_than_a_block_are_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = built("soft-threshold", atoms=50)
    whole = encoder.features(IMAGES)
    monkeypatch.setattr("bakeoff.scratch.patches.BLOCK", 16)
    np.testing.assert_allclose(encoder.features(IMAGES), whole, atol=1e-6)


def test_levels_are_features_rounded() -> None:
    encoder = built("soft-threshold")
    encoder.fit_levels(IMAGES)
    features, levels = encoder.features(IMAGES), encoder.levels(IMAGES)
    assert levels.dtype == np.uint8
    restored = encoder.low + encoder.step * levels
    assert (np.abs(restored - features) <= 0.5 * encoder.step + 1e-6).mean() > 0.99
    assert len(np.unique(levels)) > 20


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_neither_threads_nor_batches_change_a_bit(threads: int) -> None:
    encoder = built("soft-threshold")
    encoder.fit_levels(IMAGES)
    whole = encoder.levels(IMAGES)
    np.testing.assert_array_equal(encoder.levels(IMAGES, threads), whole)
    np.testing.assert_array_equal(encoder.levels(IMAGES[4:5], threads), whole[4:5])
    assert encoder.levels(IMAGES[:0], threads).shape == (0, encoder.size)


def test_flat_images_are_no_trouble() -> None:
    for name in ("soft-threshold", "triangle", "nearest"):
        flat = np.zeros((2, *SHAPE), np.uint8)
        flat[1] = 255
        features = built(name).features(flat)
        assert np.isfinite(features).all()
        np.testing.assert_allclose(features[0], features[1], atol=1e-6)


def test_patches_come_row_by_row() -> None:
    found = patches(IMAGES[0], 3)
    assert found.shape == (7 * 6, 27)
    np.testing.assert_array_equal(
        found[6 + 2], IMAGES[0, 1:4, 2:5].transpose(2, 0, 1).reshape(-1).astype(np.float32)
    )
    rows = sample_patches(IMAGES, 3, 50, np.random.default_rng(0))
    every = {row.tobytes() for image in IMAGES for row in patches(image, 3)}
    assert all(row.tobytes() in every for row in rows)


def test_contrast_and_whitening() -> None:
    rows = normalise_contrast(sample_patches(IMAGES, 3, 5000, np.random.default_rng(0)))
    np.testing.assert_allclose(rows.mean(axis=1), 0, atol=1e-5)
    assert rows.std(axis=1) == pytest.approx(1, abs=0.01)
    mean, whitening = zca(rows, 1e-6)
    np.testing.assert_allclose(whitening, whitening.T, atol=1e-3)
    white = ((rows - mean) @ whitening).astype(np.float64)
    covariance = np.linalg.eigvalsh(white.T @ white / len(white))
    # One direction is gone with the mean; a part of its rounding is blown up.
    np.testing.assert_allclose(covariance[1:], 1, atol=0.02)


def test_k_means_finds_clusters() -> None:
    centres = np.array([[0, 0], [10, 0], [0, 10]], np.float32)
    noise = GENERATOR.standard_normal((3, 100, 2)).astype(np.float32) * 0.1
    rows = (centres[:, None] + noise).reshape(-1, 2)
    found = k_means(rows, 3, np.random.default_rng(4))
    for i, centre in enumerate(centres):
        nearest = found[np.linalg.norm(found - centre, axis=1).argmin()]
        np.testing.assert_allclose(nearest, (centre + noise[i]).mean(axis=0), atol=1e-4)


def test_k_means_survives_copies() -> None:
    rows = np.zeros((20, 4), np.float32)
    assert k_means(rows, 5, np.random.default_rng(0)).tolist() == [[0] * 4] * 5


def test_atoms_have_length_1() -> None:
    for kind in ("random", "k-means"):
        rows = sample_patches(IMAGES, 3, 300, np.random.default_rng(0))
        found = fit_dictionary(rows, 9, 0.1, kind, np.random.default_rng(0))
        np.testing.assert_allclose(np.linalg.norm(found.atoms, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("grid", "overlap", "expected"),
    [
        (1, 0.0, [(0, 27)]),
        (2, 0.0, [(0, 14), (13, 27)]),
        (3, 0.0, [(0, 9), (9, 18), (18, 27)]),
        (3, 0.5, [(0, 14), (6, 20), (13, 27)]),
        (2, 9.0, [(0, 27), (0, 27)]),
    ],
)
def test_windows(grid: int, overlap: float, expected: list[tuple[int, int]]) -> None:
    found = Pooling(grid, overlap).windows(27)
    assert [(window.start, window.stop) for window in found] == expected


def test_what_does_not_fit_is_refused() -> None:
    blank = Dictionary(np.zeros(300), np.eye(300), np.zeros((2, 300)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="patches of 10 pixels, images of 9 x 8"):
        PatchEncoder(SHAPE, Encoding(size=10), blank)
    with pytest.raises(ValueError, match="8 windows, but 7 positions"):
        PatchEncoder(SHAPE, Encoding(size=3, pooling=Pooling(8)), built("nearest").dictionary)
    with pytest.raises(ValueError, match="9 atoms from 5 patches"):
        fit_dictionary(np.zeros((5, 3), np.float32), 9, 0.1, "random", GENERATOR)
