"""Short messages at the bottom of the window, with one action (Undo)."""

from __future__ import annotations

import contextlib
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from ..tk.lifetime import later
from ..tk.theme import Theme
from .controls import button, icon_label, label

SHOWN_MS = 6000
WITH_ACTION_MS = 12000
_MAX = 3
_ICONS = {
    "info": ("info-circle", "accent"),
    "success": ("check-circle", "positive"),
    "warning": ("exclamation-triangle", "warning"),
    "error": ("x-circle", "danger"),
}


class Toasts:
    """Keeps at most three; the newest lies at the bottom."""

    def __init__(self, root: tk.Misc, theme: Theme) -> None:
        self._root = root
        self._theme = theme
        self._shown: list[ttk.Frame] = []

    def show(self, text: str, kind: str = "info", action: tuple[str, Callable[[], object]] | None = None) -> None:
        """kind: info, success, warning, error. action: (label, callback); pressing it closes the toast."""
        theme = self._theme
        box = ttk.Frame(self._root, style="Box.TFrame")
        inner = ttk.Frame(box, style="Card.TFrame")
        inner.pack(padx=theme.px(12), pady=theme.px(9))
        icon, colour = _ICONS[kind]
        icon_label(inner, theme, icon, colour).pack(side="left", padx=(0, theme.px(10)))
        label(inner, theme, text, wrap_px=440).pack(side="left")
        if action is not None:
            name, callback = action

            def act() -> None:
                self._close(box)
                callback()

            button(inner, theme, name, act, kind="Secondary").pack(side="left", padx=(theme.px(14), 0))
        close = button(inner, theme, "", lambda: self._close(box), kind="Icon", icon="x-lg", tip="Close this message")
        close.pack(side="left", padx=(theme.px(8), 0))
        self._shown.append(box)
        while len(self._shown) > _MAX:
            self._close(self._shown[0])
        self._place()
        later(box, WITH_ACTION_MS if action else SHOWN_MS, lambda: self._close(box))

    @property
    def texts(self) -> list[str]:
        """What is shown now, oldest first."""
        found = []
        for box in self._shown:
            inner = box.winfo_children()[0]
            found.append(next(str(w.cget("text")) for w in inner.winfo_children() if isinstance(w, ttk.Label) and w.cget("text")))
        return found

    def act(self) -> bool:
        """Presses the newest toast's action, for the key Ctrl+Z where nothing else wants it."""
        for box in reversed(self._shown):
            for widget in box.winfo_children()[0].winfo_children():
                if isinstance(widget, ttk.Button) and widget.cget("text"):
                    widget.invoke()
                    return True
        return False

    def clear(self) -> None:
        for box in list(self._shown):
            self._close(box)

    def _close(self, box: ttk.Frame) -> None:
        if box in self._shown:
            self._shown.remove(box)
            with contextlib.suppress(tk.TclError):
                box.destroy()
            self._place()

    def _place(self) -> None:
        bottom = -self._theme.px(44)
        for box in reversed(self._shown):
            box.place(relx=0.5, rely=1.0, y=bottom, anchor="s")
            box.lift()
            bottom -= box.winfo_reqheight() + self._theme.px(8)
