"""The table of what was tried on validation."""

from pathlib import Path

from tests.study.tiny import run, study

from bakeoff.report import searched
from bakeoff.report.results import parse


def test_every_combination_has_a_row_and_the_chosen_one_a_mark(tmp_path: Path) -> None:
    rates = [1e-9, 0.5, 1e9]
    search = {"grid": {"training.learning_rate": rates}}
    finished = run(tmp_path, study(search=search))
    table = searched.table(parse(finished.results))
    assert table is not None
    assert [row[1].text for row in table.rows] == [f"training.learning_rate {r}" for r in rates]
    assert [row[4].text for row in table.rows] == ["", "yes", ""]
    assert table.rows[2][2].text == "diverged"
    page = finished.report.read_text()
    assert "Chosen on validation" in page
    assert "training.learning_rate 0.5" in page
    assert "Time to choose settings" in page


def test_without_a_search_there_is_no_table(tmp_path: Path) -> None:
    finished = run(tmp_path, study())
    assert searched.table(parse(finished.results)) is None
    page = finished.report.read_text()
    assert "Chosen on validation" not in page
    assert "Time to choose settings" not in page
