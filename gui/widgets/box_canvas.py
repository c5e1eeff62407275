"""The image with its boxes: draws, zooms, and turns the pointer into calls with image pixels. It changes no box itself.

Whoever uses it keeps the boxes, answers the calls of CanvasEvents and shows the result with show_boxes. The pointer's own rules
are in canvas_pointer.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from gui.tk import fonts
from gui.tk.lifetime import Timer, when_idle
from gui.tk.theme import Theme

from .canvas_boxes import BoxItems, CanvasBox
from .canvas_pointer import Pointer
from .canvas_suggestions import SuggestionItems
from .picture import Adjustment, Picture, Pixels, as_ppm, with_fills
from .viewport import STEP, View, Viewport

_FILL = 0.22
_FILL_SELECTED = 0.32


def _ignore(*_: object) -> None:
    pass


@dataclass
class CanvasEvents:
    """All coordinates are image pixels. A drag of boxes is begin, any number of move or resize, then end or cancel."""

    draw: Callable[[float, float, float, float], object] = _ignore  # two corners in any order
    stamp: Callable[[float, float], object] = _ignore  # double-click: the same size again, around here
    select: Callable[[int | None, bool], object] = _ignore  # (key or None for nothing, toggle)
    band: Callable[[float, float, float, float, bool], object] = _ignore  # (left, top, right, bottom, add)
    begin: Callable[[], object] = _ignore
    move: Callable[[float, float], object] = _ignore  # offset from the beginning
    resize: Callable[[int, str, float, float], object] = _ignore  # (key, handle, x, y)
    end: Callable[[], object] = _ignore
    cancel: Callable[[], object] = _ignore
    hover: Callable[[int | None], object] = _ignore
    pointer: Callable[[float | None, float | None], object] = _ignore  # None: left the image
    menu: Callable[[int, int, int | None], object] = _ignore  # (screen x, screen y, key under it)
    suggested: Callable[[int | None], object] = _ignore  # the pointer came to this suggestion
    accept: Callable[[int], object] = _ignore  # a suggestion was clicked
    zoomed: Callable[[float], object] = _ignore


class BoxCanvas(tk.Canvas):
    """mode: "draw" or "select"; the pointer asks for it at each press."""

    def __init__(self, parent: tk.Misc, theme: Theme, events: CanvasEvents) -> None:
        super().__init__(parent, highlightthickness=0, borderwidth=0, takefocus=True, width=400, height=300)
        self._tb_no_autostyle = True
        self.studio_surface = "Ground"
        self.theme = theme
        self.events = events
        self.port = Viewport()
        self.mode = "draw"
        self.colour = "#ffffff"
        self.crosshair = True
        self.adjustment = Adjustment()
        self.picture: Picture | None = None
        self._base: tuple[Pixels, float, float] | None = None
        self._photo = tk.PhotoImage(master=self)
        self._image_item = self.create_image(0, 0, anchor="nw", image=self._photo)
        self._message = self.create_text(0, 0, font=fonts.BODY, justify="center", width=420)
        self.items = BoxItems(self, self.port, theme.px)
        self.suggestions = SuggestionItems(self, self.port, theme.px)
        self._all: tuple[CanvasBox, ...] = ()
        self._suggested: tuple[tuple[CanvasBox, ...], int | None] = ((), None)
        self._boxes_shown = True
        self._without_fill: frozenset[int] = frozenset()
        self._redraw: Timer | None = None
        self._view_changed = self._fills_changed = False
        self._badge = (self.create_rectangle(0, 0, 0, 0, width=0), self.create_text(0, 0, font=fonts.SMALL))
        self._badge_text = ""
        self.pointer = Pointer(self)
        self.bind("<Configure>", self._resized)
        theme.follow(self, self._paint)

    # --- what is shown

    def show_picture(self, picture: Picture | None, message: str = "") -> None:
        """Another image, zoomed as the last one was. message: instead of a picture that is not there."""
        self.pointer.abandon()
        self.items.clear()
        self._all = ()
        self.show_suggestions(())
        self.picture = picture
        self.itemconfigure(self._message, text="" if picture is not None else message)
        if picture is not None:
            self.port.set_image(picture.width, picture.height)
        self.view_changed()

    def show_boxes(self, boxes: Sequence[CanvasBox], selection: Collection[int]) -> None:
        """In the order of drawing. Call it whenever something changed; only the difference costs."""
        chosen = frozenset(selection)
        fills_before = self._fill_keys()
        self._all = tuple(boxes)
        self.items.show(self._all if self._boxes_shown else (), chosen)
        if self._fill_keys() != fills_before:
            self._fills_changed = True
            self._schedule()
        self._show_badge()

    def show_suggestions(self, boxes: Sequence[CanvasBox], marked: int | None = None) -> None:
        """What may become boxes; hidden with them."""
        self._suggested = (tuple(boxes), marked)
        self.suggestions.show(*(self._suggested if self._boxes_shown else ((), None)))
        self._show_badge()

    @property
    def boxes_shown(self) -> bool:
        return self._boxes_shown

    def set_boxes_shown(self, shown: bool) -> None:
        self._boxes_shown = shown
        self.items.show(self._all if shown else (), self.items.selection)
        self.suggestions.show(*(self._suggested if shown else ((), None)))
        self._fills_changed = True
        self._schedule()

    def set_mode(self, mode: str) -> None:
        self.pointer.abandon()
        self.mode = mode
        self.pointer.refresh()

    def set_crosshair(self, shown: bool) -> None:
        self.crosshair = shown
        self.pointer.refresh()

    def set_adjustment(self, adjustment: Adjustment) -> None:
        self.adjustment = adjustment
        self.view_changed()

    def highlight(self, key: int | None) -> None:
        """As if the pointer were over that box."""
        self.items.hover(key)

    def set_badge(self, text: str) -> None:
        """At the upper edge, like '329 x 500'."""
        self._badge_text = text
        self._show_badge()

    def dragging(self, keys: Collection[int]) -> None:
        """These boxes are outlines only while they move: their fill is part of the picture."""
        self._without_fill = frozenset(keys)
        self._fills_changed = True
        self._schedule()

    # --- zoom and pan

    @property
    def view(self) -> View:
        return self.port.view

    def restore_view(self, view: View) -> None:
        self.port.restore(view)
        self.view_changed()

    def zoom(self, steps: float, at: tuple[float, float] | None = None) -> None:
        """By steps of a quarter; around a canvas point, else around the pointer when it is over the canvas, else the middle."""
        x, y = at or self.pointer.position or (self.port.canvas[0] / 2, self.port.canvas[1] / 2)
        self.port.zoom(STEP**steps, x, y)
        self.view_changed()

    def zoom_fit(self) -> None:
        self.port.fit()
        self.view_changed()

    def zoom_actual(self) -> None:
        """100 %: one image pixel is one of the screen."""
        x, y = self.pointer.position or (self.port.canvas[0] / 2, self.port.canvas[1] / 2)
        self.port.set_scale(1.0, x, y)
        self.view_changed()

    def zoom_to(self, keys: Collection[int]) -> None:
        """To these boxes."""
        self._zoom_to([box for box in self._all if box.key in keys])

    def zoom_to_suggestion(self, key: int | None) -> None:
        self._zoom_to([box for box in self.suggestions.boxes if box.key == key])

    def _zoom_to(self, chosen: Sequence[CanvasBox]) -> None:
        if chosen:
            self.port.show(
                min(box.left for box in chosen),
                min(box.top for box in chosen),
                max(box.right for box in chosen),
                max(box.bottom for box in chosen),
            )
            self.view_changed()

    def pan(self, dx: float, dy: float) -> None:
        self.port.pan(dx, dy)
        self.view_changed()

    def view_changed(self) -> None:
        self._view_changed = True
        self._schedule()

    # --- drawing

    def _schedule(self) -> None:
        if self._redraw is None:
            self._redraw = when_idle(self, self._draw)

    def _draw(self) -> None:
        self._redraw = None
        if self._view_changed:
            self._base = None if self.picture is None else self.picture.render(self.port, self.adjustment)
            self.items.show(self._all if self._boxes_shown else (), self.items.selection, moved_view=True)
            self.suggestions.place()
            self.pointer.refresh()
            self._show_badge()
            self.events.zoomed(self.port.scale)
        if self._base is None:
            self.itemconfigure(self._image_item, state="hidden")
        elif self._view_changed or self._fills_changed:
            pixels, x, y = self._base
            self._photo.configure(data=as_ppm(with_fills(pixels, self._fills(round(x), round(y)))))
            self.coords(self._image_item, round(x), round(y))
            self.itemconfigure(self._image_item, state="normal")
        self._view_changed = self._fills_changed = False

    def _fill_keys(self) -> tuple[object, ...]:
        """What the translucent fills depend on."""
        filled = (box for box in self._all if box.key not in self._without_fill)
        return (self.items.selection, tuple((b.left, b.top, b.right, b.bottom, b.colour) for b in filled))

    def _fills(self, x: int, y: int) -> list[tuple[float, float, float, float, str, float]]:
        if not self._boxes_shown:
            return []
        found = []
        for box in self._all:
            if box.key not in self._without_fill:
                left, top = self.port.to_canvas(box.left, box.top)
                right, bottom = self.port.to_canvas(box.right, box.bottom)
                opacity = _FILL_SELECTED if box.key in self.items.selection else _FILL
                found.append((left - x, top - y, right - x, bottom - y, box.colour, opacity))
        return found

    def _show_badge(self) -> None:
        rectangle, text = self._badge
        state = "normal" if self._badge_text else "hidden"
        self.itemconfigure(text, text=self._badge_text, state=state)
        self.itemconfigure(rectangle, state=state)
        pad_x, pad_y = self.theme.px(10), self.theme.px(5)
        height = fonts.line_height(self, fonts.SMALL) + 2 * pad_y
        self.coords(text, self.port.canvas[0] / 2, self.theme.px(10) + height / 2)
        left, top, right, bottom = self.bbox(text) or (0, 0, 0, 0)
        self.coords(rectangle, left - pad_x, top - pad_y, right + pad_x, bottom + pad_y)
        self.tag_raise(rectangle)
        self.tag_raise(text)

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        self.port.resize(event.width, event.height)
        self.coords(self._message, event.width / 2, event.height / 2)
        self.view_changed()

    def _paint(self) -> None:
        self.configure(background=self.theme.colour("ground"))
        self.itemconfigure(self._message, fill=self.theme.colour("muted"))
        self.itemconfigure(self._badge[0], fill=self.theme.colour("tooltip"))
        self.itemconfigure(self._badge[1], fill=self.theme.colour("on_tooltip"))
        self.items.fonts_changed()
        self.suggestions.place(metrics=True)
        self.view_changed()
