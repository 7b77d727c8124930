"""Errors to read: which texts, in which order, inert; scores by length and class."""

import json
from pathlib import Path

import numpy as np

from bakeoff.analysis.texts import EXCERPT, MISTAKES, Answers, excerpt, surest_mistakes, write_texts
from bakeoff.core.examples import Examples

CLASSES = ["bad", "good"]
TEXTS = [*(f"text {i} " + "word " * i for i in range(7)), "<b>bold</b>\x00 & <script>x</script>"]
LABELS = np.array([0, 1, 0, 1, 0, 1, 0, 1])
SCORED = Examples(TEXTS, LABELS, np.array([f"t{i}" for i in range(8)]))


def answers(*sure: float) -> Answers:
    """One seed; `sure` is the probability of `good`."""
    good = np.array(sure, np.float32)
    probabilities = np.stack([1 - good, good], axis=1)[None]
    return Answers(probabilities.argmax(axis=2), probabilities)


RIGHT = answers(0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9)
SOME = answers(0.1, 0.4, 0.1, 0.9, 0.8, 0.9, 0.95, 0.02)


def test_the_surest_mistakes_come_first_and_are_inert() -> None:
    found = surest_mistakes(SCORED, CLASSES, SOME)
    assert [row["id"] for row in found] == ["t7", "t6", "t4", "t1"]
    assert found[0]["label"] == "good"
    assert found[0]["prediction"] == "bad"
    assert found[0]["probability"] == 0.98
    assert found[0]["text"] == "<b>bold</b>\\x00 & <script>x</script>"
    assert surest_mistakes(SCORED, CLASSES, RIGHT) == []
    many = surest_mistakes(SCORED, CLASSES, answers(*(1 - LABELS).tolist()))
    assert [row["id"] for row in many] == [f"t{i}" for i in range(MISTAKES)], "equals by place"


def test_seeds_are_averaged() -> None:
    first, second = answers(*[0.1] * 8), answers(*[0.8] * 8)
    both = Answers(
        np.concatenate([first.predictions, second.predictions]),
        np.concatenate([first.probabilities, second.probabilities]),
    )
    assert {row["label"] for row in surest_mistakes(SCORED, CLASSES, both)} == {"good"}


def test_excerpts_keep_both_ends_and_stay_short() -> None:
    assert excerpt("one\n two\u202e") == "one two\\u202e"
    long = "begin " + "x" * 2_000_000 + " end"
    cut = excerpt(long)
    assert cut.startswith("begin")
    assert cut.endswith("end")
    assert len(cut) <= EXCERPT + 3


def test_scores_by_length_and_class(tmp_path: Path) -> None:
    recipes = {"plain": RIGHT, "other": SOME}
    write_texts(tmp_path, SCORED, CLASSES, recipes)
    content = json.loads((tmp_path / "texts.json").read_text())
    assert set(content["mistakes"]) == {"plain", "other"}
    slices = content["slices"]
    kinds = [row["by"] for row in slices]
    assert kinds == ["length"] * 4 + ["class"] * 2
    for kind in ("length", "class"):
        assert sum(row["count"] for row in slices if row["by"] == kind) == 8
    bad = next(row for row in slices if row["name"] == "bad")
    assert bad["scores"] == {"plain": 1.0, "other": 0.5}
    assert slices[0]["name"] == "2 to 3 words"


def test_texts_of_one_length_are_one_group(tmp_path: Path) -> None:
    same = Examples(["a b"] * 8, LABELS, SCORED.ids)
    write_texts(tmp_path, same, CLASSES, {"plain": RIGHT})
    slices = json.loads((tmp_path / "texts.json").read_text())["slices"]
    assert [row["name"] for row in slices] == ["2 words", "bad", "good"]
