"""mAP against pycocotools at one IoU threshold, from the same detections.

The points rule of `-points 101` is COCO's: the mean over the recalls 0, 0.01, ..., 1 of the best precision at that recall or
more. What differs by rule, so that figures may part by a little: here a detection belongs to the truth it overlaps most, used
or not, and must overlap by more than the threshold; COCO gives it the best truth that is still free, at the threshold or more.
And here a class without truths counts as 0, there it is left out; here every detection counts, there the best `maxDets`.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from darknet_bridge.errors import LibraryError
from darknet_bridge.program import find_program

coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
cocoeval = pytest.importorskip("pycocotools.cocoeval", reason="pycocotools is not installed")

SIDE_PX = 1000  # of the pictures as COCO sees them; boxes here are relative
NAMES = ("disc", "square", "triangle")


def coco_box(box: list[float]) -> list[float]:
    """Centre and size, relative -> left, top, width, height in pixels."""
    x, y, w, h = (SIDE_PX * v for v in box)
    return [x - w / 2, y - h / 2, w, h]


def coco_ap(truths: list[dict[str, Any]], detections: list[dict[str, Any]], images: int, classes: int, iou: float) -> list[float]:
    """pycocotools' AP per class at one IoU threshold; -1 for a class without truths."""
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco.COCO()
        known.dataset = {
            "images": [{"id": i + 1, "width": SIDE_PX, "height": SIDE_PX} for i in range(images)],
            "categories": [{"id": c + 1, "name": str(c)} for c in range(classes)],
            "annotations": [{**t, "id": i + 1, "iscrowd": 0, "area": t["bbox"][2] * t["bbox"][3]} for i, t in enumerate(truths)],
        }
        known.createIndex()
        judge = cocoeval.COCOeval(known, known.loadRes(detections), "bbox")
        judge.params.iouThrs = np.array([iou])
        judge.params.maxDets = [100000]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e12]], ["all"]
        judge.evaluate()
        judge.accumulate()
    return [float(judge.eval["precision"][0, :, c, 0, 0].mean()) for c in range(classes)]


def entry(image: int, class_id: int, bbox: list[float]) -> dict[str, Any]:
    return {"image_id": image + 1, "category_id": class_id + 1, "bbox": bbox}


def golden_array(golden: Path, name: str) -> NDArray[np.float32]:
    flat = np.fromfile(golden / "map_random.f32", dtype="<f4")
    for line in (golden / "map_random.arrays.txt").read_text().splitlines():
        key, offset, *shape = line.split()
        if key == name:
            dims = [int(d) for d in shape]
            return flat[int(offset) :][: int(np.prod(dims))].reshape(dims)
    raise KeyError(name)


def test_the_figures_of_the_native_test_are_cocos(golden: Path) -> None:
    """map_random's APs (which tests/native/test_map.cpp holds the engine to) from pycocotools."""
    rows, labels = golden_array(golden, "detections").tolist(), golden_array(golden, "truths").tolist()
    truths = [entry(int(t[0]), int(t[1]), coco_box(t[2:])) for t in labels]
    detections = [
        {**entry(int(row[0]), c, coco_box(row[1:5])), "score": row[5 + c]} for row in rows for c in range(4) if row[5 + c] > 0
    ]
    expected = golden_array(golden, "plain_ap")[:, 2].tolist()
    found = coco_ap(truths, detections, images=30, classes=4, iou=0.5)
    assert found[:3] == pytest.approx(expected[:3], abs=1e-6)
    assert found[3] == -1 and expected[3] == 0


class Project:
    """The trained narrow network and its labelled pictures, as files for the program."""

    def __init__(self, golden: Path, folder: Path) -> None:
        self.golden, self.folder = golden, folder
        self.images: list[Path] = []
        for number, source in enumerate(sorted((golden / "images").glob("[tv]*.png")), start=1):
            self.images.append(folder / f"{number:04}.png")  # `valid` takes the image id from the name
            shutil.copy(source, self.images[-1])
            shutil.copy(source.with_suffix(".txt"), self.images[-1].with_suffix(".txt"))
        (folder / "list.txt").write_text("".join(f"{path}\n" for path in self.images))
        (folder / "obj.names").write_text("\n".join(NAMES) + "\n")
        lines = ["classes=3", f"valid={folder / 'list.txt'}", f"names={folder / 'obj.names'}", f"results={folder}", "eval=coco"]
        (folder / "obj.data").write_text("\n".join(lines) + "\n")

    def run(self, verb: str, *options: str, stdin: str = "") -> str:
        files = [self.folder / "obj.data", self.golden / "tiny" / "net.cfg", self.golden / "tiny" / "trained.weights"]
        words = [str(find_program()), "detector", verb, *map(str, files), *options]
        done = subprocess.run(words, cwd=self.folder, input=stdin, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def map_figures(self, *options: str) -> dict[str, Any]:
        """The figures of `map`, which are the last line."""
        figures: dict[str, Any] = json.loads(self.run("map", "-points", "101", "-json", *options).splitlines()[-1])
        return figures

    def truths(self) -> list[dict[str, Any]]:
        boxes = []
        for number, path in enumerate(self.images):
            for line in path.with_suffix(".txt").read_text().splitlines():
                class_id, *box = line.split()
                boxes.append(entry(number, int(class_id), coco_box([float(v) for v in box])))
        return boxes

    def detections(self) -> list[dict[str, Any]]:
        """What `map` judges: everything above 0.005, suppressed at 0.45."""
        listed = (self.folder / "list.txt").read_text()
        self.run("test", "-thresh", "0.005", "-dont_show", "-out", "found.json", stdin=listed)
        frames = json.loads((self.folder / "found.json").read_text())
        assert [frame["filename"] for frame in frames] == [str(path) for path in self.images]
        found = []
        for number, frame in enumerate(frames):
            for item in frame["objects"]:
                place = item["relative_coordinates"]
                box = coco_box([place[key] for key in ("center_x", "center_y", "width", "height")])
                found.append({**entry(number, item["class_id"], box), "score": item["confidence"]})
        return found


@pytest.fixture
def project(golden: Path, tmp_path: Path) -> Project:
    try:
        find_program()
    except LibraryError as missing:
        pytest.skip(str(missing))
    return Project(golden, tmp_path)


@pytest.mark.parametrize("iou", [0.5, 0.75])
def test_map_agrees_with_pycocotools(project: Project, iou: float) -> None:
    figures = project.map_figures("-iou_thresh", str(iou))
    theirs = coco_ap(project.truths(), project.detections(), len(project.images), len(NAMES), iou)
    ours = [figure["ap"] for figure in figures["classes"]]
    assert ours == pytest.approx(theirs, abs=1e-3)
    assert figures["map"] == pytest.approx(sum(theirs) / len(theirs), abs=1e-3)
    assert figures["map"] > 0.2


def test_valid_writes_results_that_pycocotools_reads(project: Project) -> None:
    """`valid` keeps weaker candidates, suppresses at 0.6 and clips to the picture: the figures are near, not equal."""
    project.run("valid")
    results = json.loads((project.folder / "coco_results.json").read_text())
    assert {r["image_id"] for r in results} <= set(range(1, len(project.images) + 1))
    for result in results:
        with Image.open(project.images[result["image_id"] - 1]) as picture:
            width, height = picture.size
        left, top, w, h = result["bbox"]
        assert left >= 0 and top >= 0 and left + w <= width + 1e-3 and top + h <= height + 1e-3
        result["bbox"] = [left * SIDE_PX / width, top * SIDE_PX / height, w * SIDE_PX / width, h * SIDE_PX / height]
    theirs = coco_ap(project.truths(), results, len(project.images), len(NAMES), 0.5)
    figures = project.map_figures()
    assert sum(theirs) / len(theirs) == pytest.approx(figures["map"], abs=0.05)
