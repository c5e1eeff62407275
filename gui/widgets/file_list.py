"""A list of files with states, for any number of them: only visible lines are drawn."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..tk import fonts
from ..tk.theme import Theme
from .virtual import VirtualCanvas, on_click

_LINE_PX = 28


@dataclass(frozen=True, slots=True)
class FileEntry:
    """state: a key of the list's marks. detail: at the right end ("3 boxes", "negative")."""

    id: int
    name: str
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a state is shown: by icon and colour, so that no meaning is by colour alone."""

    icon: str
    colour: str


class FileList(VirtualCanvas):
    """Up, Down, Page Up, Page Down, Home, End choose. Filtering is the caller's: it sets the entries to show."""

    def __init__(
        self, parent: tk.Misc, theme: Theme, marks: Mapping[str, Mark], chosen: Callable[[int], object], empty: str = ""
    ) -> None:
        super().__init__(parent, theme)
        self._marks, self._chosen, self._empty = marks, chosen, empty
        self._ids: Sequence[int] = ()
        self._describe: Callable[[int], FileEntry] = dict[int, FileEntry]().__getitem__
        self._changed: dict[int, FileEntry] = {}
        self._index: dict[int, int] = {}
        self._hover = -1
        self.selected: int | None = None
        on_click(self.canvas, self._clicked)
        self.canvas.bind("<Motion>", lambda event: self._hovered(self._line_at(event.y)))
        self.canvas.bind("<Leave>", lambda _event: self._hovered(-1))
        for key, step in (("<Up>", -1), ("<Down>", 1), ("<Prior>", -15), ("<Next>", 15), ("<Home>", -(10**9)), ("<End>", 10**9)):
            self.canvas.bind(key, lambda _event, step=step: self._move(step))  # type: ignore[misc]

    @property
    def entries(self) -> Sequence[FileEntry]:
        return [self._entry(file_id) for file_id in self._ids]

    def set_entries(self, entries: Sequence[FileEntry]) -> None:
        """In the order to be shown. The chosen one stays chosen if it is still there."""
        self.set_files([entry.id for entry in entries], {entry.id: entry for entry in entries}.__getitem__)

    def set_files(self, ids: Sequence[int], describe: Callable[[int], FileEntry]) -> None:
        """The same for very many: describe is asked only for the lines that are drawn."""
        self._ids, self._describe = ids, describe
        self._changed.clear()
        self._index = {file_id: line for line, file_id in enumerate(ids)}
        if self.selected not in self._index:
            self.selected = None
        self.redraw()

    def update_entry(self, entry: FileEntry) -> None:
        """Shows another state of one file; nothing if it is not in the list."""
        if entry.id in self._index:
            self._changed[entry.id] = entry
            self.redraw()

    def select(self, file_id: int | None) -> None:
        """Marks a file and shows it; does not call `chosen`."""
        self.selected = file_id
        line = self._index.get(file_id) if file_id is not None else None
        if line is not None:
            height = self.theme.px(_LINE_PX)
            self.see(line * height, (line + 1) * height)
        self.redraw()

    def neighbour(self, step: int) -> int | None:
        """The id of the file so many lines from the chosen one, or None beyond the ends."""
        line = self._index.get(self.selected, -1) + step if self.selected is not None else 0
        return self._ids[line] if 0 <= line < len(self._ids) else None

    def place_of(self, file_id: int) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 on the canvas. Raises KeyError."""
        height, line = self.theme.px(_LINE_PX), self._index[file_id]
        return 0, line * height - self.top, self.width, (line + 1) * height - self.top

    # ---- drawing -----------------------------------------------------------------------------------------------------

    def content_height(self, width: int) -> int:
        del width
        return len(self._ids) * self.theme.px(_LINE_PX)

    def draw(self, top: int, bottom: int) -> None:
        if not self._ids and self._empty:
            self.text(
                self.theme.px(12), self.theme.px(12), self._empty, fonts.SMALL, "muted", width=self.width - self.theme.px(24)
            )
        height = self.theme.px(_LINE_PX)
        for line in range(max(0, top // height), min(len(self._ids), bottom // height + 1)):
            self._draw_line(line, line * height - self.top, height)

    def _draw_line(self, line: int, y: int, height: int) -> None:
        entry, px, width = self._entry(self._ids[line]), self.theme.px, self.width
        chosen = entry.id == self.selected
        if chosen or line == self._hover:
            fill = "selected" if chosen else "hover"
            edge = "focus" if chosen and self.has_focus else fill
            self.box(px(4), y, width - px(8), height, fill, edge, radius=6)
        mark = self._marks.get(entry.state)
        if mark is not None:
            self.icon(px(18), y + height // 2, mark.icon, 12, mark.colour)
        room = width - px(44)
        if entry.detail:
            room -= fonts.measure(self, fonts.TINY, entry.detail) + px(8)
            self.text(width - px(12), y + height // 2, entry.detail, fonts.TINY, "muted", anchor="e")
        ink = "selected_text" if chosen else "text"
        self.text(px(32), y + height // 2, fonts.shorten(self, fonts.SMALL, entry.name, room), fonts.SMALL, ink, anchor="w")

    # ---- events --------------------------------------------------------------------------------------------------------

    def _line_at(self, y: int) -> int:
        line = (y + self.top) // self.theme.px(_LINE_PX)
        return line if 0 <= line < len(self._ids) else -1

    def _hovered(self, line: int) -> None:
        if line != self._hover:
            self._hover = line
            self.redraw()

    def _clicked(self, event: tk.Event[tk.Misc]) -> None:
        line = self._line_at(event.y)
        if line >= 0:
            self._choose(self._ids[line])

    def _move(self, step: int) -> str:
        if self._ids:
            line = (-1 if self.selected is None else self._index[self.selected]) + step
            self._choose(self._ids[max(0, min(line, len(self._ids) - 1))])
        return "break"

    def _choose(self, file_id: int) -> None:
        self.select(file_id)
        self._chosen(file_id)

    def _entry(self, file_id: int) -> FileEntry:
        changed = self._changed.get(file_id)
        return self._describe(file_id) if changed is None else changed
