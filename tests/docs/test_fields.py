"""The page of fields says what the classes say, of every field."""

from types import ModuleType

import pytest
from tests.docs.conftest import Program

from bakeoff.core.recipe import Numerics
from bakeoff.models import MODELS
from bakeoff.techniques import find, names


@pytest.fixture(scope="module")
def fields(program: Program) -> ModuleType:
    return program("docs/fields.py")


@pytest.fixture(scope="module")
def page(fields: ModuleType) -> str:
    made: str = fields.page()
    return made


def test_the_page_is_what_the_classes_say(fields: ModuleType, page: str) -> None:
    assert fields.PAGE.read_text(encoding="utf-8") == page, "run python docs/fields.py"


def test_every_field_is_told_about(page: str) -> None:
    untold = [
        line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")
    ]
    assert not untold


@pytest.mark.parametrize("name", sorted(names()))
def test_every_technique_has_all_its_sections(page: str, name: str) -> None:
    part = page.partition(f"### `{name}`")[2].partition("### ")[0]
    for field in find(name).settings.model_fields:
        assert f"`{field}" in part


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_of_images_is_there(page: str, name: str) -> None:
    part = page.partition("## Models of images")[2].partition("## Techniques")[0]
    assert f"`{name}`" in part


def test_a_changed_default_is_seen(
    fields: ModuleType, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Numerics.model_fields["deterministic"], "default", False)
    assert fields.page() != page


def test_words_for_what_is_allowed(fields: ModuleType) -> None:
    assert fields._allowed(tuple[int, ...]) == "a list of whole numbers"
    assert fields._allowed(tuple[float, float]) == "a list of 2 numbers"
    assert fields._allowed(int | str | None) == "a whole number or a text"
    assert fields._plain((True, 1e-5, "a")) == "[true, 1e-05, a]"
