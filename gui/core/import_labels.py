"""Labels of another program into an annotation group: read, matched by file name, classes mapped, then submitted.

Two steps, so that the mapping can be shown before anything is written: plan_labels reads and matches, apply_labels writes. What
did not match is in the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from darknet_bridge import NormBox
from darknet_bridge.errors import DarknetError, FormatError
from darknet_bridge.interchange import ImageIndex, KnownImage, LabelledImage, LabelledSet, read_labelled

from . import names
from .annotate import CATEGORY, FORBIDDEN, next_colour
from .errors import UserError
from .records import Box, Category, Image
from .workspace import Workspace

_SAME_SHAPE = 0.01  # how much the sides' ratio may differ where only the scale is another


@dataclass(frozen=True, slots=True)
class ClassMatch:
    """A class of the files. category: of the group, with the same name whatever its case; None is a new one."""

    name: str
    boxes: int
    category: Category | None


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """What was read. boxes: image id -> (class name, box, flags). unmatched: file names without an image.

    problems: one sentence each. overwrites: how many images have a submission already. unlabelled: images without a label.
    """

    boxes: Mapping[int, Sequence[tuple[str, NormBox, tuple[str, ...]]]]
    classes: tuple[ClassMatch, ...]
    unmatched: tuple[str, ...]
    problems: tuple[str, ...]
    overwrites: int
    unlabelled: int

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """(name, reason) of every label that can't be used, for a report."""
        return [*((name, "No image has this name.") for name in self.unmatched), *(("", problem) for problem in self.problems)]


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What was written. kept: images that had a submission, which stayed as it was."""

    images: int
    boxes: int
    kept: int


def plan_labels(
    workspace: Workspace, dataset_id: int, group_id: int | None, source: Path, format_id: str | None = None
) -> LabelPlan:
    """In a background thread. group_id: None for a group that is not made yet. Raises UserError for what can't be read at all."""
    images, categories, submitted = workspace.run_store(lambda: _state(workspace, dataset_id, group_id))
    by_name = {image.name: image for image in images}
    index = ImageIndex(KnownImage(image.name, image.width, image.height) for image in images)
    try:
        labelled = read_labelled(source, format_id, index)
    except DarknetError as error:
        raise UserError(f"{error}. Choose the folder or file that holds the labels.") from error
    return _plan(labelled, index, by_name, categories, submitted)


def apply_labels(
    workspace: Workspace, group_id: int, plan: LabelPlan, mapping: Mapping[str, int | str | None], replace: bool
) -> LabelReport:
    """On the store's thread. mapping: class name -> category id, name of a new category, or None to leave the class out.

    Images come in as submitted. replace: also those that have a submission. Can be undone; new categories stay.
    """
    workspace.require_writing()
    workspace.backups.make("before-import")
    before = workspace.store.annotations.submitted(group_id)
    categories = _categories(workspace, group_id, mapping)
    boxes = {
        image_id: [Box(categories[name], box, flags) for name, box, flags in found if name in categories]
        for image_id, found in plan.boxes.items()
        if replace or image_id not in before
    }
    old = {image_id: before[image_id] for image_id in boxes if image_id in before}
    _submit(workspace, group_id, boxes)
    workspace.undo.push(
        f"Import the labels of {len(boxes):,} images",
        lambda: _take_back(workspace, group_id, boxes, old),
        lambda: _submit(workspace, group_id, boxes),
    )
    return LabelReport(len(boxes), sum(map(len, boxes.values())), len(plan.boxes) - len(boxes))


def standard_mapping(plan: LabelPlan) -> dict[str, int | str | None]:
    """Equal names together, all others as new categories; characters that a category can't have are replaced."""
    return {entry.name: entry.category.id if entry.category else _allowed(entry.name) for entry in plan.classes}


def _allowed(name: str) -> str:
    return "".join(";" if letter in FORBIDDEN else letter for letter in name)[: names.MAX_LENGTH].strip()


def _state(workspace: Workspace, dataset_id: int, group_id: int | None) -> tuple[list[Image], list[Category], set[int]]:
    store = workspace.store
    images = store.datasets.images(dataset_id)
    if group_id is None:
        return images, [], set()
    return images, store.categories.list(group_id), set(store.annotations.submitted(group_id))


def _plan(
    labelled: LabelledSet,
    index: ImageIndex,
    by_name: Mapping[str, Image],
    categories: Sequence[Category],
    submitted: set[int],
) -> LabelPlan:
    boxes: dict[int, list[tuple[str, NormBox, tuple[str, ...]]]] = {}
    unmatched: list[str] = []
    problems = [str(problem) for problem in labelled.problems]
    for entry in labelled.images:
        known = index.find(entry.file)
        if known is None:
            unmatched.append(entry.file)
            continue
        image = by_name[known.file]
        try:
            found = _boxes_of(entry, image, problems)
        except FormatError as error:
            problems.append(str(error))
            continue
        if found or not entry.boxes:
            boxes.setdefault(image.id, []).extend(found)
    counts = Counter(name for found in boxes.values() for name, _box, _flags in found)
    existing = {category.name.casefold(): category for category in categories}
    order = dict.fromkeys((*labelled.names, *counts))
    return LabelPlan(
        boxes,
        tuple(ClassMatch(name, counts[name], existing.get(name.casefold())) for name in order),
        tuple(unmatched),
        tuple(problems),
        sum(1 for image_id in boxes if image_id in submitted),
        len(by_name) - len(boxes),
    )


def _boxes_of(entry: LabelledImage, image: Image, problems: list[str]) -> list[tuple[str, NormBox, tuple[str, ...]]]:
    """Relative to the image as seen, cut at its edges. Boxes drawn on the unturned or scaled picture are turned and scaled."""
    width, height, turned = _frame(entry, image)
    found = []
    for number, item in enumerate(entry.boxes, 1):
        box = item.box.to_norm(width, height)
        box = (_turned(box, image.orientation) if turned else box).clipped()
        if box.w <= 0 or box.h <= 0:
            problems.append(f"{entry.file}: box {number} ({item.name}) lies outside of the image")
        else:
            found.append((item.name, box, item.flags))
    return found


def _frame(entry: LabelledImage, image: Image) -> tuple[int, int, bool]:
    """(width, height, turned): the size the boxes were drawn in, and whether that was before the EXIF orientation."""
    if not entry.width or not entry.height or (entry.width, entry.height) == (image.width, image.height):
        return image.width, image.height, False
    if image.orientation >= 5 and (entry.width, entry.height) == (image.height, image.width):
        return entry.width, entry.height, True
    if abs(entry.width * image.height / (entry.height * image.width) - 1) <= _SAME_SHAPE:
        return entry.width, entry.height, False
    raise FormatError(
        f"{entry.file}: the labels are for {entry.width} x {entry.height} pixels, "
        f"but the image has {image.width} x {image.height}"
    )


def _turned(box: NormBox, orientation: int) -> NormBox:
    """From the stored picture to the one that is seen, for the orientations that swap the sides."""
    x, y = box.cx, box.cy
    cx, cy = {5: (y, x), 6: (1 - y, x), 7: (1 - y, 1 - x), 8: (y, 1 - x)}[orientation]
    return NormBox(cx, cy, box.h, box.w)


def _categories(workspace: Workspace, group_id: int, mapping: Mapping[str, int | str | None]) -> dict[str, int]:
    """class name -> category id; new categories are made in the order of the mapping, one for each new name."""
    store = workspace.store.categories
    existing = store.list(group_id)
    known = {category.name.casefold(): category.id for category in existing}
    colours = [category.colour for category in existing]
    found: dict[str, int] = {}
    for name, target in mapping.items():
        if isinstance(target, str):
            plain = names.checked(target, CATEGORY, forbidden=FORBIDDEN)
            key = plain.casefold()
            if key not in known:
                colours.append(next_colour(colours))
                known[key] = store.add(group_id, plain, colours[-1]).id
            found[name] = known[key]
        elif target is not None:
            found[name] = target
    workspace.changes.publish(f"categories:{group_id}")
    return found


def _submit(workspace: Workspace, group_id: int, boxes: Mapping[int, Sequence[Box]]) -> None:
    workspace.store.annotations.submit_many(group_id, boxes)
    workspace.changes.publish(f"annotations:{group_id}", f"group:{group_id}", "groups")


def _take_back(workspace: Workspace, group_id: int, boxes: Mapping[int, Sequence[Box]], old: Mapping[int, Sequence[Box]]) -> None:
    workspace.store.annotations.unsubmit(group_id, [image_id for image_id in boxes if image_id not in old])
    _submit(workspace, group_id, old)
