"""A list of rows of one height; a row is painted by the subclass, which may name parts of it as zones ("trash"): a press
says which zone it hit. The base of the editor's lists.
"""

from __future__ import annotations

import tkinter as tk

from gui.tk import fonts
from gui.tk.theme import Theme

from .virtual import VirtualCanvas


class RowList(VirtualCanvas):
    """height: rows that are shown at least, where the parent gives no more room."""

    def __init__(self, parent: tk.Misc, theme: Theme, row_px: int = 32, height: int = 4) -> None:
        self._row_px = row_px
        self._count = 0
        self._zones: list[tuple[int, str, float, float, float, float]] = []
        self.hovered: int | None = None
        super().__init__(parent, theme)
        self.canvas.configure(height=theme.px(row_px) * height, width=theme.px(200))
        self.canvas.bind("<Motion>", self._moved)
        self.canvas.bind("<Leave>", lambda _event: self._hover(None))
        self.canvas.bind("<ButtonPress-1>", lambda event: self._press(event, double=False))
        self.canvas.bind("<Double-ButtonPress-1>", lambda event: self._press(event, double=True))
        self.canvas.bind("<ButtonPress-3>", self._menu)

    # --- for subclasses

    def paint_row(self, index: int, top: float, width: float) -> None:
        raise NotImplementedError

    def pressed(self, index: int, zone: str, event: tk.Event[tk.Misc]) -> None:
        """zone: "" outside every zone."""

    def double_pressed(self, index: int, zone: str, event: tk.Event[tk.Misc]) -> None:
        self.pressed(index, zone, event)

    def menu_wanted(self, index: int, event: tk.Event[tk.Misc]) -> None:
        pass

    def row_hovered(self, index: int | None) -> None:
        pass

    def zone(self, index: int, name: str, left: float, top: float, right: float, bottom: float) -> None:
        self._zones.append((index, name, left, top, right, bottom))

    def words(
        self, x: float, y: float, text: str, colour: str, font: str = fonts.BODY, anchor: str = "w", room: float = 0
    ) -> float:
        """Draws text in the middle of y and returns its width in px; room: shortened to fit."""
        if room:
            text = fonts.shorten(self.canvas, font, text, int(room))
        self.text(round(x), round(y), text, font, colour, anchor=anchor)
        return float(fonts.measure(self.canvas, font, text))

    def zone_icon(self, index: int, name: str, zone: str, x: float, y: float, colour: str = "muted") -> None:
        """An icon around (x, y) that can be pressed."""
        self.icon(round(x), round(y), name, 14, colour)
        reach = self.theme.px(11)
        self.zone(index, zone, x - reach, y - reach, x + reach, y + reach)

    def band(self, top: float, width: float, colour: str) -> None:
        """The background of a row."""
        self.box(0, round(top) + 1, round(width), self.row_px - 2, colour, colour, radius=6)

    # --- for users

    @property
    def row_px(self) -> int:
        return self.theme.px(self._row_px)

    @property
    def count(self) -> int:
        return self._count

    def set_count(self, count: int) -> None:
        self._count = count
        if self.hovered is not None and self.hovered >= count:
            self._hover(None)
        self.redraw()

    def see_row(self, index: int) -> None:
        """Scrolls as little as shows the row."""
        self.see(index * self.row_px, (index + 1) * self.row_px)

    def row_at(self, y: float) -> int | None:
        index = int((y + self.top) // self.row_px)
        return index if 0 <= index < self._count else None

    def row_box(self, index: int) -> tuple[int, int]:
        """(top, bottom) on the canvas."""
        top = index * self.row_px - self.top
        return top, top + self.row_px

    def zone_box(self, index: int, name: str) -> tuple[float, float, float, float] | None:
        """Where a part of a row was drawn last, canvas pixels."""
        return next((zone[2:] for zone in self._zones if zone[:2] == (index, name)), None)

    # --- inside

    def content_height(self, width: int) -> int:
        return self._count * self.row_px

    def draw(self, top: int, bottom: int) -> None:
        self._zones.clear()
        for index in range(top // self.row_px, min(self._count, bottom // self.row_px + 1)):
            self.paint_row(index, index * self.row_px - top, self.width)

    def _zone_at(self, x: float, y: float) -> str:
        return next((zone[1] for zone in self._zones if zone[2] <= x <= zone[4] and zone[3] <= y <= zone[5]), "")

    def _press(self, event: tk.Event[tk.Misc], double: bool) -> None:
        self.canvas.focus_set()
        index = self.row_at(event.y)
        if index is not None:
            zone = self._zone_at(event.x, event.y)
            (self.double_pressed if double and not zone else self.pressed)(index, zone, event)

    def _menu(self, event: tk.Event[tk.Misc]) -> None:
        index = self.row_at(event.y)
        if index is not None:
            self.menu_wanted(index, event)

    def _moved(self, event: tk.Event[tk.Misc]) -> None:
        self._hover(self.row_at(event.y))
        cursor = "hand2" if self._zone_at(event.x, event.y) else ""
        if str(self.canvas.cget("cursor")) != cursor:
            self.canvas.configure(cursor=cursor)

    def _hover(self, index: int | None) -> None:
        if index != self.hovered:
            self.hovered = index
            self.row_hovered(index)
            self.redraw()
