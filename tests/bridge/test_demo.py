"""The demo: what it counts and draws, what it refuses to overwrite, and a very short run of the whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_bridge import demo
from darknet_bridge.detection import Detection, NormBox
from darknet_bridge.errors import FormatError
from darknet_bridge.formats import Label, read_cfg, read_names, read_weights_header


def found(class_id: int, score: float, cx: float, side: float = 0.2) -> Detection:
    return Detection(class_id, "x", score, NormBox(cx, 0.5, side, side))


def wanted(class_id: int, cx: float) -> Label:
    return Label(class_id, NormBox(cx, 0.5, 0.2, 0.2))


@pytest.mark.parametrize(
    ("detections", "labels", "right_wrong"),
    [
        ([found(0, 0.9, 0.3)], [wanted(0, 0.3)], (1, 0)),
        ([found(1, 0.9, 0.3)], [wanted(0, 0.3)], (0, 1)),  # another class
        ([found(0, 0.9, 0.3), found(0, 0.8, 0.31)], [wanted(0, 0.3)], (1, 1)),  # one object counts once
        ([found(0, 0.9, 0.45)], [wanted(0, 0.3)], (0, 1)),  # overlaps too little
        ([found(0, 0.9, 0.36), found(0, 0.8, 0.5)], [wanted(0, 0.35), wanted(0, 0.5)], (2, 0)),
        ([], [wanted(0, 0.3)], (0, 0)),
    ],
)
def test_count_found(detections: list[Detection], labels: list[Label], right_wrong: tuple[int, int]) -> None:
    assert demo.count_found(detections, labels) == right_wrong


def test_boxes_are_drawn_inside_the_picture_only_where_they_are() -> None:
    picture = np.zeros((100, 120, 3), np.uint8)
    box = NormBox.from_corners(0.5, 0.5, 0.9, 0.9)
    drawn = demo.draw(picture, [Detection(0, "leaf", 0.5, box), Detection(1, "leaf", 0.5, NormBox(1.0, 0.0, 0.4, 0.4))])
    assert not picture.any()
    assert drawn[90, 70].any()
    assert not drawn[60:, :55].any()


def test_a_strangers_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not lose me")
    with pytest.raises(FormatError, match="no demo wrote"):
        demo.prepare_folder(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "do not lose me"


def test_the_whole_way_in_short(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a demo"
    assert demo.main(["--folder", str(folder), "--pictures", "20", "--steps", "10"]) == 0
    said = capfd.readouterr().out
    assert "mAP@0.50 on 4 held-out pictures" in said
    assert "training 10/10" in said
    sheet = cv2.imdecode(np.fromfile(folder / "found.jpg", np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape == (416, 3 * 416, 3)
    model = folder / "model"
    assert read_cfg(model / "net.cfg").classes == 3
    assert read_names(model / "obj.names") == ("ladybird", "leaf", "mushroom")
    header = read_weights_header(model / "backup" / "net_final.weights")
    assert header.seen == 10 * 4
    # A second run takes the place of the first.
    assert demo.main(["--folder", str(folder), "--pictures", "16", "--steps", "10"]) == 0
