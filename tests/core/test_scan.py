"""Looking through folders: all names and formats, every skipped file with its reason, orientation, nothing written."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_bridge.errors import DarknetError, FormatError
from darknet_bridge.images import read_image
from gui.core.scan import examine, survey, why

from .pictures import noise, save


def test_a_folder_with_everything(tmp_path: Path) -> None:
    root = tmp_path / "my pictures"
    names = ["a.jpg", "sub folder/b.PNG", "größe/ü/c.bmp", "d.webp", "e.tif", "-rf.jpg", "$(touch x).jpeg", "new\nline.png"]
    for seed, name in enumerate(names):
        save(root / name, seed)
    odd = os.fsdecode(b"no-utf8-\xff.jpg")
    save(root / odd)
    long_name = "l" * 247 + ".jpg"
    save(root / long_name)
    (root / "notes.doc").write_text("x")
    (root / "a.txt").write_text("")
    (root / "empty.jpg").write_bytes(b"")
    (root / "link.jpg").symlink_to(root / "a.jpg")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.jpg")
    found = survey([root])
    assert sorted(file.name for file in found.files) == sorted([*names, odd, long_name])
    reasons = {entry.path.name: entry.reason for entry in found.skipped}
    assert set(reasons) == {"notes.doc", "a.txt", "empty.jpg", "link.jpg", "loop", "pipe.jpg"}
    assert all(reason.endswith(".") for reason in reasons.values())
    assert found.bytes == sum(file.path.stat().st_size for file in found.files)
    for file in found.files:
        examined = examine(file.path, file.name)
        assert (examined.width, examined.height) == (60, 40)
        assert examined.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()


def test_names_of_several_sources_are_unique(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        save(tmp_path / folder / "x" / "a.jpg")
    found = survey([tmp_path / "one", tmp_path / "two"])
    assert [file.name for file in found.files] == ["one/x/a.jpg", "two/x/a.jpg"]
    found = survey([tmp_path / "one" / "x" / "a.jpg", tmp_path / "two" / "x" / "a.jpg"])
    assert [file.name for file in found.files] == ["a.jpg", "a (2).jpg"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path: Path, orientation: int) -> None:
    turned = examine(save(tmp_path / "a.jpg", 3, 64, 32, orientation=orientation, quality=95), "a.jpg")
    assert (turned.width, turned.height) == ((32, 64) if orientation >= 5 else (64, 32))
    seen = cv2.imdecode(np.fromfile(tmp_path / "a.jpg", np.uint8), cv2.IMREAD_COLOR)
    cv2.imwrite(str(tmp_path / "seen.png"), seen)
    plain = examine(tmp_path / "seen.png", "seen.png")
    assert bin(turned.dhash ^ plain.dhash).count("1") <= 4
    assert turned.orientation == orientation


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_decoder(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = save(tmp_path / f"a.{suffix}", 3, 64, 32, orientation=orientation)
    decoded = read_image(path)
    found = examine(path, path.name)
    assert (found.height, found.width) == decoded.shape[:2]
    cv2.imwrite(str(tmp_path / "seen.png"), decoded)
    assert bin(found.dhash ^ examine(tmp_path / "seen.png", "").dhash).count("1") <= 4


def test_what_can_not_be_used(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.jpg", width=400, height=300).read_bytes()
    cases: dict[str, bytes] = {
        "cut.jpg": whole[: len(whole) // 2],
        "text.jpg": b"hello there, I am no picture",
        "gif.png": b"GIF89a" + bytes(40),
        "head.png": b"\x89PNG\r\n\x1a\n" + bytes(40),
    }
    png = cv2.imencode(".png", noise(1))[1].tobytes()
    cases["cut.png"] = png[:-60]
    cases["deep.tif"] = cv2.imencode(".tiff", np.zeros((8, 8), np.float32))[1].tobytes()
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DarknetError) as caught:
            examine(path, name)
        reason = why(caught.value, path)
        assert name in str(caught.value) and str(path) not in reason and len(reason) > 10


def test_the_cap_is_judged_by_the_header(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", width=100, height=50)
    assert examine(path, "a.png", max_pixels=5000).width == 100
    with pytest.raises(FormatError, match="at most 4,999"):
        examine(path, "a.png", max_pixels=4999)
    head = bytearray(path.read_bytes())
    head[16:24] = (40_000).to_bytes(4, "big") * 2
    head[29:33] = zlib.crc32(head[12:29]).to_bytes(4, "big")
    path.write_bytes(bytes(head))
    with pytest.raises(FormatError, match="40000 x 40000"):
        examine(path, "a.png")


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    grey = cv2.cvtColor(noise(5), cv2.COLOR_BGR2GRAY)
    cv2.imwrite(str(tmp_path / "eight.png"), grey)
    cv2.imwrite(str(tmp_path / "sixteen.png"), grey.astype(np.uint16) * 257)
    assert examine(tmp_path / "eight.png", "").dhash == examine(tmp_path / "sixteen.png", "").dhash


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tif"])
def test_what_is_cut_off_is_refused_as_the_trainer_does(tmp_path: Path, suffix: str) -> None:
    whole = save(tmp_path / f"whole.{suffix}", 2, 200, 150).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    for left in (len(whole) - 1, len(whole) - 2, len(whole) - 20, len(whole) // 2, 200):
        path.write_bytes(whole[:left])
        answers = []
        for call in (lambda: examine(path, path.name), lambda: read_image(path)):
            try:
                call()
                answers.append(True)
            except DarknetError:
                answers.append(False)
        assert answers[0] == answers[1], (left, answers)
