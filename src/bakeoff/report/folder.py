"""What a run folder holds, read once: results, records, curves, predictions, pictures."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.core.cell_files import CellFiles, InFolders, cell_files, record_of
from bakeoff.core.errors import InputError
from bakeoff.core.record import CURVES, Record
from bakeoff.core.table import read_csv
from bakeoff.report.results import Results, parse
from bakeoff.report.values import listing, mapping

MOST_PICTURES = 48
MOST_PICTURE_BYTES = 300_000
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class FinishedCell:
    """A finished cell: its files, its name among them, and its record."""

    files: CellFiles
    name: str
    record: Record


@dataclass(frozen=True)
class RunFolder:
    """A run folder, opened.

    Attributes:
        path: Where it is.
        results: Of `results.json`.
        study: The text of `study.yaml`, or None.
        cells: The finished cells that the results are of, by recipe, in the order of their
            replicates. What other settings left behind is not among them.
        final: In a cross-validated study, the cells of the chosen recipe that were scored on test.
    """

    path: Path
    results: Results
    study: str | None
    cells: dict[str, tuple[FinishedCell, ...]]
    final: tuple[FinishedCell, ...] = ()

    def records(self) -> Iterator[Record]:
        """Every record."""
        for cells in (*self.cells.values(), self.final):
            for cell in cells:
                yield cell.record

    def pictures(self) -> list[dict[str, Any]] | None:
        """The items recipes disagree on, as `disagreements.json` lists them; None without it."""
        path = self.path / "artifacts" / "disagreements.json"
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        return [mapping(item) for item in listing(content)][:MOST_PICTURES]

    def image(self, name: str) -> str | None:
        """A PNG of this folder as a data URI; None where it is none, or lies elsewhere."""
        path = self.path / name
        try:
            if not path.resolve().is_relative_to(self.path.resolve()):
                return None
            data = path.read_bytes()
        except (OSError, ValueError):
            return None
        if not data.startswith(_PNG) or len(data) > MOST_PICTURE_BYTES:
            return None
        return "data:image/png;base64," + base64.b64encode(data).decode()


def read_folder(path: Path) -> RunFolder:
    """Open a run folder.

    Raises:
        InputError: where it holds no `results.json`, or one that is no JSON object.
    """
    source = path / "results.json"
    try:
        content = json.loads(source.read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"{source}: not found (needed: the folder of a study that was run)"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{source}: not a JSON object")
    results = parse(content)
    cells = _cells(path, results)
    final: tuple[FinishedCell, ...] = ()
    if results.folds:
        whole = {name: [c for c in own if not _has_fold(c)] for name, own in cells.items()}
        final = tuple(whole.get(results.final.recipe, ())) if results.final else ()
        cells = {name: tuple(filter(_has_fold, own)) for name, own in cells.items()}
    return RunFolder(path, results, _text(path / "study.yaml"), cells, final)


def _has_fold(cell: FinishedCell) -> bool:
    return cell.record.replicate.fold is not None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _cells(path: Path, results: Results) -> dict[str, tuple[FinishedCell, ...]]:
    keys = {recipe.name: recipe.keys for recipe in results.recipes}
    if final := results.final:
        keys[final.recipe] = keys.get(final.recipe, frozenset()) | final.keys
    found: dict[str, list[FinishedCell]] = {}
    files = cell_files(path)
    for name in files.finished():
        try:
            record = record_of(files, name, path)
        except InputError:
            continue  # of another schema: its results are in results.json all the same
        if record is None or record.purpose != "final":
            continue
        if record.key in keys.get(record.name, ()):
            found.setdefault(record.name, []).append(FinishedCell(files, name, record))
    return {name: tuple(sorted(cells, key=_replicate)) for name, cells in found.items()}


def _replicate(cell: FinishedCell) -> tuple[int, int, int]:
    replicate = cell.record.replicate
    return replicate.seed, replicate.repeat, replicate.fold or 0


def metric_rows(cell: FinishedCell) -> list[dict[str, Any]]:
    """The rows of a cell's `metrics.jsonl`; empty where it has none."""
    try:
        lines = (cell.files.read(cell.name, CURVES) or b"").decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    rows = []
    for line in filter(None, lines):
        try:
            rows.append(mapping(json.loads(line)))
        except ValueError:
            continue
    return rows


def labels_and_predictions(cell: FinishedCell, split: str) -> tuple[NDArray[np.int64], ...] | None:
    """Labels and predictions (N,) of a split as class indices; None where there are none.

    Rows without a label are left out.
    """
    try:
        pairs = _pairs(cell, split)
    except (InputError, OSError, EOFError, ValueError):
        return None
    if pairs is None or not pairs.size:
        return None
    known = (pairs >= 0).all(axis=0)
    return pairs[0][known], pairs[1][known]


def _pairs(cell: FinishedCell, split: str) -> NDArray[np.int64] | None:
    """Labels and predictions, (2, N), -1 where unknown; None where there are none.

    Raises:
        InputError, OSError, EOFError, ValueError: where they cannot be read.
    """
    if isinstance(cell.files, InFolders):
        path = cell.files.predictions_file(cell.name, split)
        if not path.is_file():
            return None
        index = {name: i for i, name in enumerate(cell.record.classes)}
        return np.array([[index.get(v, -1) for v in c] for c in _two_columns(path)], np.int64)
    table = cell.files.predictions(cell.record, split)
    return np.array([table["label"], table["prediction"]]) if "label" in table else None


def _two_columns(path: Path) -> tuple[list[str], list[str]]:
    """The columns `label` and `prediction`, without taking all the probabilities apart.

    Raises:
        InputError, OSError, EOFError, ValueError: where the file is no such CSV.
    """
    data = path.read_bytes()
    content = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    if '"' in content:
        columns = read_csv(path)
        return columns.get("label", []), columns.get("prediction", [])
    lines = content.splitlines()
    header = lines[0].split(",") if lines else []
    at = header.index("label"), header.index("prediction")
    rows = [line.split(",", max(at) + 1) for line in lines[1:] if line]
    if any(len(row) <= max(at) for row in rows):
        raise ValueError(f"{path}: a row is too short")
    return [row[at[0]] for row in rows], [row[at[1]] for row in rows]
