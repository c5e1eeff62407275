"""Frames of a video as pictures: every so many frames or seconds, at most so many, named in the order of time.

Decoded by OpenCV. The video is opened through a file descriptor, so that its name may hold any bytes and never is taken for
an address or a pattern.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from darknet_bridge.errors import DarknetError, shown
from darknet_bridge.formats.text import open_regular

from .disk import disk_error
from .errors import UserError
from .scan import Progress

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".mts", ".m2ts", ".ogv")
MAX_FRAMES = 100_000
_JPEG_QUALITY = 95
_MAX_PIXELS = 100_000_000
_MAX_NAME_BYTES = 180
_HEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """frames: as the file says, 0 when it does not; what is there in truth only shows while decoding."""

    path: Path
    width: int
    height: int
    rate: float
    frames: int

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


@dataclass(frozen=True, slots=True)
class FramePlan:
    """Every `every_frames` frames from the first one, at most `max_count`."""

    every_frames: int
    max_count: int

    def count(self, info: VideoInfo) -> int:
        """How many pictures that makes, as far as the file tells."""
        return min(self.max_count, max(1, math.ceil(info.frames / self.every_frames)))


@dataclass(frozen=True, slots=True)
class Frame:
    """A written picture. time_ms: when it is seen in the video."""

    path: Path
    time_ms: int


def every_seconds(info: VideoInfo, seconds: float, max_count: int) -> FramePlan:
    """Raises UserError for an interval that is no time, or a senseless count."""
    if not (math.isfinite(seconds) and 0 < seconds <= 86_400):
        raise UserError("The time between two pictures is above 0 seconds, for example 1 or 0.5.")
    return every_frames(max(1, round(seconds * info.rate)), max_count)


def every_frames(frames: int, max_count: int) -> FramePlan:
    if not 1 <= frames <= 1_000_000_000:
        raise UserError("Pictures are taken every 1 or more frames.")
    if not 1 <= max_count <= MAX_FRAMES:
        raise UserError(f"Between 1 and {MAX_FRAMES:,} pictures can be taken from a video.")
    return FramePlan(frames, max_count)


def probe(path: Path) -> VideoInfo:
    """Size, rate and length. Raises UserError for what is no video that can be decoded."""
    with _capture(path) as capture:
        return _info(capture, path)


def preview(path: Path, share: float = 0.5) -> NDArray[np.uint8]:
    """The picture at a share (0 to 1) of the video's length, H x W x 3, blue, green, red. Raises UserError."""
    with _capture(path) as capture:
        info = _info(capture, path)
        for position in (int(max(0, info.frames - 1) * share), 0):
            capture.set(cv2.CAP_PROP_POS_FRAMES, position)
            done, picture = capture.read()
            if done:
                return np.asarray(picture, np.uint8)
    raise _unreadable(path)


def extract(path: Path, folder: Path, plan: FramePlan, progress: Progress | None = None) -> list[Frame]:
    """Writes JPEG files into folder. Raises UserError, or CancelledError out of progress; the caller removes the folder then."""
    frames: list[Frame] = []
    stem = _stem(path)
    with _capture(path) as capture:
        info = _info(capture, path)
        expected = plan.count(info)
        position = 0
        while len(frames) < plan.max_count and capture.grab():
            if position % plan.every_frames == 0:
                time_ms = _time_ms(capture, position, info, frames)
                done, picture = capture.retrieve()
                if done:
                    frames.append(Frame(_write(folder / f"{stem}_{position:07d}.jpg", np.asarray(picture, np.uint8)), time_ms))
            position += 1
            if progress and position % 8 == 0:
                progress(min(len(frames), expected), expected, "Taking pictures from the video")
    if not frames:
        raise _unreadable(path)
    return frames


def _write(target: Path, picture: NDArray[np.uint8]) -> Path:
    done, encoded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
    if not done:
        raise UserError("A picture of the video can't be stored as JPEG; its sides have at most 65,500 pixels.")
    try:
        target.write_bytes(encoded.tobytes())
    except OSError as error:
        raise disk_error(error, target) from error
    return target


def _time_ms(capture: cv2.VideoCapture, position: int, info: VideoInfo, frames: list[Frame]) -> int:
    """By the file's clock; by the rate where the clock stands still."""
    told = capture.get(cv2.CAP_PROP_POS_MSEC)
    last = frames[-1].time_ms if frames else -1
    return round(told) if math.isfinite(told) and told > last else max(last + 1, round(position * 1000 / info.rate))


@contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    """Only files of a video's bytes: a play list is text, and may name addresses."""
    try:
        file = open_regular(os.fspath(path))
    except DarknetError as error:
        raise UserError(f"{error}. Choose a video file.") from error
    with file:
        head = file.read(_HEAD_BYTES)
        if not head or all(byte in (9, 10, 13) or 32 <= byte < 127 for byte in head):
            raise _unreadable(path)
        capture = cv2.VideoCapture(f"/proc/self/fd/{file.fileno()}", cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                raise _unreadable(path)
            yield capture
        except cv2.error as error:
            raise _unreadable(path) from error
        finally:
            capture.release()


def _info(capture: cv2.VideoCapture, path: Path) -> VideoInfo:
    width, height = (int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    rate, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    if width < 1 or height < 1 or width * height > _MAX_PIXELS:
        raise _unreadable(path)
    known_rate = rate if math.isfinite(rate) and 0.01 <= rate <= 10_000 else 25.0
    return VideoInfo(path, width, height, known_rate, int(frames) if math.isfinite(frames) and frames > 0 else 0)


def _unreadable(path: Path) -> UserError:
    return UserError(f"{shown(path)} is no video that can be read. Convert it to MP4 (H.264), or add single pictures.")


def _stem(path: Path) -> str:
    """The video's name, short enough to have a number behind it."""
    raw = os.fsencode(path.stem)[:_MAX_NAME_BYTES]
    return os.fsdecode(raw) or "video"
