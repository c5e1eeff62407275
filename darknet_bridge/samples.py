"""A small labelled picture set, drawn from a seed: ladybirds, leaves and mushrooms on forest ground.

For the demo, for tests and for trying things out without a download. One seed gives the same pictures on one version of
numpy and OpenCV. The objects vary in colour, shape, size, rotation and light, and stones, twigs and grass get in their
way, so that a detector has something to learn. How single things are drawn is in `sample_art`; files are in `formats`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from . import sample_art as art
from .detection import NormBox, PixelBox, iou
from .formats import Label, write_bytes, write_data_file, write_image_list, write_labels, write_names

NAMES = ("ladybird", "leaf", "mushroom")

_ARTISTS: tuple[Callable[[art.Rng], art.Sprite], ...] = (art.ladybird, art.leaf, art.mushroom)
_TILT_DEGREES = (180.0, 180.0, 35.0)  # how far each may be turned: a mushroom stands
_MAX_OVERLAP_IOU = 0.08
_MIN_VISIBLE = 0.6  # share of an object that must lie inside the picture


@dataclass(frozen=True, slots=True)
class SampleSet:
    """Where the files of a rendered set are. Paths in the lists are relative to `folder`."""

    folder: Path
    data: Path
    names: Path
    train: tuple[Path, ...]
    valid: tuple[Path, ...]


def render_samples(
    folder: str | Path,
    train: int = 160,
    valid: int = 40,
    size_px: int = 416,
    seed: int = 2026,
    progress: Callable[[int, int], None] | None = None,
) -> SampleSet:
    """Writes pictures (JPEG), labels, lists, obj.names, obj.data and an empty folder `backup` into `folder`.

    progress is called with (pictures written, pictures in all). Raises ValueError for senseless counts and
    DiskError where writing fails.
    """
    if train < 1 or valid < 1 or not 64 <= size_px <= 4096:
        raise ValueError(f"train {train}, valid {valid}, size {size_px}: expected at least 1, at least 1, 64 to 4096")
    root = Path(folder)
    (root / "backup").mkdir(parents=True, exist_ok=True)
    total, done = train + valid, 0
    lists: dict[str, list[Path]] = {"train": [], "valid": []}
    for part, count in (("train", train), ("valid", valid)):
        (root / part).mkdir(exist_ok=True)
        for index in range(count):
            path = root / part / f"{index:04d}.jpg"
            picture, labels = render_picture(size_px, (seed, part == "valid", index))
            quality = 80 + index % 16
            write_bytes(path, cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))[1].tobytes())
            write_labels(path.with_suffix(".txt"), labels)
            lists[part].append(path)
            done += 1
            if progress:
                progress(done, total)
        write_image_list(root / f"{part}.txt", [path.relative_to(root) for path in lists[part]])
    write_names(root / "obj.names", NAMES)
    values = {"classes": str(len(NAMES)), "train": "train.txt", "valid": "valid.txt", "names": "obj.names", "backup": "backup"}
    write_data_file(root / "obj.data", values)
    return SampleSet(root, root / "obj.data", root / "obj.names", tuple(lists["train"]), tuple(lists["valid"]))


def render_picture(size_px: int, seed: int | tuple[int, ...]) -> tuple[NDArray[np.uint8], list[Label]]:
    """One picture, (size, size, 3) BGR, and the boxes of what was drawn, clipped to the picture."""
    rng = np.random.default_rng(seed)
    canvas = art.ground(rng, size_px)
    art.clutter(rng, canvas, int(rng.integers(3, 10)))
    labels: list[Label] = []
    for _ in range(int(rng.integers(2, 6))):
        _place(rng, canvas, labels)
    art.blades(rng, canvas, int(rng.integers(0, 4)))
    return art.photograph(rng, canvas), labels


def _place(rng: art.Rng, canvas: art.Canvas, labels: list[Label]) -> None:
    """Draws one object where it hides no other; gives up when the picture is too full."""
    size_px = canvas.shape[0]
    class_id = int(rng.integers(len(NAMES)))
    sprite = _ARTISTS[class_id](rng)
    for _ in range(12):
        extent_px = size_px * float(np.exp(rng.uniform(np.log(0.2), np.log(0.5))))
        tilt = float(rng.uniform(-1, 1)) * _TILT_DEGREES[class_id]
        centre = (float(rng.uniform(0, size_px)), float(rng.uniform(0, size_px)))
        colour, alpha = art.transform(sprite, size_px, extent_px, tilt, centre)
        room_px = int(extent_px * 1.5)  # holds the object at any tilt
        full = art.bounds(art.transform(sprite, room_px, extent_px, tilt, (room_px / 2, room_px / 2))[1])
        seen = art.bounds(alpha)
        if seen is None or full is None or _area(seen) < _MIN_VISIBLE * _area(full):
            continue
        box = seen.to_norm(size_px, size_px)
        if all(iou(box, other.box) <= _MAX_OVERLAP_IOU and not _covers(box, other.box) for other in labels):
            art.paste(canvas, colour, alpha, rng)
            labels.append(Label(class_id, box))
            return


def _area(box: PixelBox) -> float:
    return box.width * box.height


def _covers(a: NormBox, b: NormBox) -> bool:
    """Whether the centre of one lies in the other: a small object on a large one would go unseen."""
    return any(abs(a.cx - b.cx) * 2 < box.w and abs(a.cy - b.cy) * 2 < box.h for box in (a, b))
