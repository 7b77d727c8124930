"""A run folder that is made up once, opened, and its page."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.report.example import write_folded_run, write_run
from tests.report.reading import Page

from bakeoff import report
from bakeoff.report.folder import RunFolder, read_folder

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be written to."""
    return write_run(tmp_path_factory.mktemp("report") / "small-cnn")


@pytest.fixture(scope="session")
def run(run_folder: Path) -> RunFolder:
    return read_folder(run_folder)


@pytest.fixture(scope="session")
def html(run_folder: Path) -> bytes:
    return report.page(run_folder)


@pytest.fixture(scope="session")
def page(html: bytes) -> Page:
    return Page(html.decode())


@pytest.fixture
def folded(tmp_path: Path) -> Path:
    """A run of a cross-validated study: `results.json` alone."""
    return write_folded_run(tmp_path / "folded")


@pytest.fixture
def own_folder(run_folder: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copytree(run_folder, tmp_path / "run")


@pytest.fixture
def changed(run_folder: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """Makes a folder that holds nothing but `results.json`, after a change."""

    def make(change: Change) -> Path:
        content = json.loads((run_folder / "results.json").read_bytes())
        change(content)
        (tmp_path / "results.json").write_text(json.dumps(content))
        return tmp_path

    return make


SCRIPT = "</script><script>document.title='taken'</script>"
IMAGE = "\"'><img src=x onerror=\"document.title='taken'\">"
LINK = "<a href=\"javascript:document.title='taken'\">x</a>&lt;b&gt;\u2028%{x} {{ 7 * 7 }} --ink"
HOSTILE = {
    "swish": f"swish {SCRIPT}",
    "plain": f"plain {LINK}",
    "Shirt": f"Shirt {IMAGE}",
    "Bag": f"Bag {LINK}",
    "validation/accuracy": "validation/accuracy",
    "a published net": f"a net {SCRIPT}{IMAGE}",
    "Made up (2024)": f"source {LINK}{SCRIPT}",
    "small-cnn": f"study {SCRIPT}",
    "fashion-mnist": f"data {IMAGE}",
    "a processor": f"a processor {IMAGE}{SCRIPT}",
    "relu": f"relu {SCRIPT}",
}


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """JSON with every text that is a name replaced, keys too; other texts get markup appended."""
    if isinstance(value, dict):
        return {names.get(key, key): renamed(entry, names) for key, entry in value.items()}
    if isinstance(value, list):
        return [renamed(entry, names) for entry in value]
    return names.get(value, value) if isinstance(value, str) else value


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run once more, markup in every text that comes from a user."""
    folder = write_run(tmp_path_factory.mktemp("hostile") / "run")
    for path in [folder / "results.json", *folder.rglob("record.json")]:
        content = renamed(json.loads(path.read_bytes()), HOSTILE)
        if path.name == "results.json":
            content["question"] += SCRIPT + IMAGE
            content["population"] += LINK + SCRIPT
            content["dataset"]["notes"] = [SCRIPT, IMAGE, LINK]
            for verdict in content["verdicts"]:
                verdict["sentence"] += SCRIPT + IMAGE + LINK
        path.write_text(json.dumps(content))
    for path in folder.rglob("*.csv"):
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(renamed(rows, HOSTILE))
        path.write_text(text.getvalue(), encoding="utf-8")
    items = folder / "artifacts" / "disagreements.json"
    listed = renamed(json.loads(items.read_bytes()), HOSTILE)
    listed[0] |= {"id": f"item {SCRIPT}", "image": None, "text": f"text {IMAGE} {SCRIPT} {LINK}"}
    items.write_text(json.dumps(listed))
    with (folder / "study.yaml").open("a") as study:
        study.write(f"# {SCRIPT} {IMAGE}\n")
    return folder
