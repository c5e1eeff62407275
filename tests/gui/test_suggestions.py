"""Suggestions of the group's own model in the editor, by mouse and keyboard, with a network whose finds are known."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from darknet_bridge import Detection, NormBox
from darknet_bridge.training import RunDir
from gui.core.records import Box
from gui.core.suggest import Model, Suggester
from gui.core.workspace import Workspace
from tests.core.suggest_case import trained, write_model

from .drive import button, texts
from .editor_bench import HEIGHT, WIDTH, EditorBench, make_library

SAVED = "All your changes are saved"
# What the model finds on every image: a large Owl and a small Crow around the middle of each half.
LEFT_OWL, RIGHT_OWL = (50, 75, 150, 225), (250, 75, 350, 225)
LEFT_CROW, RIGHT_CROW = (75, 112.5, 125, 187.5), (275, 112.5, 325, 187.5)


@pytest.fixture
def make(open_app: Callable[..., Any], turn: Callable[..., None], tmp_path: Path) -> Iterator[Callable[..., EditorBench]]:
    made: list[EditorBench] = []

    def build(model: bool = True) -> EditorBench:
        experiment, group, ids = make_library(tmp_path)
        if model:
            workspace = Workspace.open(tmp_path / "library")
            by_name = {each.name: each.id for each in workspace.store.categories.list(group)}
            trained(workspace, experiment, [(by_name[name], name) for name in ("Owl", "Crow", "Gull")])
            workspace.close()
        made.append(EditorBench(open_app(tmp_path / "library"), turn, experiment, group, ids))
        return made[0]

    yield build
    for bench in made:
        if bench.app.router.current_id == "editor":
            for image_id in bench.screen.visit.unsubmitted():
                bench.screen.visit.sessions.pop(image_id)
            bench.screen.leave()


def ask(bench: EditorBench) -> None:
    """G, and waits for the answer."""
    before = answers(bench)
    bench.key("g")
    bench.turn(lambda: answers(bench) > before, "the model answers")
    bench.turn()


def answers(bench: EditorBench) -> int:
    return sum(json.loads(line)["event"] == "suggested" for line in bench.app.events())


def suggested(bench: EditorBench) -> list[str]:
    """What the canvas shows, surest first."""
    return [box.label for box in reversed(bench.canvas.suggestions.boxes)]


def test_suggestions_are_shown_but_neither_stored_nor_submitted(make: Callable[..., EditorBench]) -> None:
    bench = make()
    screen = bench.open()
    ask(bench)
    assert suggested(bench) == ["Owl 90 %", "Owl 90 %", "Crow 40 %", "Crow 40 %"]
    assert bench.rects() == [] and screen.left.saved_text.cget("text") == SAVED
    assert {"4 suggestions", "Training 1 of “Bird finder”, step 100. A click accepts one."} <= set(texts(bench.canvas))
    bench.key("space")
    bench.settle()
    stored = bench.stored(bench.ids[0])
    assert stored.revision == 1 and stored.submitted == () and stored.draft is None
    bench.turn(lambda: screen.image_id == bench.ids[1] and screen.session is not None)
    assert suggested(bench) == []


def test_one_by_click_the_rest_at_once_and_back(make: Callable[..., EditorBench]) -> None:
    bench = make()
    screen = bench.open()
    ask(bench)
    bench.click(60, 90)
    assert bench.rects() == [pytest.approx(LEFT_OWL, abs=0.5)]
    assert [box.category_id for box in screen.session.boxes] == [next(c.id for c in screen.visit.categories if c.name == "Owl")]
    assert suggested(bench) == ["Owl 90 %", "Crow 40 %", "Crow 40 %"]
    bench.key("Shift-G")
    assert sorted(bench.rects()) == [pytest.approx(each, abs=0.5) for each in (LEFT_OWL, LEFT_CROW, RIGHT_OWL, RIGHT_CROW)]
    assert suggested(bench) == []
    bench.settle()
    assert len(bench.stored(bench.ids[0]).draft) == 4
    bench.key("Control-z")
    assert len(bench.rects()) == 1 and len(suggested(bench)) == 3
    bench.key("Control-y")
    assert len(bench.rects()) == 4 and suggested(bench) == []


def test_a_drag_draws_over_a_suggestion_and_a_second_click_adds_nothing(make: Callable[..., EditorBench]) -> None:
    bench = make()
    bench.open()
    ask(bench)
    bench.drag(60, 90, 140, 110)
    assert bench.rects() == [pytest.approx((60, 90, 140, 110), abs=0.5)] and len(suggested(bench)) == 4
    at = tuple(map(round, bench.canvas.port.to_canvas(340, 200)))
    for _ in range(2):  # at once: Tk takes it for a double-click
        bench.canvas.event_generate("<ButtonPress-1>", x=at[0], y=at[1])
        bench.canvas.event_generate("<ButtonRelease-1>", x=at[0], y=at[1], state=0x100)
    assert bench.rects()[1:] == [pytest.approx(RIGHT_OWL, abs=0.5)]


def test_keys_accept_and_reject_the_marked_one_or_all(make: Callable[..., EditorBench]) -> None:
    bench = make()
    screen = bench.open()
    ask(bench)
    bench.key("Return")
    assert len(bench.rects()) == 1 and len(suggested(bench)) == 3
    bench.key("Delete")
    assert len(bench.rects()) == 1 and suggested(bench) == ["Crow 40 %", "Crow 40 %"]
    bench.key("period", "Return")
    assert len(bench.rects()) == 2 and suggested(bench) == ["Crow 40 %"]
    screen.session.select([screen.session.boxes[0].key])
    bench.key("Delete")  # a selected box is what the key is for
    assert len(bench.rects()) == 1 and suggested(bench) == ["Crow 40 %"]
    bench.key("Escape")
    assert suggested(bench) == [] and len(bench.rects()) == 1
    bench.key("Return")
    assert "There are no suggestions on this image." in texts(bench.app.root)


def test_the_threshold_acts_at_once_and_is_remembered(make: Callable[..., EditorBench]) -> None:
    bench = make()
    bench.open()
    ask(bench)
    bench.key("bracketright", "bracketright", "bracketright", "bracketright")
    assert suggested(bench) == ["Owl 90 %", "Owl 90 %"] and "at least 45 %" in texts(bench.canvas)
    assert "2 of 4 suggestions" in texts(bench.canvas)
    bench.settle()
    bench.screen.close()
    bench.open()
    ask(bench)
    assert suggested(bench) == ["Owl 90 %", "Owl 90 %"]
    bench.key("bracketleft")
    assert len(suggested(bench)) == 4
    button(bench.canvas, "Reject all (Esc)").invoke()
    assert suggested(bench) == []


def test_what_is_marked_already_is_not_suggested(make: Callable[..., EditorBench]) -> None:
    bench = make()
    owl = 3
    edges = NormBox.from_corners(52 / WIDTH, 75 / HEIGHT, 150 / WIDTH, 225 / HEIGHT)
    bench.put(bench.ids[0], Box(owl, edges))
    bench.open(bench.ids[0])
    ask(bench)
    assert suggested(bench) == ["Owl 90 %", "Crow 40 %", "Crow 40 %"]
    assert len(bench.rects()) == 1


def test_an_answer_for_another_image_is_dropped(make: Callable[..., EditorBench], monkeypatch: pytest.MonkeyPatch) -> None:
    find, other_image = Suggester.find, threading.Event()

    def late(suggester: Suggester, model: Model, path: Path) -> tuple[Detection, ...]:
        assert other_image.wait(60)
        return find(suggester, model, path)

    monkeypatch.setattr(Suggester, "find", late)
    bench = make()
    screen = bench.open()
    bench.key("g", "Next")
    bench.turn(lambda: screen.image_id == bench.ids[1], "the other image")
    other_image.set()
    bench.turn(lambda: screen.suggestions.reason() is None, "the model has answered")
    assert suggested(bench) == [] and answers(bench) == 0
    ask(bench)
    assert len(suggested(bench)) == 4


def test_new_images_get_suggestions_by_themselves_when_that_is_switched_on(make: Callable[..., EditorBench]) -> None:
    bench = make()
    edges = NormBox.from_corners(0.1, 0.1, 0.2, 0.2)
    bench.put(bench.ids[1], Box(1, edges))
    bench.put(bench.ids[2])
    screen = bench.open(bench.ids[0])
    assert suggested(bench) == []
    screen.suggestions.set_by_itself(True)
    bench.turn(lambda: len(suggested(bench)) == 4, "suggestions come")
    for image_id, is_new in zip(bench.ids[1:4], (False, False, True), strict=True):  # has a box; is a negative example; is new
        bench.key("Next")
        bench.turn(lambda each=image_id: screen.image_id == each and screen.session is not None)  # type: ignore[misc]
        assert is_new or (screen.suggestions.reason() is None and suggested(bench) == [])
    bench.turn(lambda: len(suggested(bench)) == 4, "suggestions come")
    assert [json.loads(line)["image"] for line in bench.app.events() if '"suggested"' in line] == [bench.ids[0], bench.ids[3]]


def test_without_a_model_it_says_what_to_do_and_with_the_first_checkpoint_it_can(make: Callable[..., EditorBench]) -> None:
    bench = make(model=False)
    screen = bench.open()
    tool = screen.stage.tool("editor.suggest")
    bench.turn(lambda: screen.suggestions.reason() == "Train on this group first: then its model can suggest boxes.")
    assert tool.instate(["disabled"])
    bench.key("g")
    assert "Train on this group first: then its model can suggest boxes." in texts(bench.app.root)
    workspace = bench.app.workspace

    def train() -> None:
        trained(workspace, bench.experiment_id, [(3, "Owl"), (1, "Crow")])
        workspace.changes.publish("runs")

    bench.app.tasks.run_store(train)
    bench.turn(lambda: tool.instate(["!disabled"]), "the model can be used")
    ask(bench)
    assert len(suggested(bench)) == 4


def test_a_library_that_can_only_be_read_gets_no_suggestions(make: Callable[..., EditorBench]) -> None:
    bench = make()
    bench.app.workspace.read_only_reason = "Only to look at."
    screen = bench.open()
    assert screen.suggestions.reason() == "Only to look at."
    assert screen.stage.tool("editor.suggest").instate(["disabled"])
    bench.key("g")
    bench.settle()
    assert suggested(bench) == [] and "Only to look at." in texts(bench.app.root)
    bench.app.workspace.read_only_reason = ""


def test_hidden_boxes_are_shown_again_and_a_zoomed_view_follows_the_mark(make: Callable[..., EditorBench]) -> None:
    bench = make()
    bench.open()
    bench.key("m")
    ask(bench)
    assert bench.canvas.boxes_shown and len(suggested(bench)) == 4
    for _ in range(12):
        bench.canvas.zoom(1, (0, 0))
    bench.key("period")
    bench.turn()
    marked = next(box for box in bench.canvas.suggestions.boxes if box.key == bench.canvas.suggestions.marked)
    left, top = bench.canvas.port.to_canvas(marked.left, marked.top)
    right, bottom = bench.canvas.port.to_canvas(marked.right, marked.bottom)
    width, height = bench.canvas.port.canvas
    assert left >= 0 and top >= 0 and right <= width and bottom <= height
    bench.key("m")
    assert suggested(bench) == []


def test_the_panel_fits_a_narrow_window(make: Callable[..., EditorBench]) -> None:
    bench = make()
    bench.open()
    ask(bench)
    panel = bench.screen.suggestions._panel
    for size in ("960x600", "1440x900"):
        bench.app.root.geometry(size)
        bench.turn(lambda each=size: bench.app.root.winfo_width() == int(each.split("x")[0]))  # type: ignore[misc]
        bench.turn()
        assert panel.winfo_x() >= 0 and panel.winfo_x() + panel.winfo_width() <= bench.canvas.winfo_width()


def test_a_model_that_cannot_be_read_is_named(make: Callable[..., EditorBench]) -> None:
    bench = make()
    bench.open()
    run = bench.app.tasks.run_store(bench.store.runs.list)[0]
    write_model(RunDir(run.folder).cfg, RunDir(run.folder).backup / "other.weights", 9)  # the cfg is of another network now
    bench.key("g")
    bench.turn(lambda: any("net_last.weights" in each for each in texts(bench.app.root)), "the error is shown")
    bench.key("Escape")
    assert bench.screen.suggestions.reason() is None
