"""Writing is whole or not at all: at every call of the system that can fail or be the last."""

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.disk import ERRORS, Disk, Fault, Killed, each_call, small_disk  # noqa: F401

from bakeoff.core import files
from bakeoff.core.errors import DiskError

OLD, NEW = b"old " * 5000, b"new " * 7000
Content = dict[str, bytes]


def content(folder: Path) -> Content:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def fill(folder: Path, data: bytes) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "a").write_bytes(data)
    (folder / "b").write_bytes(data + b"!")


def whole(data: bytes) -> Content:
    return {"inner/a": data, "b": data + b"!"}


def replace_folder(path: Path, data: bytes) -> None:
    with files.new_folder(path) as partial:
        fill(partial, data)


def run_on(disk: Disk, replace: object, *arguments: object) -> BaseException | None:
    """Do it on that disk; what it raised."""
    assert callable(replace)
    with pytest.MonkeyPatch.context() as patch:
        disk.trying(patch)
        try:
            replace(*arguments)
        except (DiskError, Killed) as error:
            return error
    return None


@pytest.mark.parametrize("fault", ERRORS)
def test_a_file_is_old_or_new_after_any_failure(tmp_path: Path, fault: Fault) -> None:
    path = tmp_path / "results" / "x.csv"
    for disk in each_call(fault):
        files.write_atomic(path, OLD)
        error = run_on(disk, files.write_atomic, path, NEW)
        assert path.read_bytes() in (OLD, NEW)
        assert [p.name for p in path.parent.iterdir()] == ["x.csv"]
        if error is None:
            assert path.read_bytes() == NEW
        else:
            reason = os.strerror(getattr(errno, "ENOSPC" if fault == "short" else fault))
            assert str(error) == f"cannot write {path}: {reason}"


@pytest.mark.parametrize("fault", ERRORS)
def test_a_first_file_is_whole_or_missing_after_any_failure(tmp_path: Path, fault: Fault) -> None:
    for number, disk in enumerate(each_call(fault)):
        path = tmp_path / str(number) / "deep" / "x.csv"
        error = run_on(disk, files.write_atomic, path, NEW)
        if error is None:
            assert path.read_bytes() == NEW
        else:
            assert not path.exists() or path.read_bytes() == NEW
            assert not path.parent.exists() or len(list(path.parent.iterdir())) <= 1


def test_a_file_is_old_or_new_after_a_kill_at_any_point(tmp_path: Path) -> None:
    path, seen = tmp_path / "x.csv", set()
    for disk in each_call("killed"):
        files.write_atomic(path, OLD)
        error = run_on(disk, files.write_atomic, path, NEW)
        assert path.read_bytes() in (OLD, NEW)
        assert (error is None) == (not disk.reached)
        seen.add(path.read_bytes())
        assert files.folder_digests(tmp_path).keys() == {"x.csv"}
        files.clear_scraps(tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
    assert seen == {OLD, NEW}


@pytest.mark.parametrize("fault", ERRORS)
def test_a_folder_is_old_or_new_after_any_failure(tmp_path: Path, fault: Fault) -> None:
    path = tmp_path / "best"
    for disk in each_call(fault):
        replace_folder(path, OLD)
        error = run_on(disk, replace_folder, path, NEW)
        assert content(path) in (whole(OLD), whole(NEW))
        if error is None:
            assert content(path) == whole(NEW)
        else:
            reason = os.strerror(getattr(errno, "ENOSPC" if fault == "short" else fault))
            assert str(error) == f"cannot write {path}: {reason}"
        files.recover_folder(path)
        assert [p.name for p in tmp_path.iterdir()] == ["best"]


def test_a_folder_is_old_or_new_after_a_kill_at_any_point(tmp_path: Path) -> None:
    path, seen, aside = tmp_path / "best", [], 0
    for disk in each_call("killed"):
        replace_folder(path, OLD)
        run_on(disk, replace_folder, path, NEW)
        aside += not path.exists()
        files.recover_folder(path)
        assert content(path) in (whole(OLD), whole(NEW))
        assert [p.name for p in tmp_path.iterdir()] == ["best"]
        seen.append(content(path) == whole(NEW))
    assert sorted(seen) == seen, "once the new folder is there, it stays"
    assert set(seen) == {False, True}
    assert aside, "no kill fell between the two renames"


def test_a_kill_while_recovering_is_recovered_from(tmp_path: Path) -> None:
    path, aside = tmp_path / "best", tmp_path / ".best.bakeoff-old"
    for disk in each_call("killed"):
        aside.mkdir(exist_ok=True)
        if not any(aside.iterdir()):
            fill(aside, OLD)
        scrap = tmp_path / ".best.0123abcd.partial"
        scrap.mkdir(exist_ok=True)
        (scrap / "half").write_bytes(b"x")
        run_on(disk, files.recover_folder, path)
        files.recover_folder(path)
        assert content(tmp_path) == {f"best/{name}": data for name, data in whole(OLD).items()}
        os.replace(path, aside)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_of_the_user_beside_it_stays(tmp_path: Path, there: bool) -> None:
    path, own = tmp_path / "best", ["best.old", ".best.old", "best.0123abcd.partial", "best2.old"]
    for name in own:
        (tmp_path / name).mkdir()
        fill(tmp_path / name, OLD)
    if there:
        replace_folder(path, OLD)
    files.recover_folder(path)
    replace_folder(path, NEW)
    files.clear_scraps(tmp_path)
    assert content(path) == whole(NEW)
    assert {p.name for p in tmp_path.iterdir()} == {"best", *own}
    assert all(content(tmp_path / name) == whole(OLD) for name in own)


def test_what_kills_left_half_replaced_below_a_folder_is_finished(tmp_path: Path) -> None:
    path, seen = tmp_path / "artifacts" / "inside", set()
    for disk in each_call("killed"):
        replace_folder(path, OLD)
        run_on(disk, replace_folder, path, NEW)
        listed = files.folder_digests(tmp_path)
        files.clear_scraps(tmp_path)
        assert content(path) in (whole(OLD), whole(NEW))
        assert [p.name for p in path.parent.iterdir()] == ["inside"]
        assert listed in ({}, files.folder_digests(tmp_path))
        seen.add(bool(listed))
    assert seen == {False, True}


def test_work_goes_on_after_a_kill_without_recovering(tmp_path: Path) -> None:
    path = tmp_path / "best"
    for disk in each_call("killed"):
        run_on(disk, replace_folder, path, OLD)
        replace_folder(path, NEW)
        assert content(path) == whole(NEW)
        assert [p.name for p in tmp_path.iterdir()] == ["best"]


def test_what_fails_inside_leaves_the_old_folder(tmp_path: Path) -> None:
    path = tmp_path / "best"
    replace_folder(path, OLD)

    def fail_inside() -> None:
        with files.new_folder(path) as partial:
            (partial / "b").write_bytes(NEW)
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail_inside()
    assert content(tmp_path) == {f"best/{name}": data for name, data in whole(OLD).items()}


def test_everything_is_synced_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    replace = os.replace

    def renaming(source: Path, target: Path) -> None:
        calls.append("rename")
        replace(source, target)

    def syncing(descriptor: int) -> None:
        calls.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")

    monkeypatch.setattr(os, "replace", renaming)
    monkeypatch.setattr(os, "fsync", syncing)
    files.write_atomic(tmp_path / "x", NEW)
    assert calls == ["file", "rename", "folder"]
    calls.clear()
    replace_folder(tmp_path / "best", NEW)
    assert sorted(calls[:4]) == ["file", "file", "folder", "folder"]
    assert calls[4:] == ["rename", "folder"]


def test_a_really_full_disk(small_disk: Path) -> None:  # noqa: F811
    path, folder = small_disk / "x.csv", small_disk / "best"
    files.write_atomic(path, OLD)
    replace_folder(folder, OLD)
    with pytest.raises(DiskError, match=r"^cannot write .*x\.csv: No space left on device$"):
        files.write_atomic(path, b"x" * 300_000)
    with pytest.raises(DiskError, match=r"^cannot write .*best: No space left on device$"):
        replace_folder(folder, b"x" * 300_000)
    assert path.read_bytes() == OLD
    assert content(folder) == whole(OLD)
    assert {p.name for p in small_disk.iterdir()} == {"x.csv", "best"}
    files.write_atomic(path, NEW)
    assert path.read_bytes() == NEW


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match=r"File exists|Not a directory") as caught:
        files.write_atomic(tmp_path / "file" / "x", b"")
    assert "\n" not in str(caught.value)


def test_files_have_the_rights_that_the_user_gives_new_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_atomic(tmp_path / "x", b"")
        replace_folder(tmp_path / "best", OLD)
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "best").stat().st_mode & 0o777 == 0o750


def test_file_systems_without_folder_syncs_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def refusing(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", refusing)
    files.write_atomic(tmp_path / "x", NEW)
    assert (tmp_path / "x").read_bytes() == NEW


def test_only_scraps_are_cleared(tmp_path: Path) -> None:
    kept = [".key", ".hidden.partial", "x.0123abcd.partial", "a/.b.0123abc.partial"]
    scraps = [".x.csv.0123abcd.partial", "a/b/.train.ffffffff.partial/model.safetensors"]
    for name in kept + scraps:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert files.folder_digests(tmp_path).keys() == set(kept)
    files.clear_scraps(tmp_path)
    assert content(tmp_path).keys() == set(kept)


def test_digests(tmp_path: Path) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert files.digest(b"") == empty
    for name in ("b/c", "a", "b.x"):
        files.write_atomic(tmp_path / name, b"")
    assert files.file_digest(tmp_path / "a") == empty
    assert files.folder_digests(tmp_path) == dict.fromkeys(["a", "b/c", "b.x"], empty)


def test_equal_values_have_equal_json() -> None:
    assert files.canonical_json({"b": 1, "a": [1.5, "ä"]}) == b'{"a":[1.5,"\\u00e4"],"b":1}'
    assert files.canonical_json({"a": 1, "b": 2}) == files.canonical_json({"b": 2, "a": 1})
    assert files.pretty_json({"b": "ä", "a": 1}) == '{\n "b": "ä",\n "a": 1\n}\n'.encode()
    more = {"a": [1, None, "x"], "b": [{"c": []}, [2, {}]], 3: {"d": {"e": (0.5, 1)}}, "f": {}}
    assert files.pretty_json(more).decode() == (
        '{\n "a": [1, null, "x"],\n "b": [\n  {\n   "c": []\n  },\n  [\n   2,\n   {}\n  ]\n ],\n'
        ' "3": {\n  "d": {\n   "e": [0.5, 1]\n  }\n },\n "f": {}\n}\n'
    )


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_pretty_json_is_the_same_json(value: object) -> None:
    assert json.loads(files.pretty_json(value)) == value


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_has_no_numbers_that_are_none(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.canonical_json({"a": [number]})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.pretty_json({"a": [number]})
