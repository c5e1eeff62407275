"""LabelMe: one JSON file a picture with drawn shapes. Read only: rectangles, and the bounds of circles and polygons."""

from __future__ import annotations

import math
from pathlib import Path

from ..detection import PixelBox
from ..errors import DarknetError, FormatError
from ..formats.text import excerpt
from . import json_tree as tree
from .base import (
    MAX_TEXT_BYTES,
    ImageIndex,
    LabelledBox,
    LabelledImage,
    LabelledSet,
    class_name,
    class_order,
    files_below,
    pixel_box,
    placed,
    relative,
)


def recognise(path: Path) -> bool:
    """A JSON file with shapes, or a folder with one in it or one level below."""
    if path.is_file():
        return path.suffix.lower() == ".json" and _has_shapes(path)
    return any(_has_shapes(file) for pattern in ("*.json", "*/*.json") for file in sorted(path.glob(pattern))[:3])


def read_labelme(path: Path, _index: ImageIndex | None = None) -> LabelledSet:
    """All JSON files of a folder, or one. Raises FormatError when there is none."""
    images: list[LabelledImage] = []
    problems: list[FormatError] = []
    for file in files_below(path, (".json",)):
        try:
            image, wrong = _read_file(file, relative(file, path) if path.is_dir() else file.name)
        except DarknetError as error:
            problems.append(error if isinstance(error, FormatError) and error.path else FormatError(str(error), str(file)))
            continue
        images.append(image)
        problems += wrong
    if not images and not problems:
        raise FormatError("no LabelMe file (*.json) in the folder", str(path))
    return LabelledSet(class_order(images), tuple(images), tuple(problems))


def _read_file(path: Path, shown_as: str) -> tuple[LabelledImage, list[FormatError]]:
    root = tree.record(tree.read_json(path, MAX_TEXT_BYTES), "the file")
    width = tree.size_px(root.get("imageWidth") or 0, "imageWidth")
    height = tree.size_px(root.get("imageHeight") or 0, "imageHeight")
    boxes: list[LabelledBox] = []
    problems: list[FormatError] = []
    for number, value in enumerate(tree.items(root.get("shapes"), "shapes")):
        try:
            boxes.append(_shape(value, f"shapes[{number}]"))
        except FormatError as error:
            problems.append(placed(error, str(path)))
    named = root.get("imagePath")
    own = (named if isinstance(named, str) else "").replace("\\", "/").rpartition("/")[2] or path.stem
    folder = shown_as.rpartition("/")[0]
    return LabelledImage(f"{folder}/{own}" if folder else own, width, height, tuple(boxes)), problems


def _shape(value: object, place: str) -> LabelledBox:
    entry = tree.record(value, place)
    kind = entry.get("shape_type") or "polygon"
    points = [
        tuple(tree.number(part, f"{place}.points") for part in tree.items(point, f"{place}.points"))
        for point in tree.items(entry.get("points"), f"{place}.points")
    ]
    if any(len(point) != 2 for point in points):
        raise FormatError(f"{place}.points: a point that is not [x, y]")
    flags = () if kind == "rectangle" else (("polygon",) if kind == "polygon" else ("circle",))
    try:
        return LabelledBox(class_name(entry.get("label")), _bounds(str(kind), points), flags)
    except FormatError as error:
        raise FormatError(f"{place}: {error}") from error


def _bounds(kind: str, points: list[tuple[float, ...]]) -> PixelBox:
    if kind == "circle" and len(points) == 2:
        (x, y), (edge_x, edge_y) = points
        radius = math.hypot(edge_x - x, edge_y - y)
        return pixel_box(x - radius, y - radius, x + radius, y + radius)
    if (kind == "rectangle" and len(points) in (2, 4)) or (kind == "polygon" and len(points) >= 3):
        columns, rows = [point[0] for point in points], [point[1] for point in points]
        return pixel_box(min(columns), min(rows), max(columns), max(rows))
    raise FormatError(f"a shape '{excerpt(kind)}' of {len(points)} points is no box")


def _has_shapes(file: Path) -> bool:
    """The picture itself may stand in the file as text, so both ends are looked at."""
    try:
        with file.open("rb") as stream:
            head = stream.read(65536)
            stream.seek(max(0, file.stat().st_size - 4096))
            return b'"shapes"' in head + stream.read(4096)
    except OSError:
        return False
