"""Figures of texts, by their definitions; the jackknife; files."""

import math
from pathlib import Path

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.language import LanguageModelling
from bakeoff.core.measures import measure_of
from bakeoff.core.table import Table

TASK = LanguageModelling()
WORDS = np.array([10.0, 40.0, np.nan, 5.0])
OUTPUTS = np.array([[30, 12, 55, 1], [100, 50, 210, 0.95], [7, 3, 14, 1.0], [0, 0, 25, 0]])
"""Of the last text no token was scored, of the second one was not."""


def table() -> Table:
    return TASK.table(np.array(["a", "b", "c", "d"]), WORDS, OUTPUTS, np.array([0, 0, 1, 1]))


def test_metrics_are_of_all_tokens_together() -> None:
    found = TASK.metrics(table())
    assert found == {
        "perplexity": math.exp(130 / 62),
        "word_perplexity": math.exp(130 / (10 + 38)),
        "byte_perplexity": math.exp(130 / (55 + 199.5)),
        "cross_entropy": 130 / 62,
    }
    assert TASK.score(WORDS, OUTPUTS) == found
    assert TASK.metrics(table().take(slice(2, 3))) == {}


def test_figures_that_are_too_large_are_left_out() -> None:
    """Of texts without spaces that per word; of a model that gives no numbers all."""
    outputs = np.array([[600.0, 200, 300, 1]])
    found = TASK.score(np.array([1.0]), outputs)
    assert found == {
        "perplexity": math.exp(3),
        "byte_perplexity": math.exp(2),
        "cross_entropy": 3.0,
    }
    assert TASK.score(np.array([1.0]), np.array([[np.inf, 200, 300, 1]])) == {}


def test_what_is_judged_is_the_logarithm() -> None:
    answers = TASK.answers(table())
    assert measure_of("perplexity").judged(math.exp(130 / 62)) == pytest.approx(130 / 62)
    assert TASK.value("perplexity", answers) == pytest.approx(math.exp(130 / 62))


@pytest.mark.parametrize("metric", list(TASK.directions))
def test_jackknife(metric: str) -> None:
    generator = np.random.default_rng(0)
    columns = {
        "truth": generator.integers(5, 50, 30).astype(float),
        "prediction": generator.uniform(10, 300, 30),
        "weight": generator.integers(5, 90, 30).astype(float),
        "bytes": generator.integers(25, 300, 30).astype(float),
        "covered": generator.uniform(0.5, 1, 30),
    }
    answers = Table(columns)
    values = TASK.example_values(metric, answers)
    judged = measure_of(metric).judged
    whole = -judged(TASK.value(metric, answers))
    for i in (0, 7, 29):
        rest = -judged(TASK.value(metric, answers.take(np.delete(np.arange(30), i))))
        assert values[i] == pytest.approx(30 * whole - 29 * rest)
    # As a standard error it is near that of the ratio by the delta method.
    unit = {"word_perplexity": "truth", "byte_perplexity": "bytes"}.get(metric, "weight")
    counts = columns[unit] * (columns["covered"] if unit != "weight" else 1)
    residuals = (columns["prediction"] + whole * counts) / counts.mean()
    assert values.std(ddof=1) == pytest.approx(residuals.std(ddof=1), rel=0.1)


def test_equal_texts_have_equal_values() -> None:
    same = Table(
        {"truth": np.full(4, 3.0), "prediction": np.full(4, 8.0), "weight": np.full(4, 2.0)}
    )
    np.testing.assert_allclose(TASK.example_values("perplexity", same), -4)


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_bytes(TASK.write(table()))
    header = path.read_text(encoding="utf-8").splitlines()[0]
    assert header == "id,target,nats,tokens,bytes,covered,group"
    back = TASK.read(path)
    for name, column in table().items():
        np.testing.assert_array_equal(back[name], column)
    assert TASK.reduced(back) is back
    path.write_text("id,target\na,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="missing columns nats, tokens"):
        TASK.read(path)
    path.write_text("id,target,nats,tokens\na,1,x,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a number"):
        TASK.read(path)


def test_files_of_earlier_versions_have_no_figures_per_byte(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("id,target,nats,tokens\na,4,12,6\nb,2,6,3\n", encoding="utf-8")
    back = TASK.read(path)
    assert set(TASK.metrics(back)) == {"perplexity", "word_perplexity", "cross_entropy"}
    assert TASK.write(back) == b"id,target,nats,tokens\na,4.0,12.0,6.0\nb,2.0,6.0,3.0\n"


def test_refused() -> None:
    answers = TASK.answers(table())
    with pytest.raises(InputError, match="unknown metric 'bleu'"):
        TASK.value("bleu", answers)
    with pytest.raises(InputError, match="at least 2 texts"):
        TASK.example_values("perplexity", answers.take(slice(0, 1)))
    with pytest.raises(InputError, match="at least one text"):
        TASK.value("perplexity", answers.take(slice(0, 0)))
