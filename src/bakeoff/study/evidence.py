"""Evidence: a run folder reduced to what its numbers need, small enough to commit."""

import gzip
import shutil
from pathlib import Path

from bakeoff.core.errors import InputError
from bakeoff.core.files import new_folder
from bakeoff.study.manifest import write_manifest
from bakeoff.study.results import Folder, open_folder, write_results

KEPT = ("study.yaml", "plan.json")
KEPT_OF_CELL = ("record.json", "metrics.jsonl")


def pack(source: Path, target: Path) -> Path:
    """Write a run's evidence: study, plan, results, records, curves, reduced predictions.

    Predictions keep the columns their metrics need and are compressed; weights, pictures and texts
    stay behind. `verify` recomputes the same numbers from what is left.

    Args:
        source: A finished run folder.
        target: The evidence folder; replaced as a whole.

    Raises:
        InputError: where `source` is no finished run.
        DiskError: where `target` cannot be written.
    """
    folder = open_folder(source)
    if not any(folder.records.values()):
        raise InputError(f"{source}: holds no finished cells")
    with new_folder(target) as partial:
        for name in KEPT:
            shutil.copyfile(source / name, partial / name)
        _pack_cells(folder, partial)
        write_results(partial)
        write_manifest(partial)
    return target


def _pack_cells(folder: Folder, target: Path) -> None:
    for records in folder.records.values():
        for record in records.values():
            name = f"cells/{record.name}/{record.replicate.folder}"
            (target / name / "predictions").mkdir(parents=True)
            for file in KEPT_OF_CELL:
                if (folder.path / name / file).exists():
                    shutil.copyfile(folder.path / name / file, target / name / file)
            for split in ("validation", "test"):
                task = Classification(record.classes)
                reduced = task.reduced(folder.predictions(record, split))
                data = gzip.compress(task.write(reduced), compresslevel=9, mtime=0)
                (target / name / "predictions" / f"{split}.csv.gz").write_bytes(data)
