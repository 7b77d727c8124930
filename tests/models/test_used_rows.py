"""Learning the rows that occur gives what learning all of them gives."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.tiny import DECODERS, KINDS, Kind, save_tiny
from torch import Tensor, nn

from bakeoff.models.pretrained import find_pretrained, load_encoder
from bakeoff.models.text_encoder import TextEncoder
from bakeoff.models.used_rows import UsedRows, learn_used_rows, merge_used_rows
from bakeoff.training.settings import TrainingSettings
from bakeoff.training.torch.optimisers import Optimiser

IDS = torch.tensor([[5, 9, 2, 9], [3, 0, -1, -1]])
OPTIMISERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")


def body_of(kind: Kind, folder: Path) -> nn.Module:
    save_tiny(folder / kind, kind, causal=kind in DECODERS)
    return load_encoder(find_pretrained(str(folder / kind))).requires_grad_()


def trained(body: nn.Module, kind: Kind, optimizer: str, *, rows: bool) -> dict[str, Tensor]:
    """The weights after some updates of a made-up loss."""
    if rows:
        learn_used_rows(body, torch.tensor([0, 5, 9, 2, 9, 3]))
    encoder = TextEncoder(body, "decoder" if kind in DECODERS else "encoder", "mean").eval()
    for part in encoder.modules():  # no dropout, but embeddings that train
        part.training = isinstance(part, UsedRows | nn.Embedding)
    settings = TrainingSettings.parse(
        {"epochs": 1, "batch_size": 2, "learning_rate": 0.01, "optimizer": optimizer, "clip": 0.5}
    )
    step = Optimiser(settings, encoder)
    for _ in range(4):
        encoder(IDS).pow(2).sum().backward()
        step.step(0.01)
    if rows:
        merge_used_rows(body)
    return {name: parameter.detach() for name, parameter in body.named_parameters()}


@pytest.mark.parametrize("kind", ["bert", "gemma", "gpt2", "llama"])
@pytest.mark.parametrize("optimizer", OPTIMISERS)
def test_weights_are_those_of_the_whole_table(kind: Kind, optimizer: str, tmp_path: Path) -> None:
    before = dict(body_of(kind, tmp_path).named_parameters())
    whole = trained(body_of(kind, tmp_path), kind, optimizer, rows=False)
    some = trained(body_of(kind, tmp_path), kind, optimizer, rows=True)
    assert whole.keys() == some.keys()
    assert any(not torch.equal(whole[name], before[name]) for name in whole)
    for name in whole:
        torch.testing.assert_close(some[name], whole[name], rtol=1e-5, atol=1e-6)
    body: Any = body_of(kind, tmp_path)
    words = body.get_input_embeddings()
    table = next(f"{name}.weight" for name, part in body.named_modules() if part is words)
    untouched = [i for i in range(len(before[table])) if i not in (0, 2, 3, 5, 9)]
    assert torch.equal(some[table][untouched], before[table][untouched])


def test_other_ids_are_read_from_the_whole_table() -> None:
    whole = nn.Embedding(12, 3)
    rows = UsedRows(whole, torch.tensor([1, 4])).eval()
    ids = torch.tensor([[0, 1, 4, 11]])
    assert torch.equal(rows(ids), whole(ids))
    with torch.no_grad():
        rows.weight.add_(1)
    difference = (rows(ids) - whole(ids))[0]
    assert torch.equal(difference.abs().sum(1) > 0, torch.tensor([False, True, True, False]))
    learnt = rows(ids)
    merged = rows.merged()
    assert merged is whole
    assert merged.weight.requires_grad
    assert torch.equal(merged(ids), learnt)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_read_as_the_embedding_reads_them(kind: Kind, tmp_path: Path) -> None:
    body: Any = body_of(kind, tmp_path)
    ids = IDS[0]
    given = body.get_input_embeddings()(ids)
    learn_used_rows(body, ids)
    for training in (True, False):
        assert torch.equal(body.get_input_embeddings().train(training)(ids), given)


def test_padding_never_learns() -> None:
    rows = UsedRows(nn.Embedding(6, 2, padding_idx=2), torch.tensor([1, 2, 5]))
    rows(torch.tensor([[1, 2, 2]])).sum().backward()
    assert rows.weight.grad is not None
    assert rows.weight.grad.sum(1).tolist() == [2, 0, 0]
    assert rows.merged().padding_idx == 2


def test_rows_keep_their_share_of_the_rate(tmp_path: Path) -> None:
    body: Any = body_of("bert", tmp_path)
    body.get_input_embeddings().weight.rate_share = 0.25
    learn_used_rows(body, IDS[0])
    assert body.get_input_embeddings().weight.rate_share == 0.25
