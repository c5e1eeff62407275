"""All submitted boxes of one category as columns, to be looked at as pictures: the fastest way to find wrong labels.

A million boxes are a few arrays here, never objects. A change is one more submission of the images concerned, and one step of
undo; what is drafted on them is changed along, so that a later Submit does not bring the old box back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from darknet_bridge import NormBox

from .records import Box, Category, Image
from .thumbnails import render
from .wording import counted

if TYPE_CHECKING:
    from .workspace import Workspace

ORDERS = ("Smallest first", "Largest first", "Tallest first", "Widest first", "Submitted last", "Submitted first", "By image")
MARGIN = 0.15  # of the box's longer side, shown around it
_SAME = 2e-5  # of the image's side: what the editor's pixels and back may lose
_LARGEST_PX = 4096

Picked = Mapping[int, Sequence[NormBox]]  # image id -> boxes
Edit = Callable[[int, Sequence[Box]], list[Box]]  # (image id, its boxes) -> its new boxes


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Row i: boxes[i] is (cx, cy, w, h) as shares of the image, sides[i] its width and height in pixels of the image.

    Rows are in the order of submission, oldest first.
    """

    category_id: int
    images: Mapping[int, Image]
    image_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    sides: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.image_ids)

    def box(self, row: int) -> NormBox:
        cx, cy, w, h = (float(value) for value in self.boxes[row])
        return NormBox(cx, cy, w, h)

    def image(self, row: int) -> Image:
        return self.images[int(self.image_ids[row])]

    def order(self, name: str) -> NDArray[np.int64]:
        """The rows as one of ORDERS wants them; rows that are equal stay in the order of submission."""
        area, shape = self.sides[:, 0] * self.sides[:, 1], self.sides[:, 0] / np.maximum(self.sides[:, 1], 1e-9)
        keys = {
            "Smallest first": area,
            "Largest first": -area,
            "Tallest first": shape,
            "Widest first": -shape,
            "Submitted last": -np.arange(len(self)),
            "Submitted first": np.arange(len(self)),
            "By image": self.image_ids,
        }
        return np.argsort(keys[name], kind="stable")

    def picked(self, rows: Iterable[int]) -> dict[int, list[NormBox]]:
        """Image id -> the boxes of these rows."""
        found: dict[int, list[NormBox]] = defaultdict(list)
        for row in rows:
            found[int(self.image_ids[row])].append(self.box(row))
        return dict(found)


def read(workspace: Workspace, group_id: int, category_id: int) -> Crops:
    """On the store's thread."""
    store = workspace.store
    images = {image.id: image for image in store.datasets.images(store.groups.get(group_id).dataset_id)}
    parts = [np.array(some, np.float64).reshape(-1, 6) for some in store.annotations.each_of_category(group_id, category_id)]
    rows = np.concatenate(parts) if parts else np.empty((0, 6))
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    image_ids = rows[:, 1].astype(np.int64)
    known, place = np.unique(image_ids, return_inverse=True)
    size = np.array([(images[each].width, images[each].height) for each in known.tolist()], np.float64).reshape(-1, 2)
    return Crops(category_id, images, image_ids, rows[:, 2:], rows[:, 4:] * size[place])


def pictures(image: Image, boxes: Sequence[NormBox], side_px: int) -> list[PilImage.Image | None]:
    """A crop for each box with MARGIN around it, its longer side about side_px. The image is decoded once, at the scale that the
    smallest box needs. None where the file can't be read. For a background thread."""
    spans = [_span(box, image) for box in boxes]
    needed = max((side_px / max((x1 - x0) * image.width, (y1 - y0) * image.height, 1.0) for x0, y0, x1, y1 in spans), default=1.0)
    longer = max(image.width, image.height)
    whole = render(image, max(side_px, min(round(longer * min(needed, 1.0)), _LARGEST_PX)))
    if whole is None:
        return [None] * len(boxes)
    return [_cut(whole, span, side_px) for span in spans]


def _span(box: NormBox, image: Image) -> tuple[float, float, float, float]:
    """With its margin, inside the image."""
    left, top, right, bottom = box.corners
    margin = MARGIN * max((right - left) * image.width, (bottom - top) * image.height)
    dx, dy = margin / image.width, margin / image.height
    return max(left - dx, 0.0), max(top - dy, 0.0), min(right + dx, 1.0), min(bottom + dy, 1.0)


def _cut(whole: PilImage.Image, span: tuple[float, float, float, float], side_px: int) -> PilImage.Image:
    width, height = whole.size
    left, top = int(span[0] * width), int(span[1] * height)
    right, bottom = max(int(span[2] * width + 0.999), left + 1), max(int(span[3] * height + 0.999), top + 1)
    part = whole.crop((left, top, min(right, width), min(bottom, height)))
    scale = side_px / max(part.size)
    size = (max(round(part.width * scale), 1), max(round(part.height * scale), 1))
    return part.resize(size, PilImage.Resampling.BILINEAR, reducing_gap=2.0)


# ---- changing


def delete(workspace: Workspace, group_id: int, category: Category, picked: Picked) -> None:
    """Takes these boxes of a category out of their images, which stay submitted."""

    def without(image_id: int, boxes: Sequence[Box]) -> list[Box]:
        return [box for box in boxes if not _is_one_of(box, category.id, picked[image_id])]

    def back(image_id: int, boxes: Sequence[Box]) -> list[Box]:
        lost = [Box(category.id, box) for box in picked[image_id]]
        return [*boxes, *(box for box in lost if not any(_is_one_of(each, category.id, [box.box]) for each in boxes))]

    _do(workspace, group_id, picked, f"Delete {_boxes(picked)} of “{category.name}”", without, back)


def set_category(workspace: Workspace, group_id: int, category: Category, picked: Picked, to: Category) -> None:
    """Gives these boxes of a category to another one."""

    def moved(old: int, new: int) -> Edit:
        def edit(image_id: int, boxes: Sequence[Box]) -> list[Box]:
            return [replace(box, category_id=new) if _is_one_of(box, old, picked[image_id]) else box for box in boxes]

        return edit

    label = f"Give {_boxes(picked)} of “{category.name}” to “{to.name}”"
    _do(workspace, group_id, picked, label, moved(category.id, to.id), moved(to.id, category.id))


def _do(workspace: Workspace, group_id: int, picked: Picked, label: str, change: Edit, back: Edit) -> None:
    """back: for images that were submitted again since; the others become exactly what they were."""
    workspace.require_writing()
    kept: dict[int, tuple[tuple[Box, ...], tuple[Box, ...]]] = {}

    def forth(image_id: int, boxes: Sequence[Box]) -> list[Box]:
        made = change(image_id, boxes)
        kept.setdefault(image_id, (tuple(boxes), tuple(made)))  # the submission comes before the draft
        return made

    def take_back(image_id: int, boxes: Sequence[Box]) -> list[Box]:
        before, after = kept[image_id]
        return list(before) if tuple(boxes) == after else back(image_id, boxes)

    def run(edit: Edit) -> None:
        workspace.store.annotations.edit_submitted(group_id, list(picked), edit)
        workspace.changes.publish(f"annotations:{group_id}", f"group:{group_id}")

    def again() -> None:
        kept.clear()
        run(forth)

    again()
    workspace.undo.push(label, lambda: run(take_back), again)


def _is_one_of(box: Box, category_id: int, wanted: Sequence[NormBox]) -> bool:
    return box.category_id == category_id and any(_same(box.box, each) for each in wanted)


def _same(a: NormBox, b: NormBox) -> bool:
    return max(abs(a.cx - b.cx), abs(a.cy - b.cy), abs(a.w - b.w), abs(a.h - b.h)) <= _SAME


def _boxes(picked: Picked) -> str:
    return counted(sum(len(boxes) for boxes in picked.values()), "box", "boxes")
