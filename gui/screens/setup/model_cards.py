"""The cards of the two models: what they are, how long each takes here, and "Measure" for the one that was not measured yet."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from functools import partial
from tkinter import ttk

from ...core.setup import MODELS
from ...tk.theme import Theme
from ...widgets.controls import button, card, label, radio, set_enabled
from ...widgets.tooltip import explain

_HINT = "Trains a few steps of this model to see how long it takes here: up to five minutes, and you can cancel."


class ModelCards(ttk.Frame):
    """chosen(recipe): a card was pressed. measure(recipe): its time is wanted; pressed again while it is measured: no more."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        variable: tk.StringVar,
        chosen: Callable[[str], object],
        measure: Callable[[str], object],
    ) -> None:
        super().__init__(parent)
        self.theme, self._variable, self._chosen = theme, variable, chosen
        self._times: dict[str, ttk.Label] = {}
        self._buttons: dict[str, ttk.Button] = {}
        px = theme.px
        for column, model in enumerate(MODELS):
            self.columnconfigure(column, weight=1, uniform="card")
            outer, inner = card(self, theme)
            outer.grid(row=0, column=column, sticky="nsew", padx=(0 if column == 0 else px(6), px(6) if column == 0 else 0))
            radio(inner, theme, model.title, variable, model.recipe, lambda: chosen(variable.get())).pack(anchor="w")
            text = label(inner, theme, model.text, "Small", wrap_px=280)
            text.pack(anchor="w", pady=(px(6), 0))
            time = self._times[model.recipe] = label(inner, theme, "", "", wrap_px=280)
            self._buttons[model.recipe] = button(inner, theme, "Measure the time", partial(measure, model.recipe), "Ghost")
            for each in (outer, inner, text, time):
                each.bind("<ButtonPress-1>", partial(self._clicked, model.recipe))

    def text_of(self, recipe: str) -> str:
        """What the card says of the time, "" for nothing."""
        return str(self._times[recipe].cget("text"))

    def button_of(self, recipe: str) -> ttk.Button:
        return self._buttons[recipe]

    def show(self, texts: Mapping[str, str], wanted: str, reason: str | None) -> None:
        """texts: what was measured, by recipe. wanted: the recipe whose time is being measured, "". reason: why none can be."""
        for recipe, time in self._times.items():
            measuring = recipe == wanted
            said = "Measuring…" if measuring else texts.get(recipe, "")
            time.configure(text=said)
            self._place(time, bool(said))
            # The model that is chosen is measured by itself.
            offered = measuring or (recipe not in texts and recipe != self._variable.get())
            press = self._buttons[recipe]
            press.configure(text="Cancel" if measuring else "Measure the time")
            self._place(press, offered)
            set_enabled(press, self.theme, None if measuring else reason)
            if reason is None and not measuring:
                explain(press, self.theme, _HINT)

    def progress(self, recipe: str, text: str) -> None:
        self._times[recipe].configure(text=text)

    def _place(self, widget: tk.Widget, shown: bool) -> None:
        if shown and not widget.winfo_manager():
            widget.pack(anchor="w", pady=(self.theme.px(6), 0))
        elif not shown:
            widget.pack_forget()

    def _clicked(self, recipe: str, _event: object) -> None:
        self._variable.set(recipe)
        self._chosen(recipe)
