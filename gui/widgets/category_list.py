"""The editor's categories: colour, name, number of boxes, digit key; the active one is marked by a bar, bold type and ground.

Values in, callbacks out. Names are written in place; "+" opens a line for a new one.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk

from gui.tk import fonts
from gui.tk.lifetime import watch
from gui.tk.theme import Theme

from .colour_picker import SAFE_COLOURS, ColourPicker
from .controls import SearchField, button, entry, label
from .new_category import NewCategory
from .row_list import RowList

SEARCH_FROM = 10


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """boxes: how many are submitted in the group. number: what its key is called by, 0 for none."""

    id: int
    name: str
    colour: str
    boxes: int = 0
    number: int = 0
    hidden: bool = False
    locked: bool = False


def _no_complaint(_name: str, _category_id: int | None) -> str | None:
    return None


def _ignore(*_: object) -> None:
    pass


@dataclass
class CategoryEvents:
    """check(name, id or None for a new one) -> the sentence that says why the name can't be taken."""

    activate: Callable[[int], object] = _ignore
    add: Callable[[str, str], object] = _ignore
    rename: Callable[[int, str], object] = _ignore
    recolour: Callable[[int, str], object] = _ignore
    delete: Callable[[int], object] = _ignore
    reorder: Callable[[list[int]], object] = _ignore
    hide: Callable[[int, bool], object] = _ignore
    lock: Callable[[int, bool], object] = _ignore
    show_all: Callable[[int], object] = _ignore
    check: Callable[[str, int | None], str | None] = _no_complaint
    next_colour: Callable[[Sequence[str]], str] = lambda _used: SAFE_COLOURS[0]
    palette: Sequence[str] = SAFE_COLOURS


class CategoryList(ttk.Frame):
    """Header with count and "+", the line for a new one, search when the list is long, the rows."""

    def __init__(self, parent: tk.Misc, theme: Theme, events: CategoryEvents, height: int = 5) -> None:
        super().__init__(parent, style=theme.style("", theme.surface_of(parent), "TFrame"))
        self.theme, self.events = theme, events
        self._height = height
        self.rows: tuple[CategoryRow, ...] = ()
        self.active: int | None = None
        self.columnconfigure(0, weight=1)
        self.rowconfigure(4, weight=1)
        head = ttk.Frame(self, style=theme.style("", theme.surface_of(parent), "TFrame"))
        head.grid(row=0, column=0, sticky="ew")
        self.title = label(head, theme, "Categories (0)", "Strong")
        self.title.pack(side="left")
        self.add_button = button(head, theme, "", self.open_new, kind="Primary", icon="plus-lg", tip="Add a category")
        self.add_button.pack(side="right")
        self.new = NewCategory(self, theme, self._add, lambda name: events.check(name, None), events.palette, self.close_new)
        self._search = tk.StringVar(self)
        self._search_box = SearchField(self, theme, self._search, "Search categories")
        watch(self, self._search, self._filter)
        self._search_box.field.bind("<Return>", lambda _event: self._take_found())
        self._search_box.field.bind("<Escape>", lambda _event: self._leave_search())
        self.list = _Rows(self, theme, self, height)
        self.list.grid(row=4, column=0, sticky="nsew", pady=(theme.px(6), 0))

    def show(self, rows: Sequence[CategoryRow], active: int | None) -> None:
        """Draws these; keeps scrolling and search."""
        changed = active != self.active
        self.rows, self.active = tuple(rows), active
        self.title.configure(text=f"Categories ({len(rows)})")
        if len(rows) >= SEARCH_FROM:
            self._search_box.grid(row=3, column=0, sticky="ew", pady=(self.theme.px(6), 0))
        else:
            self._search.set("")
            self._search_box.grid_remove()
        self.list.canvas.configure(height=min(max(len(rows), 2), self._height) * self.list.row_px)
        self._filter()
        if changed and active is not None:
            at = next((index for index, row in enumerate(self.list.rows) if row.id == active), None)
            if at is not None:
                self.list.see_row(at)

    def open_new(self) -> None:
        """The line for a new category, or away with it."""
        if self.new.winfo_ismapped():
            self.close_new()
            return
        self.new.grid(row=1, column=0, sticky="ew", pady=(self.theme.px(6), 0))
        self.new.start(self.events.next_colour([row.colour for row in self.rows]))

    def find(self) -> None:
        """The field to search by name, for lists that are long enough to have one."""
        if self._search_box.winfo_ismapped():
            self._search_box.field.focus_set()
            self._search_box.field.select_range(0, "end")
        else:
            self.list.canvas.focus_set()

    def _take_found(self) -> str:
        """Enter in the search makes the first hit active."""
        if self.list.rows:
            found = self.list.rows[0].id
            self._search.set("")
            self.list.canvas.focus_set()
            self.events.activate(found)
        return "break"

    def _leave_search(self) -> str:
        self._search.set("")
        self.list.canvas.focus_set()
        return "break"

    def close_new(self) -> None:
        self.new.grid_remove()
        self.list.canvas.focus_set()

    def rename(self, category_id: int | None) -> None:
        """Opens the field over the name."""
        self.list.edit(category_id)

    def _add(self, name: str, colour: str) -> None:
        self.events.add(name, colour)
        self.new.start(self.events.next_colour([*(row.colour for row in self.rows), colour]))

    def _filter(self) -> None:
        wanted = self._search.get().strip().lower()
        self.list.rows = [row for row in self.rows if wanted in row.name.lower()]
        self.list.set_count(len(self.list.rows))


class _Rows(RowList):
    """The rows, with renaming in place and sorting by drag."""

    def __init__(self, parent: tk.Misc, theme: Theme, owner: CategoryList, height: int) -> None:
        super().__init__(parent, theme, 34, height)
        self.owner = owner
        self.rows: list[CategoryRow] = []
        self._edited: tuple[int, ttk.Entry, tk.StringVar] | None = None
        self._dragged: tuple[int, int] | None = None  # (index, y of the press)
        self._target: int | None = None
        self.canvas.bind("<B1-Motion>", self._drag)
        self.canvas.bind("<ButtonRelease-1>", self._drop)
        self.canvas.bind("<Key-F2>", lambda _event: self.edit(owner.active))
        self.canvas.bind("<Up>", lambda _event: self._step(-1))
        self.canvas.bind("<Down>", lambda _event: self._step(1))

    def paint_row(self, index: int, top: float, width: float) -> None:
        row, px = self.rows[index], self.theme.px
        middle, active, hovered = top + self.row_px / 2, row.id == self.owner.active, index == self.hovered
        if active or hovered:
            self.band(top, width, "selected" if active else "hover")
        if active:
            self.canvas.create_rectangle(0, top + 4, px(3), top + self.row_px - 4, fill=self.theme.colour("accent"), width=0)
        side, left = px(14), px(14)
        self.canvas.create_rectangle(
            left,
            middle - side / 2,
            left + side,
            middle + side / 2,
            fill=row.colour,
            outline=self.theme.colour("border_strong"),
        )
        self.zone(index, "colour", left - 3, middle - side, left + side + 3, middle + side)
        right = width - px(14)
        if row.number:
            self._chip(str(row.number), right - px(9), middle, active)
        right -= px(30)
        if hovered:
            self.zone_icon(index, "three-dots", "menu", right - px(6), middle, "text")
            right -= px(24)
        if hovered or row.hidden:
            self.zone_icon(
                index, "eye-slash" if row.hidden else "eye", "hide", right - px(6), middle, "text" if hovered else "muted"
            )
            right -= px(26)
        if row.locked:
            self.zone_icon(index, "lock-fill", "lock", right - px(6), middle, "text" if hovered else "muted")
            right -= px(24)
        if not hovered:
            ink = "selected_text" if active else "muted"
            right -= self.words(right, middle, f"{row.boxes:,}", ink, fonts.SMALL, "e") + px(8)
        ink = "selected_text" if active else "muted" if row.hidden else "text"
        self.words(
            left + side + px(10), middle, row.name, ink, fonts.STRONG if active else fonts.BODY, room=right - left - side - px(14)
        )
        if self._target is not None and self._dragged is not None and index == min(self._target, self.count - 1):
            y = top if self._target <= index else top + self.row_px
            self.canvas.create_line(px(6), y, width - px(6), y, fill=self.theme.colour("accent"), width=2)

    def _chip(self, text: str, x: float, y: float, active: bool) -> None:
        half, wide = self.theme.px(9), self.theme.px(9 if len(text) == 1 else 11)
        ink = self.theme.colour("selected_text" if active else "muted")
        self.canvas.create_rectangle(x - wide, y - half, x + wide, y + half, outline=ink)
        self.canvas.create_text(x, y, text=text, fill=ink, font=fonts.SMALL)

    def pressed(self, index: int, zone: str, event: tk.Event[tk.Misc]) -> None:
        self._end_edit(take=True)
        row = self.rows[index]
        if zone == "hide":
            self.owner.events.hide(row.id, not row.hidden)
        elif zone == "lock":
            self.owner.events.lock(row.id, not row.locked)
        elif zone == "menu":
            self.menu_wanted(index, event)
        elif zone == "colour":
            self._pick_colour(row, event.x_root, event.y_root + 8)
        else:
            self._dragged = (index, event.y)
            self.owner.events.activate(row.id)

    def double_pressed(self, index: int, zone: str, event: tk.Event[tk.Misc]) -> None:
        self._dragged = None
        self.edit(self.rows[index].id)

    def menu_wanted(self, index: int, event: tk.Event[tk.Misc]) -> None:
        row, events, ids = self.rows[index], self.owner.events, [each.id for each in self.owner.rows]
        at = ids.index(row.id)
        menu = self.theme.menu(self)
        menu.add_command(label="Rename   F2", command=lambda: self.edit(row.id))
        x, y = event.x_root, event.y_root
        menu.add_command(
            label="Change colour…",
            command=lambda: self._pick_colour(row, x, y),
        )
        menu.add_command(label="Show boxes" if row.hidden else "Hide boxes", command=lambda: events.hide(row.id, not row.hidden))
        menu.add_command(
            label="Unlock boxes" if row.locked else "Lock boxes", command=lambda: events.lock(row.id, not row.locked)
        )
        menu.add_command(label="Show all its boxes…", command=lambda: events.show_all(row.id))
        menu.add_separator()
        menu.add_command(label="Move up", state="normal" if at else "disabled", command=lambda: self._move(row.id, at - 1))
        last = at == len(ids) - 1
        menu.add_command(label="Move down", state="disabled" if last else "normal", command=lambda: self._move(row.id, at + 1))
        menu.add_separator()
        menu.add_command(label="Delete…", command=lambda: events.delete(row.id))
        menu.tk_popup(x, y)

    def _pick_colour(self, row: CategoryRow, x: int, y: int) -> None:
        events = self.owner.events
        ColourPicker(self, self.theme, (x, y), row.colour, lambda colour: events.recolour(row.id, colour), events.palette)

    # --- renaming

    def edit(self, category_id: int | None) -> None:
        index = next((at for at, row in enumerate(self.rows) if row.id == category_id), None)
        if index is None:
            return
        self._end_edit(take=True)
        self.see_row(index)
        name = tk.StringVar(self, self.rows[index].name)
        field = entry(self, self.theme, name)
        top, bottom = self.row_box(index)
        field.place(x=self.theme.px(34), y=top, width=self.canvas.winfo_width() - self.theme.px(40), height=bottom - top)
        field.select_range(0, "end")
        field.icursor("end")
        field.focus_set()
        field.bind("<Return>", lambda _event: self._end_edit(take=True, back=True))
        field.bind("<Escape>", lambda _event: self._end_edit(take=False, back=True))
        field.bind("<FocusOut>", lambda _event: self._end_edit(take=True))
        self._edited = (self.rows[index].id, field, name)

    def _end_edit(self, take: bool, back: bool = False) -> str:
        edited, self._edited = self._edited, None
        if edited is None:
            return "break"
        category_id, field, variable = edited
        before = next((row.name for row in self.owner.rows if row.id == category_id), "")
        name = variable.get().strip()
        field.destroy()
        if back:
            self.canvas.focus_set()
        if take and name != before:
            self.owner.events.rename(category_id, name)
        return "break"

    # --- sorting

    def _drag(self, event: tk.Event[tk.Misc]) -> None:
        if self._dragged is None or len(self.rows) != len(self.owner.rows) or abs(event.y - self._dragged[1]) < 6:
            return
        self._target = max(0, min(self.count, round((event.y + self.top) / self.row_px)))
        self.redraw()

    def _drop(self, _event: tk.Event[tk.Misc]) -> None:
        dragged, target = self._dragged, self._target
        self._dragged = self._target = None
        if dragged is not None and target is not None:
            self._move(self.rows[dragged[0]].id, target - (target > dragged[0]))
        self.redraw()

    def _move(self, category_id: int, to: int) -> None:
        before = [row.id for row in self.owner.rows]
        ids = [each for each in before if each != category_id]
        ids.insert(to, category_id)
        if ids != before:
            self.owner.events.reorder(ids)

    def _step(self, by: int) -> str:
        at = next((index for index, row in enumerate(self.rows) if row.id == self.owner.active), None)
        index = 0 if at is None else at + by
        if 0 <= index < len(self.rows):
            self.owner.events.activate(self.rows[index].id)
            self.see_row(index)
        return "break"
