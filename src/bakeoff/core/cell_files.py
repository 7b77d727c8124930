"""What the cells of a run left: files in folders, or in the one archive of evidence."""

from pathlib import Path
from typing import Protocol

from bakeoff.core.archive import ARCHIVE, CELLS, open_archive
from bakeoff.core.errors import InputError
from bakeoff.core.files import digest, file_digest
from bakeoff.core.record import RECORD, Record, parse_record
from bakeoff.core.table import Table
from bakeoff.core.tasks import task_of


class CellFiles(Protocol):
    """The files of a run's cells. A cell is named as its folder is: `recipe/replicate`."""

    def finished(self) -> list[str]:
        """The cells that left a record, sorted."""
        ...

    def read(self, cell: str, name: str) -> bytes | None:
        """A file of a cell; None where there is none.

        Raises:
            OSError: where it cannot be read.
        """
        ...

    def digest(self, cell: str, name: str) -> str | None:
        """The SHA-256 of a file of a cell; None where there is none."""
        ...

    def predictions(self, record: Record, split: str) -> Table:
        """The predictions of a cell, full or reduced.

        Raises:
            InputError: where they are missing or cannot be read.
        """
        ...


def cell_name(record: Record) -> str:
    """How the cell of a record is named."""
    return f"{record.name}/{record.replicate.folder}"


def cell_files(path: Path) -> CellFiles:
    """Those of a run folder, or of a folder of evidence.

    Raises:
        InputError: where there is an archive that cannot be read.
    """
    archive = path / ARCHIVE
    return Packed(archive) if archive.exists() else InFolders(path / CELLS)


def record_of(files: CellFiles, cell: str, place: Path) -> Record | None:
    """The record of a cell, or None where it is not finished.

    Args:
        files: Where it is looked for.
        cell: Its name.
        place: The run folder, for what is told.

    Raises:
        InputError: where `record.json` is there but is not a record of this schema.
    """
    where = place / CELLS / cell / RECORD
    try:
        content = files.read(cell, RECORD)
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error}") from None
    return None if content is None else parse_record(content, str(where))


class InFolders:
    """Files as a run leaves them, below `cells/`; predictions are CSV.

    Args:
        folder: `cells/`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def finished(self) -> list[str]:
        """The cells that left a record, sorted."""
        found = self._folder.glob(f"*/*/{RECORD}")
        return sorted(path.parent.relative_to(self._folder).as_posix() for path in found)

    def read(self, cell: str, name: str) -> bytes | None:
        """A file of a cell; None where there is none."""
        try:
            return (self._folder / cell / name).read_bytes()
        except FileNotFoundError:
            return None

    def digest(self, cell: str, name: str) -> str | None:
        """The SHA-256 of a file of a cell; None where there is none."""
        path = self._folder / cell / name
        return file_digest(path) if path.exists() else None

    def predictions(self, record: Record, split: str) -> Table:
        """The predictions of a cell.

        Raises:
            InputError: where they are missing or cannot be read.
        """
        path = self.predictions_file(cell_name(record), split)
        return task_of(record.task, record.classes).read(path)

    def predictions_file(self, cell: str, split: str) -> Path:
        """Where they are, if they are there; compressed ones are what older evidence holds."""
        folder = self._folder / cell / "predictions"
        packed = folder / f"{split}.csv.gz"
        return packed if packed.exists() else folder / f"{split}.csv"


class Packed:
    """Files in an archive.

    Args:
        path: Of the archive.

    Raises:
        InputError: where it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._archive = path, open_archive(path)

    def finished(self) -> list[str]:
        """The cells that left a record, sorted."""
        end = f"/{RECORD}"
        return sorted(n.removesuffix(end) for n in self._archive.files if n.endswith(end))

    def read(self, cell: str, name: str) -> bytes | None:
        """A file of a cell; None where there is none."""
        return self._archive.files.get(f"{cell}/{name}")

    def digest(self, cell: str, name: str) -> str | None:
        """The SHA-256 of a file of a cell; None where there is none."""
        content = self.read(cell, name)
        return None if content is None else digest(content)

    def predictions(self, record: Record, split: str) -> Table:
        """The predictions of a cell.

        Raises:
            InputError: where there are none.
        """
        found = self._archive.tables.get((cell_name(record), split))
        if found is None:
            raise InputError(f"{self._path}: no {split} predictions of {cell_name(record)}")
        return found
