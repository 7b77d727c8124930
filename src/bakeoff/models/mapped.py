"""Weights in files that are mapped into memory: copied without holding the file's pages.

Every page of a mapping that is looked at counts as this process's memory until the whole mapping
goes, and one weight that still lies there keeps it. So what is copied out of a mapping is read from
its file.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SMAPS = Path("/proc/self/smaps")
HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ [1-9]\d*\s+(/.*)")
"""Start, end, place in the file and path of what is mapped from one."""
WRITTEN = ("Anonymous:", "Swap:")
"""Counts of pages that are no longer the file's."""


@dataclass(frozen=True)
class Region:
    """A file, or part of one, in memory, as it is on the disk.

    Args:
        start: Its first address.
        end: The one behind its last.
        offset: Of its first byte in the file.
        path: The file.
    """

    start: int
    end: int
    offset: int
    path: Path


def regions(suffix: str = ".safetensors") -> list[Region]:
    """Files of a kind that are mapped, and none of whose pages this process wrote to.

    Of other systems than Linux, none.
    """
    try:
        lines = SMAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: list[Region] = []
    for line in lines:
        if head := HEAD.fullmatch(line):
            start, end, offset = (int(number, 16) for number in head.groups()[:3])
            found.append(Region(start, end, offset, Path(head[4])))
        elif "-" in line.split(" ", 1)[0]:
            found.append(Region(0, 0, 0, Path()))
        elif found and line.startswith(WRITTEN) and not line.endswith(" 0 kB"):
            found[-1] = Region(0, 0, 0, Path())
    return [region for region in found if region.path.suffix == suffix]


def is_mapped(values: Tensor, among: list[Region]) -> bool:
    """Whether values lie in one of `regions()`."""
    return _region(values, among) is not None


def copied(values: Tensor, among: list[Region]) -> Tensor:
    """The same values in memory of their own.

    Args:
        values: Anywhere.
        among: `regions()`; what lies in one of them is read from its file.
    """
    region = _region(values, among)
    if region is None or not values.is_contiguous():
        return values.clone()
    place = region.offset + values.data_ptr() - region.start
    content = np.fromfile(region.path, np.uint8, values.nbytes, offset=place)
    if len(content) != values.nbytes:  # a file that was cut meanwhile
        return values.clone()
    return torch.from_numpy(content).view(values.dtype).view(values.shape)


def _region(values: Tensor, among: list[Region]) -> Region | None:
    first, size = values.data_ptr(), values.nbytes
    held = (one for one in among if one.start <= first and first + size <= one.end)
    return next(held, None)
