"""Checkpoints are whole or none, whatever fails, is killed or is damaged."""

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.core.disk import ERRORS, Disk, Fault, Killed, each_call, small_disk  # noqa: F401
from tests.training.tiny import bits

from bakeoff.core.errors import DiskError
from bakeoff.core.protocols import State
from bakeoff.training.checkpoint import BEST, POSITION, STATE, Progress, load, save

PROGRESS = Progress(
    step=12,
    best_score=1 / 3,
    best_step=10,
    sums={"loss": 0.1 + 0.2, "correct": 3.0, "count": 20.0},
    stopping=[0.5, 1e-17],
    rows=[{"step": 10, "validation/accuracy": 0.5}],
    train_seconds=1.25,
    fingerprint={"numpy": "2", "threads": 1},
    stops=[{"step": 3, "fingerprint": {"numpy": "1"}}],
)


def arrays(value: float, size: int = 500) -> State:
    return {"weights": np.full(size, value, np.float32), "updates": np.array(int(value))}


OLD, NEW = arrays(1), arrays(2)


def assert_loads(folder: Path, state: State, best: State | None, progress: Progress) -> None:
    found = load(folder)
    assert found is not None
    assert bits(found[0]) == bits(state)
    assert {n: a.shape for n, a in found[0].items()} == {n: a.shape for n, a in state.items()}
    assert (found[1] and bits(found[1])) == (best and bits(best))
    assert found[2] == progress


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    assert load(tmp_path / "train") is None
    save(tmp_path / "train", OLD, NEW, PROGRESS)
    assert_loads(tmp_path / "train", OLD, NEW, PROGRESS)
    assert {p.name for p in (tmp_path / "train").iterdir()} == {STATE, BEST, POSITION}
    save(tmp_path / "train", NEW, None, Progress())
    assert_loads(tmp_path / "train", NEW, None, Progress())
    assert {p.name for p in (tmp_path / "train").iterdir()} == {STATE, POSITION}


def test_any_flipped_byte_makes_it_none(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    save(folder, arrays(1, 30), arrays(2, 30), PROGRESS)
    for name in (STATE, BEST, POSITION):
        whole = (folder / name).read_bytes()
        for place in range(0, len(whole), 7):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            (folder / name).write_bytes(damaged)
            # A space or line feed between JSON's values says nothing, whatever it becomes.
            assert load(folder) is None or whole[place : place + 1].isspace(), (name, place)
        for damaged_length in (0, len(whole) // 2, len(whole) - 3):
            (folder / name).write_bytes(whole[:damaged_length])
            assert load(folder) is None
        (folder / name).unlink()
        assert load(folder) is None
        (folder / name).write_bytes(whole)
    assert load(folder) is not None


@pytest.mark.parametrize("content", ["[]", "3", "null", '{"hashes": []}', '{"hashes": {}}'])
def test_json_of_others_is_none(tmp_path: Path, content: str) -> None:
    save(tmp_path / "train", OLD, None, PROGRESS)
    (tmp_path / "train" / POSITION).write_text(content)
    assert load(tmp_path / "train") is None


def test_progress_of_another_version_is_none(tmp_path: Path) -> None:
    save(tmp_path / "train", OLD, None, PROGRESS)
    path = tmp_path / "train" / POSITION
    content = json.loads(path.read_text())
    content["progress"]["new_field"] = 1
    path.write_text(json.dumps(content))
    assert load(tmp_path / "train") is None


def test_numbers_that_are_none_are_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    save(tmp_path / "train", OLD, None, PROGRESS)
    with pytest.raises(ValueError, match="JSON"):
        save(tmp_path / "train", NEW, None, replace(PROGRESS, sums={"loss": float("nan")}))
    assert_loads(tmp_path / "train", OLD, None, PROGRESS)


def save_on(disk: Disk, folder: Path, state: State) -> BaseException | None:
    with pytest.MonkeyPatch.context() as patch:
        disk.trying(patch)
        try:
            save(folder, state, state, PROGRESS)
        except (DiskError, Killed) as error:
            return error
    return None


@pytest.mark.parametrize("fault", ERRORS)
def test_the_old_or_the_new_one_is_there_after_any_failure(tmp_path: Path, fault: Fault) -> None:
    folder = tmp_path / "train"
    for disk in each_call(fault):
        save(folder, OLD, OLD, PROGRESS)
        error = save_on(disk, folder, NEW)
        found = load(folder)
        assert found is not None
        assert bits(found[0]) in (bits(OLD), bits(NEW))
        if error is None:
            assert bits(found[0]) == bits(NEW)
        else:
            reason = os.strerror(getattr(errno, "ENOSPC" if fault == "short" else fault))
            assert str(error) == f"cannot write {folder}: {reason}"
        assert [p.name for p in tmp_path.iterdir()] == ["train"]


def test_the_old_or_the_new_one_is_there_after_a_kill(tmp_path: Path) -> None:
    folder, seen = tmp_path / "train", set()
    for disk in each_call("killed"):
        save(folder, OLD, OLD, PROGRESS)
        save_on(disk, folder, NEW)
        found = load(folder)
        assert found is not None
        seen.add(float(found[0]["weights"][0]))
        assert bits(found[0]) == bits(found[1] or {}) == bits(arrays(max(found[0]["weights"])))
        assert [p.name for p in tmp_path.iterdir()] == ["train"]
    assert seen == {1.0, 2.0}


def test_the_first_one_is_whole_or_none_after_a_kill(tmp_path: Path) -> None:
    for number, disk in enumerate(each_call("killed")):
        folder = tmp_path / str(number) / "train"
        save_on(disk, folder, NEW)
        if load(folder) is not None:
            assert_loads(folder, NEW, NEW, PROGRESS)


def test_a_really_full_disk(small_disk: Path) -> None:  # noqa: F811
    folder = small_disk / "train"
    save(folder, OLD, None, PROGRESS)
    with pytest.raises(DiskError, match=f"^cannot write {re.escape(str(folder))}: No space left"):
        save(folder, arrays(3, 100_000), None, PROGRESS)
    assert_loads(folder, OLD, None, PROGRESS)
    assert [p.name for p in small_disk.iterdir()] == ["train"]
