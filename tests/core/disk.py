"""A file system whose N-th call fails, writes half, or is the last before the process is killed."""

import errno
import io
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

CALLS = ("open", "fsync", "replace", "mkdir", "unlink", "rmdir")
Fault = Literal["ENOSPC", "EIO", "EACCES", "short", "killed"]
ERRORS: tuple[Fault, ...] = ("ENOSPC", "EIO", "EACCES", "short")


class Killed(BaseException):
    """The process ended here; nothing that follows has an effect."""


class Disk:
    """Counts what is asked of the file system, and lets call number `at` go wrong.

    Args:
        at: Which call, from 1.
        fault: An error of the system at that call alone; `short`: half of the bytes are written,
            then the disk is full; `killed`: that call and all later ones do nothing.
    """

    def __init__(self, at: int, fault: Fault) -> None:
        self.at, self.fault, self.count = at, fault, 0
        self._real = {name: getattr(os, name) for name in CALLS}
        self._open = io.open

    @property
    def reached(self) -> bool:
        """Whether there was a call with that number."""
        return self.count >= self.at

    def trying(self, patch: pytest.MonkeyPatch) -> None:
        """Put this in the place of the system's calls."""
        for name in CALLS:
            patch.setattr(os, name, self._counted(name))
        patch.setattr(io, "open", self._open_file)
        patch.setattr("bakeoff.core.arrays.save_file", self._save_file)

    def call(self) -> bool:
        """Count a call; whether it writes half only."""
        self.count += 1
        if self.fault == "killed" and self.reached:
            raise Killed
        if self.fault == "short" and self.count > self.at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.count == self.at and self.fault != "short":
            code = getattr(errno, self.fault)
            raise OSError(code, os.strerror(code))
        return self.count == self.at

    def _counted(self, name: str) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            if self.fault != "short":  # a full disk lets everything but writes pass
                self.call()
            # Only a power cut would show whether a sync was real, and it takes most of the time.
            return None if name == "fsync" else self._real[name](*arguments, **named)

        return counted

    def _open_file(self, file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if "w" not in mode and "x" not in mode:
            return self._open(file, mode, *arguments, **named)
        assert "b" in mode
        if self.fault != "short":
            self.call()
        return io.BufferedWriter(_Raw(self, file, mode.replace("b", "")))

    def _save_file(self, arrays: Any, path: Path, metadata: Any) -> None:
        """As safetensors does: a system's error comes wrapped in its own."""
        save_file(arrays, path, metadata)
        try:
            if self.call():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            path.unlink()
            wrapped = (
                f"Error while serializing: I/O error: {error.strerror} (os error {error.errno})"
            )
            raise SafetensorError(wrapped) from None
        except Killed:
            with self._open(path, "r+b") as stream:
                stream.truncate(path.stat().st_size // 2)
            raise


class _Raw(io.FileIO):
    """An unbuffered file that counts its writes."""

    def __init__(self, disk: Disk, file: Any, mode: str) -> None:
        super().__init__(file, mode)
        self._disk = disk

    def write(self, data: Any) -> int:
        half = self._disk.call()
        return super().write(data[: len(data) // 2] if half else data)


def each_call(fault: Fault) -> Iterator[Disk]:
    """Disks that fail at the first call, the second, ... until what runs on them asks no more."""
    for number in itertools.count(1):
        disk = Disk(number, fault)
        yield disk
        if not disk.reached:
            assert number > (1 if fault == "short" else 3), "hardly anything was asked of it"
            return


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"NOT TESTED ON A REAL FULL DISK: no mount: {error}")
    if done.returncode:
        pytest.skip(f"NOT TESTED ON A REAL FULL DISK: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
