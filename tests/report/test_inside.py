"""What the units do, as a figure; and the words above it."""

import json
from pathlib import Path

import pytest
from tests.report.opened import write_opened
from tests.report.reading import Page

from bakeoff import report
from bakeoff.report.folder import RunFolder, read_folder
from bakeoff.report.inside import MOST_RECIPES, lead, read, units


@pytest.fixture
def opened(own_folder: Path) -> RunFolder:
    write_opened(own_folder)
    return read_folder(own_folder)


def test_recipes_come_in_the_order_of_the_results(opened: RunFolder) -> None:
    _, seen = read(opened)
    assert [one.recipe.name for one in seen] == ["plain", "batch-norm", "swish", "softmax"]
    assert list(seen[0].layers("end", "weights")) == ["conv", "hidden", "output"]


def test_the_lead_says_what_was_looked_at(opened: RunFolder) -> None:
    said = lead(opened)
    assert "the first 4 of 5 recipes, of the first seed alone" in said
    assert "128 training examples" in said
    assert "256 validation examples" in said
    assert "No test data were read." in said


def test_units(opened: RunFolder) -> None:
    figure = units(opened)
    assert figure is not None
    measure, recipes = figure.controls
    assert [option.value for option in measure.options] == ["dead", "zero", "saturated"]
    assert measure.value == "dead"
    assert [option.label for option in recipes.options] == ["plain", "batch-norm", "swish"]
    assert all(option.ticked for option in recipes.options)
    assert figure.columns["0/dead/end/y"] == [5, 5]  # the square root of 25 %
    assert figure.columns["0/dead/end/told"][1] == "behind hidden: 25 %"
    assert "1/dead/end/y" not in figure.columns
    assert "2/dead/end/y" not in figure.columns  # it has no end
    assert figure.layout["xaxis"]["ticktext"] == ["conv", "hidden"]
    assert "plain at the end: conv 25 %, hidden 25 %" in figure.summary
    assert "0.975" in figure.note
    drawn = {(trace["group"], tuple(trace["when"]["measure"])) for trace in figure.traces}
    assert drawn == {
        ("0", ("dead",)), ("0", ("zero",)), ("1", ("saturated",)), ("2", ("dead",)),
        ("2", ("zero",)),
    }  # fmt: skip


def test_every_share_is_in_the_table(opened: RunFolder) -> None:
    figure = units(opened)
    assert figure is not None
    rows = [[cell.text for cell in row] for row in figure.tables[0].rows]
    assert ["plain", "conv", "Dead units (ReLU)", "0", "25"] in rows
    assert ["batch-norm", "hidden", "Saturated outputs (tanh, sigmoid)", "–", "50"] in rows


def test_the_page_has_the_section(opened: RunFolder) -> None:
    html = report.page(opened.path).decode()
    page = Page(html)
    assert page.faults == []
    assert 'id="inside"' in html
    assert '<a href="#inside">Inside the networks</a>' in html
    assert html == report.page(opened.path).decode()
    assert len(html) < 3_000_000


def test_pages_without_it_have_none(html: bytes) -> None:
    assert b'id="inside"' not in html
    assert b"Inside the networks" not in html


def test_markup_in_names_is_shown_as_it_is(opened: RunFolder) -> None:
    path = opened.path / "artifacts" / "inside" / "inside.json"
    text = path.read_text(encoding="utf-8").replace('"conv"', '"<img src=x onerror=alert(1)>"')
    path.write_text(text, encoding="utf-8")
    html = report.page(opened.path).decode()
    assert "<img src=x" not in html
    assert Page(html).faults == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"recipes": {"plain": 3}}',
        '{"recipes": {"plain": {"start": {"weights": {"a": 1}, "activations": [3, {"zero": "x"}]}'
        "}}}",
        '{"recipes": {"plain": {"start": {"weights": {"a": {"counts": [1]}}}}}, "weight_limits": '
        '{"a": -1}, "gradient_decades": [0, 1]}',
        '{"recipes": {"plain": {"pictures": {"filters_end": {"file": "../../results.json"}}}}}',
    ],
)
def test_what_cannot_be_read_leaves_a_gap(opened: RunFolder, text: str) -> None:
    (opened.path / "artifacts" / "inside" / "inside.json").write_text(text, encoding="utf-8")
    assert units(opened) is None
    assert b'id="inside"' not in report.page(opened.path)


def test_more_recipes_than_fit_are_left_out(opened: RunFolder) -> None:
    path = opened.path / "artifacts" / "inside" / "inside.json"
    content = json.loads(path.read_bytes())
    assert len(content["recipes"]) < MOST_RECIPES
    content["recipes"] |= {f"unknown-{i}": content["recipes"]["plain"] for i in range(20)}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert len(read(opened)[1]) == 4  # those that have results
