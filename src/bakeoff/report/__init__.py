"""The report of a study: one page that opens anywhere, made from what the run left on disk.

`write` and `page` read a run folder (`results.json`, records, curves, predictions, artifacts) and
nothing else. The page carries everything it needs: styles, scripts, pictures and the charting
library, so it opens offline and asks no server for anything. The same folder gives the same bytes.
"""

import re
from pathlib import Path

__all__ = ["made_here", "page", "write"]

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


def made_here(content: bytes) -> bool:
    """Whether a report says that this very version of the program made it.

    The same folder gives the same bytes only within one version.
    """
    from bakeoff.report.assets import maker

    named = re.search(rb'<meta name="generator" content="([^"]*)">', content[:5000])
    return named is not None and named.group(1) == maker().encode()
