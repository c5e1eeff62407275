"""The boxes on a canvas as Tk items: outline, label tag, handles; and which of them is under the pointer.

Only what changed is touched, so that dragging one box among hundreds stays smooth.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from gui.tk import fonts

from .viewport import Viewport

HANDLE_POINTS = {
    "nw": (0.0, 0.0),
    "n": (0.5, 0.0),
    "ne": (1.0, 0.0),
    "e": (1.0, 0.5),
    "se": (1.0, 1.0),
    "s": (0.5, 1.0),
    "sw": (0.0, 1.0),
    "w": (0.0, 0.5),
}
_HANDLE_HALF_PX = 4
_HANDLE_REACH_PX = 8
_EDGE_REACH_PX = 4
_ALL_HANDLES_FROM_PX = 30
_TAG_FROM_PX = 26


@dataclass(frozen=True, slots=True)
class CanvasBox:
    """In image pixels. label: what its tag says; locked: the pointer passes through."""

    key: int
    left: float
    top: float
    right: float
    bottom: float
    colour: str
    label: str
    locked: bool = False

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass
class _Items:
    box: CanvasBox
    outline: int
    halo: int
    tag: int
    text: int
    handles: dict[str, int] = field(default_factory=dict)
    tagged: bool = False


class BoxItems:
    """One per canvas."""

    def __init__(self, canvas: tk.Canvas, port: Viewport, px: Callable[[float], int]) -> None:
        """px: screen pixels at the interface size, as theme.px gives them."""
        self._canvas = canvas
        self._px = px
        self._port = port
        self._items: dict[int, _Items] = {}
        self.boxes: tuple[CanvasBox, ...] = ()
        self.selection: frozenset[int] = frozenset()
        self.hovered: int | None = None
        self._widths: dict[str, int] = {}
        self._short: dict[tuple[str, int], str] = {}
        self._line_px = 0

    def fonts_changed(self) -> None:
        self._widths.clear()
        self._short.clear()
        self._line_px = 0

    def show(self, boxes: Sequence[CanvasBox], selection: Collection[int], moved_view: bool = False) -> None:
        """Draws these and no others. moved_view: every item lies elsewhere now."""
        chosen = frozenset(selection)
        wanted = {box.key for box in boxes}
        for key in [key for key in self._items if key not in wanted]:
            self._forget(key)
        for box in boxes:
            items = self._items.get(box.key)
            if items is None:
                items = self._items[box.key] = self._make(box)
                fresh = True
            else:
                fresh = moved_view or items.box != box or (box.key in chosen) != (box.key in self.selection)
            items.box = box
            if fresh:
                self._place(items, box.key in chosen)
        raised = chosen != self.selection or tuple(b.key for b in boxes) != tuple(b.key for b in self.boxes)
        self.boxes, self.selection = tuple(boxes), chosen
        if raised:
            for key in sorted(chosen & wanted):
                self._raise(self._items[key])

    def hover(self, key: int | None) -> None:
        if key == self.hovered:
            return
        before, self.hovered = self.hovered, key
        for one in (before, key):
            if one in self._items:
                self._place(self._items[one], one in self.selection)
        if key in self._items:
            self._raise(self._items[key])

    def clear(self) -> None:
        for key in list(self._items):
            self._forget(key)
        self.boxes, self.selection, self.hovered = (), frozenset(), None

    # --- under the pointer (canvas pixels)

    def handle_at(self, x: float, y: float) -> tuple[int, str] | None:
        """(key, handle) of a selected box, the nearest in reach."""
        best: tuple[float, int, str] | None = None
        for box in self.boxes:
            if box.key not in self.selection or box.locked:
                continue
            for name, (hx, hy) in self._handles(box).items():
                distance = max(abs(hx - x), abs(hy - y))
                if distance <= self._px(_HANDLE_REACH_PX) and (best is None or distance < best[0]):
                    best = (distance, box.key, name)
        return None if best is None else (best[1], best[2])

    def tag_at(self, x: float, y: float) -> int | None:
        """The box whose label lies there; the ones drawn on top first."""
        for box in sorted(self.boxes, key=lambda one: (one.key in self.selection, one.key), reverse=True):
            items = self._items[box.key]
            if box.locked or not items.tagged:
                continue
            left, top, right, bottom = self._canvas.coords(items.tag)
            if left <= x <= right and top <= y <= bottom:
                return box.key
        return None

    def box_at(self, x: float, y: float) -> int | None:
        """An edge in reach wins, then the smallest box around the point, then a selected one."""
        best: tuple[tuple[bool, float, bool], int] | None = None
        for box in self.boxes:
            if box.locked:
                continue
            left, top = self._port.to_canvas(box.left, box.top)
            right, bottom = self._port.to_canvas(box.right, box.bottom)
            reach = self._px(_EDGE_REACH_PX)
            if not (left - reach <= x <= right + reach and top - reach <= y <= bottom + reach):
                continue
            inner = left + reach < x < right - reach and top + reach < y < bottom - reach
            rank = (inner, box.area, box.key not in self.selection)
            if best is None or rank < best[0]:
                best = (rank, box.key)
        return None if best is None else best[1]

    def find(self, key: int) -> CanvasBox | None:
        return self._items[key].box if key in self._items else None

    # --- items

    def _handles(self, box: CanvasBox) -> dict[str, tuple[float, float]]:
        left, top = self._port.to_canvas(box.left, box.top)
        right, bottom = self._port.to_canvas(box.right, box.bottom)
        width, height = right - left, bottom - top
        names = set(HANDLE_POINTS)
        few = self._px(_ALL_HANDLES_FROM_PX)
        if width < few:
            names -= {"n", "s"}
        if height < few:
            names -= {"e", "w"}
        if min(width, height) < few / 2:
            names &= {"nw", "se"}
        return {name: (left + fx * width, top + fy * height) for name, (fx, fy) in HANDLE_POINTS.items() if name in names}

    def _make(self, box: CanvasBox) -> _Items:
        canvas = self._canvas
        return _Items(
            box,
            halo=canvas.create_rectangle(0, 0, 0, 0, width=4, outline="#000000", state="hidden"),
            outline=canvas.create_rectangle(0, 0, 0, 0, width=2),
            tag=canvas.create_rectangle(0, 0, 0, 0, width=0),
            text=canvas.create_text(0, 0, anchor="nw", font=fonts.SMALL),
        )

    def _place(self, items: _Items, selected: bool) -> None:
        canvas, box = self._canvas, items.box
        left, top = self._port.to_canvas(box.left, box.top)
        right, bottom = self._port.to_canvas(box.right, box.bottom)
        marked = selected or box.key == self.hovered
        canvas.coords(items.outline, left, top, right, bottom)
        canvas.coords(items.halo, left, top, right, bottom)
        canvas.itemconfigure(
            items.outline,
            outline=box.colour,
            width=self._px(3 if box.key == self.hovered else 2),
            dash=(6, 4) if box.locked else (),
        )
        canvas.itemconfigure(
            items.halo, state="normal" if marked else "hidden", width=self._px(5 if box.key == self.hovered else 4)
        )
        shows_tag = bool(box.label) and (marked or right - left >= self._px(_TAG_FROM_PX))
        items.tagged = shows_tag
        state = "normal" if shows_tag else "hidden"
        if shows_tag:
            self._place_tag(items, left, top, right)
        canvas.itemconfigure(items.tag, state=state, fill=box.colour)
        canvas.itemconfigure(items.text, state=state, fill=ink_on(box.colour))
        self._place_handles(items, self._handles(box) if selected and not box.locked else {})

    def _place_tag(self, items: _Items, left: float, top: float, right: float) -> None:
        canvas = self._canvas
        text = items.box.label
        if items.box.key not in self.selection and items.box.key != self.hovered:
            text = self._shortened(text, max(int(right - left) - self._px(8), 12))
        canvas.itemconfigure(items.text, text=text)
        if not self._line_px:
            self._line_px = fonts.line_height(canvas, fonts.SMALL)
        height, width = self._line_px + 2, self._width(text) + self._px(10)
        x, y = left - 1, top - height - 1
        if y < 0:
            y = max(top, 0.0)  # inside, when there is no room above
        canvas.coords(items.tag, x, y, x + width, y + height)
        canvas.coords(items.text, x + self._px(5), y + 1)

    def _width(self, text: str) -> int:
        if text not in self._widths:
            self._widths[text] = fonts.measure(self._canvas, fonts.SMALL, text)
        return self._widths[text]

    def _shortened(self, text: str, room_px: int) -> str:
        if self._width(text) <= room_px:
            return text
        if (text, room_px) not in self._short:
            self._short[text, room_px] = fonts.shorten(self._canvas, fonts.SMALL, text, room_px)
        return self._short[text, room_px]

    def _place_handles(self, items: _Items, points: dict[str, tuple[float, float]]) -> None:
        canvas, half = self._canvas, self._px(_HANDLE_HALF_PX)
        for name in [name for name in items.handles if name not in points]:
            canvas.delete(items.handles.pop(name))
        for name, (x, y) in points.items():
            if name not in items.handles:
                items.handles[name] = canvas.create_rectangle(0, 0, 0, 0, fill="#ffffff", outline=items.box.colour, width=1)
            canvas.coords(items.handles[name], x - half, y - half, x + half, y + half)

    def _raise(self, items: _Items) -> None:
        for item in (items.halo, items.outline, items.tag, items.text, *items.handles.values()):
            self._canvas.tag_raise(item)

    def _forget(self, key: int) -> None:
        items = self._items.pop(key)
        self._canvas.delete(items.halo, items.outline, items.tag, items.text, *items.handles.values())


def ink_on(colour: str) -> str:
    """Black or white, whichever can be read better on a colour (WCAG's relative luminance)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"
