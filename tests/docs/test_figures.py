"""Every figure in README and docs comes from committed evidence."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("figures", ROOT / "docs" / "figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
