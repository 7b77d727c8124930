"""Pretrained weights trained: what learns, what is counted, what comes back."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.contracts.small import TRAINING, Bench, cell_of, resolved, run_of, same_bits
from tests.models.tiny import DECODERS, KINDS, Kind, save_tiny
from tests.techniques.conftest import MemoryRun

from bakeoff.core.cell import Key
from bakeoff.core.errors import InputError
from bakeoff.core.frozen import plain
from bakeoff.core.protocols import Batch, Digests, ToRows
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.data.token_batches import PaddedBatches, TokenBatches, TokenExamples
from bakeoff.execution.run import CellRun
from bakeoff.models.lora import load_adapters
from bakeoff.models.pretrained import find_pretrained, load_encoder
from bakeoff.models.resting import rest
from bakeoff.models.text_encoder import TextEncoder
from bakeoff.techniques import find, fine_tune
from bakeoff.techniques.fine_tune import FineTunedPredictor, FineTuneSettings
from bakeoff.techniques.texts import VECTORS, key_of
from bakeoff.training.plan import plan
from bakeoff.training.torch.step import TorchStep


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tiny")
    for kind in ("bert", "gpt2", "llama"):
        save_tiny(home / kind, kind, causal=kind != "bert")
    return home


def settings_of(weights: Path, method: str = "full", **training: Any) -> FineTuneSettings:
    return FineTuneSettings.parse(
        {
            "model": {"weights": str(weights), "max_tokens": 16},
            "adapt": {"method": method} | ({"rank": 2} if method == "lora" else {}),
            "training": {**TRAINING, "learning_rate": 0.01, **training},
        }
    )


def cell_recipe(settings: FineTuneSettings) -> Recipe:
    return Recipe(
        name="it",
        technique="fine-tune",
        data=DataSettings(set="digits"),
        numerics=resolved("torch"),
        settings=settings,
    )


def fit(
    settings: FineTuneSettings, place: Path, seed: int = 0
) -> tuple[FineTunedPredictor, CellRun]:
    technique = find("fine-tune")
    place.mkdir(exist_ok=True)
    recipe = cell_recipe(settings)
    run = run_of(recipe, place / "cell", seed)
    fitted = technique.fit(cell_of(recipe, seed), Bench(technique, place).data(), {}, run)
    assert isinstance(fitted, FineTunedPredictor)
    return fitted, run


def changed(predictor: FineTunedPredictor, folder: Path) -> set[str]:
    """The parameters of the body that are no longer what the folder holds."""
    before = dict(load_encoder(find_pretrained(str(folder))).named_parameters())
    body: Any = predictor.inference.module.encoder.body  # type: ignore[union-attr]
    now = {name.replace(".base.", "."): p for name, p in body.named_parameters()}
    table: Any = body.get_input_embeddings()
    (rows,) = [name for name, p in now.items() if p is table.weight]
    now[rows] = table(torch.arange(len(table.weight)))  # by id: as it reads
    # What learns nothing may be held in bfloat16.
    return {
        name
        for name, p in before.items()
        if name in now and not torch.equal(now[name], p.to(now[name].dtype))
    }


# Of Qwen2 Transformers reads byte pairs alone, not our word pieces.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "qwen2"])
def test_every_architecture_learns_from_batches_of_any_size(kind: Kind, tmp_path: Path) -> None:
    weights = save_tiny(tmp_path / kind, kind, causal=kind in DECODERS)
    fitted, run = fit(settings_of(weights, iterations=1, batch_size=11), tmp_path)
    assert changed(fitted, weights)
    assert np.isfinite(run.rows[-1]["train/loss"])


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama"])
@pytest.mark.parametrize("method", ["none", "head", "lora", "full"])
def test_only_what_is_to_learn_does(kind: Kind, method: str, home: Path, tmp_path: Path) -> None:
    fitted, run = fit(settings_of(home / kind, method), tmp_path)
    moved = changed(fitted, home / kind)
    assert bool(moved) == (method == "full")
    layers = fitted.layers()
    trained = sum(layer.trained_parameters for layer in layers)
    head = 32 * 3 + 3
    if method in ("none", "head"):
        assert trained == (head if method == "head" else 0)
    elif method == "lora":
        width = {"bert": 2 * 64, "gpt2": 32 + 96, "llama": 64 + 48}[kind]
        assert trained == head + 2 * 2 * width
    else:
        assert trained == sum(layer.parameters for layer in layers)
    assert len(run.rows) == (0 if method == "none" else 2)
    assert any("untrained head" in note for note in run.notes) == (method != "none")
    (tmp_path / "saved").mkdir()
    fitted.save(tmp_path / "saved")
    texts = ["number 1 is fine and warm", "dull " * 40]
    assert same_bits(
        find("fine-tune").load(tmp_path / "saved").predict(texts), fitted.predict(texts)
    )


@pytest.mark.parametrize(("kind", "method"), [("bert", "full"), ("gpt2", "lora")])
def test_a_new_process_gives_the_same_predictions(
    kind: Kind, method: str, home: Path, tmp_path: Path
) -> None:
    fitted, _ = fit(settings_of(home / kind, method), tmp_path)
    folder = tmp_path / "saved"
    folder.mkdir()
    fitted.save(folder)
    texts = ["number 1 is fine and warm", "", "dull " * 40]
    code = (
        "import sys, torch, numpy as np\n"
        "torch.set_num_threads(1)\n"
        "from bakeoff.techniques import find\n"
        f"found = find('fine-tune').load(__import__('pathlib').Path({str(folder)!r}))\n"
        f"sys.stdout.write(found.predict({texts!r}).tobytes().hex())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    again = np.frombuffer(bytes.fromhex(done.stdout), np.float32).reshape(3, -1)
    assert same_bits(again, fitted.predict(texts))


@pytest.mark.parametrize("method", ["lora", "head"])
def test_weights_once_rounded_are_so_when_they_come_back(
    method: str, home: Path, tmp_path: Path
) -> None:
    """Where training fell back from bfloat16 on float32, weights that rest stay rounded."""
    recipe = cell_recipe(settings_of(home / "bert", method))
    numerics = recipe.numerics.model_copy(update={"precision": "bfloat16"})
    recipe, technique = recipe.model_copy(update={"numerics": numerics}), find("fine-tune")
    data, run = Bench(technique, tmp_path).data(), run_of(recipe, tmp_path / "cell")
    fitted = technique.fit(cell_of(recipe), data, {}, run)
    assert isinstance(fitted, FineTunedPredictor)
    rest(fitted.inference.module)  # as on processors with units for it
    fitted.inference.compute_in("float32")
    folder = tmp_path / "saved"
    folder.mkdir()
    fitted.save(folder)
    again, texts = technique.load(folder), ["number 1 is fine and warm", "dull " * 40]
    assert same_bits(again.predict(texts), fitted.predict(texts))


def test_saved_adapters_are_peft_s(home: Path, tmp_path: Path) -> None:
    fitted, _ = fit(settings_of(home / "gpt2", "lora"), tmp_path)
    fitted.save(tmp_path)
    body: Any = load_encoder(find_pretrained(str(home / "gpt2")))
    load_adapters(body, tmp_path / "adapter")
    if fitted.inference.precision == "bfloat16":
        rest(body)
    ids = torch.tensor([[5, 6, 7]])
    ours: Any = fitted.inference.module.encoder.body  # type: ignore[union-attr]
    with torch.inference_mode():
        ours.eval()
        assert torch.equal(body.eval()(ids).last_hidden_state, ours(ids).last_hidden_state)


def test_frozen_layers_cost_no_gradients(home: Path, tmp_path: Path) -> None:
    """Nothing below the head is remembered for a backward pass."""
    fitted, _ = fit(settings_of(home / "bert", "head"), tmp_path)
    module = fitted.inference.module
    hidden: list[torch.Tensor] = []
    encoder: Any = module.encoder
    encoder.register_forward_hook(lambda _, __, out: hidden.append(out))
    module(torch.tensor([[2, 7, 3]])).sum().backward()
    assert not hidden[0].requires_grad
    assert all(p.grad is None for p in encoder.parameters())


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_head_learns_from_what_the_encoder_said_once(
    kind: Kind, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers are those of passes through all of the model, update by update."""
    settings = settings_of(home / kind, "head", iterations=12, validate_every=4)
    asked = counted(monkeypatch)
    found, run = fit(settings, tmp_path)
    passes = len(asked)
    fit(settings_of(home / kind, "head", iterations=36, validate_every=4), tmp_path / "b")
    assert len(asked) == passes, "kept by content, however long the head learns"
    data, technique = Bench(find("fine-tune"), tmp_path).data(), find("fine-tune")
    whole: Any = technique.untrained(settings, (), len(data.task.classes))
    streams = run.streams
    examples = TokenExamples(whole.tokeniser(data.train.items)[0], data.train.labels)
    batches = PaddedBatches(TokenBatches(examples, settings.training.batch_size, streams))
    step = TorchStep(whole.inference, settings.training, streams)
    held_out = whole.tokeniser.padded(data.validation.items)
    labels = data.validation.labels
    by_hand = run_of(cell_recipe(settings), tmp_path / "whole")
    by_hand.loop(
        "train",
        step,
        batches,
        plan(
            settings.training,
            batches,
            data.task,
            lambda: iter([Batch(held_out, labels, np.arange(len(labels)))]),
        ),
    )
    assert len(run.rows) == len(by_hand.rows) == 3
    # Short texts' attention is rounded otherwise where nothing is learnt.
    rounding = {"float32": 1e-5, "bfloat16": 1e-2}[whole.inference.precision]
    for mine, theirs in zip(run.rows, by_hand.rows, strict=True):
        for name in ("train/loss", "validation/log_loss"):
            assert mine[name] == pytest.approx(theirs[name], rel=rounding)
    np.testing.assert_allclose(
        found.predict(data.validation.items), whole.predict(data.validation.items), atol=rounding
    )


class Asked(MemoryRun):
    """Remembers what it is asked for, and computes nothing."""

    def solve_rows(self, phase: str, digests: Digests, compute: ToRows, share: Key) -> NDArray[Any]:
        self.solved[phase] = share
        return np.zeros((len(digests), 1))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_keys_say_the_device_where_it_is_no_cpu(home: Path, device: str) -> None:
    settings = settings_of(home / "bert", "head")
    made, run = find("fine-tune").untrained(settings, (), 3), Asked()
    assert isinstance(made, FineTunedPredictor)
    made.inference.device = torch.device(device)
    fine_tune._vectors(made, "vectors", ["a text"], run)
    content = plain(settings.model) | {"weights": made.tokeniser.pretrained.digest, "dropout": None}
    before = {"what the head sees": content, "precision": made.inference.precision}
    assert (run.solved["vectors"] == key_of(before | {"version": VECTORS})) == (device == "cpu")


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of every pass through an encoder from now on, and no cache of other tests."""
    rows: list[int] = []
    own = TextEncoder.forward

    def forward(self: TextEncoder, ids: torch.Tensor) -> torch.Tensor:
        rows.append(len(ids))
        return own(self, ids)

    monkeypatch.setattr(TextEncoder, "forward", forward)
    return rows


def test_rates_fall_block_by_block(home: Path) -> None:
    settings = settings_of(home / "bert", "full", layer_decay=0.5)
    module = find("fine-tune").untrained(settings, (), 3).inference.module  # type: ignore[attr-defined]
    shares = {name: getattr(p, "rate_share", 1.0) for name, p in module.named_parameters()}
    assert shares["output.weight"] == 1.0
    assert shares["encoder.body.encoder.layer.1.attention.self.query.weight"] == 0.5
    assert shares["encoder.body.encoder.layer.0.output.dense.bias"] == 0.25
    assert shares["encoder.body.embeddings.word_embeddings.weight"] == 0.125


def test_the_head_of_another_seed_is_another(home: Path, tmp_path: Path) -> None:
    settings = settings_of(home / "bert", "none")
    (first, _), (second, _) = fit(settings, tmp_path / "a"), fit(settings, tmp_path / "b", seed=1)
    texts = ["a good film", "a bad film"]
    assert not same_bits(first.predict(texts), second.predict(texts))
    assert same_bits(first.represent(texts), second.represent(texts))
    assert first.represent(texts).shape == (2, 32)


def test_padding_side_and_company_do_not_matter(home: Path) -> None:
    """The last real token decides: a text alone says the same as among longer ones."""
    predictor = find("fine-tune").untrained(settings_of(home / "gpt2"), (), 2)
    texts = ["good", "the film was not very good and the plot was awful"]
    together = predictor.predict(texts)
    assert same_bits(predictor.predict(texts[:1]), together[:1])
    module: Any = predictor.inference.module  # type: ignore[attr-defined]
    ids = predictor.tokeniser.padded(texts[:1])  # type: ignore[attr-defined]
    body, head = module.encoder.body, module.output
    inference: Any = predictor.inference  # type: ignore[attr-defined]
    with torch.inference_mode(), inference.autocast():
        hidden = body(torch.from_numpy(ids).long()).last_hidden_state[:, -1]
        wanted = head(hidden).float().softmax(dim=1).numpy()
    rounding = {"float32": 1e-5, "bfloat16": 1e-2}[inference.precision]
    np.testing.assert_allclose(together[:1], wanted, atol=rounding)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_step_has_the_loss_and_gradients_of_a_plain_one(kind: Kind, home: Path) -> None:
    """Through Transformers' model with plain attention, its mask and a head, text by text."""
    settings = settings_of(home / kind)
    predictor: Any = find("fine-tune").untrained(settings, (), 2)
    module = predictor.inference.module.eval()
    texts, labels = ["the film was good", "awful", "not very good and not bad"], [1, 0, 1]
    ids = torch.from_numpy(predictor.tokeniser.padded(texts)).long()
    loss = torch.nn.functional.cross_entropy(module(ids), torch.tensor(labels))
    loss.backward()  # type: ignore[no-untyped-call]
    plain: Any = load_encoder(find_pretrained(str(home / kind)), attention="eager")
    rows = []
    for row in ids:
        hidden = plain(row[row >= 0][None]).last_hidden_state[0]
        rows.append(hidden.mean(dim=0) if kind == "bert" else hidden[-1])
    head = module.output
    logits = torch.stack(rows) @ head.weight.detach().T + head.bias.detach()
    wanted = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    wanted.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, wanted, atol=1e-5, rtol=1e-5)
    own = dict(module.encoder.body.named_parameters())
    reached = {n: p.grad for n, p in plain.named_parameters() if p.grad is not None}
    assert set(reached) == {name for name, p in own.items() if p.grad is not None}
    for name, gradient in reached.items():
        torch.testing.assert_close(own[name].grad, gradient, atol=1e-5, rtol=1e-4)


def test_learns_what_can_be_learnt(home: Path, tmp_path: Path) -> None:
    settings = settings_of(
        home / "bert", "full", iterations=80, validate_every=80, learning_rate=0.003
    )
    _, run = fit(settings, tmp_path)
    losses = [row["validation/log_loss"] for row in run.rows]
    assert losses[-1] < 0.8  # three classes, ln 3 = 1.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adapt": {"method": "lora", "targets": ["quary"]}}, "did you mean 'query'"),
        ({"adapt": {"method": "lora", "rank": 64}}, r"adapt\.rank: 64 received"),
        ({"model": {"max_tokens": 64}}, "reads 32 at the most"),
        ({"model": {"weights": "./nothing"}}, "no such folder"),
    ],
)
def test_bad_settings_are_told_before_anything_runs(
    change: dict[str, Any], message: str, home: Path
) -> None:
    content: dict[str, Any] = {"model": {"weights": str(home / "bert"), "max_tokens": 16}}
    for name, value in change.items():
        content[name] = content.get(name, {}) | value
    with pytest.raises(InputError, match=message):
        find("fine-tune").untrained(FineTuneSettings.parse(content), (), 2)


def test_adapters_without_lora_are_refused() -> None:
    with pytest.raises(InputError, match="rank, targets received with method full"):
        FineTuneSettings.parse({"adapt": {"method": "full", "rank": 4, "targets": ["query"]}})


@pytest.mark.parametrize("method", ["none", "head", "lora"])
def test_rates_of_blocks_that_do_not_learn_are_refused(method: str) -> None:
    content = {"adapt": {"method": method}, "training": {"layer_decay": 0.9}}
    told = rf"training\.layer_decay 0\.9 received with adapt\.method {method}"
    for settings in (FineTuneSettings, find("lora").settings):
        with pytest.raises(InputError, match=told):
            settings.parse(content)
        settings.parse({**content, "adapt": {"method": "full"}})


def test_draws_with_replacement_are_refused() -> None:
    with pytest.raises(InputError, match=r"training\.sampling: .* \(received 'random'\)"):
        FineTuneSettings.parse({"training": {"sampling": "random"}})


def test_the_preset_is_lora() -> None:
    technique = find("lora")
    content = {"adapt": {"rank": 4}, "training": {"epochs": 1}}
    settings: Any = technique.settings.parse(content)
    assert (settings.adapt.method, settings.adapt.rank) == ("lora", 4)
    assert (settings.training.learning_rate, settings.training.epochs) == (1e-3, 1)
