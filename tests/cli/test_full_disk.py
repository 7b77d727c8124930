"""A disk that fills up on the way: one line, exit code 1, and the work done so far is kept."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.calling import PATIENCE, Caller, command, environment

from bakeoff.core.record import read_record

SMALL, LARGE = "330k", "64m"
LIMIT = 100_000
"""Bytes a file may have: a predictions file has more."""


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of a few hundred KiB at `folder`; skips the test where none can be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "bakeoff-test", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"NO SMALL DISK TO FILL: cannot mount one here ({error})")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def run(study: Path, out: Path, work: Path, before: str = "") -> tuple[int, str, str]:
    """A quiet run in a process of its own; `before`: Python to be executed there first."""
    code = f"import os, sys\n{before}\nos.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *command("run", study, "--out", out, "-q")],
        cwd=work,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def records(out: Path) -> list[str]:
    """The cells that are finished."""
    found = sorted(out.glob("cells/*/*/record.json"))
    assert all(read_record(path.parent) is not None for path in found)
    return [path.parent.relative_to(out / "cells").as_posix() for path in found]


def assert_one_line(err: str, reason: str) -> None:
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("bakeoff: cannot write ")
    assert lines[0].endswith(reason)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_full_disk(bakeoff: Caller, tiny: Path, work: Path) -> None:
    out = work / "disk" / "run"
    with small_disk(work / "disk"):
        code, told, err = run(tiny, out, work)
        assert code == 1
        assert told == ""
        assert_one_line(err, "No space left on device")
        kept = records(out)
        assert kept, "the disk holds the first cell"
        assert len(kept) < 4
        code, _, err = run(tiny, out, work)
        assert code == 1
        assert_one_line(err, "No space left on device")
        assert records(out) == kept
        subprocess.run(["mount", "-o", f"remount,size={LARGE}", str(work / "disk")], check=True)
        called = bakeoff("run", tiny, "--out", out)
        assert called.code == 0
        finished = "1 cell was" if len(kept) == 1 else f"{len(kept)} cells were"
        assert called.err.splitlines()[0] == f"{finished} finished before"
        assert bakeoff("verify", out).code == 0
        assert not list(out.rglob("*.partial")), "nothing half written is left"


@pytest.mark.skipif(os.name != "posix", reason="needs resource limits")
def test_files_that_may_not_grow(bakeoff: Caller, tiny: Path, work: Path) -> None:
    """Where no disk can be mounted, a limit of the system does the same."""
    out = work / "run"
    limit = (
        "import resource\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, hard))"
    )
    code, told, err = run(tiny, out, work, limit)
    assert code == 1
    assert told == ""
    assert_one_line(err, "File too large")
    assert records(out) == []
    assert (out / "cells" / "softmax" / "seed-0" / "checkpoints" / "best").is_dir()
    assert bakeoff("run", tiny, "--out", out).code == 0
    assert len(records(out)) == 4
    assert bakeoff("verify", out).code == 0
