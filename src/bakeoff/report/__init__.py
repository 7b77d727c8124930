"""The report of a study: one page that opens anywhere, made from what the run left on disk.

`write` and `page` read a run folder (`results.json`, records, curves, predictions, artifacts) and
nothing else. The page carries everything it needs: styles, scripts, pictures and the charting
library, so it opens offline and asks no server for anything. The same folder gives the same bytes.
"""

from pathlib import Path

__all__ = ["page", "write"]

NAME = "report.html"


def page(folder: Path) -> bytes:
    """The report of a run folder, as the bytes of one HTML file.

    Raises:
        InputError: where the folder holds no readable `results.json`.
    """
    from bakeoff.report.document import render

    return render(folder)


def write(folder: Path) -> Path:
    """Write `report.html` into a run folder.

    Returns:
        The path of the report.

    Raises:
        InputError: where the folder holds no readable `results.json`.
        DiskError: where the report cannot be written.
    """
    from bakeoff.core.files import write_atomic

    path = Path(folder) / NAME
    write_atomic(path, page(folder))
    return path
