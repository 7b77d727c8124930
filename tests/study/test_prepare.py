"""Cells: their order, their keys, and what is refused before one of them runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.contracts.small import dataset_of
from tests.study.tiny import study

from bakeoff.core.cell import Cell
from bakeoff.core.errors import InputError
from bakeoff.data import catalogue
from bakeoff.data.dataset import Dataset
from bakeoff.study.planned import AGAIN_SEEDS
from bakeoff.study.prepare import cells_of, prepare
from bakeoff.study.study import Study
from bakeoff.techniques.cnn import Cnn
from bakeoff.techniques.softmax import Softmax

MLP: dict[str, Any] = {"technique": "mlp", "training": {"epochs": 1}}


def encoded(**ref: Any) -> dict[str, Any]:
    return {"technique": "knn", "encoder": {"recipe": "mlp", **ref}}


def cells(given: Study, *seeds: int) -> dict[tuple[str, int], Cell]:
    ready = prepare(given)
    found = cells_of(ready, ready.planned, ready.replicates(seeds))
    return {(name, at.seed): cell for (name, at), cell in found.items()}


def faults(given: Study) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        prepare(given)
    return caught.value.faults


@pytest.mark.parametrize("folds", [False, True])
def test_texts_that_are_scored_teach_nobody(folds: bool, tmp_path: Path) -> None:
    """Neither those of test, nor with folds any of the data."""
    data = dataset_of("text", tmp_path)
    assert data.test is not None
    learnt, held, more = data.train.items[0], data.test.items[0], tmp_path / "more.txt"
    content: dict[str, Any] = {
        "question": "?",
        "dataset": {"table": str(tmp_path / "texts.csv")},
        "metric": f"{'fold' if folds else 'test'}/accuracy",
        "seeds": {"exactly": 1},
        "margin": 0.01,
        "control": {"technique": "bag-of-words"},
        "variants": {
            "taught": {
                "technique": "lstm",
                "training": {"teacher": {"recipe": "bag-of-words", "extra": str(more)}},
            }
        },
    }
    content |= {"resampling": {"folds": 2}} if folds else {}
    more.write_text("of nobody's\n", encoding="utf-8")
    prepare(Study.parse(content))
    for text, refused in ((learnt, folds), (held, True)):
        more.write_text(f"of nobody's\n{text}\n", encoding="utf-8")
        if refused:
            (fault,) = faults(Study.parse(content))
            assert fault.startswith("taught: training.teacher.extra: 1 of 2 texts are among those")
            assert str(text) in fault
        else:
            prepare(Study.parse(content))


def test_plans_of_before_compiled_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do they name the numerics that came later; recipes stay what they were."""
    asked: list[object] = []

    def resolve_compile(compile: object, *given: object) -> bool:
        asked.append(compile)
        return bool(compile)

    monkeypatch.setattr("bakeoff.training.torch.numerics.resolve_compile", resolve_compile)
    given = study(control={"technique": "cnn"}, variants={})
    then = {"device": "cpu", "precision": "float32", "threads": 1, "deterministic": True}
    ready = prepare(given, before={"numerics": then, "recipes": {}})
    assert asked == [False]
    assert ready.control.recipe.resolved()["numerics"] == then
    prepare(given)
    assert asked == [False, "auto"]


# Cells.


def test_recipes_interleave_seed_by_seed() -> None:
    variants = {"softmax": {"technique": "softmax"}, "knn": {"technique": "knn"}}
    assert list(cells(study(variants=variants), 4, 2)) == [
        *(("majority", 4), ("softmax", 4), ("knn", 4)),
        *(("majority", 2), ("softmax", 2), ("knn", 2)),
    ]


def test_inputs_are_cells_of_the_same_seed() -> None:
    found = cells(study(variants={"k": encoded(), "mlp": MLP}), 0, 1)
    assert list(found)[:3] == [("majority", 0), ("mlp", 0), ("k", 0)]
    assert found["k", 1].inputs == {"mlp": found["mlp", 1].key}


def test_inputs_are_cells_of_the_seed_asked_for() -> None:
    found = cells(study(variants={"k": encoded(seed=7), "mlp": MLP}), 0, 1)
    assert list(found) == [
        *(("majority", 0), ("mlp", 0), ("mlp", 7), ("k", 0)),
        *(("majority", 1), ("mlp", 1), ("k", 1)),
    ]
    assert found["k", 0].inputs == found["k", 1].inputs == {"mlp": found["mlp", 7].key}


def test_the_control_again_draws_its_inputs_again() -> None:
    control = encoded() | {"name": "k"}
    found = cells(study(control=control, variants={"mlp": MLP, "again": None}), 0)
    far = AGAIN_SEEDS
    assert set(found) == {("mlp", 0), ("k", 0), ("mlp", far), ("again", far)}
    assert found["again", far].inputs == {"mlp": found["mlp", far].key}


def test_keys_change_with_an_input() -> None:
    def key(mlp: dict[str, Any]) -> str:
        return cells(study(variants={"k": encoded(), "mlp": mlp}), 0)["k", 0].key

    assert key(MLP) == key(MLP)
    assert key(MLP) != key(MLP | {"training": {"epochs": 2}})


def test_keys_do_not_depend_on_names() -> None:
    one = cells(study(), 0)
    other = cells(
        study(
            name="elsewhere",
            question="Another?",
            control={"technique": "majority", "name": "base"},
            variants={"soft": study().variants["softmax"]},
        ),
        0,
    )
    assert one["majority", 0].key == other["base", 0].key
    assert one["softmax", 0].key == other["soft", 0].key
    assert one["softmax", 0].folder != other["soft", 0].folder


@pytest.mark.parametrize(
    "change",
    [{"training.epochs": 2}, {"data.labels": 300}, {"data.validation": 0.2},
     {"numerics.threads": 17}],
)  # fmt: skip
def test_keys_depend_on_every_setting(change: dict[str, Any]) -> None:
    control = {"technique": "softmax"}
    found = cells(study(control=control, variants={"b": change}), 0)
    assert found["softmax", 0].key != found["b", 0].key


def test_keys_depend_on_the_seed() -> None:
    found = cells(study(), 0, 1)
    assert len({cell.key for cell in found.values()}) == 4
    assert found["softmax", 0].split_hash != found["softmax", 1].split_hash


# Refusals.


def test_budgets_the_data_cannot_serve_are_told_together() -> None:
    told = faults(study(factors={"data.labels": [5, 100, 100_000]}))
    assert len(told) == 2
    assert told[0].startswith("data.labels: 5 is fewer")
    assert told[1].startswith("data.labels: 100000 asked for")


def test_unknown_classes() -> None:
    told = faults(study(control={"technique": "majority", "data": {"classes": ["1", "one"]}}))
    assert told[0].startswith("data.classes of digits: unknown class 'one'")


def test_faulty_settings_are_told_before_data_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(reference: object) -> Dataset:
        raise AssertionError("data were asked for")

    monkeypatch.setattr(catalogue, "load", load)
    assert faults(study(variants={"b": {"technique": "softmax", "training.epoch": 1}}))


def test_data_without_a_labelled_test_split(
    monkeypatch: pytest.MonkeyPatch, texts: Dataset
) -> None:
    unlabelled = catalogue.load("digits")
    assert unlabelled.test is not None
    hidden = np.full(len(unlabelled.test), -1)
    test = type(unlabelled.test)(unlabelled.test.items, hidden, unlabelled.test.ids)
    for given in (None, test):
        dataset = Dataset("made", "image", unlabelled.classes, unlabelled.train, given)
        monkeypatch.setattr(catalogue, "load", lambda *_, made=dataset, **__: made)
        assert faults(study()) == (
            "dataset: made has no labelled test split to compare on (resampling compares without "
            "one)",
        )


def test_a_model_that_the_images_are_too_small_for(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(20):
            pixels = generator.integers(0, 256, (2, 2), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{number}.png")
    given = study(dataset={"folder": str(tmp_path / "set")}, variants={"cnn": {"technique": "cnn"}})
    assert faults(given) == (
        "cnn: model simple-cnn: images of 2 x 2 pixels received (allowed: at least 4 x 4)",
    )


IN_PARTS = {"epochs": 1, "accumulate": 2}
WHOLE = "training.accumulate: 2 received, but this model looks at whole batches"


@pytest.mark.parametrize(
    ("variant", "fault"),
    [
        ({"technique": "knn", "k": 810}, "k: 810 received, but there are 809 training examples"),
        (
            {"technique": "cnn", "augmentation": {"crop": 8}},
            "augmentation.crop: 8 received (allowed: 0 to 7",
        ),
        (
            {"technique": "scratch-cnn", "model": {"channels": [4]}, "augmentation": {"crop": 9}},
            "augmentation.crop: 9 received (allowed: 0 to 7",
        ),
        ({"technique": "cnn", "model": {"batch_norm": True}, "training": IN_PARTS}, WHOLE),
        ({"technique": "scratch-cnn", "model": {"channels": [4]}, "training": IN_PARTS}, WHOLE),
        ({"technique": "mlp", "model": {"normalisation": "batch"}, "training": IN_PARTS}, WHOLE),
    ],
)
def test_settings_that_the_data_cannot_serve(variant: dict[str, Any], fault: str) -> None:
    (told,) = faults(study(variants={"b": variant}))
    assert told.startswith(f"b: {fault}")


NET = {"technique": "cnn", "model": {"name": "mlp", "hidden": [8]}}
TUNED = {"name": "network-b", "hidden": [4], "fine_tune": "all"}


def on(recipe: str, **sections: Any) -> dict[str, Any]:
    return {"technique": "probe", "encoder": {"recipe": recipe}, **sections}


@pytest.mark.parametrize(
    ("variants", "fault"),
    [
        ({"b": on("majority")}, "probe: encoder: the technique of recipe 'majority' gives no"),
        (
            {"b": {**on("majority"), "technique": "knn"}},
            "knn: encoder: the technique of recipe 'ma",
        ),
        (
            {"m": MLP, "b": on("m", classifier=TUNED)},
            "probe: classifier.fine_tune: the encoder is no torch network on images",
        ),
        (
            {"n": NET, "b": on("n", classifier={**TUNED, "fine_tune": ["hiden"]})},
            "classifier.fine_tune: no layer 'hiden'; did you mean 'hidden'? (allowed: hidden, outp",
        ),
        (
            {"n": NET, "b": on("n", classifier={**TUNED, "rates": {"outptu": 0.1}})},
            "classifier.rates: no layer 'outptu'; did you mean 'output'?",
        ),
        (
            {
                "n": NET,
                "head": on("n", classifier={**TUNED, "fine_tune": "none", "hidden": [5]}),
                "b": on("head", classifier=TUNED),
            },
            "classifier: hidden (4,) against (5,) in recipe 'head', whose added layers are to go",
        ),
        (
            {"b": {"technique": "contrastive", "data": {"labels": 15}}},
            "1 training example received of ",
        ),
        (
            {"b": {"technique": "contrastive", "training": {"classes_per_batch": 11}}},
            "training.classes_per_batch: 11 received (allowed: 2 to 10, two examples of each in a",
        ),
    ],
)
def test_recipes_that_would_fail_in_the_end(variants: dict[str, Any], fault: str) -> None:
    """Perhaps hours after the start: when what they need was fitted."""
    (told,) = faults(study(variants=variants))
    assert told.startswith(f"b: {fault}")


def test_faults_of_an_encoder_are_told_of_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise InputError("too small")

    monkeypatch.setattr(Cnn, "untrained", refuse)
    assert faults(study(variants={"n": NET, "b": on("n"), "m": on("b", classifier=TUNED)})) == (
        "n: too small",
    )


def test_recipes_on_encoders_that_can_be_fitted() -> None:
    head = on("n", classifier={**TUNED, "fine_tune": "none"})
    tuned = on("head", classifier={**TUNED, "rates": {"hidden.0": 0.5}})
    variants = {"n": NET, "head": head, "tuned": tuned, "k": {**on("tuned"), "technique": "knn"}}
    assert prepare(study(variants=variants, factors={"data.labels": [100, 200]}))


def test_settings_that_the_data_can_serve() -> None:
    variants = {
        "knn": {"technique": "knn", "k": 809},
        "mlp": {"technique": "mlp", "training": IN_PARTS},
        "scratch": {
            "technique": "scratch-cnn",
            "model": {"channels": [4], "normalisation": "none"},
            "augmentation": {"crop": 7},
            "training": IN_PARTS,
        },
        "cnn": {"technique": "cnn", "training": IN_PARTS},
    }
    assert prepare(study(variants=variants))


def test_recipes_that_differ_in_their_examples_are_built_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[int] = []
    untrained = Softmax.untrained

    def counting(self: Softmax, settings: Any, shape: tuple[int, ...], classes: int) -> Any:
        built.append(classes)
        return untrained(self, settings, shape, classes)

    monkeypatch.setattr(Softmax, "untrained", counting)
    variants = {
        "softmax": {"technique": "softmax"},
        "longer": {"technique": "softmax", "training": {"epochs": 2}},
    }
    prepare(study(variants=variants, factors={"data.labels": [100, 200, 300]}))
    assert built == [10, 10]


def test_an_encoder_is_built_once_for_all_that_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    untrained = Cnn.untrained

    def counting(self: Cnn, settings: Any, shape: tuple[int, ...], classes: int) -> Any:
        built.append(classes)
        return untrained(self, settings, shape, classes)

    monkeypatch.setattr(Cnn, "untrained", counting)
    variants = {"n": NET, "b": on("n"), "k": {**on("n"), "technique": "knn"}}
    prepare(study(variants=variants, factors={"data.labels": [100, 200]}))
    assert built == [10]
    ready = prepare(study(variants={"n": NET}))
    before = {"numerics": {}, "recipes": {"n": {"recipe": ready.planned[-1].recipe.resolved()}}}
    built.clear()
    prepare(study(variants={"n": NET}), before=before)
    assert not built, "what ran before is not looked at again"
    prepare(study(variants={"n": NET, "b": on("n")}), before=before)
    assert built, "unless something new reads it"


def test_what_cannot_be_built_is_told_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise InputError("too small")

    monkeypatch.setattr(Softmax, "untrained", refuse)
    assert faults(study(factors={"data.labels": [100, 200]})) == (
        "softmax@labels=100: too small",
        "softmax@labels=200: too small",
    )


def test_the_smallest_label_budget_must_serve() -> None:
    given = study(
        variants={"knn": {"technique": "knn", "k": 50}}, factors={"data.labels": [20, 60]}
    )
    assert faults(given) == (
        "knn@labels=20: k: 50 received, but there are 20 training examples to be neighbours "
        "(allowed: 1 to 20)",
    )


def test_a_default_margin_needs_a_control_without_inputs() -> None:
    given = study(control=encoded(), variants={"mlp": MLP}, margin=None)
    assert faults(given)[0].startswith("margin: to be declared where the control needs another")
    assert prepare(given.model_copy(update={"margin": 0.01}))


def test_the_control_of_the_first_level_is_the_control() -> None:
    ready = prepare(study(factors={"data.labels": [100, 200]}))
    assert ready.control.name == "majority@labels=100"
