"""Rollout, entropy and averages of attention, by hand."""

import json
from pathlib import Path

import numpy as np

from bakeoff.analysis.attention import (
    Attended,
    entropy,
    from_first,
    rollout,
    write_attention,
)


def uniform(layers: int, heads: int, size: int) -> np.ndarray:
    return np.full((layers, heads, size, size), 1 / size, np.float32)


def looking_at_itself(layers: int, heads: int, size: int) -> np.ndarray:
    return np.broadcast_to(np.eye(size, dtype=np.float32), (layers, heads, size, size))


def test_rollout_of_a_layer_by_hand() -> None:
    """Head 1 looks at the other token, head 2 at itself: their mean is a half each."""
    weights = np.array([[[[0, 1], [1, 0]], [[1, 0], [0, 1]]]], np.float32)
    np.testing.assert_allclose(rollout(weights), [[0.75, 0.25], [0.25, 0.75]])
    twice = np.concatenate([weights, weights])
    np.testing.assert_allclose(rollout(twice), [[0.625, 0.375], [0.375, 0.625]])


def test_rollout_keeps_shares_and_order() -> None:
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.ones(5), size=(3, 2, 5)).astype(np.float32)
    found = rollout(weights)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    first, second, third = (
        0.5 * layer.mean(axis=0, dtype=np.float64) + 0.5 * np.eye(5) for layer in weights
    )
    np.testing.assert_allclose(found, third @ second @ first, rtol=1e-6)
    np.testing.assert_allclose(rollout(looking_at_itself(3, 2, 5)), np.eye(5))


def test_entropy_of_the_widest_and_the_narrowest_head() -> None:
    np.testing.assert_allclose(entropy(uniform(2, 3, 8)), np.full((2, 3), 3.0), rtol=1e-6)
    np.testing.assert_array_equal(entropy(looking_at_itself(1, 2, 4)), np.zeros((1, 2)))


def test_from_the_first_token() -> None:
    weights = np.zeros((1, 2, 2, 2), np.float32)
    weights[0, 0, 0], weights[0, 1, 0] = [1, 0], [0.5, 0.5]
    np.testing.assert_allclose(from_first(weights), [[0.75, 0.25]])


def test_the_file(tmp_path: Path) -> None:
    texts = [Attended(("[CLS]", "<b>"), uniform(1, 2, 2), "good", "bad")]
    write_attention(tmp_path / "attention.json", {"recipe": texts}, {"keys": {"recipe": "0"}})
    content = json.loads((tmp_path / "attention.json").read_text())["recipes"]["recipe"][0]
    assert content["tokens"] == ["[CLS]", "<b>"]
    assert content["weights"] == [[[[0.5, 0.5]] * 2] * 2]
    assert content["entropy"] == [[1.0, 1.0]]
    assert (content["label"], content["prediction"]) == ("good", "bad")
