"""What the page carries."""

import base64
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bakeoff.core.errors import BakeoffError
from bakeoff.report import assets


def plotly_script() -> bytes:
    found = find_spec("plotly")
    assert found is not None
    assert found.origin is not None
    return (Path(found.origin).parent / "package_data" / "plotly.min.js").read_bytes()


def test_library_is_plotlys_own() -> None:
    library, script = assets.library(), plotly_script()
    packed = base64.b64decode(library.packed)
    assert gzip.decompress(packed) == script
    assert packed[4:8] == b"\0\0\0\0"  # no time stamp
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert library.digest == f"'sha256-{digest}'"
    assert library.version[0].isdigit()
    # What the browser hashes is the text after its line ends are made one kind.
    assert b"\r" not in script


def test_plotly_is_not_imported() -> None:
    code = (
        "import sys; from bakeoff.report import assets; assets.library(); "
        "sys.exit('plotly' in sys.modules)"
    )
    paths = [str(Path(assets.__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    result = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert result.returncode == 0


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "find_spec", lambda name: None)
    assets.library.cache_clear()
    with pytest.raises(BakeoffError, match="pip install plotly"):
        assets.library()
    assets.library.cache_clear()


def test_our_files_keep_their_bytes_in_a_page() -> None:
    for text in (assets.styles(), assets.early_script(), assets.scripts()):
        assert "\r" not in text
        assert "</s" not in text.lower()
        assert "<!--" not in text


def test_every_file_is_used() -> None:
    folder = Path(assets.__file__).parent / "static"
    used = {*assets.STYLES, *assets.SCRIPTS, "theme.js"}
    assert {path.name for path in folder.iterdir()} == used


@pytest.mark.parametrize("folder", ["static", "templates"])
def test_files_are_short(folder: str) -> None:
    for path in (Path(assets.__file__).parent / folder).iterdir():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 500, path


def test_policy() -> None:
    policy = assets.policy(["let a", "let b"])
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("'sha256-") == 3
    assert "unsafe-eval" not in policy


def test_the_maker_changes_with_every_file_that_decides_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = Path(shutil.copytree(assets._HERE, tmp_path / "report"))
    here = assets.maker()
    assert here == assets.maker.__wrapped__()
    monkeypatch.setattr(assets, "_HERE", copied)
    assert assets.maker.__wrapped__() == here, "a copy elsewhere is the same program"
    for name in ("words.py", "static/base.css", "templates/report.html"):
        (copied / name).write_text((copied / name).read_text() + "\n")
        changed = assets.maker.__wrapped__()
        assert changed != here
        here = changed
