"""Errors to read on the page: inert, whatever the folder holds."""

import json
from pathlib import Path

from bakeoff.report import texts
from bakeoff.report.document import render
from bakeoff.report.folder import RunFolder, read_folder

MARKUP = "<script>alert(1)</script> & \\x00 so"


def write(folder: Path, content: object) -> RunFolder:
    (folder / "artifacts" / "texts.json").write_text(json.dumps(content))
    return read_folder(folder)


def content_of(run: RunFolder) -> dict[str, object]:
    name = run.results.recipes[0].name
    mistake = {
        "id": "7", "label": "good", "prediction": "bad", "probability": 0.987, "text": MARKUP,
    }  # fmt: skip
    slices = [
        {"by": "class", "name": "good", "count": 527, "metric": "f1_macro",
         "scores": {name: 0.5}},
        {"by": "length", "name": "1 to 9 words", "count": 1500, "metric": "accuracy",
         "scores": {name: 0.875}},
    ]  # fmt: skip
    return {"mistakes": {name: [mistake]}, "slices": slices}


def test_the_page_shows_them_escaped(own_folder: Path) -> None:
    run = write(own_folder, content_of(read_folder(own_folder)))
    slices, mistakes = texts.tables(run)
    assert [cell.text for cell in slices.rows[1]][-1] == "87.50"
    assert [cell.value for cell in slices.rows[0]][-1] == 0.5
    assert mistakes.rows[0][-1].text == "98.7%"
    page = render(own_folder).decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in page
    assert "<script>alert(1)" not in page
    assert "The surest mistakes" in page


def test_odd_content_leaves_gaps(own_folder: Path) -> None:
    run = read_folder(own_folder)
    assert texts.tables(run) == []
    name = run.results.recipes[0].name
    odd: list[object] = [
        [],
        {"mistakes": {name: "none"}, "slices": 3},
        {"mistakes": {name: [{"text": 5}, None]}, "slices": [{"scores": {name: "x"}}, "row"]},
    ]
    for content in odd:
        for table in texts.tables(write(own_folder, content)):
            assert all(len(row) == len(table.header) for row in table.rows)
        render(own_folder)
    (own_folder / "artifacts" / "texts.json").write_text("{")
    assert texts.tables(read_folder(own_folder)) == []
