"""Numbers as people read them."""

import pytest
from scipy import stats

from bakeoff.report import words
from bakeoff.report.words import MINUS, THIN, Metric


def test_shares_are_percent_and_their_differences_points() -> None:
    metric = Metric("test/accuracy")
    assert metric.words == "test accuracy"
    assert metric.score(0.91234) == f"91.23{THIN}%"
    assert metric.difference(0.0142) == "+1.42"
    assert metric.difference(-0.0142) == f"{MINUS}1.42"
    assert metric.difference(0.0) == "0.00"
    assert metric.difference(-0.000001) == "0.00"
    assert metric.amount(-0.005) == "0.50 points"
    assert metric.in_points == " (points)"
    assert metric.range((-0.001, 0.02), signs=True) == f"{MINUS}0.10 to +2.00"
    assert metric.axis == "test accuracy (%)"


def test_other_metrics_stay_as_they_are() -> None:
    metric = Metric("validation/log_loss")
    assert metric.words == "validation log loss"
    assert metric.score(0.31416) == "0.3142"
    assert metric.amount(1.5) == "1.500"
    assert metric.amount(0.0) == "0"
    assert metric.in_points == ""
    for logarithmic in ("perplexity", "byte_perplexity", "cross_entropy"):
        assert Metric(f"test/{logarithmic}").amount(0.01) == "0.0100 nats"
        assert Metric(f"test/{logarithmic}").in_points == " (nats)"
    assert Metric("test/matthews_corrcoef").word == "Matthews correlation"


def test_missing_numbers_are_a_dash() -> None:
    metric = Metric("test/accuracy")
    for shown in (metric.score(None), metric.difference(None), metric.range(None)):
        assert shown == words.MISSING
    for write in (words.count, words.big, words.size, words.duration, words.ratio):
        assert write(None) == words.MISSING
    assert words.probability(None) == words.MISSING


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0421, "4.2 points"),
        (0.0094, "0.94 points"),
        (0.1234, "12.3 points"),
        (0.001, "0.10 points"),
    ],
)
def test_headlines_round(value: float, shown: str) -> None:
    assert Metric("test/accuracy").rounded(value) == shown


def test_durations_keep_numbers_beside_their_units() -> None:
    assert words.duration(164.0) == f"2{THIN}min 44{THIN}s"
    assert words.duration(200_000) == f"2{THIN}d 7{THIN}h"


def test_large_numbers() -> None:
    assert words.big(62_006) == f"62.0{THIN}k"
    assert words.big(3_400_000) == f"3.40{THIN}M"
    assert words.big(0) == "0"
    assert words.size(210_000_000) == f"200{THIN}MiB"
    assert words.count(60_000) == f"60{THIN}000"
    assert words.plural(1, "seed") == "1 seed"
    assert words.plural(5, "seed") == "5 seeds"


def test_probabilities_and_ratios() -> None:
    assert words.probability(0.00001) == f"<{THIN}0.0001"
    assert words.probability(0.0123) == "0.012"
    assert words.probability(0.421) == "0.42"
    assert words.ratio(7.83) == "7.8×"
    assert words.ratio(0.0618) == "0.062×"
    assert words.ratio(23.4) == "23×"


def test_lists_and_names() -> None:
    assert words.joined([]) == ""
    assert words.joined(["a"]) == "a"
    assert words.joined(["a", "b", "c"]) == "a, b and c"
    assert words.joined(["a", "b"], "or") == "a or b"
    assert words.cut("short") == "short"
    assert len(words.cut("x" * 50)) == 28
    assert words.first_upper("cannot") == "Cannot"


@pytest.mark.parametrize("freedom", [*range(1, 41), 60, 120, 1000])
def test_quantiles_are_students(freedom: int) -> None:
    expected = float(stats.t.isf(0.025, freedom))
    assert words.t_quantile(freedom) == pytest.approx(expected, rel=1e-6)


def test_no_freedom_no_quantile() -> None:
    assert words.t_quantile(0) != words.t_quantile(0)
