"""The panel on the right of a step: summary, tips, whatever the step adds, and Back and Next with the reason why not."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from ..tk.theme import Theme
from .controls import button, icon_label, label, set_enabled
from .scrolled import ScrolledFrame

WIDTH_PX = 292


class SidePanel(ttk.Frame):
    """`extra` is for the step's own widgets, between summary and tips."""

    def __init__(self, parent: tk.Misc, theme: Theme, back: Callable[[], object], next_: Callable[[], object]) -> None:
        super().__init__(parent, style="Chrome.TFrame", width=theme.px(WIDTH_PX))
        self.theme = theme
        self.grid_propagate(False)
        self.rowconfigure(0, weight=1)
        self.columnconfigure(1, weight=1)
        ttk.Frame(self, style="Line.TFrame", width=1).grid(row=0, column=0, rowspan=3, sticky="ns")
        pad = theme.px(20)
        # Scrolled, so that Back and Next can be reached in the lowest window.
        scrolled = ScrolledFrame(self, theme)
        scrolled.grid(row=0, column=1, sticky="nsew", padx=(pad, theme.px(8)), pady=(pad, theme.px(10)))
        content = scrolled.body
        self._summary, self.extra, self._tips = (ttk.Frame(content, style="Chrome.TFrame") for _ in range(3))
        self._summary.pack(fill="x")
        self.extra.pack(fill="x")
        self._tips.pack(fill="x", pady=(theme.px(12), 0))
        self._reason = label(self, theme, kind="Small", wrap_px=WIDTH_PX - 42)
        self._reason.grid(row=1, column=1, sticky="ew", padx=pad, pady=(0, theme.px(10)))
        buttons = ttk.Frame(self, style="Chrome.TFrame")
        buttons.grid(row=2, column=1, sticky="ew", padx=pad, pady=(0, pad))
        buttons.columnconfigure(1, weight=1)
        self._back = button(buttons, theme, "Back", back)
        self._back.grid(row=0, column=0, padx=(0, theme.px(8)))
        self.next_button = button(buttons, theme, "Next", next_, kind="Primary")
        self.next_button.grid(row=0, column=1, sticky="ew")

    def set_summary(self, lines: Sequence[tuple[str, str]]) -> None:
        """Pairs of (what, value), shown as a small table under SUMMARY."""
        for child in self._summary.winfo_children():
            child.destroy()
        if not lines:
            return
        self._summary.columnconfigure(1, weight=1)
        heading = label(self._summary, self.theme, "SUMMARY", "Tiny")
        heading.grid(row=0, column=0, columnspan=2, sticky="w", pady=(0, self.theme.px(8)))
        for row, (name, value) in enumerate(lines, 1):
            name_label = label(self._summary, self.theme, name, "Muted")
            name_label.grid(row=row, column=0, sticky="nw", pady=self.theme.px(3))
            value_label = label(self._summary, self.theme, value, wrap_px=150, justify="right")
            value_label.grid(row=row, column=1, sticky="ne", pady=self.theme.px(3))

    def set_tips(self, tips: Sequence[str]) -> None:
        for child in self._tips.winfo_children():
            child.destroy()
        for tip in tips:
            row = ttk.Frame(self._tips, style="Chrome.TFrame")
            row.pack(fill="x", pady=self.theme.px(4))
            icon_label(row, self.theme, "lightbulb", "warning", 14).pack(side="left", anchor="n", padx=(0, self.theme.px(8)))
            label(row, self.theme, tip, "Small", wrap_px=WIDTH_PX - 80).pack(side="left", anchor="w")

    def set_next(self, text: str, reason: str | None) -> None:
        """reason: the sentence that says why it can't be pressed; None when it can."""
        self.next_button.configure(text=text)
        set_enabled(self.next_button, self.theme, reason)
        self._reason.configure(text=reason or "")

    def set_back(self, possible: bool) -> None:
        if possible:
            self._back.grid()
        else:
            self._back.grid_remove()

    @property
    def reason(self) -> str:
        return str(self._reason.cget("text"))
