"""Figures as values: what the page's script gets."""

import json

import numpy as np

from bakeoff.report import spec
from bakeoff.report.spec import Figure, by, column, embedded, escaped, on_screen


def test_spec_holds_what_is_drawn() -> None:
    figure = Figure(
        id="x",
        title="X",
        summary="An x",
        traces=[{"x": column("a"), "when": {"scale": ["all"]}}],
        layout={"height": on_screen(1, 2)},
        height=300,
        columns={"a": [0.123456789, float("nan"), None, "text", [0.987654321]]},
        fixed={"scale": "all"},
    )
    content = figure.spec()
    assert content["columns"] == {"a": [0.123457, None, None, "text", [0.987654]]}
    assert content["height"] == {"wide": 300, "narrow": 300}
    assert content["layout"] == {"height": {"by": "screen", "of": {"wide": 1, "narrow": 2}}}
    assert content["fixed"] == {"scale": "all"}
    assert figure.tallest == figure.tallest_narrow == 300


def test_heights_by_screen() -> None:
    tall = {"wide": 1, "narrow": 2}
    figure = Figure(id="x", title="", summary="", traces=(), layout={}, height=tall)
    assert (figure.tallest, figure.tallest_narrow) == (1, 2)


def test_choices() -> None:
    assert by("scale", all=1, close=None) == {"by": "scale", "of": {"all": 1, "close": None}}


def test_plot_text_is_escaped() -> None:
    assert escaped("<b>&\"'") == "&lt;b&gt;&amp;\"'"


def test_embedded_json_is_inert_and_whole() -> None:
    value = {"a": "</script><!-- & \u2028\u2029 é", "b": [1, None, 2.5]}
    text = embedded(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == value


def test_numpy_columns_become_plain() -> None:
    assert spec.compact(np.array([1.5, np.nan]).tolist()) == [1.5, None]
