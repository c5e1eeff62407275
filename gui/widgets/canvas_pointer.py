"""What the pointer does on a BoxCanvas: draw by drag or by two clicks, select, move, resize, rubber band, pan, zoom.

Draw mode sticks: a drag draws, also over existing boxes; a click on a box selects it, a click elsewhere is the first of two
corners. Handles and label tags stay live in it, so that the box just drawn can be set right at once. Select mode: a drag on a
box moves it, elsewhere it is a rubber band. Ctrl held is the other tool; with Ctrl or Shift a click adds to the selection.
In both a click on a suggestion accepts it, unless a smaller box or a label lies there.
"""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .canvas_rubber import Rubber

if TYPE_CHECKING:
    from .box_canvas import BoxCanvas

_CONTROL, _SHIFT = 0x4, 0x1
_DRAG_FROM_PX = 3
_CURSORS = {
    "nw": "top_left_corner",
    "n": "top_side",
    "ne": "top_right_corner",
    "e": "right_side",
    "se": "bottom_right_corner",
    "s": "bottom_side",
    "sw": "bottom_left_corner",
    "w": "left_side",
}


@dataclass
class _Press:
    """The button is down. kind: what a drag from here will be; started: whether it is one already."""

    kind: str  # draw, move, resize, band, pan, menu
    x: float
    y: float
    key: int | None = None
    handle: str = ""
    adds: bool = False
    started: bool = False
    offset: tuple[float, float] = (0.0, 0.0)  # from the pointer to the handle, in image pixels
    stamps: bool = False  # the second press of a double-click
    suggestion: int | None = None  # what a click accepts


class Pointer:
    """Bound to one canvas. position: where the pointer is, canvas pixels; None when it is elsewhere."""

    def __init__(self, canvas: BoxCanvas) -> None:
        self._canvas = canvas
        self.position: tuple[float, float] | None = None
        self._press: _Press | None = None
        self._corner: tuple[float, float] | None = None  # the first of two clicks, image pixels
        self._hand = False
        self._accepted = False  # by the click before: another at once is no double-click
        self._suggested: int | None = None  # under the pointer
        self._last_pan = (0.0, 0.0)
        self._cross = [canvas.create_line(0, 0, 0, 0, fill="#000000", state="hidden") for _ in range(2)]
        self._cross += [canvas.create_line(0, 0, 0, 0, fill="#ffffff", dash=(4, 4), state="hidden") for _ in range(2)]
        self._rubber = Rubber(canvas)
        self._bind()

    def _bind(self) -> None:
        bind = self._canvas.bind
        bind("<ButtonPress-1>", self._pressed)
        bind("<Double-ButtonPress-1>", self._double)
        bind("<Triple-ButtonPress-1>", self._pressed)
        bind("<B1-Motion>", self._dragged)
        bind("<ButtonRelease-1>", self._released)
        for button in (2, 3):
            bind(f"<ButtonPress-{button}>", self._pan_pressed)
            bind(f"<B{button}-Motion>", self._dragged)
            bind(f"<ButtonRelease-{button}>", self._released)
        bind("<Motion>", self._moved)
        bind("<Leave>", self._left)
        bind("<Button-4>", lambda event: self._wheel(event, 1))
        bind("<Button-5>", lambda event: self._wheel(event, -1))
        bind("<MouseWheel>", lambda event: self._wheel(event, event.delta / 120))
        bind("<KeyRelease>", lambda _event: self.hold_hand(False))  # whichever key holds it
        bind("<FocusOut>", lambda _event: self.hold_hand(False))
        bind("<KeyPress-Control_L>", lambda _event: self.refresh())

    # --- for the canvas and its user

    def abandon(self) -> bool:
        """Ends what is going on without an effect (Esc). Whether there was something."""
        press, self._press = self._press, None
        corner, self._corner = self._corner, None
        if press is not None and press.started and press.kind in ("move", "resize"):
            self._canvas.dragging(())
            self._canvas.events.cancel()
        self._rubber.hide()
        return (press is not None and press.started) or corner is not None

    def hold_hand(self, held: bool) -> None:
        """While it is held, the left button pans."""
        if held != self._hand:
            self._hand = held
            self.refresh()

    def refresh(self) -> None:
        """Cross-hair, cursor and the rectangle being drawn, after the view or the mode changed."""
        self._show_cross()
        self._show_cursor()
        if self._corner is not None and self.position is not None:
            self._rubber.show(self._corner, self._canvas.port.to_image(*self.position))

    # --- buttons

    def _pressed(self, event: tk.Event[tk.Misc]) -> None:
        canvas = self._canvas
        canvas.focus_set()
        if canvas.picture is None:
            return
        self.position = (event.x, event.y)
        if self._hand:
            self._press = _Press("pan", event.x, event.y)
            self._last_pan = (event.x, event.y)
        elif self._corner is None:
            self._press = self._meaning(event.x, event.y, int(event.state))
            if self._press.kind == "move" and not self._press.adds and self._press.key not in canvas.items.selection:
                canvas.events.select(self._press.key, False)
        else:
            self._press = _Press("second", event.x, event.y)

    def _meaning(self, x: float, y: float, state: int) -> _Press:
        canvas = self._canvas
        control, adds = bool(state & _CONTROL), bool(state & (_CONTROL | _SHIFT))
        handle = canvas.items.handle_at(x, y)
        if handle is not None and not adds:
            box = canvas.items.find(handle[0])
            at = canvas.port.to_image(x, y)
            offset = (0.0, 0.0)
            if box is not None:
                edges = {"w": box.left, "e": box.right, "n": box.top, "s": box.bottom}
                horizontal = next((edges[letter] - at[0] for letter in handle[1] if letter in "we"), 0.0)
                vertical = next((edges[letter] - at[1] for letter in handle[1] if letter in "ns"), 0.0)
                offset = (horizontal, vertical)
            return _Press("resize", x, y, *handle, offset=offset)
        drawing = self._draws(control, bool(state & _SHIFT))
        suggestion = None if adds else self._suggestion_at(x, y)
        if suggestion is not None:
            return _Press("draw" if drawing else "band", x, y, suggestion=suggestion)
        tag = canvas.items.tag_at(x, y)
        key = tag if tag is not None else canvas.items.box_at(x, y)
        if drawing:
            return _Press("move" if tag is not None and not adds else "draw", x, y, key, adds=adds)
        return _Press("band" if key is None else "move", x, y, key, adds=adds)

    def _suggestion_at(self, x: float, y: float) -> int | None:
        """The key of the one that a click would accept."""
        items = self._canvas.items
        found = self._canvas.suggestions.at(x, y)
        if found is None or items.handle_at(x, y) is not None or items.tag_at(x, y) is not None:
            return None
        under = items.box_at(x, y)
        box = None if under is None else items.find(under)
        return found.key if box is None or found.area < box.area else None

    def _draws(self, control: bool, shift: bool) -> bool:
        return (self._canvas.mode == "draw") != control and not (shift and not control)

    def _pan_pressed(self, event: tk.Event[tk.Misc]) -> None:
        self._canvas.focus_set()
        self._press = _Press("menu" if event.num == 3 else "pan", event.x, event.y)
        self._last_pan = (event.x, event.y)

    def _double(self, event: tk.Event[tk.Misc]) -> None:
        """The second press of a double-click."""
        canvas = self._canvas
        x, y = event.x, event.y
        accepted, self._accepted = self._accepted, False
        can_stamp = not accepted and self._suggestion_at(x, y) is None
        can_stamp = can_stamp and (canvas.mode == "draw" or canvas.items.box_at(x, y) is None)
        if canvas.picture is None or int(event.state) & (_CONTROL | _SHIFT) or canvas.items.handle_at(x, y) or not can_stamp:
            self._pressed(event)
            return
        self.abandon()
        self._press = self._meaning(x, y, int(event.state))
        self._press.stamps = True  # unless it becomes a drag

    def _dragged(self, event: tk.Event[tk.Misc]) -> None:
        self.position = (event.x, event.y)
        press = self._press
        if press is None:
            return
        if not press.started:
            if max(abs(event.x - press.x), abs(event.y - press.y)) < _DRAG_FROM_PX:
                return
            self._start(press)
        self._drag_to(press, event.x, event.y)
        self._tell_position(event.x, event.y)

    def _start(self, press: _Press) -> None:
        press.started = True
        canvas = self._canvas
        if press.kind == "menu":
            press.kind = "pan"
        if press.kind == "move" and press.key not in canvas.items.selection:
            canvas.events.select(press.key, press.adds)
        if press.kind in ("move", "resize"):
            canvas.dragging(canvas.items.selection if press.kind == "move" else {press.key} if press.key else ())
            canvas.events.begin()
        self._show_cursor()

    def _drag_to(self, press: _Press, x: float, y: float) -> None:
        canvas = self._canvas
        at = canvas.port.to_image(x, y)
        start = canvas.port.to_image(press.x, press.y)
        if press.kind == "pan":
            canvas.pan(x - self._last_pan[0], y - self._last_pan[1])
            self._last_pan = (x, y)
        elif press.kind == "move":
            canvas.events.move(at[0] - start[0], at[1] - start[1])
            self._rubber.show_size_of(press.key)
        elif press.kind == "resize" and press.key is not None:
            canvas.events.resize(press.key, press.handle, at[0] + press.offset[0], at[1] + press.offset[1])
            self._rubber.show_size_of(press.key)
        elif press.kind == "second" and self._corner is not None:
            self._rubber.show(self._corner, at)
        elif press.kind in ("draw", "band"):
            self._rubber.show(start, at, band=press.kind == "band")
        if press.kind != "pan":
            self._show_cross()

    def _released(self, event: tk.Event[tk.Misc]) -> None:
        press, self._press = self._press, None
        if press is None:
            return
        if not press.started:
            self._clicked(press, event)
        else:
            self._finished(press, self._canvas.port.to_image(event.x, event.y))
        if self._corner is None:
            self._rubber.hide()
        self._moved(event)

    def _finished(self, press: _Press, at: tuple[float, float]) -> None:
        canvas = self._canvas
        start = canvas.port.to_image(press.x, press.y)
        if press.kind in ("move", "resize"):
            canvas.dragging(())
            canvas.events.end()
        elif press.kind == "draw":
            canvas.events.draw(*start, *at)
        elif press.kind == "second":
            self._second_corner(at)
        elif press.kind == "band":
            left, right = sorted((start[0], at[0]))
            top, bottom = sorted((start[1], at[1]))
            canvas.events.band(left, top, right, bottom, press.adds)

    def _clicked(self, press: _Press, event: tk.Event[tk.Misc]) -> None:
        canvas = self._canvas
        at = canvas.port.to_image(press.x, press.y)
        self._accepted = press.suggestion is not None
        if press.suggestion is not None:
            canvas.events.accept(press.suggestion)
        elif press.stamps:
            canvas.events.stamp(*at)
        elif press.kind == "menu":
            canvas.events.menu(event.x_root, event.y_root, canvas.items.box_at(press.x, press.y))
        elif press.kind == "second":
            self._second_corner(at)
        elif press.kind == "draw":
            if press.key is not None and (press.adds or press.key not in canvas.items.selection):
                canvas.events.select(press.key, press.adds)
            elif not press.adds:
                self._corner = at
        elif press.kind == "move" and press.key is not None:
            canvas.events.select(press.key, press.adds)
        elif press.kind == "band" and not press.adds:
            canvas.events.select(None, False)

    def _second_corner(self, at: tuple[float, float]) -> None:
        corner, self._corner = self._corner, None
        if corner is not None:
            self._canvas.events.draw(*corner, *at)

    # --- moving without a button

    def _moved(self, event: tk.Event[tk.Misc]) -> None:
        self.position = (event.x, event.y)
        canvas = self._canvas
        if canvas.picture is None:
            return
        if self._corner is not None:
            self._rubber.show(self._corner, canvas.port.to_image(event.x, event.y))
        else:
            tag = canvas.items.tag_at(event.x, event.y)
            key = tag if tag is not None else canvas.items.box_at(event.x, event.y)
            if key != canvas.items.hovered:
                canvas.items.hover(key)
                canvas.events.hover(key)
            self._hover_suggestion(self._suggestion_at(event.x, event.y))
        self._show_cursor(int(event.state))
        self._show_cross()
        self._tell_position(event.x, event.y)

    def _hover_suggestion(self, key: int | None) -> None:
        if key != self._suggested:
            self._suggested = key
            self._canvas.events.suggested(key)

    def _left(self, _event: tk.Event[tk.Misc]) -> None:
        if self._press is not None:
            return
        self.position = None
        self._show_cross()
        if self._canvas.items.hovered is not None:
            self._canvas.items.hover(None)
            self._canvas.events.hover(None)
        self._hover_suggestion(None)
        self._canvas.events.pointer(None, None)

    def _wheel(self, event: tk.Event[tk.Misc], steps: float) -> None:
        self.position = (event.x, event.y)
        if int(event.state) & _SHIFT:
            self._canvas.pan(steps * 60, 0)
        else:
            self._canvas.zoom(steps, (event.x, event.y))

    def _tell_position(self, x: float, y: float) -> None:
        port = self._canvas.port
        at = port.to_image(x, y)
        inside = 0 <= at[0] <= port.image[0] and 0 <= at[1] <= port.image[1]
        self._canvas.events.pointer(*(at if inside else (None, None)))

    # --- what is drawn for it

    def _show_cursor(self, state: int = 0) -> None:
        canvas = self._canvas
        cursor = "crosshair" if self._draws(bool(state & _CONTROL), bool(state & _SHIFT)) else "left_ptr"
        if self._hand or (self._press is not None and self._press.kind == "pan"):
            cursor = "fleur"
        elif self._press is not None and self._press.kind == "resize":
            cursor = _CURSORS[self._press.handle]
        elif self.position is not None and self._corner is None and self._press is None:
            handle = canvas.items.handle_at(*self.position)
            if handle is not None:
                cursor = _CURSORS[handle[1]]
            elif self._suggestion_at(*self.position) is not None:
                cursor = "hand2"
            elif canvas.items.tag_at(*self.position) is not None or (
                cursor == "left_ptr" and canvas.items.box_at(*self.position) is not None
            ):
                cursor = "fleur"
        if str(canvas.cget("cursor")) != cursor:
            canvas.configure(cursor=cursor)

    def _show_cross(self) -> None:
        canvas = self._canvas
        shown = canvas.crosshair and canvas.mode == "draw" and self.position is not None and canvas.picture is not None
        if shown and self.position is not None:
            x, y = self.position
            width, height = canvas.port.canvas
            for item in (self._cross[0], self._cross[2]):
                canvas.coords(item, 0, y, width, y)
            for item in (self._cross[1], self._cross[3]):
                canvas.coords(item, x, 0, x, height)
        for item in self._cross:
            canvas.itemconfigure(item, state="normal" if shown else "hidden")
