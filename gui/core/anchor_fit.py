"""Anchors fitted to a dataset, with the number that says whether it is worth it: the mean IoU of box and best anchor."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darknet_bridge import NormBox, recipes
from darknet_bridge.errors import DarknetError
from darknet_bridge.formats import Label, write_data_file, write_image_list, write_labels
from darknet_bridge.recipes.base import Anchor

from .errors import UserError
from .prepare_run import Progress, TrainingData
from .setup import Setup, side_of


@dataclass(frozen=True, slots=True)
class AnchorFit:
    """before: mean IoU with the model's own anchors, after: with the fitted ones, 0..1."""

    anchors: tuple[Anchor, ...]
    before: float
    after: float

    @property
    def text(self) -> str:
        gain = 100 * (self.after - self.before)
        said = f"Mean overlap with the boxes: {100 * self.before:.0f} % → {100 * self.after:.0f} %."
        return said + (" Little is gained: keep the model's own." if gain < 5 else " They may help; try both where it matters.")


def mean_iou(boxes: Sequence[NormBox], anchors: Sequence[Anchor], side: int) -> float:
    """Of each box with the anchor most like it, both centred on one place; sides in pixels of the input."""
    total = 0.0
    for box in boxes:
        w, h = box.w * side, box.h * side
        total += max(min(w, aw) * min(h, ah) / (w * h + aw * ah - min(w, aw) * min(h, ah)) for aw, ah in anchors)
    return total / len(boxes) if boxes else 0.0


def fit_anchors(data: TrainingData, setup: Setup, progress: Progress) -> AnchorFit:
    """In a background thread. Raises UserError where the boxes are too few."""
    recipe, side = recipes.get_recipe(setup.model), side_of(setup)
    boxes = [box.box.clipped() for own in data.boxes.values() for box in own]
    boxes = [box for box in boxes if box.w > 1e-4 and box.h > 1e-4]
    if len(boxes) < len(recipe.anchors):
        raise UserError(f"{len(boxes)} boxes are too few to fit {len(recipe.anchors)} anchors to them.")
    progress(0, 1, "Fitting anchors")
    with tempfile.TemporaryDirectory(prefix="darknet-studio-") as folder:
        place = Path(folder)
        # Only the labels are read; the picture beside them need not be there.
        write_labels(place / "all.txt", [Label(0, box) for box in boxes])
        write_image_list(place / "train.list", [place / "all.jpg"])
        write_data_file(place / "obj.data", {"classes": "1", "train": "train.list"})
        try:
            anchors = recipes.calc_anchors(place / "obj.data", len(recipe.anchors), side, side)
        except DarknetError as error:
            raise UserError(f"The anchors can't be fitted: {error}.") from error
    return AnchorFit(anchors, mean_iou(boxes, recipe.anchors, side), mean_iou(boxes, anchors, side))
