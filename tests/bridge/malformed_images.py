"""The damaged, oversized and odd pictures that test_malformed.py gives to the program."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from .malformed import Case

SIZE = (48, 40)


def _pixels() -> np.ndarray:
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    return np.dstack([x * 5 % 256, y * 6 % 256, (x * y) % 256]).astype(np.uint8)


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """A good picture of SIZE."""
    out = io.BytesIO()
    PilImage.fromarray(_pixels()).convert(mode).save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *before: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _bomb(side: int) -> bytes:
    """A square of one bit a pixel: a few kB that a decoder makes hundreds of MB of."""
    row = zlib.compressobj(9)
    return png(side, side, 1, 0, row.compress(bytes((side // 8 + 1) * side)) + row.flush())


def _wrong_checksum() -> bytes:
    good = bytearray(encoded("PNG"))
    good[-14] ^= 1  # in the checksum of the pixels
    return bytes(good)


def _jpeg_of_size(width: int, height: int) -> bytes:
    good = encoded("JPEG")
    at = good.index(b"\xff\xc0") + 5
    return good[:at] + struct.pack(">HH", height, width) + good[at + 4 :]


def bad_images() -> list[Case]:
    jpeg, grey = encoded("JPEG"), zlib.compress(bytes(49 * 40))
    return [
        Case("zero-bytes.jpg", b"", "the file is empty"),
        Case("text.jpg", b"this is no picture\n" * 20, "not an image"),
        Case("nulls.png", bytes(5000), "not an image"),
        Case("page.jpg", b"<!DOCTYPE html><html>404</html>", "not an image"),
        Case("gif.jpg", encoded("GIF"), "GIF image"),
        Case("bmp.jpg", encoded("BMP"), "BMP image"),
        Case("webp.jpg", encoded("WEBP"), "WebP image"),
        Case("jpeg-mark-only.jpg", b"\xff\xd8\xff", "damaged JPEG"),
        Case("jpeg-cut-in-the-header.jpg", jpeg[:100], "damaged JPEG"),
        Case("jpeg-cut-at-half.jpg", jpeg[: len(jpeg) // 2 + 300], "damaged JPEG"),
        Case("jpeg-garbage-behind-header.jpg", jpeg[:200] + bytes(range(256)) * 4, "damaged JPEG"),
        Case("progressive-cut.jpg", encoded("JPEG", progressive=True)[:-200], "damaged JPEG"),
        Case("jpeg-65500-square.jpg", _jpeg_of_size(65500, 65500), "65500 x 65500 pixels; the limit"),
        Case("jpeg-0-wide.jpg", _jpeg_of_size(0, 40), "JPEG|pixels"),
        Case("jpeg-larger-than-its-data.jpg", _jpeg_of_size(4000, 4000), "damaged JPEG"),
        Case("png-cut-at-half.png", encoded("PNG")[: len(encoded("PNG")) // 2], "damaged PNG"),
        Case("png-without-end.png", encoded("PNG")[:-12], "damaged PNG"),
        Case("png-wrong-checksum.png", _wrong_checksum(), "damaged PNG"),
        Case("png-0-wide.png", png(0, 40, 8, 0, grey), "0 x 40 pixels"),
        Case("png-2-to-the-31-wide.png", png(2**31 - 1, 2**31 - 1, 8, 2, grey), "pixels; the limit"),
        Case("png-over-2-to-the-31.png", png(2**32 - 1, 1, 8, 2, grey), "pixels|PNG"),
        Case("png-400-megapixels.png", _bomb(20_000), "20000 x 20000 pixels; the limit"),
        Case("png-palette-missing.png", png(48, 40, 8, 3, grey), "damaged PNG"),
        Case("png-3-bits.png", png(48, 40, 3, 0, grey), "damaged PNG"),
        Case("png-too-few-rows.png", png(48, 40, 8, 0, zlib.compress(bytes(49 * 20))), "damaged PNG"),
        Case(
            "png-bomb-in-a-comment.png", png(48, 40, 8, 0, b"", chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(64 << 20)))), "PNG"
        ),
    ]


def _turned() -> bytes:
    exif = PilImage.Exif()
    exif[0x0112] = 6
    return encoded("JPEG", exif=exif)


def odd_images() -> dict[str, bytes]:
    """Pictures that are unusual and good."""
    y, x = np.mgrid[0:40, 0:48]
    deep = zlib.compress(b"".join(b"\0" + row.tobytes() for row in ((x + y) * 700).astype(">u2")))
    return {
        "16-bit.png": png(48, 40, 16, 0, deep),
        "cmyk.jpg": encoded("JPEG", "CMYK"),
        "grey.jpg": encoded("JPEG", "L"),
        "alpha.png": encoded("PNG", "RGBA"),
        "palette.png": encoded("PNG", "P"),
        "one-bit.png": encoded("PNG", "1"),
        "a-png-called.jpg": encoded("PNG"),
        "a-jpeg-called.png": encoded("JPEG"),
        "turned.jpg": _turned(),
        "progressive.jpg": encoded("JPEG", progressive=True),
        "100-megapixels.png": _bomb(10_000),
        "text-behind-the-end.jpg": encoded("JPEG") + b"trailing text",
    }


def no_regular_files(folder: Path) -> dict[str, str]:
    """Makes things that are no files where pictures are looked for; each name with what the message must say."""
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "loop-1.jpg").symlink_to("loop-2.jpg")
    (folder / "loop-2.jpg").symlink_to("loop-1.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    return {
        "folder.jpg": "not a regular file",
        "pipe.jpg": "not a regular file",
        "device.jpg": "not a regular file",
        "loop.jpg": "can't open",
        "loop-1.jpg": "can't open",
        "dangling.jpg": "can't open",
        "missing.jpg": "can't open",
    }
