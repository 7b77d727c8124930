"""The manifest: every file that should stay as it is."""

import json
from pathlib import Path

import pytest

from bakeoff.core.files import digest
from bakeoff.study.manifest import MANIFEST, UNLISTED, check_manifest, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a manifest of two files, and files that it does not list."""
    (tmp_path / "cells" / "a").mkdir(parents=True)
    (tmp_path / "plan.json").write_text("{}")
    (tmp_path / "cells" / "a" / "report.html").write_text("of a cell")
    for name in UNLISTED:
        (tmp_path / name).write_text("passing")
    (tmp_path / ".plan.json.0123abcd.partial").write_text("half")
    write_manifest(tmp_path)
    return tmp_path


def test_it_lists_what_stays(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    assert content["files"] == {
        "cells/a/report.html": digest(b"of a cell"),
        "plan.json": digest(b"{}"),
    }
    assert check_manifest(folder) == (2, [])


def test_what_is_made_from_the_rest_may_change(folder: Path) -> None:
    (folder / "report.html").write_text("another")
    (folder / "index.sqlite").unlink()
    assert check_manifest(folder) == (2, [])


def test_changed_missing_and_new_files_are_told(folder: Path) -> None:
    (folder / "plan.json").write_text("{ }")
    (folder / "cells" / "a" / "report.html").unlink()
    (folder / "cells" / "new").write_text("")
    count, faults = check_manifest(folder)
    assert count == 2
    assert faults == [
        "cells/a/report.html: is missing",
        "cells/new: is not in the manifest",
        "plan.json: was changed (its SHA-256 differs)",
    ]


def test_a_changed_manifest_is_told(folder: Path) -> None:
    path = folder / MANIFEST
    text = path.read_text()
    for old, new in (('"schema": 1', '"schema": 2'), (" ", "  "), (digest(b"{}"), digest(b"[]"))):
        path.write_text(text.replace(old, new, 1))
        assert f"{MANIFEST}: was changed" in check_manifest(folder)[1]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3, "all": ""}', None])
def test_what_is_no_manifest(folder: Path, text: str | None) -> None:
    (folder / MANIFEST).unlink()
    if text is not None:
        (folder / MANIFEST).write_text(text)
    assert check_manifest(folder) == (0, [f"{MANIFEST}: cannot be read"])
