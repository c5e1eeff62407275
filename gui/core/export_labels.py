"""The submitted boxes of a group as files of another format, with the class numbers that go with them.

A class's number is its place among the group's categories at this moment; `numbers` is what the window shows before writing.
Everything goes into a new folder: nothing that is there already is written over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darknet_bridge.errors import DarknetError, shown
from darknet_bridge.interchange import FORMATS, LabelledBox, LabelledImage, LabelledSet

from .disk import disk_error
from .errors import UserError
from .records import Category
from .workspace import Workspace


@dataclass(frozen=True, slots=True)
class ExportReport:
    """left_out: images that are not submitted. problems: one sentence for each image that the format can't carry."""

    folder: Path
    images: int
    boxes: int
    left_out: int
    numbers: tuple[tuple[int, str], ...]
    problems: tuple[str, ...]


def label_formats() -> list[tuple[str, str]]:
    """(id, label) of the formats that can be written."""
    return [(entry.id, entry.label) for entry in FORMATS.values() if entry.write]


def numbers(categories: Sequence[Category]) -> tuple[tuple[int, str], ...]:
    """(number, name) as the files will have them, from 0."""
    ordered = sorted(categories, key=lambda category: category.position)
    return tuple((number, category.name) for number, category in enumerate(ordered))


def export_labels(workspace: Workspace, group_id: int, format_id: str, parent: Path) -> ExportReport:
    """In a background thread. Writes into a new folder below parent. Raises UserError."""
    entry = FORMATS.get(format_id)
    if entry is None or entry.write is None:
        raise UserError("Labels can't be written in this format. Choose another one.")
    labelled, name, total = workspace.run_store(lambda: _labelled(workspace, group_id))
    if not labelled.images:
        raise UserError("No image of this group is submitted. Submit at least one, then export again.")
    folder = _new_folder(parent, f"{name} {format_id}")
    try:
        problems = entry.write(folder, labelled)
    except OSError as error:
        raise disk_error(error, folder) from error
    except DarknetError as error:
        raise UserError(f"The labels were not written: {error}.") from error
    return ExportReport(
        folder,
        len(labelled.images) - len(problems),
        sum(len(image.boxes) for image in labelled.images),
        total - len(labelled.images),
        tuple(enumerate(labelled.names)),
        tuple(str(problem) for problem in problems),
    )


def _labelled(workspace: Workspace, group_id: int) -> tuple[LabelledSet, str, int]:
    """(the submitted images, the group's name, how many images the dataset has)."""
    store = workspace.store
    group = store.groups.get(group_id)
    categories = {category.id: category for category in store.categories.list(group_id)}
    images = store.datasets.images(group.dataset_id)
    submitted = store.annotations.submitted(group_id)
    found = []
    for image in images:
        if image.id in submitted:
            boxes = tuple(
                LabelledBox(categories[box.category_id].name, box.box.to_pixels(image.width, image.height), box.flags)
                for box in submitted[image.id]
            )
            found.append(LabelledImage(image.name, image.width, image.height, boxes))
    names = tuple(name for _number, name in numbers(list(categories.values())))
    return LabelledSet(names, tuple(found)), group.name, len(images)


def _new_folder(parent: Path, name: str) -> Path:
    """Below parent, numbered where the name is taken."""
    safe = "".join("_" if c in '/\\:*?"<>|' or not c.isprintable() else c for c in name).strip(". ")[:80] or "labels"
    for number in range(1, 10_000):
        folder = parent / (safe if number == 1 else f"{safe} {number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise disk_error(error, folder) from error
        return folder
    raise UserError(f"{shown(parent)} has too many folders of this name. Choose another folder.")
