"""The editor as a person uses it, by mouse and keyboard: the guide's promises R23 to R41, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darknet_bridge import NormBox
from gui.core import annotate
from gui.core.records import Box, ImageState

from .drive import button, texts
from .editor_bench import HEIGHT, WIDTH, EditorBench, make_library

SAVED, UNSUBMITTED = "All your changes are saved", "Unsubmitted changes"


@pytest.fixture
def bench(open_app: Callable[..., Any], turn: Callable[..., None], tmp_path: Path) -> Iterator[EditorBench]:
    made = make_library(tmp_path)
    bench = EditorBench(open_app(tmp_path / "library"), turn, *made)
    yield bench
    if bench.app.router.current_id == "editor":
        for image_id in bench.screen.visit.unsubmitted():
            bench.screen.visit.sessions.pop(image_id)
        bench.screen.leave()


def box(category_id: int, left: float, top: float, right: float, bottom: float) -> Box:
    return Box(category_id, NormBox.from_corners(left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT))


def saved_text(bench: EditorBench) -> str:
    return str(bench.screen.left.saved_text.cget("text"))


def categories(bench: EditorBench) -> dict[str, int]:
    return {category.name: category.id for category in bench.screen.visit.categories}


def dialog_text(bench: EditorBench) -> str:
    return " ".join(texts(bench.app.root))


def test_drawing_is_a_draft_and_space_submits_and_goes_on(bench: EditorBench) -> None:
    screen = bench.open()
    assert screen.image_id == bench.ids[0] and saved_text(bench) == SAVED
    bench.drag(50, 60, 150, 160)
    assert saved_text(bench) == UNSUBMITTED
    bench.settle()
    assert bench.stored(bench.ids[0]).draft is not None and bench.stored(bench.ids[0]).revision == 0
    bench.key("space")
    bench.settle()
    stored = bench.stored(bench.ids[0])
    assert stored.revision == 1 and stored.draft is None and len(stored.submitted) == 1
    corners = [edge * side for edge, side in zip(stored.submitted[0].box.corners, (WIDTH, HEIGHT) * 2, strict=True)]
    assert corners == pytest.approx((50, 60, 150, 160), abs=0.5)
    bench.turn(lambda: screen.image_id == bench.ids[1])
    assert saved_text(bench) == SAVED
    assert screen.left.files_title.cget("text") == "Files (1/8 submitted)"


def test_saved_is_said_and_logged_after_the_commit(bench: EditorBench) -> None:
    bench.open()
    bench.drag(50, 60, 150, 160)
    bench.key("space")
    bench.settle()
    events = [json.loads(line) for line in bench.app.events()]
    assert {"event": "saved", "image": bench.ids[0], "revision": 1, "boxes": 1} in [
        {name: event[name] for name in ("event", "image", "revision", "boxes")} for event in events if event["event"] == "saved"
    ]


def test_submit_without_boxes_is_a_negative_example(bench: EditorBench) -> None:
    screen = bench.open()
    bench.key("space")
    bench.settle()
    assert bench.stored(bench.ids[0]).state is ImageState.NEGATIVE
    assert screen.book.entry(bench.ids[0]).state is ImageState.NEGATIVE
    assert screen.left.files.entries[0].detail == "negative"


def test_reset_goes_back_to_the_submission_and_can_be_undone(bench: EditorBench) -> None:
    crow = 1
    bench.put(bench.ids[0], box(crow, 20, 20, 60, 60), box(crow, 100, 100, 160, 180))
    screen = bench.open(bench.ids[0])
    before = bench.rects()
    bench.drag(200, 200, 260, 260)
    bench.key("v")
    bench.drag(40, 40, 60, 50)
    changed = bench.rects()
    bench.key("q")
    assert bench.rects() == before and saved_text(bench) == SAVED
    bench.settle()
    assert bench.stored(bench.ids[0]).draft is None
    bench.key("Control-z")
    assert bench.rects() == changed
    bench.settle()
    assert len(bench.stored(bench.ids[0]).draft) == 3
    assert "last submission" not in (screen.reset_reason() or "")


def test_undo_and_redo_reach_over_other_images(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    bench.drag(200, 60, 250, 160)
    bench.key("Next")
    bench.turn(lambda: screen.image_id == bench.ids[1])
    bench.key("Prior")
    bench.turn(lambda: screen.image_id == bench.ids[0])
    bench.key("Control-z", "Control-z")
    assert bench.rects() == []
    bench.key("Control-y")
    assert len(bench.rects()) == 1
    bench.settle()
    assert len(bench.stored(bench.ids[0]).draft) == 1


def test_a_digit_chooses_the_class_and_changes_the_selection(bench: EditorBench) -> None:
    screen = bench.open()
    names = categories(bench)
    bench.key("Escape", "3")
    assert screen.visit.active_category == names["Owl"]
    bench.drag(50, 60, 150, 160)
    assert screen.session.boxes[0].category_id == names["Owl"]
    bench.key("2")
    assert screen.session.boxes[0].category_id == names["Gull"]
    bench.key("Control-z")
    assert screen.session.boxes[0].category_id == names["Owl"]
    bench.key("9")
    assert any("no category 9" in text for text in bench.app.toasts.texts)


def test_clicking_a_category_makes_it_active(bench: EditorBench) -> None:
    screen = bench.open()
    rows = screen.left.categories.list
    bench.press(rows.canvas, 80, sum(rows.row_box(1)) / 2)
    assert screen.visit.active_category == categories(bench)["Gull"]
    bench.drag(50, 60, 150, 160)
    assert screen.session.boxes[0].category_id == categories(bench)["Gull"]


def test_a_category_added_in_the_editor_comes_last_and_is_active(bench: EditorBench) -> None:
    screen = bench.open()
    screen.left.categories.add_button.invoke()
    bench.turn(lambda: screen.left.categories.new.field.winfo_viewable())
    screen.left.categories.new.field.focus_force()
    bench.turn()
    for letter in ("B", "i", "g", "space", "o", "w", "l"):
        screen.left.categories.new.field.event_generate(f"<KeyPress-{letter}>")
    bench.turn()
    assert screen.left.categories.new.name.get() == "Big owl"  # Space typed a space and submitted nothing
    screen.left.categories.new.field.event_generate("<Return>")
    bench.turn(lambda: len(screen.visit.categories) == 4)
    assert [category.name for category in screen.visit.categories] == ["Crow", "Gull", "Owl", "Big owl"]
    assert screen.visit.active_category == categories(bench)["Big owl"]
    bench.settle()
    assert bench.stored(bench.ids[0]).revision == 0
    for name in ("", "crow", "a,b"):
        screen.left.categories.new.name.set(name)
        screen.left.categories.new.accept()
        assert screen.left.categories.new.problem.cget("text")
    assert len(screen.visit.categories) == 4


def test_renaming_in_place(bench: EditorBench) -> None:
    screen = bench.open()
    bench.key("F2")
    bench.turn()
    edited = screen.left.categories.list._edited
    assert edited is not None
    edited[2].set("Raven")
    edited[1].event_generate("<Return>")
    bench.turn(lambda: screen.visit.categories[0].name == "Raven")


def test_deleting_a_category_deletes_its_boxes_and_undo_brings_them_back(bench: EditorBench) -> None:
    crow, gull = 1, 2
    for image_id in bench.ids[:3]:
        bench.put(image_id, box(crow, 20, 20, 60, 60), box(gull, 100, 100, 160, 180))
    screen = bench.open(bench.ids[0])
    bench.drag(200, 200, 260, 260)  # another crow, a draft
    screen.categories.ask_delete(categories(bench)["Crow"])
    bench.turn(lambda: "3 boxes in 3 images" in dialog_text(bench))
    button(bench.app.root, "Delete").invoke()
    bench.turn(lambda: len(screen.visit.categories) == 2)
    bench.settle()
    bench.settle()
    assert [b.category_id for b in screen.session.boxes] == [gull]
    assert all(len(bench.stored(image_id).submitted) == 1 for image_id in bench.ids[:3])
    assert bench.stored(bench.ids[1]).revision == 1
    screen.focus_canvas()
    bench.key("Control-z")
    bench.turn(lambda: len(screen.visit.categories) == 3)
    bench.settle()
    assert [len(bench.stored(image_id).submitted) for image_id in bench.ids[:3]] == [2, 2, 2]
    bench.turn(lambda: len(screen.session.boxes) == 3)


def test_moving_the_boxes_of_a_deleted_category(bench: EditorBench) -> None:
    bench.put(bench.ids[0], box(1, 20, 20, 60, 60))
    screen = bench.open(bench.ids[0])
    screen.categories._delete(1, 3)
    bench.turn(lambda: len(screen.visit.categories) == 2)
    bench.settle()
    assert [b.category_id for b in screen.session.boxes] == [3] and saved_text(bench) == SAVED


def test_the_list_of_boxes_is_grouped_and_its_trash_can_be_undone(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(20, 20, 60, 60)
    bench.key("Escape", "2")
    bench.drag(100, 100, 150, 150)
    bench.key("Escape", "1")
    bench.drag(200, 100, 250, 150)
    assert screen.left.boxes.names() == ["Crow", "Crow-1", "Crow-2", "Gull", "Gull-1"]
    rows = screen.left.boxes.list
    rows.canvas.event_generate("<Motion>", x=60, y=round(sum(rows.row_box(2)) / 2))
    bench.turn()
    assert screen.stage.canvas.items.hovered == 3
    bench.zone(rows, 2, "delete")
    assert screen.left.boxes.names() == ["Crow", "Crow-1", "Gull", "Gull-1"]
    screen.focus_canvas()
    bench.key("Control-z")
    assert len(bench.rects()) == 3


def test_arrows_move_and_resize_the_selection_else_change_the_image(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    start = bench.rects()[0]
    bench.key("Right", "Down", "Shift-Left")
    assert bench.rects()[0] == pytest.approx((start[0] - 9, start[1] + 1, start[2] - 9, start[3] + 1))
    bench.key("Control-Right", "Control-Shift-Down")
    assert bench.rects()[0] == pytest.approx((start[0] - 9, start[1] + 1, start[2] - 8, start[3] + 11))
    bench.key("Escape", "Right")
    bench.turn(lambda: screen.image_id == bench.ids[1])
    bench.key("Left")
    bench.turn(lambda: screen.image_id == bench.ids[0])


def test_repeat_copy_and_paste(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    bench.drag(200, 60, 250, 160)
    before = bench.rects()
    bench.key("Control-a", "Control-c", "space")
    bench.turn(lambda: screen.image_id == bench.ids[1])
    bench.key("r")
    assert np.allclose(bench.rects(), before)
    bench.key("Delete")
    assert bench.rects() == []
    bench.key("Control-v")
    assert np.allclose(bench.rects(), before)


def test_n_goes_to_what_is_left_and_the_filter_shows_it(bench: EditorBench) -> None:
    bench.put(bench.ids[1], box(1, 20, 20, 60, 60))
    bench.put(bench.ids[2])
    screen = bench.open(bench.ids[0])
    bench.key("n")
    bench.turn(lambda: screen.image_id == bench.ids[3])
    bench.key("N")
    bench.key("Shift-N")
    screen.left.state_choice.set("Submitted")
    screen.left._chosen()
    assert [entry.id for entry in screen.left.files.entries] == bench.ids[1:3]
    screen.left.state_choice.set("All files")
    screen.left.search.set("_03")
    assert [entry.id for entry in screen.left.files.entries] == [bench.ids[3]]
    screen.left.search.set("")
    screen.left.category_choice.set("Crow")
    screen.left._chosen()
    bench.turn(lambda: [entry.id for entry in screen.left.files.entries] == [bench.ids[1]])


def test_space_in_the_file_filter_types_a_space(bench: EditorBench) -> None:
    screen = bench.open()
    bench.key("Control-f")
    bench.turn()
    screen.left.search_field.event_generate("<KeyPress-space>")
    bench.settle()
    assert screen.left.search.get() == " " and bench.stored(bench.ids[0]).revision == 0
    screen.left.search_field.event_generate("<Escape>")
    bench.turn()
    assert bench.app.root.focus_get() is screen.stage.canvas


def test_submit_can_stay_on_the_image(bench: EditorBench) -> None:
    screen = bench.open()
    screen.set_go_on(False)
    bench.drag(50, 60, 150, 160)
    bench.key("space")
    bench.settle()
    assert screen.image_id == bench.ids[0] and saved_text(bench) == SAVED


def test_close_asks_and_cancel_submit_reset_do_what_they_say(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    screen.close()
    bench.turn(lambda: "not submitted" in dialog_text(bench))
    button(bench.app.root, "Cancel").invoke()
    assert bench.app.router.current is screen and len(bench.rects()) == 1
    screen.close()
    button(bench.app.root, "Reset").invoke()
    bench.turn(lambda: bench.app.router.current is not screen)
    assert bench.stored(bench.ids[0]).draft is None
    bench.open(bench.ids[0])
    bench.drag(50, 60, 150, 160)
    screen.close()
    button(bench.app.root, "Submit").invoke()
    bench.turn(lambda: bench.app.router.current is not screen)
    assert bench.stored(bench.ids[0]).revision == 1


def test_close_right_after_submit_does_not_ask(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    screen.submit()
    screen.close()
    bench.turn(lambda: bench.app.router.current is not screen)
    assert bench.stored(bench.ids[0]).revision == 1


def test_reopens_at_the_last_image_with_its_zoom(bench: EditorBench) -> None:
    screen = bench.open()
    bench.key("Next", "Next")
    bench.turn(lambda: screen.image_id == bench.ids[2])
    screen.stage.canvas.port.set_scale(3.0, 300, 300)
    before = screen.stage.canvas.view
    screen.close()
    bench.turn(lambda: bench.app.router.current is not screen)
    bench.open()
    assert screen.image_id == bench.ids[2]
    assert (screen.stage.canvas.view.scale, screen.stage.canvas.view.x) == pytest.approx((before.scale, before.x))


def test_an_old_draft_is_offered(bench: EditorBench) -> None:
    def leave_drafts() -> None:
        for image_id in bench.ids[2:4]:
            bench.store.annotations.save_draft(bench.group_id, image_id, [box(1, 20, 20, 60, 60)])

    bench.app.tasks.run_store(leave_drafts)
    screen = bench.open(bench.ids[2])
    assert "earlier visit" in screen.stage.notice.cget("text") and screen.stage.notice.winfo_viewable()
    assert any("1 other image" in text for text in bench.app.toasts.texts)
    assert len(bench.rects()) == 1 and saved_text(bench) == UNSUBMITTED
    bench.key("q")
    bench.settle()
    assert bench.stored(bench.ids[2]).draft is None and not screen.stage.notice.winfo_viewable()


def test_a_failed_submit_says_why_and_keeps_the_boxes(bench: EditorBench, monkeypatch: pytest.MonkeyPatch) -> None:
    from gui.core import annotate
    from gui.core.errors import NoSpaceError

    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    bench.settle()

    def full(*_args: object) -> None:
        raise NoSpaceError("The disk of the library is full. Make room, then submit again.")

    with monkeypatch.context() as patched:
        patched.setattr(annotate, "submit", full)
        bench.key("space")
        bench.settle()
    assert "disk of the library is full" in saved_text(bench)
    assert any("was not submitted" in text for text in bench.app.toasts.texts)
    screen.browser.open(bench.ids[0])
    bench.turn(lambda: screen.image_id == bench.ids[0])
    assert len(bench.rects()) == 1
    bench.key("space")
    bench.settle()
    assert bench.stored(bench.ids[0]).revision == 1 and saved_text(bench) == SAVED


def test_two_submits_in_a_row_do_not_conflict(bench: EditorBench) -> None:
    screen = bench.open()
    screen.set_go_on(False)
    bench.drag(50, 60, 150, 160)
    screen.submit()
    screen.submit()
    bench.settle()
    assert bench.stored(bench.ids[0]).revision == 2 and saved_text(bench) == SAVED


def test_somebody_elses_submission_is_not_written_over(bench: EditorBench) -> None:
    bench.open()
    bench.drag(50, 60, 150, 160)
    bench.settle()
    bench.put(bench.ids[0], box(2, 20, 20, 60, 60))
    bench.key("space")
    bench.settle()
    assert saved_text(bench).startswith("Not saved yet")
    assert [b.category_id for b in bench.stored(bench.ids[0]).submitted] == [2]


def test_a_file_that_is_gone_is_said_and_others_can_be_opened(bench: EditorBench) -> None:
    screen = bench.open()
    Path(screen.paths[bench.ids[3]]).unlink()
    screen.browser.open(bench.ids[3])
    bench.turn(lambda: screen.image_id == bench.ids[3])
    assert screen.editing_reason() is not None and screen.left.submit.instate(["disabled"])
    bench.key("space")
    bench.key("Prior")
    bench.turn(lambda: screen.image_id == bench.ids[2] and screen.session is not None)
    bench.settle()
    assert bench.stored(bench.ids[3]).revision == 0


def test_view_keys(bench: EditorBench) -> None:
    screen = bench.open()
    canvas = screen.stage.canvas
    bench.key("a")
    bench.turn()
    assert canvas.port.scale == 1.0 and screen.stage.zoom.cget("text") == "100 %"
    bench.key("plus", "minus", "f")
    assert canvas.port.is_fit
    bench.drag(50, 60, 150, 160)
    bench.key("m")
    assert not canvas.boxes_shown
    bench.key("m", "z")
    assert canvas.boxes_shown and not canvas.port.is_fit
    cross = canvas.crosshair
    bench.key("c")
    assert canvas.crosshair is not cross
    assert canvas.mode == "draw"
    bench.key("v", "h")
    assert canvas.mode == "select" and canvas.pointer._hand
    canvas.event_generate("<KeyRelease-h>")
    assert not canvas.pointer._hand


def test_the_sheet_of_keys_is_made_from_the_commands(bench: EditorBench) -> None:
    bench.open()
    bench.key("F1")
    bench.turn()
    shown = texts(bench.app.root)
    bench.key("Escape")
    for name in ("Submit and go on", "Reset to the last submission", "Boxes of the image before", "Next to do", "Space", "R"):
        assert name in shown


def test_locked_and_hidden_boxes(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    bench.key("l")
    assert screen.session.locked == {1}
    bench.key("Escape", "v")
    bench.click(100, 100)
    assert screen.session.selection == set()
    bench.zone(screen.left.boxes.list, 1, "hide")
    assert screen.stage.canvas.items.boxes == ()
    bench.zone(screen.left.boxes.list, 1, "hide")
    screen.categories.hide(categories(bench)["Crow"], True)
    assert screen.stage.canvas.items.boxes == () and len(bench.rects()) == 1


def test_sorting_recolouring_and_counts(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    bench.key("space")
    bench.settle()
    assert screen.left.categories.rows[0].boxes == 1
    screen.left.categories.list._move(categories(bench)["Owl"], 0)
    bench.turn(lambda: screen.visit.categories[0].name == "Owl")
    screen.left.categories.events.recolour(categories(bench)["Owl"], "#123456")
    bench.turn(lambda: screen.visit.categories[0].colour == "#123456")
    assert screen.left.categories.rows[0].number == 1


def test_ctrl_and_a_digit_reach_the_categories_after_the_ninth(bench: EditorBench) -> None:
    names = [f"Class {number}" for number in range(4, 13)]
    bench.app.tasks.run_store(lambda: [annotate.add_category(bench.app.workspace, bench.group_id, name) for name in names])
    screen = bench.open()
    bench.key("Control-Key-2")
    assert screen.visit.active_category == categories(bench)["Class 12"]
    bench.key("Control-Key-0")
    assert screen.visit.active_category == categories(bench)["Class 10"]
    bench.key("slash")
    field = bench.app.root.focus_get()
    field.insert(0, "gul")
    bench.turn()
    assert [row.name for row in screen.left.categories.list.rows] == ["Gull"]
    bench.key("Return")
    assert screen.visit.active_category == categories(bench)["Gull"] and len(screen.left.categories.list.rows) == 12


def test_files_are_filtered_by_the_size_of_their_boxes(bench: EditorBench) -> None:
    names = {each.name: each.id for each in bench.app.tasks.run_store(lambda: bench.store.categories.list(bench.group_id))}
    bench.put(bench.ids[2], box(names["Crow"], 10, 10, 30, 30))
    bench.put(bench.ids[4], box(names["Crow"], 10, 10, 300, 200))
    screen = bench.open()
    screen.left.size_choice.set("Small, under 32 x 32 px")
    screen.left._chosen()
    bench.settle()
    assert [entry.image_id for entry in screen.display.files] == [bench.ids[2]]
    screen.left.size_choice.set("Large, over 96 x 96 px")
    screen.left._chosen()
    assert [entry.image_id for entry in screen.display.files] == [bench.ids[4]]
    bench.drag(50, 50, 200, 200)
    screen.left._chosen()
    assert [entry.image_id for entry in screen.display.files] == [bench.ids[0], bench.ids[4]]


def test_a_locked_category_is_passed_through(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    screen.left.categories.events.lock(categories(bench)["Crow"], True)
    bench.key("v", "Escape")
    bench.click(100, 100)
    assert screen.session.selection == frozenset()
    screen.left.categories.events.lock(categories(bench)["Crow"], False)
    bench.click(100, 100)
    assert len(screen.session.selection) == 1


def test_the_open_file_stays_in_sight_in_a_low_window(bench: EditorBench) -> None:
    """The hint of an image without boxes took its line away from the list above."""
    root = bench.app.root
    before = root.geometry()
    root.geometry("1280x640")
    bench.turn(lambda: root.winfo_height() == 640)
    screen = bench.open()
    files = screen.left.files
    height = files.canvas.winfo_height()
    for image_id in bench.ids[1:6]:
        for left in (20, 120, 220):
            bench.drag(left, 60, left + 60, 160)
        bench.key("space")
        bench.turn(lambda expected=image_id: screen.image_id == expected)  # type: ignore[misc]
        bench.settle()
        _x0, top, _x1, bottom = files.place_of(image_id)
        assert top >= 0 and bottom <= files.canvas.winfo_height() == height
    root.geometry(before)
    bench.turn()


def test_what_is_drawn_while_the_library_is_read_again_stays(bench: EditorBench) -> None:
    """What comes back is older than the box: it was asked for before."""
    screen = bench.open()
    screen.browser.library_changed()
    bench.drag(50, 60, 150, 160)
    drawn = bench.rects()
    assert len(drawn) == 1
    bench.settle()
    bench.settle()
    assert bench.rects() == drawn and len(bench.stored(bench.ids[0]).draft) == 1


def test_a_drag_goes_on_while_the_library_is_read_again(bench: EditorBench) -> None:
    screen = bench.open()
    bench.drag(50, 60, 150, 160)
    session = screen.session
    session.begin()
    session.drag_move(20, 0)
    screen.browser.library_changed()
    bench.settle()
    session.drag_move(30, 0)
    screen.change(lambda session: session.commit())
    bench.settle()
    bench.settle()
    assert bench.rects()[0] == pytest.approx((80, 60, 180, 160), abs=0.5)
    assert len(bench.stored(bench.ids[0]).draft) == 1


def test_an_image_that_was_asked_for_twice_is_opened_once(bench: EditorBench) -> None:
    """By a double-click in the list: the second answer is older than what was drawn after the first."""
    screen = bench.open()
    answers: list[Any] = []
    show = screen.browser._show
    screen.browser._show = lambda *answer: answers.append(answer)
    screen.browser._known.clear()
    screen.browser.open(bench.ids[5])
    screen.browser.open(bench.ids[5])
    bench.turn(lambda: len(answers) == 2, "both answers")
    screen.browser._show = show
    show(*answers[0])
    bench.drag(50, 60, 150, 160)
    show(*answers[1])
    assert len(bench.rects()) == 1
