"""The page in a real browser: draws, listens, adapts, and stays on its own.

Every test here looks at a report in an installed Chromium; nothing is downloaded. Opening one takes
seconds, so pages are shared by the tests that leave them as they found them.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.report.mapped import write_mapped
from tests.report.opened import write_opened

from bakeoff import report

pytestmark = pytest.mark.chromium

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
]
PLOTS = ("verdicts", "cost", "curves", "confusion", "recall", "seeds")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"REPORTS ARE NOT OPENED: none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def written(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(report.page(run_folder))
    return path


@dataclass
class Opened:
    """A page, and everything it complained about or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def run(self, script: str) -> Any:
        """What a script in the page returns."""
        return self.page.evaluate(script)


@contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[Opened]:
    """Open a page and wait until its figures are drawn; fails if it complains or fetches."""
    size = {"width": options.pop("width", 1280), "height": 900}
    scripts = options.get("java_script_enabled", True)
    with browser.new_context(viewport=size, **options) as context:  # type: ignore[arg-type]
        page = context.new_page()
        found = Opened(page)
        page.on("console", lambda message: found.complaints.append(message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("dialog", lambda dialog: found.complaints.append(dialog.message))
        page.on("request", lambda request: _note_request(found, request.url))
        page.goto(path.as_uri())
        if scripts:
            page.wait_for_selector("html[data-charts]", state="attached", timeout=60_000)
            assert found.run("document.documentElement.dataset.charts") == "ready"
        yield found
        assert found.complaints == []


@pytest.fixture(scope="module")
def kept(browser: Browser, written: Path) -> Iterator[Opened]:
    with opened(browser, written) as it:
        yield it


@pytest.fixture
def it(kept: Opened) -> Iterator[Opened]:
    """One page for the tests that leave it as they found it."""
    yield kept
    assert kept.complaints == []


@pytest.fixture(scope="module")
def dark(browser: Browser, written: Path) -> Iterator[Opened]:
    """The same, opened where the system is dark."""
    with opened(browser, written, width=700, color_scheme="dark") as page:
        yield page


@pytest.fixture(scope="module", params=[360, 1280])
def full(
    browser: Browser,
    run_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[tuple[Opened, int]]:
    """A report with opened networks and maps, in a narrow and in a wide window."""
    folder = shutil.copytree(run_folder, tmp_path_factory.mktemp("full") / "run")
    write_opened(folder)
    write_mapped(folder)
    path = folder / "report.html"
    path.write_bytes(report.page(folder))
    with opened(browser, path, width=request.param) as page:
        yield page, request.param


def _note_request(found: Opened, url: str) -> None:
    if not url.startswith(("file:", "data:")):
        found.complaints.append(f"request: {url}")


def test_every_figure_is_drawn(it: Opened) -> None:
    for name in PLOTS:
        shapes = f"[data-figure={name}] .main-svg :is(path.point, path.js-line, image, rect)"
        assert it.page.locator(shapes).count() > 3, name
    assert it.page.locator(".waiting").count() == 0
    assert it.page.locator(".modebar-btn").count() == 0


def fits(it: Opened, width: int) -> None:
    """Nothing sticks out of the window, and figures are drawn as wide as their places."""
    assert it.run("document.documentElement.scrollWidth") <= width
    for name in PLOTS:
        box = it.page.locator(f"[data-figure={name}] .main-svg").first.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width + 1


REDRAWN = """() => [...document.querySelectorAll('[data-figure]')].filter(e => e.clientWidth).every(
  e => Math.abs(e.querySelector('.main-svg').getBoundingClientRect().width - e.clientWidth) < 1)"""


def test_nothing_sticks_out_and_windows_may_change(browser: Browser, written: Path) -> None:
    with opened(browser, written, width=320) as it:
        fits(it, 320)
        curves = it.page.locator("[data-figure=curves]")
        assert curves.get_attribute("data-drawn") == "narrow"
        for width, drawn in ((768, "wide"), (1400, "wide"), (360, "narrow")):
            it.page.set_viewport_size({"width": width, "height": 900})
            it.page.wait_for_selector(f"[data-figure=curves][data-drawn={drawn}]")
            it.page.wait_for_function(REDRAWN)
            fits(it, width)


GROUND = "getComputedStyle(document.body).backgroundColor"
INK = "getComputedStyle(document.querySelector('[data-figure=verdicts] .xtick text')).fill"


def test_paper_is_white_and_holds_the_figures(dark: Opened) -> None:
    dark.page.emulate_media(media="print", color_scheme="dark")
    dark.run("dispatchEvent(new Event('beforeprint'))")
    dark.page.wait_for_timeout(500)
    assert dark.run(GROUND) == "rgb(255, 255, 255)"
    assert not dark.page.locator("nav").is_visible()
    assert dark.run("document.documentElement.scrollWidth") <= 700
    dark.run("dispatchEvent(new Event('afterprint'))")
    dark.page.emulate_media(media="screen", color_scheme="dark")
    assert dark.run(GROUND) != "rgb(255, 255, 255)"
    assert len(dark.page.pdf(format="A4")) > 50_000
    assert dark.complaints == []


def test_themes_follow_the_system_and_the_button(it: Opened, dark: Opened) -> None:
    """The last one in the dark page, which stays light."""
    white, ink = it.run(GROUND), it.run(INK)
    assert dark.run(GROUND) != white
    assert dark.run(INK) != ink  # figures change with the page
    button = dark.page.get_by_role("button", name="Switch to the light theme")
    button.press("Enter")
    assert dark.run(GROUND) == white
    for _ in range(100):
        if dark.run(INK) == ink:
            break
        dark.page.wait_for_timeout(50)
    assert dark.run(INK) == ink
    assert dark.page.get_by_role("button", name="Switch to the dark theme").is_visible()
    dark.page.emulate_media(color_scheme="light")
    assert dark.run(GROUND) == white
    assert dark.complaints == []


def test_every_choice_draws(it: Opened) -> None:
    for control in it.page.locator("select").all():
        plot = "xpath=ancestor::figure//*[@data-figure]//*[contains(@class, 'plot-container')]"
        values = control.locator("option").evaluate_all("all => all.map(o => o.value)")
        for value in [*values, control.input_value()]:
            control.select_option(value)
            assert control.locator(plot).count() == 1
    it.page.wait_for_timeout(300)


def test_boxes_hide_and_show(it: Opened) -> None:
    lines = "[data-figure=curves] path.js-line"
    before = it.page.locator(lines).count()
    figure = it.page.locator("figure:has([data-figure=curves])")
    box = figure.get_by_role("checkbox", name="softmax")
    box.uncheck()
    assert it.page.locator(lines).count() < before
    box.check()
    assert it.page.locator(lines).count() == before


def test_confusion_follows_the_recipe(it: Opened) -> None:
    texts = "[...document.querySelectorAll('[data-figure=confusion] .heatmap-label')]"
    shown = it.run(f"{texts}.map(t => t.textContent).join()")
    it.page.locator("[data-choice=recipe]").select_option(label="softmax")
    assert it.run(f"{texts}.map(t => t.textContent).join()") != shown


def test_hovering_tells_the_numbers(it: Opened) -> None:
    for name, said in (
        ("verdicts", "difference"),
        ("cost", "training time"),
        ("seeds", "seed"),
    ):
        point = it.page.locator(f"[data-figure={name}] path.point").first
        point.scroll_into_view_if_needed()
        box = point.bounding_box()
        assert box is not None
        it.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        hover = it.page.locator(f"[data-figure={name}] .hovertext").filter(has_text=said)
        hover.first.wait_for(state="attached")


WALK = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const label = at.labels?.[0]?.textContent || at.getAttribute("aria-label") || at.textContent;
  return [at.tagName, label.trim(), style.outlineStyle, parseFloat(style.outlineWidth)];
}"""


def test_keyboard_reaches_everything(browser: Browser, written: Path) -> None:
    with opened(browser, written) as it:
        wanted = it.run(
            "[...document.querySelectorAll('a[href], button, select, input, summary')]"
            ".filter(e => e.checkVisibility()).length"
        )
        seen = []
        for _ in range(wanted + 60):
            it.page.keyboard.press("Tab")
            tag, label, outline, width = it.run(WALK)
            if tag == "BODY":
                break
            assert label, f"a {tag} without a name"
            assert outline != "none", f"{tag} {label}: focus cannot be seen"
            assert width >= 2, f"{tag} {label}"
            seen.append(tag)
        assert seen[0] == "A"
        assert sum(tag in {"A", "BUTTON", "SELECT", "INPUT", "SUMMARY"} for tag in seen) == wanted
        it.page.locator(".skip").press("Enter")
        assert it.run("document.activeElement.id") == "answer"


def test_opened_networks_are_drawn(full: tuple[Opened, int]) -> None:
    it, width = full
    panels = it.page.locator("figure:has([data-figure=inside-0])")
    lines = panels.locator("path.js-line")
    assert panels.locator(".subplot").count() == 3 * 2  # layers, start and end
    # Two recipes have both moments, one the start alone.
    assert lines.count() == 3 * (2 * 2 + 1)
    panels.locator("[data-choice=kind]").select_option("gradients")
    panels.locator(".xtick text", has_text="0").first.wait_for(state="attached")
    panels.get_by_role("checkbox", name="swish").uncheck()
    assert lines.count() == 3 * 2 * 2  # at batch norm's start all are 0: a bar
    units = it.page.locator("figure:has([data-figure=units])")
    units.locator("[data-choice=measure]").select_option("saturated")
    assert units.locator("path.js-line").count() == 1
    images = it.page.locator("#inside .prints img")
    assert images.count() == 3
    assert it.run(
        "[...document.querySelectorAll('#inside .prints img')].every(i => i.naturalWidth)"
    )
    assert it.run("document.documentElement.scrollWidth") <= width
    assert it.complaints == []


def test_pointing_at_a_point_shows_what_it_is(full: tuple[Opened, int]) -> None:
    it, width = full
    maps = it.page.locator("figure:has([data-figure=space-maps])")
    peek = maps.locator(".peek")
    assert maps.locator("path.point").count() == 2 * 60
    assert not peek.is_visible()
    maps.locator("path.point").nth(5).hover(force=True)
    peek.wait_for(state="visible")
    assert peek.inner_text().splitlines()[0].split(", ")[1] in ("training", "validation")
    assert "taken for" in peek.inner_text()
    assert peek.locator(".thumb img").evaluate("e => e.naturalWidth") == 500
    assert "translate" in (peek.locator(".thumb img").get_attribute("style") or "")
    maps.locator("[data-choice=colour]").select_option("error")
    assert maps.locator("path.point").count() == 2 * 60
    assert it.run("document.documentElement.scrollWidth") <= width
    assert it.complaints == []


def test_details_open_and_hold_every_value(it: Opened) -> None:
    for name in PLOTS:
        figure = it.page.locator(f"figure:has([data-figure={name}])")
        figure.locator("summary").press("Enter")
        assert figure.locator("table").first.is_visible()
    assert it.run("document.documentElement.scrollWidth") <= 1280


def test_markup_in_names_stays_dead(browser: Browser, hostile_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(report.page(hostile_folder))
    with opened(browser, path, width=360) as it:
        assert it.run("document.title").startswith("Does batch norm")
        assert it.page.locator("img:not([src^='data:image/png'])").count() == 0
        assert it.page.locator("[onerror], [onload], [href^=javascript]").count() == 0
        assert it.page.locator("a[*|href^='javascript']").count() == 0
        drawn = it.page.locator("[data-figure=verdicts] .annotation-text").all_text_contents()
        assert any("<script>" in text for text in drawn)  # shown as it was written
        assert it.run("document.documentElement.scrollWidth") <= 360


def test_without_scripts_everything_is_said(browser: Browser, written: Path) -> None:
    with opened(browser, written, java_script_enabled=False) as it:
        assert it.page.locator(".verdicts li").count() == 4
        assert it.page.locator("[data-figure=verdicts] .waiting").is_visible()
        assert not it.page.locator("select").first.is_visible()
        assert not it.page.locator("#theme").is_visible()
        summary = it.page.locator("figure summary").first
        summary.click()
        assert it.page.locator("figure table").first.is_visible()


def test_motion_only_where_it_is_welcome(it: Opened) -> None:
    rule = "getComputedStyle(document.documentElement).scrollBehavior"
    for wanted, found in (("reduce", "auto"), ("no-preference", "smooth")):
        it.page.emulate_media(reduced_motion=wanted)  # type: ignore[arg-type]
        assert it.run(rule) == found
