"""Tests of which files lie below a folder."""

import os
from collections import Counter
from pathlib import Path

import pytest

from bakeoff.data.listing import (
    SHOWN,
    first,
    hidden,
    identity,
    kinds,
    list_images,
    names,
    natural,
    subfolders,
)


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def found(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in list_images(folder).images)


def test_images_others_and_what_file_managers_keep(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b/C.JPEG", "b/d.TIF", "b/notes.txt", "b/more.TXT", "README")
    touch(tmp_path, ".DS_Store", "b/.hidden.png", ".git/e.png", "__MACOSX/f.png", "Thumbs.db")
    listing = list_images(tmp_path)
    assert found(tmp_path) == ["a.png", "b/C.JPEG", "b/d.TIF"]
    assert listing.others == {".txt": 2, "": 1}
    assert listing.notes() == ["3 files that are not images left out (1 x no suffix, 2 x .txt)"]
    assert listing.faults == []


def test_links_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/deep/a.png", "root/b.png")
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "c.png").symlink_to(tmp_path / "elsewhere" / "deep" / "a.png")
    assert found(tmp_path / "root") == ["b.png", "c.png", "linked/deep/a.png"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """Nor may a link upwards bring the neighbours' images in."""
    touch(tmp_path, "root/cat/a.png", "root/cat/deep/b.png", "root/dog/c.png", "out/d.png")
    (tmp_path / "root" / "cat" / "up").symlink_to("..")
    (tmp_path / "root" / "cat" / "self").symlink_to(".")
    (tmp_path / "root" / "cat" / "deep" / "again").symlink_to("../deep")
    (tmp_path / "root" / "cat" / "out").symlink_to("../../out")
    (tmp_path / "root" / "cat" / "twice").symlink_to("../../out")
    (tmp_path / "out" / "back").symlink_to("../root/cat")
    listing = list_images(tmp_path / "root" / "cat")
    assert found(tmp_path / "root" / "cat") == ["a.png", "deep/b.png", "out/d.png"]
    assert listing.links == 5
    assert listing.notes() == ["5 links to folders that are read anyway left out"]


def test_a_link_whose_target_holds_what_was_read(tmp_path: Path) -> None:
    touch(tmp_path, "box/root/a.png", "box/b.png", "far/x")
    (tmp_path / "far" / "link").symlink_to("../box/root")
    (tmp_path / "far" / "wider").symlink_to("../box")
    assert found(tmp_path / "far") == ["link/a.png", "wider/b.png"]


def test_broken_links_are_listed_to_be_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("nowhere.png")
    assert found(tmp_path) == ["a.png"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read anything")
def test_folders_without_the_right_to_read(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "locked/b.png")
    (tmp_path / "locked").chmod(0)
    listing = list_images(tmp_path)
    (tmp_path / "locked").chmod(0o700)
    assert listing.faults == [f"{tmp_path}/locked: cannot be opened: Permission denied"]


def test_folders_that_cannot_be_opened_are_faults(tmp_path: Path) -> None:
    listing = list_images(tmp_path / "nowhere")
    assert listing.faults == [f"{tmp_path}/nowhere: cannot be opened: No such file or directory"]


def test_listings_add_up(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/1.txt", "b/2.png", "b/2.txt", "b/2")
    both = list_images(tmp_path / "a")
    both.add(list_images(tmp_path / "b"))
    assert len(both.images) == 2
    assert both.others == {".txt": 2, "": 1}


def test_subfolders_are_sorted_and_seen_through_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    touch(root, "b/x", "a/x", ".c/x", "d")
    (root / "e").symlink_to("a")
    assert [path.name for path in subfolders(root)] == ["a", "b", "e"]
    assert hidden(".DS_Store")
    assert not hidden("a.png")


def test_natural_order() -> None:
    paths = ["10.png", "2.png", "1.png", "b/1.png", "a10/3.png", "a2/20.png", "a2/3.png", "01.png"]
    assert [str(p) for p in sorted(map(Path, paths), key=natural)] == [
        *("01.png", "1.png", "2.png", "10.png"),
        *("a2/3.png", "a2/20.png", "a10/3.png", "b/1.png"),
    ]


def test_natural_order_compares_any_names() -> None:
    """Digits beside letters at the same place, other alphabets' digits, no digits at all."""
    paths = [*map(Path, ["7", "a", "7a", "a7", "٣", "", "x/7", "7/x", "²"])]
    assert sorted(sorted(paths, key=natural), key=natural) == sorted(paths, key=natural)


def test_identities_can_be_written_and_told_apart() -> None:
    assert identity(Path("дог") / "1.png") == "дог/1.png"
    odd = [Path(os.fsdecode(name)) for name in (b"\xff.png", b"\xfe.png")]
    assert [identity(path) for path in odd] == ["\\xff.png", "\\xfe.png"]


def test_lists_are_bounded() -> None:
    many = [f"n{i}" for i in range(SHOWN + 3)]
    assert names(["a", "b\nc"]) == "a, b\\nc"
    assert names(many).endswith(", n9 and 3 more")
    assert list(first(many)) == [*many[:SHOWN], "  and 3 more"]
    assert list(first(many[:2])) == ["n0", "n1"]
    counts = Counter({f".{name}": 1 for name in many})
    assert kinds(counts).endswith(", ...")
    assert kinds(Counter({".b": 2, "": 1})) == "1 x no suffix, 2 x .b"
