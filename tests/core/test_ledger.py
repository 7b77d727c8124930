"""The ledger counts every opening of test data, whoever writes beside us and whatever is torn."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.core.samples import environment

from bakeoff.core.errors import DiskError
from bakeoff.core.ledger import ledger_path, open_test


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BAKEOFF_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "test-openings.jsonl"


def test_cells_and_recipes_are_counted_per_test_set() -> None:
    assert open_test("digits", "softmax", "key0") == (1, 1)
    assert open_test("digits", "softmax", "key1") == (1, 1)  # another seed of the same recipe
    assert open_test("digits", "mlp", "key2") == (1, 2)
    assert open_test("mnist", "mlp", "key3") == (1, 1)
    assert open_test("digits", "softmax", "key0") == (2, 2)


def test_the_ledger_lies_in_the_users_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAKEOFF_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    if sys.platform == "linux":
        assert ledger_path() == Path("/somewhere/bakeoff/test-openings.jsonl")


@pytest.mark.parametrize(
    "torn", [b'{"test": "digits", "rec', b"\x00" * 50, b"\xff\xfe", b"[1]", b"3\n", b"{}", b"\n\n"]
)
def test_a_torn_line_counts_as_none_and_hides_no_other(state: Path, torn: bytes) -> None:
    open_test("digits", "softmax", "key0")
    with state.open("ab") as stream:
        stream.write(torn)
    assert open_test("digits", "mlp", "key1") == (1, 2)
    assert open_test("digits", "mlp", "key1") == (2, 2)
    assert state.read_bytes().count(b'"key1"}\n') == 2


def test_processes_do_not_disturb_each_other(state: Path) -> None:
    program = (
        "import sys\n"
        "from bakeoff.core.ledger import open_test\n"
        "for i in range(60):\n"
        "    open_test('digits', f'recipe {sys.argv[1]} {i}', 'k' * 3000)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(number)],
            env=environment(),
        )
        for number in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert open_test("digits", "mine", "k" * 3000) == (181, 181)
    assert sum(map(bool, state.read_bytes().splitlines())) == 181


@pytest.mark.parametrize("written", [0, 20])
def test_a_full_disk_is_told_and_leaves_the_ledger_usable(
    written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_test("digits", "softmax", "key0")
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[:written])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DiskError, match=r"No space left on device \(BAKEOFF_STATE names") as e:
            open_test("digits", "mlp", "key1")
    assert "\n" not in str(e.value)
    assert open_test("digits", "cnn", "key2") == (1, 2)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(DiskError, match="cannot write the ledger of test openings"):
        open_test("digits", "softmax", "key0")
