"""Where an image lies on a canvas: zoom and pan as arithmetic, without a display.

Canvas pixels are the screen's; image pixels those of the picture as it is seen. A canvas point x shows the image point
left + x / scale.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_SCALE = 40.0
STEP = 1.25
_FIT_MARGIN = 0.04  # of the canvas on each side


@dataclass(frozen=True, slots=True)
class View:
    """What is kept when the image changes: fitted, or a scale around a point given as a share of the image."""

    fit: bool = True
    scale: float = 1.0
    x: float = 0.5
    y: float = 0.5


class Viewport:
    """left, top: the image point at the canvas's upper left corner. scale: canvas pixels per image pixel."""

    def __init__(self) -> None:
        self.image = (1, 1)
        self.canvas = (1, 1)
        self.scale = 1.0
        self.left = 0.0
        self.top = 0.0
        self.is_fit = True

    # --- coordinates

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        return (self.left + x / self.scale, self.top + y / self.scale)

    def to_canvas(self, x: float, y: float) -> tuple[float, float]:
        return ((x - self.left) * self.scale, (y - self.top) * self.scale)

    def visible(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the image that can be seen; of no area when none can."""
        right, bottom = self.to_image(*self.canvas)
        return (
            max(self.left, 0.0),
            max(self.top, 0.0),
            max(min(right, float(self.image[0])), 0.0),
            max(min(bottom, float(self.image[1])), 0.0),
        )

    # --- changing it

    def resize(self, width: int, height: int) -> None:
        """The canvas has another size: fitted stays fitted, else the middle stays."""
        middle = self.to_image(self.canvas[0] / 2, self.canvas[1] / 2)
        self.canvas = (max(width, 1), max(height, 1))
        if self.is_fit:
            self.fit()
        else:
            self.centre_on(*middle)

    def set_image(self, width: int, height: int) -> None:
        """Another image, shown the way the last one was."""
        view = self.view
        self.image = (max(width, 1), max(height, 1))
        self.restore(view)

    @property
    def fit_scale(self) -> float:
        room = 1 - 2 * _FIT_MARGIN
        return min(self.canvas[0] * room / self.image[0], self.canvas[1] * room / self.image[1], MAX_SCALE)

    def fit(self) -> None:
        self.scale = self.fit_scale
        self.is_fit = True
        self.left = self.image[0] / 2 - self.canvas[0] / 2 / self.scale
        self.top = self.image[1] / 2 - self.canvas[1] / 2 / self.scale

    def zoom(self, factor: float, x: float, y: float) -> None:
        """Keeps the image point under the canvas point (x, y) where it is."""
        self.set_scale(self.scale * factor, x, y)

    def set_scale(self, scale: float, x: float, y: float) -> None:
        at = self.to_image(x, y)
        least = min(self.fit_scale / 2, 1.0)
        self.scale = min(max(scale, least), MAX_SCALE)
        self.is_fit = False
        self.left, self.top = at[0] - x / self.scale, at[1] - y / self.scale
        self._keep_in_sight()

    def pan(self, dx: float, dy: float) -> None:
        """Moves the picture by canvas pixels."""
        self.left -= dx / self.scale
        self.top -= dy / self.scale
        self.is_fit = False
        self._keep_in_sight()

    def centre_on(self, x: float, y: float) -> None:
        """Puts an image point into the middle."""
        self.left = x - self.canvas[0] / 2 / self.scale
        self.top = y - self.canvas[1] / 2 / self.scale
        self._keep_in_sight()

    def show(self, left: float, top: float, right: float, bottom: float) -> None:
        """Zooms to a part of the image, which then takes a good half of the canvas."""
        share = 0.6
        width, height = max(right - left, 4.0), max(bottom - top, 4.0)
        self.scale = min(self.canvas[0] * share / width, self.canvas[1] * share / height, MAX_SCALE)
        self.is_fit = False
        self.centre_on((left + right) / 2, (top + bottom) / 2)

    @property
    def view(self) -> View:
        x, y = self.to_image(self.canvas[0] / 2, self.canvas[1] / 2)
        return View(self.is_fit, self.scale, x / self.image[0], y / self.image[1])

    def restore(self, view: View) -> None:
        if view.fit:
            self.fit()
            return
        self.is_fit = False
        self.scale = min(max(view.scale, 0.001), MAX_SCALE)
        self.centre_on(view.x * self.image[0], view.y * self.image[1])

    def _keep_in_sight(self) -> None:
        """A quarter of the canvas, or the whole image when it is smaller, stays on the screen."""
        for axis in (0, 1):
            seen = self.canvas[axis] / self.scale
            least = min(seen / 4, self.image[axis])
            low, high = least - seen, self.image[axis] - least
            if axis == 0:
                self.left = min(max(self.left, low), high)
            else:
                self.top = min(max(self.top, low), high)
