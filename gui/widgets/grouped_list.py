"""A list of cards in groups that fold, each card with three lines and a '…' menu. Draws only what can be seen."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..tk import fonts
from ..tk.theme import Theme
from .tooltip import explain
from .virtual import VirtualCanvas, on_click

_ROW_PX, _HEAD_PX, _GAP_PX, _SIDE_PX = 66, 34, 4, 10
_MENU_PX = 34


@dataclass(frozen=True, slots=True)
class Row:
    """kicker: the small line above the title. colour: a token for the status line."""

    id: int
    kicker: str
    title: str
    status: str
    colour: str = "muted"


@dataclass(frozen=True, slots=True)
class Group:
    id: str
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a head (row is None) or a row lies, in content coordinates."""

    top: int
    height: int
    group: Group
    row: Row | None


class GroupedList(VirtualCanvas):
    """Up and Down choose, Enter opens, the Menu key or F10 with Shift opens the '…' menu, Left and Right fold a group."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        chosen: Callable[[int], object],
        menu: Callable[[int, int, int], object],
        empty: str = "",
    ) -> None:
        """chosen(id); menu(id, x_root, y_root). empty: the text where there is nothing to list."""
        super().__init__(parent, theme)
        self._chosen, self._menu, self._empty = chosen, menu, empty
        self._groups: tuple[Group, ...] = ()
        self._folded: set[str] = set()
        self._lines: list[_Line] = []
        self._hover: int | None = None
        self.selected: int | None = None
        self._tip = explain(self.canvas, theme, "")
        on_click(self.canvas, self._clicked)
        self.canvas.bind("<Motion>", lambda event: self._hovered(self.row_at(event.y)))
        self.canvas.bind("<Leave>", lambda _event: self._hovered(None))
        self.canvas.bind("<ButtonPress-3>", self._right_clicked)
        for key, step in (("<Up>", -1), ("<Down>", 1)):
            self.canvas.bind(key, lambda _event, step=step: self._move(step))  # type: ignore[misc]
        self.canvas.bind("<Return>", lambda _event: self._open())
        for key in ("<Menu>", "<Shift-F10>", "<App>"):
            self._bind_where_known(key)

    def set(self, groups: Sequence[Group], empty: str | None = None) -> None:
        self._groups = tuple(groups)
        self._empty = self._empty if empty is None else empty
        self._layout()
        self.redraw()

    def select(self, row_id: int | None) -> None:
        self.selected = row_id
        line = next((line for line in self._lines if line.row is not None and line.row.id == row_id), None)
        if line is not None:
            self.see(line.top, line.top + line.height)
        self.redraw()

    def row_at(self, y: int) -> int | None:
        line = self._line_at(y)
        return line.row.id if line is not None and line.row is not None else None

    def place_of(self, row_id: int) -> tuple[int, int, int, int] | None:
        """x0, y0, x1, y1 on the canvas, for menus and tests."""
        for line in self._lines:
            if line.row is not None and line.row.id == row_id:
                return 0, line.top - self.top, self.width, line.top + line.height - self.top
        return None

    # ---- drawing ---------------------------------------------------------------------------------------------------------

    def _layout(self) -> None:
        px, top = self.theme.px, 0
        self._lines = []
        for group in self._groups:
            self._lines.append(_Line(top, px(_HEAD_PX), group, None))
            top += px(_HEAD_PX)
            if group.id in self._folded:
                continue
            for row in group.rows:
                self._lines.append(_Line(top, px(_ROW_PX), group, row))
                top += px(_ROW_PX) + px(_GAP_PX)
            top += px(_GAP_PX) if group.rows else 0

    def content_height(self, width: int) -> int:
        del width
        return self._lines[-1].top + self._lines[-1].height + self.theme.px(12) if self._lines else 0

    def draw(self, top: int, bottom: int) -> None:
        if not any(group.rows for group in self._groups) and self._empty:
            x, width = self.theme.px(20), self.width - self.theme.px(40)
            y = self.content_height(0) + self.theme.px(12)
            self.text(x, y, self._empty, fonts.SMALL, "muted", width=width)
        for line in self._lines:
            if line.top < bottom and line.top + line.height > top:
                if line.row is None:
                    self._draw_head(line)
                else:
                    self._draw_row(line, line.row)

    def _draw_head(self, line: _Line) -> None:
        px, middle = self.theme.px, line.top - self.top + line.height // 2
        folded = line.group.id in self._folded
        self.icon(px(20), middle, "chevron-right" if folded else "chevron-down", 10, "muted")
        self.text(px(32), middle, line.group.title, fonts.SMALL, "muted", anchor="w")
        count = str(len(line.group.rows))
        width = max(px(22), fonts.measure(self, fonts.TINY, count) + px(12))
        left = self.width - px(_SIDE_PX) - width
        self.box(left, middle - px(9), width, px(18), "hover", "hover", radius=8)
        self.text(left + width // 2, middle, count, fonts.TINY, "muted", anchor="center")

    def _draw_row(self, line: _Line, row: Row) -> None:
        px, y = self.theme.px, line.top - self.top
        chosen, hover = row.id == self.selected, row.id == self._hover
        left, width = px(_SIDE_PX), self.width - 2 * px(_SIDE_PX)
        if chosen or hover:
            edge = "focus" if chosen and self.has_focus else "selected" if chosen else "hover"
            self.box(left, y, width, line.height, "selected" if chosen else "hover", edge, line=2 if edge == "focus" else 1)
        room = self._room(chosen or hover)
        x, ink = left + px(12), "selected_text" if chosen else "text"
        self.text(x, y + px(8), row.kicker, fonts.TINY, "muted" if chosen else "faint")
        self.text(x, y + px(24), fonts.shorten(self, fonts.STRONG, row.title, room), fonts.STRONG, ink)
        self.text(x, y + px(43), fonts.shorten(self, fonts.SMALL, row.status, room), fonts.SMALL, row.colour)
        if chosen or hover:
            self.icon(left + width - px(20), y + line.height // 2, "three-dots", 16, "muted")

    # ---- events ----------------------------------------------------------------------------------------------------------

    def _bind_where_known(self, key: str) -> None:
        try:
            self.canvas.bind(key, lambda _event: self._menu_for(self.selected))
        except tk.TclError:
            return  # this keyboard has no such key

    def _line_at(self, y: int) -> _Line | None:
        content_y = y + self.top
        return next((line for line in self._lines if line.top <= content_y < line.top + line.height), None)

    def _hovered(self, row_id: int | None) -> None:
        if row_id != self._hover:
            self._hover = row_id
            self.canvas.configure(cursor="hand2" if row_id is not None else "")
            self._tell_all_of(row_id)
            self.redraw()

    def _tell_all_of(self, row_id: int | None) -> None:
        """What the card has no room for."""
        place = None if row_id is None else self.place_of(row_id)
        row = next((line.row for line in self._lines if line.row is not None and line.row.id == row_id), None)
        if row is None or place is None:
            self._tip.offer("", 0, 0)
            return
        room = self._room(marked=True)
        cut = [
            text
            for text, font in ((row.title, fonts.STRONG), (row.status, fonts.SMALL))
            if fonts.measure(self, font, text) > room
        ]
        x = self.canvas.winfo_rootx() + place[0] + self.theme.px(_SIDE_PX)
        self._tip.offer("\n".join(cut), x, self.canvas.winfo_rooty() + place[3] + self.theme.px(2))

    def _room(self, marked: bool) -> int:
        """For the words of a card; the menu takes some when the card is chosen or under the pointer."""
        return self.width - 2 * self.theme.px(_SIDE_PX) - self.theme.px(24) - (self.theme.px(_MENU_PX) if marked else 0)

    def _clicked(self, event: tk.Event[tk.Misc]) -> None:
        line = self._line_at(event.y)
        if line is None:
            return
        if line.row is None:
            self._fold(line.group.id)
        elif event.x > self.width - self.theme.px(_SIDE_PX + _MENU_PX):
            self._menu(line.row.id, event.x_root, event.y_root)
        else:
            self.selected = line.row.id
            self.redraw()
            self._chosen(line.row.id)

    def _right_clicked(self, event: tk.Event[tk.Misc]) -> None:
        row_id = self.row_at(event.y)
        if row_id is not None:
            self._menu(row_id, event.x_root, event.y_root)

    def _menu_for(self, row_id: int | None) -> None:
        place = None if row_id is None else self.place_of(row_id)
        if row_id is not None and place is not None:
            x = self.canvas.winfo_rootx() + place[2] - self.theme.px(_MENU_PX)
            self._menu(row_id, x, self.canvas.winfo_rooty() + place[1] + self.theme.px(30))

    def _fold(self, group_id: str) -> None:
        self._folded ^= {group_id}
        self._layout()
        self.redraw()

    def _move(self, step: int) -> str:
        ids = [line.row.id for line in self._lines if line.row is not None]
        if ids:
            index = ids.index(self.selected) + step if self.selected in ids else 0
            self.select(ids[max(0, min(index, len(ids) - 1))])
        return "break"

    def _open(self) -> str:
        if self.selected is not None:
            self._chosen(self.selected)
        return "break"
