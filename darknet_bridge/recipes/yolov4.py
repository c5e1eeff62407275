"""YOLOv4: CSPDarknet53 with mish, SPP, PAN, three heads, small objects first (darknet.md 9.2).

Two recipes of one architecture: `yolov4-custom`, upstream's file for own classes (the backbone rests for the first
800 steps), and `yolov4`, the file of the published training.
"""

from __future__ import annotations

from dataclasses import replace

from ..formats.cfg import CfgSection
from .base import LayerBuilder, Plan, Recipe

_ANCHORS = ((12, 16), (19, 36), (40, 28), (36, 75), (76, 55), (72, 146), (142, 110), (192, 243), (459, 401))
_MISH = "mish"
_LEAKY = "leaky"


def _layers(plan: Plan) -> list[CfgSection]:
    net = LayerBuilder()
    net.conv(32, 3, _MISH)
    _csp_stage(net, out=64, inner=64, narrow=32, blocks=1)
    _csp_stage(net, out=128, inner=64, narrow=64, blocks=2)
    _csp_stage(net, out=256, inner=128, narrow=128, blocks=8)
    stride8 = net.last
    _csp_stage(net, out=512, inner=256, narrow=256, blocks=8)
    stride16 = net.last
    _csp_stage(net, out=1024, inner=512, narrow=512, blocks=4, stopbackward=plan.stopbackward)
    _pyramid_pooling(net)
    _merge_up(net, stride16, 256)
    _merge_up(net, stride8, 128)
    _head(net, plan, (0, 1, 2), "1.2", 128)
    _merge_down(net, -16, 256)
    _head(net, plan, (3, 4, 5), "1.1", 256)
    _merge_down(net, -37, 512)
    _head(net, plan, (6, 7, 8), "1.05", 512, last=True)
    return net.sections


def _csp_stage(net: LayerBuilder, out: int, inner: int, narrow: int, blocks: int, stopbackward: int = 0) -> None:
    """Halves the size; half of the channels pass `blocks` residual blocks, the other half goes round them."""
    net.conv(out, 3, _MISH, stride=2)
    net.conv(inner, 1, _MISH)
    net.route(-2)
    net.conv(inner, 1, _MISH)
    for _ in range(blocks):
        net.conv(narrow, 1, _MISH)
        net.conv(inner, 3, _MISH)
        net.shortcut(-3)
    net.conv(inner, 1, _MISH)
    net.route(-1, -(3 * blocks + 4))
    net.conv(out, 1, _MISH, stopbackward=stopbackward)


def _bottleneck(net: LayerBuilder, filters: int, blocks: int) -> None:
    """1x1 to `filters`, then `blocks` times 3x3 up to the double and 1x1 back."""
    net.conv(filters, 1, _LEAKY)
    for _ in range(blocks):
        net.conv(2 * filters, 3, _LEAKY)
        net.conv(filters, 1, _LEAKY)


def _pyramid_pooling(net: LayerBuilder) -> None:
    """SPP: the map beside itself pooled over 5, 9 and 13."""
    _bottleneck(net, 512, 1)
    net.maxpool(5, 1)
    net.route(-2)
    net.maxpool(9, 1)
    net.route(-4)
    net.maxpool(13, 1)
    net.route(-1, -3, -5, -6)
    _bottleneck(net, 512, 1)


def _merge_up(net: LayerBuilder, skip: int, filters: int) -> None:
    """Upsamples and joins what the backbone had at that stride."""
    net.conv(filters, 1, _LEAKY)
    net.upsample()
    net.route(skip)
    net.conv(filters, 1, _LEAKY)
    net.route(-1, -3)
    _bottleneck(net, filters, 2)


def _merge_down(net: LayerBuilder, skip: int, filters: int) -> None:
    """Steps over the head, halves the size and joins what the way up had at that stride."""
    net.route(-4)
    net.conv(filters, 3, _LEAKY, stride=2)
    net.route(-1, skip)
    _bottleneck(net, filters, 2)


def _head(net: LayerBuilder, plan: Plan, mask: tuple[int, int, int], scale: str, filters: int, last: bool = False) -> None:
    net.conv(2 * filters, 3, _LEAKY)
    net.head(
        plan,
        mask,
        ("random", int(plan.random) if last else None),  # read from the last [yolo] only
        ("scale_x_y", scale),
        ("iou_thresh", 0.213),
        ("cls_normalizer", 1.0),
        ("iou_normalizer", 0.07),
        ("iou_loss", "ciou"),
        ("nms_kind", "greedynms"),
        ("beta_nms", 0.6),
        ("max_delta", 5),
    )


_CUSTOM = Recipe(
    id="yolov4-custom",
    label="YOLOv4: accurate",
    width=608,
    height=608,
    batch=64,
    subdivisions=16,
    momentum=0.949,
    learning_rate=0.001,
    mosaic=True,
    anchors=_ANCHORS,
    stopbackward=800,
    pretrained=("yolov4.conv.137",),
    layers=_layers,
)
RECIPES = (
    _CUSTOM,
    replace(_CUSTOM, id="yolov4", label="YOLOv4 as published", subdivisions=8, learning_rate=0.0013, stopbackward=0),
)
