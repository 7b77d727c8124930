"""The contract every data set of the catalogue keeps, and how sets are loaded and kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.data.contract import keeps_contract

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples
from bakeoff.core.offline import offline
from bakeoff.core.recipe import FolderSource, TableSource
from bakeoff.data import catalogue
from bakeoff.data.catalogue import DATASETS, find, load

NAMES = sorted(DATASETS)
WITH_FILES = [name for name in NAMES if DATASETS[name].folder is not None]


def runs_under_a_data_loader(examples: Examples) -> None:
    from torch.utils.data import DataLoader

    items, labels = next(iter(DataLoader(examples, batch_size=4, num_workers=0)))  # type: ignore[arg-type]
    if isinstance(examples.items, np.ndarray):
        assert items.numpy().tolist() == examples.items[:4].tolist()
    else:
        assert list(items) == list(examples.items[:4])
    assert labels.tolist() == examples.labels[:4].tolist()


@pytest.mark.parametrize("name", WITH_FILES)
def test_small_counterparts_keep_the_contract(
    name: str, write_toy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_toy(name)
    monkeypatch.setenv("BAKEOFF_DATA", str(folder.parent))
    dataset = load(name)
    keeps_contract(dataset, DATASETS[name])
    runs_under_a_data_loader(dataset.train)
    catalogue.forget()
    again = load(name)
    assert again is not dataset
    assert again.hash == dataset.hash
    if DATASETS[name].hash is not None:
        assert dataset.notes == (
            f"{folder}: not the published content of {name} (its hash differs)",
        )


def test_every_set_with_files_has_a_small_counterpart(toys: dict[str, object]) -> None:
    assert sorted(toys) == WITH_FILES


@pytest.mark.parametrize("name", NAMES)
def test_entries_are_whole(name: str) -> None:
    entry = DATASETS[name]
    assert entry.name == name
    assert len(entry.summary) < 80
    assert entry.licence
    assert entry.citation
    assert entry.homepage.startswith("http")
    for item in entry.downloads:
        assert len(item.sha256) == 64
        assert int(item.sha256, 16) > 0
        assert item.size_bytes > 0
        assert all(url.startswith("http") and url.endswith(item.file) for url in item.urls)
    if entry.folder is not None:
        assert entry.layouts


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown data set 'minst'; did you mean 'mnist'\?"):
        load("minst")
    assert find("digits").folder is None


def test_cells_share_one_copy_until_files_change(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"text {i},{'ab'[i % 2]}" for i in range(20)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    source = TableSource(table=str(path))
    first = load(source)
    assert load(TableSource(table=str(path))) is first
    path.write_text("text,label\n" + "\n".join(rows[::-1]) + "\n" + "one more,a\n")
    second = load(source)
    assert second is not first
    assert len(second.train) + len(second.test or ()) == 21


def test_relative_paths_follow_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        rows = [f"{name} {i},{'ab'[i % 2]}" for i in range(20)]
        (tmp_path / name / "a.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path / "one")
    one = load(TableSource(table="a.csv"))
    monkeypatch.chdir(tmp_path / "two")
    assert load(TableSource(table="a.csv")).hash != one.hash


def test_few_sets_are_kept(tmp_path: Path) -> None:
    sources = []
    for i in range(catalogue.KEPT + 1):
        path = tmp_path / f"{i}.csv"
        rows = [f"t{i} {j},{'ab'[j % 2]}" for j in range(20)]
        path.write_text("text,label\n" + "\n".join(rows) + "\n")
        sources.append(TableSource(table=str(path)))
    loaded = [load(source) for source in sources]
    assert load(sources[-1]) is loaded[-1]
    assert load(sources[0]) is not loaded[0]


def test_missing_places_are_told_by_their_readers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load(FolderSource(folder=str(tmp_path / "none")))
    with pytest.raises(InputError, match="no such file"):
        load(TableSource(table=str(tmp_path / "none.csv")))


def test_what_is_missing_is_told_by_place(
    write_toy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_toy("mnist")
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    monkeypatch.setenv("BAKEOFF_DATA", str(folder.parent))
    with offline(), pytest.raises(InputError) as caught:
        load("mnist")
    assert caught.value.faults[1] == f"  {folder}: lacks t10k-labels-idx1-ubyte"
    assert caught.value.faults[2] == "  data/mnist: no such folder"
