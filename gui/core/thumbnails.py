"""Small versions of images: made when they are first asked for, kept under the library's thumbs/, never beside the images.

The folder is a cache: it is bounded, may be deleted at any time, and what can't be written is simply made again.
"""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from darknet_bridge.errors import DarknetError
from darknet_bridge.formats.text import open_regular
from darknet_bridge.images import read_image
from darknet_bridge.picture_info import opened

from .records import Image
from .scan import eight_bits, upright

THUMBNAIL_PX = 192
MAX_CACHE_BYTES = 512 << 20
_CHECK_EVERY_BYTES = 32 << 20
_KEEP_SHARE = 0.8


class Thumbnails:
    """For any number of threads. folder: None keeps nothing (a library that is only read)."""

    def __init__(self, folder: Path | None, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._written = max(0, _CHECK_EVERY_BYTES - (1 << 20))  # looks at the folder soon after the start

    def get(self, image: Image, side_px: int = THUMBNAIL_PX) -> PilImage.Image | None:
        """RGB, upright, its longer side at most side_px. None when the file is gone or can't be read any more."""
        cached = self._path(image, side_px)
        if cached is not None:
            with suppress(OSError, ValueError, SyntaxError), PilImage.open(cached) as picture:
                picture.load()
                return picture.convert("RGB")
        made = render(image, side_px)
        if made is not None and cached is not None:
            self._keep(made, cached)
        return made

    def _path(self, image: Image, side_px: int) -> Path | None:
        return None if self._folder is None else self._folder / image.sha256[:2] / f"{image.sha256}-{side_px}.jpg"

    def _keep(self, picture: PilImage.Image, path: Path) -> None:
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(temporary, "JPEG", quality=85)
            size = temporary.stat().st_size
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            return
        with self._lock:
            self._written += size
            due = self._written >= _CHECK_EVERY_BYTES
            if due:
                self._written = 0
        if due:
            self.prune()

    def prune(self) -> None:
        """Deletes the oldest files when there are too many bytes."""
        if self._folder is None:
            return
        files = []
        for folder, _folders, names in os.walk(self._folder):
            for name in names:
                with suppress(OSError):
                    entry = Path(folder, name)
                    status = entry.stat()
                    files.append((status.st_mtime, status.st_size, entry))
        total = sum(size for _time, size, _path in files)
        if total <= self._max_bytes:
            return
        for _time, size, path in sorted(files):
            if total <= self._max_bytes * _KEEP_SHARE:
                break
            with suppress(OSError):
                path.unlink()
                total -= size


def render(image: Image, side_px: int) -> PilImage.Image | None:
    """Decoded anew; a JPEG at the scale nearest to what is asked for."""
    name = os.fspath(image.path)
    try:
        with open_regular(name) as file, opened(file, name, image.format) as picture:
            if image.format == "jpeg":
                picture.draft("RGB", (side_px, side_px))
            small = eight_bits(picture)
            if small.mode == "P":
                small = small.convert("RGBA")
            small.thumbnail((side_px, side_px), PilImage.Resampling.BILINEAR, reducing_gap=2.0)
            return upright(small, image.orientation).convert("RGB")
    except (DarknetError, OSError, ValueError, SyntaxError, EOFError, MemoryError):
        return _render_slowly(name, side_px)


def _render_slowly(name: str, side_px: int) -> PilImage.Image | None:
    """With the decoder of the trainer, for the few pictures that Pillow does not take."""
    try:
        picture = PilImage.fromarray(np.ascontiguousarray(read_image(name)[..., ::-1]))
    except (DarknetError, MemoryError):
        return None
    picture.thumbnail((side_px, side_px), PilImage.Resampling.BILINEAR, reducing_gap=2.0)
    return picture
