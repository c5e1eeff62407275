"""darknetpy's call shape on our engine, for programs written for that package (docs/adr/0001-darknetpy-is-no-dependency.md)."""

from __future__ import annotations

from .formats.atomic import StrPath
from .formats.data_file import read_data_file
from .formats.names import read_names
from .network import Network

DetectionDict = dict[str, str | float | int]


class Detector:
    """`Detector(meta, cfg, weights).detect(path)` -> [{"class", "prob", "left", "top", "right", "bottom"}, ...].

    meta: a .data file, of which `names` (or `labels`) is used. left ... bottom are whole pixels of the upright picture,
    clipped to it; prob is 0..1. Best first.
    """

    def __init__(self, meta: StrPath, cfg: StrPath, weights: StrPath, device: str = "auto") -> None:
        data = read_data_file(meta)
        names = read_names(data.resolve("labels" if data.get("names") is None and data.get("labels") else "names"))
        self._network = Network.load(cfg, weights, names, device)

    def detect(self, path: StrPath, thresh: float = 0.5, hier_thresh: float = 0.5, nms: float = 0.45) -> list[DetectionDict]:
        """The objects in a picture file. hier_thresh is taken for compatibility: a [yolo] network has no use for it."""
        (found,) = self._network.detect_images([path], thresh, nms)
        results: list[DetectionDict] = []
        for detection in found:
            box = detection.box.clipped().to_pixels(found.width_px, found.height_px)
            results.append(
                {
                    "class": detection.name,
                    "prob": detection.score,
                    "left": round(box.left),
                    "top": round(box.top),
                    "right": round(box.right),
                    "bottom": round(box.bottom),
                }
            )
        return results

    def close(self) -> None:
        """Gives the network's memory back."""
        self._network.close()
