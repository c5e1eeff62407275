"""Drafts, submissions, categories and their undo: what must never be lost."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from darknet_bridge import NormBox
from gui.core.errors import ConflictError, UserError
from gui.core.records import Box, ImageState

from .conftest import Library, new_image


def test_submit_and_draft(library: Library) -> None:
    annotations, image = library.store.annotations, library.images[0]
    empty = annotations.get(library.group, image)
    assert (empty.state, empty.current, empty.revision) == (ImageState.NEW, (), 0)
    two = (library.box(), replace(library.box(library.gull), flags=("difficult", "truncated")))
    done = annotations.submit(library.group, image, two, 0)
    assert done == annotations.get(library.group, image)
    assert (done.state, done.submitted, done.revision) == (ImageState.SUBMITTED, two, 1)
    annotations.save_draft(library.group, image, [library.box(cx=0.25)])
    draft = annotations.get(library.group, image)
    assert (draft.state, draft.submitted, draft.current) == (ImageState.DRAFT, two, (library.box(cx=0.25),))
    annotations.drop_draft(library.group, image)
    assert annotations.get(library.group, image) == done
    annotations.save_draft(library.group, image, [])
    assert annotations.get(library.group, image).draft == ()
    negative = annotations.submit(library.group, image, [], 1)
    assert (negative.state, negative.revision) == (ImageState.NEGATIVE, 2)


def test_a_second_writer_is_told(library: Library) -> None:
    image = library.images[0]
    library.store.annotations.submit(library.group, image, [library.box()], 0)
    with pytest.raises(ConflictError, match="Somebody else"):
        library.store.annotations.submit(library.group, image, [], 0)
    assert len(library.store.annotations.get(library.group, image).submitted) == 1


def test_boxes_of_unknown_categories_and_odd_numbers_change_nothing(library: Library) -> None:
    image = library.images[0]
    library.submit(image, library.box())
    before = library.store.annotations.get(library.group, image)
    with pytest.raises(ConflictError, match="category"):
        library.store.annotations.submit(library.group, image, [library.box(99)], 1)
    with pytest.raises(ValueError, match="nan"):
        library.store.annotations.submit(library.group, image, [Box(library.crow, NormBox(math.nan, 0, 0, 0))], 1)
    assert library.store.annotations.get(library.group, image) == before


def test_groups_do_not_share_boxes(library: Library) -> None:
    library.submit(library.images[0], library.box())
    other = library.store.groups.create(library.dataset, "Second").id
    assert [entry.boxes for entry in library.store.annotations.entries(other)] == [0, 0, 0]
    assert [entry.boxes for entry in library.store.annotations.entries(library.group)] == [1, 0, 0]


def test_entries_and_summary(library: Library) -> None:
    first, second, third = library.images
    library.submit(first, library.box(), library.box(library.gull), library.box())
    library.submit(second)
    library.store.annotations.save_draft(library.group, third, [library.box()])
    library.store.annotations.save_draft(library.group, first, [])
    entries = library.store.annotations.entries(library.group)
    assert [(entry.name, entry.state, entry.boxes) for entry in entries] == [
        ("a.jpg", ImageState.DRAFT, 0),
        ("b.jpg", ImageState.NEGATIVE, 0),
        ("c.jpg", ImageState.DRAFT, 1),
    ]
    summary = library.store.groups.summary(library.group)
    assert (summary.images, summary.submitted, summary.drafts, summary.negatives, summary.boxes) == (3, 2, 2, 1, 3)
    assert summary.boxes_by_category == {library.crow: (2, 1), library.gull: (1, 1)}
    group = library.store.groups.get(library.group)
    assert (group.categories, group.submitted, group.boxes) == (2, 2, 3)
    library.store.datasets.remove_images([first])
    assert library.store.groups.summary(library.group).boxes == 0
    assert library.store.groups.get(library.group).boxes == 0
    assert list(library.store.annotations.submitted(library.group)) == [second]
    library.store.datasets.restore_images([first])
    assert library.store.groups.summary(library.group) == summary


def test_the_images_that_show_a_category(library: Library) -> None:
    first, second, third = library.images
    library.submit(first, library.box())
    library.submit(second, library.box())
    library.store.annotations.save_draft(library.group, second, [library.box(library.gull)])
    library.store.annotations.save_draft(library.group, third, [library.box()])
    kinds = library.store.annotations.kinds(library.group, (1.0, 1e9))
    assert kinds == {first: {(library.crow, 1)}, second: {(library.gull, 1)}, third: {(library.crow, 1)}}
    assert [each.id for each in library.store.datasets.first_images(library.dataset, 2)] == [first, second]


def test_names_are_sorted_by_their_numbers(library: Library) -> None:
    library.store.datasets.add_images(library.dataset, [new_image("img10.jpg"), new_image("img9.jpg"), new_image("B2.jpg")])
    names = ["a.jpg", "B2.jpg", "b.jpg", "c.jpg", "img9.jpg", "img10.jpg"]
    assert [entry.name for entry in library.store.annotations.entries(library.group)] == names
    assert [image.name for image in library.store.datasets.images(library.dataset)] == names


def test_submit_many_and_unsubmit(library: Library) -> None:
    first, second, third = library.images
    library.submit(first, library.box(cx=0.1))
    library.store.annotations.save_draft(library.group, second, [library.box()])
    boxes = {first: [library.box(cx=0.2), library.box(library.gull)], second: [], third: [library.box()]}
    library.store.annotations.submit_many(library.group, boxes)
    assert library.store.annotations.submitted(library.group) == {image: tuple(some) for image, some in boxes.items()}
    assert [library.store.annotations.get(library.group, image).revision for image in library.images] == [2, 1, 1]
    assert library.store.annotations.get(library.group, second).draft is None
    library.store.annotations.unsubmit(library.group, [first, second])
    assert list(library.store.annotations.submitted(library.group)) == [third]
    assert library.store.annotations.get(library.group, first).state is ImageState.NEW


def test_deleting_a_category_deletes_its_boxes_and_undo_brings_them_back(library: Library) -> None:
    first, second, _ = library.images
    library.submit(first, library.box(), library.box(library.gull), library.box())
    library.submit(second, library.box())
    library.store.annotations.save_draft(library.group, second, [library.box(), library.box(library.gull)])
    before = [library.store.annotations.get(library.group, image) for image in library.images]
    assert library.store.categories.counts(library.crow) == (3, 2)
    assert library.store.categories.draft_counts(library.crow) == (1, 1)
    token = library.store.categories.delete(library.crow)
    assert library.store.categories.counts(library.crow) == (0, 0)
    assert [each.name for each in library.store.categories.list(library.group)] == ["Gull"]
    assert library.store.categories.get(library.crow).name == "Crow"
    assert library.store.annotations.get(library.group, first).submitted == (library.box(library.gull),)
    assert library.store.annotations.get(library.group, second).revision == 1
    assert library.store.annotations.entries(library.group)[1].state is ImageState.DRAFT
    with pytest.raises(UserError, match="not in the library"):
        library.store.categories.delete(library.crow)
    library.store.categories.restore(token)
    assert [library.store.annotations.get(library.group, image) for image in library.images] == before
    assert [(each.name, each.position) for each in library.store.categories.list(library.group)] == [("Crow", 0), ("Gull", 1)]


def test_boxes_move_to_another_category_and_back(library: Library) -> None:
    first, second, _ = library.images
    library.submit(first, library.box(), library.box(library.gull))
    library.submit(second, library.box())
    token = library.store.categories.delete(library.crow, move_to=library.gull)
    assert library.store.categories.counts(library.gull) == (3, 2)
    library.submit(second, library.box(library.gull, cx=0.9))
    library.store.categories.restore(token)
    assert library.store.categories.counts(library.crow) == (1, 1)
    assert library.store.categories.counts(library.gull) == (2, 2)
    elsewhere = library.store.categories.add(library.store.groups.create(library.dataset, "Second").id, "Crow", "#0").id
    for wrong in (library.crow, elsewhere):
        with pytest.raises(UserError, match="another category"):
            library.store.categories.delete(library.crow, move_to=wrong)


def test_boxes_submitted_after_a_delete_stay_when_it_is_undone(library: Library) -> None:
    image = library.images[0]
    library.submit(image, library.box(), library.box(library.gull))
    library.store.annotations.save_draft(library.group, image, [library.box()])
    token = library.store.categories.delete(library.crow)
    library.submit(image, library.box(library.gull, cx=0.7))
    library.store.categories.restore(token)
    found = library.store.annotations.get(library.group, image)
    assert found.draft is None
    assert sorted(box.category_id for box in found.submitted) == [library.crow, library.gull]


def test_category_ids_never_come_back(library: Library) -> None:
    categories = library.store.categories
    last = categories.add(library.group, "Last", "#0000ff").id
    categories.delete(last)
    assert categories.add(library.group, "Last", "#0000ff").id > last
    categories.rename(library.crow, "Rook")
    categories.recolour(library.crow, "#123456")
    ids = [each.id for each in categories.list(library.group)]
    categories.reorder(library.group, ids[::-1])
    assert [each.id for each in categories.list(library.group)] == ids[::-1]
    assert categories.get(library.crow) == replace(categories.get(library.crow), name="Rook", colour="#123456", position=2)
    with pytest.raises(ConflictError, match="changed elsewhere"):
        categories.reorder(library.group, ids[:-1])
