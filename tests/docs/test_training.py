"""Every field that changes learning or prediction is in the page about them."""

from pathlib import Path

import pytest

from bakeoff.core.optimisers import FIELDS, OPTIMISERS
from bakeoff.core.views import PredictionSettings
from bakeoff.techniques import find
from bakeoff.techniques.recipes import parse_recipe
from bakeoff.training.settings import AveragingSettings, LookaheadSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_what_not_every_framework_has_is_described(text: str) -> None:
    partial = [name for name, kind in OPTIMISERS.items() if len(kind.frameworks) < 3]
    assert partial
    for name in partial:
        assert f"## `training.optimizer: {name}`" in text
    for field in (*FIELDS, "label_smoothing"):
        assert f"## `training.{field}`" in text


@pytest.mark.parametrize("kind", [LookaheadSettings, AveragingSettings, PredictionSettings])
def test_every_field_is_explained(text: str, kind: type) -> None:
    for name in kind.model_fields:  # type: ignore[attr-defined]
        assert f"`{name}`" in text


def test_the_example_is_a_study(text: str) -> None:
    """Each of its variants, read as a study reads it."""
    import yaml

    from bakeoff.study.study import changed

    content = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    assert find(content["control"]["technique"]).name == "cnn"
    assert len(content["variants"]) == 6
    base = {"data": {"set": "cifar10"}} | content["control"]
    control = parse_recipe(base).resolved()
    for name, change in content["variants"].items():
        assert parse_recipe(changed(base, change), name).resolved() != control, name
