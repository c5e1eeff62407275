"""The five steps at the top of an experiment: number or check mark, name, a line between."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from tkinter import ttk

from ..tk.theme import Theme
from .controls import button, set_enabled
from .tooltip import explain


class Stepper(ttk.Frame):
    """Knows names and states only; `chosen` is called with a step's id."""

    def __init__(self, parent: tk.Misc, theme: Theme, steps: Sequence[tuple[str, str]], chosen: Callable[[str], object]) -> None:
        super().__init__(parent, style=theme.style("", theme.surface_of(parent), "TFrame"))
        self.theme = theme
        self._surface = theme.surface_of(parent)
        self._buttons: dict[str, ttk.Button] = {}
        self._states: dict[str, tuple[bool, bool]] = {}
        self._texts = dict(steps)
        self._compact = False
        self._numbers = {name: index for index, (name, _text) in enumerate(steps, 1)}
        for index, (name, text) in enumerate(steps):
            if index:
                line = ttk.Frame(self, style="Line.TFrame", height=theme.px(1), width=theme.px(22))
                line.pack(side="left", padx=theme.px(2))
            made = button(self, theme, "  " + text, partial(chosen, name), kind="Nav")
            made.configure(compound="left")
            made.pack(side="left")
            self._buttons[name] = made
        theme.follow(self, self._paint)

    def set(self, current: str, done: frozenset[str], reasons: Mapping[str, str]) -> None:
        """done: steps with a check mark. reasons: why a step can't be opened yet; the others can."""
        for name, made in self._buttons.items():
            self._states[name] = (name == current, name in done)
            reason = None if name == current else reasons.get(name)
            set_enabled(made, self.theme, reason)
            if reason is None and self._compact:
                explain(made, self.theme, self._texts[name])
        self._paint()

    def set_compact(self, compact: bool) -> None:
        """In a narrow window only the current step shows its name; the others have it as a tooltip."""
        if compact != self._compact:
            self._compact = compact
            self._paint()

    def state_of(self, name: str) -> tuple[bool, bool]:
        """(is current, has a check mark)."""
        return self._states.get(name, (False, False))

    def _paint(self) -> None:
        for name, made in self._buttons.items():
            current, done = self.state_of(name)
            named = current or not self._compact
            made.configure(text="  " + self._texts[name] if named else "", compound="left" if named else "image")
            made.configure(style=self.theme.style("NavSelected" if current else "Nav", self._surface, "TButton"))
            if done:
                icon, colour = "check-circle-fill", "positive"
            else:
                icon = f"{self._numbers[name]}-circle" + ("-fill" if current else "")
                colour = "accent" if current else "faint"
            states = (self.theme.icon(icon, 17, colour), "disabled", self.theme.icon(icon, 17, "on_disabled"))
            self.tk.call(str(made), "configure", "-image", states)
