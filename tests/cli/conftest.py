"""A folder to work in, a study that takes a second, and what it leaves."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.calling import TINY, Caller

from bakeoff.core.offline import VARIABLES
from bakeoff.data import catalogue
from bakeoff.study import run
from bakeoff.study.study import load_study


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No data set and no setting of the user is seen; runs go into a folder of the test's."""
    for name in ("BAKEOFF_DATA", *VARIABLES, "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    # Other tests run beside this one, and would be told of.
    monkeypatch.setattr(run, "LOOK_SECONDS", math.inf)
    yield
    catalogue.forget()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The working folder."""
    return tmp_path / "work"


@pytest.fixture
def bakeoff(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Caller:
    """Calls the command line in this process."""
    return Caller(monkeypatch, capsys)


@pytest.fixture
def tiny(work: Path) -> Path:
    """The file of a study that takes a second."""
    path = work / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    return load_study(folder / "tiny.yaml").run(folder / "run").folder


@pytest.fixture
def finished(_finished: Path, work: Path) -> Path:
    """A finished run of the tiny study, the test's own."""
    return Path(shutil.copytree(_finished, work / "run"))
