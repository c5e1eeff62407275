"""The figures of the statistics view."""

from __future__ import annotations

import time

import numpy as np

from darknet_bridge import NormBox
from gui.core.records import Box, Category, ImageState
from gui.core.statistics import MAP_CELLS, SIZE_EDGES_PX, statistics

from .pictures import image

CATEGORIES = (Category(11, 1, "crow", "#ff0000", 0), Category(12, 1, "tit", "#00ff00", 1), Category(13, 1, "none", "#0000ff", 2))


def test_figures() -> None:
    images = [image(1, width=200, height=100), image(2, width=100, height=100), image(3), image(4)]
    submitted = {
        1: [Box(11, NormBox(0.25, 0.25, 0.5, 0.5)), Box(12, NormBox(0.5, 0.5, 1.0, 1.0))],
        2: [Box(11, NormBox(0.5, 0.5, 0.5, 0.5)), Box(11, NormBox(0.5, 0.5, 0.01, 0.01))],
        3: [],
        99: [Box(11, NormBox(0.5, 0.5, 0.5, 0.5))],  # of an image that was removed
    }
    states = {1: ImageState.SUBMITTED, 2: ImageState.SUBMITTED, 3: ImageState.NEGATIVE}
    found = statistics(images, CATEGORIES, submitted, states, (400, 400))
    assert (found.images, found.boxes, found.small_boxes) == (4, 4, 1)
    assert found.states == {ImageState.NEW: 1, ImageState.DRAFT: 0, ImageState.SUBMITTED: 2, ImageState.NEGATIVE: 1}
    crow, tit, none = found.classes
    assert (crow.boxes, crow.images, tit.boxes, none.boxes) == (3, 2, 1, 0)
    assert crow.median_width_px == 200 and crow.is_few and crow.spread > 0 == tit.spread
    edges, counts = found.sizes
    assert edges == SIZE_EDGES_PX and sum(counts) == 4 and counts[edges.index(192)] == 2 and counts[0] == 1
    assert sum(found.aspects[1]) == 4
    assert found.positions.shape == (MAP_CELLS, MAP_CELLS)
    assert found.positions[0, 0] == 2 and found.positions[-1, -1] == 1 and found.positions[12, 12] == 3
    assert found.boxes_per_image == {2: 2, 0: 1}


def test_nothing_at_all() -> None:
    found = statistics([], CATEGORIES, {}, {})
    assert found.boxes == 0 and not found.positions.any()


def test_many_boxes_in_good_time() -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(0.1, 0.5, (100_000, 4))
    boxes = [Box(11, NormBox(*row)) for row in values.tolist()]
    started = time.thread_time()
    found = statistics([image(1)], CATEGORIES, {1: boxes}, {})
    assert found.boxes == 100_000 and time.thread_time() - started < 5
