"""A scrolled canvas that draws only what can be seen. The base of lists and grids with any number of entries.

A subclass gives `content_height(width)` and `draw(top, bottom)`; it draws with y in content coordinates minus `self.top`.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from PIL import ImageTk

from ..tk.lifetime import Timer, when_idle
from ..tk.style_parts import rounded
from ..tk.theme import Theme, focused

_WHEEL_PX = 60


class VirtualCanvas(ttk.Frame):
    """Canvas and scrollbar. Sizes are real pixels; use theme.px for what should grow with the interface size."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        self.surface = theme.surface_of(parent)
        super().__init__(parent, style=theme.style("", self.surface, "TFrame"))
        self.theme = theme
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.canvas = theme.canvas(self, self.surface, takefocus=1, width=1, height=1)
        self.canvas.grid(row=0, column=0, sticky="nsew")
        self._bar = ttk.Scrollbar(
            self,
            orient="vertical",
            style=theme.style("", self.surface, "Vertical.TScrollbar"),
            command=self._scrolled,
            takefocus=0,
        )
        self._bar_shown = False
        self.top = 0
        self._pending: Timer | None = None
        self._boxes: dict[tuple[object, ...], ImageTk.PhotoImage] = {}
        self.canvas.bind("<Configure>", lambda _event: self.redraw())
        self.canvas.bind("<FocusIn>", lambda _event: self.redraw())
        self.canvas.bind("<FocusOut>", lambda _event: self.redraw())
        self.canvas.bind("<MouseWheel>", lambda event: self.scroll_by(-_WHEEL_PX * (1 if event.delta > 0 else -1)))
        self.canvas.bind("<Button-4>", lambda _event: self.scroll_by(-self.theme.px(_WHEEL_PX)))
        self.canvas.bind("<Button-5>", lambda _event: self.scroll_by(self.theme.px(_WHEEL_PX)))
        theme.follow(self, self._recoloured)

    # ---- for subclasses ------------------------------------------------------------------------------------------------

    def content_height(self, width: int) -> int:
        raise NotImplementedError

    def draw(self, top: int, bottom: int) -> None:
        """Draw what lies between these content coordinates."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        return int(self.canvas.winfo_width())

    @property
    def height(self) -> int:
        return int(self.canvas.winfo_height())

    @property
    def has_focus(self) -> bool:
        return focused(self.canvas) is self.canvas if self.canvas.winfo_viewable() else False

    def box(self, x: int, y: int, width: int, height: int, fill: str, edge: str, line: int = 1, radius: float = 8) -> None:
        """A rounded box; fill and edge are colour tokens. Boxes of one size share a picture."""
        colours = (self.theme.colour(fill), self.theme.colour(edge), self.theme.surface_colour(self.surface))
        key = (*colours, width, height, line, radius)
        picture = self._boxes.get(key)
        if picture is None:
            if len(self._boxes) > 40:
                self._boxes.clear()
            picture = ImageTk.PhotoImage(rounded(*colours, self.theme.px(radius), self.theme.px(line), (width, height)))
            self._boxes[key] = picture
        self.canvas.create_image(x, y, image=picture, anchor="nw")

    def text(self, x: int, y: int, text: str, font: str, colour: str, **options: Any) -> int:
        options.setdefault("anchor", "nw")
        return int(self.canvas.create_text(x, y, text=text, font=font, fill=self.theme.colour(colour), **options))

    def icon(self, x: int, y: int, name: str, size: float, colour: str) -> None:
        """Centred at x, y."""
        self.canvas.create_image(x, y, image=self.theme.icon(name, size, colour), anchor="center")

    def redraw(self) -> None:
        """Soon, and once for any number of calls."""
        if self._pending is None:
            self._pending = when_idle(self, self._draw_now)

    def scroll_by(self, pixels: int) -> None:
        self.scroll_to(self.top + pixels)

    def scroll_to(self, top: int) -> None:
        self.top = max(0, min(top, self.content_height(self.width) - self.height))
        self.redraw()

    def see(self, top: int, bottom: int) -> None:
        """Scrolls as little as needed to show this part."""
        if self.height <= 1:
            return
        if top < self.top:
            self.scroll_to(top)
        elif bottom > self.top + self.height:
            self.scroll_to(bottom - self.height)

    # ---- inside -----------------------------------------------------------------------------------------------------------

    def _recoloured(self) -> None:
        self._boxes.clear()
        self.redraw()

    def _scrolled(self, what: str, amount: str, unit: str = "") -> None:
        content = self.content_height(self.width)
        if what == "moveto":
            self.scroll_to(round(float(amount) * content))
        else:
            step = self.height if unit.startswith("page") else self.theme.px(_WHEEL_PX)
            self.scroll_by(int(amount) * step)

    def _draw_now(self) -> None:
        self._pending = None
        width, height = self.width, self.height
        self.canvas.delete("all")
        if width <= 1 or height <= 1:
            return
        content = self.content_height(width)
        self.top = max(0, min(self.top, content - height))
        self._show_bar(content > height)
        if content > height:
            self._bar.set(self.top / content, (self.top + height) / content)
        self.draw(self.top, self.top + height)

    def _show_bar(self, shown: bool) -> None:
        """Placed, not gridded: a bar that asks for height makes room for the content, goes, and comes again for ever."""
        if shown != self._bar_shown:
            self._bar_shown = shown
            self.columnconfigure(1, minsize=self._bar.winfo_reqwidth() if shown else 0)
            if shown:
                self._bar.place(relx=1.0, rely=0.0, relheight=1.0, anchor="ne")
            else:
                self._bar.place_forget()


def on_click(widget: tk.Misc, callback: Callable[[tk.Event[tk.Misc]], object]) -> None:
    """Left button down: the widget takes the focus, then the callback is called."""

    def pressed(event: tk.Event[tk.Misc]) -> None:
        widget.focus_set()
        callback(event)

    widget.bind("<ButtonPress-1>", pressed)
