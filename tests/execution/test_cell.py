"""One cell: what it may learn from, when it opens the test split, and what it leaves."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tests.contracts.small import corpus
from tests.study.tiny import cells, openings, run_alone, study

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError, Interrupted
from bakeoff.core.files import folder_digests
from bakeoff.core.protocols import TrainingData
from bakeoff.core.record import Record, read_record
from bakeoff.core.store import KEY_FILE, Store
from bakeoff.data import catalogue
from bakeoff.execution import cell as module
from bakeoff.execution.cell import (
    Context,
    load_again,
    load_predictor,
    needed,
    of_split,
    recipe_yaml,
    run_cell,
)
from bakeoff.execution.measure import Meter
from bakeoff.models.simple_cnn import SimpleCnn
from bakeoff.study.study import Study
from bakeoff.techniques.majority import Majority
from bakeoff.techniques.recipes import parse_recipe
from bakeoff.techniques.softmax import Softmax


def softmax_cell(**training: Any) -> Cell:
    variant = {"technique": "softmax", "training": {"epochs": 1} | training}
    return cells(study(variants={"softmax": variant}))[1]


def run(out: Path, cell: Cell, **context: Any) -> Record:
    return run_cell(cell, Context(Store(out), **context), {})


def test_what_a_cell_leaves(tmp_path: Path) -> None:
    cell = softmax_cell()
    record = run(tmp_path, cell)
    folder = tmp_path / "cells" / "softmax" / "seed-0"
    assert read_record(folder) == record
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        *("recipe.yaml", "metrics.jsonl", "record.json"),
        *("predictions/validation.csv", "predictions/test.csv"),
        *("checkpoints/best/model.safetensors", "checkpoints/best/state.json"),
    }
    assert record.files == {
        name: value for name, value in folder_digests(folder).items() if name != "record.json"
    }
    assert record.key == cell.key
    assert record.sizes == {"train": 809, "validation": 90, "test": 898}
    assert set(record.metrics) == {
        f"{split}/{name}"
        for split in ("train", "validation", "test")
        for name in ("accuracy", "balanced_accuracy", "f1_macro", "matthews_corrcoef", "log_loss")
    }
    assert record.hashes["data"] == catalogue.load("digits").hash
    assert record.hashes["test"] == catalogue.load("digits").test_hash
    assert (record.steps, record.status) == (13, "done")
    assert record.interruptions == ()
    assert record.normaliser is not None
    assert record.normaliser["fitted_on"] == "train"


def test_its_record_says_what_was_done_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here memory is short for more than 20 images at once."""
    forward = SimpleCnn.forward

    def short(self: SimpleCnn, images: torch.Tensor) -> torch.Tensor:
        if self.training and len(images) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, images)

    monkeypatch.setattr(SimpleCnn, "forward", short)
    training = {"iterations": 3, "batch_size": 64}
    variant = {"technique": "cnn", "model": {"width": 2}, "training": training}
    record = run(tmp_path, cells(study(variants={"cnn": variant}))[1])
    assert [note.partition(":")[0] for note in record.notes] == [
        "memory was short at update 1",
        "memory was short at update 1",
    ]
    assert record.status == "done"
    assert record.cost.compile_seconds == 0


def test_the_split_is_written_down(tmp_path: Path) -> None:
    cell = softmax_cell()
    run(tmp_path, cell)
    content = json.loads((tmp_path / "splits" / f"{cell.split_hash[:16]}.json").read_text())
    assert content["split_hash"] == cell.split_hash
    assert content["splits"]["test"]["count"] == 898


def test_its_recipe_can_be_read_back(tmp_path: Path) -> None:
    cell = softmax_cell(learning_rate=0.1)
    run(tmp_path, cell)
    text = (tmp_path / "cells" / "softmax" / "seed-0" / "recipe.yaml").read_bytes()
    assert text == recipe_yaml(cell)
    assert parse_recipe(yaml.safe_load(text)) == cell.recipe


def test_its_curve_is_the_loops(tmp_path: Path) -> None:
    run(tmp_path, softmax_cell(epochs=3))
    text = (tmp_path / "cells" / "softmax" / "seed-0" / "metrics.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["step"] for row in rows] == [13, 26, 39]
    assert all("validation/accuracy" in row for row in rows)
    assert not any(name.startswith("test/") for row in rows for name in row)


def test_a_technique_gets_no_test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TrainingData] = []

    def fit(self: Majority, cell: Cell, data: TrainingData, *rest: Any) -> Any:
        seen.append(data)
        assert openings() == []
        return real(self, cell, data, *rest)

    real = Majority.fit
    monkeypatch.setattr(Majority, "fit", fit)
    run(tmp_path, cells(study())[0])
    dataset = catalogue.load("digits")
    assert dataset.test is not None
    hidden = set(dataset.test.ids.tolist())
    (data,) = seen
    assert len(data.train) + len(data.validation) == 899
    assert not hidden & set(data.train.ids.tolist())
    assert not hidden & set(data.validation.ids.tolist())
    assert not any("test" in name for name in vars(data))
    assert len(openings()) == 1


def test_validation_is_told_before_test_is_opened(tmp_path: Path) -> None:
    told: list[tuple[str, Mapping[str, float], int]] = []

    def before_test(cell: Cell, validation: Mapping[str, float]) -> None:
        told.append((cell.folder, validation, len(openings())))
        assert not (tmp_path / "cells" / cell.folder / "predictions" / "test.csv").exists()

    record = run(tmp_path, softmax_cell(), before_test=before_test)
    assert told == [("softmax/seed-0", of_split(record.metrics, "validation"), 0)]


def test_what_remembers_its_examples_is_scored_without_each_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = {"knn": {"technique": "knn", "k": 1}}
    *others, cell = cells(study(variants=variants))
    whole = run(tmp_path / "whole", cell)
    assert whole.left_out == whole.sizes["train"] == 809
    assert 0.9 < whole.metrics["train/accuracy"] < 1
    monkeypatch.setattr(module, "LEFT_OUT", 100)
    some, again = (run(tmp_path / name, cell) for name in ("some", "again"))
    assert some.left_out == 100
    assert some.metrics == again.metrics
    assert some.metrics["train/accuracy"] != whole.metrics["train/accuracy"]
    assert some.metrics["test/accuracy"] == whole.metrics["test/accuracy"]
    assert [run(tmp_path / "other", other).left_out for other in others] == [None]


def test_metrics_of_a_split() -> None:
    metrics = {"test/a": 1.0, "test/b": 2.0, "train/a": 3.0}
    assert of_split(metrics, "test") == {"a": 1.0, "b": 2.0}


def test_a_saved_predictor_predicts_the_same(tmp_path: Path) -> None:
    record = run(tmp_path, softmax_cell())
    folder = tmp_path / "cells" / "softmax" / "seed-0"
    test = catalogue.load("digits").test
    assert test is not None
    made = load_predictor(folder).predict(test.items).argmax(axis=1)
    assert float((made == test.labels).mean()) == record.metrics["test/accuracy"]
    with pytest.raises(InputError, match="not a saved predictor"):
        load_predictor(tmp_path)


# Devices.


def test_inputs_compute_where_the_cell_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where they would by themselves: on a GPU, where there is one."""
    net = {"technique": "cnn", "model": {"name": "mlp", "hidden": [4]}}
    net |= {"training": {"iterations": 9}}
    encoded = {"technique": "probe", "encoder": {"recipe": "net"}, "training": {"epochs": 1}}
    control = {"technique": "majority", "numerics": {"threads": 1, "device": "cpu"}}
    _, first, second = cells(study(control=control, variants={"net": net, "encoded": encoded}))
    context = Context(Store(tmp_path))
    record = run_cell(first, context, {})
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert run_cell(second, context, {record.key: record}).fingerprint["device"] == "cpu"


@pytest.mark.parametrize(("gpu", "wanted"), [(True, "cuda"), (False, "cpu")])
def test_what_was_fitted_on_a_gpu_goes_back_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: bool, wanted: str
) -> None:
    record = run(tmp_path, softmax_cell())
    told: list[str] = []
    monkeypatch.setattr(Softmax, "load", lambda self, folder, device: told.append(device))
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    folder = tmp_path / "cells" / "softmax" / "seed-0"
    load_again(folder, record)
    numerics = record.recipe["numerics"] | {"device": "cuda"}
    there = record.model_copy(update={"recipe": record.recipe | {"numerics": numerics}})
    load_again(folder, there)
    assert told == ["cpu", wanted]


# Divergence.


def test_a_diverged_cell_counts_with_its_last_finite_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates are fine for an epoch, and then they are not."""
    monkeypatch.setattr("bakeoff.training.plan.schedule", lambda settings, steps: _wild_after(13))
    record = run(tmp_path, softmax_cell(epochs=4))
    assert (record.status, record.selected_step, record.diverged_at) == ("diverged", 13, 26)
    quiet = run(tmp_path / "quiet", softmax_cell(epochs=1))
    assert of_split(record.metrics, "test") == of_split(quiet.metrics, "test")
    assert record.selected_step == quiet.selected_step


def _wild_after(step: int) -> Any:
    return lambda at: 0.005 if at < step else 1e38


def test_what_reads_vectors_of_a_diverged_encoder_has_diverged_too(tmp_path: Path) -> None:
    """It counts as the majority, and its record says why; so does what reads it in its turn."""
    encoder = {
        "technique": "contrastive",
        "model": {"name": "mlp", "hidden": [8]},
        "training": {"iterations": 20, "optimizer": "sgd", "learning_rate": 1e30},
    }
    on = {"technique": "probe", "encoder": {"recipe": "wild"}}
    tuned = on | {"classifier": {"name": "network-b", "hidden": [4], "fine_tune": "all"}}
    variants = {
        "wild": encoder,
        "probe": on | {"classifier": {"name": "network-b", "hidden": [4]}},
        "tuned": tuned,
        "on-probe": tuned | {"encoder": {"recipe": "probe"}},
        "knn": {"technique": "knn", "encoder": {"recipe": "wild"}},
    }
    finished = study(variants=variants).run(tmp_path)
    assert not finished.failures
    found = {name: read_record(tmp_path / "cells" / name / "seed-0") for name in variants}
    for name, record in found.items():
        assert record is not None
        assert (record.status, record.selected_step) == ("diverged", 0)
        assert record.metrics == found["wild"].metrics  # type: ignore[union-attr]
        needed = "probe" if name == "on-probe" else "wild"
        told = f"'{needed}' diverged before its first validation: it has no vectors"
        assert name == "wild" or record.notes == (told,)
    sentences = " ".join(v["sentence"] for v in finished.results["verdicts"])
    assert "1 of 1 seed of knn diverged" in sentences


def test_a_diverged_cell_without_finite_weights_counts_as_majority(tmp_path: Path) -> None:
    record = run(tmp_path, softmax_cell(learning_rate=1e38))
    majority = run(tmp_path, cells(study())[0])
    assert (record.status, record.selected_step) == ("diverged", 0)
    assert record.metrics == majority.metrics
    left = json.loads((tmp_path / "cells/softmax/seed-0/checkpoints/best/state.json").read_text())
    assert left["technique"] == "majority"
    assert record.cost.parameters == majority.cost.parameters
    predictor = load_predictor(tmp_path / "cells" / "softmax" / "seed-0")
    assert np.isfinite(predictor.predict(np.zeros((2, 8, 8, 1), np.uint8))).all()


def language_cell(folder: Path) -> Cell:
    """A small language model, drawn and scored as it is, on texts that are laid into a folder."""
    corpus(folder)
    content = {
        "name": "lm",
        "technique": "language-model",
        "data": {"labels": 60},
        "numerics": {"threads": 1},
        "model": {"layers": 1, "width": 16, "heads": 2},
        "adapt": {"method": "none"},
        "scoring": {"context": 16, "stride": 8},
    }
    source = {"corpus": str(folder / "texts.txt"), "words": 40}
    declared = {"question": "?", "dataset": source, "metric": "test/perplexity", "variants": {}}
    (cell,) = cells(Study.parse(declared | {"seeds": {"exactly": 1}, "control": content}))
    return cell


def test_a_cell_without_the_figure_that_selects_is_refused_before_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that is scored as it is has no loop that would diverge."""
    cell = language_cell(tmp_path)
    monkeypatch.setattr("bakeoff.core.language.LARGEST", 100.0)
    with pytest.raises(InputError, match="validation/perplexity: no number, or too large"):
        run(tmp_path / "run", cell)
    assert not (tmp_path / "run/cells/lm/seed-0/predictions/test.csv").exists()


def test_a_language_model_is_scored_on_some_of_many_training_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = language_cell(tmp_path)
    whole = run(tmp_path / "whole", cell)
    monkeypatch.setattr(module, "SHOWN_BYTES", 1_000)
    some = run(tmp_path / "some", cell)
    assert whole.train_scored is None
    assert some.train_scored is not None
    assert 0 < some.train_scored < some.sizes["train"]
    assert some.metrics["train/perplexity"] != whole.metrics["train/perplexity"]
    assert some.metrics["test/perplexity"] == whole.metrics["test/perplexity"]
    monkeypatch.setattr(module, "SHOWN_BYTES", 1)
    assert run(tmp_path / "one", cell).train_scored == 1


@pytest.mark.parametrize("folds", [False, True])
def test_sealed_texts_that_are_cut_are_counted(folds: bool, tmp_path: Path) -> None:
    rows = [f"{'very ' * (i % 5)}good {i},yes\n{'very ' * (i % 5)}bad {i},no\n" for i in range(50)]
    (tmp_path / "texts.csv").write_text("text,label\n" + "".join(rows))
    judged = {"resampling": {"folds": 2}} if folds else {"seeds": {"exactly": 1}}
    control = {
        "name": "lstm",
        "technique": "lstm",
        "numerics": {"threads": 1},
        "words": {"length": 4, "minimum_count": 1},
        "model": {"embedding": 4, "hidden": 4},
        "training": {"epochs": 1},
    }
    source = {"table": str(tmp_path / "texts.csv")}
    declared = {"question": "?", "dataset": source, "control": control, "variants": {}}
    record = run(tmp_path / "run", cells(Study.parse(declared | judged))[0])
    split = "fold" if folds else "test"
    texts = [line.split(",")[0] for line in "".join(rows).splitlines()]
    folder = next((tmp_path / "run/cells/lstm").iterdir())
    ids = (folder / "predictions" / f"{split}.csv").read_text().splitlines()[1:]
    long = [len(texts[int(row.split(",")[0])].split()) > 4 for row in ids]
    told = f"{split}: {sum(long)} of {len(long)} texts are longer than 4 words and lose their end"
    assert 0 < sum(long) < len(long)
    assert record.notes[-1] == told


# Price.


def test_seconds_are_a_price_only_where_nothing_else_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = run(tmp_path / "alone", softmax_cell()).cost
    assert alone.alone  # so short a fit tells nothing of others
    assert not run(tmp_path / "shared", softmax_cell(), sharing=True).cost.alone
    assert alone.train_seconds > 0
    assert alone.parameters == alone.trained_parameters == 650
    assert alone.macs_per_example == 640
    assert alone.evaluate_examples_per_second is not None

    class Busy(Meter):
        def __exit__(self, *error: Any) -> None:
            super().__exit__(*error)
            self.alone = False

    monkeypatch.setattr("bakeoff.execution.cell.Meter", Busy)
    assert not run(tmp_path / "busy", softmax_cell()).cost.alone


def test_seconds_of_a_solve_that_ran_beside_others_are_no_price_later(tmp_path: Path) -> None:
    patches = {"name": "patches", "size": 3, "atoms": 8, "patches": 200, "grid": 1}
    variant = {"technique": "softmax", "features": patches, "training": {"epochs": 1}}
    cell = cells(study(variants={"softmax": variant}))[1]
    assert not run(tmp_path / "shared", cell, sharing=True).cost.alone
    assert not run(tmp_path / "later", cell).cost.alone, "it reads the seconds of the first"


def test_seconds_of_an_interrupted_cell_are_no_price(tmp_path: Path) -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise Interrupted(15)

    with pytest.raises(Interrupted):
        run(tmp_path, softmax_cell(), check=check)
    assert read_record(tmp_path / "cells" / "softmax" / "seed-0") is None
    assert openings() == []
    record = run(tmp_path, softmax_cell())
    assert len(record.interruptions) == 1
    assert record.interruptions[0].bit_equal
    assert not record.cost.alone
    undisturbed = run(tmp_path / "undisturbed", softmax_cell())
    assert record.metrics == undisturbed.metrics
    weights = "checkpoints/best/model.safetensors"
    assert record.files[weights] == undisturbed.files[weights]


def test_upstream_seconds_are_all_that_came_before(tmp_path: Path) -> None:
    mlp = {"technique": "mlp", "model": {"hidden": [4]}, "training": {"iterations": 9}}
    encoded = {"technique": "knn", "encoder": {"recipe": "mlp"}}
    records = run_alone(tmp_path, cells(study(variants={"mlp": mlp, "encoded": encoded})))
    upstream = records["mlp/seed-0"].cost.train_seconds
    assert records["encoded/seed-0"].cost.upstream_seconds == upstream > 0


def test_a_price_with_an_input_needs_the_inputs_price(tmp_path: Path) -> None:
    mlp = {"technique": "mlp", "model": {"hidden": [4]}, "training": {"iterations": 9}}
    encoded = {"technique": "knn", "encoder": {"recipe": "mlp"}}
    _, first, second = cells(study(variants={"mlp": mlp, "encoded": encoded}))
    context = Context(Store(tmp_path))
    shared = run_cell(first, replace(context, sharing=True), {})
    assert not run_cell(second, context, {shared.key: shared}).cost.alone


def test_a_price_needs_that_of_what_an_input_used(tmp_path: Path) -> None:
    mlp = {"technique": "mlp", "model": {"hidden": [4]}, "training": {"iterations": 9}}
    probe = {"technique": "probe", "encoder": {"recipe": "mlp"}, "training": {"iterations": 9}}
    taught = mlp | {"training": {"iterations": 9, "teacher": {"recipe": "probe"}}}
    given = study(variants={"mlp": mlp, "probe": probe, "taught": taught})
    _, first, second, third = cells(given)
    context, records = Context(Store(tmp_path)), dict[str, Record]()
    for cell in (first, second):
        records[cell.key] = run_cell(cell, context, records)
    assert [r.name for r in needed(third, records)] == ["probe", "mlp"]
    left = {second.key: records[second.key]}  # the other was lost since
    assert [r.name for r in needed(third, left)] == ["probe"]
    assert not run_cell(third, context, left).cost.alone


# What a cell relies on.


def test_data_that_changed_meanwhile_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="digits: the data set changed after the study began"):
        run(tmp_path, replace(softmax_cell(), data_hash="0" * 64))
    with pytest.raises(InputError, match="changed after the study began"):
        run(tmp_path, replace(softmax_cell(), split_hash="0" * 64))
    assert openings() == []


def test_an_unfinished_cell_keeps_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Softmax, "fit", lambda *_: 1 / 0)
    cell = softmax_cell()
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, cell)
    assert (tmp_path / "cells" / "softmax" / "seed-0" / KEY_FILE).read_text() == cell.key


def test_the_source_is_told_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    module.source_state.cache_clear()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(OSError))
    assert module.source_state() == {"commit": None, "uncommitted": None}
    module.source_state.cache_clear()
    monkeypatch.undo()
    told = module.source_state()
    assert told["commit"] is None or len(told["commit"]) == 40


def test_the_same_cell_leaves_the_same_bits(tmp_path: Path) -> None:
    def content(name: str) -> dict[str, str]:
        return run(tmp_path / name, softmax_cell()).files

    one, other = content("one"), content("other")
    del one["metrics.jsonl"], other["metrics.jsonl"]  # it holds seconds
    assert one == other
