"""A run folder for reading."""

from pathlib import Path

import pytest

from bakeoff.core.cell import Replicate
from bakeoff.core.errors import InputError
from bakeoff.study.folder import cell_folder, open_folder


def test_records_are_found_by_replicate(shared_run: Path) -> None:
    folder = open_folder(shared_run)
    assert list(folder.records["knn"]) == [Replicate(seed=seed) for seed in range(3)]
    assert len(folder.everything()) == 9
    assert folder.resampling is None
    record = folder.records["knn"][Replicate(seed=1)]
    assert cell_folder(record) == "cells/knn/seed-1"
    assert folder.predictions(record, "test").length == 898
    assert folder.predictions(record, "validation").length == 90


def test_what_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a run folder: it has no plan\.json"):
        open_folder(tmp_path)
