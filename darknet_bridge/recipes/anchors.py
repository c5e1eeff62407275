"""Anchor boxes: reading and writing their text, scaling them to another input size, and having them calculated.

Anchors are (width, height) in pixels of the network's input. The k-means itself is the native program's
(`darknet detector calc_anchors`, darknet.md 8.5).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import FormatError, error_for_status, shown
from ..formats.atomic import StrPath
from ..formats.cfg import format_value
from ..program import find_program
from .base import Anchor

_MAX_ANCHORS = 100
_TIMEOUT_S = 600


def parse_anchors(text: str, name: str = "anchors") -> tuple[Anchor, ...]:
    """ "10,14, 23,27" -> ((10, 14), (23, 27)). Raises FormatError."""
    try:
        sides = [float(part) for part in text.replace("\n", ",").split(",") if part.strip()]
    except ValueError as error:
        raise FormatError(f"not a list of numbers: {error}", name) from error
    if not sides or len(sides) % 2 or len(sides) > 2 * _MAX_ANCHORS:
        raise FormatError(f"{len(sides)} numbers; expected pairs of width and height, at most {_MAX_ANCHORS}", name)
    if not all(0 < side <= 1e6 for side in sides):
        raise FormatError("every side must be above 0", name)
    return tuple(zip(sides[0::2], sides[1::2], strict=True))


def format_anchors(anchors: Sequence[Anchor]) -> str:
    """As `anchors=` of a [yolo] section takes it."""
    return ",".join(format_value(_plain(side)) for anchor in anchors for side in anchor)


def rescale_anchors(anchors: Sequence[Anchor], old_size: tuple[int, int], new_size: tuple[int, int]) -> tuple[Anchor, ...]:
    """The same shapes for another input size (width, height), rounded to whole pixels, at least 1.

    Upstream leaves anchors as they are when only the size changes; scaling suits objects that keep their share of
    the picture.
    """
    across = new_size[0] / old_size[0]
    down = new_size[1] / old_size[1]
    return tuple((max(1, round(w * across)), max(1, round(h * down))) for w, h in anchors)


def calc_anchors(data_path: StrPath, count: int, width: int, height: int) -> tuple[Anchor, ...]:
    """`count` anchors fitted to the training labels of a .data file, by rising area.

    Runs the native program in a folder of its own. Raises what its exit code stands for.
    """
    data = Path(data_path).absolute()
    command: list[str | bytes] = [
        *(os.fspath(find_program()), "detector", "calc_anchors", os.fspath(data)),
        *("-num_of_clusters", str(count), "-width", str(width), "-height", str(height)),
    ]
    with tempfile.TemporaryDirectory(prefix="darknet-anchors-") as folder:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode:
            tail = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise error_for_status(done.returncode, tail[-1] if tail else f"calc_anchors failed for {shown(data)}")
        written = Path(folder) / "anchors.txt"
        text = written.read_text("ascii", "replace") if written.exists() else ""
    anchors = parse_anchors(text, "anchors.txt")
    return tuple(sorted(anchors, key=lambda anchor: anchor[0] * anchor[1]))


def _plain(side: float) -> float | int:
    return int(side) if float(side).is_integer() else float(side)
