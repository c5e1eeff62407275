"""Charts of the statistics of a dataset: bars and a map of positions, drawn on a scrolled canvas. Values in, nothing else."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageTk

from ..tk import fonts
from ..tk.theme import Theme
from .virtual import VirtualCanvas

_ROW_PX, _GAP_PX, _NAME_PX, _END_PX, _COLUMN_PX, _MAP_PX = 24, 26, 132, 118, 390, 240


@dataclass(frozen=True, slots=True)
class Bar:
    """text: at the end of the bar. warn: amber, with a sign, so that no meaning is by colour alone."""

    name: str
    value: int
    text: str = ""
    colour: str = ""
    warn: bool = False


@dataclass(frozen=True, slots=True)
class BarChart:
    """note: a sentence under the title that says how to read it."""

    title: str
    bars: Sequence[Bar]
    note: str = ""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """values: rows from the top; shown relative to the largest."""

    title: str
    values: NDArray[np.int64]
    note: str = ""


class StatisticsView(VirtualCanvas):
    """Charts in one or two columns, as the width allows."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, theme)
        self._charts: list[BarChart | HeatMap] = []
        self._maps: list[ImageTk.PhotoImage] = []

    def set_charts(self, charts: Sequence[BarChart | HeatMap]) -> None:
        self._charts = list(charts)
        self.redraw()

    def _places(self, width: int) -> list[tuple[int, int, int]]:
        """x, y and width of each chart; the shorter column gets the next one."""
        gap = self.theme.px(_GAP_PX)
        columns = max(1, min(2, width // self.theme.px(_COLUMN_PX)))
        each = (width - gap * columns) // columns
        heights = [0] * columns
        places = []
        for chart in self._charts:
            column = heights.index(min(heights))
            places.append((column * (each + gap), heights[column], each))
            heights[column] += self._height(chart) + gap
        return places

    def _height(self, chart: BarChart | HeatMap) -> int:
        px = self.theme.px
        head = px(56 if chart.note else 34)
        return head + (px(_MAP_PX) if isinstance(chart, HeatMap) else px(_ROW_PX) * max(1, len(chart.bars)))

    def content_height(self, width: int) -> int:
        places = self._places(width)
        return max((y + self._height(chart) for (_x, y, _w), chart in zip(places, self._charts, strict=True)), default=0)

    def draw(self, top: int, bottom: int) -> None:
        px = self.theme.px
        self._maps.clear()
        for (x, y, width), chart in zip(self._places(self.width), self._charts, strict=True):
            if y + self._height(chart) < top or y > bottom:
                continue
            line = y - self.top
            self.text(x, line, chart.title, fonts.STRONG, "text")
            if chart.note:
                self.text(x, line + px(20), chart.note, fonts.SMALL, "muted", width=width)
            line += px(56 if chart.note else 34)
            if isinstance(chart, HeatMap):
                self._draw_map(chart, x, line)
            else:
                self._draw_bars(chart, x, line, width)

    def _draw_bars(self, chart: BarChart, x: int, y: int, width: int) -> None:
        px = self.theme.px
        most = max((bar.value for bar in chart.bars), default=0) or 1
        room = width - px(_NAME_PX) - px(_END_PX)
        if not chart.bars:
            self.text(x, y, "Nothing yet.", fonts.SMALL, "muted")
        for row, bar in enumerate(chart.bars):
            middle = y + row * px(_ROW_PX) + px(_ROW_PX) // 2
            self.text(
                x, middle, fonts.shorten(self, fonts.SMALL, bar.name, px(_NAME_PX) - px(10)), fonts.SMALL, "text", anchor="w"
            )
            left, length = x + px(_NAME_PX), max(px(2), round(room * bar.value / most)) if bar.value else 0
            colour = bar.colour or self.theme.colour("accent")
            self.canvas.create_rectangle(
                left, middle - px(6), left + room, middle + px(6), fill=self.theme.colour("hover"), width=0
            )
            if length:
                self.canvas.create_rectangle(left, middle - px(6), left + length, middle + px(6), fill=colour, width=0)
            text = ("⚠ " if bar.warn else "") + (bar.text or f"{bar.value:,}")
            self.text(left + room + px(10), middle, text, fonts.SMALL, "warning" if bar.warn else "muted", anchor="w")

    def _draw_map(self, chart: HeatMap, x: int, y: int) -> None:
        side = self.theme.px(_MAP_PX)
        shares = chart.values / max(1, int(chart.values.max(initial=0)))
        low, high = (_rgb(self.theme.colour(name)) for name in ("hover", "accent"))
        pixels = (low + (high - low) * shares[..., None]).astype(np.uint8)
        picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
        photo = ImageTk.PhotoImage(picture)
        self._maps.append(photo)
        self.canvas.create_image(x, y, image=photo, anchor="nw")


def _rgb(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)], np.float64)
