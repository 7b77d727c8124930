"""What is known of metrics."""

import numpy as np
import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.measures import MEASURES, directions, heading, in_words, measure_of, scale_of
from bakeoff.core.tasks import TASKS


def test_exactly_the_metrics_of_the_tasks_are_known() -> None:
    assert list(MEASURES) == [name for task in TASKS.values() for name in task.directions]


@pytest.mark.parametrize(
    ("metric", "ends"),
    [
        ("test/accuracy", (0, 1)),
        ("matthews_corrcoef", (-1, 1)),
        ("fold/log_loss", (0, np.inf)),
        ("r2", (-np.inf, 1)),
        ("mean_squared_error", (0, np.inf)),
        ("test/perplexity", (0, np.inf)),
    ],
)
def test_what_a_metric_can_be(metric: str, ends: tuple[float, float]) -> None:
    assert measure_of(metric).range == ends


def test_differences_of_perplexities_are_of_their_logarithms() -> None:
    assert measure_of("test/perplexity").judged(np.e) == pytest.approx(1)
    assert measure_of("test/perplexity").told(1.0) == pytest.approx(np.e)
    assert measure_of("test/perplexity").told(1000.0) == np.inf
    for metric in ("accuracy", "cross_entropy", "r2"):
        assert measure_of(metric).judged(-0.3) == measure_of(metric).told(-0.3) == -0.3


def test_which_way_is_better() -> None:
    assert directions("r2", "log_loss") == {"r2": "max", "log_loss": "min"}
    assert measure_of("test/mean_absolute_error").direction == "min"
    with pytest.raises(InputError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        measure_of("test/acuracy")


def test_figures_of_texts_are_told_with_their_protocol() -> None:
    protocol = "context=512,stride=256"
    assert in_words("test/perplexity", protocol) == f"test perplexity[token,{protocol}]"
    assert in_words("cross_entropy", protocol) == f"nats[token,{protocol}]"
    assert heading("test/word_perplexity", protocol) == f"test/perplexity[word,{protocol}]"
    assert heading("byte_perplexity", protocol) == f"perplexity[byte,{protocol}]"
    for metric in ("test/accuracy", "test/top_5"):
        assert heading(metric, protocol) == metric
        assert in_words(metric, protocol) == in_words(metric)
    assert heading("test/perplexity", "") == "test/perplexity"


def test_words_and_scale() -> None:
    assert in_words("test/f1_macro") == "test macro F1"
    assert in_words("fold/accuracy") == "cross-validated accuracy"
    assert in_words("log_loss") == "log loss"
    assert [scale_of(name) for name in ("test/accuracy", "perplexity", "r2")] == [
        *("share", "factor", "plain"),
    ]


def test_a_metric_that_no_task_knows_is_told_by_its_name() -> None:
    assert in_words("test/top_5") == "test top 5"
    assert scale_of("test/top_5") == "plain"
