"""Records come back as they were written, and what is no record is refused in words."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.core.samples import cell, record

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import DiskError, InputError
from bakeoff.core.record import SCHEMA, Interruption, Record, common_metrics, read_record


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    written = record(
        cell(seed=3, replicate=Replicate(seed=3, fold=1)),
        metrics={"test/accuracy": 1 / 3, "test/log_loss": 1e-300},
        inputs={"teacher": "0" * 16},
        classes=("ä", "b,c"),
        interruptions=(Interruption(phase="train", step=7, bit_equal=False, why="threads"),),
        files={"predictions/test.csv": "f" * 64},
    )
    written.write(tmp_path)
    assert read_record(tmp_path) == written
    content = json.loads((tmp_path / "record.json").read_text())
    assert content["schema"] == SCHEMA == 1
    assert "format" not in content
    assert "optimiser_bytes" not in content["cost"]  # nobody told it


def test_no_record_means_not_finished(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"schema": 1', b'"schema": 2', "schema: input should be 1 (received 2)"),
        (b'"status": "done"', b'"status": "dne"', "status: input should be 'done' or 'diverged'"),
        (b'"key"', b'"kye"', "kye: unknown field; did you mean 'key'?"),
        (b'"seed": 0', b'"seed": "x"', "replicate.seed: input should be a valid integer"),
        (b"0.9", b"NaN", "metrics.test/accuracy: input should be a finite number"),
        (b"{", b"", "Extra data"),
        (b"{", b"\xff", "cannot be read"),
    ],
)
def test_what_is_no_record_is_refused(old: bytes, new: bytes, message: str, tmp_path: Path) -> None:
    record(cell()).write(tmp_path)
    path = tmp_path / "record.json"
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_record(tmp_path)
    assert all(fault.startswith(f"{path}: ") for fault in caught.value.faults)
    assert message in str(caught.value)


def test_every_missing_field_is_told(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"schema": 1, "name": "x"}')
    with pytest.raises(InputError) as caught:
        read_record(tmp_path)
    fields = {name for name, field in Record.model_fields.items() if field.is_required()}
    assert len(caught.value.faults) == len(fields - {"name"})


def test_metrics_that_all_records_have() -> None:
    two = [record(cell(), metrics=dict.fromkeys(names, 1.0)) for names in ("bca", "cad")]
    assert common_metrics(two) == ["a", "c"]
    assert common_metrics([]) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_metrics_are_finite(value: float) -> None:
    with pytest.raises(ValidationError):
        record(cell(), metrics={"test/log_loss": value})


def test_a_record_that_cannot_be_written_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "record.json").mkdir()
    with pytest.raises(DiskError, match="cannot write"):
        record(cell()).write(tmp_path)
