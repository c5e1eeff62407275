"""Proof that an exported model gives the same boxes elsewhere: ours against those of the exported OpenCV script."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2

from ..detection import Detection, NormBox, iou
from ..errors import FormatError, shown
from ..images import read_image
from ..network import Network

THRESHOLD = 0.25
NMS = 0.45
SCORE_LIMIT = 1e-3
IOU_LIMIT = 0.99


@dataclass(frozen=True, slots=True)
class ImageParity:
    """One picture: how many boxes each found, and the largest differences. box_px: of any edge, in pixels of the picture."""

    name: str
    ours: int
    theirs: int
    unmatched: int
    score: float
    box_px: float
    min_iou: float


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparison over all pictures; reader says with what, and why not when there are no images."""

    reader: str
    images: tuple[ImageParity, ...]

    @property
    def boxes(self) -> int:
        return sum(image.ours for image in self.images)

    @property
    def same(self) -> bool:
        return all(i.score < SCORE_LIMIT and i.min_iou > IOU_LIMIT and not i.unmatched for i in self.images)

    def sentence(self) -> str:
        if not self.images:
            return f"Not compared with OpenCV: {self.reader}."
        if not self.boxes:
            return f"{self.reader} and Darknet Studio both find nothing above {THRESHOLD:.0%} in {len(self.images)} pictures."
        score, box = max(i.score for i in self.images), max(i.box_px for i in self.images)
        verdict = "the same boxes" if self.same else "boxes that DIFFER"
        text = f"{self.reader} finds {verdict} in {len(self.images)} pictures ({self.boxes} boxes): largest difference of a score"
        text += f" {score:.6f}, of a box edge {box:.3f} pixels"
        missing = sum(i.unmatched for i in self.images)
        return text + (f"; {missing} boxes found by only one of the two." if missing else ".")

    def table(self) -> str:
        """The report as text: the sentence, then a line a picture."""
        lines = [self.sentence(), "", f"threshold {THRESHOLD}, NMS {NMS}; picture, boxes here, boxes in OpenCV, largest "]
        lines[-1] += "difference of a score, of a box edge in pixels, smallest IoU"
        lines += [f"{i.name}, {i.ours}, {i.theirs}, {i.score:.6f}, {i.box_px:.3f}, {i.min_iou:.4f}" for i in self.images]
        return "\n".join(lines) + "\n"


def compare(
    folder: Path, names: Sequence[str], images: Sequence[Path], progress: Callable[[int, int, str], None] | None = None
) -> Parity:
    """Compares on these pictures the exported model in `folder`. Unreadable pictures are left out."""
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        return Parity(f"OpenCV {cv2.__version__} has no reader for Darknet's files (version 4 has)", ())
    if not images:
        return Parity("no pictures were given", ())
    results = []
    with Network.load(folder / "net.cfg", folder / "net.weights", names, "cpu") as network:
        script = _exported_script(folder / "detect_opencv.py")
        model = script.load(folder)
        for done, path in enumerate(images):
            if progress is not None:
                progress(done, len(images), f"Comparing with OpenCV: {shown(path.name)}")
            try:
                picture = read_image(path)
            except FormatError:
                continue
            ours = network.detect(picture, THRESHOLD, NMS)
            theirs = [Detection(b[0], "", b[1], NormBox(*b[2:])) for b in script.detect(model, picture, THRESHOLD, NMS)]
            results.append(_compare(shown(path.name), ours, theirs, picture.shape[1], picture.shape[0]))
    return Parity(f"OpenCV {cv2.__version__}", tuple(results))


def _exported_script(path: Path) -> Any:
    """The script as it was written into the folder: what is compared is what people get. Leaves no __pycache__ there."""
    namespace = runpy.run_path(str(path), run_name="exported_script")
    return SimpleNamespace(load=namespace["load"], detect=namespace["detect"])


def _compare(name: str, ours: Sequence[Detection], theirs: Sequence[Detection], width: int, height: int) -> ImageParity:
    left = list(theirs)
    alone: list[Detection] = []
    score = box = 0.0
    least = 1.0
    for mine in ours:
        partner = max((one for one in left if one.class_id == mine.class_id), key=lambda o: iou(mine.box, o.box), default=None)
        if partner is None or iou(mine.box, partner.box) < 0.5:
            alone.append(mine)
            continue
        left.remove(partner)
        score = max(score, abs(mine.score - partner.score))
        edges = zip(mine.box.corners, partner.box.corners, (width, height, width, height), strict=True)
        box = max(box, *(abs(a - b) * side for a, b, side in edges))
        least = min(least, iou(mine.box, partner.box))
    # A score that lies on the threshold may fall on either side of it.
    unmatched = sum(one.score > THRESHOLD + SCORE_LIMIT for one in (*alone, *left))
    return ImageParity(name, len(ours), len(theirs), unmatched, score, box, least)
