"""What a person does with mouse and keyboard, as real events of the X server where it matters, else of Tk."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Iterator
from tkinter import ttk


def walk(widget: tk.Misc) -> Iterator[tk.Misc]:
    """The widget and everything in it that can be seen."""
    if widget.winfo_viewable():
        yield widget
    for child in widget.winfo_children():
        yield from walk(child)


def button(widget: tk.Misc, text: str) -> ttk.Button:
    """The visible button with this text. Raises LookupError with the texts there are."""
    texts = []
    for each in walk(widget):
        if isinstance(each, ttk.Button):
            shown = str(each.cget("text")).strip()
            if shown == text:
                return each
            texts.append(shown)
    raise LookupError(f"no button {text!r}; there are {texts}")


def texts(widget: tk.Misc) -> list[str]:
    """What can be read in visible labels and buttons."""
    found = []
    for each in walk(widget):
        if isinstance(each, (ttk.Label, ttk.Button)):
            text = str(each.cget("text")).strip()
            if text:
                found.append(text)
    return found


def click(widget: tk.Misc, x: int | None = None, y: int | None = None, number: int = 1) -> None:
    """Pointer to the place (else the middle), button down and up."""
    at_x = widget.winfo_width() // 2 if x is None else x
    at_y = widget.winfo_height() // 2 if y is None else y
    widget.event_generate("<Enter>", x=at_x, y=at_y)
    widget.event_generate("<Motion>", x=at_x, y=at_y)
    widget.event_generate(f"<ButtonPress-{number}>", x=at_x, y=at_y)
    widget.event_generate(f"<ButtonRelease-{number}>", x=at_x, y=at_y)


def type_text(widget: tk.Misc, text: str) -> None:
    widget.focus_force()
    for character in text:
        keysym = {" ": "space", "/": "slash", ".": "period", "-": "minus"}.get(character, character)
        widget.event_generate(f"<KeyPress-{keysym}>")
        widget.event_generate(f"<KeyRelease-{keysym}>")


def key(widget: tk.Misc, sequence: str) -> None:
    """key(root, "<Control-n>")."""
    (widget.focus_get() or widget).event_generate(sequence)
