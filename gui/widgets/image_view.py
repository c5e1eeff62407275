"""A picture that fits its place, with boxes over it. For looking only; boxes are drawn in box_canvas."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass
from tkinter import ttk

from PIL import Image, ImageTk

from ..tk import fonts
from ..tk.theme import Theme


@dataclass(frozen=True, slots=True)
class ShownBox:
    """Centre and size relative to the picture, 0..1. colour: "#rrggbb". dashed: for boxes of another origin."""

    cx: float
    cy: float
    w: float
    h: float
    text: str
    colour: str
    dashed: bool = False


class ImageView(ttk.Frame):
    """Changing boxes takes about a millisecond; changing the picture, one resize."""

    def __init__(self, parent: tk.Misc, theme: Theme, height: int = 320, surface: str = "Ground") -> None:
        super().__init__(parent, style=theme.style("", surface, "TFrame"))
        self.theme = theme
        self.canvas = theme.canvas(self, surface, height=theme.px(height), width=1)
        self.canvas.pack(fill="both", expand=True)
        self._picture: Image.Image | None = None
        self._photo: ImageTk.PhotoImage | None = None
        self._boxes: tuple[ShownBox, ...] = ()
        self._message = ""
        self._place = (0, 0, 1, 1)
        self.canvas.bind("<Configure>", lambda _event: self._layout())
        theme.follow(self, self._layout)

    def set_image(self, picture: Image.Image | None, message: str = "") -> None:
        """RGB, turned as it is seen. None shows the message."""
        self._picture, self._message = picture, message
        self._layout()

    def set_boxes(self, boxes: Sequence[ShownBox]) -> None:
        self._boxes = tuple(boxes)
        self._draw_boxes()

    def _layout(self) -> None:
        canvas = self.canvas
        canvas.delete("all")
        width, height = canvas.winfo_width(), canvas.winfo_height()
        if width <= 1 or height <= 1:
            return
        if self._picture is None:
            self._photo = None
            colour = self.theme.colour("muted")
            canvas.create_text(
                width // 2, height // 2, text=self._message, fill=colour, font=fonts.BODY, width=width - 32, justify="center"
            )
            return
        picture = self._picture
        scale = min(width / picture.width, height / picture.height)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        how = Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BICUBIC
        self._photo = ImageTk.PhotoImage(picture.resize(size, how, reducing_gap=2.0))
        self._place = ((width - size[0]) // 2, (height - size[1]) // 2, *size)
        canvas.create_image(self._place[0], self._place[1], image=self._photo, anchor="nw")
        self._draw_boxes()

    def _draw_boxes(self) -> None:
        canvas, px = self.canvas, self.theme.px
        canvas.delete("box")
        if self._picture is None:
            return
        left, top, width, height = self._place
        for box in self._boxes:
            x0, y0 = left + (box.cx - box.w / 2) * width, top + (box.cy - box.h / 2) * height
            x1, y1 = left + (box.cx + box.w / 2) * width, top + (box.cy + box.h / 2) * height
            dash = (4, 3) if box.dashed else ()
            canvas.create_rectangle(x0, y0, x1, y1, outline=box.colour, width=px(2), dash=dash, tags="box")
            if box.text:
                text_y = y0 if y0 - px(16) >= top else y0 + px(16)
                tag = canvas.create_text(
                    x0 + px(4),
                    text_y - px(2),
                    text=box.text,
                    anchor="sw",
                    font=fonts.TINY,
                    fill=readable_on(box.colour),
                    tags="box",
                )
                x_a, y_a, x_b, y_b = canvas.bbox(tag)
                ground = canvas.create_rectangle(x_a - px(4), y_a - 1, x_b + px(4), y_b + 1, fill=box.colour, width=0, tags="box")
                canvas.tag_lower(ground, tag)


def readable_on(colour: str) -> str:
    """Black or white, whichever can be read on "#rrggbb"."""
    red, green, blue = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
