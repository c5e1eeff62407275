"""What a model proposes, over a canvas: dashed outlines with a score, told apart from boxes by shape and not by colour alone."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gui.tk import fonts

from .canvas_boxes import CanvasBox
from .viewport import Viewport

_DASH_PX = _GAP_PX = 5
_PAD_PX = 5


@dataclass
class _Items:
    box: CanvasBox
    ground: int
    dashes: int
    tag: int
    text: int

    @property
    def all(self) -> tuple[int, int, int, int]:
        return self.ground, self.dashes, self.tag, self.text


class SuggestionItems:
    """One per canvas. boxes: those that are shown, the last on top; marked: the key of the one that is drawn stronger."""

    def __init__(self, canvas: tk.Canvas, port: Viewport, px: Callable[[float], int]) -> None:
        """px: screen pixels at the interface size, as theme.px gives them."""
        self._canvas, self._port, self._px = canvas, port, px
        self._items: dict[int, _Items] = {}
        self._widths: dict[str, int] = {}
        self.boxes: tuple[CanvasBox, ...] = ()
        self.marked: int | None = None

    def show(self, boxes: Sequence[CanvasBox], marked: int | None = None) -> None:
        """These and no others; only the difference costs."""
        before = self.marked
        self.boxes, self.marked = tuple(boxes), marked
        wanted = {box.key for box in boxes}
        for key in [key for key in self._items if key not in wanted]:
            self._canvas.delete(*self._items.pop(key).all)
        for box in boxes:
            items = self._items.get(box.key)
            if items is None:
                items = self._items[box.key] = self._make(box)
            elif items.box == box and (before == marked or box.key not in (before, marked)):
                continue
            items.box = box
            self._place(items)
        if marked in self._items and marked != before:
            for item in self._items[marked].all:
                self._canvas.tag_raise(item)

    def place(self, metrics: bool = False) -> None:
        """After the view moved, or (metrics) the fonts changed."""
        if metrics:
            self._widths.clear()
        for items in self._items.values():
            self._place(items)

    def at(self, x: float, y: float) -> CanvasBox | None:
        """The smallest around a canvas point, its tag included."""
        return min((box for box in self.boxes if self._covers(box, x, y)), key=lambda box: box.area, default=None)

    def _covers(self, box: CanvasBox, x: float, y: float) -> bool:
        left, top, right, bottom = self._canvas.coords(self._items[box.key].tag)
        if left <= x <= right and top <= y <= bottom:
            return True
        left, top = self._port.to_canvas(box.left, box.top)
        right, bottom = self._port.to_canvas(box.right, box.bottom)
        return left <= x <= right and top <= y <= bottom

    def _make(self, box: CanvasBox) -> _Items:
        canvas = self._canvas
        return _Items(
            box,
            ground=canvas.create_rectangle(0, 0, 0, 0, outline="#000000"),
            dashes=canvas.create_rectangle(0, 0, 0, 0),
            tag=canvas.create_rectangle(0, 0, 0, 0, fill="#000000"),
            text=canvas.create_text(0, 0, anchor="nw", font=fonts.SMALL, fill="#ffffff"),
        )

    def _place(self, items: _Items) -> None:
        canvas, box = self._canvas, items.box
        marked = box.key == self.marked
        left, top = self._port.to_canvas(box.left, box.top)
        right, bottom = self._port.to_canvas(box.right, box.bottom)
        width = self._px(3 if marked else 2)
        for item, ink, wide in ((items.ground, "#000000", width + 1), (items.dashes, box.colour, width)):
            canvas.coords(item, left, top, right, bottom)
            canvas.itemconfigure(item, outline=ink, width=wide)
        # The ends of a dash stick out by half its width.
        canvas.itemconfigure(items.dashes, dash=(self._px(_DASH_PX), self._px(_GAP_PX) + width))
        height = fonts.line_height(canvas, fonts.SMALL) + 2
        x, y = left - 1, top - height - 1
        if y < 0:
            y = max(top, 0.0)  # inside, when there is no room above
        pad = self._px(_PAD_PX)
        canvas.coords(items.tag, x, y, x + self._width(box.label) + 2 * pad, y + height)
        canvas.coords(items.text, x + pad, y + 1)
        canvas.itemconfigure(items.tag, outline=box.colour, width=width if marked else 1)
        canvas.itemconfigure(items.text, text=box.label)

    def _width(self, text: str) -> int:
        if text not in self._widths:
            self._widths[text] = fonts.measure(self._canvas, fonts.SMALL, text)
        return self._widths[text]
