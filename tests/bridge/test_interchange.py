"""Formats of labelled pictures: round trips, matching by name, the class order, real data."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_bridge import PixelBox
from darknet_bridge.interchange import (
    FORMATS,
    ImageIndex,
    KnownImage,
    LabelledBox,
    LabelledImage,
    LabelledSet,
    read_labelled,
    recognise,
)
from darknet_bridge.interchange.names_yaml import read_yaml_names
from darknet_bridge.samples import render_samples

BCCD = Path(__file__).resolve().parents[3] / "shared" / "data" / "bccd"


def example() -> LabelledSet:
    boxes = (
        LabelledBox("small dog", PixelBox(10.3, 20.7, 110.4, 90.1), ("difficult",)),
        LabelledBox("Käfer <&>", PixelBox(0, 0, 640, 480)),
        LabelledBox("cat", PixelBox(600.2, 400.2, 600.4, 401.9)),
    )
    return LabelledSet(
        ("small dog", "cat", "Käfer <&>", "unused"),
        (
            LabelledImage("a b/größe.jpg", 640, 480, boxes),
            LabelledImage("other/0001.png", 1000, 120, boxes[:1]),
            LabelledImage("0001.jpg", 300, 300, ()),
        ),
    )


def known(labelled: LabelledSet) -> ImageIndex:
    return ImageIndex(KnownImage(image.file, image.width, image.height) for image in labelled.images)


@pytest.mark.parametrize("format_id", ["voc", "coco", "createml", "yolo"])
def test_round_trip(tmp_path: Path, format_id: str) -> None:
    labelled, entry = example(), FORMATS[format_id]
    assert entry.write and entry.write(tmp_path, labelled) == []
    assert recognise(tmp_path) == format_id
    index = known(labelled)
    back = read_labelled(tmp_path, index=index)
    assert back.problems == ()
    found = {}
    for image in back.images:
        match = index.find(image.file)
        assert match is not None and (image.width, image.height) == (match.width, match.height)
        found[match.file] = image.boxes
    assert set(found) == {image.file for image in labelled.images}
    for image in labelled.images:
        assert [box.name for box in found[image.file]] == [box.name for box in image.boxes]
        for box, other in zip(image.boxes, found[image.file], strict=True):
            for edge in ("left", "top", "right", "bottom"):
                assert abs(getattr(box.box, edge) - getattr(other.box, edge)) <= 0.5
    assert set(back.names) >= {"small dog", "cat", "Käfer <&>"}
    if format_id in ("coco", "yolo"):
        assert back.names == labelled.names


def test_csv_holds_every_box_and_every_picture(tmp_path: Path) -> None:
    labelled = example()
    assert FORMATS["csv"].write and FORMATS["csv"].write(tmp_path, labelled) == []
    with (tmp_path / "annotations.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert rows[0]["class"] == "small dog" and rows[0]["index"] == "0" and rows[0]["x"] == "10.30" and rows[0]["w"] == "100.10"
    assert rows[-1]["file"] == "0001.jpg" and rows[-1]["class"] == ""


def test_names_that_step_upwards_stay_inside(tmp_path: Path) -> None:
    labelled = LabelledSet(("a",), (LabelledImage("../../etc/x.jpg", 10, 10, ()), LabelledImage("/abs.jpg", 10, 10, ())))
    for format_id in ("voc", "yolo"):
        target = tmp_path / format_id / "deep"
        assert FORMATS[format_id].write and FORMATS[format_id].write(target, labelled) == []
        written = [file.relative_to(tmp_path / format_id) for file in (tmp_path / format_id).rglob("*") if file.is_file()]
        assert len(written) >= 2 and all(file.parts[0] == "deep" for file in written)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("valid/0001.txt", "valid/0001.jpg"),
        ("labels/train/0001.txt", "images/train/0001.jpg"),
        ("C:\\data\\images\\train\\0001.jpg", "images/train/0001.jpg"),
        ("/home/me/other.jpg", "other.jpg"),
        ("unique.png", "deep/folder/unique.png"),
        ("0001.jpg", None),  # two have it
        ("test/0001.jpg", None),  # another folder
        ("unique.jpg", "deep/folder/unique.png"),
        ("v1.2.txt", "v1.2.bmp"),
    ],
)
def test_matching_by_name(query: str, expected: str | None) -> None:
    names = ("images/train/0001.jpg", "valid/0001.jpg", "other.jpg", "deep/folder/unique.png", "v1.2.bmp")
    found = ImageIndex(KnownImage(name, 10, 10) for name in names).find(query)
    assert (found.file if found else None) == expected


def test_the_sample_set_is_read_as_yolo(tmp_path: Path) -> None:
    render_samples(tmp_path, train=3, valid=2, size_px=96)
    (tmp_path / "classes.txt").write_text("ladybird\nleaf\nmushroom\n")
    back = read_labelled(tmp_path)
    assert back.names == ("ladybird", "leaf", "mushroom") and back.problems == ()
    assert sorted(image.file for image in back.images) == [
        *(f"train/000{i}.jpg" for i in range(3)),
        "valid/0000.jpg",
        "valid/0001.jpg",
    ]
    assert all(image.boxes for image in back.images)


def test_a_classes_file_is_no_label_file(tmp_path: Path) -> None:
    picture = cv2.imencode(".png", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    for stem in ("classes", "one", "train"):
        (tmp_path / f"{stem}.png").write_bytes(picture)
    (tmp_path / "classes.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "one.txt").write_text("")
    (tmp_path / "train.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "valid.txt").write_text("one.png\n")
    back = read_labelled(tmp_path, "yolo")
    assert back.names == ("0 0.5 0.5 0.1 0.1",) and back.problems == ()
    assert {image.file: len(image.boxes) for image in back.images} == {"one.png": 0, "train.png": 1}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [cat, 'small dog', \"b#c\"] # three\nnc: 3\n", ("cat", "small dog", "b#c")),
        ("path: x\nnames:\n  0: cat\n  1: it's\n\n# end\nnc: 2\n", ("cat", "it's")),
        ("names:\n- cat\n- 'a, b'\ntrain: x\n", ("cat", "a, b")),
        ("names: {0: cat, 1: 'dog'}\n", ("cat", "dog")),
        ("names: ['a',\n  'b',\n]\n", ("a", "b")),
        ("names:\n  1: b\n  0: a\n", ("a", "b")),
    ],
)
def test_names_of_a_data_yaml(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    (tmp_path / "data.yaml").write_text(text)
    assert read_yaml_names(tmp_path / "data.yaml") == names


def test_labelme_shapes_become_boxes(tmp_path: Path) -> None:
    def shape(kind: str, *points: tuple[float, float]) -> dict[str, object]:
        return {"label": "thing", "shape_type": kind, "points": points}

    shapes = [
        shape("rectangle", (50, 60), (10, 20)),
        shape("polygon", (1, 2), (9, 4), (5, 8)),
        shape("circle", (30, 30), (30, 40)),
        shape("point", (3, 3)),
    ]
    document = {"imagePath": "..\\pictures\\a.jpg", "imageWidth": 100, "imageHeight": 80, "shapes": shapes}
    (tmp_path / "a.json").write_text(json.dumps(document))
    back = read_labelled(tmp_path)
    image = back.images[0]
    assert image.file == "a.jpg" and image.width == 100
    assert [box.box for box in image.boxes] == [PixelBox(10, 20, 50, 60), PixelBox(1, 2, 9, 8), PixelBox(20, 20, 40, 40)]
    assert len(back.problems) == 1 and "shapes[3]" in str(back.problems[0])


@pytest.mark.skipif(not BCCD.is_dir(), reason="the real photographs are not beside this checkout")
def test_real_voc_files() -> None:
    voc, yolo = read_labelled(BCCD / "voc"), read_labelled(BCCD, "yolo")
    assert voc.names == ("Platelets", "RBC", "WBC") and len(voc.images) == 364
    assert all("object" in str(problem) for problem in voc.problems)
    assert len(yolo.images) == 364 and yolo.problems == ()
    boxes = sum(len(image.boxes) for image in voc.images)
    assert boxes + len(voc.problems) >= sum(len(image.boxes) for image in yolo.images) >= boxes - 20


def test_folders_of_pictures_and_of_labels_side_by_side() -> None:
    index = ImageIndex([KnownImage("obj/a.jpg", 4, 3), KnownImage("Photos/train/b.jpg", 4, 3)])
    assert (found := index.find("voc/a.xml")) is not None and found.file == "obj/a.jpg"
    assert (found := index.find("Labels/train/b.txt")) is not None and found.file == "Photos/train/b.jpg"
    assert index.find("valid/b.txt") is None
