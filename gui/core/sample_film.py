"""A film of one sample image through all steps of a training, as .gif or .mp4: what the network found, and at which step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import cv2
from PIL import Image as PilImage

from darknet_bridge.formats import write_bytes
from darknet_bridge.images import Image, as_pixels, read_image

from .errors import UserError
from .prepare_run import Progress
from .records import SampleShot
from .review import Report, shots_at
from .sample_picture import draw_boxes
from .workspace import Workspace

SUFFIXES = (".gif", ".mp4")
LONGEST_SIDE = 640
FRAMES_A_SECOND = 10  # a GIF counts in hundredths of a second
_HELD_FRAMES = 2 * FRAMES_A_SECOND  # the end stays to be looked at
_CAPTION_PX = 26
_TEXT = "Making the film"


def film_shots(workspace: Workspace, found: Report, name: str, progress: Progress) -> list[SampleShot]:
    """What was found on the sample image of this file name, by rising step. In a background thread."""
    shots: list[SampleShot] = []
    for index, step in enumerate(found.sample_steps):
        progress(index, 2 * len(found.sample_steps), _TEXT)
        every = workspace.run_store(lambda step=step: shots_at(workspace, found, step))  # type: ignore[misc]
        shots += [shot for shot in every if shot.image.name == name]
    return shots


def save_film(shots: Sequence[SampleShot], target: Path, colours: Mapping[int, str], progress: Progress) -> None:
    """target: .gif or .mp4, replaced only when the film is whole. Raises UserError, FormatError, DiskError, CancelledError."""
    if not shots:
        raise UserError("There is no sample yet, so there is nothing to show in a film.")
    makers: dict[str, Callable[[Iterator[Image], int], bytes]] = {".gif": _gif, ".mp4": _mp4}
    make = makers.get(target.suffix.lower())
    if make is None:
        raise UserError(f"{target.name}: a film is a .gif or an .mp4 file.")
    write_bytes(target, make(_frames(shots, colours, progress), len(shots)))
    progress(1, 1, _TEXT)


def _frames(shots: Sequence[SampleShot], colours: Mapping[int, str], progress: Progress) -> Iterator[Image]:
    """BGR pictures of one size with even sides, as films want them."""
    pictures: dict[Path, Image] = {}
    size: tuple[int, int] | None = None
    for index, shot in enumerate(shots):
        progress(len(shots) + index, 2 * len(shots), _TEXT)
        if shot.image not in pictures:
            pictures = {shot.image: _scaled(read_image(shot.image), size)}
        picture = pictures[shot.image].copy()
        height, width = picture.shape[:2]
        size = (width, height)
        draw_boxes(picture, shot, colours)
        frame = cv2.copyMakeBorder(picture, 0, _CAPTION_PX, 0, 0, cv2.BORDER_CONSTANT, value=(24, 20, 20))
        place = (8, height + _CAPTION_PX - 8)
        cv2.putText(frame, f"Step {shot.step:,}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235, 235, 235), 1, cv2.LINE_AA)
        yield as_pixels(frame)


def _scaled(picture: Image, size: tuple[int, int] | None) -> Image:
    if size is None:
        height, width = picture.shape[:2]
        share = min(1.0, LONGEST_SIDE / max(width, height))
        size = (max(2, round(width * share / 2) * 2), max(2, round(height * share / 2) * 2))
    return as_pixels(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _gif(frames: Iterator[Image], count: int) -> bytes:
    pictures = (PilImage.fromarray(frame[:, :, ::-1]).quantize(128) for frame in frames)
    beat = 1000 // FRAMES_A_SECOND
    times = [beat] * (count - 1) + [beat * _HELD_FRAMES]
    content = BytesIO()
    next(pictures).save(content, "GIF", save_all=True, append_images=pictures, duration=times, loop=0)
    return content.getvalue()


def _mp4(frames: Iterator[Image], _count: int) -> bytes:
    """Through a folder of its own: the encoder takes no path but a plain one, and leaves half a file when it is given up."""
    with tempfile.TemporaryDirectory(prefix="darknet-studio-") as folder:
        path = Path(folder) / "film.mp4"
        writer: cv2.VideoWriter | None = None
        last: Image | None = None
        try:
            for frame in frames:
                if writer is None:
                    size = (frame.shape[1], frame.shape[0])
                    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FRAMES_A_SECOND, size)
                    if not writer.isOpened():
                        raise UserError("This computer's OpenCV can't write .mp4 films. Save it as .gif instead.")
                writer.write(frame)
                last = frame
            for _ in range(_HELD_FRAMES - 1):
                if writer is not None and last is not None:
                    writer.write(last)
        finally:
            if writer is not None:
                writer.release()
        return path.read_bytes()
