"""The canvas with real pointer events: what is drawn lands where it was drawn, at every zoom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from gui.core.box_geometry import Rect
from gui.core.editing import EditSession
from gui.widgets.box_canvas import BoxCanvas, CanvasEvents
from gui.widgets.canvas_boxes import CanvasBox, ink_on
from gui.widgets.picture import Adjustment, Picture

SHIFT, CONTROL, LEFT_DOWN = 0x1, 0x4, 0x100


@dataclass
class Bench:
    """A canvas wired to an EditSession as the editor wires it, and hands to use it with (image pixels)."""

    canvas: BoxCanvas
    session: EditSession
    menus: list[Any] = field(default_factory=list)

    def wire(self) -> None:
        s, events = self.session, self.canvas.events

        def then(call: Any) -> Any:
            def run(*values: Any) -> None:
                call(*values)
                self.show()

            return run

        events.draw = then(lambda *corners: s.draw(*corners, 1))
        events.stamp = then(lambda x, y: s.stamp(x, y, 1))
        events.select = then(
            lambda key, toggle: s.toggle(key) if toggle and key is not None else s.select([] if key is None else [key])
        )
        events.band = then(lambda left, top, right, bottom, add: s.select_within(Rect(left, top, right, bottom), add))
        events.begin = s.begin
        events.move = then(s.drag_move)
        events.resize = then(s.drag_resize)
        events.end = then(s.commit)
        events.cancel = then(s.cancel)
        events.menu = lambda *values: self.menus.append(values)

    def show(self) -> None:
        boxes = [
            CanvasBox(b.key, b.rect.left, b.rect.top, b.rect.right, b.rect.bottom, "#0072b2", "Crow") for b in self.session.boxes
        ]
        self.canvas.show_boxes(boxes, self.session.selection)

    def screen(self, x: float, y: float) -> tuple[int, int]:
        made = self.canvas.port.to_canvas(x, y)
        return (round(made[0]), round(made[1]))

    def press(self, x: float, y: float, state: int = 0, button: int = 1) -> None:
        sx, sy = self.screen(x, y)
        self.canvas.event_generate("<Motion>", x=sx, y=sy, state=state)
        self.canvas.event_generate(f"<ButtonPress-{button}>", x=sx, y=sy, state=state)

    def to(self, x: float, y: float, state: int = 0, button: int = 1) -> None:
        sx, sy = self.screen(x, y)
        self.canvas.event_generate("<Motion>", x=sx, y=sy, state=state | (LEFT_DOWN << (button - 1)))

    def release(self, x: float, y: float, state: int = 0, button: int = 1) -> None:
        sx, sy = self.screen(x, y)
        self.canvas.event_generate(f"<ButtonRelease-{button}>", x=sx, y=sy, state=state | (LEFT_DOWN << (button - 1)))
        self.canvas.update()

    def drag(self, start: tuple[float, float], end: tuple[float, float], state: int = 0, button: int = 1) -> None:
        self.press(*start, state, button)
        for share in (0.3, 0.7, 1.0):
            self.to(start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share, state, button)
        self.release(*end, state, button)

    def click(self, x: float, y: float, state: int = 0, button: int = 1) -> None:
        self.press(x, y, state, button)
        self.release(x, y, state, button)

    def rects(self) -> list[tuple[float, float, float, float]]:
        return [(b.rect.left, b.rect.top, b.rect.right, b.rect.bottom) for b in self.session.boxes]


def picture(width: int = 800, height: int = 600) -> Picture:
    made = np.zeros((height, width, 3), np.uint8)
    made[:, :, 2] = np.linspace(0, 255, width, dtype=np.uint8)[None, :]
    made[:, :, 1] = np.linspace(0, 255, height, dtype=np.uint8)[:, None]
    return Picture(made)


@pytest.fixture
def bench(root: Any, theme: Any) -> Iterator[Bench]:
    canvas = BoxCanvas(root, theme, CanvasEvents())
    canvas.place(x=0, y=0, width=1000, height=700)
    root.update()
    made = Bench(canvas, EditSession(800, 600))
    made.wire()
    canvas.show_picture(picture())
    canvas.port.set_scale(1.0, 500, 350)
    canvas.port.centre_on(400, 300)
    canvas.view_changed()
    root.update()
    yield made
    canvas.destroy()


def near(found: tuple[float, ...], wanted: tuple[float, ...], scale: float) -> bool:
    """Half an image pixel, or what half a pixel of the screen is in the image."""
    return all(abs(a - b) <= max(0.5, 0.51 / scale) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0, 1.7, 3.0, 8.0])
def test_a_drag_draws_where_it_was_at_every_zoom(bench: Bench, scale: float) -> None:
    bench.canvas.port.set_scale(scale, 500, 350)
    bench.canvas.port.centre_on(300, 200)
    bench.canvas.view_changed()
    bench.canvas.update()
    half = min(150.0, 300 / scale)
    wanted = (300 - half / 2, 200 - half / 2, 300 + half / 2, 200 + half / 2)
    bench.drag(wanted[:2], wanted[2:])
    assert len(bench.rects()) == 1
    assert near(bench.rects()[0], wanted, scale)


def test_drawing_outside_is_clamped(bench: Bench) -> None:
    bench.drag((700, 500), (860, 640))
    assert near(bench.rects()[0], (700, 500, 800, 600), bench.canvas.port.scale)


def test_a_click_alone_makes_nothing_and_two_make_a_box(bench: Bench) -> None:
    bench.click(100, 100)
    assert bench.rects() == []
    bench.canvas.event_generate("<Motion>", x=300, y=300)
    bench.click(300, 250)
    assert len(bench.rects()) == 1 and near(bench.rects()[0], (100, 100, 300, 250), bench.canvas.port.scale)


def test_escape_forgets_the_first_of_two_clicks(bench: Bench) -> None:
    bench.click(100, 100)
    assert bench.canvas.pointer.abandon() and not bench.canvas.pointer.abandon()
    bench.drag((300, 300), (400, 400))
    assert len(bench.rects()) == 1


def test_drawing_starts_over_an_existing_box_and_the_mode_sticks(bench: Bench) -> None:
    bench.drag((100, 100), (500, 500))
    bench.drag((200, 200), (300, 300))
    bench.drag((320, 320), (420, 420))
    assert len(bench.rects()) == 3 and bench.canvas.mode == "draw"
    assert near(bench.rects()[0], (100, 100, 500, 500), 1.0)


def test_a_drag_in_select_mode_moves_and_stops_at_the_edge(bench: Bench) -> None:
    bench.drag((100, 100), (200, 200))
    bench.canvas.set_mode("select")
    bench.drag((150, 150), (250, 200))
    assert near(bench.rects()[0], (200, 150, 300, 250), 1.0)
    bench.drag((250, 200), (900, 640))
    assert near(bench.rects()[0], (700, 500, 800, 600), 1.0)
    assert bench.session.undo() == "Drag"


@pytest.mark.parametrize("mode", ["draw", "select"])
@pytest.mark.parametrize(
    ("grip", "target", "wanted"),
    [
        ((200, 200), (150, 160), (150, 160, 400, 400)),
        ((300, 200), (333, 150), (200, 150, 400, 400)),
        ((400, 200), (450, 150), (200, 150, 450, 400)),
        ((400, 300), (480, 333), (200, 200, 480, 400)),
        ((400, 400), (500, 500), (200, 200, 500, 500)),
        ((300, 400), (333, 450), (200, 200, 400, 450)),
        ((200, 400), (100, 450), (100, 200, 400, 450)),
        ((200, 300), (150, 333), (150, 200, 400, 400)),
    ],
)
def test_all_eight_handles(bench: Bench, mode: str, grip: Any, target: Any, wanted: Any) -> None:
    bench.drag((200, 200), (400, 400))
    bench.canvas.set_mode(mode)
    bench.drag(grip, target)
    assert len(bench.rects()) == 1 and near(bench.rects()[0], wanted, 1.0)


def test_the_label_tag_moves_a_box_in_draw_mode(bench: Bench) -> None:
    bench.drag((200, 200), (400, 400))
    scale = bench.canvas.port.scale
    grip = (200 + 14 / scale, 200 - 9 / scale)
    bench.drag(grip, (grip[0] + 50, grip[1] + 20))
    assert len(bench.rects()) == 1 and near(bench.rects()[0], (250, 220, 450, 420), 1.0)


def test_control_is_the_other_tool(bench: Bench) -> None:
    bench.drag((100, 100), (200, 200))
    bench.session.select([])
    bench.show()
    bench.drag((150, 150), (200, 150), CONTROL)
    assert near(bench.rects()[0], (150, 100, 250, 200), 1.0)
    bench.canvas.set_mode("select")
    bench.drag((170, 120), (220, 180), CONTROL)
    assert len(bench.rects()) == 2


def test_clicking_selects_and_adds_and_the_band_takes_many(bench: Bench) -> None:
    for at in (100, 300, 500):
        bench.drag((at, 100), (at + 100, 200))
    bench.canvas.set_mode("select")
    bench.click(150, 150)
    assert bench.session.selection == {1}
    bench.click(350, 150, SHIFT)
    bench.click(550, 150, CONTROL)
    assert bench.session.selection == {1, 2, 3}
    bench.click(350, 150, SHIFT)
    assert bench.session.selection == {1, 3}
    bench.drag((50, 50), (420, 250))
    assert bench.session.selection == {1, 2}
    bench.click(700, 500)
    assert bench.session.selection == set()
    bench.canvas.set_mode("draw")
    bench.drag((50, 50), (420, 250), SHIFT)
    assert bench.session.selection == {1, 2} and len(bench.rects()) == 3


def test_a_click_takes_the_smallest_box(bench: Bench) -> None:
    bench.drag((100, 100), (500, 500))
    bench.drag((200, 200), (300, 300))
    bench.canvas.set_mode("select")
    bench.click(450, 450)
    assert bench.session.selection == {1}
    bench.click(250, 250)
    assert bench.session.selection == {2}


def test_several_boxes_move_together(bench: Bench) -> None:
    bench.drag((100, 100), (200, 200))
    bench.drag((300, 100), (400, 200))
    bench.canvas.set_mode("select")
    bench.session.select_all()
    bench.show()
    bench.drag((150, 150), (160, 250))
    assert near(bench.rects()[0], (110, 200, 210, 300), 1.0) and near(bench.rects()[1], (310, 200, 410, 300), 1.0)


def test_double_click_makes_the_same_size_again(bench: Bench) -> None:
    bench.drag((100, 100), (200, 150))
    sx, sy = bench.screen(500, 400)
    for _ in range(2):
        bench.canvas.event_generate("<ButtonPress-1>", x=sx, y=sy)
        bench.canvas.event_generate("<ButtonRelease-1>", x=sx, y=sy, state=LEFT_DOWN)
    bench.canvas.update()
    assert len(bench.rects()) == 2 and near(bench.rects()[1], (450, 375, 550, 425), 1.0)


def test_wheel_zooms_to_the_pointer(bench: Bench) -> None:
    at = bench.canvas.port.to_image(700, 100)
    before = bench.canvas.port.scale
    bench.canvas.event_generate("<Button-4>", x=700, y=100)
    bench.canvas.event_generate("<Button-4>", x=700, y=100, state=CONTROL)
    assert bench.canvas.port.scale == pytest.approx(before * 1.25**2)
    assert bench.canvas.port.to_image(700, 100) == pytest.approx(at)
    bench.canvas.event_generate("<Button-5>", x=700, y=100)
    assert bench.canvas.port.scale == pytest.approx(before * 1.25)


@pytest.mark.parametrize("button", [2, 3])
def test_other_buttons_pan_and_change_nothing(bench: Bench, button: int) -> None:
    bench.drag((100, 100), (200, 150))
    x, y = bench.canvas.port.left, bench.canvas.port.top
    bench.canvas.event_generate(f"<ButtonPress-{button}>", x=300, y=300)
    bench.canvas.event_generate("<Motion>", x=340, y=320, state=LEFT_DOWN << (button - 1))
    bench.canvas.event_generate(f"<ButtonRelease-{button}>", x=340, y=320)
    scale = bench.canvas.port.scale
    assert (bench.canvas.port.left, bench.canvas.port.top) == pytest.approx((x - 40 / scale, y - 20 / scale))
    assert len(bench.rects()) == 1 and bench.menus == []


def test_the_right_button_without_a_drag_asks_for_the_menu(bench: Bench) -> None:
    bench.drag((100, 100), (200, 150))
    bench.click(150, 125, button=3)
    assert bench.menus and bench.menus[0][2] == 1


def test_holding_the_hand_pans_with_the_left_button(bench: Bench) -> None:
    bench.canvas.pointer.hold_hand(True)
    before = bench.canvas.port.left
    bench.drag((400, 300), (300, 300))
    bench.canvas.pointer.hold_hand(False)
    assert bench.rects() == [] and bench.canvas.port.left > before


def test_fit_and_actual_size(bench: Bench) -> None:
    bench.canvas.zoom(3)
    bench.canvas.zoom_actual()
    assert bench.canvas.port.scale == 1.0
    bench.canvas.zoom_fit()
    assert bench.canvas.port.is_fit and bench.canvas.port.to_canvas(400, 300) == pytest.approx((500, 350))


def test_zoom_and_place_are_kept_between_images(bench: Bench) -> None:
    bench.canvas.port.set_scale(4, 300, 300)
    before = bench.canvas.view
    bench.canvas.show_picture(picture())
    assert (bench.canvas.view.scale, bench.canvas.view.x) == pytest.approx((before.scale, before.x))


def test_hidden_boxes_are_not_drawn_and_come_back(bench: Bench) -> None:
    bench.drag((100, 100), (200, 150))
    bench.canvas.set_boxes_shown(False)
    assert bench.canvas.items.boxes == ()
    bench.canvas.set_boxes_shown(True)
    assert len(bench.canvas.items.boxes) == 1


def test_the_picture_is_drawn_where_coordinates_say(bench: Bench) -> None:
    """The pixel shown at a canvas point is the image's: sharp edges of a chess board at odd scales."""
    board = np.kron(np.indices((30, 40)).sum(0) % 2, np.ones((20, 20)))[:, :, None].astype(np.uint8) * np.uint8(255)
    shown = Picture(np.repeat(board, 3, axis=2))
    port = bench.canvas.port
    port.set_image(shown.width, shown.height)
    for scale in (0.4, 1.0, 1.37, 3.3, 9.1):
        port.set_scale(scale, 500, 350)
        port.centre_on(413.7, 288.2)
        made = shown.render(port)
        assert made is not None
        pixels, x, y = made
        for ix in range(30, 780, 20):
            cx, cy = port.to_canvas(ix, 310)
            column, row = round(cx - x), round(cy - y)
            if 0 <= column < pixels.shape[1] and 0 <= row < pixels.shape[0] and 0 <= cx < 1000:
                assert (int(pixels[row, column, 0]) > 127) == (int(board[310, ix, 0]) > 127), (scale, ix)


def test_brightness_and_contrast_change_the_view_only(bench: Bench) -> None:
    assert Adjustment().table() is None
    brighter, harder = Adjustment(brightness=50).table(), Adjustment(contrast=50).table()
    assert brighter is not None and harder is not None
    assert brighter[100] > 100 and harder[50] < 50 and harder[200] > 200
    before = bench.canvas.picture.levels[0].copy() if bench.canvas.picture else None
    bench.canvas.set_adjustment(Adjustment(60, 30))
    bench.canvas.update()
    assert bench.canvas.picture is not None and np.array_equal(bench.canvas.picture.levels[0], before)  # type: ignore[arg-type]


def test_no_picture_is_said_and_takes_no_boxes(bench: Bench) -> None:
    bench.canvas.show_picture(None, "The file is gone.")
    bench.drag((100, 100), (200, 150))
    assert bench.rects() == []


def test_label_text_can_be_read_on_every_colour() -> None:
    assert ink_on("#ffffff") == "#000000" and ink_on("#f0e442") == "#000000"
    assert ink_on("#000000") == "#ffffff" and ink_on("#5e2a84") == "#ffffff"
