"""What attention looks at: averages, rollout and entropy of its weights, and the file of them.

`attention.json` holds, for each recipe, some texts: their tokens, and rounded weights by layer and
head. It is made while models are at hand; the report draws it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.files import canonical_json, write_atomic

NAME = "attention.json"
DIGITS = 3
"""Of the weights, as they are kept."""
Weights = NDArray[np.float32]
"""(layers, heads, T, T): from each token (a row, which adds up to 1) to each token."""


@dataclass(frozen=True, eq=False)
class Attended:
    """A text and what attention did with it.

    Args:
        tokens: The T tokens.
        weights: By layer and head.
        label: The name of its class.
        prediction: The name of the class it was given.
    """

    tokens: tuple[str, ...]
    weights: Weights
    label: str = ""
    prediction: str = ""


def rollout(weights: Weights) -> NDArray[np.float64]:
    """(T, T): how much of each input token reaches each token of the last layer.

    Source: Abnar and Zuidema 2020, "Quantifying attention flow in transformers", section 3: heads
    are averaged, half of each token stays where it is (the residual), and layers multiply.
    """
    means = weights.astype(np.float64).mean(axis=1)
    size = means.shape[-1]
    total = np.eye(size)
    for layer in means:
        mixed = 0.5 * layer + 0.5 * np.eye(size)
        total = mixed / mixed.sum(axis=1, keepdims=True) @ total
    return total


def entropy(weights: Weights) -> NDArray[np.float64]:
    """(layers, heads): bits, the mean over tokens of the entropy of where each one looks."""
    shares = weights.astype(np.float64)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    bits: NDArray[np.float64] = -(shares * logs).sum(axis=-1).mean(axis=-1)
    return bits


def from_first(weights: Weights) -> NDArray[np.float64]:
    """(layers, T): where the first token (an encoder's [CLS]) looks, the mean over heads."""
    seen: NDArray[np.float64] = weights[:, :, 0].astype(np.float64).mean(axis=1)
    return seen


def write_attention(
    path: Path, recipes: Mapping[str, Sequence[Attended]], about: Mapping[str, Any]
) -> None:
    """Write `attention.json`.

    Args:
        path: Of the file.
        recipes: Some texts of each.
        about: How it was made, JSON-ready.

    Raises:
        DiskError: where it cannot be written.
    """
    content = {
        "about": about,
        "recipes": {name: [_described(text) for text in texts] for name, texts in recipes.items()},
    }
    write_atomic(path, canonical_json(content))


def _described(text: Attended) -> dict[str, Any]:
    return {
        "tokens": list(text.tokens),
        "label": text.label,
        "prediction": text.prediction,
        "weights": _rounded(text.weights),
        "mean": _rounded(text.weights.mean(axis=1)),
        "rollout": _rounded(rollout(text.weights)),
        "entropy": _rounded(entropy(text.weights)),
        "first": _rounded(from_first(text.weights)),
    }


def _rounded(values: NDArray[Any]) -> Any:
    return np.round(values.astype(np.float64), DIGITS).tolist()
