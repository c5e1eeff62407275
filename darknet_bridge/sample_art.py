"""How the things of the sample pictures are drawn: ground, clutter, three kinds of object, light and lens.

Colours are BGR floats in 0..255. An object is a Sprite, drawn large once and then turned, scaled and pasted. Which
things go where, and the labels, are decided in `samples`.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .detection import PixelBox

Rng: TypeAlias = np.random.Generator
Canvas: TypeAlias = NDArray[np.float32]  # (height, width, 3)
Mask: TypeAlias = NDArray[np.float32]  # (height, width), 0..1
Sprite: TypeAlias = NDArray[np.uint8]  # (SPRITE_PX, SPRITE_PX, 4), BGRA
Colour: TypeAlias = tuple[float, float, float]

SPRITE_PX = 320
_HALF = SPRITE_PX // 2
_GROUNDS: tuple[tuple[Colour, Colour], ...] = (  # dark and light end of each kind: grass, soil, sand, stone, moss
    ((30, 70, 35), (85, 165, 110)),
    ((25, 40, 60), (75, 105, 140)),
    ((90, 130, 160), (160, 200, 225)),
    ((80, 85, 85), (165, 170, 170)),
    ((25, 60, 50), (70, 125, 105)),
)


def hsv(hue_degrees: float, saturation: float, value: float) -> Colour:
    """BGR of a hue (0..360), saturation and value (0..1)."""
    pixel = np.array([[[hue_degrees % 360, np.clip(saturation, 0, 1), np.clip(value, 0, 1)]]], dtype=np.float32)
    blue, green, red = cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0] * 255
    return float(blue), float(green), float(red)


def noise(rng: Rng, size_px: int, cells: int) -> Mask:
    """Smooth noise in 0..1 with about `cells` bumps along a side."""
    grid = rng.random((cells + 3, cells + 3), dtype=np.float32)
    return np.clip(cv2.resize(grid, (size_px, size_px), interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)


def ground(rng: Rng, size_px: int) -> Canvas:
    """Forest floor: one of five kinds, or two of them meeting."""
    texture = sum((noise(rng, size_px, cells) * share for cells, share in ((3, 0.3), (12, 0.3), (50, 0.25), (150, 0.15))), 0.0)
    first, second = rng.choice(len(_GROUNDS), 2, replace=False)
    border = np.clip((noise(rng, size_px, 2) - rng.uniform(0.2, 0.8)) * 12 + 0.5, 0, 1)[..., None]
    mixed = np.zeros((size_px, size_px, 3), np.float32)
    for kind, share in ((first, 1 - border), (second, border)):
        dark, light = (np.array(end, np.float32) for end in _GROUNDS[kind])
        mixed += share * (dark + (light - dark) * np.asarray(texture)[..., None])
    return mixed.astype(np.float32)


def clutter(rng: Rng, canvas: Canvas, count: int) -> None:
    """Stones, twigs and blades on the ground; none of them has a label."""
    for _ in range(count):
        kind = rng.integers(3)
        if kind == 0:
            _stone(rng, canvas)
        elif kind == 1:
            _twig(rng, canvas)
        else:
            blades(rng, canvas, int(rng.integers(2, 9)))


def _stone(rng: Rng, canvas: Canvas) -> None:
    size_px = canvas.shape[0]
    centre = tuple(int(v) for v in rng.integers(0, size_px, 2))
    axes = tuple(int(size_px * v) for v in rng.uniform(0.02, 0.09, 2))
    angle = float(rng.uniform(0, 180))
    base = np.array(hsv(rng.uniform(0, 60), rng.uniform(0.02, 0.35), rng.uniform(0.3, 0.75)))
    for step in range(6):  # from the dark rim to the lit top
        shrink = 1 - step / 7
        middle = (centre[0] - int(axes[0] * 0.06 * step), centre[1] - int(axes[1] * 0.06 * step))
        size = (max(int(axes[0] * shrink), 1), max(int(axes[1] * shrink), 1))
        cv2.ellipse(canvas, middle, size, angle, 0, 360, tuple(base * (0.6 + 0.1 * step)), -1, cv2.LINE_AA)


def _twig(rng: Rng, canvas: Canvas) -> None:
    size_px = canvas.shape[0]
    start = rng.uniform(0, size_px, 2)
    heading = rng.uniform(0, 2 * np.pi)
    steps = np.cumsum(rng.uniform(0.02, 0.07, 6))[:, None] * size_px
    bends = heading + np.cumsum(rng.normal(0, 0.2, 6))
    points = start + steps * np.stack([np.cos(bends), np.sin(bends)], 1)
    colour = hsv(rng.uniform(15, 40), rng.uniform(0.3, 0.6), rng.uniform(0.15, 0.5))
    cv2.polylines(canvas, [points.astype(np.int32)], False, colour, int(rng.integers(2, 6)), cv2.LINE_AA)


def blades(rng: Rng, canvas: Canvas, count: int) -> None:
    """Thin blades of grass; a few are drawn over the objects too."""
    size_px = canvas.shape[0]
    for _ in range(count):
        base = rng.uniform(0, size_px, 2)
        lean, length = rng.uniform(-0.6, 0.6), size_px * rng.uniform(0.08, 0.3)
        t = np.linspace(0, 1, 9)[:, None]
        points = base + np.concatenate([lean * t**2, -t], 1) * length
        colour = hsv(rng.uniform(65, 130), rng.uniform(0.4, 0.8), rng.uniform(0.25, 0.7))
        cv2.polylines(canvas, [points.astype(np.int32)], False, colour, int(rng.integers(1, 4)), cv2.LINE_AA)


def _blank() -> Sprite:
    return np.zeros((SPRITE_PX, SPRITE_PX, 4), np.uint8)


def _fill(sprite: Sprite, points: NDArray[np.float64], colour: Colour) -> None:
    """points: (n, 2) in -1..1, the middle of the sprite being 0."""
    cv2.fillPoly(sprite, [np.round(points * _HALF * 0.92 + _HALF).astype(np.int32)], (*colour, 255.0), cv2.LINE_AA)


def _line(sprite: Sprite, points: NDArray[np.float64], colour: Colour, width_px: int) -> None:
    at = [np.round(points * _HALF * 0.92 + _HALF).astype(np.int32)]
    cv2.polylines(sprite, at, False, (*colour, 255.0), width_px, cv2.LINE_AA)


def _ring(centre: tuple[float, float], radii: tuple[float, float], first: float = 0, last: float = 360) -> NDArray[np.float64]:
    """Points of an ellipse's arc, in degrees; 0 is to the right, 90 down."""
    t = np.radians(np.linspace(first, last, 72))
    return np.stack([centre[0] + radii[0] * np.cos(t), centre[1] + radii[1] * np.sin(t)], 1)


def _shade(sprite: Sprite, rng: Rng) -> Sprite:
    """Rounds the object with light from a side and gives it a grain."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : SPRITE_PX * 1j, -1 : 1 : SPRITE_PX * 1j]
    light = 1 + 0.22 * (x * np.cos(angle) + y * np.sin(angle)) + 0.16 * (noise(rng, SPRITE_PX, 30) - 0.5)
    sprite[..., :3] = np.clip(sprite[..., :3] * light[..., None], 0, 255).astype(np.uint8)
    return sprite


def ladybird(rng: Rng) -> Sprite:
    """Seen from above: a domed body of a warm colour, a dark head, spots and legs."""
    sprite = _blank()
    width, length = rng.uniform(0.55, 0.75), rng.uniform(0.7, 0.85)
    shell = hsv(rng.choice([rng.uniform(-8, 12), rng.uniform(12, 48)]), rng.uniform(0.75, 1), rng.uniform(0.6, 1))
    dark = hsv(0, 0, rng.uniform(0.03, 0.15))
    for side in (-1.0, 1.0):
        for reach in (-0.35, 0.05, 0.45):
            knee = np.array([[0, reach], [side * (width + 0.15), reach - 0.05], [side * (width + 0.22), reach + 0.12]])
            _line(sprite, knee, dark, 9)
    _fill(sprite, _ring((0, -0.72 * length), (0.5 * width, 0.33 * length)), dark)
    _fill(sprite, _ring((0, 0.1), (width, length)), shell)
    _line(sprite, np.array([[0.0, 0.1 - length], [0.0, 0.1 + length]]), dark, int(rng.integers(3, 8)))
    for _ in range(int(rng.integers(2, 6))):
        x, y, r = rng.uniform(0.15, 0.75) * width, 0.1 + rng.uniform(-0.7, 0.7) * length, rng.uniform(0.07, 0.17)
        if (x / width) ** 2 + ((y - 0.1) / length) ** 2 < 0.75:
            for side in (-1.0, 1.0):
                _fill(sprite, _ring((side * x, y), (r, r * 1.15)), dark)
    gleam = hsv(40, 0.1, 1.0)
    _fill(sprite, _ring((-0.35 * width, -0.35 * length), (0.09, 0.14)), gleam)
    return _shade(sprite, rng)


def leaf(rng: Rng) -> Sprite:
    """A pointed oval with a stalk and veins, green to autumn red, its edge smooth or toothed."""
    sprite = _blank()
    hue = rng.choice([rng.uniform(75, 125), rng.uniform(20, 60), rng.uniform(0, 20)])
    blade = hsv(hue, rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.9))
    vein = hsv(hue - 10, rng.uniform(0.2, 0.5), rng.uniform(0.7, 1))
    t = np.linspace(0, 1, 60)
    half_width = rng.uniform(0.45, 0.65) * np.sin(np.pi * t ** rng.uniform(0.7, 1.1)) ** rng.uniform(0.8, 1.2)
    half_width *= 1 + rng.choice([0.0, rng.uniform(0.05, 0.14)]) * np.sin(t * rng.uniform(60, 110))
    bend = rng.uniform(-0.3, 0.3) * np.sin(np.pi * t)
    y = -0.95 + 1.6 * t
    outline = np.concatenate([np.stack([bend - half_width, y], 1), np.stack([bend + half_width, y], 1)[::-1]])
    _fill(sprite, outline, blade)
    middle = np.stack([bend, y], 1)
    _line(sprite, np.concatenate([middle, [[rng.uniform(-0.15, 0.15), 0.97]]]), vein, 7)
    for at in range(10, 54, int(rng.integers(6, 10))):
        for side in (-1.0, 1.0):
            tip = middle[max(at - 6, 0)] + [side * half_width[at] * 0.85, -0.04]
            _line(sprite, np.stack([middle[at], tip]), vein, 3)
    return _shade(sprite, rng)


def mushroom(rng: Rng) -> Sprite:
    """Seen from the side: a pale stem under a cap, domed or flat, with or without spots."""
    sprite = _blank()
    stem = hsv(rng.uniform(25, 50), rng.uniform(0.05, 0.3), rng.uniform(0.75, 1))
    cap_hue = rng.choice([rng.uniform(-8, 12), rng.uniform(18, 38), rng.uniform(18, 38)])
    cap = hsv(cap_hue, rng.uniform(0.3, 0.95), rng.uniform(0.3, 0.9))
    top, bottom = rng.uniform(0.1, 0.2), rng.uniform(0.16, 0.34)
    _fill(sprite, np.array([[-top, -0.1], [top, -0.1], [bottom, 0.85], [0, 0.95], [-bottom, 0.85]]), stem)
    wide, high = rng.uniform(0.65, 0.95), rng.uniform(0.5, 0.85)
    rim = rng.uniform(0.06, 0.18)
    _fill(sprite, _ring((0, 0), (wide * 0.96, rim)), hsv(30, 0.25, rng.uniform(0.5, 0.8)))
    _fill(sprite, np.concatenate([_ring((0, 0), (wide, high), 180, 360), _ring((0, 0), (wide, rim * 0.5), 0, 180)]), cap)
    if rng.random() < 0.6:
        for _ in range(int(rng.integers(4, 10))):
            angle, far = rng.uniform(np.pi * 1.08, np.pi * 1.92), rng.uniform(0.2, 0.85)
            r = rng.uniform(0.04, 0.1)
            _fill(sprite, _ring((far * wide * np.cos(angle), far * high * np.sin(angle)), (r, r * 0.8)), hsv(45, 0.08, 0.97))
    return _shade(sprite, rng)


def transform(
    sprite: Sprite, size_px: int, extent_px: float, tilt_degrees: float, centre: tuple[float, float]
) -> tuple[Canvas, Mask]:
    """The sprite turned, scaled to `extent_px` and moved: colour and coverage on a canvas of size_px squared."""
    scale = extent_px / SPRITE_PX
    small = cv2.resize(sprite, None, fx=min(scale * 2, 1), fy=min(scale * 2, 1), interpolation=cv2.INTER_AREA)
    half = small.shape[0] / 2
    matrix = cv2.getRotationMatrix2D((half, half), tilt_degrees, extent_px / small.shape[0])
    matrix[:, 2] += np.array(centre) - half
    moved = cv2.warpAffine(small, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR)
    return moved[..., :3].astype(np.float32), moved[..., 3].astype(np.float32) / np.float32(255)


def bounds(alpha: Mask) -> PixelBox | None:
    """The box around what is at least half covered; None where nothing is."""
    inside = alpha > 0.5
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not rows.size:
        return None
    return PixelBox(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def paste(canvas: Canvas, colour: Canvas, alpha: Mask, rng: Rng) -> None:
    """Puts the object onto the canvas, with a soft shadow beside it."""
    shift = np.array([[1, 0, rng.uniform(-8, 8)], [0, 1, rng.uniform(0, 8)]], np.float32)
    shadow = cv2.GaussianBlur(cv2.warpAffine(alpha, shift, alpha.shape[::-1]), (0, 0), 4)
    canvas *= 1 - 0.55 * shadow[..., None]
    # Where the sprite's edge fades, its colour fades with it: colour is already multiplied by coverage.
    canvas *= 1 - alpha[..., None]
    canvas += colour


def photograph(rng: Rng, canvas: Canvas) -> NDArray[np.uint8]:
    """Light falling off across the picture, a colour cast, a soft lens and sensor noise."""
    size_px = canvas.shape[0]
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : size_px * 1j, -1 : 1 : size_px * 1j]
    light = rng.uniform(0.75, 1.2) * (1 + rng.uniform(0, 0.35) * (x * np.cos(angle) + y * np.sin(angle)))
    cast = rng.uniform(0.9, 1.1, 3)
    lit = canvas * light[..., None] * cast
    lit = cv2.GaussianBlur(lit, (0, 0), float(rng.uniform(0.3, 1.1)))
    lit += rng.normal(0, rng.uniform(1, 6), lit.shape)
    picture: NDArray[np.uint8] = np.clip(lit, 0, 255).astype(np.uint8)
    return picture
