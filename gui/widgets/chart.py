"""Draws the chart of a training into a picture, with matplotlib's Agg and without Tk; runs on any thread, one at a time.

The same figure is what the window shows and what "Save picture" writes. matplotlib is imported at the first drawing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LOCK = threading.Lock()  # matplotlib's font machinery is not made for threads
_MOST_POINTS = 1500
_GOOD_PERCENT = 75.0


@dataclass(frozen=True, slots=True)
class Curve:
    """axis "loss" is on the left, "map" (percent, 0..100) on the right. colour: a token or "#rrggbb".

    smooth: the values stay faint behind a running mean. dots: each point is marked. dashed: for the other one of two runs.
    """

    label: str
    steps: Sequence[float]
    values: Sequence[float]
    colour: str
    axis: Literal["loss", "map"] = "loss"
    smooth: bool = False
    dots: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What the chart takes over from the theme. dpi_scale: the interface size."""

    colours: Mapping[str, str]
    ground: str
    family: str
    dpi_scale: float = 1.0

    def colour(self, name: str) -> str:
        return name if name.startswith("#") else self.colours[name]


@dataclass(frozen=True, slots=True)
class Drawn:
    """The picture, where its plot area lies in it (px), and which steps that area spans."""

    picture: Image.Image
    left: float
    right: float
    top: float
    bottom: float
    first_step: float
    last_step: float

    def x_of(self, step: float) -> float:
        share = (step - self.first_step) / max(1e-9, self.last_step - self.first_step)
        return self.left + share * (self.right - self.left)

    def step_at(self, x: float) -> float:
        share = (x - self.left) / max(1e-9, self.right - self.left)
        return self.first_step + min(1.0, max(0.0, share)) * (self.last_step - self.first_step)


def smoothed(values: NDArray[np.float64], weight: float = 0.94) -> NDArray[np.float64]:
    """A running mean that starts at the first value and skips what is not a number."""
    result = np.empty_like(values)
    mean = float("nan")
    for index, value in enumerate(values):
        if np.isfinite(value):
            mean = value if not np.isfinite(mean) else weight * mean + (1 - weight) * value
        result[index] = mean
    return result


def thinned(steps: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most _MOST_POINTS points; the first and the last stay."""
    if len(steps) <= _MOST_POINTS:
        return steps, values
    chosen = np.linspace(0, len(steps) - 1, _MOST_POINTS).round().astype(int)
    return steps[chosen], values[chosen]


def draw(curves: Sequence[Curve], steps: tuple[float, float], size: tuple[int, int], look: Look) -> Drawn:
    """steps: the range of the axis; size in px. Without curves the axes are drawn alone."""
    with _LOCK:
        figure, left_axis = _figure(curves, steps, size, look)
        canvas: Any = figure.canvas
        canvas.draw()
        picture = Image.frombuffer("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba()), "raw", "RGBA", 0, 1).convert(
            "RGB"
        )
        box = left_axis.get_window_extent()
    height = picture.height
    return Drawn(picture, box.x0, box.x1, height - box.y1, height - box.y0, *steps)


def save(path: Path, curves: Sequence[Curve], steps: tuple[float, float], size: tuple[int, int], look: Look) -> None:
    """Writes the chart; the kind follows from the name (.png, .svg, .pdf). Raises OSError, ValueError."""
    with _LOCK:
        figure, _axis = _figure(curves, steps, size, look)
        figure.savefig(path, dpi=200 * look.dpi_scale, facecolor=figure.get_facecolor())


def _figure(curves: Sequence[Curve], steps: tuple[float, float], size: tuple[int, int], look: Look) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dpi = 100 * look.dpi_scale
    figure: Any = Figure(figsize=(max(size[0], 120) / dpi, max(size[1], 80) / dpi), dpi=dpi, facecolor=look.ground)
    FigureCanvasAgg(figure)
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left=0.46 / width, right=1 - 0.46 / width, top=1 - 0.34 / height, bottom=0.30 / height)
    left = figure.add_subplot()
    right = left.twinx()
    for axis in (left, right):
        _dress(axis, look)
    left.set_xlim(*_wide(steps))
    left.grid(True, color=look.colour("grid"), linewidth=0.8)
    right.set_ylim(0, 100)
    right.axhline(_GOOD_PERCENT, color=look.colour("chart_map"), linewidth=0.9, linestyle=(0, (4, 4)), alpha=0.6)
    left.set_ylim(0, _loss_top(curves))
    handles = []
    for curve in curves:
        handles += _plot(left if curve.axis == "loss" else right, curve, look)
    if handles:
        legend = figure.legend(
            handles=handles,
            loc="upper right",
            ncols=len(handles),
            frameon=False,
            fontsize=8,
            bbox_to_anchor=(1 - 0.4 / width, 1.0),
        )
        for text in legend.get_texts():
            text.set_color(look.colour("muted"))
            text.set_family([look.family, "sans-serif"])
    return figure, left


def _dress(axis: Any, look: Look) -> None:
    axis.set_facecolor(look.ground)
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.tick_params(colors=look.colour("muted"), labelsize=8, length=0, pad=5)
    for text in [*axis.get_xticklabels(), *axis.get_yticklabels()]:
        text.set_family([look.family, "sans-serif"])


def _plot(axis: Any, curve: Curve, look: Look) -> list[Any]:
    steps, values = np.asarray(curve.steps, np.float64), np.asarray(curve.values, np.float64)
    if not len(steps):
        return []
    colour, style = look.colour(curve.colour), (0, (5, 3)) if curve.dashed else "solid"
    shown = values
    if curve.smooth and len(values) > 20:
        axis.plot(*thinned(steps, values), color=colour, linewidth=0.8, alpha=0.28)
        shown = smoothed(values)
    few = curve.dots and len(steps) <= 60
    line = axis.plot(
        *thinned(steps, shown),
        color=colour,
        linewidth=1.7,
        linestyle=style,
        label=curve.label,
        marker="o" if few else None,
        markersize=4.5,
    )
    return list(line)


def _loss_top(curves: Sequence[Curve]) -> float:
    """The first steps of a training are far above all others: the axis ends where the curve bends."""
    tops = []
    for curve in curves:
        if curve.axis == "loss" and len(curve.values):
            values = np.asarray(curve.values, np.float64)
            late = values[min(len(values) - 1, max(len(values) // 25, min(20, len(values) // 4))) :]
            late = late[np.isfinite(late)]
            if len(late):
                tops.append(float(late.max()))
    return max(tops) * 1.15 if tops and max(tops) > 0 else 10.0


def _wide(steps: tuple[float, float]) -> tuple[float, float]:
    return steps if steps[1] > steps[0] else (steps[0], steps[0] + 1)
