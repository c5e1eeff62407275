"""A frame that scrolls shows its content whatever the order in which sizes arrive."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from gui.widgets.scrolled import ScrolledFrame


def test_the_content_is_seen_when_the_bar_goes_while_the_page_comes(
    root: Any, place: tk.Frame, theme: Any, turn: Callable[..., None]
) -> None:
    """Tk's grid leaves an arrangement unfinished when the size it asks for falls to one pixel meanwhile."""
    page = ttk.Frame(place)
    page.columnconfigure(0, weight=1)
    page.rowconfigure(0, weight=1)
    scrolled = ScrolledFrame(page, theme)
    scrolled.grid(row=0, column=0, sticky="nsew")
    ttk.Label(scrolled.body, text="What there is to read").pack()
    scrolled._moved(0.0, 0.5)
    turn()
    page.pack(fill="both", expand=True)
    scrolled._moved(0.0, 1.0)
    turn()
    assert scrolled.body.winfo_viewable()


def test_the_bar_comes_with_high_content_and_goes_with_it(place: tk.Frame, theme: Any, turn: Callable[..., None]) -> None:
    scrolled = ScrolledFrame(place, theme)
    scrolled.pack(fill="both", expand=True)
    high = ttk.Frame(scrolled.body, height=50)
    high.pack()
    turn(scrolled.body.winfo_viewable)
    assert not scrolled._bar.winfo_ismapped()
    high.configure(height=5000)
    turn(scrolled._bar.winfo_ismapped)
    right = scrolled._bar.winfo_rootx() + scrolled._bar.winfo_width()
    assert right == scrolled.winfo_rootx() + scrolled.winfo_width()
    high.configure(height=50)
    turn(lambda: not scrolled._bar.winfo_ismapped())
