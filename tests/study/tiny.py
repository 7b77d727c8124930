"""Small studies of digits, run here or as processes of their own, and what to compare of them."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bakeoff.core.cell import Cell
from bakeoff.core.files import pretty_json
from bakeoff.core.frozen import plain
from bakeoff.core.ledger import ledger_path
from bakeoff.core.record import Record
from bakeoff.core.store import Store
from bakeoff.execution.cells import Cells
from bakeoff.execution.local import run_cells
from bakeoff.execution.signals import Interruptions
from bakeoff.study.manifest import write_manifest
from bakeoff.study.prepare import cells_of, prepare
from bakeoff.study.run import Finished, Options
from bakeoff.study.study import Study
from bakeoff.training.observers import Silent

SOURCE = Path(__file__).resolve().parents[2] / "src"
QUICK = {"technique": "softmax", "training": {"epochs": 1}}
"""A cell of some milliseconds."""
FAILING = {
    "technique": "softmax",
    "features": {"name": "patches", "size": 3, "grid": 1, "atoms": 8, "patches": 4},
}
"""A cell that fails when it is fitted: what is wrong with it is not seen before."""


def study(**changes: Any) -> Study:
    """The majority against a brief softmax regression; one seed, a declared margin.

    One thread: on a busy machine several wait for each other longer than they compute.
    """
    content: dict[str, Any] = {
        "question": "Does learning pay?",
        "dataset": "digits",
        "margin": 0.01,
        "seeds": {"exactly": 1},
        "control": {"technique": "majority"},
        "variants": {"softmax": QUICK},
    }
    content |= changes
    content["control"] = {"numerics": {"threads": 1}} | content["control"]
    return Study.parse(content)


def run(out: Path, given: Study | None = None, **options: Any) -> Finished:
    """Run a study in this process."""
    return (given or study()).run(out, Options(**options))


def cells(given: Study, seeds: Sequence[int] = (0,)) -> list[Cell]:
    """Its cells."""
    ready = prepare(given)
    return list(cells_of(ready, ready.planned, ready.replicates(seeds)).values())


def run_alone(out: Path, given: Sequence[Cell], **options: Any) -> dict[str, Record]:
    """Run cells without a study around them; records by folder."""
    outcome = run_cells(Cells(given, Store(out), **options), Interruptions())
    assert not outcome.failures, outcome.failures
    return {cell.folder: outcome.records[cell.key] for cell in given}


class Watch:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.finished: list[str] = []
        self.cached: list[str] = []
        self.failed_: dict[str, str] = {}
        self.noted: list[str] = []

    def note(self, line: str) -> None:
        """Something to know."""
        self.noted.append(line)

    def begin(self, cell: Cell, number: int, total: int) -> Silent:
        """A cell starts."""
        self.begun.append(cell.folder)
        return Silent()

    def done(self, cell: Cell, record: Record, cached: bool) -> None:
        """A cell is finished."""
        (self.cached if cached else self.finished).append(cell.folder)

    def failed(self, cell: Cell, message: str) -> None:
        """A cell crashed."""
        self.failed_[cell.folder] = message


def bits(out: Path, *, splits: Sequence[str] = ("validation", "test")) -> dict[str, bytes]:
    """Weights and predictions of finished cells."""
    names = ("model.safetensors", *(f"{split}.csv" for split in splits))
    finished = [path.parent for path in out.glob("cells/*/*/record.json")]
    files = [path for cell in finished for path in cell.rglob("*") if path.name in names]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(files)}


def records(out: Path) -> dict[str, tuple[int, bytes]]:
    """When every record was written, and what it says."""
    paths = sorted(out.glob("cells/*/*/record.json"))
    return {str(p.relative_to(out)): (p.stat().st_mtime_ns, p.read_bytes()) for p in paths}


def openings() -> list[dict[str, Any]]:
    """The ledger's lines."""
    path = ledger_path()
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def change_json(path: Path, changes: dict[str, Any]) -> None:
    """Set fields of a JSON file by dotted path."""
    content = json.loads(path.read_text())
    for name, value in changes.items():
        *way, last = name.split("|")
        inner = content
        for part in way:
            inner = inner[part]
        assert last in inner
        inner[last] = value
    path.write_bytes(pretty_json(content))


def forge(out: Path) -> None:
    """Make the manifest fit what is there."""
    write_manifest(out)


def command(given: Study, out: Path, *options: str) -> list[str]:
    """`bakeoff run` of that study."""
    file = out.with_suffix(".study.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(plain(given)))
    start = [sys.executable, "-c", "from bakeoff.cli import main; main()"]
    return [*start, "run", str(file), "--out", str(out), *options]


def start(arguments: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
    """A process that finds the package."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        arguments,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def finish(arguments: Sequence[str], seconds: float = 120, **options: Any) -> tuple[int, str, str]:
    """Run a process to its end: exit code, stdout, stderr."""
    process = start(arguments, **options)
    told, errors = process.communicate(timeout=seconds)
    return process.returncode, told, errors
