"""Run a notebook from top to bottom, in a folder of its own, and write it with what it showed.

    python docs/notebooks/execute.py docs/notebooks/cifar10-to-predictions.ipynb [--out FILE]

Without --out the notebook itself is rewritten. What a cell says on stderr, times and the machine's
own names are left out, so that two runs differ in their results alone.
"""

import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

SECONDS = 900
"""After which a cell counts as stuck."""
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
KEPT = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook after a run; raises `CellExecutionError` where a cell fails."""
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3")
        client.execute(cwd=folder)
    notebook.metadata = nbformat.from_dict({**KEPT, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = [_lasting(out) for out in cell.outputs if out.get("name") != "stderr"]
    nbformat.validate(notebook)
    return notebook


def _lasting(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An output without addresses in memory."""
    if "text/plain" in output.get("data", {}):
        output.data["text/plain"] = ADDRESS.sub("", output.data["text/plain"])
    return output


def main(source: Path, out: Path) -> None:
    """Run one notebook and write it."""
    notebook = executed(nbformat.read(source, as_version=4))
    out.write_text(nbformat.writes(notebook, version=4) + "\n", encoding="utf-8")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--out"]
    if not 1 <= len(arguments) <= 2 or len(sys.argv) - 1 != 2 * len(arguments) - 1:
        sys.exit(__doc__)
    main(Path(arguments[0]), Path(arguments[-1]))
