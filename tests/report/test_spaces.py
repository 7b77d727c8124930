"""Maps of vectors as figures, their tables, neighbours; and what happens where files are odd."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.report.mapped import COUNT, TRAIN, write_mapped

from bakeoff import report
from bakeoff.report.folder import RunFolder, read_folder
from bakeoff.report.spaces import figures, lead, read, strips, table


@pytest.fixture
def mapped(own_folder: Path) -> RunFolder:
    write_mapped(own_folder)
    return read_folder(own_folder)


def test_a_panel_for_each_encoder_that_has_a_map(mapped: RunFolder) -> None:
    figure = figures(mapped)["space-maps"]
    assert figure is not None
    method, colour = figure.controls
    assert [option.label for option in method.options] == ["t-SNE", "PCA"]
    assert [option.value for option in colour.options] == ["label", "error", "part"]
    titles = [note["text"] for note in figure.layout["annotations"]]
    assert titles == ["<b>plain</b>", "<b>swish</b>"]
    by_label = [t for t in figure.traces if t["when"]["colour"] == ["label"]]
    assert [t["name"] for t in by_label[:3]] == ["T-shirt", "Trouser", "Pullover"]
    for colouring in ("label", "error", "part"):
        for panel in (0, 1):
            drawn = [k for k in figure.columns if k.startswith(f"{panel}/{colouring}/")]
            points = [i for k in drawn if k.endswith("/points") for i in figure.columns[k]]
            assert sorted(points) == list(range(COUNT))
    assert figure.columns["1/error/2/points"] == [], "swish makes no mistake"
    assert "mean nothing" in figure.note
    assert "perplexity 19.6667" in figure.note, "of 60 points"
    assert "plain, trustworthiness of t-SNE 0.9" in figure.summary


def test_what_a_point_shows(mapped: RunFolder) -> None:
    figure = figures(mapped)["space-maps"]
    assert figure is not None
    peek = figure.spec()["peek"]
    assert peek["sheet"].startswith("data:image/png;base64,")
    assert peek["told"][0] == "T-shirt, training"
    assert peek["told"][TRAIN] == "Trouser, validation"
    assert figure.columns["guess/0"][7] == "T-shirt"


def test_measures_are_in_the_table(mapped: RunFolder) -> None:
    figure = figures(mapped)["space-maps"]
    assert figure is not None
    rows = {row[0].text: [cell.text for cell in row] for row in figure.tables[0].rows}
    assert rows["plain"][1] == "6"
    assert rows["plain"][-1] == "no"
    assert rows["softmax"][-1] == "one point: it has collapsed"
    assert len(figure.tables[0].header) == len(rows["plain"])


def test_encoders_that_all_collapsed_are_told(own_folder: Path) -> None:
    """There is no map, but the table says why."""
    write_mapped(own_folder)
    path = own_folder / "artifacts/spaces/spaces.json"
    content = json.loads(path.read_bytes())
    content["recipes"] = {"softmax": content["recipes"]["softmax"]}
    path.write_text(json.dumps(content))
    run = read_folder(own_folder)
    assert figures(run)["space-maps"] is None
    shown = table(run)
    assert shown is not None
    assert [row[-1].text for row in shown.rows] == ["one point: it has collapsed"]
    html = report.page(run.path).decode()
    assert 'id="spaces"' in html
    assert "one point: it has collapsed" in html


def test_the_table_stands_once(mapped: RunFolder) -> None:
    assert table(mapped) is None
    assert report.page(mapped.path).decode().count("one point: it has collapsed") == 1


def test_many_classes_have_no_heat_map_and_that_is_said(mapped: RunFolder) -> None:
    path = mapped.path / "artifacts/spaces/spaces.json"
    content = json.loads(path.read_bytes())
    content["classes"] = [f"c{number}" for number in range(31)]
    for row in content["recipes"].values():
        row["distances"] = [[1.0] * 31] * 31
    path.write_text(json.dumps(content))
    assert figures(mapped)["space-classes"] is None
    assert lead(mapped).endswith("31 classes are too many for a heat map of their distances.")


def test_distances_of_classes(mapped: RunFolder) -> None:
    figure = figures(mapped)["space-classes"]
    assert figure is not None
    assert [option.label for option in figure.controls[0].options] == ["plain", "swish"]
    assert len(figure.columns["0/z"]) == 3
    assert "are nearest" in figure.summary
    assert [table.caption for table in figure.tables] == ["plain", "swish"]


def test_neighbours(mapped: RunFolder) -> None:
    cards = strips(mapped)
    assert [card.recipe for card in cards] == ["plain", "swish"]
    assert "of 8" in cards[0].pictures[0].caption
    said = lead(mapped)
    assert "plain, swish and softmax" in said
    assert "40 training examples and 20 validation examples" in said
    assert "too many" not in said


def test_the_page_shows_them(mapped: RunFolder) -> None:
    html = report.page(mapped.path).decode()
    assert 'id="spaces"' in html
    for name in ("space-maps", "space-classes"):
        assert f'data-figure="{name}"' in html


def test_without_the_file_there_is_no_section(run: RunFolder) -> None:
    assert read(run) is None
    assert lead(run) == ""
    assert strips(run) == []
    assert not any(figures(run).values())
    assert 'id="spaces"' not in report.page(run.path).decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["points"].update(labels=[99] * COUNT),
        lambda c: c["points"].update(labels="none"),
        lambda c: c["points"].update(train=None),
        lambda c: c.update(recipes=[]),
        lambda c: c["recipes"]["plain"].update(guesses=[1]),
        lambda c: c["recipes"]["plain"].update(maps={"tsne": {"x": [1], "y": None}}),
        lambda c: c["recipes"]["plain"].update(distances=[[None]]),
        lambda c: c["points"].update(sheet={"file": "../../results.json", "tile": 20, "across": 5}),
    ],
)
def test_odd_files_leave_gaps(mapped: RunFolder, change: Callable[[Any], object]) -> None:
    path = mapped.path / "artifacts/spaces/spaces.json"
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))
    assert b"<html" in report.page(mapped.path)
