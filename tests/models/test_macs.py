"""Multiply-accumulates against closed forms, where common counters are wrong."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, scaled_dot_product_attention

from bakeoff.models.macs import count_macs, profile

MODES = {
    "training": torch.enable_grad,
    "no-grad": torch.no_grad,
    "inference": torch.inference_mode,
}


def check(call: Callable[[], object], macs: int) -> None:
    """The count is right whether or not gradients are kept, which changes torch's operators."""
    found = {}
    for name, mode in MODES.items():
        with mode():
            found[name] = count_macs(call)
    assert found == dict.fromkeys(MODES, macs)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("with_gradient", [False, True])
def test_attention(causal: bool, with_gradient: bool) -> None:
    q = torch.rand(1, 12, 64, 64, requires_grad=with_gradient)
    check(lambda: scaled_dot_product_attention(q, q, q, is_causal=causal), 6_291_456)


def test_attention_of_other_shapes() -> None:
    q, k, v = torch.rand(2, 12, 5, 8), torch.rand(2, 4, 7, 8), torch.rand(2, 4, 7, 6)
    macs = 2 * 12 * 5 * 7 * (8 + 6)
    check(lambda: scaled_dot_product_attention(q, k, v, enable_gqa=True), macs)


def test_attention_with_a_mask() -> None:
    q, mask = torch.rand(1, 2, 5, 8), torch.zeros(5, 5)
    check(lambda: scaled_dot_product_attention(q, q, q, attn_mask=mask), 2 * 2 * 5 * 5 * 8)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_multi_head_attention(weights: bool, training: bool) -> None:
    layer = nn.MultiheadAttention(64, 4, batch_first=True).train(training)
    x = torch.rand(2, 16, 64)
    check(lambda: layer(x, x, x, need_weights=weights), 589_824)


@pytest.mark.parametrize("training", [False, True])
def test_transformer_encoder_layer(training: bool) -> None:
    """In evaluation mode torch runs the whole layer as one operator."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True).train(training)
    x = torch.rand(2, 16, 64)
    check(lambda: layer(x), 589_824 + 2 * 16 * 2 * 64 * 128)


def test_attention_across_two_sequences() -> None:
    layer = nn.MultiheadAttention(64, 4, kdim=32, vdim=48, batch_first=True)
    query, key, value = torch.rand(2, 5, 64), torch.rand(2, 7, 32), torch.rand(2, 7, 48)
    projections = 5 * 64 * 64 + 7 * 32 * 64 + 7 * 48 * 64 + 5 * 64 * 64
    check(lambda: layer(query, key, value), 2 * (projections + 2 * 5 * 7 * 64))


def test_padding_that_torch_cuts_off() -> None:
    """Without gradients the encoder makes a nested tensor of the tokens that are not masked."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2).eval()
    x, mask = torch.rand(2, 16, 64), torch.zeros(2, 16, dtype=torch.bool)
    mask[1, 10:] = True

    def macs(*lengths: int) -> int:
        return 2 * sum(n * (4 * 64 * 64 + 2 * n * 64 + 2 * 64 * 128) for n in lengths)

    with torch.enable_grad():
        assert count_macs(lambda: encoder(x, src_key_padding_mask=mask)) == macs(16, 16)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PyTorch API of nested tensors", UserWarning)
        assert count_macs(lambda: encoder(x, src_key_padding_mask=mask)) == macs(16, 10)


@pytest.mark.parametrize("batch_first", [False, True])
def test_lstm(batch_first: bool) -> None:
    layer = nn.LSTM(32, 64, batch_first=batch_first)
    x = torch.rand(2, 10, 32)
    check(lambda: layer(x), 491_520)


@pytest.mark.parametrize(
    ("layer", "per_step"),
    [
        (nn.GRU(32, 64), 3 * 64 * (32 + 64)),
        (nn.RNN(32, 64), 64 * (32 + 64)),
        (nn.RNN(32, 64, nonlinearity="relu"), 64 * (32 + 64)),
        (nn.LSTM(32, 64, 2), 4 * 64 * (32 + 64) + 4 * 64 * (64 + 64)),
        (nn.LSTM(32, 64, bidirectional=True), 2 * 4 * 64 * (32 + 64)),
        (nn.LSTM(32, 64, proj_size=16), 4 * 64 * (32 + 16) + 16 * 64),
        (nn.GRU(32, 64, 2, bidirectional=True), 2 * 3 * 64 * (32 + 64 + 128 + 64)),
        (nn.LSTM(32, 64, 2, bidirectional=True, dropout=0.1), 2 * 4 * 64 * (32 + 64 + 128 + 64)),
    ],
    ids=[
        "gru",
        "rnn-tanh",
        "rnn-relu",
        "two-layers",
        "both-directions",
        "projected",
        "gru-two-layers-both-directions",
        "lstm-two-layers-both-directions",
    ],
)
def test_recurrent_layers(layer: nn.Module, per_step: int) -> None:
    x = torch.rand(10, 2, 32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LSTM with projections", UserWarning)
        check(lambda: layer(x), 20 * per_step)


@pytest.mark.parametrize(
    ("layer", "per_step"),
    [
        (nn.LSTM(32, 64), 4 * 64 * (32 + 64)),
        (nn.GRU(32, 64, 2, bidirectional=True), 2 * 3 * 64 * (32 + 64 + 128 + 64)),
    ],
    ids=["lstm", "gru"],
)
def test_packed_sequences_have_no_padding(layer: nn.Module, per_step: int) -> None:
    packed = nn.utils.rnn.pack_padded_sequence(torch.rand(10, 3, 32), torch.tensor([10, 7, 4]))
    check(lambda: layer(packed), 21 * per_step)


def test_recurrent_layer_without_a_batch() -> None:
    layer, x = nn.LSTM(32, 64), torch.rand(10, 32)
    check(lambda: layer(x), 10 * 4 * 64 * (32 + 64))


def test_recurrent_cell() -> None:
    cell = nn.LSTMCell(32, 64)
    x = torch.rand(2, 32)
    check(lambda: cell(x), 2 * 4 * 64 * (32 + 64))


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(3, 8, 5, padding=2), (3, 10, 12), 10 * 12 * 8 * 3 * 25),
        (nn.Conv2d(3, 8, 3, stride=2), (3, 9, 9), 4 * 4 * 8 * 3 * 9),
        (nn.Conv2d(8, 8, 3, groups=4, padding=1), (8, 6, 6), 6 * 6 * 8 * 2 * 9),
        (nn.Conv2d(8, 8, 3, groups=8, padding=1), (8, 6, 6), 6 * 6 * 8 * 9),
        (nn.Conv2d(3, 8, 3, dilation=2), (3, 9, 9), 5 * 5 * 8 * 3 * 9),
        (nn.Conv1d(4, 6, 3), (4, 12), 10 * 6 * 4 * 3),
        (nn.Conv3d(2, 3, 2), (2, 4, 4, 4), 27 * 3 * 2 * 8),
        (nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1), (8, 5, 5), 5 * 5 * 8 * 3 * 16),
        (nn.ConvTranspose2d(8, 4, 2, groups=2, bias=False), (8, 5, 5), 5 * 5 * 8 * 2 * 4),
        (nn.Linear(7, 5), (7,), 35),
        (nn.Linear(7, 5), (3, 7), 3 * 35),
        (nn.BatchNorm2d(3), (3, 4, 4), 0),
        (nn.MaxPool2d(2), (3, 4, 4), 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_layers(layer: nn.Module, shape: tuple[int, ...], macs: int) -> None:
    x = torch.rand(1, *shape)
    layer.eval()
    check(lambda: layer(x), macs)
    rows = profile(layer, shape)
    assert [row.macs for row in rows] == [macs]
    assert rows[0].output == tuple(layer(x).shape[1:])


@pytest.mark.parametrize(
    ("call", "macs"),
    [
        (lambda: torch.rand(3, 4) @ torch.rand(4, 5), 60),
        (lambda: torch.rand(2, 3, 4) @ torch.rand(2, 4, 5), 120),
        (lambda: torch.rand(2, 2, 3, 4) @ torch.rand(4, 5), 240),
        (lambda: torch.rand(3, 4) @ torch.rand(4), 12),
        (lambda: torch.rand(4) @ torch.rand(4), 4),
        (lambda: torch.addmm(torch.rand(5), torch.rand(3, 4), torch.rand(4, 5)), 60),
        (lambda: torch.addmv(torch.rand(3), torch.rand(3, 4), torch.rand(4)), 12),
        (lambda: torch.baddbmm(torch.rand(1), torch.rand(2, 3, 4), torch.rand(2, 4, 5)), 120),
        (lambda: torch.addbmm(torch.rand(1), torch.rand(2, 3, 4), torch.rand(2, 4, 5)), 120),
        (lambda: torch.einsum("bij,bkj->bik", torch.rand(2, 3, 4), torch.rand(2, 5, 4)), 120),
        (lambda: torch.rand(3, 4).bfloat16() @ torch.rand(4, 5).bfloat16(), 60),
        (lambda: conv2d(torch.rand(1, 2, 5, 5), torch.rand(3, 2, 3, 3)), 9 * 3 * 18),
        (lambda: torch.rand(3, 4) * torch.rand(3, 4), 0),
    ],
)
def test_products(call: Callable[[], Tensor], macs: int) -> None:
    check(call, macs)


def test_bilinear_layer() -> None:
    layer, x, y = nn.Bilinear(5, 6, 7), torch.rand(3, 5), torch.rand(3, 6)
    check(lambda: layer(x, y), 3 * 7 * 5 * 6)


def test_looking_up_is_free() -> None:
    layer = nn.Embedding(10, 4)
    check(lambda: layer(torch.zeros(2, 3, dtype=torch.int64)), 0)


class Tied(nn.Module):
    """Tokens in, tokens out, with one matrix: as in GPT-2."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(11, 4)
        self.middle = nn.Linear(4, 4)
        self.output = nn.Linear(4, 11, bias=False)
        self.output.weight = self.tokens.weight

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.output(self.middle(self.middle(self.tokens(x))))
        return logits


def test_shared_parameters_count_once_and_their_macs_each_time() -> None:
    rows = {row.name: row for row in profile(Tied(), (6,), torch.int64)}
    assert {name: row.parameters for name, row in rows.items()} == {
        "tokens": 44,
        "middle": 20,
        "output": 0,
    }
    assert rows["output"].weights == {"weight": (11, 4)}
    assert {name: row.macs for name, row in rows.items()} == {
        "tokens": 0,
        "middle": 2 * 6 * 16,
        "output": 6 * 44,
    }


class Lora(nn.Module):
    """A frozen linear layer and a way around it of low rank (Hu et al. 2021, "LoRA")."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.base(x) + self.up(self.down(x))
        return result


def test_profile_of_a_layer_with_a_low_rank_addition() -> None:
    rows = {row.name: row for row in profile(Lora(nn.Linear(48, 32), 4), (10, 48))}
    assert {name: row.macs for name, row in rows.items()} == {
        "base": 10 * 48 * 32,
        "down": 10 * 48 * 4,
        "up": 10 * 4 * 32,
    }
    assert {name: (row.parameters, row.trained_parameters) for name, row in rows.items()} == {
        "base": (48 * 32 + 32, 0),
        "down": (48 * 4, 48 * 4),
        "up": (4 * 32, 4 * 32),
    }
    assert rows["down"].output == (10, 4)
    assert rows["up"].weights == {"weight": (32, 4)}


def test_profile_of_an_embedding_and_a_recurrent_layer() -> None:
    """Rows have the shapes of one example: an embedding looks up, and counts nothing."""
    model = nn.Sequential(
        nn.Embedding(11, 32), nn.LSTM(32, 64, 2, batch_first=True, bidirectional=True)
    )
    embedding, lstm = profile(model, (10,), torch.int64)
    assert (embedding.input, embedding.output, embedding.macs) == ((10,), (10, 32), 0)
    assert embedding.parameters == 11 * 32
    assert (lstm.input, lstm.output) == ((10, 32), (10, 128))
    assert lstm.weights["weight_ih_l0"] == (256, 32)
    assert lstm.weights["weight_ih_l1_reverse"] == (256, 128)
    assert lstm.macs == 10 * 2 * 4 * 64 * (32 + 64 + 128 + 64)
    assert lstm.parameters == 2 * 4 * 64 * ((32 + 64 + 2) + (128 + 64 + 2))


def test_profile_shows_the_parts_of_a_fused_layer() -> None:
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True).eval()
    rows = {row.name: row for row in profile(layer, (16, 64))}
    assert rows["self_attn"].macs == 589_824 // 2
    assert rows["linear1"].macs == rows["linear2"].macs == 16 * 64 * 128
    assert rows["linear1"].output == (16, 128)
    assert sum(row.parameters for row in rows.values()) == sum(
        p.numel() for p in layer.parameters()
    )


def test_profile_leaves_everything_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    model[2].eval()
    model[0].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fast = torch.backends.mha.get_fastpath_enabled()
    rows = profile(model, (1, 5, 5))
    assert [row.trained_parameters for row in rows] == [18, 4, 0]
    assert [layer.training for layer in model] == [True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.backends.mha.get_fastpath_enabled() is fast
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())


def test_a_root_that_computes_is_a_row() -> None:
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(4, 3))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.weight

    (row,) = profile(Root(), (4,))
    assert (row.name, row.kind, row.macs, row.parameters) == ("model", "Root", 12, 12)
