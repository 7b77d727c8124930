"""The archive of evidence: every bit back, the same bytes every time, open to other tools."""

import io
import json
import lzma
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.core.archive import ARCHIVE, Archive, archive_bytes, open_archive
from bakeoff.core.errors import InputError
from bakeoff.core.table import Table

N = 50


def table(seed: int, ids: int = 0, **more: Any) -> Table:
    """Reduced predictions of N examples; equal `ids`, equal examples."""
    draw, examples = np.random.default_rng(seed), np.random.default_rng(100 + ids)
    columns = {
        "id": np.array([f"é{i + ids}" for i in range(N)]),
        "label": examples.integers(-1, 3, N),
        "prediction": draw.integers(0, 3, N),
        "label_probability": draw.random(N, np.float32),
    }
    return Table(columns | more)


FILES = {"plain/seed-0/record.json": b"{}\n", "plain/seed-0/metrics.jsonl": b'{"step": 1}\n'}
TABLES = {
    ("plain/seed-0", "validation"): table(0, ids=7),
    ("plain/seed-0", "test"): table(1),
    ("other/seed-0", "test"): table(2),
}


def written(path: Path, content: bytes) -> Archive:
    (path / ARCHIVE).write_bytes(content)
    return open_archive(path / ARCHIVE)


def members(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(content))) as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar}
        return {name: file.read() for name, file in files.items() if file is not None}


def packed(content: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as tar:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def same(found: Table, expected: Table) -> None:
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
        assert found[name].dtype == expected[name].dtype


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"group": np.arange(N) * 1000},
        {"label_probability": np.full(N, np.nextafter(np.float32(1), np.float32(0)))},
    ],
)
def test_everything_comes_back(tmp_path: Path, more: dict[str, Any]) -> None:
    tables = {place: Table({**t, **more}) for place, t in TABLES.items()}
    found = written(tmp_path, archive_bytes(FILES, tables))
    assert found.files == FILES
    assert set(found.tables) == set(tables)
    for place, expected in tables.items():
        same(found.tables[place], expected)


def test_numbers_come_back_too(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    targets = np.where(np.arange(N) % 9 == 0, np.nan, draw.normal(size=N))
    expected = Table(
        {"id": np.arange(N).astype(str), "target": targets, "prediction": draw.normal(size=N)}
    )
    found = written(tmp_path, archive_bytes({}, {("lms/seed-0", "test"): expected}))
    same(found.tables["lms/seed-0", "test"], expected)


@pytest.mark.parametrize("most", [0, 127, 128, 32767, 32768, 2**40])
def test_whole_numbers_of_any_size(tmp_path: Path, most: int) -> None:
    labels = np.array([-1, most, 0] + [1] * (N - 3))
    expected = Table({**table(0), "label": labels})
    same(
        written(tmp_path, archive_bytes({}, {("a/seed-0", "test"): expected})).tables[
            "a/seed-0", "test"
        ],
        expected,
    )


def test_it_has_the_same_bytes_every_time() -> None:
    assert archive_bytes(FILES, TABLES) == archive_bytes(dict(FILES), dict(TABLES))


def test_examples_that_cells_share_are_there_once() -> None:
    found = members(archive_bytes(FILES, TABLES))
    assert sum(name.endswith("/id.npy") for name in found) == 2
    assert sum(name.endswith("/prediction.npy") for name in found) == 2
    # Other groups of the same ids are other examples.
    others = {("a/seed-0", "test"): Table({**table(1), "group": np.zeros(N, int)})}
    others |= {("b/seed-0", "test"): Table({**table(1), "group": np.ones(N, int)})}
    assert sum(name.endswith("/id.npy") for name in members(archive_bytes({}, others))) == 2


def test_tar_and_numpy_read_it(tmp_path: Path) -> None:
    """What the docs say of it, without us."""
    (tmp_path / ARCHIVE).write_bytes(archive_bytes(FILES, TABLES))
    assert shutil.which("tar")
    subprocess.run(["tar", "xf", ARCHIVE], cwd=tmp_path, check=True)
    assert (tmp_path / "cells/plain/seed-0/record.json").read_bytes() == b"{}\n"
    (folder,) = (
        path.parent
        for path in tmp_path.glob("examples/*/cells.json")
        if ["plain/seed-0", "test"] in json.loads(path.read_text())
    )
    row = json.loads((folder / "cells.json").read_text()).index(["plain/seed-0", "test"])
    right = np.load(folder / "prediction.npy")[row] == np.load(folder / "label.npy")
    expected = TABLES["plain/seed-0", "test"]
    assert right.mean() == (expected["prediction"] == expected["label"]).mean()
    assert np.load(folder / "prediction.npy").dtype == np.int8


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    whole = archive_bytes(FILES, TABLES)
    with pytest.raises(InputError, match=r"cells\.tar\.xz: cannot be read"):
        open_archive(tmp_path / ARCHIVE)
    for damaged in (b"", b"PK\3\4", whole[: len(whole) // 2], lzma.compress(b"no tar" * 200)):
        with pytest.raises(InputError, match=r"cells\.tar\.xz: (not a tar|cannot be read)"):
            written(tmp_path, damaged)


def test_parts_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    content = members(archive_bytes(FILES, TABLES))
    one = next(name for name in content if name.endswith("prediction.npy"))
    row = io.BytesIO()
    np.save(row, np.zeros((1, 3), np.int8))
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    cells = f"{one.rpartition('/')[0]}/cells.json"
    for change in (
        {one: row.getvalue()},
        {one: b"\x93NUMPY"},
        {one: pickled.getvalue()},
        {cells: b"[[1]]"},
        {cells: b"{"},
    ):
        with pytest.raises(InputError, match=r"cells\.tar\.xz: cannot be read"):
            written(tmp_path, packed(content | change))
