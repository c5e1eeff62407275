"""Frames of a video: how many, in the order of time, with their times."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest

from darknet_bridge.errors import CancelledError
from gui.core.errors import UserError
from gui.core.video import every_frames, every_seconds, extract, preview, probe

from .pictures import video


def test_ten_seconds_at_one_a_second(tmp_path: Path) -> None:
    path = video(tmp_path / "my clip ü.avi", frames=100, rate=10)
    info = probe(path)
    assert (info.width, info.height, info.frames, info.rate, info.seconds) == (64, 48, 100, 10, 10)
    plan = every_seconds(info, 1.0, 1000)
    assert plan.count(info) == 10
    calls: list[tuple[int, int, str]] = []
    frames = extract(path, tmp_path, plan, lambda *call: calls.append(call))
    assert [frame.time_ms for frame in frames] == [index * 1000 for index in range(10)]
    names = [frame.path.name for frame in frames]
    assert names == sorted(names) and len(set(names)) == 10
    greys = [int(cv2.imread(str(frame.path))[24, 32, 0]) for frame in frames]
    assert all(abs(grey - (10 + 10 * (index * 10) % 240)) <= 3 for index, grey in enumerate(greys))
    assert calls and calls[-1][1] == 10


def test_every_few_frames_and_at_most_so_many(tmp_path: Path) -> None:
    path = video(tmp_path / "a.avi", frames=20)
    assert len(extract(path, tmp_path, every_frames(3, 100))) == 7
    assert len(extract(path, tmp_path, every_frames(1, 5))) == 5
    assert preview(path).shape == (48, 64, 3)


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    plain = video(tmp_path / "a.avi", frames=3)
    odd = tmp_path / os.fsdecode(b"odd-\xff-%02d.avi")
    plain.rename(odd)
    frames = extract(odd, tmp_path, every_frames(1, 9))
    assert len(frames) == 3 and all(frame.path.exists() for frame in frames)


@pytest.mark.parametrize("content", [b"", b"hello", b"#EXTM3U\nhttp://127.0.0.1:9/x.ts\n", bytes(1000), b"RIFF\0\0\0\0AVI LIST"])
def test_no_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.avi").write_bytes(content)
    for call in (probe, preview):
        with pytest.raises(UserError, match=r"a\.avi"):
            call(tmp_path / "a.avi")
    with pytest.raises(UserError):
        probe(tmp_path / "gone.avi")


def test_senseless_wishes(tmp_path: Path) -> None:
    info = probe(video(tmp_path / "a.avi", frames=3))
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(UserError):
            every_seconds(info, seconds, 10)
    for frames, count in ((0, 10), (1, 0), (1, 10**9)):
        with pytest.raises(UserError):
            every_frames(frames, count)


def test_cancel(tmp_path: Path) -> None:
    def stop(done: int, total: int, text: str) -> None:
        raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        extract(video(tmp_path / "a.avi"), tmp_path, every_frames(1, 100), stop)
