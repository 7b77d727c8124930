"""Distances while learning, as a figure."""

from pathlib import Path

import pytest
from tests.report.mapped import write_distances

from bakeoff.report.folder import read_folder
from bakeoff.report.separation import figure


def test_lines_within_and_between_classes(own_folder: Path) -> None:
    write_distances(own_folder, "plain")
    write_distances(own_folder, "swish")
    found = figure(read_folder(own_folder))
    assert found is not None
    assert [(t["name"], t["line"]["dash"]) for t in found.traces] == [
        ("plain", "solid"), ("plain", "dash"), ("swish", "solid"), ("swish", "dash"),
    ]  # fmt: skip
    assert list(found.columns["0/positive/y"][:2]) == pytest.approx([1, 0.5])
    assert set(found.columns["0/negative/y"]) == {1.25}
    assert found.columns["0/positive/x"][0] == 211
    assert "between classes 1.25" in found.summary
    assert [option.label for option in found.controls[-1].options] == ["plain", "swish"]
    assert len(found.tables[0].rows) == 4


def test_one_recipe_has_a_key(own_folder: Path) -> None:
    write_distances(own_folder, "plain")
    found = figure(read_folder(own_folder))
    assert found is not None
    assert [key.text for key in found.keys] == ["within a class", "between classes", "plain"]


def test_without_distances_there_is_no_figure(run_folder: Path) -> None:
    assert figure(read_folder(run_folder)) is None
