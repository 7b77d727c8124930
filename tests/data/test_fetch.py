"""Tests of downloads, from a server on this machine that misbehaves in every way asked of it."""

import hashlib
import io
import os
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bakeoff.core.errors import DiskError, InputError
from bakeoff.core.offline import offline
from bakeoff.data import catalogue, fetch
from bakeoff.data.cifar10 import CIFAR10
from bakeoff.data.fetch import download, extract
from bakeoff.data.sources import Download, Entry, Member, cached_set, locate

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
DEAD = "http://127.0.0.1:9/f"


@dataclass
class Site:
    """What the server offers, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    """Bytes after which the next connections break off."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


@pytest.fixture
def site() -> Iterator[Site]:
    offered = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            offered.asked.append((self.path, asked))
            content = offered.files.get(self.path[1:])
            if content is None:
                self.send_error(404)
                return
            start = int(asked[6:-1]) if asked and offered.ranges else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content)}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            stop = offered.breaks.pop(0) if offered.breaks else len(content)
            self.wfile.write(content[start : start + stop])

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    offered.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield offered
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


def offer(*urls: str) -> Download:
    return Download("f", urls, SHA256, len(CONTENT))


def test_a_file_is_downloaded_and_kept(site: Site, store: Path) -> None:
    site.files["f"] = CONTENT
    path = download(offer(site.url("f")), store)
    assert path.read_bytes() == CONTENT
    assert download(offer(site.url("f")), store) == path
    assert len(site.asked) == 1
    assert [p.name for p in store.iterdir()] == [path.name]  # no scraps


def test_a_broken_download_goes_on_where_it_broke(site: Site, store: Path) -> None:
    site.files["f"] = CONTENT
    site.breaks = [300_000, 200_000]
    assert download(offer(site.url("f")), store).read_bytes() == CONTENT
    starts = [asked for _, asked in site.asked]
    assert starts[0] is None
    assert all(start is not None for start in starts[1:])
    assert len(starts) == 3


def test_a_later_run_goes_on_too(site: Site, store: Path) -> None:
    site.files["f"] = CONTENT
    site.breaks = [100_000, 0, 0, 0]
    with pytest.raises(InputError, match=r"broke off after 100,000 of 1,048,576 bytes"):
        download(offer(site.url("f")), store)
    (partial,) = store.iterdir()
    assert partial.stat().st_size == 100_000
    assert download(offer(site.url("f")), store).read_bytes() == CONTENT
    assert site.asked[-1] == ("/f", "bytes=100000-")
    assert not partial.exists()


def test_a_server_without_ranges_starts_again(site: Site, store: Path) -> None:
    site.files["f"], site.ranges, site.breaks = CONTENT, False, [100_000]
    assert download(offer(site.url("f")), store).read_bytes() == CONTENT


def test_the_next_mirror_goes_on_with_what_the_first_gave(site: Site, store: Path) -> None:
    site.files["b/f"] = CONTENT
    item = offer(DEAD, site.url("missing"), site.url("b/f"))
    assert download(item, store).read_bytes() == CONTENT
    assert [path for path, _ in site.asked] == ["/missing", "/b/f"]
    for path in store.iterdir():
        path.unlink()
    site.files["a/f"] = CONTENT
    site.breaks = [500_000, 0, 0, 0]
    assert download(offer(site.url("a/f"), site.url("b/f")), store).read_bytes() == CONTENT
    assert site.asked[-1] == ("/b/f", "bytes=500000-")


def test_wrong_content_is_never_placed(site: Site, store: Path) -> None:
    site.files |= {"bad": CONTENT[:-1] + b"x", "page": b"<html>sign in</html>", "f": CONTENT}
    with pytest.raises(InputError) as caught:
        download(offer(site.url("bad"), site.url("page"), DEAD), store)
    lines = caught.value.faults
    assert lines[0] == "cannot download f:"
    received = hashlib.sha256(site.files["bad"]).hexdigest()
    assert (
        f"bad: not the published file (SHA-256 {received[:12]}... received, "
        f"{SHA256[:12]}... needed)"
    ) in lines[1]
    assert "page: not the published file" in lines[2]
    assert "refused" in lines[3]
    assert list(store.iterdir()) == []
    item = offer(site.url("bad"), site.url("f"))
    assert download(item, store).read_bytes() == CONTENT


def test_a_wrong_beginning_is_thrown_away(site: Site, store: Path) -> None:
    site.files["f"] = CONTENT
    for wrong in (b"x" * 1000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)):
        (store / f"{SHA256[:12]}-f.part").write_bytes(wrong)
        path = download(offer(site.url("f")), store)
        assert path.read_bytes() == CONTENT
        path.unlink()


def test_a_server_that_sends_too_much_is_cut_off(site: Site, store: Path) -> None:
    site.files["f"] = CONTENT * 3
    with pytest.raises(InputError, match="sent more than the 1,048,576 bytes"):
        download(offer(site.url("f")), store)
    assert list(store.iterdir()) == []


def test_progress_is_shown_on_a_terminal_only(
    site: Site, store: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["f"] = CONTENT
    path = download(offer(site.url("f")), store)
    assert capfd.readouterr() == ("", "")
    path.unlink()
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    download(offer(site.url("f")), store)
    shown = terminal.getvalue()
    assert f"{path.name}.part" in shown
    assert "B/s" in shown
    assert not shown.endswith("\x1b[?25l")  # the cursor is not left hidden


def test_a_simple_terminal_gets_no_bar(
    site: Site, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["f"] = CONTENT
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "dumb")
    download(offer(site.url("f")), store)
    assert terminal.getvalue() == ""


def test_a_damaged_file_of_an_earlier_time_is_replaced(site: Site, store: Path) -> None:
    site.files["f"] = CONTENT
    path = download(offer(site.url("f")), store)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert download(offer(site.url("f")), store).read_bytes() == CONTENT


def archive_bytes(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(path: str, content: bytes) -> Member:
    return Member(path, hashlib.sha256(content).hexdigest(), len(content))


def test_only_the_listed_files_leave_an_archive(tmp_path: Path) -> None:
    link = tarfile.TarInfo("in/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    entries = [
        (tarfile.TarInfo("../evil"), b"x"),
        (tarfile.TarInfo("/absolute"), b"x"),
        (link, b""),
        (tarfile.TarInfo("./in/good"), b"good"),
        (tarfile.TarInfo("in/extra"), b"x"),
    ]
    (tmp_path / "a.tar.gz").write_bytes(archive_bytes(entries))
    folder = tmp_path / "below" / "out"
    folder.mkdir(parents=True)
    extract(tmp_path / "a.tar.gz", (member("in/good", b"good"),), folder)
    assert [p.name for p in (tmp_path / "below").rglob("*") if p.is_file()] == ["good"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (member("in/other", b"good"), "lacks in/other"),
        (member("in/good", b"goof"), "in/good is not the published file"),
        (member("in/good", b"longer"), "in/good has 4 bytes, not 6"),
        (member("in/link", b""), "lacks in/link"),
    ],
)
def test_archives_with_other_content_are_refused(
    tmp_path: Path, wanted: Member, message: str
) -> None:
    link = tarfile.TarInfo("in/link")
    link.type, link.linkname = tarfile.SYMTYPE, "good"
    path = tmp_path / "a.tar.gz"
    path.write_bytes(archive_bytes([(tarfile.TarInfo("in/good"), b"good"), (link, b"")]))
    with pytest.raises(InputError, match=message):
        extract(path, (wanted,), tmp_path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="cannot be unpacked"):
        extract(path, (wanted,), tmp_path)


@pytest.fixture
def small_cifar(
    site: Site, write_toy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Entry:
    """The catalogue's CIFAR-10, with small files on the test's own server."""
    folder = write_toy("cifar10")
    contents = {name: (folder / name).read_bytes() for name in CIFAR10.layouts[0]}
    site.files["c.tar.gz"] = archive_bytes(
        [(tarfile.TarInfo(name), content) for name, content in contents.items()]
    )
    packed = site.files["c.tar.gz"]
    item = Download(
        "c.tar.gz",
        (site.url("c.tar.gz"),),
        hashlib.sha256(packed).hexdigest(),
        len(packed),
        tuple(member(name, content) for name, content in contents.items()),
    )
    entry = Entry(**(vars(CIFAR10) | {"downloads": (item,), "hash": None}))
    monkeypatch.setitem(catalogue.DATASETS, "cifar10", entry)
    return entry


def test_a_set_is_fetched_once_and_loaded(site: Site, small_cifar: Entry, tmp_path: Path) -> None:
    dataset = catalogue.load("cifar10")
    assert len(dataset.train) == 60
    assert dataset.notes == ()
    catalogue.forget()
    with offline():
        catalogue.load("cifar10")
    assert fetch.fetch(small_cifar) == cached_set(small_cifar)
    assert len(site.asked) == 1
    left = [p.name for p in (tmp_path / "cache" / "downloads").iterdir()]
    assert left == ["cifar10.lock"]


def test_several_at_once_download_once(site: Site, small_cifar: Entry) -> None:
    threads = [threading.Thread(target=fetch.fetch, args=(small_cifar,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.asked) == 1
    assert locate(small_cifar) is not None


def test_offline_says_where_it_looked(site: Site, small_cifar: Entry, tmp_path: Path) -> None:
    with offline(), pytest.raises(InputError) as caught:
        catalogue.load("cifar10")
    message = str(caught.value)
    assert "data set 'cifar10' is not on this machine, and downloads are off" in message
    assert f"{tmp_path / 'cache' / 'datasets' / 'cifar10'}: no such folder" in message
    assert site.asked == []


def test_plain_files_are_placed_together(site: Site, tmp_path: Path) -> None:
    site.files |= {"a": b"a", "b": b"b"}
    items = tuple(
        Download(name, (site.url(name),), hashlib.sha256(site.files[name]).hexdigest(), 1)
        for name in ("a", "b")
    )
    fields = vars(CIFAR10) | {"layouts": (("a", "b"),), "downloads": items, "folder": "two"}
    entry = Entry(**fields)
    del site.files["b"]
    with pytest.raises(InputError, match="cannot download b"):
        fetch.fetch(entry)
    assert not cached_set(entry).exists()
    site.files["b"] = b"b"
    folder = fetch.fetch(entry)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"a": b"a", "b": b"b"}
    assert [path for path, _ in site.asked].count("/a") == 1


def test_what_cannot_be_downloaded_says_so() -> None:
    entry = Entry(**(vars(CIFAR10) | {"downloads": ()}))
    with pytest.raises(InputError, match=r"'cifar10' cannot be downloaded; see https://www\.cs"):
        fetch.fetch(entry)


@pytest.mark.skipif(os.name != "posix", reason="needs a place that cannot be written")
def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_CACHE", "/dev/null/cache")
    with pytest.raises(DiskError, match="cannot write /dev/null/cache"):
        fetch.fetch(CIFAR10)
