"""Image lists (train.txt, valid.txt): one path per line, as bytes, no quoting (darknet.md 1.3).

Blanks in a path are fine; a line break in one can't be carried and is refused when writing. Empty lines, which crash
or re-draw upstream, are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..errors import FormatError
from .atomic import StrPath, atomic_file
from .text import excerpt, read_regular_file, split_lines

_MAX_BYTES = 1 << 30
_MAX_PATH_BYTES = 4096


def read_image_list(path: StrPath) -> list[str]:
    """The paths as they stand (nothing is resolved or checked on disk). Raises FormatError naming file and line."""
    file = os.fsdecode(path)
    paths = []
    for number, line in enumerate(split_lines(read_regular_file(file, _MAX_BYTES, "an image list"), file), 1):
        if not line.strip():
            continue
        if len(line) > _MAX_PATH_BYTES:
            raise FormatError(f"a path of {len(line):,} bytes; at most {_MAX_PATH_BYTES:,}", file, number)
        paths.append(os.fsdecode(line))
    if not paths:
        raise FormatError("no image in the list", file)
    return paths


def write_image_list(path: StrPath, images: Iterable[StrPath]) -> None:
    """Raises FormatError for a path that a line can't carry."""
    file = os.fsdecode(path)
    with atomic_file(file) as target:
        for number, image in enumerate(images, 1):
            raw = os.fsencode(image)
            if not raw.strip() or any(byte in raw for byte in b"\n\r\0"):
                shown = excerpt(os.fsdecode(raw))
                raise FormatError(f"'{shown}': an empty path or one with a line break can't stand in a list", file, number)
            target.write(raw + b"\n")
