"""Every layer, loss and optimiser has its place in the pages on layers, and the index has all."""

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from bakeoff.scratch import layers, losses, optimisers
from bakeoff.scratch.layers import Layer

PAGES = Path(__file__).resolve().parents[2] / "docs" / "layers"
INDEX = "README.md"


def pages() -> dict[str, str]:
    """By the name of the file."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("*.md"))}


def subjects() -> dict[str, str]:
    """Each class's name, and the page it must be on."""
    found = {
        value.__name__: f"{value.__module__.rpartition('.')[2]}.md"
        for value in vars(layers).values()
        if inspect.isclass(value) and issubclass(value, Layer) and value is not Layer
    }
    for value in vars(losses).values():
        if inspect.isclass(value) and hasattr(value, "backward") and value is not losses.Loss:
            found[value.__name__] = "losses.md"
    for value in vars(optimisers).values():
        kind = optimisers.Optimiser
        if inspect.isclass(value) and issubclass(value, kind) and value is not kind:
            found[value.__name__] = "optimisers.md"
    return found


@pytest.mark.parametrize("name", subjects())
def test_every_piece_is_described(name: str) -> None:
    page = subjects()[name]
    text = pages().get(page, "")
    section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/layers/{page} has no section '## {name}'"
    assert len(section.group(1).split()) >= 15, f"docs/layers/{page}: '## {name}' says too little"


@pytest.mark.parametrize("name", [n for n, page in subjects().items() if page != "optimisers.md"])
def test_every_layer_and_loss_has_its_gradient_derived(name: str) -> None:
    text = pages()[subjects()[name]]
    assert re.search(r"[Gg]radient|slope", text)
    assert re.search(r"\b(19|20)\d\d\b", text) or name == "Flatten", "no source"


def test_the_index_names_every_page_and_every_piece() -> None:
    index = pages()[INDEX]
    linked = set(re.findall(r"\]\((\w[\w-]*\.md)\)", index))
    assert linked == pages().keys() - {INDEX}
    for name, page in subjects().items():
        assert f"`{name}`" in index, f"{name} ({page}) is not in the index"


def test_every_setting_of_the_optimisers_is_explained() -> None:
    text = pages()["optimisers.md"]
    for name in (*get_args(optimisers.Name), "clip", "l1", "l2", "max_norm"):
        assert f"| `{name}` |" in text
