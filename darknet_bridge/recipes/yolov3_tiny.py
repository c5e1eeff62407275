"""YOLOv3-Tiny: 24 layers, two heads, large objects first (darknet.md 9.1).

batch and subdivisions are those of the reference file's commented training lines: its own values, 1 and 1, are for
testing and upstream refuses to train with them.
"""

from __future__ import annotations

from ..formats.cfg import CfgSection
from .base import LayerBuilder, Plan, Recipe

_ANCHORS = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
_LEAKY = "leaky"


def _layers(plan: Plan) -> list[CfgSection]:
    net = LayerBuilder()
    random = ("random", int(plan.random))
    for filters in (16, 32, 64, 128, 256):
        net.conv(filters, 3, _LEAKY)
        skip = net.last  # ends as layer 8: 256 channels at stride 16
        net.maxpool(2, 2)
    net.conv(512, 3, _LEAKY)
    net.maxpool(2, 1)
    net.conv(1024, 3, _LEAKY)
    net.conv(256, 1, _LEAKY)
    net.conv(512, 3, _LEAKY)
    net.head(plan, (3, 4, 5), random)
    net.route(-4)
    net.conv(128, 1, _LEAKY)
    net.upsample()
    net.route(-1, skip)
    net.conv(256, 3, _LEAKY)
    net.head(plan, (0, 1, 2), random)
    return net.sections


RECIPES = (
    Recipe(
        id="yolov3-tiny",
        label="YOLOv3-Tiny: small and fast",
        width=416,
        height=416,
        batch=64,
        subdivisions=2,
        momentum=0.9,
        learning_rate=0.001,
        mosaic=False,
        anchors=_ANCHORS,
        stopbackward=0,
        pretrained=("yolov3-tiny.conv.15", "yolov3-tiny.conv.11"),
        layers=_layers,
    ),
)
