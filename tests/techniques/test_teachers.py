"""Students beside teachers: what is asked of whom, and how often."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.contracts.small import Bench, cell_of, resolved, run_of, same_bits

from bakeoff.core.errors import InputError
from bakeoff.core.protocols import Predictor
from bakeoff.core.recipe import DataSettings, Recipe
from bakeoff.core.teaching import TeacherSettings
from bakeoff.techniques import find
from bakeoff.techniques.teachers import teaching_of

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
        numerics=resolved(framework),
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


WAYS = [("cnn", {}), ("mlp", {}), ("mlp", {"framework": "torch"})]


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


def test_frameworks_learn_the_same(tmp_path: Path) -> None:
    for loss in ("kl", "logits"):
        teacher = {"recipe": "big", "alpha": 0.2, "loss": loss}
        own, theirs = (
            learnt(
                recipe_of("mlp", teacher, framework=framework),
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
        technique.check(settings, (8, 8, 1), 100)  # type: ignore[attr-defined]


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
