"""The sample images of a training: one of them with the boxes of the step that is looked at, and arrows to the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tkinter import ttk
from typing import TYPE_CHECKING

from PIL import Image as PilImage

from darknet_bridge.images import read_image

from ...core import review
from ...core.records import Category, Part, Run, SampleShot
from ...core.sample_picture import visible_boxes
from ...widgets.controls import button, label
from ...widgets.image_view import ImageView, ShownBox

if TYPE_CHECKING:
    from .screen import TrainingScreen

_PALETTE = ("#4f8ef7", "#f28e2b", "#2fbf71", "#e05a9b", "#b07aa1", "#edc948", "#76b7b2", "#ff6b6b", "#9c755f", "#8587f5")


class Samples:
    """Of one screen. `image` and `row` are to be placed. shots: of the step that is shown."""

    def __init__(self, screen: TrainingScreen) -> None:
        self._screen = screen
        theme = screen.theme
        self.shots: list[SampleShot] = []
        self.colours: dict[int, str] = {}
        self.example = 0
        self._pictures: dict[Path, PilImage.Image] = {}
        self._shown: Path | None = None
        self._parts: Mapping[str, Part] = {}
        self.image = ImageView(screen.body, theme)
        self.row = ttk.Frame(screen.body)
        button(self.row, theme, "", lambda: self.turn(-1), "Icon", "chevron-left", "Previous example").pack(side="left")
        self.label = label(self.row, theme, "Example", "Strong", width=34, anchor="center")
        self.label.pack(side="left")
        button(self.row, theme, "", lambda: self.turn(1), "Icon", "chevron-right", "Next example").pack(side="left")

    @property
    def shot(self) -> SampleShot | None:
        """The one that is shown."""
        return self.shots[self.example % len(self.shots)] if self.shots else None

    def clear(self, message: str) -> None:
        self.shots, self._pictures, self._shown, self.example = [], {}, None, 0
        self.image.set_image(None, message)

    def set_run(self, run: Run, categories: list[Category]) -> None:
        """Colours of the categories as they are now; those that are gone get others."""
        by_id = {each.id: each.colour for each in categories}
        self.colours = {each.index: by_id.get(each.category_id or 0, self._colour(each.index, {})) for each in run.classes}
        self._parts = review.sample_parts(run)

    def show(self, shots: list[SampleShot]) -> None:
        self.shots = shots
        shot = self.shot
        if shot is None:
            self.label.configure(text="No samples yet")
            self.image.set_boxes(())
            self._shown = None
            self.image.set_image(None, "The sample images appear with the first step.")
            return
        self.example %= len(shots)
        part = self._parts.get(shot.image.name)
        which = "" if part is None else ", held out" if part is Part.VALID else ", trained on"
        self.label.configure(text=f"Example {self.example + 1}/{len(shots)}{which}")
        self.image.set_boxes(
            [
                ShownBox(
                    b.box.cx, b.box.cy, b.box.w, b.box.h, f"{b.name} {100 * b.score:.0f} %", self._colour(b.index, self.colours)
                )
                for b in visible_boxes(shot)
            ]
        )
        self._show_picture(shot.image)

    def turn(self, by: int) -> None:
        """To another example."""
        if self.shots:
            self.example = (self.example + by) % len(self.shots)
            self.show(self.shots)

    def _colour(self, index: int, known: Mapping[int, str]) -> str:
        return known.get(index, _PALETTE[index % len(_PALETTE)])

    def _show_picture(self, path: Path) -> None:
        if path in self._pictures:
            if self._shown != path:
                self._shown = path
                self.image.set_image(self._pictures[path])
            return

        def decode(_progress: object) -> PilImage.Image:
            return PilImage.fromarray(read_image(path)[:, :, ::-1])

        def done(picture: PilImage.Image) -> None:
            self._pictures[path] = picture
            shot = self.shot
            if shot is not None and shot.image == path:
                self._shown = path
                self.image.set_image(picture)

        self._screen.background(
            decode, done, lambda error: self.image.set_image(None, f"The sample image can't be shown: {error}")
        )
