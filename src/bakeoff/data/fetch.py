"""Downloads: from mirrors in turn, resumed, checked by SHA-256, placed whole or not at all."""

import logging
import os
import re
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator
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
    pooch = import_module("pooch")
    name = f"{item.sha256[:12]}-{Path(item.file).name}"
    downloader = ResumingDownloader(store / f"{name}.part", item.size_bytes)
    failures = []
    for url in item.urls:
        for _ in range(2):
            resumed = downloader.partial.exists()
            try:
                with _quiet(pooch.get_logger()):
                    pooch.retrieve(url, f"sha256:{item.sha256}", name, store, None, downloader)
                return store / name
            except ValueError:  # pooch's word for the wrong checksum
                failures.append(f"{url}: not the published file (its SHA-256 differs)")
            except DownloadError as error:
                failures.append(f"{url}: {error}")
                break
            if not resumed:
                break  # wrong from its first byte; else once more from there
    raise InputError([f"cannot download {item.file}:", *(f"  {line}" for line in failures)])


class DownloadError(Exception):
    """One mirror failed; the next may not."""


class ResumingDownloader:
    """A downloader for pooch that goes on where an earlier one was cut off.

    Args:
        partial: Where the bytes are gathered; left behind when the connection breaks.
        size_bytes: The size of the whole file; a mirror that sends more is not believed.
    """

    def __init__(self, partial: Path, size_bytes: int) -> None:
        self.partial = partial
        self.size_bytes = size_bytes

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        """Download `url` to `output_file`.

        Raises:
            DownloadError: where the mirror refuses, or breaks off too often.
            DiskError: where the file cannot be written.
        """
        _logger.info("downloading %s", url)
        for attempt in range(ATTEMPTS):
            if self._size() == self.size_bytes:
                break  # all there since an earlier time; pooch checks it
            try:
                self._receive(url)
                break
            except _BrokenOff as error:
                if attempt == ATTEMPTS - 1:
                    raise DownloadError(str(error)) from None
                time.sleep(0.25 * 2**attempt)
        with disk_errors(output_file):
            os.replace(self.partial, output_file)

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
                self.partial.unlink()
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
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _store(self, chunks: Iterator[bytes], start: int, total: int) -> None:
        received = start
        broken = None
        with disk_errors(str(self.partial)):
            stream = self.partial.open("ab" if start else "wb")
        with stream, _bar(self.partial.name, total, start) as advance:
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
                with disk_errors(str(self.partial)):
                    stream.write(chunk)
                advance(len(chunk))
        if received > self.size_bytes:
            self.partial.unlink()
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
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Pooch tells where it puts a file; we tell it ourselves, when asked to."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _bar(name: str, total: int, start: int) -> Iterator[Any]:
    """A progress bar on a terminal, nothing elsewhere; yields the function that advances it."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    tqdm = import_module("tqdm").tqdm
    with tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=name, leave=False) as bar:
        yield bar.update


def _range_start(answer: Any) -> int | None:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found.group(1)) if found else None


def _reason(error: Exception) -> str:
    """The innermost cause in one line; requests wraps it three times."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return f"{type(cause).__name__}: {cause}".splitlines()[0][:200]
