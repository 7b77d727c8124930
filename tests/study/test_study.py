"""Studies in YAML and in Python."""

import doctest
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.study.tiny import run, study

import bakeoff
from bakeoff.core.errors import InputError
from bakeoff.core.frozen import plain
from bakeoff.study import study as module
from bakeoff.study.resolve import declare
from bakeoff.study.study import Study, built_in_names, load_study, read_yaml

TEXT = """
question: Does batch norm pay?
dataset: digits
metric: test/f1_macro
margin: 0.005
seeds: [3, 1]
control:
  name: plain
  technique: cnn
  model: {name: simple-cnn, batch_norm: false, activation: relu}
  training: {epochs: 10, batch_size: 256, optimizer: sgd, learning_rate: 5e-2, schedule: cosine}
variants:
  batch-norm: {model.batch_norm: true}
  again:
  softmax: {technique: softmax}
factors:
  data.labels: [200, all]
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_example_of_the_docstring(tmp_path: Path) -> None:
    test = doctest.DocTestFinder(recurse=False).find(Study, globs={"folder": tmp_path / "run"})
    assert len(test) == 1
    assert test[0].examples
    told: list[str] = []
    found = doctest.DocTestRunner().run(test[0], out=told.append)
    assert found.failed == 0, "".join(told)


def test_yaml_and_python_give_the_same_recipes(tmp_path: Path) -> None:
    written = bakeoff.Study(
        name="mine",
        question="Does batch norm pay?",
        dataset="digits",
        metric="test/f1_macro",
        margin=0.005,
        seeds=[3, 1],
        control={
            "name": "plain",
            "technique": "cnn",
            "model": {"name": "simple-cnn", "batch_norm": False, "activation": "relu"},
            "training": {
                "epochs": 10,
                "batch_size": 256,
                "optimizer": "sgd",
                "learning_rate": 0.05,
                "schedule": "cosine",
            },
        },
        variants={
            "batch-norm": {"model.batch_norm": True},
            "again": {},
            "softmax": {"technique": "softmax"},
        },
        factors={"data.labels": [200, "all"]},
    )
    read = bakeoff.load_study(write(tmp_path, TEXT))
    mine, theirs = declare(read), declare(written)
    assert [p.recipe for p in mine] == [p.recipe for p in theirs]
    assert len(mine) == 8
    assert plain(read) | {"control": {}} == plain(written) | {"control": {}}


def test_json_is_read_too(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(yaml.safe_load(TEXT)), "mine.json")
    assert plain(load_study(path)) == plain(load_study(write(tmp_path, TEXT)))


def test_the_study_a_run_leaves_is_that_study(tmp_path: Path) -> None:
    given = study(name="mine", variants={"softmax": {"technique": "softmax", "training.epochs": 1}})
    run(tmp_path / "run", given)
    assert load_study(tmp_path / "run" / "study.yaml") == given


def test_a_study_is_named_after_its_file_or_itself(tmp_path: Path) -> None:
    assert load_study(write(tmp_path, TEXT)).name == "mine"
    assert load_study(write(tmp_path, "name: other" + TEXT)).name == "other"


@pytest.mark.parametrize("name", built_in_names())
def test_built_in_studies_can_be_declared(name: str) -> None:
    loaded = load_study(name)
    assert loaded.name == name
    assert declare(loaded)


def test_an_unknown_study_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown study 'digit-first'; did you mean"):
        load_study("digit-first")


@pytest.mark.parametrize(
    ("settings", "path", "value"),
    [
        ({"training.epochs": 3}, ["control", "training", "epochs"], 3),
        ({"training": {"epochs": 3}}, ["control", "training"], {"epochs": 3}),
        ({"control.training.epochs": 3}, ["control", "training", "epochs"], 3),
        ({"seeds": 7}, ["seeds"], 7),
        (
            {"variants.softmax.training.epochs": 3},
            ["variants", "softmax", "training.epochs"],
            3,
        ),
        ({"data.labels": 300}, ["control", "data", "labels"], 300),
    ],
)
def test_settings_change_fields(
    tmp_path: Path, settings: dict[str, Any], path: list[str], value: object
) -> None:
    found: Any = plain(load_study(write(tmp_path, TEXT), settings))
    for name in path:
        found = found[name]
    assert found == value


DOTTED = {
    "question": "Which rate?",
    "dataset": "digits",
    "control": {"technique": "softmax"},
    "variants": {
        "rate-0": {"training.learning_rate": 0.2},
        "rate-0.3": {"training.learning_rate": 0.3},
        "rate-0.3.slow": {"training": {"learning_rate": 0.3}},
    },
    "factors": {"data.labels": [100, 200], "data.validation": [0.1]},
}


@pytest.mark.parametrize(
    ("field", "value", "section", "name", "expected"),
    [
        ("variants.rate-0.training.epochs", 3, "variants", "rate-0", None),
        ("variants.rate-0.3.training.epochs", 3, "variants", "rate-0.3", None),
        (
            "variants.rate-0.3.slow.training.epochs",
            3,
            "variants",
            "rate-0.3.slow",
            {"training": {"learning_rate": 0.3, "epochs": 3}},
        ),
        ("variants.rate-0.3", {"technique": "mlp"}, "variants", "rate-0.3", {"technique": "mlp"}),
        ("variants.more", {"technique": "mlp"}, "variants", "more", {"technique": "mlp"}),
        ("factors.data.labels", [100], "factors", "data.labels", [100]),
        ("factors.training.epochs", [1, 2], "factors", "training.epochs", [1, 2]),
    ],
)
def test_names_with_dots_can_be_set(
    tmp_path: Path, field: str, value: object, section: str, name: str, expected: object
) -> None:
    path = write(tmp_path, json.dumps(DOTTED))
    found, before = plain(load_study(path, {field: value})), plain(load_study(path))
    if expected is None:
        expected = before[section][name] | {"training.epochs": 3}
    assert found == before | {section: before[section] | {name: expected}}


@pytest.mark.parametrize("section", ["variants", "factors"])
def test_what_has_no_names_is_refused(tmp_path: Path, section: str) -> None:
    path = write(tmp_path, json.dumps(DOTTED | {section: [1]}))
    with pytest.raises(InputError, match=f"{section}.*has no field 'a'"):
        load_study(path, {f"{section}.a.b": 3})


def test_a_field_of_a_variant_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(DOTTED | {"variants": {"a": 3}}))
    with pytest.raises(InputError, match=r"variants\.a: input should be a mapping \(received 3\)"):
        load_study(path, {"variants.a.training.epochs": 3})


def test_built_in_names_with_dots_can_be_set() -> None:
    rates = load_study("learning-rate", {"variants.rate-0.3.training.epochs": 1})
    assert rates.variants["rate-0.3"] == {"training.learning_rate": 0.3, "training.epochs": 1}
    assert load_study("label-budget", {"factors.data.labels": [100]}).factors == {
        "data.labels": [100]
    }


def test_settings_of_a_variant_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'softmax'"):
        load_study(write(tmp_path, TEXT), {"variants.sofmax.training.epochs": 3})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "there is no such file"),
        ("a: [", "not YAML: "),
        ("a: 1\nb: {c: 1, c: 2}", "not YAML: .*the key 'c' occurs twice"),
        ("a: 1\na: 2", "not YAML: .*the key 'a' occurs twice"),
        ("- a", "a mapping of fields is needed, not list"),
        ("", "a mapping of fields is needed, not NoneType"),
        ("1: a", "a mapping of fields is needed"),
        ("a: !!python/object/apply:os.system [echo]", "not YAML: could not determine"),
    ],
)
def test_files_that_are_no_studies(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "mine.yaml" if text is None else write(tmp_path, text)
    with pytest.raises(InputError, match=fault) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "On", "NO", "y", "truer", "falsely"])
def test_words_are_text(tmp_path: Path, word: str) -> None:
    """YAML 1.1 would take most of them for booleans."""
    assert read_yaml(write(tmp_path, f"{word}: [{word}]")) == {word: [word]}


@pytest.mark.parametrize(("word", "value"), [("true", True), ("False", False), ("TRUE", True)])
def test_booleans_are_booleans(tmp_path: Path, word: str, value: bool) -> None:
    assert read_yaml(write(tmp_path, f"a: {word}"))["a"] is value
    assert read_yaml(write(tmp_path, f"a: '{word}'"))["a"] == word
    with pytest.raises(InputError, match="a mapping of fields is needed"):
        read_yaml(write(tmp_path, f"{word}: a"))


def test_a_stopping_rule_may_look_on_the_loss(tmp_path: Path) -> None:
    text = TEXT.replace("schedule: cosine", "stopping: {rule: patience, on: loss}")
    control = declare(load_study(write(tmp_path, text)))[0].recipe.resolved()
    assert control["training"]["stopping"]["on"] == "loss"


def test_faults_of_the_study_hide_none_of_its_recipes() -> None:
    with pytest.raises(InputError) as caught:
        Study.parse(
            {
                "question": "q?",
                "datset": "digits",
                "seed": 3,
                "margin": -1,
                "control": {"technique": "softmax", "training": {"epoch": 3}},
                "variants": {"b": {"technique": "knn", "kk": 3}, "c": 5, "d": {"technique": "mpl"}},
            }
        )
    assert sorted(fault.partition(":")[0] for fault in caught.value.faults) == [
        "control.training.epoch",
        "datset",
        "margin",
        "seed",
        "variants.b.kk",
        "variants.c",
        "variants.d.technique",
    ]


def test_merge_keys_are_no_repetition(tmp_path: Path) -> None:
    path = write(tmp_path, "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}")
    assert read_yaml(path)["b"] == {"x": 3, "y": 2}


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="cannot be read"):
        read_yaml(path)


def test_a_run_goes_where_the_study_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen: list[Path] = []
    monkeypatch.setattr("bakeoff.study.run.run", lambda given, out, options: seen.append(out))
    study(name="mine").run()
    study(name="mine").run("there")
    assert seen == [Path("runs/mine"), Path("there")]


def test_some_variants_come_with_what_they_need(tmp_path: Path) -> None:
    whole = load_study("probe-vs-finetune")
    assert list(whole.only(["fine-tuned"]).variants) == ["triplet", "network-b", "fine-tuned"]
    assert list(whole.only(["neighbours"]).variants) == ["triplet", "neighbours"]
    assert list(whole.only(["scratch"]).variants) == []
    assert whole.only([]) == whole
    of_control = load_study("bert-probes").only(["max-6-vectors"])
    assert list(of_control.variants) == ["mean-6-vectors", "max-6-vectors"]
    with pytest.raises(InputError, match="only: unknown recipe 'neighbors'"):
        whole.only(["neighbors"])
    declare(of_control)


def test_public_names() -> None:
    assert {"Study", "load_study", "predict", "score"} <= set(bakeoff.__all__)
    assert all(hasattr(bakeoff, name) for name in bakeoff.__all__)
    assert bakeoff.Study is module.Study


def test_faults_are_told_in_python_as_of_a_file() -> None:
    content: dict[str, Any] = {
        "question": "?",
        "dataset": "digits",
        "metrik": "test/accuracy",
        "control": {"technique": "sofmax"},
    }
    with pytest.raises(InputError) as of_file:
        Study.parse(content)
    with pytest.raises(InputError) as in_python:
        Study(**content)
    assert in_python.value.faults == of_file.value.faults
    assert len(in_python.value.faults) == 2


def test_a_study_in_python_is_that_of_a_file() -> None:
    content: dict[str, Any] = {"question": "?", "dataset": "digits"}
    content |= {"control": {"technique": "softmax"}}
    assert Study(**content) == Study.parse(content)
    assert Study(**content).model_copy(update={"question": "!"}).question == "!"


def test_the_grid_of_a_search_can_be_set() -> None:
    rates, seeds = {"search.grid.training.learning_rate": [0.1, 0.2]}, {"search.seeds": 2}
    search = load_study("digits-first", {**rates, **seeds}).search
    assert search is not None
    assert (search.grid, search.seeds) == ({"training.learning_rate": [0.1, 0.2]}, 2)
    assert load_study("digits-first", {**seeds, **rates}).search == search
