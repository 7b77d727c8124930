"""Texts that language models write before and after they learnt, with how varied they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bakeoff.core.files import pretty_json, write_atomic
from bakeoff.core.protocols import Written
from bakeoff.core.variety import variety

WRITING = "writing.json"


def write_writing(folder: Path, written: Mapping[str, Written], about: Mapping[str, Any]) -> None:
    """Write `writing.json`: of each recipe the prompts, and what followed them.

    Figures of variety count words.

    Args:
        folder: Of the artifacts.
        written: By recipe.
        about: How it was made, JSON-ready.

    Raises:
        DiskError: where it cannot be written.
    """
    recipes = {
        name: {
            "prompts": list(texts.prompts),
            "before": list(texts.before),
            "after": list(texts.after),
            "variety": {
                "before": variety([text.split() for text in texts.before]),
                "after": variety([text.split() for text in texts.after]),
            },
        }
        for name, texts in written.items()
    }
    write_atomic(folder / WRITING, pretty_json({"about": about, "recipes": recipes}))
