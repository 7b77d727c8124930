"""What a teacher says, as a student takes it."""

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import Ref, references, renamed
from bakeoff.core.softmax import softmax
from bakeoff.core.teaching import TeacherSettings, Teaching, centred_logits

LOGITS = np.random.default_rng(0).normal(0, 3, (5, 4)).astype(np.float32)


def test_logits_are_told_by_probabilities_up_to_their_mean() -> None:
    found = centred_logits(softmax(LOGITS.copy()), 4, "teacher")
    np.testing.assert_allclose(found, LOGITS - LOGITS.mean(1, keepdims=True), atol=1e-5)
    assert found.dtype == np.float32
    certain = centred_logits(np.array([[1.0, 0.0]], np.float32), 2, "teacher")
    assert np.isfinite(certain).all()


def test_targets() -> None:
    teaching = Teaching(TeacherSettings(recipe="t", temperature=2.0), LOGITS)
    rows = np.array([3, 1])
    np.testing.assert_allclose(teaching.targets(rows), softmax(LOGITS[rows] / 2), rtol=1e-6)
    of_logits = Teaching(TeacherSettings(recipe="t", loss="logits"), LOGITS)
    np.testing.assert_array_equal(of_logits.targets(rows), LOGITS[rows])


def test_zeros_do_not_swamp_the_loss_of_logits() -> None:
    """Of a vote; rows without zeros, however certain, keep their bits."""
    votes = np.array([[1, 0, 0, 0], [0.6, 0.4, 0, 0], [1 - 3e-30, 1e-30, 1e-30, 1e-30]], np.float32)
    logits = centred_logits(votes, 4, "knn")
    assert logits[0, 0] - logits[0, 1] > 80
    rows = np.array([1, 0, 2])
    found = Teaching(TeacherSettings(recipe="knn", loss="logits"), logits).targets(rows)
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(found[1, 0] - found[1, 1:], np.log(1 / 1e-4), rtol=1e-5)
    expected = np.log([0.6 / 0.4, 0.4 / 1e-4, 1])
    np.testing.assert_allclose(-np.diff(found[0]), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found[2], logits[2])
    soft = Teaching(TeacherSettings(recipe="knn", temperature=1.0), logits).targets(rows)
    np.testing.assert_allclose(soft, votes[rows], atol=1e-6)


def test_extra_texts_come_last_and_a_file_alone_names_them() -> None:
    settings = TeacherSettings.parse({"recipe": "t", "extra": "more.txt"})
    assert settings == TeacherSettings.parse({"recipe": "t", "extra": {"texts": "more.txt"}})
    assert "extra" not in TeacherSettings(recipe="t").model_dump(), "keys stay as they were"
    teaching = Teaching(settings, LOGITS, ("one", "two"))
    assert teaching.labelled == len(LOGITS) - 2


def test_a_teacher_of_other_classes_is_refused() -> None:
    with pytest.raises(InputError, match="'big' tells 4 classes apart, the student 3"):
        centred_logits(softmax(LOGITS.copy()), 3, "big")
    with pytest.raises(InputError, match="no classes"):
        centred_logits(np.zeros(5), 3, "big")


def test_it_is_a_reference() -> None:
    """So the teacher is fitted before, and its name is no part of a cell's key."""
    teacher = TeacherSettings(recipe="big")
    assert list(references(teacher)) == [teacher]
    content = {"training": {"teacher": teacher.model_dump()}}
    other = renamed(content, {"big": "key"})["training"]["teacher"]
    assert other == {**teacher.model_dump(), "recipe": "key"}
    assert renamed({"encoder": Ref(recipe="x").model_dump()}, {})["encoder"]["recipe"] == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0},
        {"alpha": 1.5},
        {"loss": "mse"},
        {"temprature": 1},
        {"extra": 3},
        {"extra": {"text": "more.txt"}},
        {"alpha": 1, "extra": "more.txt"},
    ],
)
def test_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        TeacherSettings.parse({"recipe": "big", **wrong})
