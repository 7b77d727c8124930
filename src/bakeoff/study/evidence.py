"""Evidence: a run folder reduced to what its numbers need, small enough to commit."""

import shutil
from pathlib import Path

from bakeoff.core.archive import ARCHIVE, archive_bytes
from bakeoff.core.cell_files import cell_name
from bakeoff.core.errors import InputError
from bakeoff.core.files import new_folder
from bakeoff.core.record import CURVES, RECORD
from bakeoff.core.tasks import task_of
from bakeoff.study.folder import Folder, open_folder
from bakeoff.study.manifest import MANIFEST, check_manifest, write_manifest
from bakeoff.study.plan import PLAN
from bakeoff.study.results import write_results

KEPT = ("study.yaml", PLAN)
KEPT_OF_CELL = (RECORD, CURVES)


def pack(source: Path, target: Path) -> Path:
    """Write a run's evidence: study, plan, results, and an archive of what the cells left.

    The archive holds records, curves, and predictions with the columns their metrics need
    (`core/archive.py`); weights, pictures and texts stay behind. `verify` recomputes the same
    numbers from what is left.

    Args:
        source: A finished run folder, or evidence, which is packed anew.
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
        (partial / ARCHIVE).write_bytes(_archive(folder))
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


def _archive(folder: Folder) -> bytes:
    """What the cells left, reduced."""
    files, tables = {}, {}
    for record in folder.everything():
        cell, task = cell_name(record), task_of(record.task, record.classes)
        for name in KEPT_OF_CELL:
            content = folder.files.read(cell, name)
            if content is not None:
                files[f"{cell}/{name}"] = content
        for split in record.predicted_splits:
            tables[cell, split] = task.reduced(folder.predictions(record, split))
    return archive_bytes(files, tables)
