"""Techniques by name: ours, and those of plug-ins."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from bakeoff import techniques
from bakeoff.core.errors import InputError
from bakeoff.core.recipe import Recipe
from bakeoff.techniques import TECHNIQUES, find, framework_of, frameworks_of, names
from bakeoff.techniques.majority import Majority
from bakeoff.techniques.mlp import Mlp
from bakeoff.techniques.recipes import parse_recipe

GROUP = "bakeoff.techniques"


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two plug-ins, one of which takes a name of ours."""
    points = (
        EntryPoint("mine", "bakeoff.techniques.majority:Majority", GROUP),
        EntryPoint("mlp", "bakeoff.techniques.majority:Majority", GROUP),
    )
    monkeypatch.setattr(techniques, "_plugins", lambda: points)
    find.cache_clear()
    yield
    find.cache_clear()


def test_ours() -> None:
    assert set(TECHNIQUES) <= set(names())
    assert names() == sorted(names())
    for name in TECHNIQUES:
        assert find(name).name == name
        assert find(name) is find(name)


def test_unknown() -> None:
    with pytest.raises(InputError, match="unknown technique 'sofmax'; did you mean 'softmax'"):
        find("sofmax")


@pytest.mark.usefixtures("plugged")
def test_plug_in() -> None:
    assert "mine" in names()
    assert isinstance(find("mine"), Majority)
    recipe = parse_recipe({"technique": "mine", "data": {"set": "digits"}})
    assert recipe.settings == Majority.settings()
    with pytest.raises(InputError, match="did you mean 'mine'"):
        find("mines")


@pytest.mark.usefixtures("plugged")
def test_our_names_are_ours() -> None:
    assert isinstance(find("mlp"), Mlp)
    assert names().count("mlp") == 1


def test_what_a_recipe_computes_in() -> None:
    def recipe(**content: Any) -> Recipe:
        return parse_recipe({"data": {"set": "digits"}, **content})

    assert framework_of(recipe(technique="mlp")) == "numpy"
    assert framework_of(recipe(technique="mlp", framework="keras")) == "keras"
    assert framework_of(recipe(technique="cnn")) == "torch"
    assert frameworks_of(find("mlp")) == ("numpy", "torch", "keras")
    assert frameworks_of(find("cnn")) == ("torch",)
    with pytest.raises(InputError, match=r"framework: .*'numpy', 'torch' or 'keras'"):
        recipe(technique="mlp", framework="jax")
