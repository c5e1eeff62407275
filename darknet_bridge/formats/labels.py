"""Label files: `class cx cy w h` per line, relative to the image (darknet.md 1.4), and where the file of an image is.

Upstream stops silently at the first token it can't read and loses the rest; here every line that is wrong is found
and named, and a label file that holds one is never mistaken for "no object".
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass

from ..detection import NormBox
from ..errors import FormatError, UnsupportedError
from .atomic import StrPath, write_bytes
from .text import excerpt, read_regular_file, split_lines

MAX_BYTES = 16 << 20
MAX_BOXES = 100_000

# The first occurrence of each is replaced, in this order.
_FOLDERS = (
    ("/images/train2017/", "/labels/train2017/"),
    ("/images/val2017/", "/labels/val2017/"),
    ("/JPEGImages/", "/labels/"),
    ("\\images\\train2017\\", "\\labels\\train2017\\"),
    ("\\images\\val2017\\", "\\labels\\val2017\\"),
    ("\\images\\train2014\\", "\\labels\\train2014\\"),
    ("\\images\\val2014\\", "\\labels\\val2014\\"),
    ("/images/train2014/", "/labels/train2014/"),
    ("/images/val2014/", "/labels/val2014/"),
    ("\\JPEGImages\\", "\\labels\\"),
)
_UPSTREAM_SUFFIXES = (".jpg", ".JPG", ".jpeg", ".JPEG", ".png", ".PNG", ".bmp", ".BMP", ".ppm", ".PPM", ".tiff", ".TIFF")
_OTHER_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tiff", ".tif", ".webp", ".gif")


@dataclass(frozen=True, slots=True)
class Label:
    """One object of an image."""

    class_id: int
    box: NormBox


@dataclass(frozen=True, slots=True)
class LabelProblem:
    """A line that is no good label, and why."""

    line: int
    text: str


def label_path(image: str) -> str:
    """The label file of an image, by upstream's rules; suffixes it would not know (.webp, .Jpg) are replaced too.

    Raises UnsupportedError when the name ends like no image: the image must never be read as its own label file.
    """
    path = image
    for old, new in _FOLDERS:
        path = path.replace(old, new, 1)
    path = path.strip(" \t")
    for suffix in _UPSTREAM_SUFFIXES:
        if path.endswith(suffix):
            return path[: -len(suffix)] + ".txt"
    root, dot, suffix = path.rpartition(".")
    if (dot + suffix).lower() in _OTHER_SUFFIXES:
        return root + ".txt"
    raise UnsupportedError(f"no image suffix ({', '.join(_OTHER_SUFFIXES)}): the label file can't be told", image)


def parse_labels(content: bytes, name: str, classes: int | None = None) -> tuple[list[Label], list[LabelProblem]]:
    """The good labels and the problems of a label file. An empty file is an image without objects.

    classes: the number of classes, to check ids against. Boxes may stick out of the image; their centre may not.
    Raises FormatError for what is no text or has over MAX_BOXES lines.
    """
    labels: list[Label] = []
    problems: list[LabelProblem] = []
    lines = split_lines(content, name)
    if len(lines) > MAX_BOXES:
        raise FormatError(f"{len(lines):,} lines; at most {MAX_BOXES:,}", name)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parsed = _parse_line(line.decode("utf-8", "surrogateescape"), classes)
        if isinstance(parsed, Label):
            labels.append(parsed)
        else:
            problems.append(LabelProblem(number, parsed))
    return labels, problems


def read_labels(path: StrPath, classes: int | None = None) -> list[Label]:
    """All labels of a file. Raises FormatError naming file and line at the first bad one."""
    name = os.fsdecode(path)
    labels, problems = parse_labels(read_regular_file(name, MAX_BYTES, "a label file"), name, classes)
    if problems:
        raise FormatError(problems[0].text, name, problems[0].line)
    return labels


def write_labels(path: StrPath, labels: Iterable[Label]) -> None:
    """Six decimals: a hundredth of a pixel at 8,192. Raises FormatError for a box that would not be read back."""
    name = os.fsdecode(path)
    lines = []
    for number, label in enumerate(labels, 1):
        box = label.box
        line = f"{label.class_id} {box.cx:.6f} {box.cy:.6f} {box.w:.6f} {box.h:.6f}"
        parsed = _parse_line(line, None)
        if isinstance(parsed, str):
            raise FormatError(parsed, name, number)
        lines.append(line + "\n")
    write_bytes(name, "".join(lines).encode("ascii"))


def _parse_line(line: str, classes: int | None) -> Label | str:
    """The label, or what is wrong with the line."""
    fields = line.split()
    if len(fields) != 5:
        return f"{len(fields)} values ('{excerpt(line)}'); expected: class cx cy w h"
    digits = fields[0]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        return f"class '{excerpt(digits)}'; expected a whole number from 0"
    class_id = int(digits)
    if classes is not None and class_id >= classes:
        return f"class {class_id}; expected 0 to {classes - 1}"
    values = []
    for field in fields[1:]:
        value = _finite(field)
        if value is None:
            return f"'{excerpt(field)}' is not a number"
        values.append(value)
    box = NormBox(*values)
    if not (0 <= box.cx <= 1 and 0 <= box.cy <= 1):
        return f"centre {box.cx:g} {box.cy:g} is outside the image (0 to 1)"
    if box.cx == 0 and box.cy == 0:
        return "centre 0 0: labelling tools write that for no box, and the trainer leaves it out"
    if not (box.w > 0 and box.h > 0):
        return f"size {box.w:g} {box.h:g}; both must be above 0"
    if box.w > 2 or box.h > 2:
        return f"size {box.w:g} {box.h:g}; sizes are shares of the image (0 to 1), not pixels"
    return Label(class_id, box)


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text and text.isascii() else None
