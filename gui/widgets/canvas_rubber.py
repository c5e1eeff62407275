"""The rectangle that follows the pointer on a BoxCanvas, and the size beside what is drawn, moved or resized."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gui.tk import fonts

if TYPE_CHECKING:
    from .box_canvas import BoxCanvas


class Rubber:
    """One per canvas. Coordinates are image pixels."""

    def __init__(self, canvas: BoxCanvas) -> None:
        self._canvas = canvas
        self._lines = (
            canvas.create_rectangle(0, 0, 0, 0, outline="#000000", width=3, state="hidden"),
            canvas.create_rectangle(0, 0, 0, 0, outline="#ffffff", width=1, state="hidden"),
        )
        self._size = (
            canvas.create_rectangle(0, 0, 0, 0, width=0, fill="#000000", state="hidden"),
            canvas.create_text(0, 0, fill="#ffffff", font=fonts.TINY, anchor="nw", state="hidden"),
        )

    def show(self, start: tuple[float, float], end: tuple[float, float], band: bool = False) -> None:
        canvas = self._canvas
        width, height = canvas.port.image
        ends = [(min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in (start, end)]
        corners = [canvas.port.to_canvas(*point) for point in ends]
        for item, ink in zip(self._lines, ("#000000", "#ffffff" if band else canvas.colour), strict=True):
            canvas.coords(item, *corners[0], *corners[1])
            canvas.itemconfigure(item, state="normal")
            if item == self._lines[1]:
                canvas.itemconfigure(item, outline=ink, dash=(4, 3) if band else (), width=1 if band else 2)
            canvas.tag_raise(item)
        if not band:
            self._show_size(abs(ends[0][0] - ends[1][0]), abs(ends[0][1] - ends[1][1]), corners)

    def show_size_of(self, key: int | None) -> None:
        box = None if key is None else self._canvas.items.find(key)
        if box is not None:
            port = self._canvas.port
            corners = [port.to_canvas(box.left, box.top), port.to_canvas(box.right, box.bottom)]
            self._show_size(box.right - box.left, box.bottom - box.top, corners)

    def _show_size(self, width: float, height: float, corners: list[tuple[float, float]]) -> None:
        """Below the lower right corner."""
        canvas = self._canvas
        rectangle, text = self._size
        x, y = max(c[0] for c in corners) + 6, max(c[1] for c in corners) + 6
        canvas.itemconfigure(text, text=f"{width:.0f} x {height:.0f}", state="normal")
        canvas.coords(text, min(x, canvas.port.canvas[0] - 80) + 4, min(y, canvas.port.canvas[1] - 22) + 2)
        left, top, right, bottom = canvas.bbox(text) or (0, 0, 0, 0)
        canvas.coords(rectangle, left - 4, top - 2, right + 4, bottom + 2)
        canvas.itemconfigure(rectangle, state="normal")
        canvas.tag_raise(rectangle)
        canvas.tag_raise(text)

    def hide(self) -> None:
        for item in (*self._lines, *self._size):
            self._canvas.itemconfigure(item, state="hidden")
