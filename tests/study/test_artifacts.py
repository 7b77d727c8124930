"""A run leaves what its report draws, made once; the report shows it and verify agrees."""

import json
from pathlib import Path

import pytest
from tests.contracts.small import corpus
from tests.study.tiny import run, study

from bakeoff.study import artifacts
from bakeoff.study.plan import read_plan
from bakeoff.study.prepare import prepare
from bakeoff.study.run import Finished
from bakeoff.study.study import Study, load_study
from bakeoff.study.verify import verify


def given() -> Study:
    whole = load_study("lms-vs-wiener", {"seeds": [0, 1, 2]})
    variants = {name: whole.variants[name] for name in ("lms-0.01", "lms-1", "mean")}
    return whole.model_copy(update={"variants": variants})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return given().run(tmp_path_factory.mktemp("run") / "out")


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


def test_fits_that_are_there_are_not_made_again(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = finished.folder / "artifacts" / "fits.json"
    before = path.read_bytes()
    ready = prepare(given(), before=read_plan(finished.folder))

    def refuse(*_: object) -> None:
        raise AssertionError("made again")

    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "_fit", refuse)
        artifacts.write_artifacts(ready, finished.folder)
    assert path.read_bytes() == before
    old = {name: value for name, value in json.loads(before).items() if name != "about"}
    for other in (old, json.loads(before) | {"about": {"version": 1, "keys": {}}}):
        path.write_text(json.dumps(other))
        artifacts.write_artifacts(ready, finished.folder)
        assert path.read_bytes() == before


def test_language_models_write_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus(tmp_path)
    model = {
        "technique": "language-model",
        "data": {"labels": 60},
        "model": {"layers": 1, "width": 16, "heads": 2},
        "blocks": {"tokens": 16},
        "scoring": {"context": 16, "stride": 8},
        "training": {"iterations": 2, "validate_every": 2},
        "samples": {"count": 2, "words": 2, "generation": {"max_tokens": 4}},
    }
    made = study(
        dataset={"corpus": str(tmp_path / "texts.txt"), "words": 40},
        metric="test/perplexity",
        control=model,
        variants={"more": {"training.iterations": 4}},
    )
    out = tmp_path / "run"
    page = run(out, made).report.read_bytes()
    assert b"What language-model writes" in page
    path = out / "artifacts" / "writing.json"
    before = path.read_bytes()
    assert set(json.loads(before)["recipes"]) == {"language-model", "more"}

    def refuse(*_: object) -> None:
        raise AssertionError("loaded again")

    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "load_again", refuse)
        again = run(out, made)
    assert path.read_bytes() == before
    assert again.report.read_bytes() == page
    path.unlink()
    run(out, made)
    assert path.read_bytes() == before
