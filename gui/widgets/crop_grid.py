"""A wall of small pictures, any number of them: only what is seen is drawn and asked for. Pictures are opened and selected.

A row is what the user of the grid numbers its pictures by; the wall shows rows in an order. A click opens a picture, its circle
or Ctrl selects it, Shift selects up to it; once something is selected a plain click selects too, and a double click opens.
"""

from __future__ import annotations

import tkinter as tk
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageTk

from ..tk import fonts
from ..tk.theme import Theme
from .virtual import VirtualCanvas, on_click

PICTURE_PX = 124
_GAP_PX, _PAD_PX, _LINE_PX, _CIRCLE_PX = 10, 6, 20, 30
_KEPT = 600
_CONTROL, _SHIFT = 0x4, 0x1

Rows = NDArray[np.int64]


@dataclass
class CropEvents:
    """wanted: the rows whose pictures are missing, all that are seen; each call replaces the one before."""

    open: Callable[[int], object]
    selected: Callable[[], object]
    wanted: Callable[[Sequence[int]], object]
    line: Callable[[int], str]  # the words below a picture


class CropGrid(VirtualCanvas):
    """Arrow keys move, Space selects, Enter opens."""

    def __init__(self, parent: tk.Misc, theme: Theme, events: CropEvents) -> None:
        super().__init__(parent, theme)
        self.events = events
        self.rows: Rows = np.empty(0, np.int64)
        self._chosen: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._pictures: OrderedDict[int, ImageTk.PhotoImage | None] = OrderedDict()
        self._empty = ""
        self._hover: int | None = None
        self._anchor: int | None = None
        self.cursor: int | None = None  # a place, not a row
        on_click(self.canvas, self._clicked)
        self.canvas.bind("<Double-ButtonPress-1>", lambda event: self._open(self.place_at(event.x, event.y)))
        self.canvas.bind("<Motion>", lambda event: self._hovered(self.place_at(event.x, event.y)))
        self.canvas.bind("<Leave>", lambda _event: self._hovered(None))
        for key, columns, lines in (("<Left>", -1, 0), ("<Right>", 1, 0), ("<Up>", 0, -1), ("<Down>", 0, 1)):
            self.canvas.bind(key, lambda _event, c=columns, n=lines: self._move(c, n))  # type: ignore[misc]
        self.canvas.bind("<Return>", lambda _event: self._open(self.cursor))
        self.canvas.bind("<space>", lambda _event: self._toggle_cursor())
        self.canvas.bind("<Prior>", lambda _event: self.scroll_by(-self.height))
        self.canvas.bind("<Next>", lambda _event: self.scroll_by(self.height))

    # ---- for the screen

    def show(self, rows: Rows, empty: str = "") -> None:
        """Other pictures: nothing is selected any more. empty: what is said where there are none."""
        self.rows, self._empty = rows, empty
        self._chosen = np.zeros(int(rows.max()) + 1 if len(rows) else 0, np.bool_)
        self._pictures.clear()
        self._anchor = self.cursor = self._hover = None
        self.scroll_to(self.top)

    def reorder(self, rows: Rows) -> None:
        """The same rows in another order, from its beginning."""
        self.rows = rows
        self._anchor = self.cursor = self._hover = None
        self.scroll_to(0)

    def set_picture(self, row: int, picture: Image.Image | None) -> None:
        """None: it can't be shown."""
        self._pictures[row] = None if picture is None else ImageTk.PhotoImage(picture)
        while len(self._pictures) > _KEPT:
            self._pictures.popitem(last=False)
        self.redraw()

    @property
    def selection(self) -> Rows:
        """The selected rows."""
        return np.flatnonzero(self._chosen)

    def select_all(self) -> None:
        self._chosen[self.rows] = True
        self._selected()

    def select_none(self) -> None:
        self._chosen[:] = False
        self._selected()

    def place_at(self, x: int, y: int) -> int | None:
        columns, width, height = self._metrics()
        column, line = x // width, (y + self.top) // height
        place = line * columns + column
        below = (y + self.top) % height
        inside = column < columns and x % width < self._side and below < self._side + self.theme.px(_LINE_PX)
        return place if inside and 0 <= place < len(self.rows) else None

    def corner_of(self, place: int) -> tuple[int, int]:
        """The upper left corner on the canvas, in pixels."""
        columns, width, height = self._metrics()
        return place % columns * width, place // columns * height - self.top

    # ---- drawing

    def _metrics(self) -> tuple[int, int, int]:
        """Columns, and the width and height of a place with its gap, in pixels. What is left of the width goes into the gaps."""
        side, gap = self._side, self.theme.px(_GAP_PX)
        columns = max(1, (self.width + gap) // (side + gap))
        return columns, max(side + gap, self.width // columns), side + self.theme.px(_LINE_PX) + gap

    @property
    def _side(self) -> int:
        return self.theme.px(PICTURE_PX + 2 * _PAD_PX)

    def content_height(self, width: int) -> int:
        del width
        columns, _width, height = self._metrics()
        return -(-len(self.rows) // columns) * height

    def draw(self, top: int, bottom: int) -> None:
        if not len(self.rows):
            self.text(self.theme.px(8), self.theme.px(16), self._empty, fonts.BODY, "muted", width=self.width - self.theme.px(16))
            return
        columns, _width, height = self._metrics()
        seen = range(top // height * columns, min((bottom // height + 1) * columns, len(self.rows)))
        missing = []
        for place in seen:
            row = int(self.rows[place])
            self._draw_place(place, row)
            if row in self._pictures:
                self._pictures.move_to_end(row)
            else:
                missing.append(row)
        self.events.wanted(missing)

    def _draw_place(self, place: int, row: int) -> None:
        px, (left, top) = self.theme.px, self.corner_of(place)
        side = self._side
        chosen, hover = bool(self._chosen[row]), place == self._hover
        edge = (
            "accent" if chosen else "focus" if place == self.cursor and self.has_focus else "border_strong" if hover else "border"
        )
        fill = "selected" if chosen else "hover" if hover else "card"
        self.box(left, top, side, side + px(_LINE_PX), fill, edge, line=2 if chosen or edge == "focus" else 1, radius=8)
        picture = self._pictures.get(row)
        middle = left + side // 2, top + side // 2
        if picture is not None:
            self.canvas.create_image(*middle, image=picture, anchor="center")
        elif row in self._pictures:
            self.icon(*middle, "exclamation-triangle", 20, "warning")
        words = fonts.shorten(self, fonts.SMALL, self.events.line(row), side - px(12))
        ink = "selected_text" if chosen else "muted"
        self.text(middle[0], top + side + px(_LINE_PX) // 2 - px(2), words, fonts.SMALL, ink, anchor="center")
        if chosen or hover:
            at = px(_CIRCLE_PX) // 2
            x0, y0, ground = left + at - px(9), top + at - px(9), self.theme.colour("card")
            self.canvas.create_oval(x0, y0, x0 + px(18), y0 + px(18), fill=ground, outline=ground)
            self.icon(left + at, top + at, "check-circle-fill" if chosen else "circle", 16, "accent" if chosen else "muted")

    # ---- events

    def _hovered(self, place: int | None) -> None:
        if place != self._hover:
            self._hover = place
            self.canvas.configure(cursor="hand2" if place is not None else "")
            self.redraw()

    def _clicked(self, event: tk.Event[tk.Misc]) -> None:
        place, state = self.place_at(event.x, event.y), int(event.state)
        if place is None:
            return
        left, top = self.corner_of(place)
        circle = max(event.x - left, event.y - top) < self.theme.px(_CIRCLE_PX)
        self.cursor = place
        if state & _SHIFT and self._anchor is not None:
            low, high = sorted((self._anchor, place))
            self._chosen[self.rows[low : high + 1]] = True
            self._selected()
        elif circle or state & (_CONTROL | _SHIFT) or self._chosen.any():
            self._toggle(place)
        else:
            self._open(place)

    def _toggle(self, place: int) -> None:
        self._anchor = place
        row = self.rows[place]
        self._chosen[row] = not self._chosen[row]
        self._selected()

    def _toggle_cursor(self) -> str:
        if self.cursor is not None:
            self._toggle(self.cursor)
        return "break"

    def _selected(self) -> None:
        self.events.selected()
        self.redraw()

    def _open(self, place: int | None) -> str:
        if place is not None:
            self.events.open(int(self.rows[place]))
        return "break"

    def _move(self, columns: int, lines: int) -> str:
        if len(self.rows):
            per_line, _width, height = self._metrics()
            place = 0 if self.cursor is None else self.cursor + columns + lines * per_line
            if 0 <= place < len(self.rows):
                self.cursor = place
                line = place // per_line
                self.see(line * height, (line + 1) * height)
                self.redraw()
        return "break"
