"""A sample image with the boxes of one step, as a PNG file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2

from darknet_bridge.images import Image, read_image, write_png

from .records import SampleBox, SampleShot

_GREY = "#808080"
_MOST_BOXES = 100


def visible_boxes(shot: SampleShot) -> list[SampleBox]:
    """The surest ones last, so that they lie on top; cut at the edge, because early boxes may be without bounds."""
    surest = sorted(shot.boxes, key=lambda each: each.score)[-_MOST_BOXES:]
    boxes = [replace(each, box=each.box.clipped()) for each in surest]
    return [each for each in boxes if each.box.w > 0 and each.box.h > 0]


def save_sample(shot: SampleShot, target: Path, colours: Mapping[int, str]) -> None:
    """colours: "#rrggbb" by class index. Raises FormatError, DiskError."""
    picture = read_image(shot.image).copy()
    draw_boxes(picture, shot, colours)
    write_png(target, picture)


def draw_boxes(picture: Image, shot: SampleShot, colours: Mapping[int, str]) -> None:
    """Into the picture (BGR), each with its category and how sure the network is."""
    height, width = picture.shape[:2]
    for found in visible_boxes(shot):
        box = found.box.to_pixels(width, height)
        text = colours.get(found.index, _GREY)
        colour = tuple(int(text[at : at + 2], 16) for at in (5, 3, 1))
        corner = (round(box.left), round(box.top))
        cv2.rectangle(picture, corner, (round(box.right), round(box.bottom)), colour, 2)
        caption = f"{found.name} {found.score:.0%}"
        cv2.putText(
            picture, caption, (corner[0] + 2, max(12, corner[1] - 4)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA
        )
