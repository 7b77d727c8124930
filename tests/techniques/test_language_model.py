"""Language models fitted to little texts, and what is refused."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.cli.calling import Caller, assert_clear
from tests.contracts.small import Bench, cell_of, corpus, resolved, run_of, same_bits
from tests.models.causal_models import KINDS, save_causal

from bakeoff.core.errors import InputError
from bakeoff.core.generation import GenerationSettings
from bakeoff.core.protocols import TrainingData
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.core.streams import Streams
from bakeoff.models.pretrained import find_pretrained, load_causal, quietly
from bakeoff.techniques import find
from bakeoff.techniques.language_model import LanguageModelSettings, LanguagePredictor

TECHNIQUE: Any = find("language-model")
SHORT = {"iterations": 6, "batch_size": 8, "validate_every": 6, "learning_rate": 0.01}
SCORING = {"context": 32, "stride": 16}


def fit(
    folder: Path, place: str, **content: Any
) -> tuple[LanguagePredictor, TrainingData, list[dict[str, Any]]]:
    content = {"training": SHORT, "blocks": {"tokens": 32}, "scoring": SCORING} | content
    settings = TECHNIQUE.settings.parse(content)
    recipe = Recipe(
        name="lm",
        technique="language-model",
        data=DataSettings(set="digits"),
        numerics=resolved("torch"),
        settings=settings,
    )
    data = Bench(TECHNIQUE, folder).data()
    run = run_of(recipe, folder / place)
    return TECHNIQUE.fit(cell_of(recipe), data, {}, run), data, run.rows


def test_it_learns(tmp_path: Path) -> None:
    """Both losses fall, and what is scored after beats an unfitted model by far."""
    training = SHORT | {"iterations": 40, "validate_every": 20}
    predictor, data, rows = fit(tmp_path, "a", training=training)
    assert rows[1]["validation/cross_entropy"] < rows[0]["validation/cross_entropy"]
    assert rows[1]["train/loss"] < rows[0]["train/loss"] < np.log(257) + 0.2
    scores = data.task.score(data.validation.labels, predictor.predict(data.validation.items))
    assert scores["perplexity"] < 60
    assert scores["cross_entropy"] == pytest.approx(rows[1]["validation/cross_entropy"])


def test_validation_is_scored_once_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[str] = []
    score = LanguagePredictor._score

    def watched(predictor: LanguagePredictor, text: str) -> Any:
        scored.append(text)
        return score(predictor, text)

    monkeypatch.setattr(LanguagePredictor, "_score", watched)
    predictor, data, _ = fit(tmp_path, "a", training=SHORT | {"validate_every": 3})
    count = len(data.validation)
    assert len(scored) == 2 * count
    first = predictor.predict(data.validation.items)
    assert len(scored) == 2 * count
    assert same_bits(predictor.predict(data.validation.items), first)
    assert len(scored) == 3 * count
    with torch.no_grad():
        next(predictor.causal.module.parameters()).mul_(1.5)
    assert not same_bits(predictor.predict(data.validation.items), first)


def test_checkpointing_and_parts_change_nothing(tmp_path: Path) -> None:
    plain, data, _ = fit(tmp_path, "a")
    found = plain.predict(data.validation.items)
    rounding = {"float32": 1e-3, "bfloat16": 1e-2}[plain.precision]
    for place, more in (("b", {"checkpointing": True}), ("c", {"accumulate": 3})):
        other, _, _ = fit(tmp_path, place, training=SHORT | more)
        np.testing.assert_allclose(other.predict(data.validation.items), found, rtol=rounding)


@pytest.mark.parametrize("kind", KINDS)
def test_pretrained_weights_and_their_ways_of_adapting(kind: str, tmp_path: Path) -> None:
    """Nothing, LoRA, all: trained parameters, what is saved, and the same bits when loaded."""
    weights = str(save_causal(tmp_path / "weights", kind, spread=0.05))
    trained = {}
    for method in ("none", "lora", "full"):
        adapt = {"method": method} | ({"rank": 2} if method == "lora" else {})
        predictor, data, _ = fit(tmp_path, method, model={"weights": weights}, adapt=adapt)
        layers = predictor.layers()
        total = sum(layer.parameters for layer in layers)
        trained[method] = sum(layer.trained_parameters for layer in layers) / total
        folder = tmp_path / f"saved-{method}"
        folder.mkdir()
        predictor.save(folder)
        loaded = TECHNIQUE.load(folder)
        items = data.validation.items[:8]
        assert same_bits(loaded.predict(items), predictor.predict(items))
        assert loaded.layers() == layers
    assert trained["none"] == 0
    assert 0 < trained["lora"] < 0.1
    assert trained["full"] == 1
    sizes = {
        m: (tmp_path / f"saved-{m}" / "model.safetensors").stat().st_size for m in ("lora", "full")
    }
    assert sizes["lora"] < sizes["full"] / 10
    _is_read_by_peft(tmp_path / "saved-lora", weights, data.validation.items[:8])
    (tmp_path / "weights" / "config.json").write_bytes(
        (tmp_path / "weights" / "config.json").read_bytes() + b"\n"
    )
    with pytest.raises(InputError, match="have changed: sha256"):
        TECHNIQUE.load(tmp_path / "saved-lora")


@pytest.mark.parametrize("method", ["lora", "full"])
def test_all_that_ends_a_text_is_kept(method: str, tmp_path: Path) -> None:
    """Settings for generation name more tokens than the tokenizer does."""
    weights = save_causal(tmp_path / "weights", "llama", spread=0.05)
    more = weights / "generation_config.json"
    more.write_text(json.dumps(json.loads(more.read_text()) | {"eos_token_id": [7, 9]}))
    given = {"model": {"weights": str(weights)}, "adapt": {"method": method}}
    predictor, _, _ = fit(tmp_path, method, **given)
    ends = predictor.causal.ends
    assert {7, 9, predictor.causal.words.end} == set(ends)
    (tmp_path / "saved").mkdir()
    predictor.save(tmp_path / "saved")
    assert TECHNIQUE.load(tmp_path / "saved").causal.ends == ends


def _is_read_by_peft(folder: Path, weights: str, texts: Any) -> None:
    """The adapters of a saved predictor give peft's model the same scores."""
    peft = pytest.importorskip("peft")
    loaded = TECHNIQUE.load(folder, "cpu")
    base = load_causal(find_pretrained(weights))
    with quietly():
        theirs = peft.PeftModel.from_pretrained(base, str(folder / "adapter")).eval()
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["base_model_name_or_path"], config["r"]) == (weights, 2)
    loaded.precision = "float32"
    wanted = loaded.predict(texts)
    loaded.causal = dataclasses.replace(loaded.causal, module=theirs.base_model.model)
    np.testing.assert_allclose(loaded.predict(texts), wanted, rtol=1e-5)


def test_a_model_that_gives_no_number_has_infinite_nats(tmp_path: Path) -> None:
    """What it gives none for counts as scored all the same."""
    predictor, data, _ = fit(tmp_path, "a")
    items = [text for text in data.validation.items if "8" in text][:3]
    clean = predictor.predict(items)
    with torch.no_grad():
        module: Any = predictor.causal.module
        module.get_input_embeddings().weight[ord("8")] = np.nan
    found = predictor.predict(items)
    assert np.isinf(found[:, 0]).all()
    assert np.array_equal(found[:, 1:], clean[:, 1:])


def test_texts(tmp_path: Path) -> None:
    predictor, _, _ = fit(tmp_path, "a")
    settings = GenerationSettings(max_tokens=8, sample=True)
    prompts = ["number 7 is", "", "number 7 is " * 20]
    texts = predictor.generate(prompts, settings, Streams(0))
    assert len(texts) == 3
    assert texts == predictor.generate(prompts, settings, Streams(0))


def test_prompts_are_shown_as_the_model_was_given_them(tmp_path: Path) -> None:
    """Where it sees 32 bytes, 50 can't follow: half of them are the prompt's, and no more shown."""
    samples = {"count": 2, "words": 12}
    predictor, data, _ = fit(tmp_path, "a", samples=samples)
    settings = TECHNIQUE.settings.parse(
        {"blocks": {"tokens": 32}, "scoring": SCORING, "samples": samples}
    )
    written = TECHNIQUE.texts(settings, predictor, data, Streams(1))
    for shown, text in zip(written.prompts, data.validation.items, strict=False):
        whole = " ".join(str(text).split()[:12])
        assert len(whole) > 16
        assert shown == f"\N{HORIZONTAL ELLIPSIS}{whole[-16:]}"
    assert all(written.after)
    assert predictor.kept("short", settings.samples.generation) == list(b"short")
    few = GenerationSettings(max_tokens=4)
    assert predictor.kept("number 7 is fine and warm and cold", few) == list(
        b"r 7 is fine and warm and cold"[-28:]
    )


def test_detokenised_texts_are_learnt_and_scored_so(tmp_path: Path) -> None:
    predictor, _, _ = fit(tmp_path, "a", scoring={**SCORING, "detokenised": True})
    assert predictor.encode("a @-@ b .") == list(b"a-b.")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"training": {"label_smoothing": 0.1}}, "label_smoothing: 0.1 received"),
        ({"training": {"sampling": "random"}}, r"training\.sampling: .* \(received 'random'\)"),
        ({"adapt": {"method": "none", "rank": 4}}, "rank received with method none"),
        ({"adapt": {"method": "lora", "targets": []}}, "targets"),
        ({"scoring": {"context": 8, "stride": 9}}, "stride 9 received"),
    ],
)
def test_settings_refused(content: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        LanguageModelSettings.parse(content)


def test_what_the_weights_cannot_serve_is_refused(tmp_path: Path) -> None:
    weights = str(save_causal(tmp_path / "weights", "gpt2"))
    for content, told in (
        ({"blocks": {"tokens": 65}}, "blocks.tokens: 65 received"),
        ({"scoring": {"context": 65, "stride": 1}}, "scoring.context: 65 received"),
        ({"adapt": {"method": "lora", "targets": ["c_atn"]}}, "did you mean 'c_attn'"),
        ({"adapt": {"method": "lora", "rank": 33}}, "adapt.rank: 33 received"),
    ):
        base = {"model": {"weights": weights}, "blocks": {"tokens": 8}, "scoring": SCORING}
        settings = TECHNIQUE.settings.parse(base | content)
        with pytest.raises(InputError, match=told):
            TECHNIQUE.untrained(settings, (), 0)
    missing = TECHNIQUE.settings.parse({"model": {"weights": str(tmp_path / "none")}})
    with pytest.raises(InputError, match="no such folder"):
        TECHNIQUE.untrained(missing, (), 0)


def test_data_of_another_task(tmp_path: Path) -> None:
    assert corpus(tmp_path).task_name == "language-modelling"
    assert TECHNIQUE.tasks == {"language-modelling"}


STUDY = """\
question: Which architecture foretells little texts better?
dataset: {corpus: CORPUS, words: 40}
metric: test/perplexity
seeds: {exactly: 3}
control:
  name: gpt2
  technique: language-model
  data: {labels: 60}
  numerics: {threads: 1}
  model: {layers: 1, width: 16, heads: 2}
  blocks: {tokens: 16}
  scoring: {context: 16, stride: 8}
  training: {iterations: 4, validate_every: 4, learning_rate: 0.01}
  samples: {count: 2, words: 2, generation: {max_tokens: 8}}
variants:
  llama: {model.kind: llama}
  longer: {training.iterations: 12}
"""


def test_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From texts to a verdict, a report with texts in it, and predictions of a new file."""
    bakeoff = Caller(monkeypatch, capsys)
    corpus(tmp_path)
    path, out = tmp_path / "study.yaml", tmp_path / "run"
    path.write_text(STUDY.replace("CORPUS", str(tmp_path / "texts.txt")), encoding="utf-8")
    called = bakeoff("run", path, "--out", out)
    assert called.code == 0, called
    assert "test/perplexity[token,context=16,stride=8]" in called.out
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    cost = results["recipes"]["gpt2"]["cost"]
    assert 8 * cost["trained_parameters"] < cost["optimiser_bytes"] < 9 * cost["trained_parameters"]
    means = {
        name: recipe["metrics"]["test/perplexity"]["values"]
        for name, recipe in results["recipes"].items()
    }
    verdict = next(v for v in results["verdicts"] if v["a"] == "longer")
    logs = np.log(means["gpt2"]) - np.log(means["longer"])
    assert verdict["difference"] == pytest.approx(logs.mean())
    assert "a factor of" in verdict["sentence"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "What they write" in page
    assert "What llama writes" in page
    assert bakeoff("verify", out).code == 0
    predictions = tmp_path / "predictions.csv"
    new = tmp_path / "new.txt"
    new.write_text("number 3 is fine and warm\n", encoding="utf-8")
    called = bakeoff("predict", f"{out}:llama", new, "-o", predictions)
    assert called.code == 0, called
    assert predictions.read_text(encoding="utf-8").startswith(
        "id,target,nats,tokens,bytes,covered\n0,6."
    )
    protocol = "perplexity[token,context=16,stride=8]"
    assert results["protocol"] == "context=16,stride=8"
    assert f"in test {protocol}, where less is better" in verdict["sentence"]
    assert f'"test/{protocol}"' in (out / "standings.csv").read_text(encoding="utf-8")
    assert f"Test {protocol}" in page
    assert {v["metric"] for v in results["verdicts"]} == {
        f"test/{name}"
        for name in ("perplexity", "word_perplexity", "byte_perplexity", "cross_entropy")
    }
    for change in ("{scoring.stride: 16}", "{scoring.bos: true}"):
        other = STUDY.replace("{model.kind: llama}", change)
        path.write_text(other.replace("CORPUS", str(tmp_path / "texts.txt")), encoding="utf-8")
        told = assert_clear(bakeoff("run", path, "--out", tmp_path / "other"))
        assert "perplexities of different protocols" in told
    for command in (("generate", "number 7 is", "--max-tokens", "5"), ("perplexity", new)):
        called = bakeoff(command[0], f"{out}:llama:1", *command[1:], "--offline", "--json")
        assert called.code == 0, called
    figures = json.loads(called.out)["figures"]
    assert figures["perplexity[token,context=16,stride=8]"] < 300
    told = assert_clear(bakeoff("generate", out, "number 7 is"))
    assert "not a cell (needed: its folder, or DIR:recipe[:seed])" in told


def test_texts_without_spaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They have no figure per word, and all others; a figure per word cannot be asked for."""
    bakeoff = Caller(monkeypatch, capsys)
    generator = np.random.default_rng(0)
    letters = "\u5929\u5730\u7384\u9ec4\u5b87\u5b99\u6d2a\u8352"
    texts = ["".join(generator.choice(list(letters), 100)) for _ in range(300)]
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    text = STUDY.replace("CORPUS", str(tmp_path / "texts.txt")).replace("words: 40", "words: 1")
    text = text.replace("exactly: 3", "exactly: 2")
    text = text[: text.index("  llama")] + "  wild: {training.learning_rate: 1.0e+30}\n"
    path, out = tmp_path / "study.yaml", tmp_path / "run"
    path.write_text(text.replace("test/perplexity", "test/word_perplexity"), encoding="utf-8")
    told = assert_clear(bakeoff("run", path, "--out", out))
    assert "between spaces in the train texts" in told
    assert "has 300 bytes on average (allowed per word: 42; test/byte_perplexity" in told
    path.write_text(text, encoding="utf-8")
    called = bakeoff("run", path, "--out", out)
    assert called.code == 0, called
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results["recipes"]["gpt2"]["statuses"] == ["done", "done"]
    assert results["recipes"]["wild"]["statuses"] == ["diverged", "diverged"]
    for recipe in results["recipes"].values():
        names = {name.partition("/")[2] for name in recipe["metrics"]}
        assert names == {"perplexity", "byte_perplexity", "cross_entropy"}
    judged = {verdict["metric"] for verdict in results["verdicts"]}
    assert judged == {"test/perplexity", "test/byte_perplexity", "test/cross_entropy"}
    assert bakeoff("verify", out).code == 0


def test_figures_per_token_of_different_tokens_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Per word and per byte they are compared, and no table has their figures per token."""
    bakeoff = Caller(monkeypatch, capsys)
    corpus(tmp_path)
    weights = save_causal(tmp_path / "weights", "gpt2")
    same = save_causal(tmp_path / "same", "llama")
    path, out = tmp_path / "study.yaml", tmp_path / "run"
    text = STUDY.replace("CORPUS", str(tmp_path / "texts.txt")).replace("exactly: 3", "exactly: 1")
    text = text[: text.index("  llama")]
    text = text.replace("{layers: 1, width: 16, heads: 2}", f"{{weights: {weights}}}")
    alike = f"  alike: {{model: {{weights: {same}}}}}\n"
    path.write_text(text + alike, encoding="utf-8")
    assert bakeoff("plan", path).code == 0
    text += alike + "  bytes: {model: {layers: 1, width: 16, heads: 2}}\n"
    for metric in ("perplexity", "cross_entropy"):
        path.write_text(text.replace("test/perplexity", f"test/{metric}"), encoding="utf-8")
        told = assert_clear(bakeoff("run", path, "--out", out))
        assert f"test/{metric} received, but gpt2 and bytes cut texts into different" in told
        assert "(allowed: test/word_perplexity or test/byte_perplexity)" in told
    path.write_text(text.replace("test/perplexity", "test/word_perplexity"), encoding="utf-8")
    called = bakeoff("run", path, "--out", out)
    assert called.code == 0, called
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    found = {name: recipe["vocabulary"] for name, recipe in results["recipes"].items()}
    assert found["gpt2"] == found["alike"] != found["bytes"]
    judged = {verdict["metric"] for verdict in results["verdicts"]}
    assert judged == {"test/word_perplexity", "test/byte_perplexity"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "[word,context=16,stride=8]" in page
    assert "[token,context=16,stride=8]" not in page
    assert bakeoff("verify", out).code == 0


def test_a_token_that_begins_texts_is_scored_before_them(tmp_path: Path) -> None:
    """Then the first token is foretold, too; the protocol says so."""
    plain, data, _ = fit(tmp_path, "a")
    begun, _, _ = fit(tmp_path, "b", scoring=SCORING | {"bos": True})
    texts = data.validation.items[:5]
    _, tokens, sizes, covered = plain.predict(texts).T
    _, more, same, whole = begun.predict(texts).T
    assert (tokens == sizes - 1).all()
    assert (more == sizes).all()
    assert (same == sizes).all()
    np.testing.assert_allclose(covered, tokens / sizes)
    assert (whole == 1).all()
    weights = save_causal(tmp_path / "weights", "gpt2")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (file := weights / name).exists():
            content = json.loads(file.read_text(encoding="utf-8"))
            content.pop("bos_token", None)
            file.write_text(json.dumps(content), encoding="utf-8")
    content = {"model": {"weights": str(weights)}, "scoring": {**SCORING, "bos": True}}
    settings = TECHNIQUE.settings.parse(content | {"blocks": {"tokens": 8}})
    with pytest.raises(InputError, match="bos: asked for, but the tokenizer names no token"):
        TECHNIQUE.untrained(settings, (), 0)


def test_a_study_in_which_one_diverges_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a status: the cell counts with 256 a byte, and writes nothing."""
    bakeoff = Caller(monkeypatch, capsys)
    corpus(tmp_path)
    weights = save_causal(tmp_path / "weights", "gpt2")
    path, out = tmp_path / "study.yaml", tmp_path / "run"
    text = STUDY.replace("CORPUS", str(tmp_path / "texts.txt")).replace("exactly: 3", "exactly: 1")
    text = text[: text.index("  llama")]
    text = text.replace("{layers: 1, width: 16, heads: 2}", f"{{weights: {weights}}}")
    path.write_text(f"{text}  wild: {{training.learning_rate: 1.0e+30}}\n", encoding="utf-8")
    called = bakeoff("run", path, "--out", out)
    assert called.code == 0, called
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    wild = results["recipes"]["wild"]
    assert wild["statuses"] == ["diverged"]
    assert wild["metrics"]["test/perplexity"]["values"] == [pytest.approx(256)]
    assert "What wild writes" not in (out / "report.html").read_text(encoding="utf-8")
    assert bakeoff("verify", out).code == 0
    told = assert_clear(bakeoff("generate", f"{out}:wild", "number 7 is"))
    assert "holds no language model: it diverged before there were weights" in told
