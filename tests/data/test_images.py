"""Tests of reading one image, in every format and mode a folder may hold."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bakeoff.data import images
from bakeoff.data.images import UnreadableImageError, read_image, to_channels

RAMP = np.linspace(0, 255, 12 * 8).astype(np.uint8).reshape(8, 12)
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp", "jpg"])
def test_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(COLOUR).save(path, **options)  # type: ignore[arg-type]
    pixels = read_image(path)
    assert pixels.shape == (8, 12, 3)
    assert pixels.dtype == np.uint8
    if suffix in ("png", "bmp", "webp"):
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


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(path)
    assert read_image(path)[..., 0].tolist() == RAMP.tolist()


def test_cmyk_becomes_colour(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path)
    red, green, blue = read_image(path)[4, 4].tolist()
    assert red > 200 > 100 > max(green, blue)


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


def test_the_first_frame_of_many(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    frames = [Image.new("L", (6, 6), value) for value in (10, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert np.all(read_image(path) == 10)


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


def png_of(width: int, height: int) -> bytes:
    """The beginning of an image of any size, with next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"no image at all", "not a PNG, JPEG, BMP, GIF or WebP image"),
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


def test_cut_off_files_of_every_format(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for suffix in ("png", "jpg", "bmp", "gif", "webp"):
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
