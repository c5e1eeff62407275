"""A large library in small: the same calls as at 25,000 images and a million boxes, whose figures are in docs/benchmarks.md."""

from __future__ import annotations

import random
import tracemalloc

from gui.core.records import ImageState
from gui.store import Store

from .conftest import fill, new_image

IMAGES = 2000
BOXES_EACH = 10


def test_many_images_and_boxes(store: Store) -> None:
    library = fill(store)
    ids = store.datasets.add_images(library.dataset, [new_image(f"img{number}.jpg") for number in range(IMAGES)])
    chance = random.Random(3)
    boxes = {
        image: [library.box(chance.choice((library.crow, library.gull)), chance.random()) for _ in range(BOXES_EACH)]
        for image in ids
    }
    store.annotations.submit_many(library.group, boxes)
    crows = sum(box.category_id == library.crow for own in boxes.values() for box in own)
    summary = store.groups.summary(library.group)
    assert (summary.images, summary.submitted, summary.boxes) == (IMAGES + 3, IMAGES, IMAGES * BOXES_EACH)
    assert summary.boxes_by_category[library.crow][0] == crows == store.categories.counts(library.crow)[0]
    entries = store.annotations.entries(library.group)
    assert [entry.name for entry in entries[-2:]] == [f"img{IMAGES - 2}.jpg", f"img{IMAGES - 1}.jpg"]
    assert sum(entry.state is ImageState.SUBMITTED for entry in entries) == IMAGES
    token = store.categories.delete(library.crow)
    assert store.groups.get(library.group).boxes == IMAGES * BOXES_EACH - crows
    store.categories.restore(token)
    store.datasets.remove_images(ids[:1000])
    assert store.groups.summary(library.group).boxes == (IMAGES - 1000) * BOXES_EACH
    store.datasets.restore_images(ids[:1000])
    assert {image: sorted(own, key=repr) for image, own in store.annotations.submitted(library.group).items()} == {
        image: sorted(own, key=repr) for image, own in boxes.items()
    }


def test_boxes_are_read_in_portions(sqlite_store: Store) -> None:
    library = fill(sqlite_store)
    ids = sqlite_store.datasets.add_images(library.dataset, [new_image(f"img{number}.jpg") for number in range(IMAGES)])
    sqlite_store.annotations.submit_many(library.group, {image: [library.box()] * BOXES_EACH for image in ids})
    tracemalloc.start()
    try:
        counted = sum(len(own) for _, own in sqlite_store.annotations.each_submitted(library.group))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counted == IMAGES * BOXES_EACH
    assert peak < IMAGES * BOXES_EACH * 200  # bytes: all boxes at once would be more
