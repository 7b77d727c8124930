"""An embedding that learns nothing: memory holds the rows that texts reached, a file the others.

A vocabulary is the largest table of a small language model, and texts reach a small part of it. A
row takes memory from when it is looked up for the first time.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bakeoff.core.errors import InputError
from bakeoff.models.mapped import copied, regions

SAMPLE_ROWS = 64
"""Rows, evenly spread, by which a table is known again in a file."""
SIZES = {"F32": 4, "F16": 2, "BF16": 2}
"""Bytes of a number by its type's name in a file."""


@dataclass(frozen=True)
class StoredTable:
    """A matrix in a file of safetensors.

    Args:
        path: The file.
        offset: Of its first byte.
        width: Numbers of a row.
        kind: Their type, of `SIZES`.
        state: What tells that the file is still the one that was found.
    """

    path: Path
    offset: int
    width: int
    kind: str
    state: tuple[int, ...]

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """(N, width) the rows of these numbers (N,), exactly.

        Raises:
            InputError: where the file is no longer there, or is another.
        """
        size = SIZES[self.kind] * self.width
        out = np.empty((len(numbers), self.width), np.float32)
        try:
            with self.path.open("rb") as file:
                if _state(os.fstat(file.fileno())) != self.state:
                    raise OSError("it is another file than before")
                for row, number in zip(out, numbers.tolist(), strict=True):
                    file.seek(self.offset + size * number)
                    row[:] = self._numbers(file.read(size))
        except OSError as error:
            raise InputError(f"{self.path}: weights that are in use were lost: {error}") from None
        return out

    def _numbers(self, content: bytes) -> NDArray[np.float32]:
        if self.kind == "BF16":
            halves = np.frombuffer(content, "<u2").astype(np.uint32)
            return (halves << 16).view(np.float32)
        return np.frombuffer(content, "<f4" if self.kind == "F32" else "<f2").astype(np.float32)


@dataclass(frozen=True)
class _Filling:
    """Reads rows before they are looked up for the first time.

    The embedding's weights hold them in the order in which they came, so that those that are still
    to come take no memory.

    Args:
        source: Where they lie.
        places: (V,) int64 where each is among the weights; -1: nowhere yet.
    """

    source: StoredTable
    places: NDArray[np.int64]

    def __call__(self, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Tensor]:
        """What an embedding is given in the place of (B, T) ids: where their rows are."""
        ids = cast(Tensor, inputs[0]).numpy()
        new = np.unique(ids[self.places[ids] < 0])
        if len(new):
            first = int(self.places.max()) + 1
            weight = cast(Tensor, layer.weight).detach().numpy()
            weight[first : first + len(new)] = self.source.rows(new)
            self.places[new] = np.arange(first, first + len(new))
        return (torch.from_numpy(self.places[ids]),)


def leave_rows_stored(body: nn.Module, folder: Path) -> bool:
    """Have a body's embedding of tokens read its rows from a file when texts first reach them.

    It stays as it is where it learns, where other layers read its weights too, where it lies on
    another device, and where no file has it.

    Args:
        body: Of Transformers, with the weights of the folder; changed in place.
        folder: With files of safetensors.

    Returns:
        Whether it reads them so.
    """
    layer: Any = cast(Any, body).get_input_embeddings()
    weight: Tensor = layer.weight
    readers = sum(own is weight for part in body.modules() for own in part._parameters.values())
    plain = weight.dtype == torch.float32 and weight.device.type == "cpu"
    if not isinstance(layer, nn.Embedding) or weight.requires_grad or readers > 1 or not plain:
        return False
    source = _find(folder, weight.detach())
    if source is None:
        return False
    table = np.empty(tuple(weight.shape), np.float32)  # pages nobody wrote to take no memory
    layer.weight = nn.Parameter(torch.from_numpy(table), requires_grad=False)
    layer.padding_idx = None  # of another row now; gradients alone would read it
    places = np.full(len(table), -1, np.int64)
    layer.register_forward_pre_hook(_Filling(source, places))
    return True


def _find(folder: Path, weight: Tensor) -> StoredTable | None:
    """Where a folder's files have a matrix; None: nowhere."""
    numbers = np.unique(np.linspace(0, len(weight) - 1, SAMPLE_ROWS).astype(np.int64))
    among = regions()  # what is mapped is read from its file: pages that are looked at stay
    wanted = torch.stack([copied(weight[number], among) for number in numbers]).numpy()
    for path in sorted(folder.glob("*.safetensors")):
        for table in _tables(path, tuple(weight.shape)):
            if np.array_equal(table.rows(numbers), wanted):
                return table
    return None


def _tables(path: Path, shape: tuple[int, ...]) -> Iterator[StoredTable]:
    """The matrices of a shape in a file, of numbers that float32 holds exactly."""
    with path.open("rb") as file:
        state, size = _state(os.fstat(file.fileno())), int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(size))
    for name, entry in header.items():
        if name != "__metadata__" and tuple(entry["shape"]) == shape and entry["dtype"] in SIZES:
            offset = 8 + size + entry["data_offsets"][0]
            yield StoredTable(path, offset, shape[1], entry["dtype"], state)


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
