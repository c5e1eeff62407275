"""The boxes of the open image, grouped by class: "Crow", then "Crow-1", "Crow-2", each with its size, an eye and a trash icon."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from tkinter import ttk

from gui.tk import fonts
from gui.tk.theme import Theme

from .controls import label
from .row_list import RowList

_CONTROL, _SHIFT = 0x4, 0x1


@dataclass(frozen=True, slots=True)
class BoxRow:
    """note: its size in pixels."""

    key: int
    category: str
    colour: str
    note: str
    hidden: bool = False
    locked: bool = False


def _ignore(*_: object) -> None:
    pass


@dataclass
class BoxEvents:
    hover: Callable[[int | None], object] = _ignore
    select: Callable[[int, bool], object] = _ignore  # (key, toggle)
    open: Callable[[int], object] = _ignore  # double-click: look at it closely
    delete: Callable[[int], object] = _ignore
    hide: Callable[[int, bool], object] = _ignore
    lock: Callable[[int, bool], object] = _ignore


class BoxList(ttk.Frame):
    """empty: what is said when there are none."""

    def __init__(self, parent: tk.Misc, theme: Theme, events: BoxEvents, height: int = 5) -> None:
        super().__init__(parent, style=theme.style("", theme.surface_of(parent), "TFrame"))
        self.theme, self.events = theme, events
        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        self.title = label(self, theme, "Annotations in image (0)", "Strong")
        self.title.grid(row=0, column=0, sticky="w")
        self.empty = label(self, theme, "", "Small", wrap_px=240, justify="left")
        self.list = _Rows(self, theme, self, height)
        self.list.grid(row=2, column=0, sticky="nsew", pady=(theme.px(6), 0))

    def show(self, boxes: Sequence[BoxRow], selection: Collection[int], empty: str = "") -> None:
        """In the order of drawing; classes in the order of their first box."""
        self.title.configure(text=f"Annotations in image ({len(boxes)})")
        self.empty.configure(text=empty)
        if boxes or not empty:
            self.empty.grid_remove()
        else:
            # In the place of the rows: the lists above would jump if it needed room of its own.
            self.empty.grid(row=2, column=0, sticky="nw", pady=(self.theme.px(6), 0))
            self.empty.lift()
        self.list.take(boxes, frozenset(selection))

    def mark(self, key: int | None) -> None:
        """The pointer is over this box on the canvas."""
        self.list.mark(key)

    def names(self) -> list[str]:
        """What the rows say, from top to bottom."""
        return [line if isinstance(line, str) else line[1] for line in self.list.lines]


class _Rows(RowList):
    """lines: a class name, or (box, its name)."""

    def __init__(self, parent: tk.Misc, theme: Theme, owner: BoxList, height: int) -> None:
        super().__init__(parent, theme, 28, height)
        self.owner = owner
        self.lines: list[str | tuple[BoxRow, str]] = []
        self._colours: dict[str, tuple[str, int]] = {}
        self._selection: frozenset[int] = frozenset()
        self._marked: int | None = None

    def take(self, boxes: Sequence[BoxRow], selection: frozenset[int]) -> None:
        groups: dict[str, list[BoxRow]] = {}
        for box in boxes:
            groups.setdefault(box.category, []).append(box)
        self._colours = {name: (some[0].colour, len(some)) for name, some in groups.items()}
        self.lines = []
        for name, some in groups.items():
            self.lines.append(name)
            self.lines += [(box, f"{name}-{number}") for number, box in enumerate(some, 1)]
        fresh = selection - self._selection
        self._selection = selection
        self.set_count(len(self.lines))
        if len(fresh) == 1:
            self.see_row(next(at for at, line in enumerate(self.lines) if not isinstance(line, str) and line[0].key in fresh))

    def mark(self, key: int | None) -> None:
        if key != self._marked:
            self._marked = key
            self.redraw()

    def paint_row(self, index: int, top: float, width: float) -> None:
        line, px = self.lines[index], self.theme.px
        middle = top + self.row_px / 2
        if isinstance(line, str):
            colour, count = self._colours[line]
            half = px(6)
            self.canvas.create_rectangle(px(14), middle - half, px(14) + 2 * half, middle + half, fill=colour, width=0)
            self.words(px(36), middle, line, "text", fonts.STRONG, room=width - px(90))
            self.words(width - px(14), middle, str(count), "muted", fonts.SMALL, "e")
            return
        box, name = line
        selected, hovered = box.key in self._selection, index == self.hovered or box.key == self._marked
        if selected or hovered:
            self.band(top, width, "selected" if selected else "hover")
        ink = "selected_text" if selected else "muted" if box.hidden else "text"
        right = width - px(18)
        self.zone_icon(index, "trash", "delete", right, middle, "text" if hovered or selected else "muted")
        right -= px(22)
        if hovered or box.hidden:
            self.zone_icon(index, "eye-slash" if box.hidden else "eye", "hide", right, middle, "text")
            right -= px(22)
        if hovered or box.locked:
            self.zone_icon(index, "lock-fill" if box.locked else "unlock", "lock", right, middle, "text")
            right -= px(22)
        if not hovered:
            right -= self.words(right + px(8), middle, box.note, ink if selected else "muted", fonts.SMALL, "e")
        self.words(px(36), middle, name, ink, room=max(right - px(40), 20))

    def row_hovered(self, index: int | None) -> None:
        line = self.lines[index] if index is not None and index < len(self.lines) else None
        self.owner.events.hover(line[0].key if line is not None and not isinstance(line, str) else None)

    def pressed(self, index: int, zone: str, event: tk.Event[tk.Misc]) -> None:
        line, events = self.lines[index], self.owner.events
        if isinstance(line, str):
            return
        box = line[0]
        if zone == "delete":
            events.delete(box.key)
        elif zone == "hide":
            events.hide(box.key, not box.hidden)
        elif zone == "lock":
            events.lock(box.key, not box.locked)
        else:
            events.select(box.key, bool(int(event.state) & (_CONTROL | _SHIFT)))

    def double_pressed(self, index: int, zone: str, event: tk.Event[tk.Misc]) -> None:
        line = self.lines[index]
        if not isinstance(line, str):
            self.owner.events.open(line[0].key)
