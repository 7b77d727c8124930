"""Settings of generation, and what contradicts itself in them."""

import pytest

from bakeoff.core.errors import InputError
from bakeoff.core.generation import GenerationSettings


def test_greedy_is_the_default() -> None:
    settings = GenerationSettings()
    assert (settings.sample, settings.beams, settings.max_tokens) == (False, 1, 50)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"top_p": 0.9}, "top_p: received without sample"),
        ({"temperature": 2.0, "top_k": 3}, "temperature, top_k: received without sample"),
        ({"beams": 2, "sample": True}, "beams 2 received with sample"),
        ({"sample": True, "top_p": 1.5}, "top_p"),
        ({"sample": True, "temperature": 0}, "temperature"),
    ],
)
def test_refused(content: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        GenerationSettings.parse(content)
