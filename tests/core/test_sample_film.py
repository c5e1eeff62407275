"""Films of a sample, read back by other programs: as many pictures as steps, with the boxes of each."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PilImage

from darknet_bridge import NormBox
from darknet_bridge.errors import CancelledError
from darknet_bridge.images import write_png
from gui.core.errors import UserError
from gui.core.records import SampleBox, SampleShot
from gui.core.sample_film import save_film

from .training_case import nothing

STEPS = (0, 10, 20, 30)


@pytest.fixture
def shots(tmp_path: Path) -> list[SampleShot]:
    """A grey picture with odd sides; a box is found from step 20 on."""
    picture = tmp_path / "forêt.png"
    write_png(picture, np.full((151, 201, 3), 90, np.uint8))
    box = SampleBox(0, "crow", 0.9, NormBox(0.5, 0.5, 0.4, 0.4))
    return [SampleShot(step, picture, (box,) if step >= 20 else ()) for step in STEPS]


def red(frame: np.ndarray) -> int:  # type: ignore[type-arg]
    """Pixels of the box's colour. frame: RGB."""
    wide = frame.astype(int)
    return int(np.count_nonzero((wide[..., 0] > 180) & (wide[..., 1] < 90) & (wide[..., 2] < 90)))


def test_a_gif_has_a_picture_of_each_step(shots: list[SampleShot], tmp_path: Path) -> None:
    target = tmp_path / "ein Film.gif"
    save_film(shots, target, {0: "#ff0000"}, nothing)
    with PilImage.open(target) as film:
        assert getattr(film, "n_frames", 1) == 4
        found = []
        for index in range(4):
            film.seek(index)
            found.append(red(np.asarray(film.convert("RGB"))))
            assert film.info["duration"] == (2000 if index == 3 else 100)
    assert found[0] < 20 and found[1] < 20 and found[2] > 200 and found[3] > 200


def test_an_mp4_is_read_by_opencv(shots: list[SampleShot], tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    save_film(shots, target, {0: "#ff0000"}, nothing)
    reader = cv2.VideoCapture(str(target))
    frames = []
    while True:
        there, frame = reader.read()
        if not there:
            break
        frames.append(frame[:, :, ::-1])
    assert len(frames) == 4 + 19, "the last picture stays for two seconds"
    assert frames[0].shape[0] % 2 == 0 and frames[0].shape[1] % 2 == 0
    assert red(frames[0]) < 20 and red(frames[-1]) > 200


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_cancel_leaves_no_file(shots: list[SampleShot], tmp_path: Path, suffix: str) -> None:
    def stop(done: int, _total: int, _text: str) -> None:
        if done == len(shots) + 2:
            raise CancelledError("Cancelled.")

    folder = tmp_path / "films"
    folder.mkdir()
    with pytest.raises(CancelledError):
        save_film(shots, folder / f"film{suffix}", {}, stop)
    assert list(folder.iterdir()) == []


def test_what_is_no_film(shots: list[SampleShot], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gif"):
        save_film(shots, tmp_path / "film.avi", {}, nothing)
    with pytest.raises(UserError, match="no sample"):
        save_film([], tmp_path / "film.gif", {}, nothing)
