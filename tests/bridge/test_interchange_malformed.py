"""Every malformed file of labels is answered by a FormatError that names file and place; good neighbours are still read."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from darknet_bridge.errors import FormatError
from darknet_bridge.interchange import FORMATS, ImageIndex, KnownImage, read_labelled
from darknet_bridge.interchange.names_yaml import read_yaml_names

GOOD_VOC = (
    "<annotation><filename>a.jpg</filename><size><width>10</width><height>10</height></size>\n"
    "<object><name>x</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object></annotation>"
)
BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb">]>\n<annotation>&b;</annotation>'

VOC_FILES = {
    "empty": "",
    "no xml": "hello",
    "cut": GOOD_VOC[:120],
    "entities": BOMB,
    "outside": '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>',
    "other root": "<html/>",
    "deep": "<a>" * 100,
    "size": GOOD_VOC.replace("<width>10", "<width>ten"),
    "zero byte": "<annotation>\0</annotation>",
    "encoding": '<?xml version="1.0" encoding="nonsense"?><annotation/>',
}
VOC_BOXES = {
    "no number": ("<xmin>1", "<xmin>one"),
    "nan": ("<xmin>1", "<xmin>nan"),
    "endless": ("<xmax>5", "<xmax>1e999"),
    "no size": ("<xmax>5", "<xmax>1"),
    "turned": ("<xmax>5", "<xmax>0"),
    "no name": ("<name>x", "<name> "),
    "no box": ("bndbox", "box"),
}


@pytest.mark.parametrize("content", VOC_FILES.values(), ids=VOC_FILES.keys())
def test_voc_files(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.xml").write_bytes(content.encode())
    (tmp_path / "good.xml").write_text(GOOD_VOC)
    back = read_labelled(tmp_path, "voc")
    assert len(back.images) == 1 and len(back.problems) == 1
    problem = back.problems[0]
    assert isinstance(problem, FormatError) and "bad.xml" in str(problem) and problem.line is not None


@pytest.mark.parametrize("change", VOC_BOXES.values(), ids=VOC_BOXES.keys())
def test_voc_boxes(tmp_path: Path, change: tuple[str, str]) -> None:
    (tmp_path / "bad.xml").write_text(GOOD_VOC.replace(*change))
    back = read_labelled(tmp_path, "voc")
    assert back.images[0].boxes == () and len(back.problems) == 1
    assert "bad.xml:2: object 1: " in str(back.problems[0])


JSON_FILES = {
    "empty": b"",
    "cut": b'{"images": [',
    "number": b"12",
    "deep": b'{"images":' + b"[" * 100_000,
    "deep and closed": b'{"images":' + b"[" * 80 + b"]" * 80 + b',"categories":[],"annotations":[]}',
    "not a number": b'{"images": [NaN]}',
    "long number": b'{"images": [' + b"1" * 5000 + b"]}",
    "latin": b'{"images": "\xff"}',
    "no lists": b'{"images": 3, "categories": [], "annotations": {}}',
    "category twice": b'{"images":[],"categories":[{"id":1,"name":"a"},{"id":1,"name":"b"}],"annotations":[]}',
}


@pytest.mark.parametrize("content", JSON_FILES.values(), ids=JSON_FILES.keys())
@pytest.mark.parametrize("format_id", ["coco", "createml", "labelme"])
def test_json_files(tmp_path: Path, content: bytes, format_id: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(content)
    try:
        problems = read_labelled(bad, format_id).problems
    except FormatError as error:
        problems = (error,)
    assert problems and all("bad.json" in str(problem) for problem in problems)


def coco(**changes: object) -> dict[str, object]:
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4], **changes}
    image = {"id": 1, "file_name": "a.jpg", "width": 10, "height": 10}
    return {"images": [image], "categories": [{"id": 1, "name": "x"}], "annotations": [{**box, "bbox": [0, 0, 1, 1]} | {}, box]}


@pytest.mark.parametrize(
    "changes",
    [
        {"bbox": [1, 2, 3]},
        {"bbox": "1 2 3 4"},
        {"bbox": [1, 1, 0, 4]},
        {"bbox": [1, 1, -4, 4]},
        {"bbox": [1, 1, 1e300, 4]},
        {"bbox": [None, 1, 4, 4]},
        {"bbox": [True, 1, 4, 4]},
    ],
    ids=str,
)
def test_coco_boxes(tmp_path: Path, changes: dict[str, object]) -> None:
    (tmp_path / "set.json").write_text(json.dumps(coco(**changes)))
    back = read_labelled(tmp_path, "coco")
    assert len(back.images[0].boxes) == 1 and len(back.problems) == 1
    assert "set.json: annotations[1].bbox" in str(back.problems[0])


@pytest.mark.parametrize(("key", "value"), [("image_id", 7), ("category_id", 7), ("image_id", "1"), ("category_id", None)])
def test_coco_references(tmp_path: Path, key: str, value: object) -> None:
    (tmp_path / "set.json").write_text(json.dumps(coco(**{key: value})))
    back = read_labelled(tmp_path, "coco")
    assert back.images[0].boxes == () and len(back.problems) == 2
    assert all(f"].{key}" in str(problem) for problem in back.problems)


def test_createml_boxes_name_their_place(tmp_path: Path) -> None:
    box = {"label": "x", "coordinates": {"x": 5, "y": 5, "width": 0, "height": 2}}
    (tmp_path / "set.json").write_text(json.dumps([{"image": "a.jpg", "annotations": [box, 3]}, 4]))
    found = [str(problem) for problem in read_labelled(tmp_path, "createml").problems]
    assert len(found) == 3
    assert "[0].annotations[0]" in found[0] and "[0].annotations[1]" in found[1] and "[1]" in found[2]


def test_yolo_lines(tmp_path: Path) -> None:
    (tmp_path / "obj.names").write_text("x\n")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n1 0.5 0.5 0.5 0.5\n")
    (tmp_path / "b.txt").write_text("nonsense\n")
    (tmp_path / "c.txt").write_bytes(b"\0")
    (tmp_path / "d.txt").write_text("")
    index = ImageIndex(KnownImage(f"{stem}.jpg", 10, 10) for stem in "abc")
    back = read_labelled(tmp_path, "yolo", index)
    assert [(image.file, len(image.boxes)) for image in back.images] == [("a.jpg", 1)]
    found = [str(problem) for problem in back.problems]
    assert "a.txt:2: " in found[0] and "b.txt:1: " in found[1] and "c.txt:1: " in found[2] and "d.txt" in found[3]


@pytest.mark.parametrize(
    "text",
    [
        "nc: 2\n",
        "names: [a\n",
        "names: a\n",
        "names: []\n",
        "names: {0: a, 2: b}\n",
        "names:\n  0: a\n  0: b\n",
        "names: [a, ]b]\n",
    ],
)
def test_yaml_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(FormatError, match=r"data\.yaml"):
        read_yaml_names(tmp_path / "data.yaml")


@pytest.mark.parametrize("format_id", [entry.id for entry in FORMATS.values() if entry.read])
def test_an_empty_folder_a_missing_one_and_a_pipe(tmp_path: Path, format_id: str) -> None:
    with pytest.raises(FormatError):
        read_labelled(tmp_path, format_id)
    for target in (tmp_path / "gone", tmp_path / "pipe.json"):
        if target.suffix:
            os.mkfifo(target)
        with suppress(FormatError):
            assert read_labelled(target, format_id).problems


def test_nothing_known(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="Pascal VOC"):
        read_labelled(tmp_path)
