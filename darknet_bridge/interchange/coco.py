"""COCO: one JSON file for the set; boxes are [left, top, width, height] in pixels. Classes come in the order of their ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import FormatError
from ..formats.atomic import atomic_file
from . import json_tree as tree
from .base import MAX_SET_BYTES, ImageIndex, LabelledBox, LabelledImage, LabelledSet, class_name, pixel_box, placed

FILE_NAME = "annotations.json"


def recognise(path: Path) -> bool:
    """A JSON file, or a folder with one, that speaks of images and categories near its begin or end."""
    return any(_looks_right(file) for file in _json_files(path))


def read_coco(path: Path, _index: ImageIndex | None = None) -> LabelledSet:
    """A file, or the one COCO file of a folder. Raises FormatError for what is none, with the place that is wrong."""
    files = [file for file in _json_files(path) if path.is_file() or _looks_right(file)]
    if len(files) != 1:
        found = "no COCO file" if not files else "several COCO files; choose one of them:" + "".join(f" {f.name}" for f in files)
        raise FormatError(found, str(path))
    name = str(files[0])
    try:
        root = tree.record(tree.read_json(files[0], MAX_SET_BYTES), "the file")
        names = _categories(root)
        return _collect(root, names, name)
    except FormatError as error:
        if error.path:
            raise
        raise placed(error, name) from error


def write_coco(folder: Path, labelled: LabelledSet) -> list[FormatError]:
    """One file, annotations.json; ids count from 1 in the order of the classes. Raises DiskError."""
    numbers = {name: number for number, name in enumerate(labelled.names, 1)}
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image_id, image in enumerate(labelled.images, 1):
        images.append({"id": image_id, "file_name": image.file, "width": image.width, "height": image.height})
        for item in image.boxes:
            box = [round(value, 3) for value in (item.box.left, item.box.top, item.box.width, item.box.height)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": numbers[item.name],
                    "bbox": box,
                    "area": round(box[2] * box[3], 3),
                    "iscrowd": int("crowd" in item.flags),
                    "segmentation": [],
                }
            )
    categories = [{"id": number, "name": name, "supercategory": ""} for name, number in numbers.items()]
    document = {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / FILE_NAME) as file:
        file.write(json.dumps(document, separators=(",", ":")).encode("ascii"))
    return []


def _categories(root: dict[str, Any]) -> dict[int, str]:
    """id -> name, in the order of the ids."""
    found: dict[int, str] = {}
    for position, value in enumerate(tree.items(root.get("categories"), "categories")):
        place = f"categories[{position}]"
        entry = tree.record(value, place)
        number = _id(entry.get("id"), f"{place}.id")
        if number in found:
            raise FormatError(f"{place}.id: {number} stands twice")
        try:
            found[number] = class_name(entry.get("name"))
        except FormatError as error:
            raise FormatError(f"{place}.name: {error}") from error
    return dict(sorted(found.items()))


def _collect(root: dict[str, Any], names: dict[int, str], name: str) -> LabelledSet:
    problems: list[FormatError] = []
    frames: dict[int, tuple[str, int, int]] = {}
    for position, value in enumerate(tree.items(root.get("images"), "images")):
        try:
            number, frame = _image(value, f"images[{position}]")
            if number in frames:
                raise FormatError(f"images[{position}].id: {number} stands twice")
            frames[number] = frame
        except FormatError as error:
            problems.append(placed(error, name))
    boxes: dict[int, list[LabelledBox]] = {number: [] for number in frames}
    for position, value in enumerate(tree.items(root.get("annotations", []), "annotations")):
        try:
            number, box = _annotation(value, f"annotations[{position}]", names)
            if number not in boxes:
                raise FormatError(f"annotations[{position}].image_id: no image {number} in the file")
            boxes[number].append(box)
        except FormatError as error:
            problems.append(placed(error, name))
    images = tuple(LabelledImage(*frame, tuple(boxes[number])) for number, frame in frames.items())
    return LabelledSet(tuple(dict.fromkeys(names.values())), images, tuple(problems))


def _image(value: object, place: str) -> tuple[int, tuple[str, int, int]]:
    entry = tree.record(value, place)
    file = tree.text(entry.get("file_name"), f"{place}.file_name")
    width = tree.size_px(entry.get("width", 0), f"{place}.width")
    return _id(entry.get("id"), f"{place}.id"), (file, width, tree.size_px(entry.get("height", 0), f"{place}.height"))


def _annotation(value: object, place: str, names: dict[int, str]) -> tuple[int, LabelledBox]:
    entry = tree.record(value, place)
    category = _id(entry.get("category_id"), f"{place}.category_id")
    if category not in names:
        raise FormatError(f"{place}.category_id: no category {category} in the file")
    edges = tree.items(entry.get("bbox"), f"{place}.bbox")
    if len(edges) != 4:
        raise FormatError(f"{place}.bbox: {len(edges)} numbers; expected left, top, width, height")
    left, top, width, height = (tree.number(edge, f"{place}.bbox") for edge in edges)
    try:
        box = pixel_box(left, top, left + width, top + height)
    except FormatError as error:
        raise FormatError(f"{place}.bbox: {error}") from error
    crowd = ("crowd",) if entry.get("iscrowd") == 1 else ()
    return _id(entry.get("image_id"), f"{place}.image_id"), LabelledBox(names[category], box, crowd)


def _id(value: object, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FormatError(f"{place}: expected a whole number")
    return value


def _json_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".json" else []
    return sorted({*path.glob("*.json"), *path.glob("annotations/*.json")})


def _looks_right(file: Path) -> bool:
    """By the first and last pieces: the three keys of such a file may stand in any order."""
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
            stream.seek(max(0, file.stat().st_size - 65536))
            both = head + stream.read(65536)
    except OSError:
        return False
    keys = (b'"categories"', b'"annotations"', b'"images"')
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and any(key in both for key in keys) and b'"shapes"' not in both
