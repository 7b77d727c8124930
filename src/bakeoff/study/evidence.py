"""Evidence: a run folder reduced to what its numbers need, small enough to commit."""

import gzip
import shutil
from pathlib import Path

from bakeoff.core.errors import InputError
from bakeoff.core.files import new_folder
from bakeoff.core.record import Record
from bakeoff.core.task import task_of
from bakeoff.study.folder import Folder, cell_folder, open_folder
from bakeoff.study.manifest import MANIFEST, check_manifest, write_manifest
from bakeoff.study.plan import PLAN
from bakeoff.study.results import write_results

KEPT = ("study.yaml", PLAN)
KEPT_OF_CELL = ("record.json", "metrics.jsonl")


def pack(source: Path, target: Path) -> Path:
    """Write a run's evidence: study, plan, results, records, curves, reduced predictions.

    Predictions keep the columns their metrics need and are compressed; weights, pictures and texts
    stay behind. `verify` recomputes the same numbers from what is left.

    Args:
        source: A finished run folder.
        target: The evidence folder; an older one is replaced as a whole.

    Raises:
        InputError: where `source` is no finished run or was changed since, or `target` holds
            something else than evidence.
        DiskError: where `target` cannot be written.
    """
    folder = open_folder(source)
    if not folder.everything():
        raise InputError(f"{source}: holds no finished cells")
    if faults := check_manifest(source)[1]:
        raise InputError([f"{source}: not as the run left it, so no evidence of it:", *faults])
    _check_target(source, target)
    with new_folder(target) as partial:
        for name in KEPT:
            shutil.copyfile(source / name, partial / name)
        for record in folder.everything():
            _pack_cell(folder, record, partial / cell_folder(record))
        write_results(partial)
        write_manifest(partial)
    return target


def _check_target(source: Path, target: Path) -> None:
    """Replacing a folder deletes what is in it.

    Raises:
        InputError: where that would be anything but evidence.
    """
    here, there = source.resolve(), target.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise InputError(f"{target}: evidence cannot lie in the run folder {source} or around it")
    evidence = (target / MANIFEST).exists() and not (target / "report.html").exists()
    if target.exists() and not evidence and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(f"{target}: holds something else than evidence, and would be replaced")


def _pack_cell(folder: Folder, record: Record, target: Path) -> None:
    (target / "predictions").mkdir(parents=True)
    for name in KEPT_OF_CELL:
        if (folder.path / cell_folder(record) / name).exists():
            shutil.copyfile(folder.path / cell_folder(record) / name, target / name)
    task = task_of(record.task, record.classes)
    for split in ("validation", record.replicate.split):
        reduced = task.reduced(folder.predictions(record, split))
        data = gzip.compress(task.write(reduced), compresslevel=9, mtime=0)
        (target / "predictions" / f"{split}.csv.gz").write_bytes(data)
