"""A run of regressions leaves what its report draws; the report shows it and verify agrees."""

import json

import pytest

from bakeoff.study.run import Finished
from bakeoff.study.study import Study, load_study
from bakeoff.study.verify import verify


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    study: Study = load_study("lms-vs-wiener", {"seeds": [0, 1, 2]})
    variants = {name: study.variants[name] for name in ("lms-0.01", "lms-1", "mean")}
    small = study.model_copy(update={"variants": variants})
    return small.run(tmp_path_factory.mktemp("run") / "out")


def test_the_study_ends_whatever_diverges(finished: Finished) -> None:
    assert not finished.failures
    recipes = finished.results["recipes"]
    assert recipes["lms-1"]["statuses"] == ["diverged"] * 3
    assert recipes["lms-0.01"]["statuses"] == ["done"] * 3
    name = "test/mean_squared_error"
    assert recipes["lms-1"]["metrics"][name] == recipes["mean"]["metrics"][name]
    outcomes = {v["a"]: v["outcome"] for v in finished.results["verdicts"] if v["metric"] == name}
    assert outcomes == {"lms-0.01": "equivalent", "lms-1": "worse", "mean": "worse"}


def test_other_metrics_get_intervals_alone(finished: Finished) -> None:
    for metric in ("test/mean_absolute_error", "test/r2"):
        rows = [v for v in finished.results["verdicts"] if v["metric"] == metric]
        assert len(rows) == 3
        assert all(row["ci95"] and row["outcome"] == "undecided" for row in rows)


def test_what_the_report_draws_is_there(finished: Finished) -> None:
    content = json.loads((finished.folder / "artifacts" / "fits.json").read_text(encoding="utf-8"))
    assert set(content["recipes"]) == {"wiener", "lms-0.01", "lms-1", "mean"}
    diverged = content["recipes"]["lms-1"]
    assert "above 2 / largest eigenvalue" in diverged["notes"][0]
    assert diverged["epoch"]["overflow_at"] > 0
    assert "epoch" not in content["recipes"]["wiener"]


def test_every_number_is_recomputed(finished: Finished) -> None:
    found = verify(finished.folder)
    assert found.ok, found.faults
    assert found.counts["recomputed"] == 4 * 3 * 6


def test_the_page_shows_fits_and_no_mistakes(finished: Finished) -> None:
    page = finished.report.read_text(encoding="utf-8")
    assert 'id="fits"' in page
    assert 'id="mistakes"' not in page
    assert 'id="disagreements"' not in page
    assert "overflowed in its first epoch" in page
