"""Examples: items with labels, as a map-style data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Modality = Literal["image", "text", "numbers"]
Items = NDArray[Any] | Sequence[str]
"""Images (N, H, W, C) uint8, rows of numbers (N, D) float, or N texts."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Items, labels, identities. Works as a map-style data set, under torch's DataLoader too.

    Args:
        items: Images (N, H, W, C) uint8, possibly memory-mapped, rows (N, D), or N texts.
        labels: (N,) int64, an index into the class names, -1 where unknown; or (N,) float64, the
            value to be predicted, NaN where unknown.
        ids: (N,) str: what a predictions file calls each example.
        groups: (N,) int64 or None: examples of one group stay together.
    """

    items: Items
    labels: NDArray[Any]
    ids: NDArray[np.str_]
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """The number of examples N."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int | float]:
        """One item ((H, W, C) uint8, a text, or (D,) float64) and its label.

        Raises:
            IndexError: where the index is outside -N..N-1.
        """
        label: int | float = self.labels[index].item()
        return self.items[index], label

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) whose labels are known."""
        unknown = np.isnan(self.labels) if self.labels.dtype.kind == "f" else self.labels < 0
        return np.logical_not(unknown)

    def take(self, indices: NDArray[np.intp]) -> "Examples":
        """The examples at `indices`, copied."""
        return Examples(
            take_items(self.items, indices),
            self.labels[indices],
            self.ids[indices],
            None if self.groups is None else self.groups[indices],
        )


def concatenated(parts: Sequence[Examples]) -> Examples:
    """Examples one behind another, all with groups or all without, copied."""
    items: Items
    if isinstance(parts[0].items, np.ndarray):
        items = np.concatenate([part.items for part in parts])
    else:
        items = [item for part in parts for item in part.items]
    groups = [part.groups for part in parts if part.groups is not None]
    return Examples(
        items,
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.ids for part in parts]),
        np.concatenate(groups) if groups else None,
    )


def take_items(items: Items, indices: NDArray[np.intp]) -> Items:
    """The items at `indices`: an array, or a list of B texts."""
    if isinstance(items, np.ndarray):
        return items[indices]
    return [items[i] for i in indices]
