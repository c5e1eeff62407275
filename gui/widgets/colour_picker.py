"""Choosing the colour of a category: a few that people with any colour vision tell apart, or any other."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import colorchooser, ttk

from gui.tk.lifetime import when_idle
from gui.tk.theme import Theme

from .controls import button

# What is offered where the caller has no palette of its own.
SAFE_COLOURS = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
    "#9467bd",
    "#8c564b",
    "#17becf",
    "#b2df8a",
    "#fb9a99",
    "#6a3d9a",
    "#ffbf69",
    "#1b7837",
    "#bdbdbd",
)
_PER_ROW = 8


class ColourPicker(tk.Toplevel):
    """A small card under a widget. Closes when it loses the focus, by Esc, and after a choice."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        at: tuple[int, int],
        current: str,
        chosen: Callable[[str], object],
        colours: Sequence[str] = SAFE_COLOURS,
    ) -> None:
        super().__init__(parent)
        self.wm_overrideredirect(True)
        self._chosen = chosen
        self._current = current
        frame = ttk.Frame(self, style="Card.TFrame", padding=theme.px(10))
        frame.pack()
        side, gap = theme.px(24), theme.px(5)
        rows = -(-len(colours) // _PER_ROW)
        canvas = theme.canvas(frame, "Card", width=_PER_ROW * (side + gap), height=rows * (side + gap), cursor="hand2")
        canvas.pack()
        for index, colour in enumerate(colours):
            x, y = index % _PER_ROW * (side + gap) + 2, index // _PER_ROW * (side + gap) + 2
            same = colour.lower() == current.lower()
            ring = theme.colour("text") if same else theme.colour("border_strong")
            item = canvas.create_rectangle(x, y, x + side, y + side, fill=colour, outline=ring, width=3 if same else 1)
            canvas.tag_bind(item, "<ButtonRelease-1>", lambda _event, colour=colour: self.choose(colour))  # type: ignore[misc]
        button(frame, theme, "Another colour…", self._other, kind="Ghost").pack(anchor="w", pady=(theme.px(6), 0))
        self.wm_geometry(f"+{at[0]}+{at[1]}")
        self.bind("<Escape>", lambda _event: self.destroy())
        self.bind("<FocusOut>", lambda event: self.destroy() if event.widget is self else None)
        when_idle(self, self._take_focus)

    def choose(self, colour: str) -> None:
        self.destroy()
        self._chosen(colour)

    def _take_focus(self) -> None:
        if self.winfo_exists():
            self.focus_force()

    def _other(self) -> None:
        parent = self.master
        self.destroy()
        _rgb, colour = colorchooser.askcolor(self._current, parent=parent, title="Colour of the category")
        if colour:
            self._chosen(colour)
