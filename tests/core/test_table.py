"""Tables, and CSV that gives back exactly what was written."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.core.errors import InputError
from bakeoff.core.table import Table, concatenate, csv_bytes, read_csv

SINGLES = st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def read(data: bytes, name: str = "x.csv") -> dict[str, list[str]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return read_csv(path)


def test_columns_have_one_length() -> None:
    with pytest.raises(ValueError, match=r"differ in length: \{'a': 2, 'b': 3\}"):
        Table({"a": np.zeros(2), "b": np.zeros(3)})


def test_a_table_is_a_mapping_of_columns() -> None:
    table = Table({"id": np.array(["a", "b", "c"]), "scores": np.arange(6).reshape(3, 2)})
    assert (list(table), len(table), table.length) == (["id", "scores"], 2, 3)
    assert Table({}).length == 0
    assert table.take(np.array([2, 0]))["scores"].tolist() == [[4, 5], [0, 1]]
    assert table.take(slice(1, None))["id"].tolist() == ["b", "c"]
    both = concatenate([table, table.take(slice(0, 1))])
    assert both["id"].tolist() == ["a", "b", "c", "a"]
    assert both["scores"].shape == (4, 2)


@settings(max_examples=100, deadline=None)
@given(values=SINGLES)
def test_single_precision_survives_csv_bit_by_bit(values: list[float]) -> None:
    written = np.array(values, dtype=np.float32)
    data = csv_bytes(["p"], ([v] for v in written.astype(np.float64).tolist()))
    back = np.array(read(data)["p"], dtype=np.float32)
    assert back.tobytes() == written.tobytes()


@settings(max_examples=100, deadline=None)
@given(
    names=st.lists(TEXTS, min_size=2, max_size=2, unique=True),
    rows=st.lists(st.tuples(TEXTS, TEXTS), max_size=5),
)
def test_any_text_survives_csv(names: list[str], rows: list[tuple[str, str]]) -> None:
    back = read(csv_bytes(names, iter(rows)))
    # A byte order mark, which Excel puts first, is no part of the first column's name.
    first = names[0].removeprefix("\ufeff")
    assert list(zip(back[first], back[names[1]], strict=True)) == rows


def test_files_have_line_feeds_and_quotes_where_needed() -> None:
    data = csv_bytes(["id", "name"], iter([[1, 'a "b", c'], [2, "d\re"]]))
    assert data == b'id,name\n1,"a ""b"", c"\n"2","d\re"\n'


def test_gzip_and_the_byte_order_mark_are_read() -> None:
    assert read(gzip.compress(b"a,b\n1,2\n"), "x.csv.gz") == {"a": ["1"], "b": ["2"]}
    assert read("\ufeffa,b\r\n1,ä\r\n\r\n".encode()) == {"a": ["1"], "b": ["ä"]}
    assert read(b"a,b\n") == {"a": [], "b": []}


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        pytest.param(b"", "x.csv", "empty", id="empty"),
        pytest.param(b"\n\n", "x.csv", "empty", id="blank"),
        pytest.param(b"a,b\n1,\xff\n", "x.csv", "cannot be read as CSV", id="not UTF-8"),
        pytest.param(b"a,b\n1,2\n", "x.csv.gz", "cannot be read as CSV", id="not gzip"),
        pytest.param(
            gzip.compress(b"a,b\n1,2\n" * 99)[:-12], "x.csv.gz", "cannot be read", id="cut gzip"
        ),
        pytest.param(
            gzip.compress(b"")[:10] + b"\xff" * 30, "x.csv.gz", "cannot be read", id="broken gzip"
        ),
        pytest.param(
            b'a,b\n"1\n1",2\n\n3\n', "x.csv", "line 5 has 1 fields, header 2", id="short row"
        ),
        pytest.param(b"a,b,a\n1,2,3\n", "x.csv", "more than one column is named 'a'", id="twice"),
    ],
)
def test_files_that_are_no_tables_are_refused(data: bytes, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(data, name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: cannot be read as CSV.*No such file"):
        read_csv(tmp_path / "none.csv")


def test_rows_alone_go_behind_others() -> None:
    rows = [["a", 1.5], ["b", 2.0]]
    whole = csv_bytes(["id", "n"], iter(rows))
    assert csv_bytes(["id", "n"], iter(rows[:1])) + csv_bytes(None, iter(rows[1:])) == whole
