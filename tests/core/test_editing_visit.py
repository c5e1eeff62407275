"""What lasts longer than one image in the editor: history, clipboard, deleted categories, the sentence about saving."""

from __future__ import annotations

from darknet_bridge import NormBox
from gui.core.editing_visit import SAVED, SAVING, UNSUBMITTED, EditVisit
from gui.core.records import Box, Category, ImageAnnotations

CROW, GULL, OWL = (Category(number, 1, name, "#000000", number) for number, name in ((5, "Crow"), (6, "Gull"), (9, "Owl")))


def visit() -> EditVisit:
    made = EditVisit()
    made.set_categories([CROW, GULL, OWL])
    return made


def annotations(image_id: int, *boxes: Box, revision: int = 1) -> ImageAnnotations:
    return ImageAnnotations(1, image_id, boxes, None, revision)


def test_the_first_category_is_active_and_digits_follow_the_list() -> None:
    made = visit()
    assert made.active_category == CROW.id
    assert made.category_at(3) == OWL and made.category_at(4) is None and made.category_at(0) is None
    made.set_categories([])
    assert made.active_category is None


def test_history_is_kept_per_image_for_the_whole_visit() -> None:
    made = visit()
    first = made.open(annotations(1), 100, 100)
    first.draw(1, 1, 9, 9, CROW.id)
    made.open(annotations(2), 100, 100).draw(1, 1, 5, 5, CROW.id)
    again = made.open(ImageAnnotations(1, 1, (), first.records(), 1), 100, 100)
    assert again is first and again.undo() == "Draw" and again.boxes == ()
    assert made.unsubmitted() == [2]


def test_clipboard_crosses_images() -> None:
    made = visit()
    first, second = made.open(annotations(1), 100, 100), made.open(annotations(2), 50, 50)
    first.draw(1, 1, 9, 9, CROW.id)
    assert made.copy(first) == 1
    first.select([])
    assert made.copy(first) == 0
    assert len(second.paste(made.clipboard)) == 1


def test_boxes_of_a_deleted_category_are_gone_also_from_undo_and_come_back_with_it() -> None:
    made = visit()
    image = made.open(annotations(1), 100, 100)
    image.draw(1, 1, 9, 9, CROW.id)
    image.draw(20, 20, 29, 29, GULL.id)
    made.copy(image)
    made.set_categories([CROW, OWL])
    assert [box.category_id for box in image.boxes] == [CROW.id]
    image.draw(50, 50, 60, 60, OWL.id)
    image.undo()
    assert [box.category_id for box in image.boxes] == [CROW.id]
    assert image.paste(made.clipboard) == []
    made.set_categories([CROW, GULL, OWL])
    assert [box.category_id for box in image.boxes] == [CROW.id, GULL.id]


def test_boxes_moved_to_another_category_follow() -> None:
    made = visit()
    made.active_category = GULL.id
    image = made.open(annotations(1, Box(GULL.id, NormBox(0.5, 0.5, 0.2, 0.2))), 100, 100)
    made.moved(GULL.id, OWL.id)
    made.set_categories([CROW, OWL])
    assert made.active_category == OWL.id
    assert [box.category_id for box in image.boxes] == [OWL.id] and not image.is_changed
    made.set_categories([CROW, GULL, OWL])
    assert [box.category_id for box in image.boxes] == [GULL.id]


def test_hidden_classes_stay_hidden_on_the_next_image() -> None:
    made = visit()
    made.hide_category(GULL.id, True)
    image = made.open(annotations(1, Box(GULL.id, NormBox(0.5, 0.5, 0.2, 0.2))), 100, 100)
    assert not image.is_visible(image.boxes[0])
    made.hide_category(GULL.id, False)
    assert image.is_visible(image.boxes[0])


def test_locked_classes_stay_locked_on_the_next_image() -> None:
    made = visit()
    first = made.open(annotations(1, Box(GULL.id, NormBox(0.5, 0.5, 0.2, 0.2))), 100, 100)
    made.lock_category(GULL.id, True)
    second = made.open(annotations(2, Box(GULL.id, NormBox(0.5, 0.5, 0.2, 0.2))), 100, 100)
    assert first.is_locked(first.boxes[0]) and second.is_locked(second.boxes[0])
    made.lock_category(GULL.id, False)
    assert not first.is_locked(first.boxes[0])


def test_saved_is_said_only_after_the_commit() -> None:
    made = visit()
    image, state = made.open(annotations(1), 100, 100), made.state(1)
    assert made.state_text(1) == SAVED and made.state_text(None) == SAVED
    image.draw(1, 1, 9, 9, CROW.id)
    assert made.state_text(1) == UNSUBMITTED
    state.submit_started()
    assert made.state_text(1) == SAVING and state.is_saving
    image.submitted_now(image.boxes, 2)
    assert made.state_text(1) == SAVING
    state.submit_committed()
    assert made.state_text(1) == SAVED and not state.is_saving


def test_two_submits_under_way_and_a_failed_one() -> None:
    made = visit()
    made.open(annotations(1), 100, 100).draw(1, 1, 9, 9, CROW.id)
    made.open(annotations(2), 100, 100)
    state = made.state(1)
    state.submit_started()
    state.submit_started()
    assert state.submits_under_way == 2
    state.submit_committed()
    assert made.state_text(2) == SAVING
    state.submit_failed("The disk is full.")
    assert made.state_text(2) == "Not saved yet: The disk is full."
    state.draft_stored()
    assert made.state_text(1) == UNSUBMITTED
    state.draft_failed("no room")
    assert state.failure == "no room"
