"""Pascal VOC: one XML file a picture, edges in pixels.

The edges are taken as they stand (0 is the left edge of the first pixel), which is what today's tools write; the contest of
2007 counted from 1, so its own files are off by one pixel at the left and top.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from ..detection import PixelBox
from ..errors import DarknetError, FormatError
from ..formats.atomic import write_bytes
from ..formats.text import excerpt, read_regular_file
from .base import (
    MAX_TEXT_BYTES,
    ImageIndex,
    LabelledBox,
    LabelledImage,
    LabelledSet,
    class_name,
    class_order,
    files_below,
    inside,
    pixel_box,
    placed,
    relative,
)
from .xml_tree import Element, parse_xml

_FLAGS = ("difficult", "truncated", "occluded")


def recognise(path: Path) -> bool:
    """A file *.xml, or a folder with one in it or one level below."""
    if path.is_file():
        return path.suffix.lower() == ".xml"
    return any(True for pattern in ("*.xml", "*/*.xml") for _ in path.glob(pattern))


def read_voc(path: Path, _index: ImageIndex | None = None) -> LabelledSet:
    """All XML files of a folder, or one. Raises FormatError when there is none."""
    images: list[LabelledImage] = []
    problems: list[FormatError] = []
    for file in files_below(path, (".xml",)):
        try:
            image, wrong = read_voc_file(file, relative(file, path) if path.is_dir() else file.name)
        except DarknetError as error:
            problems.append(error if isinstance(error, FormatError) else FormatError(str(error)))
            continue
        images.append(image)
        problems += wrong
    if not images and not problems:
        raise FormatError("no VOC file (*.xml) in the folder", str(path))
    return LabelledSet(class_order(images), tuple(images), tuple(problems))


def read_voc_file(path: Path, shown_as: str = "") -> tuple[LabelledImage, list[FormatError]]:
    """The picture, and what is wrong with single boxes. shown_as: the file's place in its set, which gives the folder."""
    name = str(path)
    root = parse_xml(read_regular_file(path, MAX_TEXT_BYTES, "a VOC file"), name)
    if root.tag != "annotation":
        raise FormatError(f"<{excerpt(root.tag)}> instead of <annotation>: no VOC file", name, root.line)
    size = root.child("size")
    width = 0 if size is None else _side(size, "width", name)
    height = 0 if size is None else _side(size, "height", name)
    boxes: list[LabelledBox] = []
    problems: list[FormatError] = []
    for number, item in enumerate(root.all("object"), 1):
        try:
            boxes.append(_object(item))
        except FormatError as error:
            problems.append(placed(error, name, f"object {number}", item.line))
    return LabelledImage(_picture_name(root, path, shown_as), width, height, tuple(boxes)), problems


def write_voc(folder: Path, labelled: LabelledSet) -> list[FormatError]:
    """One file a picture, in its folder. Returns what could not be written; raises DiskError."""
    problems: list[FormatError] = []
    taken: set[str] = set()
    for image in labelled.images:
        name = inside(image.file)
        stem = name.rpartition(".")[0] or name
        target = stem if stem not in taken else name
        taken.add(target)
        try:
            content = format_voc(image)
        except FormatError as error:
            problems.append(placed(error, image.file))
            continue
        path = folder / f"{target}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    return problems


def format_voc(image: LabelledImage) -> bytes:
    """The file's content. Raises FormatError for names that XML can't carry."""
    lines = [
        "<annotation>",
        f"\t<filename>{_escaped(image.file.rpartition('/')[2])}</filename>",
        f"\t<path>{_escaped(image.file)}</path>",
        f"\t<size>\n\t\t<width>{image.width}</width>\n\t\t<height>{image.height}</height>\n\t\t<depth>3</depth>\n\t</size>",
        "\t<segmented>0</segmented>",
    ]
    for item in image.boxes:
        flags = "".join(f"\t\t<{flag}>{int(flag in item.flags)}</{flag}>\n" for flag in _FLAGS)
        edges = "".join(
            f"\t\t\t<{tag}>{value}</{tag}>\n"
            for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), _edges(item.box), strict=True)
        )
        lines.append(
            f"\t<object>\n\t\t<name>{_escaped(item.name)}</name>\n\t\t<pose>Unspecified</pose>\n{flags}"
            f"\t\t<bndbox>\n{edges}\t\t</bndbox>\n\t</object>"
        )
    return ("\n".join([*lines, "</annotation>"]) + "\n").encode("utf-8")


def _edges(box: PixelBox) -> Sequence[str]:
    """Whole pixels, which many readers insist on; decimals only where rounding would leave nothing of the box."""
    edges = (box.left, box.top, box.right, box.bottom)
    whole = [round(edge) for edge in edges]
    if whole[2] > whole[0] and whole[3] > whole[1]:
        return [str(edge) for edge in whole]
    return [f"{edge:.3f}" for edge in edges]


def _object(item: Element) -> LabelledBox:
    name = class_name(item.text_of("name"))
    bounds = item.child("bndbox")
    if bounds is None:
        raise FormatError("no <bndbox>")
    box = pixel_box(*(_number(bounds, tag) for tag in ("xmin", "ymin", "xmax", "ymax")))
    return LabelledBox(name, box, tuple(flag for flag in _FLAGS if item.text_of(flag) in ("1", "true")))


def _number(parent: Element, tag: str) -> float:
    value = parent.text_of(tag)
    try:
        return float(value)
    except ValueError as error:
        raise FormatError(f"<{tag}> '{excerpt(value)}' is not a number") from error


def _side(size: Element, tag: str, name: str) -> int:
    value = size.text_of(tag)
    if not (value.isascii() and value.isdigit()) or len(value) > 6:
        raise FormatError(f"<{tag}> '{excerpt(value)}' is not a number of pixels", name, size.line)
    return int(value)


def _picture_name(root: Element, path: Path, shown_as: str) -> str:
    """The name that the file gives, in the folder where the file is; else the file's own name."""
    own = root.text_of("filename").replace("\\", "/").rpartition("/")[2] or path.stem
    folder = shown_as.rpartition("/")[0]
    return f"{folder}/{own}" if folder else own


def _escaped(text: str) -> str:
    if any((ord(c) < 32 and c not in "\t\n") or 0xD800 <= ord(c) <= 0xDFFF or ord(c) in (0xFFFE, 0xFFFF) for c in text):
        raise FormatError("the name has characters that an XML file can't carry")
    return escape(text)
