"""What a picture file says of itself, from its header alone: format, size as it is seen, EXIF orientation.

Nothing is decoded here, so that a file that claims a billion pixels costs nothing. Used where many files are looked through:
importing pictures, finding the sizes that a label file leaves out. Decoding is in `images`.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image as PilImage

from .errors import DiskError, FormatError, UnsupportedError, reason
from .formats.atomic import StrPath
from .formats.text import open_regular
from .images import MAX_PIXELS, format_of

PilImage.MAX_IMAGE_PIXELS = None  # too many are refused here, by a limit of our own and with a message

TURNED = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""

_EXIF_ORIENTATION = 0x0112
_PIL_FORMATS = {"jpeg": ("JPEG", "MPO"), "png": ("PNG",), "bmp": ("BMP",), "webp": ("WEBP",), "tiff": ("TIFF",), "ppm": ("PPM",)}
# Pixel kinds of TIFF that hold 8 bits or fewer a channel.
_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """width and height in pixels as seen. orientation: 1 to 8 as in EXIF, what still has to be applied to what Pillow decodes."""

    format: str
    width: int
    height: int
    orientation: int = 1


def picture_info(path: StrPath, max_pixels: int = MAX_PIXELS) -> PictureInfo:
    """Raises FormatError (UnsupportedError for another kind of file) with the reason why it can't be used."""
    name = os.fsdecode(path)
    with open_regular(name) as file:
        return read_info(file, name, max_pixels)


def read_info(file: BinaryIO, name: str, max_pixels: int = MAX_PIXELS) -> PictureInfo:
    """The same for an open file (or bytes in memory); name is for messages."""
    try:
        kind = format_of(file.read(16))
    except OSError as error:
        raise DiskError(f"can't read: {reason(error)}", name) from error
    if kind not in _PIL_FORMATS:
        known = ", ".join(known.upper() for known in _PIL_FORMATS if known != "ppm")
        raise UnsupportedError(f"not a picture that can be used ({known})", name)
    file.seek(0)
    with opened(file, name, kind) as picture:
        width, height = picture.size
        if width < 1 or height < 1 or width * height > max_pixels:
            raise FormatError(f"{width} x {height} pixels; at most {max_pixels:,} in all", name)
        if kind == "tiff" and picture.mode not in _EIGHT_BIT:
            raise UnsupportedError("a TIFF with more than 8 bits a channel; save it with 8 bits", name)
        # Pillow gives a TIFF upright, size and pixels; of the others it gives what is stored.
        orientation = 1 if kind == "tiff" else orientation_of(picture)
    if orientation in TURNED:
        width, height = height, width
    return PictureInfo(kind, width, height, orientation)


def opened(file: BinaryIO, name: str, kind: str) -> PilImage.Image:
    """The picture with only its header read. Raises FormatError for one that is damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return PilImage.open(file, formats=_PIL_FORMATS[kind])
    except Exception as error:  # whatever a damaged file makes a decoder raise
        raise FormatError("the picture is damaged or of an unusual kind", name) from error


def orientation_of(picture: PilImage.Image) -> int:
    """1 to 8; 1 also where the EXIF data is damaged, which is how every viewer shows such a file."""
    try:
        value = picture.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # whatever damaged EXIF data makes the reader raise
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
