"""Decoding in Python: formats, orientation, names OpenCV can't take, damaged and oversized pictures."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PilImage

from darknet_bridge.errors import FormatError, UnsupportedError
from darknet_bridge.images import as_pixels, image_format, read_image, write_png


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.dstack([x * 4 % 256, y * 6 % 256, (x + y) * 2 % 256]).astype(np.uint8)


@pytest.mark.parametrize(("suffix", "found"), [(".png", "png"), (".bmp", "bmp"), (".tiff", "tiff"), (".ppm", "ppm")])
def test_lossless_formats_come_back_equal(tmp_path: Path, suffix: str, found: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(cv2.imencode(suffix, picture())[1].tobytes())
    assert image_format(path) == found
    assert np.array_equal(read_image(path), picture())


def test_lossy_formats_come_back_alike_whatever_they_are_called(tmp_path: Path) -> None:
    for suffix, found in ((".jpg", "jpeg"), (".webp", "webp")):
        path = tmp_path / "called.txt"
        path.write_bytes(cv2.imencode(suffix, picture())[1].tobytes())
        assert image_format(path) == found
        assert np.abs(read_image(path).astype(int) - picture()).mean() < 8


def test_exif_orientation_is_applied_once(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = PilImage.Exif()
    exif[0x0112] = 6  # the camera was held with its right side up
    PilImage.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(path, exif=exif)
    assert read_image(path).shape == (60, 40, 3)


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"bad\xff\n$(x).bmp")
    path.write_bytes(cv2.imencode(".bmp", picture())[1].tobytes())
    assert read_image(path).shape == (40, 60, 3)
    target = tmp_path / os.fsdecode(b"out\xff.png")
    write_png(target, picture())
    assert np.array_equal(read_image(target), picture())


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
def test_cut_off_pictures_are_refused(tmp_path: Path, suffix: str) -> None:
    content = cv2.imencode(suffix, picture(300, 300))[1].tobytes()
    path = tmp_path / "cut"
    for size in (len(content) // 2, 20):
        path.write_bytes(content[:size])
        with pytest.raises(FormatError, match=str(path)):
            read_image(path)


@pytest.mark.parametrize("content", [b"", b"text", b"GIF89a" + b"\0" * 50, b"BM", b"\0" * 100])
def test_what_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(FormatError):
        read_image(tmp_path / "x")


def test_size_is_judged_before_decoding(tmp_path: Path) -> None:
    """A PNG of a few bytes that promises 400 million pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND\xaeB`\x82")
    with pytest.raises(FormatError, match=r"pixels"):
        read_image(tmp_path / "bomb.png")
    (tmp_path / "small.bmp").write_bytes(cv2.imencode(".bmp", picture())[1].tobytes())
    with pytest.raises(FormatError, match="60 x 40 pixels; at most 2,399"):
        read_image(tmp_path / "small.bmp", max_pixels=2399)


def test_arrays_for_the_engine() -> None:
    bgr = picture()
    assert as_pixels(bgr) is bgr
    assert np.shares_memory(as_pixels(bgr[5:20, 3:30]), bgr), "rows with a gap need no copy"
    mirrored = as_pixels(bgr[:, ::-1])
    assert mirrored.flags.c_contiguous and np.array_equal(mirrored, bgr[:, ::-1])
    assert as_pixels(bgr[::-1]).flags.c_contiguous
    assert as_pixels(bgr[:, :, :1]).shape == (40, 60)
    assert as_pixels(np.zeros((4, 4, 4), np.uint8)).shape == (4, 4, 4)
    for wrong in (bgr.astype(np.float32), bgr[None], np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 2), np.uint8), "x", None):
        with pytest.raises(FormatError):
            as_pixels(wrong)


def test_formats_that_are_not_taken_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + b"\0" * 50)
    with pytest.raises(UnsupportedError, match="jpeg, png"):
        image_format(tmp_path / "a.gif")
