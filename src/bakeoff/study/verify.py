"""Verifying: every reported number recomputed from the predictions, every file against its hash.

Needs NumPy and SciPy, never torch, and none of the data.
"""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bakeoff.core.cell import Replicate
from bakeoff.core.cell_files import cell_name
from bakeoff.core.errors import InputError
from bakeoff.core.files import pretty_json
from bakeoff.core.frozen import flatten
from bakeoff.core.measures import measure_of
from bakeoff.core.recipe import renamed
from bakeoff.core.record import CURVES, Record
from bakeoff.core.table import scored_hash
from bakeoff.core.tasks import task_of
from bakeoff.report import made_here, page
from bakeoff.study.fold_results import choose_best
from bakeoff.study.folder import Folder, cell_folder, open_folder
from bakeoff.study.looks import plan_looks
from bakeoff.study.manifest import MANIFEST, check_manifest
from bakeoff.study.plan import asked_of
from bakeoff.study.results import results, standings
from bakeoff.study.statistics import default_margin
from bakeoff.study.tuning import best, trial_of

Kind = Literal["recomputed", "derived", "attested"]
ROUNDING, TINY = 1e-11, 1e-15
"""Relative and absolute: what another processor's order of sums may change of a number."""


@dataclass
class Verification:
    """What was checked, and what was found to differ.

    Attributes:
        counts: Numbers by how they were checked: `recomputed` from predictions, `derived` from
            those, `attested` by a hash alone (seconds, bytes, loss curves, training metrics).
        rounded: How many of them differ, but by no more than rounding.
        files: Files whose SHA-256 was checked.
        faults: One line for everything that differs.
        notes: One line for everything that could not be checked.
    """

    counts: dict[Kind, int] = field(
        default_factory=lambda: {"recomputed": 0, "derived": 0, "attested": 0}
    )
    rounded: int = 0
    files: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

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
        for record in folder.everything():
            _check_record(folder, record, found)
        _check_folds(folder, found)
        _check_search(folder, found)
        _check_margin(folder, found)
        _check_results(folder, found)
    except Exception as error:
        # A changed byte can make any file unreadable: that is a finding, not a failure to verify.
        found.faults.append(f"cannot be recomputed: {type(error).__name__}: {error}")
    if found.rounded:
        found.notes.append(
            f"{found.rounded} numbers differ by rounding alone, as another processor may sum them"
        )
    return found


def _check_record(folder: Folder, record: Record, found: Verification) -> None:
    """Metrics of the splits whose predictions are there are recomputed; the rest is attested."""
    where = cell_folder(record)
    task = task_of(record.task, record.classes)
    recomputed: dict[str, float] = {}
    for split in record.predicted_splits:
        table = folder.predictions(record, split)
        recomputed |= {f"{split}/{name}": v for name, v in task.metrics(table).items()}
    if record.replicate.fold is not None:
        found.counts["recomputed"] += 1
        _compare(found, f"{where}: hashes.fold", scored_hash(table), record.hashes["fold"])
    for name in sorted({*recomputed, *record.metrics}):
        if name.startswith("train/"):
            found.counts["attested"] += 1
            continue
        found.counts["recomputed"] += 1
        _compare(found, f"{where}: {name}", recomputed.get(name), record.metrics.get(name))
    planned = asked_of(folder.plan)[record.name]
    # Names of other recipes may have changed since; which cells they were is in the key.
    same = renamed(planned["recipe"], {}), renamed(record.recipe, {})
    _compare(found, f"{where}: recipe", *same)
    _check_selected_step(folder, record, found)
    for name, value in record.files.items():
        if folder.files.digest(cell_name(record), name) not in (None, value):
            found.faults.append(f"{where}/{name}: its SHA-256 is not the record's")
    found.counts["attested"] += len(record.cost.model_fields_set)


def _check_selected_step(folder: Folder, record: Record, found: Verification) -> None:
    """The step whose weights were kept follows from the curve, where there is one loop."""
    training = record.recipe.get("training")
    curve = None if training is None else folder.files.read(cell_name(record), CURVES)
    if training is None or curve is None:
        return
    rows = [json.loads(line) for line in curve.decode().splitlines()]
    if len({row["phase"] for row in rows}) != 1:
        return
    best = rows[-1]
    if training["restore_best"]:
        metric = training["select"]
        sign = 1 if measure_of(metric).direction == "max" else -1
        best = max(rows, key=lambda row: sign * row[f"validation/{metric}"])  # the first of equals
    found.counts["derived"] += 1
    _compare(found, f"{cell_folder(record)}: selected_step", best["step"], record.selected_step)


def _check_folds(folder: Folder, found: Verification) -> None:
    """Each example is held out once a repeat; what was chosen on folds follows from them."""
    resampling = folder.resampling
    if resampling is None:
        return
    for name, records in folder.records.items():
        held: dict[tuple[int, int], list[str]] = {}
        for at, record in records.items():
            ids = folder.predictions(record, "fold")["id"].tolist()
            held.setdefault((at.seed, at.repeat), []).extend(ids)
        for (seed, repeat), ids in held.items():
            if len(set(ids)) < len(ids):
                place = f"cells/{name}: seed {seed}, repeat {repeat}"
                found.faults.append(f"{place}: an example is held out more than once")
    final = folder.plan["final"]
    if final is not None:
        found.counts["derived"] += 1
        _compare(found, "plan.json: final: recipe", choose_best(folder), final["recipe"])


def _check_search(folder: Folder, found: Verification) -> None:
    """What a search chose follows from the validation scores of its trials."""
    metric = folder.plan["metric"]
    for name, tried in folder.trials.items():
        entry = folder.plan["recipes"][name]
        trials = [
            trial_of(one["values"], records, metric)
            for one, records in zip(entry["trials"], tried, strict=True)
        ]
        found.counts["derived"] += 1
        chosen = trials[best(trials, metric)].values
        _compare(found, f"plan.json: recipes.{name}: values", chosen, entry["values"])


def _check_margin(folder: Folder, found: Verification) -> None:
    """A default margin follows from the validation score of the control's first cell."""
    plan = folder.plan
    control = plan["recipes"][plan["control"]]
    if plan["margin_source"] != "default" or control["late"]:
        return
    found.counts["derived"] += 1
    seed = plan_looks(plan["seeds"]).seeds[0]
    first = Replicate(seed=seed, fold=None if folder.resampling is None else 0)
    record = folder.records[plan["control"]].get(first)
    name = plan["metric"].partition("/")[2]
    margin = record and default_margin(name, record.metrics[f"validation/{name}"])
    _compare(found, "plan.json: margin", margin, plan["margin"])


def _compare(found: Verification, what: str, is_: object, stated: object) -> None:
    if is_ == stated:
        return
    if _rounded(is_, stated):
        found.rounded += 1
    else:
        found.faults.append(f"{what} is {is_}, the file says {stated}")


def _rounded(is_: object, stated: object) -> bool:
    """Whether both are numbers that differ by rounding alone."""
    if not (isinstance(is_, float) and isinstance(stated, float)):
        return False
    return math.isclose(is_, stated, rel_tol=ROUNDING, abs_tol=TINY)


def _check_results(folder: Folder, found: Verification) -> None:
    """`results.json` and `standings.csv` are made again and compared.

    Another version of the program may tell more numbers, or say things in other words: of its
    results, the numbers and outcomes that both know are compared.
    """
    content = results(folder)
    stated = json.loads((folder.path / "results.json").read_text(encoding="utf-8"))
    made = json.loads(pretty_json(content))
    for name, recipe in made["recipes"].items():
        if "parts" not in stated["recipes"].get(name, {}):
            recipe.pop("parts", None)  # results of before parts of the test split were told apart
    leaves, theirs = _facts(made), _facts(stated)
    every, both = {*leaves, *theirs}, leaves.keys() & theirs.keys()
    same_version = stated.get("program") == made["program"]
    for name in sorted(every if same_version else both):
        found.counts["derived"] += 1
        _compare(found, f"results.json: {name}", leaves.get(name), theirs.get(name))
    if not same_version:
        found.notes.append(
            f"results.json: written by version {stated.get('program', 'unknown')}, this is "
            f"{made['program']}: {len(both)} numbers and outcomes that both know are compared, "
            f"{len(every) - len(both)} more, other words and standings.csv are not"
        )
    else:
        if _words(made) != _words(stated):
            found.faults.append("results.json: differs from what the records give")
        if not _same_table((folder.path / "standings.csv").read_bytes(), standings(content)):
            found.faults.append("standings.csv: differs from what the records give")
    _check_report(folder.path, found)


def _check_report(path: Path, found: Verification) -> None:
    """A report of this version must have the bytes that this version gives it."""
    report = path / "report.html"
    content = report.read_bytes() if report.exists() else None
    if content is None or content == page(path):
        return
    if made_here(content):
        found.faults.append("report.html: differs from what `bakeoff report` makes of this folder")
    else:
        found.notes.append(
            "report.html: not compared, as another version of the program made it; "
            "`bakeoff report` makes it anew"
        )


def _facts(content: Mapping[str, Any]) -> dict[str, float | str]:
    """Every number and every outcome by its path, those in lists too."""
    return {
        path: value
        for path, value in flatten(_by_name(content)).items()
        if type(value) in (int, float) or path.endswith(".outcome")
    }


def _words(content: Mapping[str, Any]) -> dict[str, object]:
    """All else by its path, and where there are numbers."""
    flat = flatten(_by_name(content))
    return {path: "number" if type(value) is float else value for path, value in flat.items()}


def _same_table(stated: bytes, made: bytes) -> bool:
    """Whether two tables are the same but for rounding."""
    if stated == made:
        return True
    tables = [list(csv.reader(io.StringIO(table.decode()))) for table in (stated, made)]
    first, second = ([cell for row in table for cell in [*row, "\n"]] for table in tables)
    return len(first) == len(second) and all(map(_same_cell, first, second))


def _same_cell(stated: str, made: str) -> bool:
    """Whether two cells of a table are the same but for rounding."""
    try:
        return stated == made or _rounded(float(stated), float(made))
    except ValueError:
        return False


def _by_name(value: Any) -> Any:
    """Lists as mappings from position."""
    if isinstance(value, list):
        value = {str(number): inner for number, inner in enumerate(value)}
    if isinstance(value, dict):
        return {name: _by_name(inner) for name, inner in value.items()}
    return value
