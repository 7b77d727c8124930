"""How texts are generated: settings that a command, a recipe and a record share."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from bakeoff.core.frozen import Frozen


class GenerationSettings(Frozen):
    """How the next token is chosen."""

    max_tokens: Annotated[int, Field(ge=1)] = 50
    """The most that are generated; a text may end before."""
    sample: bool = False
    """Draw tokens by their probabilities; false: take the likeliest (greedy, or beams)."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Logits are divided by it before tokens are drawn."""
    top_k: Annotated[int, Field(ge=1)] | None = None
    """Draw among so many likeliest tokens."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Draw among the fewest likeliest tokens whose probabilities sum to this (Holtzman et al.
    2020, "The curious case of neural text degeneration", arXiv:1904.09751)."""
    beams: Annotated[int, Field(ge=1, le=256)] = 1
    """Beginnings of texts that are kept side by side; the one with the best mean log-probability
    of its tokens is the text."""

    @model_validator(mode="after")
    def _one_way(self) -> "GenerationSettings":
        drawn = [
            name
            for name, unset in (("temperature", 1.0), ("top_k", None), ("top_p", None))
            if getattr(self, name) != unset
        ]
        if drawn and not self.sample:
            raise ValueError(f"{', '.join(drawn)}: received without sample: true")
        if self.beams > 1 and self.sample:
            raise ValueError(f"beams {self.beams} received with sample (allowed: one of both)")
        return self


class WritingSettings(GenerationSettings):
    """How the texts of a report are written: drawn, unless asked otherwise."""

    sample: bool = True
    """Draw tokens by their probabilities; false: take the likeliest (greedy, or beams)."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = 0.95
    """Draw among the fewest likeliest tokens whose probabilities sum to this (Holtzman et al. 2020,
    "The curious case of neural text degeneration", arXiv:1904.09751)."""

    @model_validator(mode="before")
    @classmethod
    def _drawn_or_not(cls, value: Any) -> Any:
        """Beams are not drawn, and where nothing is, no share is meant."""
        if not isinstance(value, Mapping):
            return value
        if value.get("beams", 1) != 1:
            value = {"sample": False, **value}
        return {"top_p": None, **value} if value.get("sample") is False else value
