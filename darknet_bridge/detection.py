"""Boxes and detections. Pure values: no image, no network, no numpy.

NormBox is what Darknet's label files and the network speak: centre and size relative to the image. PixelBox is what
a screen or another program wants: edges in pixels, right and bottom exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NormBox:
    """Centre (cx, cy) and size (w, h) as shares of the image's width and height; may stick out of [0, 1]."""

    cx: float
    cy: float
    w: float
    h: float

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom), relative to the image."""
        return (self.cx - self.w / 2, self.cy - self.h / 2, self.cx + self.w / 2, self.cy + self.h / 2)

    @classmethod
    def from_corners(cls, left: float, top: float, right: float, bottom: float) -> NormBox:
        return cls((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)

    def clipped(self) -> NormBox:
        """The part inside the image; of no width or height where nothing is inside."""
        left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in self.corners)
        return NormBox.from_corners(left, top, right, bottom)

    def to_pixels(self, width_px: int, height_px: int) -> PixelBox:
        left, top, right, bottom = self.corners
        return PixelBox(left * width_px, top * height_px, right * width_px, bottom * height_px)


@dataclass(frozen=True, slots=True)
class PixelBox:
    """Edges in pixels from the left and top of the image; fractions are kept."""

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

    def to_norm(self, width_px: int, height_px: int) -> NormBox:
        if width_px <= 0 or height_px <= 0:
            raise ValueError(f"image size {width_px}x{height_px}: both must be above 0")
        return NormBox.from_corners(self.left / width_px, self.top / height_px, self.right / width_px, self.bottom / height_px)


@dataclass(frozen=True, slots=True)
class Detection:
    """One found object. score is objectness times class probability, 0..1; name is "" without a names file."""

    class_id: int
    name: str
    score: float
    box: NormBox


def iou(a: NormBox, b: NormBox) -> float:
    """Intersection over union of two boxes of one image: 0 (apart) to 1 (equal)."""
    a_left, a_top, a_right, a_bottom = a.corners
    b_left, b_top, b_right, b_bottom = b.corners
    width = min(a_right, b_right) - max(a_left, b_left)
    height = min(a_bottom, b_bottom) - max(a_top, b_top)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (a.w * a.h + b.w * b.h - common)
