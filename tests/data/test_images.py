"""Tests of reading one image, in every format and mode a folder may hold."""

import itertools
import os
import re
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bakeoff.data import images
from bakeoff.data.images import (
    Changes,
    LargeImageError,
    UnreadableImageError,
    read_image,
    to_channels,
)

RAMP = np.linspace(0, 255, 12 * 8).astype(np.uint8).reshape(8, 12)
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp", "jpg", "tif"])
def test_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(COLOUR).save(path, **options)  # type: ignore[arg-type]
    pixels = read_image(path)
    assert pixels.shape == (8, 12, 3)
    assert pixels.dtype == np.uint8
    if suffix in ("png", "bmp", "webp", "tif"):
        assert pixels.tolist() == COLOUR.tolist()


def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(COLOUR).save(path, format="PNG")
    assert read_image(path).tolist() == COLOUR.tolist()


def test_grey_in_any_dress_is_one_channel(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    grey = Image.fromarray(RAMP)
    for image in (grey, grey.convert("RGB"), grey.convert("P"), grey.convert("LA")):
        image.save(path)
        assert read_image(path)[..., 0].tolist() == RAMP.tolist()
    grey.convert("1").save(path)
    assert set(np.unique(read_image(path))) <= {0, 255}


def changes_of(path: Path) -> list[str]:
    """What reading an image did to it."""
    changes = Changes()
    read_image(path, changes=changes)
    return changes.notes(path.parent)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(path)
    assert read_image(path)[..., 0].tolist() == RAMP.tolist()
    assert changes_of(path) == [f"1 image of 16 bits a channel brought to 8 (e.g. a.{suffix})"]


def test_sixteen_bits_are_rounded_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    deep = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(deep).save(path)
    expected = np.rint(deep.astype(np.float64) / 257)
    assert read_image(path)[..., 0].tolist() == expected.tolist()


def test_sixteen_bits_in_colour_are_told_too(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    deep = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1).astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    path.write_bytes(png_of(12, 8, rows, bits=16, kind=2))
    assert read_image(path).tolist() == COLOUR.tolist()
    assert changes_of(path) == ["1 image of 16 bits a channel brought to 8 (e.g. a.png)"]


@pytest.mark.parametrize("numbers", ["int32", "float32"])
def test_numbers_without_a_known_white_are_refused(tmp_path: Path, numbers: str) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(RAMP.astype(numbers)).save(path)
    with pytest.raises(UnreadableImageError, match="holds numbers of 32 bits or with a sign"):
        read_image(path)


def test_what_is_done_is_counted_with_an_example(tmp_path: Path) -> None:
    changes = Changes()
    for name in ("b", "a"):
        path = tmp_path / f"{name}.png"
        Image.new("RGBA", (4, 4), (255, 0, 0, 128)).save(path)
        read_image(path, changes=changes)
    Image.fromarray(COLOUR).save(tmp_path / "plain.png")
    read_image(tmp_path / "plain.png", changes=changes)
    assert changes.notes(tmp_path) == ["2 images with transparent parts laid on white (e.g. b.png)"]


def test_opaque_alpha_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(COLOUR).convert("RGBA").save(path)
    assert read_image(path).tolist() == COLOUR.tolist()
    assert changes_of(path) == []


def test_tall_transparent_images_are_whole(tmp_path: Path) -> None:
    """They are laid on white in strips."""
    noise = np.random.default_rng(0).integers(0, 256, (images.STRIP * 2 + 7, 5, 4), np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(noise).save(path)
    alpha = noise[..., 3:].astype(float) / 255
    expected = noise[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(read_image(path) - expected).max() <= 1


def test_cmyk_becomes_colour(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path)
    red, green, blue = read_image(path)[4, 4].tolist()
    assert red > 200 > 100 > max(green, blue)
    assert changes_of(path) == ["1 image brought from CMYK to RGB (e.g. a.jpg)"]


def test_transparency_shows_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(path)
    assert np.all(read_image(path) == 255)
    Image.new("RGBA", (4, 4), (255, 0, 0, 128)).save(path)
    assert np.abs(read_image(path)[0, 0].astype(int) - [255, 127, 127]).max() <= 1
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30] * 256)
    palette.save(path, transparency=0)
    assert np.all(read_image(path) == 255)


def test_the_camera_may_have_been_turned(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    Image.fromarray(COLOUR).save(path, exif=exif)
    assert read_image(path).tolist() == np.rot90(COLOUR, -1).tolist()
    assert changes_of(path) == ["1 image turned upright, as EXIF data say (e.g. a.png)"]
    exif[0x0112] = 99  # means nothing
    Image.fromarray(COLOUR).save(path, exif=exif)
    assert read_image(path).tolist() == COLOUR.tolist()
    assert changes_of(path) == []


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_the_first_frame_of_many(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    frames = [Image.new("RGB", (16, 16), (value, value, value)) for value in (10, 200)]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)  # type: ignore[arg-type]
    assert np.all(read_image(path) == 10)
    assert changes_of(path) == [
        f"1 image of several frames, of which the first is read (e.g. a.{suffix})"
    ]


def test_previews_of_cameras_are_not_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    photograph = Image.fromarray(np.kron(COLOUR, np.ones((8, 8, 1), np.uint8)))
    photograph.save(path, format="MPO", save_all=True, append_images=[photograph])
    assert read_image(path).shape == (64, 96, 3)
    assert changes_of(path) == []


@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 40), (20, 20), (5, 9)])
def test_resizing_keeps_the_aspect_and_cuts_the_middle(
    tmp_path: Path, width: int, height: int
) -> None:
    path = tmp_path / "a.png"
    # A ring around the middle: it stays round, and in the middle.
    y, x = np.mgrid[:height, :width]
    far = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2) / (min(width, height) / 2)
    Image.fromarray((far < 0.7).astype(np.uint8) * 255).save(path)
    pixels = read_image(path, 16)[..., 0].astype(float)
    assert pixels.shape == (16, 16)
    assert np.abs(pixels - pixels.T).max() < 60
    assert np.abs(pixels - pixels[::-1, ::-1]).max() < 60
    assert pixels[8, 8] > 200


def test_large_photographs_are_shrunk_while_decoding(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(np.kron(COLOUR, np.ones((100, 100, 1), dtype=np.uint8))).save(path)
    whole = np.asarray(Image.fromarray(COLOUR).resize((12, 8))).astype(int)
    small = read_image(path, 8).astype(int)
    assert np.abs(small - whole[:, 2:10]).mean() < 12


def png_of(width: int, height: int, rows: bytes = b"", *, bits: int = 8, kind: int = 0) -> bytes:
    """An image of any size and depth; without rows, its header and next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"no image at all", "not a PNG, JPEG, BMP, GIF, WebP or TIFF image"),
        (png_of(10_000, 10_000), "more than 89,478,485 pixels"),
        (png_of(60_000, 60_000), "more than 89,478,485 pixels"),
        (png_of(20, 20), "truncated"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=message):
        read_image(path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "broken.png").symlink_to("nowhere.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    for name, message in (
        ("pipe.png", "a folder, a pipe or a device, not a file"),
        ("folder.png", "a folder, a pipe or a device, not a file"),
        ("broken.png", "a link to a file that is not there"),
        ("circle.png", "Too many levels of symbolic links"),
        ("nowhere.png", "no such file"),
    ):
        with pytest.raises(UnreadableImageError, match=message):
            read_image(tmp_path / name)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read anything")
def test_files_without_the_right_to_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(RAMP).save(path)
    path.chmod(0)
    with pytest.raises(UnreadableImageError, match=r"^Permission denied$"):
        read_image(path)


def test_large_images_are_told_by_their_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_of(1025, 300))  # there are no pixels to decode
    with pytest.raises(LargeImageError, match="1025 x 300: more than 1024 pixels a side") as caught:
        read_image(path)
    assert (caught.value.height, caught.value.width) == (300, 1025)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (1500, 700)).save(tmp_path / "a.jpg", exif=exif)
    with pytest.raises(LargeImageError) as caught:
        read_image(tmp_path / "a.jpg")
    assert (caught.value.height, caught.value.width) == (1500, 700)
    assert read_image(tmp_path / "a.jpg", 32).shape == (32, 32, 1)


MEASURE = """
import sys
from pathlib import Path
from bakeoff.data.images import read_image
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
before = peak()
read_image(Path(sys.argv[1]), 32)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_of_a_huge_image_is_bounded(tmp_path: Path) -> None:
    """Pillow keeps 4 bytes a pixel; laying on white needs a second copy and no third."""
    path = tmp_path / "a.png"
    Image.new("RGBA", (4000, 4000), (1, 2, 3, 200)).save(path, compress_level=1)
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert 4 * 4000 * 4000 < int(done.stdout) < 2.5 * 4 * 4000 * 4000


def test_cut_off_files_of_every_format(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for suffix in ("png", "jpg", "bmp", "gif", "webp", "tif"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(UnreadableImageError):
            read_image(path)


def test_a_limit_of_ours_holds_where_pillow_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(images, "MOST_PIXELS", 50)
    path = tmp_path / "a.png"
    Image.fromarray(RAMP).save(path)
    with pytest.raises(UnreadableImageError, match="12 x 8: more than 50 pixels"):
        read_image(path)


def test_warnings_of_decoders_are_not_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    Image.fromarray(RAMP).convert("P").save(path, transparency=b"\x00" * 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(path)


def test_channels() -> None:
    grey, colour = RAMP[..., None], COLOUR
    assert to_channels(grey, 1) is grey
    assert to_channels(grey, 3).tolist() == np.repeat(grey, 3, axis=-1).tolist()
    assert to_channels(colour, 1).shape == (8, 12, 1)
    assert to_channels(np.full((1, 1, 3), 255, dtype=np.uint8), 1).tolist() == [[[255]]]
    assert to_channels(np.array([[[255, 0, 0]]], dtype=np.uint8), 1).tolist() == [[[76]]]


def mutants(path: Path, generator: np.random.Generator) -> Iterator[bytes]:
    """Files of every format with some bytes changed, the header's more often, or cut off."""
    noise = generator.integers(0, 256, (24, 24, 4), np.uint8)
    for suffix, mode in itertools.product(
        ("png", "jpg", "bmp", "gif", "webp", "tif"), ("RGB", "L")
    ):
        Image.fromarray(noise).convert(mode).save(path.with_suffix(f".{suffix}"))
        whole = path.with_suffix(f".{suffix}").read_bytes()
        for number in range(40):
            data = bytearray(whole)
            reach = 100 if number % 2 else len(data)
            for place in generator.integers(0, min(reach, len(data)), 5):
                data[place] = generator.integers(256)
            yield bytes(data[: generator.integers(len(data))] if number % 8 == 0 else data)


def test_whatever_is_damaged_there_is_an_image_or_one_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.img"
    read, reasons = 0, []
    for data in mutants(tmp_path / "whole", np.random.default_rng(0)):
        path.write_bytes(data)
        try:
            pixels = read_image(path, 16)
        except UnreadableImageError as error:
            reasons.append(str(error))
        else:
            read += 1
            assert pixels.dtype == np.uint8
            assert pixels.shape in ((16, 16, 1), (16, 16, 3))
    assert read > 20
    assert len(reasons) > 100
    assert all(re.fullmatch(r".+", reason) for reason in reasons)
