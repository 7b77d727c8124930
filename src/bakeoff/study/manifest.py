"""The manifest of a run folder: the SHA-256 of every file that should stay as it is."""

import json
from pathlib import Path

from bakeoff.core.files import digest, disk_errors, folder_digests, pretty_json, write_atomic

SCHEMA = 1
MANIFEST = "manifest.json"
UNLISTED = (".lock", MANIFEST, "index.sqlite", "report.html")
"""Files it does not list: a lock, itself, and what is made from the others."""


def write_manifest(folder: Path) -> None:
    """Write `manifest.json`.

    Raises:
        DiskError: where a file cannot be read or written.
    """
    with disk_errors(str(folder / MANIFEST)):
        listed = _listed(folder)
    write_atomic(folder / MANIFEST, _bytes(listed))


def check_manifest(folder: Path) -> tuple[int, list[str]]:
    """How many files were checked, and a line for each that is missing, new or changed."""
    try:
        text = (folder / MANIFEST).read_bytes()
        listed = dict(json.loads(text)["files"])
        whole = text == _bytes(listed)
    except (OSError, ValueError, KeyError, TypeError):
        return 0, [f"{MANIFEST}: cannot be read"]
    faults = [] if whole else [f"{MANIFEST}: was changed"]
    there = _listed(folder)
    for name in sorted({*there, *listed}):
        if name not in there:
            faults.append(f"{name}: is missing")
        elif name not in listed:
            faults.append(f"{name}: is not in the manifest")
        elif there[name] != listed[name]:
            faults.append(f"{name}: was changed (its SHA-256 differs)")
    return len(there), faults


def _bytes(listed: dict[str, str]) -> bytes:
    return pretty_json({"schema": SCHEMA, "files": listed, "all": digest(repr(listed).encode())})


def _listed(folder: Path) -> dict[str, str]:
    return {name: v for name, v in folder_digests(folder).items() if name not in UNLISTED}
