"""CreateML: one JSON list for the set; boxes by centre and size in pixels. It knows no picture sizes and no class order."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import FormatError
from ..formats.atomic import atomic_file
from . import json_tree as tree
from .base import (
    MAX_SET_BYTES,
    ImageIndex,
    LabelledBox,
    LabelledImage,
    LabelledSet,
    class_name,
    class_order,
    pixel_box,
    placed,
)

FILE_NAME = "annotations.createml.json"


def recognise(path: Path) -> bool:
    """A JSON file, or a folder with one, whose first value is a list."""
    return bool(_candidates(path))


def read_createml(path: Path, index: ImageIndex | None = None) -> LabelledSet:
    """A file, or the one such file of a folder. Raises FormatError with the place that is wrong."""
    files = [path] if path.is_file() else _candidates(path)
    if len(files) != 1:
        raise FormatError("no CreateML file" if not files else "several CreateML files; choose one of them", str(path))
    name = str(files[0])
    images: list[LabelledImage] = []
    problems: list[FormatError] = []
    try:
        entries = tree.items(tree.read_json(files[0], MAX_SET_BYTES), "the file")
    except FormatError as error:
        if error.path:
            raise
        raise placed(error, name) from error
    for position, value in enumerate(entries):
        try:
            image, wrong = _image(value, f"[{position}]", index)
        except FormatError as error:
            problems.append(placed(error, name))
            continue
        images.append(image)
        problems += [placed(error, name) for error in wrong]
    return LabelledSet(class_order(images), tuple(images), tuple(problems))


def write_createml(folder: Path, labelled: LabelledSet) -> list[FormatError]:
    """One file, annotations.createml.json. Raises DiskError."""
    document = [
        {
            "image": image.file,
            "annotations": [
                {
                    "label": item.name,
                    "coordinates": {
                        "x": round((item.box.left + item.box.right) / 2, 3),
                        "y": round((item.box.top + item.box.bottom) / 2, 3),
                        "width": round(item.box.width, 3),
                        "height": round(item.box.height, 3),
                    },
                }
                for item in image.boxes
            ],
        }
        for image in labelled.images
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / FILE_NAME) as file:
        file.write(json.dumps(document, separators=(",", ":")).encode("ascii"))
    return []


def _image(value: object, place: str, index: ImageIndex | None) -> tuple[LabelledImage, list[FormatError]]:
    """Apple's own examples spell the keys in two ways."""
    entry = tree.record(value, place)
    file = tree.text(entry.get("image", entry.get("imagefilename")), f"{place}.image")
    boxes: list[LabelledBox] = []
    problems: list[FormatError] = []
    for number, item in enumerate(tree.items(entry.get("annotations", entry.get("annotation", [])), f"{place}.annotations")):
        try:
            boxes.append(_box(item, f"{place}.annotations[{number}]"))
        except FormatError as error:
            problems.append(error)
    known = index.find(file) if index else None
    return LabelledImage(file, known.width if known else 0, known.height if known else 0, tuple(boxes)), problems


def _box(value: object, place: str) -> LabelledBox:
    entry = tree.record(value, place)
    shape = tree.record(entry.get("coordinates"), f"{place}.coordinates")
    x, y, width, height = (tree.number(shape.get(key), f"{place}.coordinates.{key}") for key in ("x", "y", "width", "height"))
    try:
        box = pixel_box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return LabelledBox(class_name(entry.get("label")), box)
    except FormatError as error:
        raise FormatError(f"{place}: {error}") from error


def _candidates(path: Path) -> list[Path]:
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    return [file for file in files if file.suffix.lower() == ".json" and _starts_a_list(file)]


def _starts_a_list(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(256).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
    except OSError:
        return False
