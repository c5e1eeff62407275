"""Pictures from files into arrays, for every format the program takes. JPEG and PNG are decoded by the engine itself, so that
everybody sees the pixels the trainer sees; the others are decoded here, with OpenCV, upright as their EXIF says.

Never hands OpenCV a file name: it crashes on names that are no UTF-8. The size is judged from the header first.
"""

from __future__ import annotations

import io
import os
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from . import _lib
from .errors import FormatError, UnsupportedError
from .formats.atomic import StrPath, write_bytes
from .formats.text import open_regular, read_regular_file

MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30
NATIVE_FORMATS = ("jpeg", "png")
FORMATS = (*NATIVE_FORMATS, "bmp", "webp", "tiff", "ppm")

Image = NDArray[np.uint8]
"""Height x width x 3, blue, green, red."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"P6", "ppm"),
    (b"P5", "ppm"),
    (b"GIF8", "gif"),
)


def format_of(head: bytes) -> str:
    """The format by the first 16 bytes of a file, whatever its name ends with; "" when it is none known."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def image_format(path: StrPath) -> str:
    """One of FORMATS. Raises FormatError for what can't be opened, UnsupportedError for what is no such picture."""
    name = os.fsdecode(path)
    with open_regular(name) as file:
        found = format_of(file.read(16))
    if found not in FORMATS:
        raise UnsupportedError(f"not a picture of a known format ({', '.join(FORMATS)})", name)
    return found


def read_image(path: StrPath, max_pixels: int = MAX_PIXELS) -> Image:
    """The upright picture. Raises FormatError naming the file: damaged, cut off, or over max_pixels."""
    name = os.fsdecode(path)
    if image_format(name) in NATIVE_FORMATS:
        return _decode_native(name, max_pixels)
    content = read_regular_file(name, MAX_BYTES, "a picture")
    _check(content, name, max_pixels)
    decoded = _decode(content)
    if decoded is None:
        raise FormatError("the picture is damaged and can't be decoded", name)
    return decoded


def write_png(path: StrPath, image: Image) -> None:
    """Raises DiskError. Losslessly: what is read from it is what was given."""
    done, encoded = cv2.imencode(".png", image)
    if not done:
        raise FormatError(f"an array of shape {image.shape} can't be written as PNG", os.fsdecode(path))
    write_bytes(path, encoded.tobytes())


def as_pixels(array: Any) -> NDArray[np.uint8]:
    """An array as the engine takes it: uint8, H x W (grey), H x W x 3 (BGR) or H x W x 4 (BGRA), pixels side by side.

    Copies only where it must. Raises FormatError for other types and shapes.
    """
    if not isinstance(array, np.ndarray):
        raise FormatError(f"an image is a path or a numpy array, not {type(array).__name__}")
    if array.dtype != np.uint8:
        raise FormatError(f"an image array holds uint8 (0 to 255), not {array.dtype}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or 0 in array.shape:
        raise FormatError(f"an image array has the shape height x width [x 3 or 4], not {array.shape}")
    channels = 1 if array.ndim == 2 else array.shape[2]
    inner = array.strides[1] == channels and (array.ndim == 2 or array.strides[2] == 1)
    return array if inner and array.strides[0] >= array.shape[1] * channels else np.ascontiguousarray(array)


def _check(content: bytes, name: str, max_pixels: int) -> None:
    """Refuses too many pixels by the header, before memory is taken for them, and what is cut off or damaged.

    OpenCV would return the rest of a cut-off picture as grey without a word.
    """
    try:
        with PilImage.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            if width * height <= max_pixels:
                picture.load()
    except Exception as error:  # whatever a damaged file makes a decoder raise
        raise FormatError(f"the picture is damaged, cut off or of an unusual kind: {error}", name) from error
    if width * height > max_pixels:
        raise FormatError(f"{width} x {height} pixels; at most {max_pixels:,} in all", name)


def _decode_native(name: str, max_pixels: int) -> Image:
    content, width, height, row_bytes = _lib.read_rgb(name, max_pixels)
    rows = np.frombuffer(content, np.uint8).reshape(height, row_bytes)[:, : width * 3]
    return np.asarray(cv2.cvtColor(rows.reshape(height, width, 3), cv2.COLOR_RGB2BGR), np.uint8)


def _decode(content: bytes) -> Image | None:
    try:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if decoded is None else np.asarray(decoded, np.uint8)
