"""The dialog for a new annotation group: its name and its first categories."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from ...core import annotate, names
from ...core.errors import UserError
from ...tk.lifetime import watch
from ...tk.theme import Theme
from ...widgets.controls import button, entry, label, set_enabled
from ...widgets.dialogs import Dialog
from ...widgets.new_category import NewCategory
from ...widgets.scrolled import ScrolledFrame

WIDTH_PX = 480
NO_CATEGORY = "Add at least one category: the kind of thing that you will mark on the images."


class NewGroupDialog:
    """taken: names of the dataset's groups. done(name, [(category, colour)]) is called once, after Start Annotating."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        suggested: str,
        taken: list[str],
        done: Callable[[str, list[tuple[str, str]]], object],
    ) -> None:
        self.theme, self._taken, self._done = theme, taken, done
        self.categories: list[tuple[str, str]] = []
        self.dialog = Dialog(parent, theme, "New Annotation Group", width=WIDTH_PX)
        body = self.dialog.body
        label(body, theme, "Name of the group", "Small").pack(anchor="w")
        self.name = tk.StringVar(body, suggested)
        entry(body, theme, self.name).pack(fill="x", pady=(theme.px(4), theme.px(16)))
        label(body, theme, "Create initial categories", "Strong").pack(anchor="w")
        hint = "What the model shall find. Try short and descriptive names, such as “Blueberry”, “Car” or “Dog”."
        label(body, theme, hint, "Muted", wrap_px=WIDTH_PX).pack(anchor="w", pady=(theme.px(4), theme.px(10)))
        self.new = NewCategory(body, theme, self._add, self._problem, annotate.COLOURS)
        self.new.pack(fill="x")
        self._rows = ScrolledFrame(body, theme)
        self._rows.configure(height=theme.px(190))
        self._rows.pack_propagate(False)
        self._rows.grid_propagate(False)
        self._rows.pack(fill="both", expand=True, pady=(theme.px(10), 0))
        self.reason = label(body, theme, "", "Small", wrap_px=WIDTH_PX)
        self.reason.pack(anchor="w", pady=(theme.px(8), 0))
        self.start = self.dialog.add_button("Start Annotating", self._finish, "Primary", default=True)
        self.dialog.add_button("Cancel", None, "Ghost")
        watch(body, self.name, self._check)
        self._show()
        self.dialog.show(self.new.field)
        self.new.start(annotate.next_colour([]))

    def _problem(self, name: str) -> str | None:
        return said(lambda: names.checked(name, annotate.CATEGORY, [each for each, _ in self.categories], annotate.FORBIDDEN))

    def _add(self, name: str, colour: str) -> None:
        self.categories.append((name, colour))
        self._show()
        self.new.start(annotate.next_colour([each for _, each in self.categories]))

    def _remove(self, at: int) -> None:
        del self.categories[at]
        self._show()
        self.new.field.focus_set()

    def _show(self) -> None:
        theme, body = self.theme, self._rows.body
        for child in body.winfo_children():
            child.destroy()
        for at, (name, colour) in enumerate(self.categories):
            row = ttk.Frame(body, style="Card.TFrame")
            row.pack(fill="x", pady=theme.px(2))
            side = theme.px(20)
            swatch = theme.canvas(row, width=side, height=side)
            swatch.create_rectangle(0, 0, side, side, fill=colour, width=0)
            swatch.pack(side="left", padx=(theme.px(2), theme.px(12)))
            label(row, theme, name).pack(side="left")
            away = button(row, theme, "", lambda at=at: self._remove(at), kind="Icon", icon="x-lg", tip=f"Remove {name}")  # type: ignore[misc]
            away.pack(side="right")
        self._check()

    def _check(self) -> None:
        problem = said(lambda: names.checked(self.name.get(), annotate.GROUP, self._taken))
        problem = problem or (None if self.categories else NO_CATEGORY)
        set_enabled(self.start, self.theme, problem)
        self.reason.configure(text=problem or "")

    def _finish(self) -> None:
        self._done(self.name.get().strip(), self.categories)


def said(check: Callable[[], object]) -> str | None:
    """What a check complains of."""
    try:
        check()
    except UserError as error:
        return str(error)
    return None
