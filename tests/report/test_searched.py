"""What was tried on validation: its table, and its figure."""

from pathlib import Path
from typing import Any

import pytest
from tests.study.tiny import run, study

from bakeoff.report import searched
from bakeoff.report.results import parse
from bakeoff.report.words import Metric
from bakeoff.study.run import Finished

RATES = [1e-9, 0.5, 1e9]
"""The last one diverges."""


def finished(out: Path, **grid: Any) -> Finished:
    return run(out, study(search={"grid": {"training.learning_rate": RATES} | grid}))


def test_every_combination_has_a_row_and_the_chosen_one_a_mark(tmp_path: Path) -> None:
    done = finished(tmp_path)
    table = searched.table(parse(done.results))
    assert table is not None
    assert [row[1].text for row in table.rows] == [f"training.learning_rate {r}" for r in RATES]
    assert [row[4].text for row in table.rows] == ["", "yes", ""]
    assert table.rows[2][2].text == "diverged"
    page = done.report.read_text()
    assert "Chosen on validation" in page
    assert "training.learning_rate 0.5" in page
    assert "Time to choose settings" in page


def test_scores_are_drawn_against_what_was_tried(tmp_path: Path) -> None:
    done = finished(tmp_path)
    figure = searched.figure(parse(done.results))
    assert figure is not None
    means = [t["mean"] for t in done.results["recipes"]["softmax"]["search"]["trials"]]
    key = "1/training.learning_rate"
    assert figure.columns[f"{key}/x"] == RATES[:2]
    assert figure.columns[f"{key}/y"] == [100 * mean for mean in means[:2]]
    assert figure.columns[f"{key}/x/at"] == [0.5]
    axis = figure.layout["xaxis"]["of"]["training.learning_rate"]
    assert axis["type"] == "log"
    assert figure.fixed == {"field": "training.learning_rate"}


def test_of_several_fields_one_is_chosen_and_each_value_shows_its_best(tmp_path: Path) -> None:
    content = finished(tmp_path, **{"training.batch_size": [32, 64]}).results
    figure = searched.figure(parse(content))
    assert figure is not None
    fields = ["training.learning_rate", "training.batch_size"]
    assert [option.value for option in figure.controls[0].options] == fields
    trials = content["recipes"]["softmax"]["search"]["trials"]
    best = max(
        t["mean"]
        for t in trials
        if t["values"]["training.batch_size"] == 32 and t["mean"] is not None
    )
    assert figure.columns["1/training.batch_size/y"][0] == 100 * best
    assert figure.layout["xaxis"]["of"]["training.batch_size"]["type"] == "linear"


@pytest.mark.parametrize(
    ("metric", "means", "kind"),
    [
        ("validation/perplexity", [18.0, 1870.0], "log"),
        ("validation/perplexity", [18.0, 21.0], "linear"),
        ("validation/accuracy", [0.1, 0.9], "linear"),
        ("validation/unheard_of", [1.0, 90.0], "linear"),
        ("validation/perplexity", [], "linear"),
    ],
)
def test_scores_that_differ_by_factors_stand_far_apart(
    metric: str, means: list[float], kind: str
) -> None:
    axis = searched._score_axis(Metric(metric), means)
    assert axis["type"] == kind
    assert axis["title"]["text"]


def test_what_is_no_number_stands_in_the_table_alone(tmp_path: Path) -> None:
    given = study(
        variants={"mlp": {"technique": "mlp", "training": {"epochs": 1}}},
        search={"grid": {"model.hidden": [[4], [8]]}},
    )
    done = run(tmp_path, given)
    assert searched.figure(parse(done.results)) is None
    table = searched.table(parse(done.results))
    assert table is not None
    assert [row[1].text for row in table.rows] == ["model.hidden [4]", "model.hidden [8]"]
    assert "model.hidden [4]" in done.report.read_text()


def test_without_a_search_there_is_neither(tmp_path: Path) -> None:
    done = run(tmp_path, study())
    results = parse(done.results)
    assert searched.table(results) is None
    assert searched.figure(results) is None
    page = done.report.read_text()
    assert "Chosen on validation" not in page
    assert "Time to choose settings" not in page
