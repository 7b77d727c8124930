"""Rows of an embedding that stay in their file: the same bits, and memory for what texts reach."""

import copy
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.tiny import DECODERS, KINDS, Kind, save_tiny
from torch import Tensor

from bakeoff.core.errors import InputError
from bakeoff.models.pretrained import find_pretrained, load_causal, load_encoder
from bakeoff.models.stored_rows import leave_rows_stored
from bakeoff.models.text_encoder import TextEncoder

IDS = torch.tensor([[5, 7, 9, 11, 4], [5, 8, 4, -1, -1]])
REACHED = [0, 4, 5, 7, 8, 9, 11]
"""Id 0 stands where there is no token."""


def encoder(folder: Path) -> TextEncoder:
    """One that learns nothing."""
    found = find_pretrained(str(folder))
    return TextEncoder(load_encoder(found), found.family, "mean").requires_grad_(False)


def places(made: TextEncoder) -> list[int]:
    """The ids whose rows are in memory."""
    layer: Any = cast(Any, made.body).get_input_embeddings()
    filling: Any = next(iter(layer._forward_pre_hooks.values()))
    return [int(i) for i in np.flatnonzero(filling.places >= 0)]


@pytest.mark.parametrize("kind", KINDS)
def test_no_bit_changes(kind: Kind, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / kind, kind, causal=kind in DECODERS)
    plain, stored = encoder(folder), encoder(folder)
    sizes = [tuple(p.shape) for p in plain.parameters()]
    assert leave_rows_stored(stored.body, folder)
    assert [tuple(p.shape) for p in stored.parameters()] == sizes
    assert places(stored) == []
    with torch.inference_mode():
        assert torch.equal(stored(IDS[:, :1]), plain(IDS[:, :1]))
        assert places(stored) == [5]
        assert torch.equal(stored(IDS), plain(IDS))
        assert places(stored) == REACHED
    assert torch.equal(stored(IDS), plain(IDS))
    assert torch.equal(copy.deepcopy(stored)(IDS + 1), plain(IDS + 1))
    assert places(stored) == REACHED


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rows_of_fewer_bits(dtype: torch.dtype, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "bert", "bert")
    file = folder / "model.safetensors"
    save_file({n: t.to(dtype) for n, t in load_file(file).items()}, file, {"format": "pt"})
    plain, stored = encoder(folder), encoder(folder)
    assert leave_rows_stored(stored.body, folder)
    assert torch.equal(stored(IDS), plain(IDS))


def test_what_learns_is_shared_or_is_in_no_file_stays(tmp_path: Path) -> None:
    folder, other = (save_tiny(tmp_path / name, "llama", causal=True) for name in ("a", "b"))
    found = find_pretrained(str(folder))
    learns = load_encoder(found)
    assert not leave_rows_stored(learns, folder)
    frozen = load_encoder(found).requires_grad_(False)
    with torch.no_grad():
        cast(Tensor, cast(Any, frozen).get_input_embeddings().weight)[3] += 1
    assert not leave_rows_stored(frozen, other)
    causal = load_causal(found).requires_grad_(False)
    cast(Any, causal).lm_head.weight = cast(Any, causal).get_input_embeddings().weight
    assert not leave_rows_stored(causal, folder)


@pytest.mark.parametrize("change", ["lost", "other"])
def test_a_file_that_is_lost_meanwhile_is_told(change: str, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "bert", "bert")
    made = encoder(folder)
    assert leave_rows_stored(made.body, folder)
    known = made(IDS)
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.unlink()
    if change == "other":
        file.write_bytes(content + b" ")
    assert torch.equal(made(IDS), known)
    with pytest.raises(InputError, match=r"model\.safetensors: weights that are in use were lost"):
        made(IDS + 8)
