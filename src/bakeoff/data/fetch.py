"""Downloads: from mirrors in turn, resumed, checked by SHA-256, placed whole or not at all."""

import logging
import os
import re
import sys
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from bakeoff.core.cache import cache_folder
from bakeoff.core.errors import InputError
from bakeoff.core.files import disk_errors, file_digest, new_folder
from bakeoff.data.sources import Download, Entry, Member, cached_set, missing_files

ATTEMPTS = 4
"""Connections to one mirror before the next is tried; each goes on where the last one broke."""
TIMEOUT_SECONDS = (10.0, 60.0)
"""To connect, and between two chunks."""
CHUNK_BYTES = 1 << 16

_logger = logging.getLogger(__name__)


def fetch(entry: Entry) -> Path:
    """Download a set into the cache, unless it is there.

    Several processes may ask at once: one downloads, the others wait and find it done.

    Returns:
        The folder that holds the whole set.

    Raises:
        InputError: where no mirror gave the right bytes, or the set cannot be downloaded at all.
        DiskError: where the cache cannot be written.
    """
    target = cached_set(entry)
    if not entry.downloads:
        raise InputError(f"data set '{entry.name}' cannot be downloaded; see {entry.homepage}")
    with disk_errors(str(target)):
        store = cache_folder() / "downloads"
        store.mkdir(parents=True, exist_ok=True)
    with _only_one(store / f"{target.name}.lock"):
        if not missing_files(entry, target):
            return target
        files = [download(item, store) for item in entry.downloads]
        with new_folder(target) as folder:
            for item, path in zip(entry.downloads, files, strict=True):
                if item.members:
                    extract(path, item.members, folder)
                    path.unlink()
                else:
                    (folder / item.file).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(path, folder / item.file)
    return target


def download(item: Download, store: Path) -> Path:
    """One file, from the first mirror that gives the right bytes.

    Args:
        item: What to download.
        store: An existing folder; what was there half stays, and is gone on with.

    Returns:
        The file in `store`, checked.

    Raises:
        InputError: where no mirror gave the right bytes; says what each one answered.
    """
    name = f"{item.sha256[:12]}-{Path(item.file).name}"
    path, partial = store / name, PartialFile(store / f"{name}.part", item.size_bytes)
    if path.exists() and file_digest(path) == item.sha256:
        return path
    failures = []
    for url in item.urls:
        for _ in range(2):
            resumed = partial.path.exists()
            try:
                partial.complete(url)
            except DownloadError as error:
                failures.append(f"{url}: {error}")
                break
            with disk_errors(str(path)):
                if (found := file_digest(partial.path)) == item.sha256:
                    os.replace(partial.path, path)
                    return path
                partial.path.unlink()
            failures.append(
                f"{url}: not the published file (SHA-256 {found[:12]}... received, "
                f"{item.sha256[:12]}... needed)"
            )
            if not resumed:
                break  # wrong from its first byte; else once more from there
    raise InputError([f"cannot download {item.file}:", *(f"  {line}" for line in failures)])


class DownloadError(Exception):
    """One mirror failed; the next may not."""


class PartialFile:
    """A file that is being downloaded, and goes on where an earlier download was cut off.

    Args:
        path: Where the bytes are gathered; left behind when the connection breaks.
        size_bytes: The size of the whole file; a mirror that sends more is not believed.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path = path
        self.size_bytes = size_bytes

    def complete(self, url: str) -> None:
        """Download what is missing from `url`. Whether the bytes are right is not looked at.

        Raises:
            DownloadError: where the mirror refuses, or breaks off too often.
            DiskError: where the file cannot be written.
        """
        _logger.info("downloading %s", url)
        for attempt in range(ATTEMPTS):
            if self._size() == self.size_bytes:
                return  # all there since an earlier time
            try:
                self._receive(url)
                return
            except _BrokenOff as error:
                if attempt == ATTEMPTS - 1:
                    raise DownloadError(str(error)) from None
                time.sleep(0.25 * 2**attempt)

    def _receive(self, url: str) -> None:
        """Append what is missing to the partial file."""
        requests = import_module("requests")
        start = self._size()
        # Some servers pack .gz files once more, and requests would unpack both.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            answer = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise DownloadError(_reason(error)) from None
        with answer:
            if answer.status_code == 416:  # what is here is longer than the file: no part of it
                self.path.unlink()
                raise _BrokenOff("the server has no such part of the file")
            if answer.status_code not in (200, 206):
                raise DownloadError(f"HTTP {answer.status_code} {answer.reason}")
            if answer.status_code == 200:
                start = 0
            elif _range_start(answer) != start:
                raise DownloadError("the server sent another part of the file than asked for")
            length = answer.headers.get("Content-Length")
            total = start + int(length) if length else self.size_bytes
            self._store(answer.raw.stream(CHUNK_BYTES, decode_content=False), start, total)

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _store(self, chunks: Iterator[bytes], start: int, total: int) -> None:
        received = start
        broken = None
        with disk_errors(str(self.path)):
            stream = self.path.open("ab" if start else "wb")
        with stream, _bar(self.path.name, total, start) as advance:
            while True:
                try:
                    chunk = next(chunks, b"")
                except Exception as error:  # urllib3 has a dozen ways to say so
                    broken = _reason(error)
                    break
                if not chunk:
                    break
                received += len(chunk)
                if received > self.size_bytes:
                    break
                with disk_errors(str(self.path)):
                    stream.write(chunk)
                advance(len(chunk))
        if received > self.size_bytes:
            self.path.unlink()
            raise DownloadError(f"sent more than the {self.size_bytes:,} bytes of the file")
        if broken or received < total:
            why = f" ({broken})" if broken else ""
            raise _BrokenOff(f"broke off after {received:,} of {total:,} bytes{why}")


class _BrokenOff(Exception):
    """The connection ended early; worth another try."""


def extract(archive: Path, members: tuple[Member, ...], folder: Path) -> None:
    """Unpack the listed files of a tar archive, and nothing else.

    Only regular files are read, and only the names of the list are written, so that no entry of an
    archive can place anything elsewhere.

    Raises:
        InputError: where one is missing, no regular file, or has other content.
    """
    wanted = {member.path: member for member in members}
    try:
        with tarfile.open(archive) as entries:
            for entry in entries:
                member = wanted.get(entry.name.removeprefix("./"))
                source = entries.extractfile(entry) if member and entry.isreg() else None
                if member is None or source is None:
                    continue
                if entry.size != member.size_bytes:
                    raise InputError(
                        f"{archive}: {entry.name} has {entry.size:,} bytes, not "
                        f"{member.size_bytes:,}"
                    )
                path = folder / member.path
                path.parent.mkdir(parents=True, exist_ok=True)
                with source, path.open("wb") as out:
                    while chunk := source.read(1 << 20):
                        out.write(chunk)
                if file_digest(path) != member.sha256:
                    raise InputError(f"{archive}: {entry.name} is not the published file")
                del wanted[member.path]
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{archive}: cannot be unpacked: {error}") from None
    if wanted:
        raise InputError(f"{archive}: lacks {', '.join(wanted)}")


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Wait until no other process holds `path`; where the system cannot lock, go on at once."""
    with disk_errors(str(path)):
        stream = path.open("ab")
    with stream:
        try:
            import fcntl
        except ImportError:  # Windows: two downloads at once waste time, nothing more
            yield
            return
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def _bar(name: str, total: int, start: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere; yields the function that advances it."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda count: None
        return
    from rich import progress
    from rich.console import Console

    # Our own console: rich's usual one writes to stdout, which is for results.
    plain = bool(os.environ.get("NO_COLOR"))
    console = Console(file=sys.stderr, color_system=None if plain else "auto")
    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bars:
        console.show_cursor(True)  # a process that is killed must not leave it hidden
        task = bars.add_task(name, total=total, completed=start)
        yield lambda count: bars.advance(task, count)


def _range_start(answer: Any) -> int | None:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found.group(1)) if found else None


def _reason(error: Exception) -> str:
    """The innermost cause in one line; requests wraps it three times."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return f"{type(cause).__name__}: {cause}".splitlines()[0][:200]
