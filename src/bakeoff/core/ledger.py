"""The ledger of test openings: which recipes were ever scored on a test set on this machine.

Test data is sealed. Every opening is one line in a file of the user's state folder, appended in
one write, so that parallel cells do not disturb each other.
"""

import json
import os
from pathlib import Path

from bakeoff.core.errors import DiskError


def ledger_path() -> Path:
    """`$BAKEOFF_STATE` or the system's place for an application's state."""
    from platformdirs import user_state_path

    state = os.environ.get("BAKEOFF_STATE")
    return (Path(state) if state else user_state_path("bakeoff")) / "test-openings.jsonl"


def open_test(test_hash: str, recipe_hash: str, key: str) -> tuple[int, int]:
    """Note an opening of a test set.

    Args:
        test_hash: Of the test examples.
        recipe_hash: Of the resolved recipe that will be scored.
        key: The cell's.

    Returns:
        How often this cell has opened it, and how many recipes ever have; this time included.

    Raises:
        DiskError: where the ledger cannot be written.
    """
    path = ledger_path()
    line = json.dumps({"test": test_hash, "recipe": recipe_hash, "key": key}) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DiskError(f"cannot write the ledger of test openings {path}: {error}") from error
    openings = [entry for text in lines if (entry := _entry(text)).get("test") == test_hash]
    own = sum(entry["key"] == key for entry in openings)
    return own, len({entry["recipe"] for entry in openings})


def _entry(text: str) -> dict[str, str]:
    """One line; a torn one (power cut) counts as none."""
    try:
        entry: dict[str, str] = json.loads(text)
    except ValueError:
        return {}
    return entry
