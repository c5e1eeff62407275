"""Labelled pictures from and for other programs: a registry of formats, one module each with `read_x` and `write_x`.

    found = recognise(folder)                        # 'voc', 'coco', ... or None
    labelled = read_labelled(folder, found)          # a LabelledSet; its problems name file and place
    FORMATS["yolo"].write(target, labelled)

To add one: a module with recognise, read_x and/or write_x, and a line below.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import FormatError
from . import coco, createml, csv_table, labelme, voc, yolo
from .base import (
    ImageIndex,
    Interchange,
    KnownImage,
    LabelledBox,
    LabelledImage,
    LabelledSet,
    index_of_folder,
)

# In the order in which a folder is looked at: the more telling signs first.
FORMATS: dict[str, Interchange] = {
    entry.id: entry
    for entry in (
        Interchange("voc", "Pascal VOC (XML)", voc.recognise, voc.read_voc, voc.write_voc),
        Interchange("labelme", "LabelMe (JSON)", labelme.recognise, labelme.read_labelme),
        Interchange("createml", "CreateML (JSON)", createml.recognise, createml.read_createml, createml.write_createml),
        Interchange("coco", "COCO (JSON)", coco.recognise, coco.read_coco, coco.write_coco),
        Interchange("yolo", "YOLO / Darknet (text files)", yolo.recognise, yolo.read_yolo, yolo.write_yolo),
        Interchange("csv", "Table (CSV)", csv_table.recognise, None, csv_table.write_csv),
    )
}

__all__ = [
    "FORMATS",
    "ImageIndex",
    "Interchange",
    "KnownImage",
    "LabelledBox",
    "LabelledImage",
    "LabelledSet",
    "index_of_folder",
    "read_labelled",
    "recognise",
]


def recognise(path: Path) -> str | None:
    """The id of the format that a file or folder looks like, or None."""
    return next((entry.id for entry in FORMATS.values() if entry.recognise(path)), None)


def read_labelled(path: Path, format_id: str | None = None, index: ImageIndex | None = None) -> LabelledSet:
    """Reads with the given format, or with the one it looks like. Raises FormatError."""
    chosen = format_id or recognise(path)
    entry = FORMATS.get(chosen or "")
    if entry is None or entry.read is None:
        labels = ", ".join(known.label for known in FORMATS.values() if known.read)
        raise FormatError(f"no labels of a known kind here; known: {labels}", str(path))
    return entry.read(path, index)
