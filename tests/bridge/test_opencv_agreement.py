"""The cfg and weights that this project writes, read by OpenCV's DNN module: the same boxes with the same scores.

The narrow networks of tests/golden have every kind of layer of YOLOv3-Tiny and YOLOv4. Pictures are of the network's own
size, so that the two programs' ways to resize play no part. OpenCV 5 has no reader for Darknet's files any more.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from darknet_bridge import Network
from darknet_bridge.formats import read_cfg
from darknet_bridge.formats.weights_layout import layer_floats

pytestmark = pytest.mark.skipif(not hasattr(cv2.dnn, "readNetFromDarknet"), reason="this OpenCV reads no Darknet files")

THRESHOLD = 0.25  # OpenCV drops scores below 0.2
MODELS = {"tiny": ("tiny/net.cfg", "tiny/trained.weights"), "v4": ("v4/net.cfg", "v4/iter10.weights")}

Rows = NDArray[np.float32]


def confident(cfg_path: Path, weights: Path, target: Path, shift: float) -> Path:
    """A copy of the weights whose heads are surer of every object and class, so that many slots have scores to compare."""
    cfg = read_cfg(cfg_path)
    content = weights.read_bytes()
    values = np.frombuffer(content[20:], dtype="<f4").copy()
    floats = layer_floats(cfg)
    for index, layer in enumerate(cfg.layers):
        if layer.kind == "yolo":
            first = sum(floats[: index - 1])  # the biases of the convolution before the head
            slots = len(layer.text("mask").split(","))
            biases = values[first : first + slots * (5 + layer.integer("classes", 0))].reshape(slots, -1)
            biases[:, 4:] += shift
    target.write_bytes(content[:20] + values.tobytes())
    return target


def opencv_rows(cfg: Path, weights: Path, image: NDArray[np.uint8]) -> Rows:
    """What OpenCV finds: one row a class and slot (cx, cy, w, h, class, score), relative to the image, without suppression."""
    net = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    height, width = image.shape[:2]
    net.setInput(cv2.dnn.blobFromImage(image, 1 / 255, (width, height), swapRB=True, crop=False))
    rows = []
    for output in net.forward(net.getUnconnectedOutLayersNames()):
        for row in output.reshape(-1, output.shape[-1]):
            rows += [(*row[:4], class_id, score) for class_id, score in enumerate(row[5:]) if score > 0]
    return np.array(rows, dtype=np.float32)


def iou(a: Rows, b: Rows) -> float:
    overlap = 1.0
    for axis in (0, 1):
        low = max(a[axis] - a[axis + 2] / 2, b[axis] - b[axis + 2] / 2)
        high = min(a[axis] + a[axis + 2] / 2, b[axis] + b[axis + 2] / 2)
        overlap *= max(0.0, float(high - low))
    return overlap / float(a[2] * a[3] + b[2] * b[3] - overlap)


@pytest.mark.parametrize("model", MODELS)
def test_opencv_finds_the_same_boxes(model: str, golden: Path, tmp_path: Path) -> None:
    cfg, trained = (golden / name for name in MODELS[model])
    weights = confident(cfg, trained, tmp_path / "sure.weights", 2.0 if model == "tiny" else 4.0)
    compared = 0
    with Network.load(cfg, weights, device="cpu") as network:
        for path in sorted((golden / "images").glob("v0*.png")):
            image = cv2.imread(str(path))
            assert image.shape[:2] == (96, 96)
            theirs = opencv_rows(cfg, weights, image)
            for found in network.detect(image, threshold=THRESHOLD, nms=0):
                box = found.box
                ours = np.array([box.cx, box.cy, box.w, box.h], dtype=np.float32)
                same = theirs[theirs[:, 4] == found.class_id]
                assert len(same) > 0
                nearest = same[np.argmin(np.abs(same[:, :4] - ours).sum(axis=1))]
                assert abs(float(nearest[5]) - found.score) < 1e-3
                assert iou(ours, nearest[:4]) > 0.99
                compared += 1
    assert compared >= 20
