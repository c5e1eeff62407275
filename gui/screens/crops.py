"""All boxes of a category as pictures: what is wrong among them is seen at a glance, opened in the editor, or set right here.

Reached from the step Annotation and from the menu of a category in the editor. The pictures are cut in the background, those that
are on the screen first; what was scrolled away is never made.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Any, ClassVar

from ..core import crops
from ..core.crops import Crops
from ..core.records import Category, Image
from ..core.wording import counted
from ..tk.commands import NUMBER_KEYS, NUMBER_SHEET, Command
from ..widgets.controls import button, combo, icon_label, label, line, set_enabled
from ..widgets.crop_grid import PICTURE_PX, CropEvents, CropGrid, Rows
from .base import Context, Screen

READING = "Reading the boxes…"
NOTHING_SELECTED = "Select boxes first: click the circle in the corner of a picture, or press Ctrl+A for all."
HINT = "Click a picture to open it in the editor; click its circle to select it."
HINT_SELECTED = "Click selects more, Shift+click up to there; a double click opens the editor."
_AT_ONCE = 2


class CropPictures:
    """Cuts what the wall shows; a new wish replaces what had not begun."""

    def __init__(self, screen: CropsScreen) -> None:
        self._screen = screen
        self._wanted: list[int] = []
        self._under_way: dict[int, frozenset[int]] = {}  # image id -> rows
        self._of: Crops | None = None

    def want(self, of: Crops, rows: Sequence[int]) -> None:
        if of is not self._of:
            self._of = of
            self._under_way.clear()
        busy = frozenset[int]().union(*self._under_way.values())
        self._wanted = [row for row in rows if row not in busy]
        self._begin()

    def _begin(self) -> None:
        of = self._of
        while of is not None and self._wanted and len(self._under_way) < _AT_ONCE:
            image = of.image(self._wanted[0])
            rows = [row for row in self._wanted if int(of.image_ids[row]) == image.id]
            self._wanted = [row for row in self._wanted if int(of.image_ids[row]) != image.id]
            self._under_way[image.id] = frozenset(rows)
            self._cut(of, image, rows)

    def _cut(self, of: Crops, image: Image, rows: Sequence[int]) -> None:
        boxes = [of.box(row) for row in rows]
        side = self._screen.theme.px(PICTURE_PX)

        def done(made: Sequence[Any]) -> None:
            if of is not self._screen.found:
                return  # these rows mean other boxes now
            self._under_way.pop(image.id, None)
            for row, picture in zip(rows, made, strict=True):
                self._screen.grid_.set_picture(row, picture)
            self._begin()

        def failed(error: BaseException) -> None:
            done([None] * len(rows))
            self._screen.context.failed(error)

        self._screen.background(lambda _progress: crops.pictures(image, boxes, side), done, failed)


class CropsScreen(Screen):
    """load(group_id, experiment_id, category_id=None, back=None): back is where Close leads, "annotation" or "editor"; without
    it and without a category everything is as it was left."""

    id: ClassVar[str] = "crops"
    title: ClassVar[str] = "All boxes of a category"
    host: ClassVar[str] = "window"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        super().__init__(parent, context)
        self.group_id = self.experiment_id = 0
        self.back = "annotation"
        self.categories: list[Category] = []
        self.category_id: int | None = None
        self.found: Crops | None = None
        self.orders: dict[str, Rows] = {}
        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        self._make_head().grid(row=0, column=0, sticky="ew")
        line(self).grid(row=1, column=0, sticky="ew")
        self.pictures = CropPictures(self)
        events = CropEvents(self.open_box, self._show_selection, self._wanted, self._line)
        self.grid_ = CropGrid(self, self.theme, events)
        pad = self.theme.px(16)
        self.grid_.grid(row=2, column=0, sticky="nsew", padx=(pad, self.theme.px(4)), pady=(pad, 0))
        line(self).grid(row=3, column=0, sticky="ew")
        self._make_foot().grid(row=4, column=0, sticky="ew")
        context.commands.register(self, self._commands())

    def _make_head(self) -> ttk.Frame:
        theme, px = self.theme, self.theme.px
        head = ttk.Frame(self, style="Chrome.TFrame")
        close = button(head, theme, "Close", lambda: self.context.commands.run("crops.close"), kind="Ghost", icon="chevron-left")
        close.pack(side="left", padx=(px(14), px(10)), pady=px(10))
        label(head, theme, "All boxes of", "Heading").pack(side="left")
        self.category_name = tk.StringVar(self)
        self.category_box = combo(head, theme, self.category_name, [], width=22)
        self.category_box.pack(side="left", padx=(px(8), px(20)))
        self.category_box.bind("<<ComboboxSelected>>", lambda _event: self._category_chosen())
        label(head, theme, "Sort by", "Small").pack(side="left", padx=(0, px(8)))
        self.order_name = tk.StringVar(self, crops.ORDERS[0])
        order = combo(head, theme, self.order_name, list(crops.ORDERS), width=16)
        order.pack(side="left")
        order.bind("<<ComboboxSelected>>", lambda _event: self._order_chosen())
        self.count = label(head, theme, "", "Muted")
        self.count.pack(side="right", padx=px(16))
        return head

    def _make_foot(self) -> ttk.Frame:
        theme, px, run = self.theme, self.theme.px, self.context.commands.run
        foot = ttk.Frame(self, style="Chrome.TFrame")
        icon_label(foot, theme, "info-circle", "muted", 14).pack(side="left", padx=(px(16), px(8)))
        self.hint = label(foot, theme, HINT, "Small")
        self.hint.pack(side="left", pady=px(14))
        self.delete_button = button(foot, theme, "Delete", lambda: run("crops.delete"), kind="Danger", icon="trash")
        self.delete_button.pack(side="right", padx=px(16))
        self.give_button = button(foot, theme, "Change category", lambda: run("crops.give"), icon="tag")
        self.give_button.pack(side="right")
        self.selected_text = label(foot, theme, "", "Strong")
        self.selected_text.pack(side="right", padx=px(14))
        return foot

    def _commands(self) -> list[Command]:
        group = "All boxes"
        numbers = [
            Command(
                *(f"crops.give{number}", "Give the selected boxes to a category", self._giver(number), (key,)),
                enabled=self.change_reason,
                group=group,
                sheet=NUMBER_SHEET if number == 1 else (),
            )
            for number, key in NUMBER_KEYS.items()
        ]
        return [
            Command("crops.all", "Select all", self.grid_.select_all, ("Ctrl+A",), group=group),
            Command("crops.none", "Select none", self.grid_.select_none, ("Esc",), group=group),
            Command("crops.give", "Change the category…", self.ask_category, ("C",), self.change_reason, group),
            Command("crops.delete", "Delete the selected boxes", self.delete, ("Delete", "Backspace"), self.change_reason, group),
            Command("crops.close", "Close", self.close, ("Ctrl+W",), group=group),
            *numbers,
        ]

    # ---- what is shown

    def load(self, **params: Any) -> None:
        wanted = params.get("category_id")
        self.back = str(params.get("back", self.back))
        self.group_id, self.experiment_id = int(params["group_id"]), int(params.get("experiment_id", 0))
        if wanted is not None:
            self.category_id = int(wanted)
        self._read()

    def shown(self) -> None:
        self.grid_.canvas.focus_set()

    def on_changes(self, topics: frozenset[str]) -> None:
        if topics & {f"annotations:{self.group_id}", f"categories:{self.group_id}", f"group:{self.group_id}"}:
            self._read()

    def _read(self) -> None:
        workspace, group_id, category_id = self.workspace, self.group_id, self.category_id
        if self.found is None or self.found.category_id != category_id:
            self.found = None
            self.grid_.show(self.grid_.rows[:0], READING)
            self._show_selection()

        def work() -> tuple[list[Category], Crops | None, dict[str, Rows]]:
            categories = workspace.store.categories.list(group_id)
            known = [each.id for each in categories]
            chosen = category_id if category_id in known else next(iter(known), None)
            found = None if chosen is None else crops.read(workspace, group_id, chosen)
            # Sorting a million rows takes too long for Tk's thread.
            return categories, found, {} if found is None else {name: found.order(name) for name in crops.ORDERS}

        self.store(work, lambda found: self._show(group_id, category_id, *found))

    def _show(
        self, group_id: int, category_id: int | None, categories: list[Category], found: Crops | None, orders: dict[str, Rows]
    ) -> None:
        if (group_id, category_id) != (self.group_id, self.category_id):
            return
        self.categories, self.found, self.orders = categories, found, orders
        self.category_box.configure(values=[each.name for each in categories])
        category = self.category
        self.category_name.set(category.name if category is not None else "")
        if found is None:
            self.grid_.show(self.grid_.rows[:0], "This group has no categories. Add one in the editor.")
        else:
            self.category_id = found.category_id
            name = category.name if category is not None else ""
            self.grid_.show(orders[self.order_name.get()], f"No submitted image has a box of “{name}”. Drafts are not shown.")
        self.count.configure(text=counted(len(found) if found is not None else 0, "box", "boxes"))
        self._show_selection()
        self.context.event("crops", category=self.category_id, boxes=len(found) if found is not None else 0)

    @property
    def category(self) -> Category | None:
        wanted = self.found.category_id if self.found is not None else None
        return next((each for each in self.categories if each.id == wanted), None)

    def _line(self, row: int) -> str:
        assert self.found is not None  # there are no rows without it
        width, height = self.found.sides[row]
        return f"{width:.0f} x {height:.0f}"

    def _wanted(self, rows: Sequence[int]) -> None:
        if self.found is not None:
            self.pictures.want(self.found, rows)

    def _show_selection(self) -> None:
        count = len(self.grid_.selection)
        self.selected_text.configure(text=f"{count:,} selected" if count else "")
        self.hint.configure(text=HINT_SELECTED if count else HINT)
        for each in (self.give_button, self.delete_button):
            set_enabled(each, self.theme, self.change_reason())

    # ---- what the user does

    def change_reason(self) -> str | None:
        if self.workspace.read_only:
            return self.workspace.read_only_reason
        return None if self.found is not None and len(self.grid_.selection) else NOTHING_SELECTED

    def _category_chosen(self) -> None:
        at = self.category_box.current()
        if 0 <= at < len(self.categories) and self.categories[at].id != self.category_id:
            self.category_id = self.categories[at].id
            self.grid_.scroll_to(0)
            self._read()
        self.grid_.canvas.focus_set()

    def _order_chosen(self) -> None:
        if self.found is not None:
            self.grid_.reorder(self.orders[self.order_name.get()])
        self.grid_.canvas.focus_set()

    def open_box(self, row: int) -> None:
        """In the editor, which selects it and zooms to it."""
        if self.found is not None:
            where = {"image_id": self.found.image(row).id, "look_at": self.found.box(row), "back": "crops"}
            self.router.show("editor", group_id=self.group_id, experiment_id=self.experiment_id, **where)

    def ask_category(self) -> None:
        menu = self.theme.menu(self)
        for each in self.categories:
            if each.id != self.category_id:
                menu.add_command(label=each.name, command=lambda to=each: self.give(to))  # type: ignore[misc]
        if menu.index("end") is None:
            self.toast("There is no other category. Add one in the editor.")
            return
        menu.tk_popup(self.give_button.winfo_rootx(), self.give_button.winfo_rooty() - self.theme.px(8))

    def _giver(self, number: int) -> Callable[[], object]:
        def give() -> None:
            if number > len(self.categories):
                self.toast(f"There is no category {number}.")
            elif self.categories[number - 1].id != self.category_id:
                self.give(self.categories[number - 1])

        return give

    def give(self, to: Category) -> None:
        found, category, group_id = self.found, self.category, self.group_id
        if found is None or category is None:
            return
        rows = self.grid_.selection.tolist()
        done = f"{counted(len(rows), 'box is', 'boxes are')} “{to.name}” now."
        self._change(lambda: crops.set_category(self.workspace, group_id, category, found.picked(rows), to), done)

    def delete(self) -> None:
        found, category, group_id = self.found, self.category, self.group_id
        if found is None or category is None:
            return
        rows = self.grid_.selection.tolist()
        done = f"{counted(len(rows), 'box was', 'boxes were')} deleted."
        self._change(lambda: crops.delete(self.workspace, group_id, category, found.picked(rows)), done)

    def _change(self, work: Callable[[], object], said: str) -> None:
        self.store(work, lambda _nothing: self.toast(said, action=("Undo", lambda: self.context.commands.run("undo"))))

    def close(self) -> None:
        if self.back == "editor":
            self.router.show("editor", group_id=self.group_id, experiment_id=self.experiment_id)
        elif self.experiment_id:
            self.router.show("annotation", experiment_id=self.experiment_id)
        else:
            self.router.show("home")
