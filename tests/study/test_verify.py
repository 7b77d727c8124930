"""Every byte and every number of a run, checked again."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.study.tiny import SOURCE, change_json, forge

from bakeoff.core.archive import ARCHIVE, archive_bytes, open_archive
from bakeoff.core.errors import InputError
from bakeoff.core.files import file_digest
from bakeoff.core.table import Table
from bakeoff.report import write
from bakeoff.report.assets import maker
from bakeoff.study.evidence import pack
from bakeoff.study.results import write_results
from bakeoff.study.verify import Verification, verify

SKIPPED = ("index.sqlite", ".lock")
CELL = Path("cells", "softmax", "seed-0")


@pytest.fixture
def out(small_run: Path, copy_of: Callable[[Path], Path]) -> Path:
    return copy_of(small_run)


def test_a_finished_run_is_verified(shared_run: Path) -> None:
    found = verify(shared_run)
    assert found.faults == []
    assert found.ok
    # Two splits of five metrics each, nine cells.
    assert found.counts["recomputed"] == 9 * 10
    assert found.counts["derived"] > 300
    assert found.counts["attested"] > 9 * 5
    assert found.files == len([p for p in shared_run.rglob("*") if p.is_file()]) - 4


def test_one_changed_bit_of_any_file_is_found(out: Path) -> None:
    paths = [path for path in sorted(out.rglob("*")) if path.is_file()]
    names = [path.relative_to(out).as_posix() for path in paths]
    assert {"report.html", "manifest.json", "cells/softmax/seed-0/predictions/test.csv"} <= {*names}
    for name, path in zip(names, paths, strict=True):
        if name in SKIPPED:
            continue
        data = path.read_bytes()
        place = len(data) * 2 // 3
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        found = verify(out)
        assert any(name in fault for fault in found.faults), (name, found.faults)
        path.write_bytes(data)
    assert verify(out).ok


def test_a_missing_and_a_new_file_are_found(out: Path) -> None:
    (out / "standings.csv").unlink()
    (out / "new.txt").write_text("")
    found = verify(out).faults
    assert "standings.csv: is missing" in found
    assert "new.txt: is not in the manifest" in found


@pytest.mark.parametrize("name", ["plan.json", "results.json"])
def test_files_that_cannot_be_read_are_findings(out: Path, name: str) -> None:
    (out / name).unlink()
    assert f"{name}: is missing" in verify(out).faults
    (out / name).write_bytes(b"\xff")
    assert not verify(out).ok


def forged(out: Path) -> list[str]:
    """What is found once results, report and manifest were made to fit."""
    write_results(out)
    write(out)
    forge(out)
    return verify(out).faults


def test_a_changed_metric_is_found_though_all_hashes_fit(out: Path) -> None:
    true = json.loads((out / CELL / "record.json").read_text())["metrics"]["test/accuracy"]
    change_json(out / CELL / "record.json", {"metrics|test/accuracy": 0.99})
    assert forged(out) == [f"cells/softmax/seed-0: test/accuracy is {true}, the file says 0.99"]


def test_changed_predictions_are_found_though_the_manifest_fits(out: Path) -> None:
    path = out / CELL / "predictions" / "test.csv"
    lines = path.read_text().splitlines(keepends=True)
    cells = [line.split(",", 3) for line in lines]
    right = next(i for i, (_, label, made, _) in enumerate(cells) if label == made)
    identity, label, _, numbers = cells[right]
    lines[right] = f"{identity},{label},{(int(label) + 1) % 10},{numbers}"
    path.write_text("".join(lines))
    found = forged(out)
    assert any("test/accuracy is" in fault for fault in found)
    assert f"{CELL.as_posix()}/predictions/test.csv: its SHA-256 is not the record's" in found
    # Were the record's hash made to fit as well, the metrics would still tell.
    name = "predictions/test.csv"
    change_json(out / CELL / "record.json", {f"files|{name}": file_digest(path)})
    assert any("test/accuracy is" in fault for fault in forged(out))


def test_changed_weights_and_curves_are_found_though_the_manifest_fits(out: Path) -> None:
    for name in ("checkpoints/best/model.safetensors", "metrics.jsonl"):
        path = out / CELL / name
        path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
        assert f"{CELL.as_posix()}/{name}: its SHA-256 is not the record's" in forged(out)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"selected_step": 3}, "selected_step is 13, the file says 3"),
        ({"recipe|training|l2": 0.5}, "recipe is "),
        ({"metrics|validation/f1_macro": 0.5}, "validation/f1_macro is "),
    ],
)
def test_other_changes_of_a_record_are_found(
    out: Path, changes: dict[str, object], fault: str
) -> None:
    change_json(out / CELL / "record.json", changes)
    assert any(fault in line for line in forged(out))


def test_a_metric_left_out_is_found(out: Path) -> None:
    path = out / CELL / "record.json"
    content = json.loads(path.read_text())
    del content["metrics"]["test/log_loss"]
    path.write_text(json.dumps(content))
    assert any("test/log_loss" in fault for fault in forged(out))


def test_a_changed_default_margin_is_found(
    shared_run: Path, copy_of: Callable[[Path], Path]
) -> None:
    out = copy_of(shared_run)
    margin = json.loads((out / "plan.json").read_text())["margin"]
    change_json(out / "plan.json", {"margin": 0.5})
    assert forged(out) == [f"plan.json: margin is {margin}, the file says 0.5"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"verdicts|0|p_value": 0.5}, "results.json: verdicts.0.p_value is "),
        ({"verdicts|0|ci95|1": 0.5}, "results.json: verdicts.0.ci95.1 is "),
        ({"verdicts|0|outcome": "worse"}, "results.json: verdicts.0.outcome is "),
        ({"verdicts|0|sentence": "Ours."}, "results.json: differs from what the records give"),
        ({"margin": 0.5}, "results.json: margin is "),
    ],
)
def test_changed_results_are_found(
    shared_run: Path,
    copy_of: Callable[[Path], Path],
    changes: dict[str, object],
    fault: str,
) -> None:
    out = copy_of(shared_run)
    content = json.loads((out / "results.json").read_text())
    for way, value in changes.items():
        *parts, last = [int(part) if part.isdigit() else part for part in way.split("|")]
        inner = content
        for part in parts:
            inner = inner[part]
        inner[last] = value
    (out / "results.json").write_text(json.dumps(content, indent=1))
    forge(out)
    assert any(line.startswith(fault) for line in verify(out).faults)


def test_of_another_versions_results_the_common_numbers_are_compared(out: Path) -> None:
    path = out / "results.json"
    content = json.loads(path.read_text())
    content["program"] = "0.0.1"
    content["verdicts"][0]["sentence"] = "As it said then."
    del content["looks"]
    (out / "report.html").unlink()
    path.write_text(json.dumps(content, indent=1))
    forge(out)
    found = verify(out)
    assert found.ok
    (said,) = (note for note in found.notes if note.startswith("results.json"))
    assert "written by version 0.0.1" in said
    content["verdicts"][0]["outcome"] = "worse"
    path.write_text(json.dumps(content, indent=1))
    forge(out)
    assert any("verdicts.0.outcome" in fault for fault in verify(out).faults)


def test_a_forged_report_is_found(out: Path) -> None:
    path = out / "report.html"
    path.write_bytes(path.read_bytes().replace(b"undecided", b"decided", 1))
    forge(out)
    assert verify(out).faults == [
        "report.html: differs from what `bakeoff report` makes of this folder"
    ]


def test_a_report_of_another_version_is_noted(out: Path) -> None:
    path = out / "report.html"
    ours = maker().encode()
    path.write_bytes(path.read_bytes().replace(ours, b"bakeoff 0.0.9 (0123456789ab)", 1) + b"\n")
    found = verify(out)
    assert found.ok
    assert found.notes == [
        "report.html: not compared, as another version of the program made it; "
        "`bakeoff report` makes it anew"
    ]
    write(out)
    assert verify(out).notes == []


def test_the_report_has_the_same_bytes_whenever_it_is_written(out: Path) -> None:
    before = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    assert write(out).read_bytes() == before
    assert verify(out).ok


def test_an_unfinished_folder_is_refused(out: Path) -> None:
    (out / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        verify(out)


def test_neither_verify_nor_pack_needs_torch(small_run: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bakeoff.study.evidence import pack; "
        "from bakeoff.study.verify import verify; source, target = map(Path, sys.argv[1:]); "
        "assert verify(source).ok; pack(source, target); assert verify(target).ok; "
        "print(sorted({'torch', 'sklearn', 'transformers', 'psutil'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(small_run), str(tmp_path / "evidence")],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_changed_evidence_is_found_though_the_manifest_fits(
    shared_run: Path, tmp_path: Path
) -> None:
    path = pack(shared_run, tmp_path / "evidence") / ARCHIVE
    archive, place = open_archive(path), ("softmax/seed-0", "test")

    def forged_with(files: dict[str, bytes], tables: dict[tuple[str, str], Table]) -> list[str]:
        path.write_bytes(archive_bytes(files, tables))
        write_results(path.parent)
        forge(path.parent)
        return verify(path.parent).faults

    guesses = archive.tables[place]["prediction"].copy()
    guesses[0] = (guesses[0] + 1) % 10
    probabilities = archive.tables[place]["label_probability"].copy()
    probabilities[0] = np.nextafter(probabilities[0], np.float32(0))
    for column, changed, metric in (
        ("prediction", guesses, "test/accuracy"),
        ("label_probability", probabilities, "test/log_loss"),
    ):
        table = Table({**archive.tables[place], column: changed})
        faults = forged_with(dict(archive.files), {**archive.tables, place: table})
        assert any(f"cells/softmax/seed-0: {metric} is" in fault for fault in faults)
    curve = archive.files["softmax/seed-0/metrics.jsonl"].replace(b"0", b"1", 1)
    files = {**archive.files, "softmax/seed-0/metrics.jsonl": curve}
    told = "cells/softmax/seed-0/metrics.jsonl: its SHA-256 is not the record's"
    assert told in forged_with(files, dict(archive.tables))
    left = {p: table for p, table in archive.tables.items() if p != place}
    (path.parent / "results.json").write_bytes((shared_run / "results.json").read_bytes())
    path.write_bytes(archive_bytes(dict(archive.files), left))
    forge(path.parent)
    assert any("no test predictions of softmax/seed-0" in f for f in verify(path.parent).faults)
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{ARCHIVE}: was changed (its SHA-256 differs)" in verify(path.parent).faults


def test_rounding_of_another_processor_is_no_difference(shared_run: Path, tmp_path: Path) -> None:
    """The last bit of numbers that are sums, in results and in the table; a digit more is one."""
    place = pack(shared_run, tmp_path / "evidence")
    results, table = place / "results.json", place / "standings.csv"
    told = json.loads(results.read_text(encoding="utf-8"))
    score = told["recipes"]["softmax"]["metrics"]["test/accuracy"]["mean"]
    before = results.read_text(encoding="utf-8"), table.read_text(encoding="utf-8")

    def verified_with(factor: float) -> Verification:
        for path, text in zip((results, table), before, strict=True):
            assert repr(score) in text
            path.write_text(text.replace(repr(score), repr(score * factor)), encoding="utf-8")
        forge(place)
        return verify(place)

    rounded = verified_with(1 + 2**-52)
    assert rounded.ok
    assert rounded.rounded > 0
    assert "differ by rounding alone" in rounded.notes[0]
    changed = verified_with(1 + 1e-9)
    assert any("results.json: " in fault and ".mean is " in fault for fault in changed.faults)
    assert "standings.csv: differs from what the records give" in changed.faults


def test_evidence_is_verified_as_the_run_is(shared_run: Path, tmp_path: Path) -> None:
    evidence, whole = verify(pack(shared_run, tmp_path / "evidence")), verify(shared_run)
    assert evidence.ok
    assert evidence.counts == whole.counts
