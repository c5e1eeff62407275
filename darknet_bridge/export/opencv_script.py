#!/usr/bin/env python3
"""Finds objects in pictures with OpenCV alone (version 4; OpenCV 5 has no reader for Darknet's files).

    pip install "opencv-python<5"
    python detect_opencv.py picture.jpg [more.jpg ...] [--threshold 0.25] [--nms 0.45] [--out FOLDER]

What has to be the same everywhere the model is used, because other values give other boxes:
  size      the input size of net.cfg; LETTER_BOX below says whether the picture keeps its shape (grey bars) or is stretched
  resize    bilinear, corner to corner: the first and last pixels of picture and input lie on each other
  colour    red, green, blue; numbers 0 to 1 (OpenCV reads blue, green, red: they are swapped)
  score     objectness times class probability; a box is a class's where that is above the threshold
  NMS       class by class; of two boxes that are more alike than --nms the surer one stays. Alike is their IoU, less (where
            NMS_POWER is not 0) the squared distance of their centres, over the squared diagonal of both, to that power
Boxes are printed as: file, class, score, left, top, width, height (pixels of the upright picture).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

LETTER_BOX = False
NMS_POWER = 0.0
HERE = Path(__file__).resolve().parent

Box = tuple[int, float, float, float, float, float]  # class id, score, cx, cy, w, h; relative to the picture
Model = tuple[Any, list[str], int, int]  # network, class names, input width, input height


def load(folder: Path = HERE) -> Model:
    size: dict[str, int] = {}
    for line in (folder / "net.cfg").read_text("utf-8").splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("width", "height") and key.strip() not in size:
            size[key.strip()] = int(value)
    net = cv2.dnn.readNetFromDarknet(str(folder / "net.cfg"), str(folder / "net.weights"))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    return net, (folder / "obj.names").read_text("utf-8").splitlines(), size["width"], size["height"]


def read(path: Path) -> Any:
    """The upright picture, blue green red; None when it can't be read."""
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)


def places(old: int, new: int) -> Any:
    """For each new pixel along one side: where in the old picture it is taken from."""
    return np.linspace(0, old - 1, new, dtype=np.float32) if new > 1 else np.zeros(1, np.float32)


def resize(image: Any, width: int, height: int) -> Any:
    """Bilinear, corner to corner, as in training; cv2.resize lays pixels' edges on each other and moves boxes a little."""
    x, y = np.meshgrid(places(image.shape[1], width), places(image.shape[0], height))
    return cv2.remap(image.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def prepare(image: Any, width: int, height: int) -> tuple[Any, tuple[float, float, float, float]]:
    """The pixels in the input's size, and the part of the input that the picture fills: left, top, width, height of 0 to 1."""
    if not LETTER_BOX:
        return resize(image, width, height), (0.0, 0.0, 1.0, 1.0)
    scale = min(width / image.shape[1], height / image.shape[0])
    w, h = int(image.shape[1] * scale), int(image.shape[0] * scale)
    x, y = (width - w) // 2, (height - h) // 2
    canvas = np.full((height, width, 3), 127.5, np.float32)
    canvas[y : y + h, x : x + w] = resize(image, w, h)
    return canvas, ((width - w) / 2 / width, (height - h) / 2 / height, w / width, h / height)


def candidates(model: Model, image: Any, threshold: float) -> list[Box]:
    """Every box above the threshold, before NMS."""
    net, _, width, height = model
    pixels, (left, top, across, down) = prepare(image, width, height)
    net.setInput(cv2.dnn.blobFromImage(pixels, 1 / 255, swapRB=True))
    found: list[Box] = []
    for output in net.forward(net.getUnconnectedOutLayersNames()):
        rows = output.reshape(-1, output.shape[-1])  # cx, cy, w, h, objectness, score of each class
        for row, class_id in zip(*np.nonzero(rows[:, 5:] > threshold), strict=True):
            cx, cy, w, h = (float(value) for value in rows[row, :4])
            score = float(rows[row, 5 + class_id])
            found.append((int(class_id), score, (cx - left) / across, (cy - top) / down, w / across, h / down))
    return found


def alike(a: Box, b: Box) -> float:
    """How much two boxes are the same: their IoU, 0 to 1, less the distance of their centres where NMS_POWER says so."""
    common, diagonal = 1.0, 0.0
    for axis in (2, 3):
        edges = [(box[axis] - box[axis + 2] / 2, box[axis] + box[axis + 2] / 2) for box in (a, b)]
        common *= max(0.0, min(high for _, high in edges) - max(low for low, _ in edges))
        diagonal += (max(high for _, high in edges) - min(low for low, _ in edges)) ** 2
    iou = common / (a[4] * a[5] + b[4] * b[5] - common) if common else 0.0
    distance = (a[2] - b[2]) ** 2 + (a[3] - b[3]) ** 2
    return iou - (distance / diagonal) ** NMS_POWER if NMS_POWER and diagonal else iou


def suppress(found: Sequence[Box], nms: float) -> list[Box]:
    """Best first; of one class no two that are more alike than `nms` (0 keeps all)."""
    kept: list[Box] = []
    for box in sorted(found, key=lambda one: -one[1]):
        if nms <= 0 or all(other[0] != box[0] or alike(box, other) <= nms for other in kept):
            kept.append(box)
    return kept


def detect(model: Model, image: Any, threshold: float = 0.25, nms: float = 0.45) -> list[Box]:
    return suppress(candidates(model, image, threshold), nms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--threshold", type=float, default=0.25)
    parser.add_argument("--nms", type=float, default=0.45)
    parser.add_argument("--out", type=Path, help="also write the pictures with the boxes drawn into this folder")
    args = parser.parse_args()
    model = load()
    for path in args.images:
        image = read(path)
        if image is None:
            sys.exit(f"{path}: not a picture that OpenCV can read")
        tall, wide = image.shape[:2]
        for class_id, score, cx, cy, w, h in detect(model, image, args.threshold, args.nms):
            left, top, w, h = (cx - w / 2) * wide, (cy - h / 2) * tall, w * wide, h * tall
            sys.stdout.write(f"{path},{model[1][class_id]},{score:.4f},{left:.1f},{top:.1f},{w:.1f},{h:.1f}\n")
            cv2.rectangle(image, (round(left), round(top)), (round(left + w), round(top + h)), (0, 200, 255), 2)
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            cv2.imencode(".png", image)[1].tofile(args.out / (path.stem + ".png"))


if __name__ == "__main__":
    main()
