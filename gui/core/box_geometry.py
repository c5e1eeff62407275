"""Rectangles in the pixels of the image as it is seen: what drawing, moving and resizing make of them. Pure arithmetic.

Edges are floats, right and bottom exclusive; nothing snaps to whole pixels. A box is at least MIN_SIDE_PX wide and high and lies
inside its image.
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_SIDE_PX = 2.0
HANDLES = ("nw", "n", "ne", "e", "se", "s", "sw", "w")


@dataclass(frozen=True, slots=True)
class Rect:
    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        return ((self.left + self.right) / 2, (self.top + self.bottom) / 2)

    def moved(self, dx: float, dy: float) -> Rect:
        return Rect(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)

    def touches(self, other: Rect) -> bool:
        """Whether both have area in common."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True, slots=True)
class Bounds:
    """Width and height of an image in pixels; raises ValueError where one is below 1."""

    width: float
    height: float

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"image size {self.width} x {self.height}: both must be at least 1")

    @property
    def min_width(self) -> float:
        return min(MIN_SIDE_PX, self.width)

    @property
    def min_height(self) -> float:
        return min(MIN_SIDE_PX, self.height)

    def clamp_point(self, x: float, y: float) -> tuple[float, float]:
        return (min(max(x, 0.0), self.width), min(max(y, 0.0), self.height))

    def drawn(self, x0: float, y0: float, x1: float, y1: float) -> Rect | None:
        """The box between two corners in any order, cut at the image's edges; None when less than the least size is left."""
        (ax, ay), (bx, by) = self.clamp_point(x0, y0), self.clamp_point(x1, y1)
        rect = Rect(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))
        return rect if rect.width >= self.min_width and rect.height >= self.min_height else None

    def inside(self, rect: Rect) -> Rect:
        """The same size, pushed inside; what is larger than the image is cut."""
        width, height = min(rect.width, self.width), min(rect.height, self.height)
        left = min(max(rect.left, 0.0), self.width - width)
        top = min(max(rect.top, 0.0), self.height - height)
        return Rect(left, top, left + width, top + height)

    def clipped(self, rect: Rect) -> Rect | None:
        """The part inside the image; None where less than the least size is left."""
        return self.drawn(rect.left, rect.top, rect.right, rect.bottom) if rect.width > 0 and rect.height > 0 else None

    def moved_together(self, rects: list[Rect], dx: float, dy: float) -> list[Rect]:
        """All moved by one offset, as far as the image lets the outermost of them: their layout stays."""
        if not rects:
            return []
        low_x, high_x = -min(r.left for r in rects), self.width - max(r.right for r in rects)
        low_y, high_y = -min(r.top for r in rects), self.height - max(r.bottom for r in rects)
        dx = _between(dx, low_x, high_x)
        dy = _between(dy, low_y, high_y)
        return [rect.moved(dx, dy) for rect in rects]

    def resized(self, rect: Rect, handle: str, x: float, y: float) -> Rect:
        """One of HANDLES dragged to (x, y). Dragged over the opposite edge the box turns inside out; it never gets too small."""
        x, y = self.clamp_point(x, y)
        left, top, right, bottom = rect.left, rect.top, rect.right, rect.bottom
        if "w" in handle:
            left, right = _span(x, right, self.min_width, self.width)
        elif "e" in handle:
            left, right = _span(x, left, self.min_width, self.width)
        if "n" in handle:
            top, bottom = _span(y, bottom, self.min_height, self.height)
        elif "s" in handle:
            top, bottom = _span(y, top, self.min_height, self.height)
        return Rect(left, top, right, bottom)

    def grown(self, rect: Rect, dx: float, dy: float) -> Rect:
        """Right and bottom edge moved by whole steps of the keyboard; never below the least size or over the image's edge."""
        right = _between(rect.right + dx, rect.left + self.min_width, self.width)
        bottom = _between(rect.bottom + dy, rect.top + self.min_height, self.height)
        return Rect(rect.left, rect.top, right, bottom)

    def placed(self, width: float, height: float, x: float, y: float) -> Rect:
        """A box of this size around a point, pushed inside."""
        return self.inside(Rect(x - width / 2, y - height / 2, x + width / 2, y + height / 2))


def _between(value: float, low: float, high: float) -> float:
    """low wins when there is no room: a box that sticks out of the image already may stay, but not go further."""
    if low > high:
        return 0.0
    return min(max(value, low), high)


def _span(moving: float, fixed: float, least: float, end: float) -> tuple[float, float]:
    """The edges between a moving and a fixed one, at least `least` apart, inside 0..end."""
    if abs(moving - fixed) < least:
        moving = fixed - least if moving < fixed else fixed + least
        if moving < 0:
            moving = fixed + least
        elif moving > end:
            moving = fixed - least
    return (min(moving, fixed), max(moving, fixed))
