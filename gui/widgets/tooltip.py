"""A tooltip, also on disabled widgets: there it says why."""

from __future__ import annotations

import contextlib
import tkinter as tk
from tkinter import ttk

from ..tk.lifetime import Timer, at_end, later
from ..tk.theme import Theme

DELAY_MS = 450
_KEY = "studio_tooltip"


class Tooltip:
    """Belongs to one widget; shown under the pointer and, for the keyboard, when the widget gets the focus by Tab."""

    def __init__(self, widget: tk.Misc, theme: Theme, text: str) -> None:
        self.widget = widget
        self.theme = theme
        self.text = text
        self._timer: Timer | None = None
        self._window: tk.Toplevel | None = None
        self._at: tuple[int, int] | None = None
        widget.bind("<Enter>", lambda _event: self._soon(), add="+")
        for sequence in ("<Leave>", "<ButtonPress>", "<KeyPress>", "<FocusOut>"):
            widget.bind(sequence, lambda _event: self.hide(), add="+")
        widget.bind("<FocusIn>", lambda _event: self._soon(), add="+")
        at_end(widget, self.hide)

    @property
    def visible(self) -> bool:
        return self._window is not None

    def offer(self, text: str, x: int, y: int) -> None:
        """For a part of the widget that the pointer came to: at this point of the screen. "" is none."""
        self.text, self._at = text, (x, y)
        self._soon()

    def _soon(self) -> None:
        self.hide()
        if self.text:
            self._timer = later(self.widget, DELAY_MS, self.show)

    def show(self) -> None:
        self._timer = None
        if not self.text or self._window is not None or not self.widget.winfo_exists():
            return
        window = tk.Toplevel(self.widget)
        window.wm_overrideredirect(True)
        text = ttk.Label(window, text=self.text, style="Tooltip.TLabel", wraplength=self.theme.px(320))
        text.configure(padding=(self.theme.px(10), self.theme.px(6)))
        text.pack()
        left, top, gap = self.widget.winfo_rootx(), self.widget.winfo_rooty(), self.theme.px(4)
        left, top, below = (left, top, top + self.widget.winfo_height() + gap) if self._at is None else (*self._at, self._at[1])
        x = min(left, self.widget.winfo_screenwidth() - text.winfo_reqwidth() - 4)
        if below + text.winfo_reqheight() > self.widget.winfo_screenheight():
            below = top - text.winfo_reqheight() - gap
        window.wm_geometry(f"+{max(0, x)}+{below}")
        self._window = window

    def hide(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with contextlib.suppress(tk.TclError):
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
