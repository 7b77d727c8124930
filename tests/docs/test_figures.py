"""Every figure in README and docs comes from committed evidence."""

from pathlib import Path
from types import ModuleType

import pytest
from tests.docs.conftest import Program

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def figures(program: Program) -> ModuleType:
    return program("docs/figures.py")


def test_pages_say_what_the_evidence_says(figures: ModuleType) -> None:
    for page in figures.pages():
        text = page.read_text(encoding="utf-8")
        assert figures.filled(text) == text, f"{page.name}: run python docs/figures.py"


def test_the_readme_shows_evidence(figures: ModuleType) -> None:
    assert figures.BLOCK.search((ROOT / "README.md").read_text(encoding="utf-8"))


def test_a_changed_figure_is_seen(figures: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    start, end = figures.BLOCK.search(text).span()
    block = text[start:end]
    digit = next(c for c in block.split("-->")[1] if c.isdigit())
    broken = text[:start] + block.replace(digit, str((int(digit) + 1) % 10)) + text[end:]
    assert figures.filled(broken) == text
