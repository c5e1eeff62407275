"""Every command of the editor on boxes, without a display."""

from __future__ import annotations

import pytest

from darknet_bridge import NormBox
from gui.core.box_geometry import HANDLES, Bounds, Rect
from gui.core.editing import EditSession
from gui.core.records import Box

CROW, GULL = 11, 12


def session(*boxes: tuple[float, float, float, float], width: int = 400, height: int = 300) -> EditSession:
    """With boxes drawn one by one, all of class CROW; the last is selected."""
    made = EditSession(width, height)
    for box in boxes:
        assert made.draw(*box, CROW) is not None
    return made


def rects(made: EditSession) -> list[tuple[float, float, float, float]]:
    return [(b.rect.left, b.rect.top, b.rect.right, b.rect.bottom) for b in made.boxes]


def norm(left: float, top: float, right: float, bottom: float, width: int = 400, height: int = 300) -> NormBox:
    return NormBox.from_corners(left / width, top / height, right / width, bottom / height)


def test_drawing_in_any_direction_gives_the_same_box() -> None:
    for corners in ((10, 20, 60, 90), (60, 90, 10, 20), (60, 20, 10, 90), (10, 90, 60, 20)):
        made = session(corners)
        assert rects(made) == [(10, 20, 60, 90)]
        assert made.selected == made.boxes


def test_drawing_is_cut_at_the_edges_of_the_image() -> None:
    assert rects(session((-50, -50, 1000, 1000))) == [(0, 0, 400, 300)]


@pytest.mark.parametrize("corners", [(10, 10, 10, 10), (10, 10, 11.9, 50), (10, 10, 50, 11), (-20, 10, 1, 50), (401, 5, 450, 50)])
def test_nothing_is_made_of_too_little(corners: tuple[float, float, float, float]) -> None:
    made = EditSession(400, 300)
    assert made.draw(*corners, CROW) is None
    assert made.boxes == () and made.undo_label is None and not made.is_changed


def test_two_pixels_are_enough() -> None:
    assert rects(session((10, 10, 12, 12))) == [(10, 10, 12, 12)]


def test_fractions_of_a_pixel_stay() -> None:
    assert rects(session((10.25, 10.5, 33.125, 40.75))) == [(10.25, 10.5, 33.125, 40.75)]


def test_an_image_of_one_pixel_can_be_labelled() -> None:
    assert rects(session((0, 0, 1, 1), width=1, height=1)) == [(0, 0, 1, 1)]


def test_moving_is_clamped_and_keeps_the_layout() -> None:
    made = session((10, 10, 50, 50), (100, 100, 200, 150))
    made.select_all()
    made.begin()
    made.drag_move(-500, 20)
    assert made.commit()
    assert rects(made) == [(0, 30, 40, 70), (90, 120, 190, 170)]


def test_a_drag_is_measured_from_its_beginning_and_is_one_step() -> None:
    made = session((10, 10, 50, 50))
    made.begin()
    for offset in range(1, 31):
        made.drag_move(offset, offset)
    assert made.commit()
    assert rects(made) == [(40, 40, 80, 80)]
    made.undo()
    assert rects(made) == [(10, 10, 50, 50)]


def test_a_drag_that_ends_where_it_began_is_no_step() -> None:
    made = session((10, 10, 50, 50))
    made.begin()
    made.drag_move(5, 5)
    made.drag_move(0, 0)
    assert not made.commit()
    assert made.undo_label == "Draw"


def test_a_cancelled_drag_leaves_everything() -> None:
    made = session((10, 10, 50, 50))
    made.begin()
    made.drag_move(100, 100)
    assert made.in_gesture and made.cancel() and not made.in_gesture
    assert rects(made) == [(10, 10, 50, 50)]


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        ("nw", (20, 30, 100, 100)),
        ("n", (50, 30, 100, 100)),
        ("ne", (20, 30, 50, 100)),
        ("e", (20, 50, 50, 100)),
        ("se", (20, 30, 50, 50)),
        ("s", (50, 30, 100, 50)),
        ("sw", (20, 30, 100, 50)),
        ("w", (20, 50, 100, 100)),
    ],
)
def test_each_handle_moves_its_edges_also_over_the_opposite_one(handle: str, expected: tuple[float, ...]) -> None:
    made = session((50, 50, 100, 100))
    made.begin()
    made.drag_resize(made.boxes[0].key, handle, 20, 30)
    made.commit()
    assert rects(made) == [expected]


@pytest.mark.parametrize("handle", HANDLES)
def test_handles_clamp_and_never_make_a_box_too_small(handle: str) -> None:
    bounds = Bounds(400, 300)
    for rect in (Rect(50, 50, 100, 100), Rect(0, 0, 2, 2), Rect(398, 298, 400, 300), Rect(0, 0, 400, 300)):
        for x in (-50, 0, 1, 50, 51, 99.5, 100, 399.5, 400, 900):
            for y in (-50, 0, 1, 50, 51, 99.5, 100, 299.5, 300, 900):
                made = bounds.resized(rect, handle, x, y)
                assert made.width >= 2 and made.height >= 2
                assert made.left >= 0 and made.right <= 400 and made.top >= 0 and made.bottom <= 300


def test_nudging_moves_and_a_run_of_it_is_one_step() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150))
    for _ in range(5):
        assert made.nudge(1, 0)
    assert made.nudge(0, 10)
    assert rects(made)[1] == (105, 110, 155, 160)
    made.undo()
    assert rects(made)[1] == (100, 100, 150, 150)
    made.redo()
    assert rects(made)[1] == (105, 110, 155, 160)


def test_nudges_of_another_selection_are_another_step() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150))
    made.nudge(1, 0)
    made.select([made.boxes[0].key])
    made.nudge(1, 0)
    made.undo()
    assert rects(made) == [(10, 10, 50, 50), (101, 100, 151, 150)]


def test_nudging_at_the_edge_changes_nothing() -> None:
    made = session((0, 0, 50, 50))
    assert not made.nudge(-1, 0) and not made.nudge(0, -10)
    assert made.undo_label == "Draw"


def test_nothing_selected_is_nothing_to_do() -> None:
    made = session((0, 0, 50, 50))
    made.select([])
    assert not made.nudge(1, 0) and not made.grow(1, 1) and not made.delete() and not made.set_category(GULL)


def test_resizing_by_keyboard_keeps_size_and_image() -> None:
    made = session((10, 10, 20, 20))
    made.grow(10, 0)
    made.grow(0, -100)
    assert rects(made) == [(10, 10, 30, 12)]
    made.grow(1000, 1000)
    assert rects(made) == [(10, 10, 400, 300)]
    made.undo()
    assert rects(made) == [(10, 10, 20, 20)]


def test_the_class_of_all_selected_changes() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150), (200, 100, 250, 150))
    made.select([made.boxes[0].key, made.boxes[2].key])
    assert made.set_category(GULL)
    assert [box.category_id for box in made.boxes] == [GULL, CROW, GULL]
    assert not made.set_category(GULL)
    made.undo()
    assert [box.category_id for box in made.boxes] == [CROW, CROW, CROW]


def test_delete_selected_and_by_key() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150))
    first = made.boxes[0].key
    assert made.delete() and rects(made) == [(10, 10, 50, 50)]
    assert made.delete([first]) and made.boxes == () and made.selection == frozenset()
    made.undo()
    made.undo()
    assert rects(made) == [(10, 10, 50, 50), (100, 100, 150, 150)]


def test_rubber_band_takes_what_it_touches() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150), (200, 100, 250, 150))
    made.select_within(Rect(40, 40, 110, 110))
    assert [box.key for box in made.selected] == [1, 2]
    made.select_within(Rect(240, 140, 260, 160), add=True)
    assert len(made.selected) == 3
    made.select_within(Rect(300, 200, 310, 210))
    assert not made.selected


def test_toggling_and_going_round() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150))
    made.toggle(1)
    assert made.selection == {1, 2}
    made.toggle(2)
    assert made.selection == {1}
    assert [made.select_next().key for _ in range(3)] == [2, 1, 2]  # type: ignore[union-attr]
    assert made.select_next(-1).key == 1  # type: ignore[union-attr]
    made.toggle(99)
    assert made.selection == {1}
    assert EditSession(10, 10).select_next() is None


def test_hidden_and_locked_boxes_are_left_alone() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150), (200, 100, 250, 150))
    made.hidden, made.locked = frozenset({1}), frozenset({2})
    made.select_all()
    assert made.selection == {3}
    made.hidden_categories = frozenset({CROW})
    made.select_all()
    assert made.selection == set()


def test_double_click_places_the_same_size_again() -> None:
    made = EditSession(400, 300)
    assert made.stamp(100, 100, CROW) is None
    made.draw(10, 10, 50, 30, CROW)
    made.stamp(200, 100, GULL)
    made.stamp(399, 1, GULL)
    assert rects(made) == [(10, 10, 50, 30), (180, 90, 220, 110), (360, 0, 400, 20)]
    assert [box.category_id for box in made.boxes] == [CROW, GULL, GULL]
    made.delete()
    made.select([])
    assert made.stamp(50, 200, CROW) is not None


def test_pasting_on_another_image_and_on_the_same() -> None:
    made = session((10, 10, 50, 50), (300, 200, 400, 300))
    made.select_all()
    copied = made.selected
    small = EditSession(100, 40)
    pasted = small.paste(copied)
    assert rects(small) == [(10, 10, 50, 40)] and small.selected == tuple(pasted)
    made.paste(copied)
    assert rects(made)[2:] == [(22, 22, 62, 62), (300, 200, 400, 300)]
    made.undo()
    assert len(made.boxes) == 2
    assert made.paste([]) == []


def test_repeating_scales_with_the_image_and_does_not_double() -> None:
    previous = [Box(CROW, norm(40, 30, 80, 60)), Box(GULL, norm(200, 150, 400, 300), ("difficult",))]
    made = EditSession(800, 600)
    assert len(made.repeat(previous)) == 2
    assert [tuple(round(edge) for edge in box) for box in rects(made)] == [(80, 60, 160, 120), (400, 300, 800, 600)]
    assert made.boxes[1].flags == ("difficult",)
    assert made.repeat(previous) == []
    made.undo()
    assert made.boxes == ()


def test_reset_goes_back_to_the_submission_and_can_be_undone() -> None:
    made = EditSession(400, 300)
    made.load([Box(CROW, norm(10, 10, 50, 50)), Box(CROW, norm(100, 100, 150, 150))], None, 1)
    before = rects(made)
    made.draw(200, 200, 250, 250, GULL)
    made.select([1])
    made.nudge(7, 0)
    changed = rects(made)
    assert made.is_changed and made.reset() and not made.is_changed
    assert rects(made) == before
    assert made.undo() == "Reset" and rects(made) == changed
    assert made.redo() == "Reset" and rects(made) == before
    assert not made.reset()


def test_reset_before_any_submission_is_empty() -> None:
    made = session((10, 10, 50, 50))
    made.reset()
    assert made.boxes == () and not made.is_changed


def test_undo_reaches_back_two_hundred_steps_and_forth() -> None:
    made = EditSession(4000, 3000)
    for step in range(250):
        made.draw(step * 10, 0, step * 10 + 5, 5, CROW)
    states = []
    for _ in range(250):
        states.append(rects(made))
        assert made.undo() == "Draw"
    assert made.boxes == () and made.undo() is None
    for state in reversed(states):
        assert made.redo() == "Draw"
        assert rects(made) == state
    assert made.redo() is None


def test_a_new_command_ends_redo() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150))
    made.undo()
    made.draw(1, 1, 5, 5, CROW)
    assert made.redo() is None and len(made.boxes) == 2


def test_undo_during_a_drag_takes_the_drag_back_first() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150))
    made.begin()
    made.drag_move(50, 50)
    assert made.undo() == "Draw"
    assert rects(made) == [(10, 10, 50, 50)] and not made.in_gesture


def test_submission_is_what_was_handed_over_not_what_came_after() -> None:
    made = session((10, 10, 50, 50))
    handed = made.boxes
    made.draw(100, 100, 150, 150, CROW)
    made.submitted_now(handed, 1)
    assert made.is_changed and made.revision == 1
    made.undo()
    assert not made.is_changed


def test_records_round_trip_within_a_hair() -> None:
    made = session((10.3, 20.7, 61.1, 93.9), width=4032, height=3024)
    again = EditSession(4032, 3024)
    again.load(made.records(), None, 1)
    assert rects(again)[0] == pytest.approx((10.3, 20.7, 61.1, 93.9), abs=1e-6)
    again.load(made.records(), made.records(), 1)
    assert not again.is_changed and again.undo_label is None


def test_loading_again_keeps_history_unless_something_differs() -> None:
    made = session((10, 10, 50, 50), (100, 100, 150, 150))
    assert not made.load([], made.records(), 0)
    assert made.undo_label == "Draw"
    assert made.load([], made.records()[:1], 0)
    assert len(made.boxes) == 1 and made.undo() == "Changed elsewhere" and len(made.boxes) == 2


def test_a_draft_over_a_submission_is_a_change() -> None:
    made = EditSession(400, 300)
    made.load([Box(CROW, norm(10, 10, 50, 50))], [], 3)
    assert made.boxes == () and made.is_changed and made.reset() and len(made.boxes) == 1


def test_images_without_size_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        EditSession(0, 10)


def test_boxes_of_a_locked_class_are_passed_through() -> None:
    made = session()
    first = made.draw(10, 10, 50, 50, CROW)
    second = made.draw(60, 60, 90, 90, GULL)
    assert first is not None and second is not None
    made.locked_categories = frozenset({CROW})
    made.select_all()
    assert made.selection == {second.key}
    made.select_within(Rect(0, 0, 100, 100))
    assert made.selection == {second.key} and made.is_locked(first) and not made.is_locked(second)
