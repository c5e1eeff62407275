"""Deltas and cost of a [yolo] layer in numpy double, for reference figures: mse and ciou with multi-anchor matching and
averaging, as darknet.md section 4 describes them. A delta is minus a gradient, with the peculiarities listed there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from darknet_torch import Section
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Head:
    """What the cfg says about one [yolo] layer; anchors relative to the network input."""

    classes: int
    mask: list[int]
    anchors: Array
    ignore_thresh: float
    iou_thresh: float
    iou_normalizer: float
    scale_x_y: float
    max_delta: float
    iou_loss: str

    @classmethod
    def of(cls, layer: Section, net: Section) -> Head:
        """Read from a cfg section."""
        size = [net.number("width", 416), net.number("height", 416)]
        return cls(
            classes=layer.integer("classes", 20),
            mask=[int(number) for number in layer.numbers("mask")],
            anchors=np.array(layer.numbers("anchors")).reshape(-1, 2) / size,
            ignore_thresh=layer.number("ignore_thresh", 0.5),
            iou_thresh=layer.number("iou_thresh", 1),
            iou_normalizer=layer.number("iou_normalizer", 0.75),
            scale_x_y=layer.number("scale_x_y", 1),
            max_delta=layer.number("max_delta", math.inf),
            iou_loss=layer.options.get("iou_loss", "mse"),
        )


@dataclass
class Image:
    """One image's outputs and deltas, [slot][entry][row][column]."""

    out: Array
    delta: Array


def sigmoid(x: Array) -> Array:
    """The logistic function."""
    return np.asarray(1 / (1 + np.exp(-x)))


def activated(head: Head, raw: Array) -> Array:
    """4.1: x, y scaled sigmoids, w, h raw, the others sigmoids. raw is [slots * (5 + classes)][h][w]."""
    out = raw.reshape(len(head.mask), 5 + head.classes, *raw.shape[1:]).astype(np.float64)
    out[:, :2] = head.scale_x_y * sigmoid(out[:, :2]) - (head.scale_x_y - 1) / 2
    out[:, 4:] = sigmoid(out[:, 4:])
    return out


def boxes_of(head: Head, out: Array) -> Array:
    """Predicted boxes [slot][4][row][column], relative to the image."""
    h, w = out.shape[2:]
    boxes = np.empty((len(head.mask), 4, h, w))
    boxes[:, 0] = (np.arange(w) + out[:, 0]) / w
    boxes[:, 1] = (np.arange(h)[:, None] + out[:, 1]) / h
    boxes[:, 2:] = np.exp(out[:, 2:4]) * head.anchors[head.mask][:, :, None, None]
    return boxes


def overlap(a: Array, b: Array) -> Array:
    """IoU of boxes whose axis 1 is x, y, w, h with one box."""
    sides = []
    for axis in (0, 1):
        low = np.maximum(a[:, axis] - a[:, axis + 2] / 2, b[axis] - b[axis + 2] / 2)
        high = np.minimum(a[:, axis] + a[:, axis + 2] / 2, b[axis] + b[axis + 2] / 2)
        sides.append(np.maximum(high - low, 0))
    common = sides[0] * sides[1]
    return np.asarray(common / (a[:, 2] * a[:, 3] + b[2] * b[3] - common))


def mse_delta(head: Head, out: Array, box: Array, anchor: int, cell: tuple[int, int], shape: tuple[int, int]) -> Array:
    """4.6, mse: out are the slot's four outputs, box the truth."""
    i, j = cell
    h, w = shape
    target = np.array([box[0] * w - i, box[1] * h - j, *np.log(box[2:4] / head.anchors[anchor])])
    return np.asarray((2 - box[2] * box[3]) * head.iou_normalizer * (target - out))


def ciou_delta(head: Head, out: Array, box: Array, predicted: Array) -> Array:
    """4.6, ciou: edges per axis as (low, high); the intersection is not clamped at zero."""
    low, high = predicted[:2] - predicted[2:] / 2, predicted[:2] + predicted[2:] / 2
    low_t, high_t = box[:2] - box[2:4] / 2, box[:2] + box[2:4] / 2
    side = high - low
    common = np.minimum(high, high_t) - np.maximum(low, low_t)
    inter = common[0] * common[1]
    union = side[0] * side[1] + box[2] * box[3] - inter
    other_side, other_common = side[::-1], common[::-1]
    d_inter_low, d_inter_high = -other_common * (low > low_t), other_common * (high < high_t)
    d_union_low, d_union_high = -other_side - d_inter_low, other_side - d_inter_high

    def slope(d_inter: Array, d_union: Array) -> Array:
        return np.asarray((union * d_inter - inter * d_union) / union**2 if union > 0 else np.zeros(2))

    g_low, g_high = slope(d_inter_low, d_union_low), slope(d_inter_high, d_union_high)
    center, size = g_low + g_high, g_high - g_low
    hull = np.maximum(high, high_t) - np.minimum(low, low_t)
    distance, diagonal = float(((predicted[:2] - box[:2]) ** 2).sum()), float((hull**2).sum())
    beyond_high, beyond_low = (high > high_t).astype(float), (low < low_t).astype(float)
    e_center = (2 * (box[:2] - predicted[:2]) * diagonal - 2 * hull * (beyond_high - beyond_low) * distance) / diagonal**2
    e_size = hull * (beyond_high + beyond_low) * distance / diagonal**2
    q = math.atan(box[2] / box[3]) - math.atan(predicted[2] / predicted[3])
    v = 4 / math.pi**2 * q * q
    alpha = v / (1 - inter / union + v + 1e-6)
    e_size = e_size + alpha * 8 / math.pi**2 * q * np.array([predicted[3], -predicted[2]])
    apart = (common <= 0).any()
    center, size = (e_center, e_size) if apart else (center + e_center, size + e_size)
    delta = np.concatenate([center, size * np.exp(out[2:4])]) * head.iou_normalizer
    return np.clip(delta, -head.max_delta, head.max_delta)


def background(head: Head, image: Image, truth: Array) -> None:
    """4.3: objectness of every prediction, unless it overlaps a truth and is sure of some class."""
    boxes = boxes_of(head, image.out)
    best = np.zeros_like(boxes[:, 0])
    for box in truth:
        best = np.maximum(best, overlap(boxes, box))
    ignored = (best > head.ignore_thresh) & (image.out[:, 5:] > 0.25).any(axis=1)
    image.delta[:, 4] = np.where(ignored, 0.0, -image.out[:, 4])


def slots_of(head: Head, box: Array) -> list[int]:
    """4.4: the slots that a truth trains, the best anchor's first."""
    common = np.minimum(head.anchors, box[2:4]).prod(axis=1)
    iou = common / (head.anchors.prod(axis=1) + box[2] * box[3] - common)
    best = int(np.argmax(iou))
    chosen = [head.mask.index(best)] if best in head.mask else []
    if head.iou_thresh < 1:
        chosen += [slot for slot, anchor in enumerate(head.mask) if anchor != best and iou[anchor] > head.iou_thresh]
    return chosen


def foreground(head: Head, image: Image, truth: Array) -> list[float]:
    """4.4-4.7: every truth's positives and, with multi-anchor matching, the averaging. IoU of each positive."""
    h, w = image.out.shape[2:]
    boxes = boxes_of(head, image.out)
    ious: list[float] = []
    for box in truth:
        i, j, label = int(box[0] * w), int(box[1] * h), int(box[4])
        for slot in slots_of(head, box):
            out, delta = image.out[slot, :, j, i], image.delta[slot, :, j, i]
            if head.iou_loss == "mse":
                delta[:4] += mse_delta(head, out[:4], box, head.mask[slot], (i, j), (h, w))
            else:
                delta[:4] += ciou_delta(head, out, box, boxes[slot, :, j, i])
            delta[4] = 1 - out[4]
            if delta[5 + label] == 0:
                delta[5:] = -out[5:]
            delta[5 + label] = 1 - out[5 + label]
            ious.append(float(overlap(boxes[slot : slot + 1, :, j, i], box)[0]))
    if head.iou_thresh < 1:
        positive = (image.delta[:, 5:] > 0).sum(axis=1)
        image.delta[:, :4] /= np.where((image.delta[:, 4] != 0) & (positive > 0), positive, 1)[:, None]
    return ious


def deltas(head: Head, raw: Array, truths: list[Array]) -> tuple[Array, float]:
    """Deltas of the head's raw outputs [image][channels][h][w] and the layer's cost over the mini-batch (4.9)."""
    result = np.zeros(raw.shape)
    ious: list[float] = []
    for index, truth in enumerate(truths):
        out = activated(head, raw[index])
        image = Image(out, np.zeros_like(out))
        background(head, image, truth)
        ious += foreground(head, image, truth)
        result[index] = image.delta.reshape(raw.shape[1:])
    total = float((result**2).sum())
    if head.iou_loss == "mse":
        return result, total
    by_entry = result.reshape(raw.shape[0], len(head.mask), 5 + head.classes, -1)
    classes_and_objects = float((by_entry[:, :, 4:] ** 2).sum())
    return result, head.iou_normalizer * float(np.mean([1 - iou for iou in ious])) + classes_and_objects
