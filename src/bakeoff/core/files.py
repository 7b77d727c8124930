"""Writing that is whole or not at all, and the hashes that prove it."""

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bakeoff.core.errors import DiskError

_OLD = "bakeoff-old"
_SCRAP = re.compile(rf"\.(.+)\.(?:[0-9a-f]{{8}}\.partial|{_OLD})")
"""What is being written: the file's or folder's name, and something random. Or a folder that is
being replaced, by a name that nobody gives to their own."""


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spare white space: equal values, equal bytes.

    Raises:
        ValueError: for NaN or infinity, which JSON does not know.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def pretty_json(value: Any) -> bytes:
    """JSON for people: indented, in the order given, ending in a line feed.

    A list of plain values takes one line.

    Raises:
        ValueError: for NaN or infinity, which JSON does not know.
    """
    return (_pretty(value, "\n") + "\n").encode()


def _pretty(value: Any, line: str) -> str:
    """JSON of a value that begins in a line indented as `line` says."""
    inner, nested = line + " ", (dict, list, tuple)
    if isinstance(value, dict) and value:
        names = [name if isinstance(name, str) else json.dumps(name) for name in value]
        lines = [
            f"{json.dumps(name, ensure_ascii=False)}: {_pretty(content, inner)}"
            for name, content in zip(names, value.values(), strict=True)
        ]
        return "{" + inner + f",{inner}".join(lines) + line + "}"
    if isinstance(value, list | tuple) and any(isinstance(content, nested) for content in value):
        return "[" + inner + f",{inner}".join(_pretty(v, inner) for v in value) + line + "]"
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def digest(data: bytes) -> str:
    """SHA-256, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by relative POSIX path, sorted.

    What a killed write left half done is no file of the folder.
    """
    files = {p.relative_to(folder): p for p in folder.rglob("*") if p.is_file()}
    whole = sorted(name for name in files if not any(map(_SCRAP.fullmatch, name.parts)))
    return {name.as_posix(): file_digest(files[name]) for name in whole}


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn an OSError while writing into one line that names the file and the reason."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"cannot write {what}: {error.strerror or error}") from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that either the old or the new content is there, whatever happens.

    Raises:
        DiskError: where the disk is full or the folder cannot be written.
    """
    with new_file(path) as partial:
        partial.write_bytes(data)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Fill a temporary file, then put it in the place of `path` in one step.

    Raises:
        DiskError: where the disk is full or the folder cannot be written.
    """
    with disk_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = _partial(path)
        try:
            yield partial
            _sync_file(partial)
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a temporary folder, then put it in the place of `path` in one step.

    The old folder, if any, is moved aside, to a hidden name, before the new one takes its place, so
    that one of the two is always whole; `recover_folder` chooses between them. One process at a
    time may write a folder.

    Raises:
        DiskError: where the disk is full or the folder cannot be written.
    """
    with disk_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        recover_folder(path)
        partial, old = _partial(path), _aside(path)
        try:
            partial.mkdir()
            yield partial
            _sync_below(partial)
            if path.exists():
                os.replace(path, old)
            os.replace(partial, path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(DiskError):
                recover_folder(path)
            raise
        shutil.rmtree(old, ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Finish what a kill left half done by `new_folder`: put the old folder back, clear scraps.

    Raises:
        DiskError: where the old folder cannot be put back.
    """
    with disk_errors(str(path)):
        for scrap, whole in _scraps(path.parent.glob(".*")):
            if whole == path:
                _finish(scrap, whole, ignore_errors=True)


def clear_scraps(folder: Path) -> None:
    """Finish all that killed writes left half done below `folder`, where nothing may be writing.

    Raises:
        DiskError: where that cannot be done.
    """
    with disk_errors(str(folder)):
        for scrap, whole in _scraps(folder.rglob(".*")):
            if scrap.exists():  # it may have lain in another
                _finish(scrap, whole, ignore_errors=False)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{_OLD}")


def _scraps(found: Iterable[Path]) -> list[tuple[Path, Path]]:
    """What is half done among these, each with what it is or was to be."""
    matches = [(path, _SCRAP.fullmatch(path.name)) for path in sorted(found)]
    return [(path, path.with_name(match[1])) for path, match in matches if match]


def _finish(scrap: Path, whole: Path, ignore_errors: bool) -> None:
    """Put the old folder back where no new one took its place; remove all else."""
    if scrap == _aside(whole) and not whole.exists():
        os.replace(scrap, whole)
    elif scrap.is_dir():
        shutil.rmtree(scrap, ignore_errors=ignore_errors)
    else:
        scrap.unlink(missing_ok=True)


def _sync_below(folder: Path) -> None:
    """Make all that is in a folder survive a power cut, then the folder."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            _sync_file(path)
    sync_folder(folder)


def _sync_file(path: Path) -> None:
    with path.open("r+b") as stream:
        os.fsync(stream.fileno())
