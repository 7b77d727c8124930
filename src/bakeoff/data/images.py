"""One image file to 8-bit grey or colour pixels, whatever its format holds."""

import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from bakeoff.core.errors import shown

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MOST_PIXELS = 89_478_485
"""Pillow's own limit: a larger image is taken for an attempt to fill the memory."""
LONGEST_SIDE = 1024
"""Images are kept at their own size up to this many pixels a side, the largest `size`."""
BACKGROUND = 255
"""White: what shows through where an image is transparent."""
STRIP = 256
"""Rows that are laid on white at a time."""
_DEEP = ((np.arange(65_536) + 128) // 257).astype(np.uint8)
"""Every number of 16 bits in 8: 65,535 is white."""
_WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


class UnreadableImageError(Exception):
    """A file is no image, damaged, or larger than can be believed."""


class LargeImageError(UnreadableImageError):
    """An image that has to be resized, and for which no size was given.

    Attributes:
        height: In pixels, as the camera was held.
        width: In pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        super().__init__(f"{width} x {height}: more than {LONGEST_SIDE} pixels a side")


class Changes:
    """What was done to images beyond resizing: how often, and the first file it was done to."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, Path]] = {}

    def add(self, what: str, path: Path) -> None:
        """Count it once more."""
        count, example = self._found.get(what, (0, path))
        self._found[what] = (count + 1, example)

    def notes(self, base: Path) -> list[str]:
        """A sentence for each kind; examples are told by their paths below `base`."""
        return [
            f"{count} {'images' if count > 1 else 'image'} {what} "
            f"(e.g. {shown(example.relative_to(base))})"
            for what, (count, example) in sorted(self._found.items())
        ]


def read_image(
    path: Path, size: int | None = None, changes: Changes | None = None
) -> NDArray[np.uint8]:
    """The first frame of an image file, upright, without transparency.

    Grey images of any depth become one channel; all others become RGB. Colour profiles are not
    applied. An image with three equal channels is grey.

    Args:
        path: A PNG, JPEG, BMP, GIF, WebP or TIFF file, told by its content.
        size: Resize the shorter side to this many pixels and cut the middle square out; None:
            leave it as it is.
        changes: Told what was done.

    Returns:
        (H, W, 1) or (H, W, 3) uint8.

    Raises:
        LargeImageError: without `size`, where a side is longer than 1024 pixels; then nothing is
            decoded.
        UnreadableImageError: says why.
    """
    if not os.path.isfile(path):  # a pipe would be waited for
        raise UnreadableImageError(_no_file(path))
    with warnings.catch_warnings():
        # Broken EXIF data and the like are no concern of ours; an image of a gigabyte is.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=FORMATS) as image:
                _check_size(image, size)
                if size is not None:
                    # Lets a JPEG decoder skip detail that the resizing would drop anyway.
                    image.draft(None, (2 * size, 2 * size))
                pixels, done = _pixels(image, size)
        except UnreadableImageError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise UnreadableImageError(f"more than {MOST_PIXELS:,} pixels") from None
        except Exception as error:  # damaged files make decoders raise whatever they like
            raise UnreadableImageError(_reason(error, path)) from None
    if changes is not None:
        for what in done:
            changes.add(what, path)
    return pixels


def _check_size(image: Image.Image, size: int | None) -> None:
    """Refuse by the header alone what would fill the memory."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise UnreadableImageError(f"{width} x {height}: more than {MOST_PIXELS:,} pixels")
    if size is None and max(width, height) > LONGEST_SIDE:
        # Where a PNG file has EXIF data behind its pixels, asking for them would decode it.
        turned = "exif" in image.info and _orientation(image) >= 5
        raise LargeImageError(*((width, height) if turned else (height, width)))


def _orientation(image: Image.Image) -> int:
    """1: upright; 2 to 8: mirrored or turned; 5 and more: width and height change places."""
    said = image.getexif().get(ExifTags.Base.Orientation, 1)
    return said if said in range(2, 9) else 1


def _pixels(image: Image.Image, size: int | None) -> tuple[NDArray[np.uint8], list[str]]:
    """The image's pixels, and what was done to them."""
    done: list[str] = []
    if any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())):
        done.append("of 16 bits a channel brought to 8")
    # Some cameras keep a preview behind a photograph: nobody misses that.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        done.append("of several frames, of which the first is read")
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        raise UnreadableImageError(
            "holds numbers of 32 bits or with a sign, of which none is known to be white; save it "
            "with 8 or 16 bits"
        )
    if _orientation(image) > 1:
        done.append("turned upright, as EXIF data say")
    ImageOps.exif_transpose(image, in_place=True)
    flat = _eight_bit(image, done)
    if size is not None:
        flat = ImageOps.fit(flat, (size, size), Image.Resampling.BICUBIC)
    array = np.asarray(flat)
    if array.ndim == 2:
        return array[..., None].copy(), done
    first = array[..., :1]
    return (first.copy() if (array == first).all() else array.copy()), done


def _eight_bit(image: Image.Image, done: list[str]) -> Image.Image:
    """Mode L or RGB; adds to `done` what that took."""
    mode = image.mode
    if mode == "I" or mode.startswith("I;16"):
        return Image.fromarray(_DEEP[np.asarray(image)])
    if mode in _WITH_ALPHA or "transparency" in image.info:
        return _on_white(image, done)
    if mode in ("L", "RGB"):
        return image
    if mode not in ("1", "P"):
        done.append(f"brought from {mode} to RGB")
    return image.convert("L" if mode == "1" else "RGB")


def _on_white(image: Image.Image, done: list[str]) -> Image.Image:
    """Mode RGB, composed strip by strip: one copy of the image, not three."""
    whole = Image.new("RGB", image.size)
    clear = False
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height))).convert("RGBA")
        clear = clear or np.asarray(strip.getchannel("A")).min() < 255
        under = Image.new("RGBA", strip.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        whole.paste(Image.alpha_composite(under, strip).convert("RGB"), (0, top))
    if clear:
        done.append("with transparent parts laid on white")
    return whole


def to_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """(H, W, 1 or 3) uint8 to the given number of channels.

    Colour to grey weighs red, green and blue by 0.299, 0.587 and 0.114 (ITU-R BT.601).
    """
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    grey: NDArray[np.float64] = pixels @ np.array([0.299, 0.587, 0.114])
    return np.rint(grey)[..., None].astype(np.uint8)


def _no_file(path: Path) -> str:
    """Why a path is no file to read."""
    try:
        path.stat()
    except FileNotFoundError:
        return "a link to a file that is not there" if os.path.islink(path) else "no such file"
    except OSError as error:
        return str(error.strerror)
    return "a folder, a pipe or a device, not a file"


def _reason(error: Exception, path: Path) -> str:
    """What is wrong, without the path, which the caller names."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if path.stat().st_size == 0:
        return "empty file"
    if type(error).__name__ == "UnidentifiedImageError":
        return "not a PNG, JPEG, BMP, GIF, WebP or TIFF image"
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:120]
