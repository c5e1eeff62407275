"""The question before a category is deleted: with its boxes, or with its boxes moved to another one."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping

from ...tk.theme import Theme
from ...widgets.controls import combo, radio
from ...widgets.dialogs import Dialog

_DELETE, _MOVE = "delete", "move"


class DeleteCategory:
    """done(None) deletes the boxes too, done(category id) moves them there."""

    def __init__(
        self, parent: tk.Misc, theme: Theme, question: str, others: Mapping[str, int], done: Callable[[int | None], object]
    ) -> None:
        self._others, self._done = others, done
        self.dialog = Dialog(parent, theme, "Delete this category?", icon="exclamation-triangle", colour="warning")
        self.dialog.text(question)
        self.way = tk.StringVar(self.dialog.frame, _DELETE)
        self.target = tk.StringVar(self.dialog.frame, next(iter(others), ""))
        if others:
            body = self.dialog.body
            radio(body, theme, "Delete its boxes too", self.way, _DELETE).pack(anchor="w", pady=(theme.px(12), 0))
            radio(body, theme, "Move its boxes to another category:", self.way, _MOVE).pack(anchor="w", pady=theme.px(4))
            box = combo(body, theme, self.target, list(others))
            box.pack(anchor="w", padx=(theme.px(26), 0))
            box.bind("<<ComboboxSelected>>", lambda _event: self.way.set(_MOVE))
        self.dialog.add_button("Delete", self._answer, "Danger", default=True)
        self.dialog.add_button("Cancel", None, "Ghost")
        self.dialog.show()

    def _answer(self) -> None:
        self._done(self._others[self.target.get()] if self.way.get() == _MOVE else None)
