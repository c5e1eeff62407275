"""Decoded pictures of the editor: the open one and its neighbours, made in the background before they are wanted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from darknet_bridge.errors import shown
from darknet_bridge.images import read_image

from ...tk.tasks import Progress
from ...widgets.picture import Picture
from ..base import Screen

LIMIT_BYTES = 400_000_000

Shown = Callable[[Picture | None, str], object]


class PictureCache:
    """Keeps what was used last, up to LIMIT_BYTES, and always the newest."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._kept: OrderedDict[int, Picture] = OrderedDict()
        self._on_the_way: dict[int, list[Shown]] = {}

    def get(self, image_id: int) -> Picture | None:
        picture = self._kept.get(image_id)
        if picture is not None:
            self._kept.move_to_end(image_id)
        return picture

    def want(self, image_id: int, path: str, done: Shown | None = None) -> None:
        """Decodes it unless it is there; done gets the picture, or None and why not."""
        picture = self.get(image_id)
        if picture is not None:
            if done is not None:
                done(picture, "")
            return
        waiting = self._on_the_way.get(image_id)
        if waiting is not None:
            waiting.extend([done] if done else [])
            return
        self._on_the_way[image_id] = [done] if done else []

        def work(_progress: Progress) -> Picture:
            return Picture(read_image(path))

        self._screen.background(
            work,
            lambda picture: self._decoded(image_id, picture),
            lambda error: self._failed(image_id, path, error),
        )

    def forget(self) -> None:
        self._kept.clear()

    def _decoded(self, image_id: int, picture: Picture) -> None:
        self._kept[image_id] = picture
        while len(self._kept) > 1 and sum(each.bytes for each in self._kept.values()) > LIMIT_BYTES:
            self._kept.popitem(last=False)
        for done in self._on_the_way.pop(image_id, []):
            done(picture, "")

    def _failed(self, image_id: int, path: str, error: BaseException) -> None:
        reason = str(error) or type(error).__name__
        what_next = "Put the file back or remove it from the dataset; other files can be opened."
        text = f"{shown(Path(path).name)} can't be shown.\n\n{reason}\n\n{what_next}"
        for done in self._on_the_way.pop(image_id, []):
            done(None, text)
