"""Verifying: every reported number recomputed from the predictions, every file against its hash.

Needs NumPy and SciPy, never torch, and none of the data.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bakeoff.core.errors import BakeoffError, InputError
from bakeoff.core.files import pretty_json
from bakeoff.core.frozen import flatten
from bakeoff.core.record import Record
from bakeoff.report import page
from bakeoff.study.manifest import MANIFEST, check_manifest
from bakeoff.study.results import Folder, open_folder, results, standings

Kind = Literal["recomputed", "derived", "attested"]


@dataclass
class Verification:
    """What was checked, and what was found to differ.

    Attributes:
        counts: Numbers by how they were checked: `recomputed` from predictions, `derived` from
            those, `attested` by a hash alone (seconds, bytes, loss curves, training metrics).
        files: Files whose SHA-256 was checked.
        faults: One line for everything that differs.
    """

    counts: dict[Kind, int] = field(
        default_factory=lambda: {"recomputed": 0, "derived": 0, "attested": 0}
    )
    files: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.faults


def verify(path: Path) -> Verification:
    """Check a run folder or an evidence folder.

    Raises:
        InputError: where it is no run folder.
    """
    found = Verification()
    if not (path / MANIFEST).exists():
        raise InputError(f"{path}: not the folder of a finished run: it has no {MANIFEST}")
    found.files, changes = check_manifest(path)
    found.faults += changes
    try:
        folder = open_folder(path)
        for records in folder.records.values():
            for record in records.values():
                _check_record(folder, record, found)
        _check_results(folder, found)
    except (BakeoffError, ValueError, KeyError, TypeError, AttributeError) as error:
        # A changed byte can make any file unreadable: that is a finding, not a failure to verify.
        found.faults.append(f"cannot be recomputed: {type(error).__name__}: {error}")
    return found


def _check_record(folder: Folder, record: Record, found: Verification) -> None:
    """Metrics of the splits whose predictions are there are recomputed; the rest is attested."""
    where = f"cells/{record.name}/{record.replicate.folder}"
    recomputed: dict[str, float] = {}
    for split in ("validation", "test"):
        table = folder.predictions(record, split)
        recomputed |= {f"{split}/{n}": v for n, v in folder.task.metrics(table).items()}
    for name, value in record.metrics.items():
        if name.startswith("train/"):
            found.counts["attested"] += 1
            continue
        found.counts["recomputed"] += 1
        if recomputed.get(name) != value:
            found.faults.append(
                f"{where}: {name} is {recomputed.get(name)}, the record says {value}"
            )
    found.counts["attested"] += len(record.cost.model_fields_set)


def _check_results(folder: Folder, found: Verification) -> None:
    """`results.json` and `standings.csv` are made again and compared."""
    content = results(folder)
    stated = json.loads((folder.path / "results.json").read_text(encoding="utf-8"))
    made = json.loads(pretty_json(content))
    leaves, theirs = _numbers(made), _numbers(stated)
    for name in sorted({*leaves, *theirs}):
        found.counts["derived"] += 1
        if leaves.get(name) != theirs.get(name):
            found.faults.append(
                f"results.json: {name} is {leaves.get(name)}, the file says {theirs.get(name)}"
            )
    if made != stated and leaves == theirs:
        found.faults.append("results.json: differs from what the records give")
    if (folder.path / "standings.csv").read_bytes() != standings(content):
        found.faults.append("standings.csv: differs from what the records give")
    report = folder.path / "report.html"
    if report.exists() and report.read_bytes() != page(folder.path):
        found.faults.append("report.html: differs from what `bakeoff report` makes of this folder")


def _numbers(content: Mapping[str, Any]) -> dict[str, float]:
    """Every number by its path, those in lists too."""
    numbered = json.loads(json.dumps(content), object_hook=_lists_as_mappings)
    leaves = flatten(_lists_as_mappings(numbered))
    return {path: v for path, v in leaves.items() if isinstance(v, int | float)}


def _lists_as_mappings(content: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {str(i): inner for i, inner in enumerate(value)} if isinstance(value, list) else value
        for key, value in content.items()
    }
