"""All boxes of a category: in which order, which part of the picture, and what a change does to submission, draft and undo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from darknet_bridge import NormBox
from gui.core import annotate, crops
from gui.core.errors import ConflictError
from gui.core.records import AnnotationGroup, Box, ImageState
from gui.core.workspace import Workspace

from .pictures import image


@pytest.fixture
def group(workspace: Workspace, dataset: int) -> AnnotationGroup:
    return annotate.create_group(workspace, dataset, "First", [("Crow", ""), ("Gull", "")])


@pytest.fixture
def ids(workspace: Workspace, group: AnnotationGroup) -> list[int]:
    return [entry.image_id for entry in workspace.store.annotations.entries(group.id)]


def boxes_of(workspace: Workspace, group: AnnotationGroup, image_id: int) -> list[tuple[int, NormBox]]:
    return [(box.category_id, box.box) for box in workspace.store.annotations.get(group.id, image_id).submitted]


SMALL, TALL, WIDE = NormBox(0.5, 0.5, 0.1, 0.1), NormBox(0.2, 0.5, 0.1, 0.8), NormBox(0.5, 0.2, 0.9, 0.2)


@pytest.fixture
def full(workspace: Workspace, group: AnnotationGroup, ids: list[int]) -> tuple[int, int]:
    """Three crows in the order wide (on the second image), small and tall (on the first), with a gull between them."""
    crow, gull = (each.id for each in workspace.store.categories.list(group.id))
    annotate.submit(workspace, group.id, ids[1], [Box(crow, WIDE)], 0)
    annotate.submit(workspace, group.id, ids[0], [Box(crow, SMALL), Box(gull, WIDE), Box(crow, TALL, ("difficult",))], 0)
    annotate.save_draft(workspace, group.id, ids[2], [Box(crow, SMALL)])
    return crow, gull


def test_every_submitted_box_of_the_category_in_any_order(
    workspace: Workspace, group: AnnotationGroup, ids: list[int], full: tuple[int, int]
) -> None:
    found = crops.read(workspace, group.id, full[0])
    assert [found.box(row) for row in range(len(found))] == [WIDE, SMALL, TALL]
    assert [found.image(row).id for row in range(3)] == [ids[1], ids[0], ids[0]]

    def ordered(name: str) -> list[NormBox]:
        return [found.box(row) for row in found.order(name)]

    assert ordered("Smallest first") == [SMALL, TALL, WIDE] and ordered("Largest first") == [WIDE, TALL, SMALL]
    assert ordered("Tallest first") == [TALL, SMALL, WIDE] and ordered("Widest first") == [WIDE, SMALL, TALL]
    assert ordered("Submitted last") == [TALL, SMALL, WIDE] and ordered("By image") == [SMALL, TALL, WIDE]
    assert set(crops.ORDERS) >= {"Submitted first"}


def test_a_category_without_boxes(workspace: Workspace, group: AnnotationGroup) -> None:
    found = crops.read(workspace, group.id, workspace.store.categories.list(group.id)[0].id)
    assert len(found) == 0 and found.order("Smallest first").tolist() == []


def test_deleting_is_another_submission_and_one_step_of_undo(
    workspace: Workspace, group: AnnotationGroup, ids: list[int], full: tuple[int, int]
) -> None:
    crow, gull = full
    category = workspace.store.categories.get(crow)
    before = [workspace.store.annotations.get(group.id, image_id).submitted for image_id in ids]
    annotate.save_draft(workspace, group.id, ids[0], [Box(crow, TALL), Box(gull, SMALL)])
    crops.delete(workspace, group.id, category, {ids[0]: [TALL], ids[1]: [WIDE]})
    assert boxes_of(workspace, group, ids[0]) == [(crow, SMALL), (gull, WIDE)]
    second = workspace.store.annotations.get(group.id, ids[1])
    assert second.state is ImageState.NEGATIVE and second.revision == 2
    draft = workspace.store.annotations.get(group.id, ids[0]).draft
    assert draft is not None and [box.category_id for box in draft] == [gull]
    assert workspace.undo.undo() == "Delete 2 boxes of “Crow”"
    assert [workspace.store.annotations.get(group.id, image_id).submitted for image_id in ids] == before
    assert workspace.undo.redo() == "Delete 2 boxes of “Crow”"
    assert boxes_of(workspace, group, ids[1]) == []


def test_undo_after_the_image_was_submitted_again_keeps_what_was_drawn_since(
    workspace: Workspace, group: AnnotationGroup, ids: list[int], full: tuple[int, int]
) -> None:
    crow, gull = full
    crops.delete(workspace, group.id, workspace.store.categories.get(crow), {ids[1]: [WIDE]})
    annotate.submit(workspace, group.id, ids[1], [Box(gull, SMALL)], 2)
    workspace.undo.undo()
    assert boxes_of(workspace, group, ids[1]) == [(gull, SMALL), (crow, WIDE)]


def test_another_category_and_back_although_such_a_box_was_there(
    workspace: Workspace, group: AnnotationGroup, ids: list[int], full: tuple[int, int]
) -> None:
    crow, gull = (workspace.store.categories.get(each) for each in full)
    annotate.submit(workspace, group.id, ids[1], [Box(crow.id, WIDE), Box(gull.id, WIDE)], 1)
    crops.set_category(workspace, group.id, crow, {ids[1]: [WIDE]}, gull)
    assert boxes_of(workspace, group, ids[1]) == [(gull.id, WIDE), (gull.id, WIDE)]
    assert workspace.undo.undo() == "Give 1 box of “Crow” to “Gull”"
    assert boxes_of(workspace, group, ids[1]) == [(crow.id, WIDE), (gull.id, WIDE)]


def test_a_category_that_is_gone_changes_nothing(
    workspace: Workspace, group: AnnotationGroup, ids: list[int], full: tuple[int, int]
) -> None:
    crow, gull = (workspace.store.categories.get(each) for each in full)
    annotate.delete_category(workspace, gull.id)
    before = boxes_of(workspace, group, ids[0])
    with pytest.raises(ConflictError):
        crops.set_category(workspace, group.id, crow, {ids[0]: [SMALL], ids[1]: [WIDE]}, gull)
    assert boxes_of(workspace, group, ids[0]) == before
    assert workspace.store.annotations.get(group.id, ids[1]).revision == 1


def test_the_picture_of_a_box_is_that_part_of_the_image(tmp_path: Path) -> None:
    """A red square on blue, 40 px wide: its crop has 15 % of margin on each side, so 40 of 52 parts are red."""
    pixels = np.zeros((300, 400, 3), np.uint8)
    pixels[..., 2] = 255
    pixels[100:140, 200:240] = (255, 0, 0)
    path = tmp_path / "a.png"
    PilImage.fromarray(pixels).save(path)
    record = image(1, path, width=400, height=300, format="png", orientation=1)
    box = NormBox.from_corners(200 / 400, 100 / 300, 240 / 400, 140 / 300)
    (made,) = crops.pictures(record, [box], 104)
    assert made is not None and made.size == (104, 104)
    red = np.asarray(made)[:, :, 0] > 127
    assert red.mean() == pytest.approx((40 / 52) ** 2, abs=0.02)
    assert np.argwhere(red).mean(axis=0) == pytest.approx((51.5, 51.5), abs=1)
    path.unlink()
    assert crops.pictures(record, [box], 104) == [None]
