"""A line of progress inside a page: text, bar, Cancel."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from ..tk.theme import Theme
from .controls import button, label


class ProgressLine(ttk.Frame):
    """Text like "Importing… 16 %" over a bar, with a Cancel button where the work can be cancelled."""

    def __init__(self, parent: tk.Misc, theme: Theme, cancel: Callable[[], object] | None = None) -> None:
        surface = theme.surface_of(parent)
        super().__init__(parent, style=theme.style("", surface, "TFrame"))
        self.columnconfigure(0, weight=1)
        self._text = label(self, theme, "")
        self._text.grid(row=0, column=0, sticky="w")
        self._bar = ttk.Progressbar(self, style=theme.style("", surface, "Horizontal.TProgressbar"), maximum=1000)
        self._bar.grid(row=1, column=0, sticky="ew", pady=(theme.px(6), 0))
        if cancel is not None:
            button(self, theme, "Cancel", cancel).grid(row=0, column=1, rowspan=2, padx=(theme.px(12), 0))

    def update_progress(self, done: int, total: int, text: str = "") -> None:
        share = done / total if total > 0 else 0.0
        self._bar.configure(value=round(share * 1000))
        shown = f"{round(share * 100)} %" if total > 0 else ""
        self._text.configure(text=" ".join(part for part in (text, shown) if part) or "Working…")

    @property
    def text(self) -> str:
        return str(self._text.cget("text"))
