"""One picture of many with arrows to the others and a line that says which it is."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from PIL import Image, ImageTk

from ..tk import fonts
from ..tk.theme import Theme
from .controls import button, label


class Carousel(ttk.Frame):
    """wanted(position) is called when a picture is needed; set_picture brings it. Left and Right turn it."""

    def __init__(self, parent: tk.Misc, theme: Theme, wanted: Callable[[int], object], side_px: int = 250) -> None:
        surface = theme.surface_of(parent)
        super().__init__(parent, style=theme.style("", surface, "TFrame"))
        self.theme = theme
        self._wanted = wanted
        self._side = theme.px(side_px)
        self._photo: ImageTk.PhotoImage | None = None
        self._empty = ""
        self.count = 0
        self.position = 0
        self.canvas = theme.canvas(self, "Ground", width=self._side, height=self._side, takefocus=1)
        self.canvas.pack()
        row = ttk.Frame(self, style=theme.style("", surface, "TFrame"))
        row.pack(fill="x", pady=(theme.px(6), 0))
        self.back = button(row, theme, "", lambda: self.turn(-1), kind="Icon", icon="chevron-left", tip="The image before")
        self.back.pack(side="left")
        self.forward = button(row, theme, "", lambda: self.turn(1), kind="Icon", icon="chevron-right", tip="The next image")
        self.forward.pack(side="right")
        self.caption = label(row, theme, "", "Small", anchor="center")
        self.caption.pack(side="left", fill="x", expand=True)
        self.canvas.bind("<Left>", lambda _event: self.turn(-1))
        self.canvas.bind("<Right>", lambda _event: self.turn(1))
        self.canvas.bind("<Button-1>", lambda _event: self.canvas.focus_set())

    def set_count(self, count: int, empty: str = "") -> None:
        """A new set of pictures, from its first. empty: what stands there without any."""
        self.count, self.position, self._empty = count, 0, empty
        self._photo = None
        self._show()

    def turn(self, by: int) -> None:
        """Round in a circle."""
        if self.count:
            self.position = (self.position + by) % self.count
            self._show()

    def set_picture(self, position: int, picture: Image.Image | None, caption: str) -> None:
        """None: it can't be shown. What comes too late is dropped."""
        if position != self.position:
            return
        self.canvas.delete("all")
        if picture is None:
            self._text("This image can't be read any more. Was it moved or deleted?")
        else:
            scale = min(self._side / picture.width, self._side / picture.height)
            size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            self._photo = ImageTk.PhotoImage(picture.resize(size, Image.Resampling.BILINEAR))
            self.canvas.create_image(self._side // 2, self._side // 2, image=self._photo)
        shown = fonts.shorten(self, fonts.SMALL, caption, self._side - self.theme.px(80))
        self.caption.configure(text=shown)

    def _show(self) -> None:
        for arrow in (self.back, self.forward):
            arrow.state(["!disabled" if self.count > 1 else "disabled"])
        if self.count:
            self._wanted(self.position)
            return
        self.canvas.delete("all")
        self._text(self._empty)
        self.caption.configure(text="")

    def _text(self, text: str) -> None:
        self.canvas.create_text(
            self._side // 2,
            self._side // 2,
            text=text,
            width=self._side - self.theme.px(40),
            justify="center",
            font=fonts.SMALL,
            fill=self.theme.colour("muted"),
        )
