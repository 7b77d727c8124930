"""What a network is computed with: from a recipe, into a saved predictor and out again."""

from typing import Any

import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import Numerics
from bakeoff.techniques.frameworks.base import Computing
from bakeoff.techniques.recipes import parse_recipe


def test_a_computing_is_saved_and_found_again() -> None:
    content: dict[str, Any] = {"technique": "majority", "data": {"set": "digits"}}
    assert Computing.of(parse_recipe(content)).framework == "numpy"
    content |= {"technique": "mlp", "framework": "keras", "numerics": {"threads": 3}}
    asked = Computing.of(parse_recipe(content))
    assert (asked.framework, asked.numerics.threads) == ("keras", 3)
    numerics = Numerics(device="cpu", precision="bfloat16", threads=2)
    assert Computing("torch", numerics).state() == {"framework": "torch", "precision": "bfloat16"}
    found = Computing.from_state({"framework": "torch", "precision": "bfloat16"}, "cpu")
    assert (found.framework, found.numerics.precision) == ("torch", "bfloat16")
    assert found.numerics.device == "cpu"
    assert Computing("keras", numerics).state() == {"framework": "keras", "precision": "float32"}
    assert Computing.from_state({}) == Computing()
    with pytest.raises(InputError, match="precision"):
        Computing.from_state({"framework": "torch", "precision": "float99"})
