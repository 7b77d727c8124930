"""Tests of images that are to be predicted."""

import gzip
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bakeoff.core.errors import InputError
from bakeoff.core.examples import Examples, concatenated
from bakeoff.data import inputs
from bakeoff.data.inputs import Wanted, read_images

Pixels = Callable[..., NDArray[np.uint8]]
GREY = Wanted((8, 8, 1), classes=("cat", "dog"))
COLOUR = Wanted((8, 8, 3))


def read(source: Path, wanted: Wanted = GREY) -> tuple[Examples, list[str]]:
    notes: list[str] = []
    return concatenated([*read_images(source, wanted, notes)]), notes


def faults(source: Path, wanted: Wanted = GREY) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        list(read_images(source, wanted, []))
    return caught.value.faults


def save(path: Path, pixels: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, make_pixels: Pixels) -> Path:
    """Twelve grey images, numbered from 1."""
    for number, pixels in enumerate(make_pixels(12, 8, 8), start=1):
        save(tmp_path / "new" / f"{number}.png", pixels)
    return tmp_path / "new"


def test_folders_are_read_as_people_count(folder: Path, make_pixels: Pixels) -> None:
    examples, notes = read(folder)
    assert examples.ids.tolist() == [f"{number}.png" for number in range(1, 13)]
    assert np.array_equal(np.asarray(examples.items)[..., 0], make_pixels(12, 8, 8))
    assert set(examples.labels.tolist()) == {-1}
    assert notes == []


@pytest.mark.parametrize("images", [1, 5, 100])
def test_parts_are_bounded_and_lose_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, images: int
) -> None:
    whole, _ = read(folder)
    monkeypatch.setattr(inputs, "PART_BYTES", images * 64)
    parts = [*read_images(folder, GREY, [])]
    assert max(map(len, parts)) == {1: 1, 5: 4, 100: 12}[images]
    joined = concatenated(parts)
    assert joined.ids.tolist() == whole.ids.tolist()
    assert np.array_equal(np.asarray(joined.items), np.asarray(whole.items))


def test_labels_are_the_names_of_folders(tmp_path: Path) -> None:
    for name in ("new/cat/1.png", "new/cat/dog/2.png", "new/dog/deep/3.png", "new/4.png"):
        save(tmp_path / name, np.zeros((8, 8)))
    examples, _ = read(tmp_path / "new")
    assert dict(zip(examples.ids.tolist(), examples.labels.tolist(), strict=True)) == {
        "4.png": -1, "cat/1.png": 0, "cat/dog/2.png": 0, "dog/deep/3.png": 1,
    }  # fmt: skip
    assert read(tmp_path / "new" / "dog")[0].labels.tolist() == [1]


def test_one_image(tmp_path: Path) -> None:
    examples, _ = read(save(tmp_path / "dog" / "x.png", np.full((8, 8), 7)))
    assert examples.ids.tolist() == ["x.png"]
    assert examples.labels.tolist() == [1]
    assert np.all(np.asarray(examples.items) == 7)


def test_what_was_changed_or_left_out_is_told(folder: Path, make_pixels: Pixels) -> None:
    (folder / "notes.txt").touch()
    save(folder / "colour.png", make_pixels(1, 8, 8, 3)[0])
    Image.fromarray(np.full((8, 8, 2), 100, np.uint8)).save(folder / "clear.png")
    assert read(folder)[1] == [
        "1 files that are not images left out (1 x .txt)",
        "1 image in colour brought to grey, as was learnt (e.g. colour.png)",
        "1 image with transparent parts laid on white (e.g. clear.png)",
    ]
    assert (
        "13 images in grey, whose channel is repeated: colour was learnt (e.g. 1.png)"
        in (read(folder, COLOUR)[1])
    )


def test_other_sizes_are_refused_or_resized(folder: Path) -> None:
    save(folder / "13.png", np.zeros((20, 9)))
    save(folder / "14.png", np.zeros((3, 2000)))
    assert faults(folder) == (
        f"{folder}/13.png: 9 x 20 pixels, where 8 x 8 were learnt",
        f"{folder}/14.png: 2000 x 3 pixels, where 8 x 8 were learnt",
        "  resize them; or ask for their middle squares, resized: --resize",
    )
    assert len(read(folder, Wanted((8, 8, 1), 8))[0]) == 14
    assert len(faults(folder, Wanted((8, 9, 1)))) == 11  # what is no square is not resized


def test_every_fault_is_told_and_nothing_yielded_after_the_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "PART_BYTES", 64)
    (folder / "3.png").write_bytes(b"")
    (folder / "12.png").write_bytes((folder / "11.png").read_bytes()[:50])
    parts = read_images(folder, GREY, [])
    assert [next(parts).ids.tolist(), next(parts).ids.tolist()] == [["1.png"], ["2.png"]]
    with pytest.raises(InputError) as caught:
        next(parts)
    assert caught.value.faults == (
        f"{folder}/3.png: cannot be read: empty file",
        f"{folder}/12.png: cannot be read: image file is truncated",
    )


def test_faults_are_bounded(folder: Path) -> None:
    for number in range(1, 13):
        (folder / f"{number}.png").write_bytes(b"")
    assert faults(folder)[-1] == "  and 2 more"
    assert len(faults(folder)) == 11


def test_folders_without_images(tmp_path: Path) -> None:
    (tmp_path / "a.heic").touch()
    (line,) = faults(tmp_path)
    assert line == (
        f"{tmp_path}: no images (looked for .png, .jpg, .jpeg, .bmp, .gif, .webp, .tif, .tiff)\n"
        "1 files that are not images left out (1 x .heic)"
    )


def test_what_looks_at_nothing_takes_any_image(folder: Path) -> None:
    save(folder / "13.png", np.zeros((2, 3000, 3)))
    assert len(read(folder, Wanted(None))[0]) == 13


def arrays(folder: Path, images: NDArray[np.uint8], make_idx: Callable[..., bytes]) -> list[Path]:
    """The same grey images in every format of arrays."""
    np.save(folder / "a.npy", images)
    np.savez(folder / "only.npz", x=images)
    labels = np.zeros(len(images))
    np.savez_compressed(folder / "named.npz", labels=labels, images=images[..., None])
    np.savez(folder / "unnamed.npz", images, labels=labels)
    (folder / "a-idx3-ubyte").write_bytes(make_idx(images))
    (folder / "a-idx3-ubyte.gz").write_bytes(gzip.compress(make_idx(images)))
    return sorted(path for path in folder.iterdir() if path.is_file())


def test_arrays_of_every_format(
    tmp_path: Path, make_pixels: Pixels, make_idx: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(inputs, "PART_BYTES", 5 * 64)
    images = make_pixels(12, 8, 8)
    files = arrays(tmp_path, images, make_idx)
    assert len(files) == 6
    for file in files:
        examples, notes = read(file)
        assert np.array_equal(np.asarray(examples.items)[..., 0], images), file
        assert examples.ids.tolist() == ["0", "1", *map(str, range(2, 12))]
        assert set(examples.labels.tolist()) == {-1}
        assert notes == []
        assert read(file, COLOUR)[0].items.shape == (12, 8, 8, 3)  # type: ignore[union-attr]


def test_batches_of_cifar_with_and_without_labels(
    tmp_path: Path, make_cifar: Callable[..., bytes]
) -> None:
    records = np.frombuffer(make_cifar(7), np.uint8).reshape(7, -1)
    planes = records[:, 1:].reshape(7, 3, 32, 32)
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    (tmp_path / "unlabelled.bin").write_bytes(planes.tobytes())
    for name in ("test_batch.bin", "unlabelled.bin"):
        examples, _ = read(tmp_path / name, Wanted((32, 32, 3)))
        assert np.array_equal(np.asarray(examples.items), planes.transpose(0, 2, 3, 1))
        assert set(examples.labels.tolist()) == {-1}


def test_arrays_that_do_not_fit(tmp_path: Path, make_pixels: Pixels) -> None:
    np.save(tmp_path / "float.npy", np.zeros((3, 8, 8)))
    np.save(tmp_path / "flat.npy", np.zeros((3, 64), np.uint8))
    np.save(tmp_path / "none.npy", np.zeros((0, 8, 8), np.uint8))
    np.save(tmp_path / "large.npy", np.zeros((3, 9, 8), np.uint8))
    np.save(tmp_path / "planes.npy", np.zeros((3, 2, 8, 8), np.uint8))
    np.savez(tmp_path / "two.npz", a=make_pixels(1, 8, 8), b=make_pixels(1, 8, 8))
    for name, message in (
        ("float.npy", "uint8, at least one; this is (3, 8, 8) float64"),
        ("flat.npy", "this is (3, 64) uint8"),
        ("none.npy", "this is (0, 8, 8) uint8"),
        ("large.npy", "images of (9, 8, 1), where (8, 8, 1) were learnt"),
        ("planes.npy", "images of (2, 8, 8), where (8, 8, 1) were learnt"),
        ("two.npz", "One must be called images or arr_0 (there are: a, b)"),
    ):
        (line,) = faults(tmp_path / name)
        assert line.startswith(f"{tmp_path / name}: ")
        assert message in line


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_with_channels_first(tmp_path: Path, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, channels), np.uint8)
    np.save(tmp_path / "last.npy", images)
    np.save(tmp_path / "first.npy", np.moveaxis(images, 3, 1))
    for wanted in (GREY, COLOUR):
        last, unchanged = read(tmp_path / "last.npy", wanted)
        first, notes = read(tmp_path / "first.npy", wanted)
        assert np.array_equal(np.asarray(first.items), np.asarray(last.items))
        assert unchanged == []
        assert notes == [
            f"{tmp_path / 'first.npy'}: (5, {channels}, 8, 8) read as (N, channels, H, W), since "
            "images of 8 x 8 pixels were learnt"
        ]


def test_arrays_that_could_be_either_have_channels_last(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3), np.uint8)
    np.save(tmp_path / "cube.npy", images)
    examples, notes = read(tmp_path / "cube.npy", Wanted((3, 3, 3)))
    assert np.array_equal(np.asarray(examples.items), images)
    assert notes == []


def test_what_is_neither_image_nor_array(tmp_path: Path) -> None:
    (tmp_path / "junk.bin").write_bytes(b"x" * 100)
    (tmp_path / "empty.bin").touch()
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "test_batch").write_bytes(pickle.dumps({b"data": b"x"}, protocol=2))
    assert "100 bytes are not a whole number of records" in faults(tmp_path / "junk.bin")[0]
    assert "0 bytes are not a whole number of records" in faults(tmp_path / "empty.bin")[0]
    assert "not a PNG, JPEG, " in faults(tmp_path / "text.txt")[0]
    assert "nothing from outside is unpickled" in faults(tmp_path / "test_batch")[0]
