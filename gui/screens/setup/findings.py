"""The list of what the check found: a line each, with a button that does something about it or the reason why there is none."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from ...core.preflight import Finding
from ...tk.theme import Theme
from ...widgets.controls import button, icon_label, label

_ICONS = {
    "error": ("x-octagon-fill", "danger"),
    "warning": ("exclamation-triangle-fill", "warning"),
    "info": ("info-circle-fill", "accent"),
}


class FindingList(ttk.Frame):
    """On a card. findings: what is shown."""

    def __init__(self, parent: tk.Misc, theme: Theme, act: Callable[[Finding], object]) -> None:
        super().__init__(parent, style="Card.TFrame")
        self.theme, self._act = theme, act
        self.findings: tuple[Finding, ...] = ()
        label(self, theme, "CHECK BEFORE TRAINING", "Tiny").pack(anchor="w", pady=(0, theme.px(6)))
        self._lines = ttk.Frame(self, style="Card.TFrame")
        self._lines.pack(fill="x")
        label(self._lines, theme, "Checking…", "Muted").pack(anchor="w")

    def show(self, findings: Sequence[Finding], problem: str = "") -> None:
        """problem: why nothing could be checked."""
        self.findings = tuple(findings)
        for child in self._lines.winfo_children():
            child.destroy()
        if not findings:
            self._line("check-circle-fill", "positive", problem or "No problems were found.", "")
        for finding in findings:
            icon, colour = _ICONS[finding.severity]
            row = self._line(icon, colour, finding.title, f"{finding.text} {finding.why_none}".strip())
            if finding.action is not None:
                act = button(row, self.theme, finding.action[1], lambda finding=finding: self._act(finding))  # type: ignore[misc]
                act.grid(row=0, column=2, rowspan=2, sticky="e", padx=(self.theme.px(10), 0))

    def _line(self, icon: str, colour: str, title: str, text: str) -> ttk.Frame:
        theme = self.theme
        row = ttk.Frame(self._lines, style="Card.TFrame")
        row.pack(fill="x", pady=theme.px(4))
        row.columnconfigure(1, weight=1)
        icon_label(row, theme, icon, colour).grid(row=0, column=0, sticky="n", padx=(0, theme.px(10)))
        label(row, theme, title, "Strong" if text else "").grid(row=0, column=1, sticky="w")
        if text:
            label(row, theme, text, "Small", wrap_px=460).grid(row=1, column=1, sticky="w")
        return row
