"""Tests of reading tables: formats, encodings, and faults by line."""

import csv
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bakeoff.core.errors import InputError
from bakeoff.data.tabular import Rows, kind_of, read_rows


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fault(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_rows(path)
    return "\n".join(caught.value.faults)


def test_csv_with_quotes_line_feeds_and_blank_lines(tmp_path: Path) -> None:
    content = 'text,label\r\n"a, ""b""\nc",x\r\n\r\nd,\r\n'
    rows = read_rows(write(tmp_path / "a.csv", content))
    assert rows == Rows({"text": ['a, "b"\nc', "d"], "label": ["x", None]}, [2, 5])


def test_separators_are_recognised(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path / "a.csv", "text;label\na,b;x\n"))
    assert rows.columns == {"text": ["a,b"], "label": ["x"]}
    assert rows.notes == ("columns are separated by ';'",)
    assert read_rows(write(tmp_path / "a.csv", "text,a;b;c\n1,2\n")).notes == ()


def test_tsv_takes_quotes_as_they_are(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path / "a.tsv", 'text\tlabel\n"Well" he said\tx\n"oh\ty\n'))
    assert rows.columns["text"] == ['"Well" he said', '"oh']
    # Only where that does not fit are they quotes.
    rows = read_rows(write(tmp_path / "a.tsv", 'text\tlabel\n"a\tb"\tx\n'))
    assert rows.columns["text"] == ["a\tb"]


def test_very_long_fields(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = "word " * 200_000
    rows = read_rows(write(tmp_path / "a.csv", f"text,label\n{long},x\n"))
    assert rows.columns["text"] == [long]
    assert csv.field_size_limit() == before


def test_packed_files_and_encodings(tmp_path: Path) -> None:
    content = "text,label\né,x\n"
    for name, data in (
        ("a.csv.gz", gzip.compress(content.encode())),
        ("a.csv", content.encode("utf-8-sig")),
        ("b.csv", content.encode("utf-16")),
    ):
        rows = read_rows(write(tmp_path / name, data))
        assert rows.columns == {"text": ["é"], "label": ["x"]}, name


def test_lines_that_are_not_utf8_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\nok,x\ncafé,y\nthé,y\n".encode("cp1252"))
    message = fault(path)
    assert "2 lines are not UTF-8, the first is line 3: café,y" in message
    assert "iconv -f cp1252 -t utf-8 a.csv" in message
    assert "begins as UTF-16 but is not" in fault(write(path, b"\xff\xfea"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty, where a header and rows are needed"),
        ("text,label\n", "no rows"),
        ("text,text\na,b\n", "more than one column is called text"),
        ("text,label\na\nb,x,y\n", "line 2 has 1 fields, the header 2"),
        ('text,label\n"a"b,x\n', "line 2: ',' expected after '\"'"),
        ('text,label\n"a,x\n', "line 2: unexpected end of data"),
        ("a,b\n" + "x\n" * 9, "  and 4 more"),
    ],
)
def test_faults_of_csv(tmp_path: Path, content: str, message: str) -> None:
    assert message in fault(write(tmp_path / "a.csv", content))


def test_faults_of_files(tmp_path: Path) -> None:
    assert "format '.xlsx' is not known (allowed: .csv" in fault(tmp_path / "a.xlsx")
    assert "format '' is not known" in fault(tmp_path / "a")
    assert "no such file" in fault(tmp_path / "a.csv")
    (tmp_path / "b.csv").mkdir()
    assert "is a folder, not a file" in fault(tmp_path / "b.csv")
    assert "cannot be read" in fault(write(tmp_path / "c.csv.gz", b"no gzip"))


def test_json_lines(tmp_path: Path) -> None:
    content = '{"text": "a", "label": 1}\n\n{"text": null, "more": [1]}\n'
    rows = read_rows(write(tmp_path / "a.jsonl", content))
    assert rows.columns == {"text": ["a", None], "label": [1, None], "more": [None, [1]]}
    assert rows.lines == [1, 3]


def test_faults_of_json_lines(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "a"}), "{", "[1]", *["x"] * 9]
    message = fault(write(tmp_path / "a.ndjson", "\n".join(lines)))
    assert "line 2 is not JSON: Expecting property name" in message
    assert "line 3 is no object {...} but [1]" in message
    assert message.endswith("  and 6 more")


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"text": ["a", None], "label": [1, 2]}), path)
    assert read_rows(path) == Rows({"text": ["a", None], "label": [1, 2]}, [1, 2])
    assert "cannot be read as Parquet" in fault(write(path, b"PAR1"))


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = fault(write(tmp_path / "a.parquet", b"PAR1"))
    assert "reading Parquet needs pyarrow: pip install 'bakeoff[parquet]'" in message


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", (".csv", False)),
        ("a.b.TSV", (".tsv", False)),
        ("a.jsonl.gz", (".jsonl", True)),
        ("a.gz", (".gz", True)),
        ("a", ("", False)),
    ],
)
def test_the_name_tells_the_kind(name: str, kind: tuple[str, bool]) -> None:
    assert kind_of(Path(name)) == kind
