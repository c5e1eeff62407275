"""A decoded image made ready for zooming, and the part of it that a canvas shows. No Tk: prepared in a background thread.

Halved copies are kept, so that drawing the visible part costs the same for a small image and for one of 12 megapixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .viewport import Viewport

Pixels = NDArray[np.uint8]
_SMALLEST_LEVEL_PX = 256
_SHOW_PIXELS_FROM = 3.0  # scale from which pixels are drawn as squares


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Of the view only: brightness -100..100, contrast -100..100; 0 leaves the picture as it is."""

    brightness: int = 0
    contrast: int = 0

    def table(self) -> Pixels | None:
        """256 values, or None when nothing changes."""
        if not self.brightness and not self.contrast:
            return None
        slope = 4.0 ** (self.contrast / 100)
        values = (np.arange(256) - 127.5) * slope + 127.5 + self.brightness * 1.275
        return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


class Picture:
    """levels[0] is the image as red, green, blue; each next one has half the sides."""

    def __init__(self, bgr: Pixels) -> None:
        """bgr: height x width x 3 as darknet_bridge.images.read_image gives it."""
        level: Pixels = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        self.levels = [level]
        while min(level.shape[:2]) >= 2 * _SMALLEST_LEVEL_PX:
            half = (level.shape[1] // 2, level.shape[0] // 2)
            level = np.asarray(cv2.resize(level, half, interpolation=cv2.INTER_AREA), np.uint8)
            self.levels.append(level)

    @property
    def width(self) -> int:
        return int(self.levels[0].shape[1])

    @property
    def height(self) -> int:
        return int(self.levels[0].shape[0])

    @property
    def bytes(self) -> int:
        return sum(level.nbytes for level in self.levels)

    def render(self, port: Viewport, adjustment: Adjustment = Adjustment()) -> tuple[Pixels, float, float] | None:
        """(pixels, x, y): what of the image can be seen, at the screen's scale, and where on the canvas it goes."""
        left, top, right, bottom = port.visible()
        if right - left <= 0 or bottom - top <= 0:
            return None
        level = self._level_for(port.scale)
        height, width = level.shape[:2]
        fx, fy = width / self.width, height / self.height
        x0, y0 = max(int(left * fx) - 1, 0), max(int(top * fy) - 1, 0)
        x1, y1 = min(int(right * fx) + 2, width), min(int(bottom * fy) + 2, height)
        crop = level[y0:y1, x0:x1]
        size = (max(round((x1 - x0) / fx * port.scale), 1), max(round((y1 - y0) / fy * port.scale), 1))
        if size != (crop.shape[1], crop.shape[0]):
            way = cv2.INTER_NEAREST if port.scale >= _SHOW_PIXELS_FROM else cv2.INTER_LINEAR
            crop = np.asarray(cv2.resize(crop, size, interpolation=way), np.uint8)
        table = adjustment.table()
        if table is not None:
            crop = np.asarray(cv2.LUT(crop, table), np.uint8)
        x, y = port.to_canvas(x0 / fx, y0 / fy)
        return crop, x, y

    def _level_for(self, scale: float) -> Pixels:
        index = 0
        while index + 1 < len(self.levels) and self.levels[index + 1].shape[1] >= self.width * scale:
            index += 1
        return self.levels[index]


def with_fills(base: Pixels, fills: Sequence[tuple[float, float, float, float, str, float]]) -> Pixels:
    """A copy with translucent rectangles: (left, top, right, bottom in base's pixels, "#rrggbb", opacity 0..1)."""
    made = base.copy()
    height, width = made.shape[:2]
    for left, top, right, bottom, colour, opacity in fills:
        x0, y0 = max(round(left), 0), max(round(top), 0)
        x1, y1 = min(round(right), width), min(round(bottom), height)
        if x1 <= x0 or y1 <= y0:
            continue
        part = made[y0:y1, x0:x1]
        ink = np.empty_like(part)
        ink[:] = tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
        made[y0:y1, x0:x1] = cv2.addWeighted(part, 1 - opacity, ink, opacity, 0)
    return made


def as_ppm(pixels: Pixels) -> bytes:
    """What Tk's own photo image reads fastest."""
    height, width = pixels.shape[:2]
    return b"P6 %d %d 255 " % (width, height) + pixels.tobytes()
