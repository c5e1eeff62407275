"""The line in which a new category is written: colour, name, "+"."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from gui.tk import fonts
from gui.tk.theme import Theme

from ..tk.lifetime import watch
from .colour_picker import SAFE_COLOURS, ColourPicker
from .controls import button, entry, label


class NewCategory(ttk.Frame):
    """Colour, name, "+"; Enter adds and stays open for the next, Esc closes."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        add: Callable[[str, str], object],
        check: Callable[[str], str | None],
        palette: Sequence[str] = SAFE_COLOURS,
        closed: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(parent, style=theme.style("", theme.surface_of(parent), "TFrame"))
        self.theme, self._add, self._check, self._palette = theme, add, check, palette
        self.colour = "#e69f00"
        self.columnconfigure(1, weight=1)
        side = theme.px(24)
        self.swatch = theme.canvas(self, width=side, height=side, cursor="hand2", takefocus=True)
        self.swatch.grid(row=0, column=0, padx=(0, theme.px(8)))
        self._square = self.swatch.create_rectangle(1, 1, side - 2, side - 2, width=2)
        for sequence in ("<ButtonRelease-1>", "<Return>"):
            self.swatch.bind(sequence, lambda _event: self._pick())
        self.name = tk.StringVar(self)
        self.field = entry(self, theme, self.name)
        self.field.grid(row=0, column=1, sticky="ew")
        self._hint = tk.Label(self, text="Category name", borderwidth=0, font=fonts.BODY, cursor="xterm")
        self._hint._tb_no_autostyle = True  # type: ignore[attr-defined]
        self._hint.bind("<ButtonPress-1>", lambda _event: self.field.focus_set())
        theme.follow(self._hint, lambda: self._hint.configure(background=theme.colour("input"), foreground=theme.colour("faint")))
        self.button = button(self, theme, "", self.accept, kind="Primary", icon="plus-lg", tip="Add this category (Enter)")
        self.button.grid(row=0, column=2, padx=(theme.px(8), 0))
        self.problem = label(self, theme, "", "Danger", wrap_px=230)
        for sequence in ("<Return>", "<KP_Enter>"):
            self.field.bind(sequence, self._enter)
        self._closed = closed
        if self._closed is not None:
            self.field.bind("<Escape>", self._escape)
        watch(self, self.name, self._typed)
        self._typed()

    def start(self, colour: str) -> None:
        self.set_colour(colour)
        self.name.set("")
        self.field.focus_set()

    def set_colour(self, colour: str) -> None:
        self.colour = colour
        self.swatch.itemconfigure(self._square, fill=colour, outline=self.theme.colour("border_strong"))

    def accept(self) -> None:
        name = " ".join(self.name.get().split(" ")).strip()
        problem = self._check(name)
        if problem:
            self._complain(problem)
            return
        self._complain("")
        self._add(name, self.colour)

    def _typed(self) -> None:
        self._complain("")
        if self.name.get():
            self._hint.place_forget()
        else:
            self._hint.place(in_=self.field, x=self.theme.px(12), rely=0.5, anchor="w")

    def _complain(self, text: str) -> None:
        self.problem.configure(text=text)
        if text:
            self.problem.grid(row=1, column=0, columnspan=3, sticky="w", pady=(self.theme.px(4), 0))
        else:
            self.problem.grid_remove()

    def _enter(self, _event: tk.Event[tk.Misc]) -> str:
        """Never the default button of a dialog around it."""
        self.accept()
        return "break"

    def _escape(self, _event: tk.Event[tk.Misc]) -> str:
        if self._closed is not None:
            self._closed()
        return "break"

    def _pick(self) -> None:
        x, y = self.swatch.winfo_rootx(), self.swatch.winfo_rooty() + self.swatch.winfo_height() + 4
        ColourPicker(self, self.theme, (x, y), self.colour, self.set_colour, self._palette)
