"""How values become columns and come back: paths and names as bytes, JSON, clean texts, signed hashes."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darknet_bridge import NormBox

from ..core.records import Box

SIGN = 1 << 63
DIGITS = re.compile(r"(\d+)")


class Paths:
    """Paths below the library's folder are stored relative to it, so that a moved library finds its own files."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._prefix = os.fsencode(self._root).rstrip(b"/") + b"/"

    def to_bytes(self, path: Path) -> bytes:
        stored = os.fsencode(path.absolute())
        return stored[len(self._prefix) :] if stored.startswith(self._prefix) else stored

    def to_path(self, stored: bytes) -> Path:
        return self._root / os.fsdecode(bytes(stored))


def name_bytes(name: str) -> bytes:
    return os.fsencode(name.replace("\0", ""))


def name_text(stored: bytes) -> str:
    return os.fsdecode(bytes(stored))


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sorts img2 before img10, whatever the case; the name itself decides between equals."""
    parts = DIGITS.split(name.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def clean(text: str) -> str:
    """A text any database takes: no NUL, no halves of a character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def to_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def from_json(text: str, default: Any) -> Any:
    """default where the text is not JSON or of another kind: a library someone edited still opens."""
    try:
        value = json.loads(text)
    except ValueError:
        return default
    kind = (int, float) if isinstance(default, (int, float)) else type(default)
    return value if default is None or isinstance(value, kind) else default


def signed(number: int) -> int:
    return number - 2 * SIGN if number >= SIGN else number


def unsigned(number: int) -> int:
    return number + 2 * SIGN if number < 0 else number


def to_nan(value: float | None) -> float:
    return math.nan if value is None else value


def from_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def box_row(annotation_id: int, box: Box) -> tuple[Any, ...]:
    """In the order of BOX_COLUMNS. Raises ValueError where a number is not finite."""
    place = box.box
    numbers = (float(place.cx), float(place.cy), float(place.w), float(place.h))
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"a box with {numbers}")
    return (annotation_id, box.category_id, *numbers, ",".join(box.flags))


BOX_COLUMNS = ("annotation_id", "category_id", "cx", "cy", "w", "h", "flags")


def row_box(values: Sequence[Any]) -> Box:
    """From (category_id, cx, cy, w, h, flags)."""
    category_id, cx, cy, w, h, flags = values
    return Box(category_id, NormBox(cx, cy, w, h), tuple(flags.split(",")) if flags else ())
