"""`bakeoff report`, `verify` and `pack`: from a finished run."""

import json
import shutil
from pathlib import Path

from tests.cli.calling import Caller, assert_clear


def test_report(bakeoff: Caller, finished: Path) -> None:
    path = finished / "report.html"
    first = path.read_bytes()
    path.unlink()
    called = bakeoff("report", finished)
    assert called.code == 0
    assert called.out == f"{path}\n"
    assert path.read_bytes() == first


def test_a_report_of_a_changed_run_says_so(bakeoff: Caller, finished: Path) -> None:
    for seed in range(2):
        (finished / f"cells/mlp/seed-{seed}/metrics.jsonl").unlink()
    called = bakeoff("report", finished)
    assert called.code == 0
    assert "not as the run left it: cells/mlp/seed-0/metrics.jsonl: is missing" in called.err


def test_verify(bakeoff: Caller, finished: Path) -> None:
    called = bakeoff("verify", finished)
    assert called.code == 0
    assert called.out.startswith(f"{finished}: verified; numbers: ")
    found = json.loads(bakeoff("verify", finished, "--json").out)
    assert found["ok"] is True
    assert found["faults"] == []
    assert found["recomputed"] > 0
    assert found["derived"] > 0


def test_verify_several(bakeoff: Caller, finished: Path, work: Path) -> None:
    other = work / "other"
    shutil.copytree(finished, other)
    called = bakeoff("verify", finished, other)
    assert called.code == 0
    assert [line.split(":")[0] for line in called.out.splitlines()] == [str(finished), str(other)]
    (other / "notes.txt").write_text("mine", encoding="utf-8")
    called = bakeoff("verify", other, finished)
    assert called.code == 1
    assert called.out.splitlines()[-1].startswith(f"{finished}: verified; ")
    found = json.loads(bakeoff("verify", other, finished, "--json").out)
    assert found["ok"] is False
    assert [(one["folder"], one["ok"]) for one in found["folders"]] == [
        (str(other), False),
        (str(finished), True),
    ]
    assert_clear(bakeoff("verify"))


def test_verify_finds_a_changed_digit(bakeoff: Caller, finished: Path) -> None:
    path = finished / "cells" / "mlp" / "seed-0" / "predictions" / "test.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    columns = lines[1].split(",")
    columns[2] = "1" if columns[2] == "0" else "0"
    path.write_text("\n".join([lines[0], ",".join(columns), *lines[2:]]) + "\n", encoding="utf-8")
    called = bakeoff("verify", finished)
    assert called.code == 1
    assert "cells/mlp/seed-0/predictions/test.csv: was changed" in called.out
    assert "differences; numbers:" in called.out
    assert "Traceback" not in called.err
    found = json.loads(bakeoff("verify", finished, "--json").out)
    assert found["ok"] is False
    assert len(found["faults"]) > 1


def test_a_report_of_another_version_is_a_note(bakeoff: Caller, finished: Path) -> None:
    path = finished / "report.html"
    path.write_bytes(
        path.read_bytes().replace(b'generator" content="', b'generator" content="x', 1)
    )
    called = bakeoff("verify", finished)
    assert called.code == 0
    assert called.out.startswith("note: report.html: not compared, as another version")
    assert len(json.loads(bakeoff("verify", finished, "--json").out)["notes"]) == 1


def test_one_difference(bakeoff: Caller, finished: Path) -> None:
    (finished / "notes.txt").write_text("mine", encoding="utf-8")
    called = bakeoff("verify", finished)
    assert called.code == 1
    assert "notes.txt: is not in the manifest\n" in called.out
    assert ": 1 difference; numbers:" in called.out


def test_pack(bakeoff: Caller, finished: Path, work: Path) -> None:
    target = work / "evidence" / "tiny"
    called = bakeoff("pack", finished, target)
    assert called.code == 0
    assert called.out == f"{target}\n"
    assert bakeoff("verify", target).code == 0
    assert not list(target.rglob("*.safetensors"))


def test_no_run_folder(bakeoff: Caller, work: Path) -> None:
    for command in (["report", "."], ["verify", "."], ["pack", ".", "out"]):
        assert_clear(bakeoff(*command))
    assert list(work.iterdir()) == []
