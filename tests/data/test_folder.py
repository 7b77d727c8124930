"""Tests of folders of images: layouts, guesses, and every fault told at once."""

import os
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bakeoff.core.errors import InputError
from bakeoff.core.recipe import FolderSource
from bakeoff.data import folder as module
from bakeoff.data.dataset import Dataset
from bakeoff.data.folder import load_folder

Write = Callable[..., Path]
KINDS = ".png, .jpg, .jpeg, .bmp, .gif, .webp, .tif, .tiff"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pets"


@pytest.fixture
def write(root: Path, make_pixels: Callable[..., NDArray[np.uint8]]) -> Write:
    """Writes `count` random images into a folder below the root."""

    def write(below: str, count: int = 1, *, side: int = 8, colour: bool = False) -> Path:
        folder = root / below
        folder.mkdir(parents=True, exist_ok=True)
        shape = (side, side, 3) if colour else (side, side)
        seed = crc32(below.encode())
        for i, pixels in enumerate(make_pixels(count, *shape, seed=seed)):
            Image.fromarray(pixels).save(folder / f"{i:02}.png")
        return folder

    return write


def load(root: Path, **fields: object) -> Dataset:
    return load_folder(FolderSource.model_validate({"folder": str(root), **fields}))


def faults(root: Path, **fields: object) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        load(root, **fields)
    return caught.value.faults


def test_plain_class_folders(root: Path, write: Write) -> None:
    write("dog", 20)
    write("cat/more", 10)
    dataset = load(root)
    assert dataset.classes == ("cat", "dog")
    assert dataset.shape == (8, 8, 1)
    assert dataset.test is not None
    assert np.bincount(dataset.train.labels).tolist() == [8, 16]
    assert np.bincount(dataset.test.labels).tolist() == [2, 4]
    assert "cat/more/00.png" in {*dataset.train.ids, *dataset.test.ids}
    assert any("6 of 30 examples set aside" in note for note in dataset.notes)
    assert any("every image is grey" in note for note in dataset.notes)
    assert load(root).hash == dataset.hash


@pytest.mark.parametrize("name", ["validation", "val", "valid", "dev", "Val"])
def test_split_folders(root: Path, write: Write, name: str) -> None:
    for split, count in (("train", 6), (name, 3), ("test", 2)):
        write(f"{split}/cat", count, colour=True)
        write(f"{split}/dog", count, colour=True)
    dataset = load(root)
    assert {split: len(e) for split, e in dataset.splits.items()} == {
        "train": 12,
        "validation": 6,
        "test": 4,
    }
    assert dataset.notes == ()
    assert dataset.test is not None
    assert dataset.test.ids.tolist()[:2] == ["test/cat/00.png", "test/cat/01.png"]
    pixels = np.asarray(Image.open(root / "test" / "dog" / "01.png"))
    assert np.asarray(dataset.test.items)[3].tolist() == pixels.tolist()


def test_split_folders_without_test(root: Path, write: Write) -> None:
    for split, count in (("train", 10), ("val", 3)):
        write(f"{split}/cat", count)
        write(f"{split}/dog", count)
    dataset = load(root)
    assert {split: len(e) for split, e in dataset.splits.items()} == {
        "train": 16,
        "validation": 6,
        "test": 4,
    }


@pytest.mark.parametrize(
    ("asked", "colours", "channels"),
    [
        ("auto", (False, False), 1),
        ("auto", (False, True), 3),
        ("auto", (True, False), 3),
        ("grey", (True, False), 1),
        ("rgb", (False, False), 3),
    ],
)
def test_grey_or_colour(
    root: Path, write: Write, asked: str, colours: tuple[bool, bool], channels: int
) -> None:
    write("cat", 5, colour=colours[0])
    write("dog", 5, colour=colours[1])
    dataset = load(root, channels=asked)
    assert dataset.shape == (8, 8, channels)
    if asked == "auto":
        first = np.asarray(Image.open(root / "cat" / "00.png").convert("RGB"))
        every = np.concatenate([np.asarray(e.items) for e in dataset.splits.values()])
        assert first[..., :channels].tolist() in every.tolist()


def test_other_files_are_left_out_and_told(root: Path, write: Write) -> None:
    write("cat", 5)
    write("dog", 5)
    for name in ("cat/notes.txt", "cat/.hidden.png", "dog/Thumbs.db", "dog/README"):
        (root / name).write_text("x")
    write(".git", 3)
    write("__MACOSX", 3)
    dataset = load(root)
    assert len(dataset.train) + len(dataset.test or []) == 10
    assert "2 files that are not images left out (1 x no suffix, 1 x .txt)" in dataset.notes


def test_sizes_that_differ_are_told_and_a_size_proposed(root: Path, write: Write) -> None:
    write("cat", 5, side=40)
    write("dog", 4, side=33)
    lines = faults(root)
    assert lines[0] == (
        f"{root}: images have 2 different sizes; give one: {{folder: {root}, size: 32}}"
    )
    assert lines[1] == f"  40 x 40: 5 images, e.g. {root}/cat/00.png"
    assert load(root, size=32).shape == (32, 32, 1)


def test_images_too_large_to_keep_are_told(
    root: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("cat", 5, side=40)
    write("dog", 5, side=40)
    monkeypatch.setattr(module, "LONGEST_SIDE", 39)
    assert "images of 40 x 40 are too large to keep whole; give one" in faults(root)[0]
    monkeypatch.setattr(module, "LONGEST_SIDE", 40)
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    assert "10 images of 40 x 40 need 0 GiB" in faults(root)[0]


def test_all_unreadable_images_are_told_at_once(root: Path, write: Write) -> None:
    write("cat", 20)
    write("dog", 20)
    for i in range(12):
        (root / "dog" / f"{i:02}.png").write_bytes(b"broken")
    write("cat", 1, side=9)
    lines = faults(root)
    assert lines[0] == "12 images cannot be read; repair or remove them:"
    assert lines[1] == f"  {root}/dog/00.png: not a PNG, JPEG, BMP, GIF, WebP or TIFF image"
    assert len([line for line in lines if "/dog/" in line]) == 10
    assert "  and 2 more" in lines
    assert any("different sizes" in line for line in lines)


def test_missing_and_empty_places(root: Path, write: Write) -> None:
    assert faults(root) == (
        f"{root}: no such folder; a folder with one folder of images a class is needed",
    )
    root.parent.joinpath("file").write_text("x")
    assert "is a file, not a folder" in faults(root.parent / "file")[0]
    root.mkdir()
    assert "no class folders; each class needs a folder" in faults(root)[0]
    Image.new("L", (4, 4)).save(root / "a.png")
    assert "1 images, but no class folders" in faults(root)[0]
    write("cat", 3)
    (root / "dog").mkdir()
    (root / "emu").mkdir()
    (root / "emu" / "a.txt").write_text("x")
    assert faults(root) == (
        f"{root}/dog: no images ({KINDS}) in this class",
        f"{root}/emu: no images ({KINDS}) in this class; found: 1 x .txt",
    )


def test_classes_have_to_fit(root: Path, write: Write) -> None:
    write("cat", 5)
    assert faults(root) == (f"{root}: only one class, 'cat'; at least two are needed",)
    write("dog", 2)
    assert "'dog' has 2; without a test split every class needs at least 3" in faults(root)[0]


def test_classes_of_the_splits_have_to_fit(root: Path, write: Write) -> None:
    for name in ("train/cat", "train/dog", "test/dgo", "test/cat", "val/emu"):
        write(name, 3)
    assert faults(root) == (
        f"{root}: classes in validation that are not in train: emu (train has cat, dog)",
        f"{root}: classes in test that are not in train: dgo; is dog meant? (train has cat, dog)",
    )


def test_classes_that_differ_in_all_are_told_with_both_names(root: Path, write: Write) -> None:
    for name in ("train/cats", "train/dogs", "test/Cat", "test/Dog"):
        write(name, 3)
    assert faults(root) == (
        f"{root}: classes in test that are not in train: Cat, Dog (train has cats, dogs)",
    )


def test_classes_one_folder_too_deep(root: Path, write: Write) -> None:
    write("images/cat", 3)
    write("images/dog", 3)
    assert faults(root) == (
        f"{root}: only one class, 'images'; at least two are needed; are cat, dog the classes? "
        f"{{folder: {root}/images}}",
    )


def test_many_faulty_classes_are_bounded(root: Path, write: Write) -> None:
    for i in range(15):
        (root / f"class-{i:02}").mkdir(parents=True)
    lines = faults(root)
    assert len(lines) == 11
    assert lines[-1] == "  and 5 more"


def test_images_outside_the_classes_are_told(root: Path, write: Write) -> None:
    write("cat", 5)
    write("dog", 5)
    (root / "cat" / "00.png").rename(root / "loose.png")
    assert "1 images outside the class folders left out" in load(root).notes


def test_what_was_done_to_images_is_told(root: Path, write: Write) -> None:
    write("cat", 5, colour=True)
    write("dog", 5)
    Image.fromarray(np.full((8, 8, 4), 100, np.uint8)).save(root / "cat" / "clear.png")
    notes = load(root).notes
    assert "1 image with transparent parts laid on white (e.g. cat/clear.png)" in notes
    assert "6 of 11 images are grey: their channel is repeated for colour" in notes
    assert "5 of 11 images in colour brought to grey, as asked" in load(root, channels="grey").notes


def test_links(root: Path, write: Write, tmp_path: Path) -> None:
    """Classes and images may be links; a link upwards brings no other class in."""
    write("cat", 4)
    write("dog", 4)
    (root.parent / "elsewhere").mkdir()
    write("../elsewhere/eel", 4)
    (root / "eel").symlink_to(tmp_path / "elsewhere" / "eel")
    (root / "cat" / "up").symlink_to("..")
    dataset = load(root)
    assert dataset.classes == ("cat", "dog", "eel")
    assert sum(map(len, dataset.splits.values())) == 12
    assert "1 links to folders that are read anyway left out" in dataset.notes
    (root / "dog" / "a.png").symlink_to("nowhere.png")
    (root / "dog" / "b.png").symlink_to("b.png")
    assert faults(root) == (
        "2 images cannot be read; repair or remove them:",
        f"  {root}/dog/a.png: a link to a file that is not there",
        f"  {root}/dog/b.png: Too many levels of symbolic links",
    )


def test_pipes_are_not_waited_for(root: Path, write: Write) -> None:
    write("cat", 3)
    os.mkfifo(write("dog", 3) / "pipe.png")
    assert "dog/pipe.png: a folder, a pipe or a device" in faults(root)[1]


def test_names_of_any_kind(root: Path, write: Write) -> None:
    write("дог", 4)
    odd = write("new\nline", 4)
    (odd / "00.png").rename(odd / "\u65e5\u672c\n.PNG")
    (odd / "01.png").rename(odd / os.fsdecode(b"\xff.png"))
    (odd / "02.png").rename(odd / os.fsdecode(b"\xfe.png"))
    dataset = load(root)
    ids = {str(i) for examples in dataset.splits.values() for i in examples.ids}
    assert dataset.classes == ("new\nline", "дог")
    assert {"new\nline/\u65e5\u672c\n.PNG", "new\nline/\\xff.png"} <= ids
    assert len(ids) == 8
    (odd / "03.png").write_bytes(b"")
    assert faults(root)[1] == f"  {root}/new\\nline/03.png: empty file"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read anything")
def test_folders_without_the_right_to_read(root: Path, write: Write) -> None:
    write("cat", 3)
    write("dog", 3).chmod(0)
    lines = faults(root)
    (root / "dog").chmod(0o700)
    assert lines == (f"{root}/dog: cannot be opened: Permission denied",)
    root.chmod(0)
    lines = faults(root)
    root.chmod(0o700)
    assert lines == (f"{root}: cannot be opened: Permission denied",)


def test_split_folders_have_to_be_clear(root: Path, write: Write) -> None:
    write("test/cat", 3)
    write("val/cat", 3)
    assert faults(root) == (f"{root}: has test, val, but no folder train",)
    write("train/cat", 3)
    write("dev/cat", 3)
    assert faults(root) == (f"{root}: more than one folder for a split: val, dev",)
    (root / "dev").rename(root / "bird")
    assert "so bird beside it can be no class" in faults(root)[0]


def test_classes_named_like_splits_are_classes_without_train(root: Path, write: Write) -> None:
    write("test", 5)
    write("control", 5)
    assert load(root).classes == ("control", "test")
