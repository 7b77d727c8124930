"""A study of pretrained encoders from its file to its report, attention included."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.models.tiny import save_tiny

from bakeoff.core.examples import Examples
from bakeoff.core.record import Record
from bakeoff.execution.cell import load_again
from bakeoff.study import attention
from bakeoff.study.attention import MOST_SIGNS, _shown
from bakeoff.study.folder import open_folder
from bakeoff.study.plan import read_plan
from bakeoff.study.prepare import prepare
from bakeoff.study.run import Finished
from bakeoff.study.study import load_study
from bakeoff.study.verify import verify

STUDY = """
question: Are low-rank adapters worth it on small texts?
dataset: {{table: {table}}}
metric: test/matthews_corrcoef
margin: 0.05
seeds: [0, 1, 2]
control:
  name: adapters
  technique: lora
  model: {{weights: {weights}, max_tokens: 16}}
  training: {{iterations: 8, batch_size: 16, validate_every: 4, learning_rate: 0.02}}
variants:
  frozen: {{technique: pretrained, model: {{weights: {weights}, max_tokens: 16}}}}
  neighbours: {{technique: majority}}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    home = tmp_path_factory.mktemp("study")
    weights = save_tiny(home / "bert")
    generator = np.random.default_rng(0)
    words = {"yes": ("good", "great", "fine"), "no": ("bad", "awful", "dull")}
    rows = ["text,label"]
    for i in range(160):
        label = list(words)[i % 2]
        said = " and ".join(generator.choice(words[label], 2))
        very = " very" * 30 if label == "no" else ""  # of this class no text is short
        rows.append(f"the film <b>{i}</b> was{very} {said},{label}")
    (home / "texts.csv").write_text("\n".join(rows) + "\n")
    path = home / "study.yaml"
    path.write_text(STUDY.format(table=home / "texts.csv", weights=weights))
    return load_study(str(path)).run(home / "out")


def write_again(finished: Finished) -> None:
    given = load_study(finished.folder.parent / "study.yaml")
    ready = prepare(given, before=read_plan(finished.folder))
    folder = open_folder(finished.folder)
    attention.write_attended(ready, folder, finished.folder / "artifacts" / "attention.json")


def test_everything_ran_and_can_be_recomputed(finished: Finished) -> None:
    assert not finished.failures
    assert verify(finished.folder).ok
    recipes = finished.results["recipes"]
    lora, frozen = recipes["adapters"]["cost"], recipes["frozen"]["cost"]
    assert 0 < lora["trained_parameters"] < lora["parameters"] / 10
    assert lora["macs_per_example"] > frozen["macs_per_example"] > 0


def test_the_record_says_what_the_untrained_head_scores(finished: Finished) -> None:
    record = json.loads((finished.folder / "cells/adapters/seed-0/record.json").read_text())
    assert any(
        note.startswith("the untrained head: validation/accuracy") for note in record["notes"]
    )


def test_every_class_shows_a_short_text_or_its_shortest() -> None:
    lengths = np.array([MOST_SIGNS + 9, MOST_SIGNS, 5, MOST_SIGNS + 7, MOST_SIGNS + 8])
    texts, ids = ["x" * length for length in lengths], np.arange(5).astype(np.str_)
    both = _shown(Examples(texts, np.array([0, 0, 0, 1, 1]), ids))
    assert both.ids.tolist() == ["1", "3"]
    long = Examples([f"{text}{'y' * MOST_SIGNS}" for text in texts], np.array([1, 1, 0, 0, 0]), ids)
    assert _shown(long).ids.tolist() == ["1", "2"]


def test_attention_is_kept_and_drawn(finished: Finished) -> None:
    content = json.loads((finished.folder / "artifacts/attention.json").read_text())["recipes"]
    assert set(content) == {"adapters", "frozen"}
    texts = content["frozen"]
    assert {text["label"] for text in texts} == {"yes", "no"}
    size = len(texts[0]["tokens"])
    assert texts[0]["tokens"][0] == "[CLS]"
    assert np.shape(texts[0]["weights"]) == (2, 4, size, size)
    page = finished.report.read_text(encoding="utf-8")
    assert 'id="attention"' in page
    assert "Where each token looks" in page


@pytest.mark.parametrize("attending", [True, False])
def test_what_is_there_is_not_made_again(
    finished: Finished, attending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where no predictor can tell where it looks, which only a loaded one says."""
    path, loaded = finished.folder / "artifacts/attention.json", list[str]()
    before = path.read_bytes()

    def counted(place: Path, record: Record) -> object:
        loaded.append(record.name)
        return load_again(place, record) if attending else object()

    monkeypatch.setattr(attention, "load_again", counted)
    write_again(finished)
    assert not loaded
    path.write_text(json.dumps({"recipes": json.loads(before)["recipes"]}))  # an older version's
    write_again(finished)
    assert loaded == ["adapters", "frozen", "neighbours"]
    assert (path.read_bytes() == before) == attending
    write_again(finished)
    assert len(loaded) == 3
    path.write_bytes(before)
