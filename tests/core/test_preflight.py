"""Every planted fault is found, with examples; nothing is found in a clean set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from darknet_bridge import NormBox
from gui.core.preflight import Finding, Material, fix, gather_check, inspect
from gui.core.prepare_run import TrainingData
from gui.core.records import Box, Category, Experiment, ExperimentState, Image, ImageState, Part
from gui.core.workspace import Workspace
from tests.core.training_case import QUICK, labelled

EXPERIMENT = Experiment(1, "x", 0, 0, ExperimentState.NOT_STARTED, 1, 1)
CATEGORIES = (Category(1, 1, "crow", "#ff0000", 0), Category(2, 1, "owl", "#00ff00", 1))
GOOD = (Box(1, NormBox(0.3, 0.3, 0.2, 0.2)), Box(2, NormBox(0.7, 0.7, 0.3, 0.3)))


def image(number: int) -> Image:
    spread = (number * 0x9E3779B97F4A7C15) % 2**64  # hashes far apart
    return Image(number, 1, Path(f"/p/{number}.jpg"), f"{number}.jpg", 640, 480, 1, f"{number:064x}", spread)


def clean(count: int = 30) -> Material:
    images = tuple(image(number) for number in range(1, count + 1))
    data = TrainingData(EXPERIMENT, CATEGORIES, images, {each.id: GOOD for each in images})
    parts = {each.id: Part.VALID if each.id % 10 == 0 else Part.TRAIN for each in images}
    return Material(data, parts, {each.id: ImageState.SUBMITTED for each in images})


def with_boxes(material: Material, number: int, *boxes: Box) -> Material:
    return replace(material, data=replace(material.data, boxes={**material.data.boxes, number: boxes}))


def with_image(material: Material, number: int, **changes: object) -> Material:
    images = tuple(replace(each, **changes) if each.id == number else each for each in material.data.images)  # type: ignore[arg-type]
    return replace(material, data=replace(material.data, images=images))


def only(material: Material) -> Finding:
    found = inspect(material)
    assert len(found) == 1, found
    assert found[0].action is not None or found[0].why_none
    return found[0]


def test_a_clean_set_has_no_findings() -> None:
    assert inspect(clean()) == []


def test_planted_faults() -> None:
    material = clean()
    few = [finding for finding in inspect(clean(24)) if finding.id == "few"]
    assert [finding.count for finding in few] == [24, 24] and "24 boxes in 24 images" in few[0].text
    tiny = only(with_boxes(material, 3, *GOOD, Box(1, NormBox(0.5, 0.5, 0.01, 0.2))))
    assert (tiny.id, tiny.count, tiny.images) == ("small", 1, (3,))
    # 1 % of the side is 8 pixels at 800, which is 25 times 32.
    assert tiny.action == ("larger", "Use 800 pixels") and tiny.value == 800
    speck = only(with_boxes(material, 3, *GOOD, Box(1, NormBox(0.5, 0.5, 0.001, 0.2))))
    assert speck.action == ("larger", "Use 1216 pixels"), "never above the largest"
    assert only(replace(with_boxes(material, 3, *GOOD, Box(1, NormBox(0.5, 0.5, 0.001, 0.2))), side_px=1216)).action is None
    outside = only(with_boxes(material, 4, *GOOD, Box(1, NormBox(0.98, 0.5, 0.2, 0.2))))
    assert (outside.id, outside.images) == ("outside", (4,))
    leak = only(with_image(material, 10, dhash=material.data.images[0].dhash ^ 1))
    assert (leak.id, set(leak.images)) == ("leak", {1, 10})
    turned = only(with_image(material, 5, orientation=6))
    assert (turned.id, turned.action) == ("rotated", None)
    drafts = only(replace(material, states={**material.states, 6: ImageState.DRAFT}))
    assert (drafts.id, drafts.images) == ("drafts", (6,))
    new = only(replace(material, states={**material.states, 99: ImageState.NEW}))
    assert (new.id, new.severity) == ("new", "info")
    missing = only(replace(material, missing=frozenset({7})))
    assert (missing.id, missing.severity) == ("missing", "warning") and "7.jpg" in missing.text
    assert missing.action == ("dataset", "Open Dataset")
    full = only(replace(material, needed=5 << 30, free=1 << 30))
    assert (full.id, full.severity) == ("disk", "error")
    unseen = only(replace(material, parts=dict.fromkeys(material.parts, Part.TRAIN)))
    assert unseen.id == "unseen" and "“crow”, “owl”" in unseen.text and unseen.images
    none_held = only(replace(material, parts=dict.fromkeys(material.parts, Part.TRAIN), valid_percent=0))
    assert none_held.action == ("hold_out", "Hold out 10 %") and none_held.value == 10
    rare = material
    for number in range(1, 28):
        rare = with_boxes(rare, number, GOOD[0], GOOD[0], GOOD[0])
    assert {finding.id for finding in inspect(replace(rare, enough=1))} == {"imbalance"}
    assert set(only(replace(rare, enough=1)).images) == {28, 29, 30}, "the images with the rare one"


def test_boxes_are_cut_and_undone(workspace: Workspace, tmp_path: Path) -> None:
    experiment = labelled(workspace, tmp_path / "pictures")
    store = workspace.store
    group = store.experiments.get(experiment).group_id
    assert group is not None
    image_id, boxes = next((i, b) for i, b in store.annotations.submitted(group).items() if b)
    out = Box(boxes[0].category_id, NormBox(0.95, 0.5, 0.2, 0.2))
    store.annotations.submit_many(group, {image_id: [out]})
    material = gather_check(workspace, experiment, QUICK)
    assert "outside" in {finding.id for finding in inspect(material)}
    assert "1 image" in fix(workspace, experiment, material, "clip")
    assert "outside" not in {finding.id for finding in inspect(gather_check(workspace, experiment, QUICK))}
    workspace.undo.undo()
    assert store.annotations.submitted(group)[image_id][0].box.cx == pytest.approx(0.95)


def test_alike_images_are_kept_together(workspace: Workspace, tmp_path: Path) -> None:
    experiment = labelled(workspace, tmp_path / "pictures")
    material = gather_check(workspace, experiment, QUICK)
    held = next(i for i in material.data.images if material.parts[i.id] is Part.VALID)
    other = next(i for i in material.data.images if material.parts[i.id] is Part.TRAIN)
    images = tuple(replace(i, dhash=other.dhash) if i.id == held.id else i for i in material.data.images)
    planted = replace(material, data=replace(material.data, images=images))
    assert "leak" in {finding.id for finding in inspect(planted)}
    fix(workspace, experiment, planted, "together")
    again = gather_check(workspace, experiment, QUICK)
    assert again.parts[held.id] is again.parts[other.id]
