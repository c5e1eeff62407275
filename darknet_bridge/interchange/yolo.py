"""Darknet's and YOLO's folders: a text file a picture, and the class names in order in one file of their own.

The names are looked for in the folder and in the one above (two above a `labels` folder): a .data file, a data.yaml,
classes.txt, a .names file. A classes.txt or an image list is never taken for a label file.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..detection import NormBox
from ..errors import DarknetError, FormatError
from ..formats.data_file import read_data_file
from ..formats.labels import MAX_BYTES, Label, parse_labels, write_labels
from ..formats.names import read_names, write_names
from ..formats.text import read_regular_file
from .base import (
    IMAGE_SUFFIXES,
    ImageIndex,
    LabelledBox,
    LabelledImage,
    LabelledSet,
    files_below,
    index_of_folder,
    inside,
    relative,
)
from .names_yaml import read_yaml_names

_YAML = (".yaml", ".yml")
# No label files, unless there is a picture of that very name; classes.txt never is one.
_RARELY_LABELS = frozenset(("train.txt", "valid.txt", "val.txt", "test.txt", "readme.txt", "notes.txt", "license.txt"))
_NOT_LABELS = _RARELY_LABELS | {"classes.txt"}


def recognise(path: Path) -> bool:
    """A .data, .yaml or .names file, or a folder that has class names and a text file other than those."""
    if path.is_file():
        return path.suffix.lower() in (".data", ".names", *_YAML) or path.name == "classes.txt"
    patterns = ("*.txt", "*/*.txt", "*/*/*.txt")
    return names_file(path) is not None and any(
        file.name.lower() not in _NOT_LABELS for pattern in patterns for file in path.glob(pattern)
    )


def names_file(folder: Path) -> Path | None:
    """Where the class names of a folder are; the nearest folder first."""
    above = [folder.parent, *([folder.parent.parent] if "labels" in (folder.name, folder.parent.name) else [])]
    for place in (folder, *above, folder / "labels"):
        for pattern in ("*.data", "data.yaml", "data.yml", "dataset.yaml", "classes.txt", "*.names"):
            found = sorted(place.glob(pattern))
            if len(found) == 1 or (found and pattern == "*.names"):
                return found[0]
    return None


def read_yolo(path: Path, index: ImageIndex | None = None) -> LabelledSet:
    """A folder, or its file of names. index: the pictures the labels may belong to; without it, those in the folder.

    Raises FormatError when there are no class names or no label file.
    """
    source = names_file(path) if path.is_dir() else path
    folder = path if path.is_dir() else path.parent
    if source is None:
        raise FormatError("no class names: expected obj.names, classes.txt, a .data file or data.yaml in the folder", str(folder))
    names, lists = _names(source)
    known = index or index_of_folder(folder)
    images: dict[str, LabelledImage] = {}
    problems: list[FormatError] = []
    for file in files_below(folder, (".txt",)):
        if file.name.lower() == "classes.txt" or file.resolve() in lists or file == source:
            continue
        match = known.find(relative(file, folder))
        if match is None and file.name.lower() in _RARELY_LABELS:
            continue
        if match is None:
            problems.append(FormatError("no picture has this name, or several have it", str(file)))
        elif match.file in images:
            problems.append(FormatError(f"a second label file for {match.file}", str(file)))
        else:
            boxes, wrong = _boxes(file, names, match.width, match.height)
            problems += wrong
            if boxes is not None:
                images[match.file] = LabelledImage(match.file, match.width, match.height, boxes)
    if not images and not problems:
        raise FormatError("no label file (*.txt) in the folder", str(folder))
    return LabelledSet(names, tuple(images.values()), tuple(problems))


def write_yolo(folder: Path, labelled: LabelledSet) -> list[FormatError]:
    """obj.names and labels/<picture>.txt; an empty file is a picture without objects. Returns what could not be written."""
    write_target = folder / "labels"
    write_target.mkdir(parents=True, exist_ok=True)
    if labelled.names:
        write_names(folder / "obj.names", labelled.names)
    numbers = {name: number for number, name in enumerate(labelled.names)}
    problems: list[FormatError] = []
    taken: dict[str, str] = {}
    for image in labelled.images:
        name = inside(image.file)
        root, dot, suffix = name.rpartition(".")
        stem = root if (dot + suffix).lower() in IMAGE_SUFFIXES else name
        if stem in taken:
            problems.append(FormatError(f"its label file would be that of {taken[stem]}; rename one of the two", image.file))
            continue
        taken[stem] = image.file
        if image.width < 1 or image.height < 1:
            problems.append(FormatError("its size is not known", image.file))
            continue
        target = write_target / f"{stem}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_labels(target, [Label(numbers[item.name], _norm(item, image)) for item in image.boxes])
        except FormatError as error:
            problems.append(error)
    return problems


def _norm(item: LabelledBox, image: LabelledImage) -> NormBox:
    return item.box.to_norm(image.width, image.height).clipped()


def _names(source: Path) -> tuple[tuple[str, ...], frozenset[Path]]:
    """The names, and the files that the source says are image lists."""
    if source.suffix.lower() in _YAML:
        return read_yaml_names(source), frozenset()
    if source.suffix.lower() != ".data":
        return read_names(source), frozenset()
    data = read_data_file(source)
    lists = frozenset(Path(data.resolve(key)).resolve() for key in ("train", "valid", "test") if data.get(key))
    return read_names(data.resolve("names")), lists


def _boxes(
    file: Path, names: tuple[str, ...], width: int, height: int
) -> tuple[tuple[LabelledBox, ...] | None, list[FormatError]]:
    """The good lines and the bad ones. None in place of boxes when no line is good: that is no picture without objects."""
    name = os.fsdecode(file)
    try:
        labels, wrong = parse_labels(read_regular_file(file, MAX_BYTES, "a label file"), name, len(names))
    except DarknetError as error:
        return None, [error if isinstance(error, FormatError) else FormatError(str(error), name)]
    problems = [FormatError(problem.text, name, problem.line) for problem in wrong]
    if not labels and problems:
        return None, problems
    return tuple(LabelledBox(names[label.class_id], label.box.to_pixels(width, height)) for label in labels), problems
