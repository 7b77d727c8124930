"""Where attention looks, as a figure with a choice of text, layer and head."""

from pathlib import Path

import numpy as np
import pytest
from tests.report.reading import Page

from bakeoff import report
from bakeoff.analysis.attention import Attended, write_attention
from bakeoff.report.attention import figure
from bakeoff.report.folder import RunFolder, read_folder

TOKENS = ("[CLS]", "<script>", "good", "[SEP]")


def attended(size: int, heads: int = 2) -> Attended:
    weights = np.random.default_rng(0).dirichlet(np.ones(size), size=(3, heads, size))
    return Attended(TOKENS[:size], weights.astype(np.float32), "Bag", "Coat")


@pytest.fixture
def looked(own_folder: Path) -> RunFolder:
    path = own_folder / "artifacts" / "attention.json"
    path.parent.mkdir(exist_ok=True)
    texts = {"plain": [attended(4), attended(3)], "swish": [attended(4, heads=5)]}
    write_attention(path, texts, {})
    return read_folder(own_folder)


def test_every_text_layer_and_head_can_be_chosen(looked: RunFolder) -> None:
    made = figure(looked)
    assert made is not None
    what, layer, head = made.controls
    assert [option.value for option in what.options] == ["plain/0", "plain/1"]  # of equal sizes
    assert [option.value for option in layer.options] == ["1", "2", "3", "rollout"]
    assert [option.value for option in head.options] == ["mean", "1", "2"]
    for text in ("plain/0", "plain/1"):
        size = len(made.columns[f"{text}/rollout"])
        for number in (1, 2, 3):
            for name in ("mean", "1", "2"):
                assert np.shape(made.columns[f"{text}/{number}/{name}"]) == (size, size)
    assert made.layout["xaxis"]["ticktext"]["of"]["plain/1"] == ["[CLS]", "&lt;script&gt;", "good"]


def test_numbers_stand_in_the_tables(looked: RunFolder) -> None:
    made = figure(looked)
    assert made is not None
    first, _, entropy = made.tables
    assert "(Bag, taken for Coat)" in first.caption
    assert [row[0].text for row in first.rows] == list(TOKENS)
    assert len(first.rows[0]) == 1 + 3
    assert len(entropy.rows) == 2 * 3
    assert all(0 <= (cell.value or 0) <= 2 for row in entropy.rows for cell in row[2:])


def test_the_page_has_the_section_and_markup_is_inert(looked: RunFolder) -> None:
    html = report.page(looked.path).decode()
    assert Page(html).faults == []
    assert '<a href="#attention">What attention looks at</a>' in html
    assert "<script>good" not in html
    assert html == report.page(looked.path).decode()


def test_pages_without_it_have_none(html: bytes) -> None:
    assert b'id="attention"' not in html


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"recipes": {"plain": [{"tokens": ["a"]}]}}'])
def test_what_cannot_be_read_is_left_out(content: str, own_folder: Path) -> None:
    path = own_folder / "artifacts" / "attention.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert figure(read_folder(own_folder)) is None
