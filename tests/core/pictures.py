"""Small pictures and videos for the tests of core."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from gui.core.records import Image


def noise(seed: int, width: int = 60, height: int = 40) -> NDArray[np.uint8]:
    """A soft pattern that differs from seed to seed, height x width x 3."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def save(path: Path, seed: int = 1, width: int = 60, height: int = 40, orientation: int = 1, **options: object) -> Path:
    """By the name's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = PilImage.fromarray(noise(seed, width, height))
    if orientation != 1:
        exif = PilImage.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    buffer = io.BytesIO()
    kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF"}.get(path.suffix.lower(), path.suffix[1:].upper())
    picture.save(buffer, kind, **options)
    path.write_bytes(buffer.getvalue())
    return path


def video(path: Path, frames: int = 20, rate: float = 10.0, size: tuple[int, int] = (64, 48)) -> Path:
    """Motion JPEG in an AVI; frame i is filled with grey 10 + 10 * i."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, size)
    for index in range(frames):
        writer.write(np.full((size[1], size[0], 3), 10 + 10 * index % 240, np.uint8))
    writer.release()
    return path


def image(number: int, path: Path = Path("/nowhere.jpg"), **values: object) -> Image:
    """A record; values replace its fields."""
    fields: dict[str, object] = {
        "id": number,
        "dataset_id": 1,
        "path": path,
        "name": f"{number:04d}.jpg",
        "width": 60,
        "height": 40,
        "bytes": 100,
        "sha256": f"{number:064x}",
        "dhash": 0,
    }
    return Image(**{**fields, **values})  # type: ignore[arg-type]
