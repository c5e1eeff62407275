"""Writes tests/golden/augment.f32 and augment.arrays.txt: what OpenCV and numpy make of fixed crops, colours, blurs and boxes.

Run by hand with opencv-python; the result is committed. The picture is tests/golden/decode/rgb.png (44 x 28). Arrays:
`cropN.params` left top right bottom flip hue saturation exposure net_w net_h; `cropN.pixels` [3, h, w] RGB 0..1; `boxes` [n, 5]
class x y w h, `cropN.boxes` what is left of them; `blurN` the picture under a Gaussian blur of size N.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from npz_to_f32 import convert

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CROPS = (
    # left, top, right, bottom, flip, hue, saturation, exposure, net_w, net_h
    (0, 0, 0, 0, 0, 0.0, 1.0, 1.0, 40, 36),
    (0, 0, 0, 0, 1, 0.0, 1.0, 1.0, 64, 64),
    (5, 3, 9, 2, 0, 0.0, 1.0, 1.0, 32, 48),
    (-6, -4, -9, -11, 0, 0.0, 1.0, 1.0, 52, 40),
    (-7, 6, 12, -5, 1, 0.0, 1.0, 1.0, 37, 29),
    (4, -8, -3, 5, 1, 0.08, 1.3, 1.1, 48, 32),
    (-2, 2, 3, -1, 0, -0.1, 0.6, 0.7, 33, 47),
    (0, 0, 0, 0, 0, 0.45, 1.0, 1.4, 44, 28),
)
BOXES = np.array(
    [
        (0, 0.5, 0.5, 0.4, 0.6),
        (1, 0.1, 0.2, 0.2, 0.3),
        (2, 0.95, 0.9, 0.2, 0.3),
        (3, 0.25, 0.75, 0.02, 0.02),
        (4, 0.02, 0.5, 0.04, 0.2),
        (5, 0.6, 0.05, 0.3, 0.08),
        (6, 1.2, 0.5, 0.1, 0.1),
        (7, 0.5, 0.5, 1.0, 1.0),
        (8, 0.0, 0.0, 0.3, 0.3),
        (9, 0.5, -0.02, 0.2, 0.1),
    ],
    dtype=np.float64,
)


def cut(rgb: np.ndarray, crop: tuple[float, ...]) -> np.ndarray:
    """The rectangle of the picture, what lies outside in its mean colour, stretched by OpenCV in float; flipped when asked."""
    left, top, right, bottom, flip = (int(v) for v in crop[:5])
    net_w, net_h = int(crop[8]), int(crop[9])
    h, w = rgb.shape[:2]
    width, height = w - left - right, h - top - bottom
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = np.floor(rgb.reshape(-1, 3).mean(axis=0) + 0.5)
    x0, x1, y0, y1 = max(left, 0), min(left + width, w), max(top, 0), min(top + height, h)
    canvas[y0 - top : y1 - top, x0 - left : x1 - left] = rgb[y0:y1, x0:x1]
    sized = cv2.resize(canvas, (net_w, net_h), interpolation=cv2.INTER_LINEAR) / 255.0
    return sized[:, ::-1] if flip else sized


def shift(rgb: np.ndarray, hue: float, saturation: float, exposure: float) -> np.ndarray:
    """Hue turned by a share of the circle, saturation and value scaled and ended at 1, by OpenCV's float HSV."""
    hsv = cv2.cvtColor(np.ascontiguousarray(rgb, dtype=np.float32), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = np.mod(hsv[..., 0] + 360.0 * hue, 360.0)
    hsv[..., 1] = np.minimum(hsv[..., 1] * saturation, 1.0)
    hsv[..., 2] = np.minimum(hsv[..., 2] * exposure, 1.0)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def move(boxes: np.ndarray, crop: tuple[float, ...], w: int, h: int) -> np.ndarray:
    """Boxes in the crop, clipped; those without a network pixel a side, or never inside the picture, are gone."""
    left, top, right, bottom, flip = (int(v) for v in crop[:5])
    kept = []
    for class_id, cx, cy, bw, bh in boxes:
        outside = cx + bw / 2 < 0 or cx - bw / 2 > 1 or cy + bh / 2 < 0 or cy - bh / 2 > 1
        if outside or (cx == 0 and cy == 0):
            continue
        x = (np.array([cx - bw / 2, cx + bw / 2]) * w - left) / (w - left - right)
        y = (np.array([cy - bh / 2, cy + bh / 2]) * h - top) / (h - top - bottom)
        if flip:
            x = 1 - x[::-1]
        x, y = np.clip(x, 0, 1), np.clip(y, 0, 1)
        if x[1] - x[0] >= 1 / crop[8] and y[1] - y[0] >= 1 / crop[9]:
            kept.append((class_id, x.mean(), y.mean(), x[1] - x[0], y[1] - y[0]))
    return np.array(kept, dtype=np.float64).reshape(-1, 5)


def arrays() -> dict[str, np.ndarray]:
    """All arrays by name."""
    picture = cv2.imread(str(GOLDEN / "decode" / "rgb.png"))
    assert picture is not None
    rgb = picture[..., ::-1]
    h, w = rgb.shape[:2]
    result: dict[str, np.ndarray] = {"boxes": BOXES}
    for i, crop in enumerate(CROPS):
        result[f"crop{i}.params"] = np.array(crop)
        result[f"crop{i}.pixels"] = shift(cut(rgb, crop), *crop[5:8]).transpose(2, 0, 1)
        result[f"crop{i}.boxes"] = move(BOXES, crop, w, h)
    for size in (3, 5, 7, 9, 11, 17):
        blurred = cv2.GaussianBlur(np.ascontiguousarray(rgb, dtype=np.float32) / 255.0, (size, size), 0)
        result[f"blur{size}"] = blurred.transpose(2, 0, 1)
    return result


def main() -> None:
    """Writes the arrays in the form tests/native/golden_arrays.h reads."""
    packed = GOLDEN / "augment.npz"
    np.savez(packed, **arrays())
    convert(packed)
    packed.unlink()


if __name__ == "__main__":
    main()
