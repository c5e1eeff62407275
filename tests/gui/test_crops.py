"""All boxes of a category as pictures, in the window: shown, sorted, selected, changed with undo, and opened in the editor."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darknet_bridge import NormBox
from gui.core.records import Box

from .drive import button, texts
from .editor_bench import HEIGHT, WIDTH, EditorBench, make_library

CONTROL, SHIFT = 0x4, 0x1


def box(category_id: int, left: float, top: float, right: float, bottom: float) -> Box:
    return Box(category_id, NormBox.from_corners(left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT))


class Wall:
    """The screen with two crows and a gull on the first image, one crow on each of the two after it."""

    def __init__(self, bench: EditorBench) -> None:
        self.bench, self.turn = bench, bench.turn
        self.crow, self.gull, _owl = self.run(lambda: [each.id for each in bench.store.categories.list(bench.group_id)])
        bench.put(bench.ids[0], box(self.crow, 10, 10, 110, 60), box(self.crow, 200, 10, 220, 30), box(self.gull, 5, 5, 40, 40))
        bench.put(bench.ids[1], box(self.crow, 10, 10, 30, 110))
        bench.put(bench.ids[2], box(self.crow, 50, 50, 350, 250))

    def run(self, work: Callable[[], Any]) -> Any:
        return self.bench.app.tasks.run_store(work)

    def open(self) -> Any:
        params = {"group_id": self.bench.group_id, "experiment_id": self.bench.experiment_id, "category_id": self.crow}
        self.bench.app.router.show("crops", **params)
        self.turn(lambda: self.count() == 4, "the boxes are read")
        self.grid.canvas.focus_force()
        self.turn()
        return self.screen

    @property
    def screen(self) -> Any:
        return self.bench.app.router.current

    @property
    def grid(self) -> Any:
        return self.screen.grid_

    def count(self) -> int:
        return len(self.grid.rows)

    def lines(self) -> list[str]:
        """What stands below the pictures, from the first to the last."""
        return [self.screen._line(int(row)) for row in self.grid.rows]

    def press(self, place: int, x: int = 60, y: int = 60, state: int = 0) -> None:
        left, top = self.grid.corner_of(place)
        self.grid.canvas.event_generate("<ButtonPress-1>", x=left + x, y=top + y, state=state)
        self.grid.canvas.event_generate("<ButtonRelease-1>", x=left + x, y=top + y, state=state)
        self.turn()

    def crows(self) -> list[int]:
        """How many crows are submitted on the first three images."""
        found = [self.bench.stored(image_id).submitted for image_id in self.bench.ids[:3]]
        return [sum(each.category_id == self.crow for each in boxes) for boxes in found]


@pytest.fixture
def wall(open_app: Callable[..., Any], turn: Callable[..., None], tmp_path: Path) -> Iterator[Wall]:
    made = make_library(tmp_path)
    bench = EditorBench(open_app(tmp_path / "library"), turn, *made)
    yield Wall(bench)
    if bench.app.router.current_id == "editor":
        bench.screen.leave()


def choose(box_: Any, text: str) -> None:
    box_.set(text)
    box_.event_generate("<<ComboboxSelected>>")


def test_smallest_first_with_sizes_and_a_picture_of_each(wall: Wall) -> None:
    screen = wall.open()
    assert wall.lines() == ["20 x 20", "20 x 100", "100 x 50", "300 x 200"]
    assert "4 boxes" in texts(screen)
    wall.turn(lambda: all(wall.grid._pictures.get(row) is not None for row in range(4)), "the pictures are cut")
    screen.order_name.set("Widest first")
    screen._order_chosen()
    assert wall.lines() == ["100 x 50", "300 x 200", "20 x 20", "20 x 100"]


def test_a_click_opens_the_editor_at_that_box_and_close_leads_back(wall: Wall) -> None:
    wall.open()
    left, top = wall.grid.corner_of(1)
    wall.grid.canvas.event_generate("<ButtonPress-1>", x=left + 60, y=top + 60)
    wall.turn(lambda: wall.bench.app.router.current_id == "editor" and wall.screen.session is not None)
    wall.turn(lambda: bool(wall.screen.session.selection))
    (chosen,) = wall.screen.session.selected
    assert wall.screen.image_id == wall.bench.ids[1]
    assert (round(chosen.rect.left), round(chosen.rect.bottom)) == (10, 110)
    assert not wall.screen.stage.canvas.view.fit
    wall.bench.key("Delete", "space")
    wall.bench.settle()
    button(wall.screen, "Close").invoke()
    wall.turn(lambda: wall.bench.app.router.current_id == "crops" and wall.count() == 3, "the wall, without that box")


def test_selected_boxes_go_to_another_category_and_come_back_with_undo(wall: Wall) -> None:
    screen = wall.open()
    assert "circle" in str(screen.change_reason())
    wall.press(0, 8, 8)
    wall.press(2, state=SHIFT)
    assert sorted(wall.grid.selection) == [0, 1, 2] and "3 selected" in texts(screen)
    wall.press(1)
    assert len(wall.grid.selection) == 2, "once something is selected a plain click takes away and adds"
    wall.bench.key("2")
    wall.turn(lambda: wall.count() == 2)
    assert wall.crows() == [0, 1, 1]
    button(wall.bench.app.root, "Undo").invoke()
    wall.turn(lambda: wall.count() == 4)
    assert wall.crows() == [2, 1, 1]


def test_deleting_all_and_the_shortcut_of_undo(wall: Wall) -> None:
    wall.open()
    wall.bench.key("Control-a", "Delete")
    wall.turn(lambda: wall.count() == 0)
    assert wall.crows() == [0, 0, 0]
    assert any("4 boxes were deleted" in text for text in wall.bench.app.toasts.texts)
    wall.bench.key("Control-z")
    wall.turn(lambda: wall.count() == 4)


def test_from_the_editor_and_back(wall: Wall) -> None:
    screen = wall.bench.open()
    screen.left.categories.events.show_all(wall.gull)
    wall.turn(lambda: wall.bench.app.router.current_id == "crops" and wall.count() == 1)
    assert wall.screen.category_name.get() == "Gull"
    button(wall.screen, "Close").invoke()
    wall.turn(lambda: wall.bench.app.router.current_id == "editor" and wall.screen.session is not None)


def test_unsubmitted_changes_are_asked_about_before_and_the_way_goes_on(wall: Wall) -> None:
    wall.bench.open()
    wall.bench.drag(300, 200, 350, 250)
    wall.bench.key("Shift-A")
    wall.turn(lambda: "Unsubmitted changes" in texts(wall.bench.app.root))
    button(wall.bench.app.root, "Submit").invoke()
    wall.turn(lambda: wall.bench.app.router.current_id == "crops" and wall.count() == 5)


def test_a_million_boxes_are_no_widgets(wall: Wall) -> None:
    """Only what is seen is drawn and asked for, at both ends."""
    wall.open().found = None  # no picture that is still being cut belongs to these rows
    rows = 1_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    asked: list[list[int]] = []
    wall.grid.events.line = lambda row: str(row)
    wall.grid.events.wanted = lambda some: asked.append(list(some))
    wall.grid.show(np.arange(rows))
    wall.turn()
    assert asked[-1][0] == 0 and len(asked[-1]) < 200
    assert len(wall.grid.canvas.find_all()) < 1000
    wall.grid.scroll_to(10**12)
    wall.turn()
    assert asked[-1][-1] == rows - 1 and len(wall.grid.canvas.find_all()) < 1000
    wall.grid.select_all()
    assert len(wall.grid.selection) == rows
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "KiB"
    wall.grid.select_none()
