"""Tests of what readers of texts share."""

from pathlib import Path

import pytest

from bakeoff.core.errors import InputError
from bakeoff.data.text_files import decoded, near_groups, read_bytes

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


def test_decoding_tells_what_was_lost() -> None:
    assert decoded("\ufeffcafé".encode()) == ("café", False)
    assert decoded(b"caf\xe9") == ("caf\ufffd", True)


def test_groups_of_near_copies_are_transitive() -> None:
    texts = [f"{LONG} a b", "other words", f"{LONG} a", "other words", f"{LONG}", "yet another"]
    groups = near_groups(texts)
    assert groups is not None
    assert groups.tolist() == [0, 1, 0, 1, 0, 5]
    assert near_groups(["one text", "another text", "something else"]) is None
    assert near_groups([]) is None


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: cannot be read: No such file"):
        read_bytes(tmp_path / "nowhere")
