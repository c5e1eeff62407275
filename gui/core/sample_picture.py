"""A sample image with the boxes of one step, as a PNG file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2

from darknet_bridge.images import read_image, write_png

from .records import SampleShot

_GREY = "#808080"


def save_sample(shot: SampleShot, target: Path, colours: Mapping[int, str]) -> None:
    """colours: "#rrggbb" by class index. Raises FormatError, DiskError."""
    picture = read_image(shot.image).copy()
    height, width = picture.shape[:2]
    for found in shot.boxes:
        box = found.box.clipped().to_pixels(width, height)
        text = colours.get(found.index, _GREY)
        colour = tuple(int(text[at : at + 2], 16) for at in (5, 3, 1))
        corner = (round(box.left), round(box.top))
        cv2.rectangle(picture, corner, (round(box.right), round(box.bottom)), colour, 2)
        caption = f"{found.name} {found.score:.0%}"
        cv2.putText(
            picture, caption, (corner[0] + 2, max(12, corner[1] - 4)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA
        )
    write_png(target, picture)
