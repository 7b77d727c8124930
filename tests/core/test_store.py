"""The run folder: nothing is overwritten, one run at a time writes it, the index can be rebuilt."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.core.samples import cell, environment, record

from bakeoff.core import store as module
from bakeoff.core.cell import Replicate
from bakeoff.core.errors import BakeoffError, DiskError, InputError
from bakeoff.core.record import read_record
from bakeoff.core.store import KEY_FILE, Store, lock

HOLDER = """
import sys, time
from pathlib import Path
from bakeoff.core.store import Store
with Store(Path(sys.argv[1])).locked():
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_run(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A second process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def finish(store: Store, seed: int, **changes: object) -> Path:
    of = cell(seed=seed)
    folder = store.open(of)
    store.commit(folder, record(of, **changes))
    return folder


def test_a_cell_is_finished_once_its_own_record_is_there(tmp_path: Path) -> None:
    store, of = Store(tmp_path), cell()
    assert store.finished(of) is None
    folder = store.open(of)
    assert folder == tmp_path / "cells" / "plain" / "seed-0"
    (folder / "half").write_text("work")
    assert store.finished(of) is None
    store.commit(folder, record(of))
    assert store.finished(of) == record(of)
    assert store.finished(cell(version=2)) is None


def test_unfinished_work_of_the_same_key_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.open(cell()) / "half").write_text("work")
    assert (Store(tmp_path).open(cell()) / "half").read_text() == "work"
    assert not (tmp_path / "superseded").exists()


def test_work_of_another_key_is_put_aside_never_overwritten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for version in (1, 2, 1, 2, 1):
        folder = store.open(cell(version=version))
        assert os.listdir(folder) == [KEY_FILE]
        (folder / "work").write_text(f"of version {version}")
    first, second = cell(version=1).key, cell(version=2).key
    superseded = tmp_path / "superseded"
    assert sorted(os.listdir(superseded)) == sorted([first, f"{first}-2", second, f"{second}-2"])
    for name in os.listdir(superseded):
        version = 1 if name.startswith(first) else 2
        kept = superseded / name / "plain" / "seed-0" / "work"
        assert kept.read_text() == f"of version {version}"


def test_finished_cells_of_another_key_are_kept_with_their_records(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store, 0)
    store.open(cell(version=2))
    assert store.finished(cell()) is None
    kept = tmp_path / "superseded" / cell().key / "plain" / "seed-0"
    assert read_record(kept) == record(cell())


def test_folders_of_unknown_origin_are_put_aside(tmp_path: Path) -> None:
    (tmp_path / "cells" / "plain" / "seed-0").mkdir(parents=True)
    Store(tmp_path).open(cell())
    assert (tmp_path / "superseded" / "unknown" / "plain" / "seed-0").is_dir()


def test_committing_clears_what_only_unfinished_cells_need(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.open(cell())
    for name in ("checkpoints/last/train", "checkpoints/best"):
        (folder / name).mkdir(parents=True)
        (folder / name / "state.json").write_text("{}")
    (folder / "failure.txt").write_text("an earlier one")
    store.commit(folder, record(cell()))
    left = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert left == {"record.json", "checkpoints/best/state.json"}


def test_records_come_by_recipe_in_the_order_of_replicates(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in (10, 2, 0):
        finish(store, seed)
    for fold in (1, 0):
        replicate = Replicate(seed=1, fold=fold)
        of = cell("other", replicate=replicate)
        store.commit(store.open(of), record(of))
    store.open(cell("unfinished"))
    found = store.records()
    assert list(found) == ["other", "plain"]
    assert [r.replicate.seed for r in found["plain"]] == [0, 2, 10]
    assert [r.replicate.fold for r in found["other"]] == [0, 1]


def query(folder: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "index.sqlite")) as database:
        return database.execute(question).fetchall()


def test_the_index_is_rebuilt_from_the_folders(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store, 0, metrics={"test/accuracy": 0.5})
    finish(store, 1, metrics={"test/accuracy": 0.75})
    twin = cell("twin")  # the same key under another name
    store.commit(store.open(twin), record(twin, metrics={"test/accuracy": 0.5}))
    (tmp_path / "index.sqlite").write_bytes(b"no database")
    for _ in range(2):
        store.reindex()
        assert query(tmp_path, "SELECT folder, seed, status FROM cells ORDER BY folder") == [
            ("cells/plain/seed-0", 0, "done"),
            ("cells/plain/seed-1", 1, "done"),
            ("cells/twin/seed-0", 0, "done"),
        ]
    means = "SELECT recipe, avg(value) FROM cells JOIN metrics USING (key) GROUP BY recipe"
    assert query(tmp_path, means) == [("plain", 0.625), ("twin", 0.5)]


def test_an_index_that_cannot_be_written_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").mkdir()
    with pytest.raises(DiskError, match=r"cannot write .*index\.sqlite"):
        Store(tmp_path).reindex()


def test_a_second_process_is_refused_and_let_in_when_the_first_is_killed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with another_run(tmp_path) as process:
        with pytest.raises(BakeoffError, match=r"another run is working in .* wait for it"):
            store.locked().__enter__()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with store.locked():
            pass


def test_a_second_hold_in_this_process_is_refused_too(tmp_path: Path) -> None:
    with lock(tmp_path / ".lock", "held"), pytest.raises(BakeoffError, match=r"^held; wait"):
        lock(tmp_path / ".lock", "held").__enter__()
    with lock(tmp_path / ".lock", "held"):
        pass


def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(stream: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module, "_hold", refuse)
    with pytest.raises(DiskError, match="No locks available"):
        lock(tmp_path / ".lock", "held").__enter__()


def test_a_run_clears_what_a_killed_one_left_half_written(tmp_path: Path) -> None:
    folder = finish(Store(tmp_path), 0)
    for scrap in (folder / ".x.csv.0123abcd.partial", tmp_path / ".plan.json.ffffffff.partial"):
        scrap.write_text("half")
    with Store(tmp_path).locked():
        names = [p.name for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(names) == [".lock", "record.json"]


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_folder_that_cannot_be_written_is_bad_input(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^--out .*: cannot be written: .*\(needed: a folder"):
        Store(tmp_path / "file" / below)


def test_a_folder_without_the_right_to_write_is_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        Store(tmp_path)


def test_many_may_look_at_a_folder_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Store(tmp_path), range(400)))
    assert list(tmp_path.iterdir()) == []
