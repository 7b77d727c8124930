"""Copies of weights that lie in a mapped file."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bakeoff.models.mapped import SMAPS, copied, regions

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems tell no mappings")


def mapped(folder: Path) -> dict[str, torch.Tensor]:
    """Weights of some megabytes as safetensors maps them, none of them looked at."""
    generator = torch.Generator().manual_seed(0)
    sizes = {"a": (600, 1000), "b": (500, 1000), "c": (7,)}
    drawn = {name: torch.randn(size, generator=generator) for name, size in sizes.items()}
    save_file(drawn, folder / "model.safetensors")
    return load_file(folder / "model.safetensors")


def resident_kib(path: Path) -> int:
    """Of the pages of a file that this process holds."""
    held, ours = 0, False
    for line in SMAPS.read_text(encoding="utf-8").splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):
            ours = rest[-1:] == [str(path)]
        elif ours and name == "Rss:":
            held += int(rest[0])
    return held


@linux_only
def test_a_copy_is_read_from_the_file(tmp_path: Path) -> None:
    weights, path = mapped(tmp_path), tmp_path / "model.safetensors"
    among = [region for region in regions() if region.path == path]
    assert len(among) == 1
    before = resident_kib(path)
    copies = {name: copied(values, among) for name, values in weights.items()}
    assert resident_kib(path) == before
    for name, values in weights.items():
        assert copies[name].data_ptr() != values.data_ptr()
        assert copies[name].dtype == values.dtype
        assert torch.equal(copies[name], values)
    assert resident_kib(path) > before, "looking at them holds them"


@linux_only
def test_what_was_written_to_is_not_read_from_the_file(tmp_path: Path) -> None:
    weights, path = mapped(tmp_path), tmp_path / "model.safetensors"
    weights["a"][0] = 3.0
    assert not [region for region in regions() if region.path == path]
    assert torch.equal(copied(weights["a"], regions()), weights["a"])


def test_what_lies_in_no_file_is_cloned() -> None:
    values = torch.arange(6.0).view(2, 3).T
    copy = copied(values, regions())
    assert torch.equal(copy, values)
    assert copy.data_ptr() != values.data_ptr()


@linux_only
def test_a_file_that_is_shorter_than_it_was_is_not_read(tmp_path: Path) -> None:
    weights = mapped(tmp_path)
    (region,) = (r for r in regions() if r.path == tmp_path / "model.safetensors")
    short = tmp_path / "short.safetensors"
    short.write_bytes(region.path.read_bytes()[:-100_000])
    elsewhere = type(region)(region.start, region.end, region.offset, short)
    for values in weights.values():
        assert torch.equal(copied(values, [elsewhere]), values)
