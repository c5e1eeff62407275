"""Figures of an annotation group for the statistics view: how many, how large, where, how alike the boxes are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darknet_bridge import NormBox

from .records import Box, Category, Image, ImageState

ENOUGH_BOXES = 25
"""Boxes a category should have at least, by the guide."""

MAP_CELLS = 24
SIZE_EDGES_PX = (0, 8, 16, 32, 64, 96, 128, 192, 256, 416)
_ASPECT_EDGES = (0.0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 0.9, 1.1, 3 / 2, 2.0, 3.0, 4.0)


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Of one category. spread: how much the aspect ratio varies (standard deviation of its logarithm; 0 is always the same)."""

    category: Category
    boxes: int
    images: int
    median_width_px: float
    median_height_px: float
    spread: float

    @property
    def is_few(self) -> bool:
        return self.boxes < ENOUGH_BOXES


@dataclass(frozen=True, slots=True)
class Statistics:
    """sizes, aspects: (edges, counts), counts[i] from edges[i] up to edges[i + 1], the last without end.

    Sizes are the square root of the area at the network's size in pixels; aspects are width by height as seen. positions:
    MAP_CELLS x MAP_CELLS, how many boxes cover each place of an image (rows from the top).
    """

    images: int
    boxes: int
    states: Mapping[ImageState, int]
    classes: tuple[ClassFigures, ...]
    sizes: tuple[tuple[float, ...], tuple[int, ...]]
    aspects: tuple[tuple[float, ...], tuple[int, ...]]
    positions: NDArray[np.int64]
    boxes_per_image: Mapping[int, int]
    small_boxes: int


def statistics(
    images: Sequence[Image],
    categories: Sequence[Category],
    submitted: Mapping[int, Sequence[Box]],
    states: Mapping[int, ImageState],
    network_px: tuple[int, int] = (416, 416),
) -> Statistics:
    """Of what was submitted; network_px is the width and height that images are scaled to for training.

    small_boxes counts those under 8 pixels at that size, which a network can hardly see.
    """
    known = {image.id: image for image in images}
    rows = [(image_id, box) for image_id, boxes in submitted.items() if image_id in known for box in boxes]
    ids = np.array([box.category_id for _image_id, box in rows], np.int64)
    norm = _array([box.box for _image_id, box in rows])
    pixels = norm[:, 2:] * np.array(network_px)
    frames = np.array([(known[image_id].width, known[image_id].height) for image_id, _box in rows], np.float64).reshape(-1, 2)
    seen = norm[:, 2:] * frames
    aspects = seen[:, 0] / np.maximum(seen[:, 1], 1e-9)
    sides = np.sqrt(pixels[:, 0] * pixels[:, 1])
    images_with: Counter[int] = Counter()
    for boxes in (boxes for image_id, boxes in submitted.items() if image_id in known):
        images_with.update({box.category_id for box in boxes})
    return Statistics(
        images=len(images),
        boxes=len(rows),
        states={state: sum(1 for image in images if states.get(image.id, ImageState.NEW) is state) for state in ImageState},
        classes=tuple(_class_figures(entry, ids, pixels, aspects, images_with[entry.id]) for entry in categories),
        sizes=_histogram(sides, SIZE_EDGES_PX),
        aspects=_histogram(aspects, _ASPECT_EDGES),
        positions=_positions(norm),
        boxes_per_image=Counter(len(boxes) for image_id, boxes in submitted.items() if image_id in known),
        small_boxes=int((sides < SIZE_EDGES_PX[1]).sum()),
    )


def _array(boxes: Sequence[NormBox]) -> NDArray[np.float64]:
    return np.array([(box.cx, box.cy, box.w, box.h) for box in boxes], np.float64).reshape(-1, 4)


def _class_figures(
    category: Category, ids: NDArray[np.int64], pixels: NDArray[np.float64], aspects: NDArray[np.float64], images: int
) -> ClassFigures:
    own = ids == category.id
    count = int(own.sum())
    if not count:
        return ClassFigures(category, 0, 0, 0.0, 0.0, 0.0)
    width, height = (float(value) for value in np.median(pixels[own], axis=0))
    spread = float(np.std(np.log(np.maximum(aspects[own], 1e-6))))
    return ClassFigures(category, count, images, width, height, spread)


def _histogram(values: NDArray[np.float64], edges: Sequence[float]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    places = np.clip(np.digitize(values, edges) - 1, 0, len(edges) - 1)
    counts = np.bincount(places, minlength=len(edges))
    return tuple(float(edge) for edge in edges), tuple(int(count) for count in counts)


def _positions(norm: NDArray[np.float64]) -> NDArray[np.int64]:
    """Adds one at the corners of each box and sums up along both axes: as fast for a million boxes as for one."""
    low = np.clip(np.floor((norm[:, :2] - norm[:, 2:] / 2) * MAP_CELLS), 0, MAP_CELLS - 1).astype(np.intp)
    high = np.clip(np.ceil((norm[:, :2] + norm[:, 2:] / 2) * MAP_CELLS), 1, MAP_CELLS).astype(np.intp)
    corners = np.zeros((MAP_CELLS + 1, MAP_CELLS + 1), np.int64)
    np.add.at(corners, (low[:, 1], low[:, 0]), 1)
    np.add.at(corners, (high[:, 1], high[:, 0]), 1)
    np.add.at(corners, (low[:, 1], high[:, 0]), -1)
    np.add.at(corners, (high[:, 1], low[:, 0]), -1)
    covered: NDArray[np.int64] = corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    return covered
