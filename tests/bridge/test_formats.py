"""Names, .data, image lists, labels, and the atomic writer behind them all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from darknet_bridge.detection import NormBox
from darknet_bridge.errors import DiskError, FormatError, UnsupportedError
from darknet_bridge.formats import (
    Label,
    atomic_file,
    label_path,
    parse_labels,
    read_data_file,
    read_image_list,
    read_labels,
    read_names,
    write_bytes,
    write_data_file,
    write_image_list,
    write_labels,
    write_names,
)

ODD_NAMES = [
    "with blank.jpg",
    "$(touch PWNED).jpg",
    "-rf.jpg",
    "a;b&c.jpg",
    "ü.jpg",
    os.fsdecode(b"bad\xff.jpg"),
    "x" * 247 + ".jpg",
]


# ---- names


def test_names_round_trip(tmp_path: Path) -> None:
    names = ("red cell", "Plättchen", "#hash", os.fsdecode(b"latin\xe4"))
    write_names(tmp_path / "obj.names", names)
    assert read_names(tmp_path / "obj.names") == names


def test_names_take_crlf_bom_and_final_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "n").write_bytes(b"\xef\xbb\xbf a \r\nb\r\n\r\n\n")
    assert read_names(tmp_path / "n") == ("a", "b")


@pytest.mark.parametrize(
    ("content", "line"), [(b"a\n\nb\n", 2), (b"a\nb\x01\n", 2), (b"", None), (b"\n\n", None), (b"a\n" + b"x" * 1001, 2)]
)
def test_bad_names_files(tmp_path: Path, content: bytes, line: int | None) -> None:
    (tmp_path / "n").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        read_names(tmp_path / "n")
    assert caught.value.line == line


@pytest.mark.parametrize("names", [[], ["a\nb"], ["a\r"], [""], [" "], ["a", "a"], [" a"], ["a\0"]])
def test_names_a_line_cannot_carry(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(FormatError):
        write_names(tmp_path / "n", names)
    assert not any(tmp_path.iterdir())


# ---- .data


def test_data_file_round_trip_and_resolution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "a run"
    run.mkdir()
    write_data_file(run / "obj.data", {"classes": "3", "train": "train.txt", "names": "obj.names", "backup": "."})
    (run / "train.txt").write_text("x.jpg\n")
    data = read_data_file(run / "obj.data")
    assert data.classes == 3
    monkeypatch.chdir(tmp_path)
    assert data.resolve("train") == str(run / "train.txt")
    (tmp_path / "train.txt").write_text("y.jpg\n")
    assert data.resolve("train") == "train.txt", "what is found from the working directory goes first"
    assert data.resolve("names") == "obj.names", "what is found nowhere stays as written"
    with pytest.raises(FormatError, match="no 'valid"):
        data.resolve("valid")


def test_data_file_grammar(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b"# c\r\n classes= 2\r\ntrain =/a b/t.txt\ntrain = other\n; c\n")
    data = read_data_file(tmp_path / "d")
    assert dict(data.values) == {"classes": "2", "train": "/a b/t.txt"}


@pytest.mark.parametrize(("content", "line"), [(b"train\n", 1), (b"classes=2\ntrain=\n", 2), (b"", None), (b"=3\n", 1)])
def test_bad_data_files(tmp_path: Path, content: bytes, line: int | None) -> None:
    (tmp_path / "d").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        read_data_file(tmp_path / "d")
    assert caught.value.line == line


@pytest.mark.parametrize("classes", ["0", "-1", "three", "10001", "٣"])
def test_bad_class_counts(tmp_path: Path, classes: str) -> None:
    (tmp_path / "d").write_text(f"classes={classes}\n", "utf-8")
    with pytest.raises(FormatError, match="expected 1 to 10000"):
        _ = read_data_file(tmp_path / "d").classes


@pytest.mark.parametrize("value", ["a b", "a\nb", "", "a\tb"])
def test_data_file_refuses_what_upstream_would_destroy(tmp_path: Path, value: str) -> None:
    with pytest.raises(FormatError):
        write_data_file(tmp_path / "d", {"train": value})
    assert not any(tmp_path.iterdir())


# ---- image lists


def test_image_list_round_trip_of_odd_names(tmp_path: Path) -> None:
    write_image_list(tmp_path / "train.txt", ODD_NAMES)
    assert read_image_list(tmp_path / "train.txt") == ODD_NAMES
    assert b"bad\xff.jpg\n" in (tmp_path / "train.txt").read_bytes(), "bytes on disk as the file is called"


def test_image_list_skips_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b"\xef\xbb\xbf/a.jpg\r\n\r\n   \n/b.jpg")
    assert read_image_list(tmp_path / "l") == ["/a.jpg", "/b.jpg"]


def test_image_list_refusals(tmp_path: Path) -> None:
    for content in (b"", b"\n \n", b"\xff\xfea\0", b"a\0b\n", b"x" * 5000 + b"\n"):
        (tmp_path / "l").write_bytes(content)
        with pytest.raises(FormatError):
            read_image_list(tmp_path / "l")
    for image in ("a\nb.jpg", "a\rb.jpg", "", "  "):
        with pytest.raises(FormatError):
            write_image_list(tmp_path / "out", ["good.jpg", image])
    assert [p.name for p in tmp_path.iterdir()] == ["l"]


# ---- labels


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("data/obj/a.jpg", "data/obj/a.txt"),
        ("/d/images/a.jpg", "/d/images/a.txt"),
        ("/coco/images/train2017/a.jpg", "/coco/labels/train2017/a.txt"),
        ("C:\\VOC\\JPEGImages\\a.bmp", "C:\\VOC\\labels\\a.txt"),
        ("JPEGImages/a.jpg", "JPEGImages/a.txt"),
        ("a.b.c.jpeg", "a.b.c.txt"),
        ("a.jpg.png", "a.jpg.txt"),
        ("dir.jpg/x.png", "dir.jpg/x.txt"),
        ("/v/JPEGImages/x/JPEGImages/a.png", "/v/labels/x/JPEGImages/a.txt"),
        (" a.png\t", "a.txt"),
        ("a.webp", "a.txt"),
        ("a.Jpg", "a.txt"),
        ("a.TIF", "a.txt"),
    ],
)
def test_label_path(image: str, label: str) -> None:
    assert label_path(image) == label


@pytest.mark.parametrize("image", ["a", "a.txt", "a.jpgx", "dir.jpg/x", ""])
def test_what_is_no_image_has_no_label_file(image: str) -> None:
    with pytest.raises(UnsupportedError):
        label_path(image)


def test_labels_round_trip(tmp_path: Path) -> None:
    labels = [Label(0, NormBox(0.5, 0.25, 0.1, 0.2)), Label(12, NormBox(0.123456, 1.0, 1.0, 0.000001))]
    write_labels(tmp_path / "a.txt", labels)
    assert read_labels(tmp_path / "a.txt", 13) == labels
    write_labels(tmp_path / "none.txt", [])
    assert read_labels(tmp_path / "none.txt") == []


@pytest.mark.parametrize(
    "line",
    [
        "0.0 .5 .5 .1 .1",
        "-1 .5 .5 .1 .1",
        "3 .5 .5 .1 .1",
        "2147483648 .5 .5 .1 .1",
        "0 0,5 .5 .1 .1",
        "0 nan .5 .1 .1",
        "0 .5 .5 inf .1",
        "0 .5 .5 .1",
        "0 .5 .5 .1 .1 .1",
        "cat .5 .5 .1 .1",
        "0 1.5 .5 .1 .1",
        "0 -.1 .5 .1 .1",
        "0 .5 .5 0 .1",
        "0 .5 .5 .1 -.1",
        "0 320 240 50 50",
        "0 .5 .5 50 50",
        "0 1_0 .5 .1 .1",
    ],
)
def test_a_bad_label_line_is_named_and_the_good_ones_kept(tmp_path: Path, line: str) -> None:
    content = f"1 .5 .5 .2 .2\n\n{line}\n2 .1 .1 .1 .1\n".encode()
    labels, problems = parse_labels(content, "a.txt", 3)
    assert [label.class_id for label in labels] == [1, 2]
    assert [problem.line for problem in problems] == [3]
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        read_labels(tmp_path / "a.txt", 3)
    assert caught.value.line == 3


def test_an_image_read_as_label_file_is_refused(golden: Path) -> None:
    with pytest.raises(FormatError):
        read_labels(next((golden / "images").glob("*.png")))


def test_golden_labels_read(golden: Path) -> None:
    files = sorted((golden / "images").glob("t*.txt"))
    assert sum(len(read_labels(file, 3)) for file in files) > len(files)


def test_labels_that_would_not_read_back(tmp_path: Path) -> None:
    for box in (NormBox(0.5, 0.5, 1e-9, 0.1), NormBox(2, 0.5, 0.1, 0.1), NormBox(float("nan"), 0.5, 0.1, 0.1)):
        with pytest.raises(FormatError):
            write_labels(tmp_path / "a.txt", [Label(0, box)])
    assert not any(tmp_path.iterdir())


# ---- atomic writing


def test_a_failed_write_leaves_the_old_content_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".txt")
    write_bytes(target, b"old")
    with pytest.raises(RuntimeError), atomic_file(target) as file:
        file.write(b"half of the ne")
        raise RuntimeError("stopped")
    assert target.read_bytes() == b"old"
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_missing_and_unwritable_folders_are_disk_errors(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="No such file") as caught:
        write_bytes(tmp_path / "none" / "x", b"")
    assert caught.value.path == str(tmp_path / "none" / "x")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match="Not a directory"):
        write_bytes(tmp_path / "file" / "x", b"")
    with pytest.raises(DiskError):
        write_bytes("a\0b", b"")


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    """A file-size limit makes write(2) itself fail, as a full disk does."""
    write_bytes(tmp_path / "x", b"old")
    script = (
        "import resource, signal, sys\n"
        "from darknet_bridge.formats import write_bytes\n"
        "from darknet_bridge.errors import DiskError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n    write_bytes(sys.argv[1], bytes(100000))\n"
        "except DiskError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "x")], capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert str(tmp_path / "x") in done.stdout
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
