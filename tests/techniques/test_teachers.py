"""Students beside teachers: what is asked of whom, and how often."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.contracts.small import Bench, cell_of, resolved, run_of, same_bits
from tests.models.tiny import save_tiny
from tests.techniques.conftest import MemoryRun

from bakeoff.core.checking import Offer
from bakeoff.core.errors import InputError
from bakeoff.core.files import canonical_json, digest
from bakeoff.core.protocols import Predictor
from bakeoff.core.recipe import DataSettings, DeviceName, Numerics, Recipe
from bakeoff.core.teaching import TeacherSettings
from bakeoff.techniques import find
from bakeoff.techniques.teachers import pin_extra, teaching_of

TRAINING = {"iterations": 6, "batch_size": 32, "validate_every": 3}


class Counting:
    """A teacher that counts how often it is asked; it says the labels' own class, mostly."""

    def __init__(self, answers: dict[bytes, int], classes: tuple[str, ...]) -> None:
        self.answers, self.classes, self.asked = answers, classes, 0

    def predict(self, items: Any) -> NDArray[np.float32]:
        self.asked += 1
        found = np.full((len(items), len(self.classes)), 0.01, np.float32)
        for row, item in enumerate(items):
            found[row, self.answers.get(item.tobytes(), 0)] = 0.91
        return found


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))


def recipe_of(technique: str, teacher: dict[str, Any] | None, **more: Any) -> Recipe:
    training = TRAINING if teacher is None else TRAINING | {"teacher": teacher}
    settings = find(technique).settings.parse({"training": training, **more})
    framework = getattr(settings, "framework", find(technique).framework)
    return Recipe(
        name="student",
        technique=technique,
        data=DataSettings(set="digits"),
        numerics=resolved(framework).model_copy(update={"precision": "float32"}),
        settings=settings,
    )


def learnt(recipe: Recipe, folder: Path, teacher: Any = None) -> NDArray[Any]:
    """The student's probabilities for validation examples."""
    data = Bench(find("mlp"), folder).data()
    inputs: dict[str, Predictor] = {} if teacher is None else {"big": teacher}
    fitted = find(recipe.technique).fit(
        cell_of(recipe), data, inputs, run_of(recipe, folder / "cell")
    )
    return fitted.predict(data.validation.items)


def teacher_for(folder: Path) -> Counting:
    data = Bench(find("mlp"), folder).data()
    pairs = zip(np.asarray(data.train.items), data.train.labels.tolist(), strict=True)
    return Counting({item.tobytes(): label for item, label in pairs}, tuple(data.task.classes))


SMALL_CNN = {"model": {"channels": [4]}}
WAYS = [
    ("cnn", {}),
    ("mlp", {}),
    ("mlp", {"framework": "torch"}),
    ("softmax", {}),
    ("scratch-cnn", SMALL_CNN),
    ("probe", {"classifier": {"name": "network-b", "hidden": [8]}}),
]


@pytest.mark.parametrize(("technique", "more"), WAYS)
def test_a_teacher_not_listened_to_changes_no_bit(
    technique: str, more: dict[str, Any], tmp_path: Path
) -> None:
    teacher = teacher_for(tmp_path)
    plain = learnt(recipe_of(technique, None, **more), tmp_path / "a")
    deaf = recipe_of(technique, {"recipe": "big", "alpha": 1.0}, **more)
    np.testing.assert_allclose(learnt(deaf, tmp_path / "b", teacher), plain, rtol=1e-5, atol=1e-7)
    heard = recipe_of(technique, {"recipe": "big", "alpha": 0.5}, **more)
    assert not np.allclose(learnt(heard, tmp_path / "c", teacher), plain, atol=1e-3)


@pytest.mark.parametrize(("technique", "more"), [("mlp", {}), ("softmax", {}), WAYS[4]])
def test_frameworks_learn_the_same(technique: str, more: dict[str, Any], tmp_path: Path) -> None:
    """Gradients by hand are autograd's."""
    for loss in ("kl", "logits"):
        teacher = {"recipe": "big", "alpha": 0.2, "loss": loss}
        own, theirs = (
            learnt(
                recipe_of(technique, teacher, framework=framework, **more),
                tmp_path / f"{framework}-{loss}",
                teacher_for(tmp_path),
            )
            for framework in ("numpy", "torch")
        )
        np.testing.assert_allclose(theirs, own, rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("cache")
def test_a_teacher_is_asked_once(tmp_path: Path) -> None:
    teacher: Any = teacher_for(tmp_path)
    data = Bench(find("mlp"), tmp_path).data()
    recipe = recipe_of("mlp", {"recipe": "big"})
    cell = replace(cell_of(recipe), inputs={"big": "0123456789abcdef"})
    settings = TeacherSettings(recipe="big")
    found = [
        teaching_of(settings, cell, data, {"big": teacher}, run_of(recipe, tmp_path / place))
        for place in ("a", "b")
    ]
    assert teacher.asked == 1
    assert found[0] is not None
    assert found[1] is not None
    assert same_bits(found[0].logits, found[1].logits)
    other = replace(cell, split_hash="another")
    teaching_of(settings, other, data, {"big": teacher}, run_of(recipe, tmp_path / "c"))
    assert teacher.asked == 2
    assert teaching_of(None, cell, data, {}, run_of(recipe, tmp_path / "d")) is None


def test_a_teacher_of_other_classes_is_refused(tmp_path: Path) -> None:
    recipe = recipe_of("mlp", {"recipe": "big"})
    for classes in (("a", "b"), tuple("abcdefghij")):
        with pytest.raises(InputError, match=r"training.teacher: 'big' tells a, b.* apart"):
            learnt(recipe, tmp_path, Counting({}, classes))


def test_blended_images_are_refused() -> None:
    technique = find("cnn")
    settings = technique.settings.parse(
        {"augmentation": {"mixup": 0.2}, "training": {"teacher": {"recipe": "big"}}}
    )
    with pytest.raises(
        InputError, match=r"augmentation\.mixup: 0\.2 received with training\.teacher"
    ):
        technique.check(settings, Offer((8, 8, 1), 100, {}))  # type: ignore[attr-defined]


WORDS = {"length": 6, "size": 60, "minimum_count": 1}
SMALL = {"words": WORDS, "model": {"embedding": 8, "hidden": 8, "dropout": 0.0}}


class Words:
    """A teacher of texts: those with `word` are of the first class, mostly."""

    def __init__(self, classes: tuple[str, ...], word: str = "") -> None:
        self.classes, self.word = classes, word
        self.asked: list[list[str]] = []

    def predict(self, items: Any) -> NDArray[np.float32]:
        self.asked.append(list(items))
        found = np.full((len(items), len(self.classes)), 0.01, np.float32)
        found[np.arange(len(items)), [int(self.word not in item) for item in items]] = 0.9
        return found


def student(
    folder: Path, teacher: dict[str, Any] | None, asked: Any = None, iterations: int = 6
) -> tuple[Any, Any]:
    """An `lstm` and its run on short texts."""
    recipe = recipe_of("lstm", teacher, **SMALL)
    training = {"iterations": iterations, "batch_size": 32, "learning_rate": 0.02}
    training["restore_best"] = False  # what is best, the labels say
    taught = {} if teacher is None else {"teacher": teacher}
    settings = find("lstm").settings.parse({**SMALL, "training": {**training, **taught}})
    recipe = recipe.model_copy(update={"settings": settings})
    run = run_of(recipe, folder / "cell")
    inputs = {} if asked is None else {"big": asked}
    data = texts_in(folder)
    return find("lstm").fit(cell_of(recipe), data, inputs, run), run


def texts_in(folder: Path) -> Any:
    folder.mkdir(exist_ok=True)
    return Bench(find("lstm"), folder).data()


def test_a_recurrent_student_listens_as_much_as_it_should(tmp_path: Path) -> None:
    data = texts_in(tmp_path)
    teacher, items = Words(tuple(data.task.classes), "warm"), data.validation.items
    plain, _ = student(tmp_path / "a", None)
    deaf, _ = student(tmp_path / "b", {"recipe": "big", "alpha": 1.0}, teacher)
    np.testing.assert_allclose(deaf.predict(items), plain.predict(items), rtol=1e-4, atol=1e-6)
    for loss in ("kl", "logits"):
        how = {"recipe": "big", "alpha": 0.0, "loss": loss, "temperature": 1.0}
        heard, _ = student(tmp_path / loss, how, teacher, iterations=80)
        says = heard.predict(items).argmax(axis=1)
        wanted = np.array([int("warm" not in text) for text in items])
        assert (says == wanted).mean() > 0.9, "what the teacher says, not the labels"
    assert teacher.asked[0] == list(data.train.items)


@pytest.mark.parametrize("technique", ["bag-of-words", "probe"])
def test_teachers_of_texts_are_any_that_classify(technique: str, tmp_path: Path) -> None:
    data = texts_in(tmp_path)
    inputs: dict[str, Predictor] = {}
    if technique == "probe":
        home = tmp_path / "weights"
        save_tiny(home, "bert")
        model = {"model": {"weights": str(home), "max_tokens": 8}}
        recipe = named("pretrained", model)
        inputs["encoder"] = find("pretrained").fit(
            cell_of(recipe), data, {}, run_of(recipe, tmp_path / "encoder")
        )
    recipe = named(technique, {"encoder": {"recipe": "encoder"}} if inputs else {})
    fitted = find(technique).fit(cell_of(recipe), data, inputs, run_of(recipe, tmp_path / "big"))
    found, run = student(tmp_path / "it", {"recipe": "big", "alpha": 0.3}, fitted, iterations=30)
    assert run.solve_seconds["teacher"] > 0
    scores = data.task.score(data.validation.labels, found.predict(data.validation.items))
    assert scores["accuracy"] > 0.7


def named(technique: str, settings: dict[str, Any]) -> Recipe:
    return Recipe(
        name=technique,
        technique=technique,
        data=DataSettings(set="digits"),
        numerics=resolved(find(technique).framework),
        settings=find(technique).settings.parse(settings),
    )


WEIGHTS = {"max_tokens": 12}
METHODS = ["head", "lora", "full"]


def fine_tuned(folder: Path, method: str, teacher: dict[str, Any] | None, asked: Any) -> Any:
    """A tiny encoder with a head, and its run, fitted on short texts."""
    if not (folder / "weights").exists():
        save_tiny(folder / "weights", "bert")
    training: dict[str, Any] = {"iterations": 60, "batch_size": 32}
    training["learning_rate"] = 0.05 if method == "head" else 0.003
    training |= {"restore_best": False} | ({"teacher": teacher} if teacher else {})
    model = WEIGHTS | {"weights": str(folder / "weights"), "dropout": 0.0}
    recipe = named("fine-tune", {"model": model, "adapt": {"method": method}, "training": training})
    inputs = {"big": asked} if teacher else {}
    run = run_of(recipe, folder / f"{method}-{teacher}-{len(list(folder.iterdir()))}")
    return find("fine-tune").fit(cell_of(recipe), texts_in(folder), inputs, run), run


@pytest.mark.parametrize("method", METHODS)
def test_a_fine_tuned_student_listens_as_much_as_it_should(method: str, tmp_path: Path) -> None:
    data = texts_in(tmp_path)
    teacher, items = Words(tuple(data.task.classes), "warm"), data.train.items
    plain, _ = fine_tuned(tmp_path, method, None, None)
    deaf, _ = fine_tuned(tmp_path, method, {"recipe": "big", "alpha": 1.0}, teacher)
    np.testing.assert_allclose(deaf.predict(items), plain.predict(items), rtol=1e-3, atol=1e-4)
    wanted = np.array([int("warm" not in text) for text in items])
    for loss in ("kl", "logits"):
        how = {"recipe": "big", "alpha": 0.0, "loss": loss, "temperature": 1.0}
        heard, run = fine_tuned(tmp_path, method, how, teacher)
        assert run.solve_seconds["teacher"] >= 0
        agree, before = (
            (found.predict(items).argmax(axis=1) == wanted).mean() for found in (heard, plain)
        )
        assert agree > max(0.75, before), "what the teacher says, not the labels"


def test_a_fine_tuned_student_learns_texts_without_labels(tmp_path: Path) -> None:
    file = tmp_path / "more.txt"
    file.write_text("he she they\n" * 60, encoding="utf-8")
    teacher = Words(tuple(texts_in(tmp_path).task.classes), "she")
    for method in METHODS:
        how = {"recipe": "big", "alpha": 0.1, "temperature": 1.0}
        without, _ = fine_tuned(tmp_path, method, how, teacher)
        found, run = fine_tuned(tmp_path, method, how | {"extra": str(file)}, teacher)
        assert found.predict(["he she they"])[0, 0] > without.predict(["he she they"])[0, 0] + 0.1
        assert "train/accuracy" not in run.rows[-1]


def test_where_nothing_learns_nobody_listens() -> None:
    content = {"adapt": {"method": "none"}, "training": {"teacher": {"recipe": "big"}}}
    for technique in ("fine-tune", "lora"):
        with pytest.raises(InputError, match=r"training\.teacher received with adapt\.method none"):
            find(technique).settings.parse(content)


TOKENS = {"name": "cnn", "widths": [1, 2], "filters": 16, "dropout": 0.0}


@pytest.mark.parametrize("classifier", [{"name": "softmax"}, TOKENS])
def test_probes_listen(classifier: dict[str, Any], tmp_path: Path) -> None:
    save_tiny(tmp_path / "weights", "bert")
    data = texts_in(tmp_path)
    encoder = named("pretrained", {"model": WEIGHTS | {"weights": str(tmp_path / "weights")}})
    teacher, items = Words(tuple(data.task.classes), "warm"), data.train.items
    inputs: dict[str, Predictor] = {"big": cast(Predictor, teacher)}
    inputs["encoder"] = find("pretrained").fit(
        cell_of(encoder), data, {}, run_of(encoder, tmp_path / "encoder")
    )
    training = {"epochs": 40, "optimizer": "adam", "restore_best": False}
    heard = named(
        "probe",
        {
            "encoder": {"recipe": "encoder"},
            "classifier": classifier,
            "training": training | {"teacher": {"recipe": "big", "alpha": 0.0}},
        },
    )
    found = find("probe").fit(cell_of(heard), data, inputs, run_of(heard, tmp_path / "heard"))
    wanted = np.array([int("warm" not in text) for text in items])
    assert (found.predict(items).argmax(axis=1) == wanted).mean() > 0.9


def test_thawed_layers_listen(tmp_path: Path) -> None:
    data, teacher = Bench(find("mlp"), tmp_path).data(), teacher_for(tmp_path)
    model = {"model": {"name": "mlp", "hidden": [12]}, "training": TRAINING}
    begun = find("cnn").fit(
        cell_of(named("cnn", model)), data, {}, run_of(named("cnn", model), tmp_path / "encoder")
    )
    found = []
    for alpha in (1.0, 0.0):
        recipe = named(
            "probe",
            {
                "encoder": {"recipe": "encoder"},
                "classifier": {"name": "network-b", "hidden": [8], "fine_tune": "all"},
                "training": TRAINING | {"teacher": {"recipe": "big", "alpha": alpha}},
            },
        )
        inputs: dict[str, Predictor] = {"encoder": begun, "big": cast(Predictor, teacher)}
        run = run_of(recipe, tmp_path / str(alpha))
        fitted = find("probe").fit(cell_of(recipe), data, inputs, run)
        found.append(fitted.predict(data.validation.items))
    assert not np.allclose(found[0], found[1], atol=1e-3)


@pytest.mark.parametrize(
    ("technique", "training", "told"),
    [
        ("probe", {"teacher": {"recipe": "big", "extra": "a.txt"}}, r"teacher\.extra received"),
        (
            "softmax",
            {"solver": "lbfgs", "teacher": {"recipe": "big"}},
            "lbfgs received with teacher:",
        ),
        (
            "probe",
            {"solver": "lbfgs", "teacher": {"recipe": "big"}},
            "lbfgs received with teacher:",
        ),
    ],
)
def test_what_has_no_place_for_a_teacher_says_so(
    technique: str, training: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        find(technique).settings.parse({"training": training})


def test_a_teacher_of_texts_of_other_classes_is_refused(tmp_path: Path) -> None:
    for classes in (("a", "b"), ("a", "b", "c")):
        with pytest.raises(InputError, match=r"training.teacher: 'big' tells a, b.* apart"):
            student(tmp_path, {"recipe": "big"}, Words(classes))


def test_texts_without_labels_are_learnt_from_the_teacher(tmp_path: Path) -> None:
    """A word that no training text holds is learnt from them alone."""
    file = tmp_path / "more.txt"
    file.write_text("\ufeff" + "wholly zebra\r\n\n  zebra again \n" * 60, encoding="utf-8")
    data = texts_in(tmp_path)
    teacher = Words(tuple(data.task.classes), "zebra")
    how = {"recipe": "big", "alpha": 0.5}
    without, _ = student(tmp_path / "a", how, teacher, iterations=40)
    found, run = student(tmp_path / "b", how | {"extra": str(file)}, teacher, iterations=40)
    assert teacher.asked[1] == [*data.train.items, *["wholly zebra", "zebra again"] * 60]
    assert found.predict(["a zebra"])[0].argmax() == 0
    assert without.predict(["a zebra"])[0, 0] < found.predict(["a zebra"])[0, 0] - 0.2
    assert any(
        f"120 texts of {file} (hash " in note and f"beside {len(data.train)} with" in note
        for note in run.notes
    )
    assert "train/accuracy" not in run.rows[-1], "they have no labels to be hit"


def test_the_hash_of_extra_texts_is_of_their_content(tmp_path: Path) -> None:
    file = tmp_path / "more.txt"
    file.write_text("one\ntwo\n", encoding="utf-8")
    settings = TeacherSettings.parse({"recipe": "big", "extra": str(file)})
    pinned = pin_extra(settings, "text")
    assert pinned.extra is not None
    assert pinned.extra.texts == str(file)
    assert pin_extra(pinned, "text") == pinned
    file.write_text("one\n\ntwo", encoding="utf-8")
    assert pin_extra(settings, "text") == pinned, "the same texts"
    file.write_text("two\none\n", encoding="utf-8")
    assert pin_extra(settings, "text") != pinned
    with pytest.raises(InputError, match=r"training\.teacher\.extra: .*more\.txt has changed"):
        pin_extra(pinned, "text")


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read"), (b" \n", "holds no text"), (b"caf\xe9", "not UTF-8")],
)
def test_extra_texts_that_cannot_be_read_are_refused(
    content: bytes | None, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "more.txt"
    if content is not None:
        file.write_bytes(content)
    settings = TeacherSettings.parse({"recipe": "big", "extra": str(file)})
    with pytest.raises(InputError, match=rf"training\.teacher\.extra: .*more\.txt: {told}"):
        pin_extra(settings, "text")


def test_extra_texts_beside_images_are_refused(tmp_path: Path) -> None:
    recipe = recipe_of("cnn", {"recipe": "big", "extra": "more.txt"})
    with pytest.raises(InputError, match=r"teacher\.extra: texts received for image data"):
        learnt(recipe, tmp_path, teacher_for(tmp_path))


def test_keys_say_the_device_where_it_is_no_cpu(tmp_path: Path) -> None:
    data, teacher = Bench(find("mlp"), tmp_path).data(), teacher_for(tmp_path)
    settings = TeacherSettings.parse({"recipe": "big"})

    def key(device: DeviceName) -> str | None:
        recipe = recipe_of("mlp", None).model_copy(update={"numerics": Numerics(device=device)})
        cell, run = replace(cell_of(recipe), inputs={"big": "0123456789abcdef"}), MemoryRun()
        teaching_of(settings, cell, data, {"big": cast(Predictor, teacher)}, run)
        return run.solved["teacher"]

    before = ["teacher outputs", "0123456789abcdef", "data", "split"]
    assert key("cpu") == digest(canonical_json(before))[:16]
    assert key("cuda") != key("cpu")


def test_a_framework_that_has_no_teachers_is_refused() -> None:
    from bakeoff.techniques.recipes import parse_recipe

    content = {
        "technique": "mlp",
        "framework": "keras",
        "data": {"set": "digits"},
        "training": {"teacher": {"recipe": "big"}},
    }
    with pytest.raises(InputError, match=r"training.teacher: received, .* none in keras"):
        parse_recipe(content)
