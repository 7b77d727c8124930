"""Evidence: small, without data, and with the same numbers."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.study.evidence import pack
from bakeoff.study.folder import open_folder
from bakeoff.study.manifest import MANIFEST
from bakeoff.study.verify import verify

pytestmark = pytest.mark.usefixtures("quick_runs")


def test_it_gives_the_same_numbers(shared_run: Path, tmp_path: Path) -> None:
    target = pack(shared_run, tmp_path / "evidence")
    for name in ("results.json", "standings.csv", "plan.json", "study.yaml"):
        assert (target / name).read_bytes() == (shared_run / name).read_bytes()


def test_it_keeps_what_numbers_need_and_nothing_else(shared_run: Path, tmp_path: Path) -> None:
    target = pack(shared_run, tmp_path / "evidence")
    cell = target / "cells" / "softmax" / "seed-1"
    left = {p.relative_to(cell).as_posix() for p in cell.rglob("*") if p.is_file()}
    assert left == {
        *("record.json", "metrics.jsonl"),
        *("predictions/validation.csv.gz", "predictions/test.csv.gz"),
    }
    assert {p.name for p in target.iterdir()} == {
        *("cells", "manifest.json", "plan.json", "results.json", "standings.csv", "study.yaml"),
    }
    text = gzip.decompress((cell / "predictions" / "test.csv.gz").read_bytes()).decode()
    assert text.splitlines()[0] == "id,label,prediction,label_probability"
    whole = (shared_run / "cells" / "softmax" / "seed-1" / "predictions" / "test.csv").read_bytes()
    assert (cell / "predictions" / "test.csv.gz").stat().st_size < len(whole) / 5


def test_it_has_the_same_bytes_every_time(shared_run: Path, tmp_path: Path) -> None:
    one, other = (pack(shared_run, tmp_path / name) for name in ("one", "other"))
    assert (one / MANIFEST).read_bytes() == (other / MANIFEST).read_bytes()


def test_older_evidence_is_replaced_as_a_whole(
    small_run: Path, shared_run: Path, tmp_path: Path
) -> None:
    target = pack(shared_run, tmp_path / "evidence")
    pack(small_run, target)
    assert sorted(p.name for p in (target / "cells").iterdir()) == ["majority", "softmax"]
    assert verify(target).ok


def test_an_empty_folder_will_do(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    assert verify(pack(small_run, tmp_path / "evidence")).ok


def test_nothing_else_is_replaced(
    small_run: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    out = copy_of(small_run)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    for target in (tmp_path / "mine", out, out / "cells", out / "new", tmp_path):
        with pytest.raises(InputError, match="evidence"):
            pack(out, target)
    with pytest.raises(InputError, match="something else than evidence"):
        pack(small_run, out)
    assert verify(out).ok
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def test_a_run_that_was_changed_gives_no_evidence(
    small_run: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    out = copy_of(small_run)
    record = out / "cells" / "softmax" / "seed-0" / "record.json"
    record.write_text(record.read_text().replace('"test/accuracy": 0.', '"test/accuracy": 0.9'))
    with pytest.raises(InputError, match=r"not as the run left it.*\n.*record\.json: was changed"):
        pack(out, tmp_path / "evidence")
    assert not (tmp_path / "evidence").exists()


def test_a_run_without_finished_cells_gives_no_evidence(
    small_run: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    out = copy_of(small_run)
    for path in out.glob("cells/*/*/record.json"):
        path.unlink()
    with pytest.raises(InputError, match="holds no finished cells"):
        pack(out, tmp_path / "evidence")
    with pytest.raises(InputError, match="not a run folder"):
        pack(tmp_path, tmp_path / "evidence")


def test_reduced_predictions_keep_their_metrics(shared_run: Path, tmp_path: Path) -> None:
    folder = open_folder(pack(shared_run, tmp_path / "evidence"))
    record = folder.records["knn"][Replicate(seed=2)]
    stated = json.loads((shared_run / "cells/knn/seed-2/record.json").read_text())["metrics"]
    assert record.metrics == stated
    assert "label_probability" in folder.predictions(record, "test")
