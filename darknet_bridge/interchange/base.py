"""What all formats of labelled pictures have in common: the neutral values between them, matching by file name, limits.

A reader gives a LabelledSet; a writer takes one. A file that is wrong never stops its good neighbours: it becomes one of the
set's problems, each a FormatError that names the file and the place in it.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..detection import PixelBox
from ..errors import DarknetError, FormatError
from ..picture_info import picture_info

MAX_FILES = 200_000
MAX_TEXT_BYTES = 64 << 20  # of a file that describes one picture
MAX_SET_BYTES = 512 << 20  # of a file that describes a whole set
MAX_SIDE_PX = 1_000_000
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

# Folders that only tell files of one kind from another, in lower case: they are no part of what a picture is called.
_KIND_FOLDERS = {
    *("image", "images", "img", "imgs", "jpegimages", "pictures", "photos", "json", "txt", "xml", "xmls"),
    *("label", "labels", "annotation", "annotations", "annots", "voc", "pascal_voc", "yolo", "darknet"),
    *("obj", "obj_train_data", "coco", "createml", "labelme"),
}


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """An object: its class and its edges in pixels. flags: difficult, truncated, occluded, crowd, polygon."""

    name: str
    box: PixelBox
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """file: name or relative path with forward slashes, as the format has it. Width and height in pixels; 0 when unknown."""

    file: str
    width: int
    height: int
    boxes: tuple[LabelledBox, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """names: the classes in the order of their index, also those without a box."""

    names: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    problems: tuple[FormatError, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownImage:
    """A picture that labels may belong to. Width and height in pixels as seen."""

    file: str
    width: int
    height: int


class ImageIndex:
    """Finds the picture that a label file means, by name, with or without folders and suffix; never one of two that fit."""

    def __init__(self, images: Iterable[KnownImage]) -> None:
        self._whole: dict[str, list[KnownImage]] = defaultdict(list)
        self._tails: dict[str, list[KnownImage]] = defaultdict(list)
        for image in images:
            parts = _parts(image.file)
            for key in ("/".join(parts), _without_suffix("/".join(parts))):
                self._whole[key].append(image)
            for start in range(len(parts)):
                tail = "/".join(parts[start:])
                self._tails[tail].append(image)
                self._tails[_without_suffix(tail)].append(image)

    def find(self, file: str) -> KnownImage | None:
        """By the name as it is, then without its suffix. None when nothing fits, or more than one."""
        parts = _parts(file)
        return self._lookup(parts) or self._lookup(_parts(_without_suffix("/".join(parts))))

    def _lookup(self, parts: Sequence[str]) -> KnownImage | None:
        """One name must be the end of the other: train/1 is not valid/1, but 1 may be either."""
        for start in range(len(parts)):
            found = self._whole.get("/".join(parts[start:]), ())
            if found:
                return found[0] if len(found) == 1 else None
        found = self._tails.get("/".join(parts), ())
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Interchange:
    """A format. read: of a file or folder, with the pictures it may belong to; write: into a folder, returns what was left out.

    recognise: whether a file or folder looks like it (cheap, and may be wrong).
    """

    id: str
    label: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path, ImageIndex | None], LabelledSet] | None = None
    write: Callable[[Path, LabelledSet], list[FormatError]] | None = None


def pixel_box(left: float, top: float, right: float, bottom: float) -> PixelBox:
    """A box of some size with finite edges; raises FormatError (without a place) for any other."""
    edges = (left, top, right, bottom)
    if not all(math.isfinite(edge) and abs(edge) <= MAX_SIDE_PX for edge in edges):
        raise FormatError("a box with edges that are no usable numbers")
    if right <= left or bottom <= top:
        raise FormatError(f"a box {right - left:g} wide and {bottom - top:g} high; both must be above 0")
    return PixelBox(left, top, right, bottom)


def placed(error: FormatError, path: str, place: str = "", line: int | None = None) -> FormatError:
    """The same message with the file and the place in it."""
    return FormatError(f"{place}: {error}" if place else str(error), path, line)


def class_name(value: object) -> str:
    """A class name out of a file, trimmed; raises FormatError (without a place) for what can't be one."""
    if not isinstance(value, str) or not value.strip():
        raise FormatError("a class without a name")
    name = value.strip()
    if len(name) > 1_000 or any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise FormatError("a class name that is too long or has control characters")
    return name


def class_order(images: Iterable[LabelledImage]) -> tuple[str, ...]:
    """The class names in alphabetical order, for formats that have no order of their own."""
    return tuple(sorted({box.name for image in images for box in image.boxes}))


def files_below(path: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """The file itself, or the files below a folder in name order; links are not followed. FormatError beyond MAX_FILES."""
    if not path.is_dir():
        yield path
        return
    count = 0
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(tuple(suffixes)) and not name.startswith("."):
                count += 1
                if count > MAX_FILES:
                    raise FormatError(f"more than {MAX_FILES:,} files", str(path))
                yield Path(folder, name)


def relative(path: Path, root: Path) -> str:
    """The name of a file of a set, with forward slashes."""
    return path.name if path == root else path.relative_to(root).as_posix()


def inside(file: str) -> str:
    """A picture's name as a path that stays below the folder it is written to: without drives, roots and steps upwards."""
    parts = [part for part in file.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts).replace("\0", "") or "picture"


def index_of_folder(root: Path) -> ImageIndex:
    """The pictures below a folder, by their headers; what is no picture is left out."""
    known = []
    for path in files_below(root, IMAGE_SUFFIXES):
        with suppress(DarknetError):
            info = picture_info(path)
            known.append(KnownImage(relative(path, root), info.width, info.height))
    return ImageIndex(known)


def _parts(file: str) -> list[str]:
    parts = [part for part in file.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return [part for part in parts[:-1] if part.lower() not in _KIND_FOLDERS] + parts[-1:]


def _without_suffix(file: str) -> str:
    """Without a picture's or a label file's suffix; other dots belong to the name."""
    root, dot, suffix = file.rpartition(".")
    known = dot and root and not root.endswith("/") and (dot + suffix).lower() in (*IMAGE_SUFFIXES, ".txt", ".xml", ".json")
    return root if known else file
