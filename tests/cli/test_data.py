"""`bakeoff data`: list, path, fetch, check."""

import json
from pathlib import Path

import pytest
from tests.cli.calling import Caller, assert_clear

from bakeoff.cli.data import parse_reference, place
from bakeoff.core.errors import InputError
from bakeoff.core.recipe import FolderSource, TableSource
from bakeoff.data.catalogue import DATASETS


def test_list(bakeoff: Caller) -> None:
    lines = bakeoff("data", "list").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == sorted(DATASETS)
    digits = next(line for line in lines if line.startswith("digits"))
    assert digits.endswith("with a package")
    rows = json.loads(bakeoff("data", "list", "--json").out)
    assert {row["dataset"]: row["train"] for row in rows}["cifar10"] == 50_000
    assert all(row["licence"] and row["homepage"] and row["citation"] for row in rows)


def test_list_says_where(bakeoff: Caller, work: Path) -> None:
    entry = next(e for e in DATASETS.values() if e.layouts)
    assert place(entry.name) == "not here"
    for name in entry.layouts[0]:
        path = work / "data" / str(entry.folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert place(entry.name) == str(Path("data") / str(entry.folder))
    assert bakeoff("data", "path", entry.name).out == f"{place(entry.name)}\n"


def test_path_of_what_has_none(bakeoff: Caller, work: Path) -> None:
    assert "comes with a package" in assert_clear(bakeoff("data", "path", "digits"))
    error = assert_clear(bakeoff("data", "path", "cifar10"))
    assert "not on this machine (looked in data/cifar10, " in error
    assert "did you mean 'cifar10'?" in assert_clear(bakeoff("data", "path", "cifar1O"))


def test_fetch_of_what_is_here(bakeoff: Caller) -> None:
    called = bakeoff("data", "fetch", "digits")
    found, cited = called.out.splitlines()
    assert found == "digits: with a package: 899 train, 898 test"
    assert cited.startswith("digits: Alpaydin, Kaynak 1998")


def test_fetch_offline(bakeoff: Caller) -> None:
    error = assert_clear(bakeoff("data", "fetch", "cifar10", "--offline"))
    assert "data set 'cifar10' is not on this machine, and downloads are off" in error


def test_fetch_is_about_the_catalogue(bakeoff: Caller, work: Path) -> None:
    assert "unknown data set '.'" in assert_clear(bakeoff("data", "fetch", "."))


def test_check(bakeoff: Caller, work: Path) -> None:
    rows = [f"text number {i},{'yes' if i % 2 else 'no'}" for i in range(40)]
    table = work / "mine.csv"
    table.write_text("\n".join(["review,sentiment", *rows, rows[0]]) + "\n", encoding="utf-8")
    called = bakeoff("data", "check", table)
    assert called.code == 0
    assert called.out.startswith(f"{table}: ")
    found = json.loads(bakeoff("data", "check", table, "--json").out)
    assert found["dataset"] == str(table)
    assert sum(found["sizes"].values()) == 41
    assert any(repeat["kind"] == "exact" for repeat in found["repeats"])
    named = bakeoff("data", "check", f"{{table: {table}, text: review, label: sentiment}}")
    assert named.code == 0


def test_what_is_nowhere(bakeoff: Caller, work: Path) -> None:
    assert "no such file or folder" in assert_clear(bakeoff("data", "check", "nope.csv"))
    assert "one of folder, table" in assert_clear(bakeoff("data", "check", "{}"))
    assert "unknown data set 'cifar'" in assert_clear(bakeoff("data", "check", "cifar"))


def test_references(work: Path) -> None:
    (work / "images").mkdir()
    (work / "texts.csv").touch()
    assert parse_reference("digits") == "digits"
    assert parse_reference("images") == FolderSource(folder="images")
    assert parse_reference("texts.csv") == TableSource(table="texts.csv")
    assert parse_reference("{folder: images, size: 8}") == FolderSource(folder="images", size=8)
    assert parse_reference(" {table: a.csv}") == TableSource(table="a.csv")
    for text in ("{folder", "{folder: 3}", "{tables: x}"):
        with pytest.raises(InputError):
            parse_reference(text)
