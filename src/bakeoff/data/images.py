"""One image file to 8-bit grey or colour pixels, whatever its format holds."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
MOST_PIXELS = 89_478_485
"""Pillow's own limit: a larger image is taken for an attempt to fill the memory."""
BACKGROUND = 255
"""White: what shows through where an image is transparent."""


class UnreadableImageError(Exception):
    """A file is no image, damaged, or larger than can be believed."""


def read_image(path: Path, size: int | None = None) -> NDArray[np.uint8]:
    """The first frame of an image file, upright, without transparency.

    Grey images of any depth become one channel; all others become RGB. Colour profiles are not
    applied. An image with three equal channels is grey.

    Args:
        path: A PNG, JPEG, BMP, GIF or WebP file, told by its content.
        size: Resize the shorter side to this many pixels and cut the middle square out; None:
            leave it as it is.

    Returns:
        (H, W, 1) or (H, W, 3) uint8.

    Raises:
        UnreadableImageError: says why.
    """
    with warnings.catch_warnings():
        # Broken EXIF data and the like are no concern of ours; an image of a gigabyte is.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise UnreadableImageError(_too_large(image))
                if size is not None:
                    # Lets a JPEG decoder skip detail that the resizing would drop anyway.
                    image.draft(None, (2 * size, 2 * size))
                return _pixels(image, size)
        except UnreadableImageError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise UnreadableImageError(f"more than {MOST_PIXELS:,} pixels") from None
        except Exception as error:  # damaged files make decoders raise whatever they like
            raise UnreadableImageError(_reason(error, path)) from None


def _pixels(image: Image.Image, size: int | None) -> NDArray[np.uint8]:
    upright = _eight_bit(ImageOps.exif_transpose(image))
    if size is not None:
        upright = ImageOps.fit(upright, (size, size), Image.Resampling.BICUBIC)
    array = np.asarray(upright)
    if array.ndim == 2:
        return array[..., None].copy()
    first = array[..., :1]
    return first.copy() if (array == first).all() else array.copy()


def _eight_bit(image: Image.Image) -> Image.Image:
    """Mode L or RGB."""
    mode = image.mode
    if mode in ("I", "F") or mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.float64)
        return Image.fromarray(np.rint(np.clip(deep, 0, 65535) / 257).astype(np.uint8))
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        colour = image.convert("RGBA")
        under = Image.new("RGBA", colour.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        return Image.alpha_composite(under, colour).convert("RGB")
    if mode in ("L", "1"):
        return image.convert("L")
    return image.convert("RGB")


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


def _too_large(image: Image.Image) -> str:
    return f"{image.width} x {image.height}: more than {MOST_PIXELS:,} pixels"


def _reason(error: Exception, path: Path) -> str:
    """What is wrong, without the path, which the caller names."""
    if path.is_file() and path.stat().st_size == 0:
        return "empty file"
    if type(error).__name__ == "UnidentifiedImageError":
        return "not a PNG, JPEG, BMP, GIF or WebP image"
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:120]
