"""The ledger of test openings: which recipes were ever scored on a test set on this machine.

Test data is sealed. Every opening is one line in a file of the user's state folder, appended in
one write, so that parallel cells do not disturb each other. A line that a power cut or a full disk
tore counts as none.
"""

import errno
import json
import os
from pathlib import Path
from typing import Any

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
        _append(path, line.encode())
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DiskError(
            f"cannot write the ledger of test openings {path}: {error.strerror or error} "
            "(BAKEOFF_STATE names another folder for it)"
        ) from error
    openings = [entry for text in lines if (entry := _entry(text)).get("test") == test_hash]
    own = sum(entry.get("key") == key for entry in openings)
    return own, len({entry.get("recipe") for entry in openings})


def _append(path: Path, line: bytes) -> None:
    """Add a line in one write, and on a line of its own where the last one was torn.

    (Or where another process is still writing it: that leaves an empty line, which says nothing.)
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        if os.fstat(descriptor).st_size:
            os.lseek(descriptor, -1, os.SEEK_END)
            line = line if os.read(descriptor, 1) == b"\n" else b"\n" + line
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _entry(line: bytes) -> dict[str, Any]:
    """What a line says; a torn one says nothing."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
