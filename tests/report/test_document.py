"""The page as a whole: complete, the same each time, safe, honest, and readable by machines."""

import base64
import hashlib
import html as markup
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.report.conftest import IMAGE, LINK, SCRIPT, Change
from tests.report.reading import Page, unpacked

from bakeoff import report
from bakeoff.core.errors import InputError
from bakeoff.report.assets import maker

LIMIT = 3_000_000


def results_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "results.json").read_bytes())
    return content


def without_library(html: bytes) -> str:
    """The page less the packed library, which is data."""
    return unpacked(html.decode())


# The same, and small.


def test_same_folder_same_bytes(run_folder: Path, html: bytes, tmp_path: Path) -> None:
    assert report.page(run_folder) == html
    elsewhere = shutil.copytree(run_folder, tmp_path / "another-name")
    assert report.page(elsewhere) == html


def test_write_puts_the_page_into_the_folder(own_folder: Path, html: bytes) -> None:
    path = report.write(own_folder)
    assert path == own_folder / "report.html"
    assert path.read_bytes() == html
    assert report.write(own_folder).read_bytes() == html  # the report is no input of itself


def test_the_page_says_which_version_made_it(html: bytes) -> None:
    assert report.made_here(html)
    assert f'<meta name="generator" content="{maker()}">' in html.decode()
    other = html.replace(maker().encode(), b"bakeoff 0.0.9 (0123456789ab)")
    assert not report.made_here(other)
    assert not report.made_here(b"<!doctype html>")


def test_page_is_small(html: bytes) -> None:
    assert len(html) < LIMIT


def test_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"results\.json: not found"):
        report.page(tmp_path)
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        report.page(tmp_path)
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(InputError, match="not a JSON object"):
        report.write(tmp_path)


# Nothing from outside, nothing to the outside.


def test_nothing_is_loaded_from_elsewhere(html: bytes, page: Page) -> None:
    for element in page.elements:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            target = element.attributes.get(name)
            assert target is None or target.startswith(("#", "data:")), element
    text = without_library(html)
    assert not re.search(r"https?:|[\"'(=]//|url\(|@import", text)


def test_policy_allows_these_scripts_alone(page: Page) -> None:
    policy = next(e for e in page.all("meta") if "http-equiv" in e.attributes).attributes["content"]
    assert "default-src 'none'" in policy
    scripts = [e for e in page.all("script") if "type" not in e.attributes]
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    rule = re.search(r"script-src ([^;]*)", policy)
    assert rule is not None
    assert all(source.startswith("'sha256-") for source in rule.group(1).split())


def test_markup_in_names_stays_text(hostile_folder: Path, page: Page) -> None:
    html = report.page(hostile_folder)
    hostile = Page(html.decode())
    assert not hostile.faults
    allowed = {e.tag for e in page.elements} | {"blockquote"}
    assert {e.tag for e in hostile.elements} <= allowed
    assert len(hostile.all("script")) == len(page.all("script"))
    assert all("src" not in e.attributes for e in hostile.all("script"))
    names = {name for e in hostile.elements for name in e.attributes}
    assert not [name for name in names if name.startswith("on")]
    for text in (SCRIPT, IMAGE):
        assert text in hostile.words  # told as it is
        assert text.encode() not in html
    assert "7 * 7" in hostile.words
    assert " ".join(LINK.split()) in hostile.words


def test_embedded_data_cannot_end_its_element(hostile_folder: Path) -> None:
    hostile = Page(report.page(hostile_folder).decode())
    data = hostile.by_id("figures").text
    assert not re.search("[<>&\u2028\u2029]", data)
    json.loads(data)


# What it says.


def test_every_verdict_sentence_is_there(run_folder: Path, page: Page) -> None:
    for verdict in results_of(run_folder)["verdicts"]:
        sentence = verdict["sentence"]
        assert sentence[0].upper() + sentence[1:] in page.words or sentence in page.words


def test_question_is_the_heading(run_folder: Path, page: Page) -> None:
    (heading,) = page.all("h1")
    assert heading.text == results_of(run_folder)["question"]
    headline = next(e for e in page.elements if e.attributes.get("class") == "headline")
    assert headline.text.startswith("resnet20 beats plain by ")


def test_numbers_are_those_of_the_results(run_folder: Path, page: Page) -> None:
    content = results_of(run_folder)
    for recipe in content["recipes"].values():
        for score in recipe["metrics"].values():
            assert score["mean"] in page.numbers
        assert set(recipe["metrics"][content["metric"]]["values"]) <= page.numbers
        for name in ("train_seconds", "parameters", "macs_per_example", "peak_bytes"):
            assert float(recipe["cost"][name]) in page.numbers
    for verdict in content["verdicts"]:
        for name in ("difference", "p_value", "p_corrected", "p_equivalence", "cost_ratio", "look"):
            assert float(verdict[name]) in page.numbers


def test_shown_numbers_are_their_values_rounded(run_folder: Path, page: Page) -> None:
    metric = "test/accuracy"
    for name, recipe in results_of(run_folder)["recipes"].items():
        score = recipe["metrics"][metric]
        shown = f"{100 * score['mean']:.2f} ± {100 * score['sd']:.2f}"
        row = next(e for e in page.all("tr") if e.text.startswith(name) and "±" in e.text)
        assert shown in row.text


def test_every_figure_has_its_words_and_numbers(page: Page) -> None:
    plots = [e for e in page.elements if "data-figure" in e.attributes]
    ids = [e.attributes["data-figure"] for e in plots]
    assert ids == ["verdicts", "cost", "curves", "confusion", "recall", "seeds"]
    for plot in plots:
        assert plot.attributes["role"] == "img"
        assert len(plot.attributes["aria-label"]) > 40
    for figure in page.all("figure"):
        assert "The numbers behind" in figure.text
    specs = json.loads(page.by_id("figures").text)
    assert list(specs) == ids


def test_ledger_data_and_environment_are_told(run_folder: Path, page: Page) -> None:
    content = results_of(run_folder)
    assert "9 recipes have ever been scored on this test set" in page.words
    assert "5 of them in this study" in page.words
    for text in (content["dataset"]["test_hash"], content["dataset"]["notes"][0], "0" * 40):
        assert text in page.words
    assert "bakeoff verify ." in page.words


# How it is built.


def test_markup_is_well_formed(page: Page) -> None:
    assert page.faults == []


def test_headings_go_down_one_at_a_time(page: Page) -> None:
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_ids_are_unique_and_references_meet(page: Page) -> None:
    ids = Counter(e.attributes["id"] for e in page.elements if "id" in e.attributes)
    assert max(ids.values()) == 1
    for element in page.elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            for target in element.attributes.get(name, "").split():
                assert target in ids
        if element.attributes.get("href", "").startswith("#"):
            assert element.attributes["href"][1:] in ids


def test_landmarks_and_names(page: Page) -> None:
    for tag in ("header", "nav", "main", "footer"):
        assert len(page.all(tag)) == 1
    assert page.all("html")[0].attributes["lang"] == "en"
    assert page.all("title")[0].text
    for image in page.all("img"):
        assert image.attributes["alt"]
    for control in page.all("select", "input"):
        assert "label" in control.inside
    for fieldset in page.all("fieldset"):
        assert fieldset.text.strip()
    for table in page.all("table"):
        assert "div" in table.inside
    for cell in page.all("th"):
        assert cell.attributes["scope"] in ("row", "col")
    for button in page.all("button"):
        assert button.attributes["type"] == "button"


# What is missing, and what is odd.


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("cells", "There are no predictions of classes"),
        ("cells", "There are no learning curves"),
        ("artifacts", "This folder holds no items of the data set"),
        ("study.yaml", "Recipes share everything"),
        ("cells/*/*/metrics.jsonl", "There are no learning curves"),
        ("cells/*/*/predictions", "There are no predictions of classes"),
        ("cells/softmax/*/metrics.jsonl", "softmax has no curve here"),
        ("artifacts/disagreements/*.png", "Where they disagree"),
    ],
)
def test_missing_parts_are_left_out(own_folder: Path, gone: str, said: str) -> None:
    for path in sorted(own_folder.glob(gone)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = Page(report.page(own_folder).decode())
    assert not page.faults
    assert said in page.words


def test_results_alone_are_enough(changed: Callable[[Change], Path]) -> None:
    page = Page(report.page(changed(lambda content: None)).decode())
    assert [
        e.attributes["data-figure"] for e in page.elements if "data-figure" in e.attributes
    ] == [
        "verdicts",
        "cost",
        "seeds",
    ]


def test_an_empty_object_is_enough(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}")
    page = Page(report.page(tmp_path).decode())
    assert not page.faults
    assert "There is nothing to compare yet" in page.words


ODD: tuple[Any, ...] = (None, "odd", 10**400, [None, "x", {}], {"x": None, "y": [1, "z"]})
KEYS = (
    *("study", "question", "metric", "direction", "control", "recipes", "margin", "population"),
    *("verdicts", "dataset", "references", "ledger", "environment", "noise_floor"),
    *("seeds_planned", "costs_alone", "source", "margin_source"),
)


@pytest.mark.parametrize("key", KEYS)
def test_odd_values_leave_gaps_and_no_traceback(
    changed: Callable[[Change], Path], key: str
) -> None:
    for odd in ODD:
        folder = changed(lambda content, odd=odd: content.update({key: odd}))  # type: ignore[misc]
        assert report.page(folder)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:12])
def test_odd_recipes_and_verdicts(changed: Callable[[Change], Path], odd: Any) -> None:
    content: dict[str, Any] = {}
    changed(content.update)
    for row in (content["recipes"]["swish"], content["verdicts"][0]):
        for key in list(row):

            def change(copy: dict[str, Any], row: Any = row, key: str = key) -> None:
                row = row | {key: odd}
                if "outcome" in row:
                    copy["verdicts"][0] = row
                else:
                    copy["recipes"]["swish"] = row

            assert report.page(changed(change))


def test_null_numbers_become_dashes(changed: Callable[[Change], Path]) -> None:
    def nothing(content: dict[str, Any]) -> None:
        for verdict in content["verdicts"]:
            for name, value in verdict.items():
                if isinstance(value, int | float | list) and not isinstance(value, bool):
                    verdict[name] = None
        for recipe in content["recipes"].values():
            recipe["cost"] = dict.fromkeys(recipe["cost"])
            for score in recipe["metrics"].values():
                score.update({"mean": None, "sd": None, "ci95": None, "values": [None] * 5})
        content |= {"margin": None, "noise_floor": None}

    page = Page(report.page(changed(nothing)).decode())
    assert not page.faults
    assert "None" not in page.words
    assert "nan" not in page.words.split()


def test_exploratory_comparisons_are_marked(changed: Callable[[Change], Path]) -> None:
    def late(content: dict[str, Any]) -> None:
        reason = "the recipe was added after a test score was read"
        content["verdicts"][0] |= {"exploratory": True, "outcome": "undecided", "reason": reason}

    page = Page(report.page(changed(late)).decode())
    assert "batch-norm against plain: exploratory, so without a verdict: the recipe" in page.words
    assert "So does batch-norm" not in page.words


def test_text_is_escaped_once(page: Page) -> None:
    assert "&amp;" not in markup.unescape(page.words)
    assert "&lt;" not in page.words


def test_folds_are_called_folds(folded: Path) -> None:
    text = " ".join(element.text for element in Page(report.page(folded).decode()).elements)
    for said in (
        "Chosen by 3-fold cross-validation: wide.",
        "Fold accuracy (%), mean ± SD",
        "Every fold, every metric",
        "On examples held out: mean over folds",
        "On test examples, chosen on the folds: mean over seeds",
        "81.23",
        "3, cut 2 times",
        "4 recipes have ever been scored on this test set on this machine, 0 of them",
        "wide left no result in seed-0.repeat-1.fold-2",
        "wide diverged in seed-0.repeat-1.fold-1",
        "wide left no test result at seed 1",
        "a part of the training examples that is held out once",
        "Repeat 1, fold 2",
    ):
        assert said in text, said
    for foreign in ("over seeds, 95", "Every seed", "these very test examples", "α spent"):
        assert foreign not in text, foreign
