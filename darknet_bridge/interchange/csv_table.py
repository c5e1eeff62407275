"""A table for spreadsheets: a line a box, and a line with empty box columns for a picture without boxes. Written only."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ..errors import FormatError
from ..formats.atomic import write_bytes
from .base import LabelledSet

FILE_NAME = "annotations.csv"
COLUMNS = ("file", "width", "height", "class", "index", "x", "y", "w", "h", "flags")


def recognise(_path: Path) -> bool:
    return False


def write_csv(folder: Path, labelled: LabelledSet) -> list[FormatError]:
    """annotations.csv in UTF-8 with a header; x, y, w, h in pixels from the left top corner. Raises DiskError."""
    numbers = {name: number for number, name in enumerate(labelled.names)}
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for image in labelled.images:
        start = (image.file, image.width, image.height)
        if not image.boxes:
            table.writerow((*start, "", "", "", "", "", "", ""))
        for item in image.boxes:
            box = item.box
            edges = (f"{value:.2f}" for value in (box.left, box.top, box.width, box.height))
            table.writerow((*start, item.name, numbers[item.name], *edges, " ".join(item.flags)))
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / FILE_NAME, text.getvalue().encode("utf-8", "surrogateescape"))
    return []
