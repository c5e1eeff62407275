"""Zips of other people: pictures come out, nothing leaves the folder, bombs stay shut."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from darknet_bridge.errors import CancelledError
from gui.core import archive
from gui.core.errors import UserError

from .pictures import save

GIGABYTE = 1 << 30


def packed(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def unpacked(path: Path, tmp_path: Path) -> tuple[set[str], dict[str, str]]:
    target = tmp_path / "library" / "target"
    target.mkdir(parents=True)
    skipped = archive.unpack(path, target, GIGABYTE)
    files = {file.relative_to(target).as_posix() for file in target.rglob("*") if file.is_file()}
    outside = [file for file in tmp_path.rglob("*") if file.is_file() and target not in file.parents and file != path]
    assert [file.name for file in outside if file.name != "picture.jpg"] == []
    return files, {entry.path.relative_to(path).as_posix(): entry.reason for entry in skipped}


def test_pictures_and_labels_come_out(tmp_path: Path) -> None:
    content = save(tmp_path / "picture.jpg").read_bytes()
    members = {
        "a.jpg": content,
        "sub dir/ü.PNG": content,
        "sub dir/ü.txt": b"0 .5 .5 .1 .1",
        "run.sh": b"x",
        "__MACOSX/._a.jpg": b"x",
    }
    files, skipped = unpacked(packed(tmp_path / "set.zip", members), tmp_path)
    assert files == {"a.jpg", "sub dir/ü.PNG", "sub dir/ü.txt"}
    assert set(skipped) == {"run.sh", "__MACOSX/._a.jpg"}


@pytest.mark.parametrize(
    "name",
    ["../out.jpg", "/etc/out.jpg", "a/../../out.jpg", "..\\out.jpg", "C:/out.jpg", "x" * 300 + ".jpg", "d/" * 1200 + "a.jpg"],
)
def test_names_that_lead_outside(tmp_path: Path, name: str) -> None:
    files, skipped = unpacked(packed(tmp_path / "set.zip", {name: b"1", "good.jpg": b"2"}), tmp_path)
    assert files == {"good.jpg"} and len(skipped) == 1


def test_links_devices_and_doubles(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as target:
        for name, kind in (("link.jpg", stat.S_IFLNK), ("device.jpg", stat.S_IFCHR), ("pipe.jpg", stat.S_IFIFO)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o777) << 16
            target.writestr(entry, "/etc/passwd")
        target.writestr("a.jpg", b"1")
        with pytest.warns(UserWarning):
            target.writestr("a.jpg", b"2")
    files, skipped = unpacked(path, tmp_path)
    assert files == {"a.jpg"} and set(skipped) == {"link.jpg", "device.jpg", "pipe.jpg", "a.jpg"}


def test_bombs(tmp_path: Path) -> None:
    bomb = packed(tmp_path / "bomb.zip", {"a.bmp": bytes(30 << 20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="100 times"):
        archive.unpack(bomb, tmp_path / "t", GIGABYTE)
    content = bytearray(bomb.read_bytes())
    for marker, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):  # lies about the size
        place = content.index(marker) + offset
        content[place : place + 4] = (100).to_bytes(4, "little")
    (tmp_path / "liar.zip").write_bytes(content)
    with pytest.raises(UserError):
        archive.unpack(tmp_path / "liar.zip", tmp_path / "t", GIGABYTE)
    big = packed(tmp_path / "big.zip", {"a.bmp": bytes(3 << 20)})
    with pytest.raises(UserError, match="Settings"):
        archive.unpack(big, tmp_path / "t", 1 << 20)


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    path = packed(tmp_path / "set.zip", {f"{number}.jpg": b"1" for number in range(4)})
    with pytest.raises(UserError, match="4 files"):
        archive.unpack(path, tmp_path / "t", GIGABYTE)


def test_damage(tmp_path: Path) -> None:
    content = save(tmp_path / "picture.png", width=300, height=300).read_bytes()
    good = packed(tmp_path / "set.zip", {"a.png": content}).read_bytes()
    for number, bad in enumerate((b"", b"no zip", good[: len(good) // 2], good.replace(content[50:80], bytes(30)))):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(bad)
        target = tmp_path / f"t{number}"
        target.mkdir()
        with pytest.raises(UserError, match=r"\.zip"):
            archive.unpack(path, target, GIGABYTE)


def test_encrypted(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("a.jpg", b"1")
    content = bytearray(buffer.getvalue())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "set.zip").write_bytes(content)
    files, skipped = unpacked(tmp_path / "set.zip", tmp_path)
    assert files == set() and "encrypted" in skipped["a.jpg"]


def test_cancel(tmp_path: Path) -> None:
    def stop(done: int, total: int, text: str) -> None:
        raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        archive.unpack(packed(tmp_path / "set.zip", {"a.jpg": b"1"}), tmp_path / "t", GIGABYTE, stop)
