"""Histograms of weights and gradients, as figures."""

from pathlib import Path

import pytest
from tests.report.opened import write_opened

from bakeoff.analysis.inside import BINS, DECADES, PER_DECADE
from bakeoff.report.folder import RunFolder, read_folder
from bakeoff.report.panels import FLOOR, UNDER, Bins, figures
from bakeoff.report.spec import Figure


@pytest.fixture
def opened(own_folder: Path) -> RunFolder:
    write_opened(own_folder)
    return read_folder(own_folder)


@pytest.fixture
def figure(opened: RunFolder) -> Figure:
    return figures(opened)[0]


def test_networks_with_the_same_layers_share_a_figure(opened: RunFolder) -> None:
    first, second = figures(opened)
    assert first.title.endswith(": plain, batch-norm and swish")
    assert second.title.endswith(": softmax")
    assert (first.id, second.id) == ("inside-0", "inside-1")
    assert [option.label for option in first.controls[1].options] == [
        "plain",
        "batch-norm",
        "swish",
    ]
    assert [key.text for key in second.keys] == ["softmax"]


def test_one_kind_of_network_needs_no_name(opened: RunFolder) -> None:
    path = opened.path / "artifacts" / "inside" / "inside.json"
    path.write_text(path.read_text().replace('"softmax":', '"nobody":'))
    assert [figure.title for figure in figures(opened)] == ["Weights and gradients, layer by layer"]


def test_axes_are_shared_where_they_are_compared(figure: Figure) -> None:
    layout = figure.layout
    for place in range(3):
        ends = ["" if 2 * place + side == 0 else str(2 * place + side + 1) for side in (0, 1)]
        start, end = (layout[f"xaxis{number}"] for number in ends)
        assert start["range"] == end["range"]
        assert start["domain"] != end["domain"]
    gradients = [layout[name]["range"]["of"]["gradients"] for name in layout if "xaxis" in name]
    assert gradients == [gradients[0]] * 6
    shares = [layout[name]["range"] for name in layout if "yaxis" in name]
    assert shares == [shares[0]] * 6


def test_columns_are_shares(figure: Figure) -> None:
    shares = figure.columns["weights/0/end/0/y"]
    kept = [share for share in shares if share > UNDER]
    assert sum(kept) == pytest.approx(100, abs=1e-6)
    assert UNDER < FLOOR
    sizes = figure.columns["weights/0/end/0/size"]
    assert sorted(sizes)[-2:] == [0, 8]
    assert shares[sizes.index(8)] == max(shares)


def test_zeros_stand_apart(figure: Figure) -> None:
    left, zero, right, gap = figure.columns["gradients/0/start/1/x"]
    assert left < zero < right
    assert gap is None
    assert figure.columns["gradients/0/start/1/y"] == [100, 100, 100, None]
    assert figure.columns["gradients/0/start/1/size"] == [0, 8, 0, 0]
    assert None not in figure.columns["gradients/0/start/0/x"]  # it has none
    low, _ = figure.layout["xaxis"]["range"]["of"]["gradients"]
    ticks = figure.layout["xaxis"]["tickvals"]["of"]["gradients"]
    assert low < zero == ticks[0] < ticks[1]
    assert figure.layout["xaxis"]["ticktext"]["of"]["gradients"][0] == "0"
    # All weights at the start are zero: the bin in the middle.
    places = figure.columns["weights/0/start/1/x"]
    assert places[figure.columns["weights/0/start/1/y"].index(100)] == pytest.approx(0, abs=1e-9)


def test_bins_lie_where_they_were_counted() -> None:
    bins = Bins({"a": 2.0}, DECADES[0], PER_DECADE, (-6.0, 1.0))
    weights = bins.places("weights", "a", BINS)
    assert (weights[0], weights[-1]) == (-2 + 2 / BINS, 2 - 2 / BINS)
    gradients = bins.places("gradients", "a", 4)
    assert gradients == pytest.approx([-7, -12 + 1 / 6, -12 + 3 / 6, -12 + 5 / 6])


def test_every_number_is_in_the_table(figure: Figure) -> None:
    (table,) = figure.tables
    assert len(table.rows) == 3 * 3
    assert {len(row) for row in table.rows} == {len(table.header)}
    silent = next(row for row in table.rows if row[0].text == "batch-norm")
    told = dict(zip(table.header, (cell.text for cell in silent), strict=True))
    assert told["Weight zero, %, start"] == "100"
    assert told["Gradient RMS, start"] == "0"
    swish = next(row for row in table.rows if row[0].text == "swish")
    assert swish[3].text == "–"  # it has no end


def test_the_ticks_of_weights_are_round(figure: Figure) -> None:
    ticks = figure.layout["xaxis"]["tickvals"]["of"]["weights"]
    limit = figure.layout["xaxis"]["range"]["of"]["weights"][1]
    assert ticks[0] == -ticks[2]
    assert f"{ticks[2]:g}".lstrip("0.") in {"1", "2", "5"}
    assert 0.3 * limit < ticks[2] < limit
