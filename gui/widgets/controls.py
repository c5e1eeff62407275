"""Small makers of labels, buttons and cards that find the surface they stand on by themselves."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from ..tk.lifetime import watch
from ..tk.theme import Theme
from .tooltip import explain

_ICON_COLOURS = {
    "Primary": "on_primary",
    "Submit": "on_success",
    "Danger": "danger",
    "Nav": "muted",
    "Icon": "muted",
    "NavSelected": "selected_text",
}


def label(parent: tk.Misc, theme: Theme, text: str = "", kind: str = "", wrap_px: float = 0, **options: Any) -> ttk.Label:
    """kind: "" or a name of theme.py's list of labels. wrap_px: in px at 100 %; 0 is one line."""
    style = theme.style(kind, theme.surface_of(parent), "TLabel")
    made = ttk.Label(parent, text=text, style=style, **options)
    if wrap_px:
        made.configure(wraplength=theme.px(wrap_px))
    return made


def button(
    parent: tk.Misc,
    theme: Theme,
    text: str,
    command: Callable[[], object],
    kind: str = "Secondary",
    icon: str = "",
    tip: str = "",
    **options: Any,
) -> ttk.Button:
    """icon: a Bootstrap icon's name; without text the icon stands alone and `tip` says what it does."""
    style = theme.style(kind, theme.surface_of(parent), "TButton")
    made = ttk.Button(parent, text=text, command=command, style=style, **options)
    if icon:
        made.configure(compound="left" if text else "image")
        set_icon(made, theme, icon, _ICON_COLOURS.get(kind, "text"), spaced=bool(text))
    if tip:
        explain(made, theme, tip)
    return made


def set_icon(
    widget: ttk.Button | ttk.Label, theme: Theme, icon: str, colour: str = "text", size: float = 15, spaced: bool = False
) -> None:
    """Gives a label or button an icon that follows the theme."""
    if spaced and not str(widget.cget("text")).startswith(" "):
        widget.configure(text=" " + str(widget.cget("text")))

    def paint() -> None:
        # Without a picture of its own for "disabled" ttk would punch holes into the icon.
        states = (theme.icon(icon, size, colour), "disabled", theme.icon(icon, size, "on_disabled"))
        widget.tk.call(str(widget), "configure", "-image", states)

    theme.follow(widget, paint)


def icon_label(parent: tk.Misc, theme: Theme, icon: str, colour: str = "muted", size: float = 16) -> ttk.Label:
    made = label(parent, theme)
    set_icon(made, theme, icon, colour, size)
    return made


def set_enabled(widget: ttk.Button, theme: Theme, reason: str | None) -> None:
    """None enables; a sentence disables and is what the tooltip says."""
    widget.state(["!disabled"] if reason is None else ["disabled"])
    explain(widget, theme, reason or "")


def card(parent: tk.Misc, theme: Theme, padding: float = 14) -> tuple[ttk.Frame, ttk.Frame]:
    """(rounded frame to be placed, flat frame inside it to be filled)."""
    outer = ttk.Frame(parent, style=theme.style("Box", _box_surface(theme, parent), "TFrame"))
    inner = ttk.Frame(outer, style="Card.TFrame")
    inner.pack(fill="both", expand=True, padx=theme.px(padding), pady=theme.px(padding))
    return outer, inner


def note(parent: tk.Misc, theme: Theme, text: str, kind: str = "Note", wrap_px: float = 420) -> ttk.Frame:
    """A coloured hint. kind: Note, WarningNote, DangerNote."""
    frame = ttk.Frame(parent, style=theme.style(kind, _box_surface(theme, parent), "TFrame"))
    text_label = ttk.Label(frame, text=text, style=f"{kind}.TLabel", wraplength=theme.px(wrap_px))
    text_label.pack(padx=theme.px(12), pady=theme.px(8), anchor="w")
    return frame


def line(parent: tk.Misc) -> ttk.Frame:
    """A horizontal separator, 1 px."""
    return ttk.Frame(parent, style="Line.TFrame", height=1)


def entry(parent: tk.Misc, theme: Theme, variable: tk.StringVar, **options: Any) -> ttk.Entry:
    style = theme.style("", theme.surface_of(parent), "TEntry")
    return ttk.Entry(parent, textvariable=variable, style=style, font="StudioBody", **options)


class SearchField(ttk.Frame):
    """A field with a magnifying glass and a hint in it, for searching while typing; Escape empties it."""

    def __init__(self, parent: tk.Misc, theme: Theme, variable: tk.StringVar, hint: str, width: int = 20) -> None:
        surface = theme.surface_of(parent)
        super().__init__(parent, style=theme.style("", surface, "TFrame"))
        self.field = ttk.Entry(
            self, textvariable=variable, style=theme.style("Search", surface, "TEntry"), font="StudioBody", width=width
        )
        self.field.pack(fill="x", expand=True)
        self.field.bind("<Escape>", lambda _event: variable.set(""))
        glass = tk.Label(self, borderwidth=0)
        self._hint = tk.Label(self, text=hint, borderwidth=0, font="StudioBody", cursor="xterm")
        self._variable = variable
        for shown in (glass, self._hint):
            shown._tb_no_autostyle = True  # type: ignore[attr-defined]
            shown.bind("<ButtonPress-1>", lambda _event: self.field.focus_set())

        def paint() -> None:
            for shown in (glass, self._hint):
                shown.configure(background=theme.colour("input"), foreground=theme.colour("faint"))

        theme.follow(self, paint)
        theme.follow(glass, lambda: glass.configure(image=theme.icon("search", 13, "faint")))
        glass.place(x=theme.px(11), rely=0.5, anchor="w")
        self._left = theme.px(33)
        watch(self, variable, self._show_hint)
        self._show_hint()

    def _show_hint(self) -> None:
        if self._variable.get():
            self._hint.place_forget()
        else:
            self._hint.place(x=self._left, rely=0.5, anchor="w")


def check(
    parent: tk.Misc,
    theme: Theme,
    text: str,
    variable: tk.BooleanVar,
    command: Callable[[], object] | None = None,
    switch: bool = False,
) -> ttk.Checkbutton:
    style = theme.style("Switch" if switch else "", theme.surface_of(parent), "TCheckbutton")
    return ttk.Checkbutton(parent, text=text, variable=variable, command=command or (lambda: None), style=style)


def radio(
    parent: tk.Misc, theme: Theme, text: str, variable: tk.StringVar, value: str, command: Callable[[], object] | None = None
) -> ttk.Radiobutton:
    style = theme.style("", theme.surface_of(parent), "TRadiobutton")
    return ttk.Radiobutton(parent, text=text, variable=variable, value=value, command=command or (lambda: None), style=style)


def combo(parent: tk.Misc, theme: Theme, variable: tk.StringVar, values: list[str], **options: Any) -> ttk.Combobox:
    """A list to choose from; typing is not possible."""
    style = theme.style("", theme.surface_of(parent), "TCombobox")
    return ttk.Combobox(parent, textvariable=variable, values=values, state="readonly", style=style, font="StudioBody", **options)


def _box_surface(theme: Theme, parent: tk.Misc) -> str:
    surface = theme.surface_of(parent)
    return surface if surface in ("Chrome", "Card") else ""
