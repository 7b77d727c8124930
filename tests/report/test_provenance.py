"""What differs, what was opened, what ran where."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bakeoff.report import provenance
from bakeoff.report.folder import RunFolder, read_folder
from bakeoff.report.results import parse


def change_record(folder: Path, cell: str, **more: Any) -> None:
    path = folder / "cells" / cell / "record.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | more))


def test_changes_from_the_control(run: RunFolder) -> None:
    found = {d.recipe.name: d for d in provenance.differences(run.results)}
    (change,) = found["batch-norm"].declared
    assert (change.path, change.before, change.after) == ("model.batch_norm", "false", "true")
    assert found["batch-norm"].others == 0
    (change,) = found["resnet20"].declared
    assert (change.path, change.before, change.after) == ("model.name", "simple-cnn", "resnet20")
    assert found["resnet20"].others == 2
    assert found["plain"].declared == []
    assert "optimizer: sgd" in found["plain"].resolved


def test_declared_again_is_no_change() -> None:
    same = {"changed": {"technique": "b", "x": 1}, "recipe": {"technique": "b", "x": 1}}
    recipes = {"a": {"recipe": {"technique": "a", "x": 1}}, "b": same}
    _, b = provenance.differences(parse({"control": "a", "recipes": recipes}))
    assert [change.path for change in b.declared] == ["technique"]


def test_fields_that_are_not_there_are_not_set() -> None:
    recipes = {"a": {"recipe": {"x": 1}}, "b": {"changed": {"y.z": None}, "recipe": {"x": 1}}}
    _, b = provenance.differences(parse({"control": "a", "recipes": recipes}))
    (change,) = b.declared
    assert (change.before, change.after) == ("not set", "none")


def test_full_table_has_differing_fields_alone(run: RunFolder) -> None:
    table = provenance.full_table(run.results)
    assert table is not None
    fields = [cells[0].text for cells in table.rows]
    assert "technique" in fields
    assert "model.activation" in fields
    assert "data.set" not in fields
    assert provenance.full_table(parse({})) is None


def test_ledger(run: RunFolder, own_folder: Path) -> None:
    said = " ".join(provenance.ledger_sentences(run))
    assert said.startswith("9 recipes have ever been scored on this test set on this machine, 5 of")
    assert "the less the best of them says" in said
    assert "once, at its end" in said
    change_record(own_folder, "plain/seed-0", test_opened=3)
    again = " ".join(provenance.ledger_sentences(read_folder(own_folder)))
    assert "opened the test examples 3 times" in again
    recipes = (*run.results.recipes, replace(run.results.recipes[0], name="again"))
    twice = replace(run, results=replace(run.results, recipes=recipes))
    assert "5 of them in this study" in provenance.ledger_sentences(twice)[0]
    unknown = replace(run, results=replace(run.results, ledger={}))
    assert "not kept" in provenance.ledger_sentences(unknown)[0]


def test_a_level_is_a_change(run: RunFolder) -> None:
    first = run.results.recipes[0]
    resolved = {**first.recipe, "data": {"labels": 60}}
    recipe = replace(first, name="plain@labels=60", recipe=resolved, level={"data.labels": 60})
    results = replace(run.results, recipes=(first, recipe))
    told = provenance.differences(results)[1]
    assert [(c.path, c.after) for c in told.declared] == [("data.labels", "60")]


def test_notes_of_cells_are_told_once(own_folder: Path) -> None:
    for seed in (0, 1):
        change_record(own_folder, f"plain/seed-{seed}", notes=["memory was short"])
    said = provenance.trouble_sentences(read_folder(own_folder))
    assert "plain, at seed 0 and 1: memory was short." in said


def test_troubles(own_folder: Path) -> None:
    stop = {"phase": "train", "step": 5, "bit_equal": False, "why": "threads: 2 became 4"}
    change_record(own_folder, "plain/seed-0", interruptions=[stop])
    path = own_folder / "results.json"
    content = json.loads(path.read_bytes())
    content["recipes"]["swish"] |= {"failed": [3], "statuses": ["done", "diverged"], "late": True}
    content["recipes"]["softmax"]["dropped"] = True
    path.write_text(json.dumps(content))
    said = provenance.trouble_sentences(read_folder(own_folder))
    assert said == [
        "swish was added after a test score was read.",
        "swish left no result at seed 3; run again to finish it.",
        "swish diverged at seed 1: counted with its last finite weights.",
        "softmax was taken out of the study; what it left still counts.",
        "1 interruption on the way: 1 not bit-equal.",
    ]


def test_exploratory_comparisons_of_the_studys_metric(run: RunFolder) -> None:
    assert provenance.exploratory_sentences(run.results) == []
    verdicts = [replace(v, reason="r", exploratory=True) for v in run.results.verdicts[:1]]
    verdicts.append(replace(verdicts[0], metric="test/log_loss"))
    (said,) = provenance.exploratory_sentences(replace(run.results, verdicts=tuple(verdicts)))
    assert said == "batch-norm against plain: exploratory, so without a verdict: r."


def test_environment_and_source(run: RunFolder, own_folder: Path) -> None:
    facts = {fact.name: fact.value for fact in provenance.environment_facts(run)}
    assert facts["python"] == "3.11.7"
    assert facts["commit"] == "0" * 40
    assert "fingerprints" not in facts
    change_record(own_folder, "plain/seed-0", fingerprint={}, source={"uncommitted": "1f"})
    facts = {f.name: f.value for f in provenance.environment_facts(read_folder(own_folder))}
    assert facts["uncommitted changes"].startswith("yes")
    assert facts["fingerprints"].startswith("2")


def test_data(run: RunFolder) -> None:
    facts = {fact.name: fact.value for fact in provenance.data_facts(run)}
    assert facts["Data set"] == "fashion-mnist"
    assert facts["Classes"].startswith("10: T-shirt, Trouser")
    assert facts["Examples"].endswith("300 validation, 600 test")
    counted = replace(run, results=parse({"dataset": {"classes": 7}}))
    assert provenance.data_facts(counted)[0].value == "7"
    many = replace(run, results=parse({"dataset": {"classes": [str(i) for i in range(50)]}}))
    assert provenance.data_facts(many)[0].value.endswith("18, 19, …")
    assert provenance.data_notes(run.results)[0].startswith("Made up")


def test_examples_of_recipes_that_learn_from_different_ones(own_folder: Path) -> None:
    sizes = {"train": 90, "validation": 10, "test": 600}
    change_record(own_folder, "batch-norm/seed-0", sizes=sizes)
    facts = {fact.name: fact.value for fact in provenance.data_facts(read_folder(own_folder))}
    assert "Examples" not in facts
    assert facts["Examples of batch-norm"] == "90 train, 10 validation, 600 test"
    (others,) = (name for name in facts if name.startswith("Examples of plain"))
    assert facts[others].endswith("300 validation, 600 test")


def test_cells(run: RunFolder) -> None:
    table = provenance.cells_table(run)
    assert table is not None
    assert len(table.rows) == 25
    assert all(len(cells) == len(table.header) for cells in table.rows)
    assert provenance.cells_table(replace(run, cells={})) is None


def test_nats_are_explained_where_they_are_told(run: RunFolder) -> None:
    assert "Nats" not in dict(provenance.glossary(run.results))
    told = provenance.glossary(replace(run.results, metric="test/perplexity"))
    assert "factor" in dict(told)["Nats"]


def test_glossary_is_one_line_each() -> None:
    for word, meaning in provenance.GLOSSARY:
        assert word
        assert len(meaning) <= 90
        assert not meaning.endswith(".")
