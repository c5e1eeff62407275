"""Boxes, intersection over union, and the errors of the bridge."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

import darknet_bridge
from darknet_bridge import errors
from darknet_bridge.detection import Detection, NormBox, PixelBox, iou


def test_corners_pixels_and_back() -> None:
    box = NormBox(0.5, 0.25, 0.2, 0.1)
    assert box.corners == pytest.approx((0.4, 0.2, 0.6, 0.3))
    pixels = box.to_pixels(100, 200)
    assert (pixels.left, pixels.top, pixels.right, pixels.bottom) == pytest.approx((40, 40, 60, 60))
    assert (pixels.width, pixels.height) == pytest.approx((20, 20))
    back = pixels.to_norm(100, 200)
    assert (back.cx, back.cy, back.w, back.h) == pytest.approx((0.5, 0.25, 0.2, 0.1))
    with pytest.raises(ValueError, match="above 0"):
        PixelBox(0, 0, 1, 1).to_norm(0, 10)


def test_clipping_keeps_the_part_inside() -> None:
    assert NormBox(0.0, 0.5, 0.4, 0.2).clipped().corners == pytest.approx((0, 0.4, 0.2, 0.6))
    outside = NormBox(1.5, 0.5, 0.2, 0.2).clipped()
    assert outside.w == 0 and outside.h == pytest.approx(0.2)


def test_iou_equals_the_golden_figures(golden: Path) -> None:
    with (golden / "box_metrics.csv").open(encoding="ascii") as file:
        rows = list(csv.reader(file))
    header = [name.strip() for name in rows[0]]
    checked = 0
    for row in rows[1:]:
        values = dict(zip(header, map(float, row), strict=True))
        a = NormBox(*(values[name] for name in header[0:4]))
        b = NormBox(*(values[name] for name in header[4:8]))
        assert iou(a, b) == pytest.approx(values["iou"], rel=1e-5, abs=1e-7)
        assert iou(b, a) == pytest.approx(iou(a, b))
        checked += 1
    assert checked == 200


def test_iou_of_boxes_that_only_touch() -> None:
    assert iou(NormBox(0.25, 0.5, 0.5, 1), NormBox(0.75, 0.5, 0.5, 1)) == 0
    assert iou(NormBox(0.5, 0.5, 0.5, 0.5), NormBox(0.5, 0.5, 0.5, 0.5)) == 1


def test_statuses_become_their_errors() -> None:
    expected = {3: errors.CancelledError, 10: errors.FormatError, 11: errors.DeviceError, 12: errors.OutOfMemoryError}
    expected |= {13: errors.DiskError, 70: errors.InternalError, 99: errors.InternalError}
    for status, kind in expected.items():
        error = errors.error_for_status(status, "what happened")
        assert type(error) is kind and str(error) == "what happened"
        assert status == 99 or error.status == status


def test_messages_fit_one_line_whatever_the_path() -> None:
    error = errors.FormatError("is wrong", os.fsdecode(b"a\nb\xff\x1b[31m.cfg"), 7)
    assert str(error) == "a\\nb\\udcff\\x1b[31m.cfg:7: is wrong"
    assert str(error).isprintable()
    str(error).encode("utf-8")
    assert (error.line, str(errors.FormatError("x"))) == (7, "x")


def test_the_packages_names() -> None:
    for name in darknet_bridge.__all__:
        assert getattr(darknet_bridge, name) is not None
    assert darknet_bridge.Detection is Detection
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = darknet_bridge.Nonsense
