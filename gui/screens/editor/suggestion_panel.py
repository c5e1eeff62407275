"""The small panel over the canvas while there are suggestions: whose they are, how sure they must be, and what to do with all."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from ...core.suggest import LEAST, MOST, clamped
from ...tk.commands import Commands
from ...tk.theme import Theme
from ...widgets.controls import button, icon_label, label


class SuggestionPanel(ttk.Frame):
    """changed(threshold): while the slider moves; settled: it was let go."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        commands: Commands,
        changed: Callable[[float], object],
        settled: Callable[[], object],
    ) -> None:
        super().__init__(parent, style="Box.TFrame")
        self.theme = theme
        self._changed = changed
        self._threshold = tk.DoubleVar(self)
        inner = ttk.Frame(self, style="Card.TFrame")
        inner.pack(padx=theme.px(14), pady=theme.px(10))
        icon_label(inner, theme, "stars", "accent").grid(row=0, column=0, rowspan=2, padx=(0, theme.px(10)))
        self.count = label(inner, theme, "", "Strong")
        self.count.grid(row=0, column=1, sticky="w")
        self.source = label(inner, theme, "", "Small")
        self.source.grid(row=1, column=1, columnspan=3, sticky="w")
        self.least = label(inner, theme, "", "Small", width=14, anchor="e")
        self.least.grid(row=0, column=2, sticky="e", padx=theme.px(10))
        self.scale = ttk.Scale(
            inner,
            from_=LEAST,
            to=MOST,
            variable=self._threshold,
            length=theme.px(130),
            command=lambda _value: self._changed(clamped(self._threshold.get())),
            style="Card.Horizontal.TScale",
            takefocus=False,
        )
        self.scale.bind("<ButtonRelease-1>", lambda _event: settled(), add="+")
        self.scale.grid(row=0, column=3)
        self.accept = button(inner, theme, "", lambda: commands.run("editor.accept_all"), "Primary", takefocus=False)
        self.reject = button(inner, theme, "", lambda: commands.run("editor.reject_all"), takefocus=False)
        self.show_keys(commands)
        parent.bind("<Configure>", lambda _event: self._fit() if self.winfo_ismapped() else None, add="+")

    def show_keys(self, commands: Commands) -> None:
        """The keys on the buttons."""
        self.accept.configure(text=commands.with_key("Accept all", "editor.accept_all"))
        self.reject.configure(text=commands.with_key("Reject all", "editor.escape"))

    def show(self, count: str, source: str, threshold: float) -> None:
        """Over the lower edge of the canvas, so that the image stays where it is."""
        self.count.configure(text=count)
        self.source.configure(text=source)
        self.least.configure(text=f"at least {threshold * 100:.0f} %")
        if abs(self._threshold.get() - threshold) >= 0.01:
            self._threshold.set(threshold)
        if not self.winfo_ismapped():
            self._fit()
            self.place(relx=0.5, rely=1.0, y=-self.theme.px(14), anchor="s")

    def _fit(self) -> None:
        self._lay_out(wide=True)
        self.update_idletasks()  # how wide that is
        self._lay_out(self.winfo_reqwidth() < self.master.winfo_width())

    def _lay_out(self, wide: bool) -> None:
        """The buttons beside the rest, or below it where the window is narrow."""
        px = self.theme.px
        if wide:
            self.accept.grid(row=0, column=4, columnspan=1, rowspan=2, sticky="", padx=(px(16), px(8)), pady=0)
            self.reject.grid(row=0, column=5, columnspan=1, rowspan=2, sticky="", pady=0)
        else:
            self.accept.grid(row=2, column=1, columnspan=1, rowspan=1, sticky="w", padx=(0, px(8)), pady=(px(8), 0))
            self.reject.grid(row=2, column=2, columnspan=2, rowspan=1, sticky="w", pady=(px(8), 0))

    def hide(self) -> None:
        self.place_forget()
