"""A tooltip, also on disabled widgets: there it says why."""

from __future__ import annotations

import contextlib
import tkinter as tk
from tkinter import ttk

from ..tk.theme import Theme

DELAY_MS = 450
_KEY = "studio_tooltip"


class Tooltip:
    """Belongs to one widget; shown under the pointer and, for the keyboard, when the widget gets the focus by Tab."""

    def __init__(self, widget: tk.Misc, theme: Theme, text: str) -> None:
        self.widget = widget
        self.theme = theme
        self.text = text
        self._timer: str | None = None
        self._window: tk.Toplevel | None = None
        widget.bind("<Enter>", lambda _event: self._soon(), add="+")
        for sequence in ("<Leave>", "<ButtonPress>", "<KeyPress>", "<FocusOut>", "<Destroy>"):
            widget.bind(sequence, lambda _event: self.hide(), add="+")
        widget.bind("<FocusIn>", lambda _event: self._soon(), add="+")

    @property
    def visible(self) -> bool:
        return self._window is not None

    def _soon(self) -> None:
        self.hide()
        if self.text:
            self._timer = self.widget.after(DELAY_MS, self.show)

    def show(self) -> None:
        self._timer = None
        if not self.text or self._window is not None or not self.widget.winfo_exists():
            return
        window = tk.Toplevel(self.widget)
        window.wm_overrideredirect(True)
        text = ttk.Label(window, text=self.text, style="Tooltip.TLabel", wraplength=self.theme.px(320))
        text.configure(padding=(self.theme.px(10), self.theme.px(6)))
        text.pack()
        x = min(self.widget.winfo_rootx(), self.widget.winfo_screenwidth() - text.winfo_reqwidth() - 4)
        below = self.widget.winfo_rooty() + self.widget.winfo_height() + self.theme.px(4)
        if below + text.winfo_reqheight() > self.widget.winfo_screenheight():
            below = self.widget.winfo_rooty() - text.winfo_reqheight() - self.theme.px(4)
        window.wm_geometry(f"+{max(0, x)}+{below}")
        self._window = window

    def hide(self) -> None:
        with contextlib.suppress(tk.TclError):
            if self._timer is not None:
                self.widget.after_cancel(self._timer)
            if self._window is not None:
                self._window.destroy()
        self._timer = self._window = None


def explain(widget: tk.Misc, theme: Theme, text: str) -> Tooltip:
    """Gives the widget a tooltip or changes its text; "" is none."""
    known = getattr(widget, _KEY, None)
    if isinstance(known, Tooltip):
        known.text = text
        if not text:
            known.hide()
        return known
    made = Tooltip(widget, theme, text)
    setattr(widget, _KEY, made)
    return made
