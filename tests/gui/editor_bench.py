"""A small labelled library, the editor on it, and hands to use it with: coordinates are image pixels."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gui.core import annotate, experiments
from gui.core.records import Box, NewImage, Storage
from gui.core.workspace import Workspace

WIDTH, HEIGHT = 400, 300
CLASSES = (("Crow", "#e69f00"), ("Gull", "#56b4e9"), ("Owl", "#009e73"))


def make_library(folder: Path, images: int = 8) -> tuple[int, int, list[int]]:
    """(experiment, group, images) of a new library in folder/library."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    workspace = Workspace.open(folder / "library")
    made = []
    for number in range(images):
        path = pictures / f"bird_{number:02d}.png"
        pixels = np.full((HEIGHT, WIDTH, 3), (90 + 10 * number % 120, 120, 60), np.uint8)
        cv2.circle(pixels, (40 + 30 * (number % 10), 150), 30, (30, 30, 30), -1)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        made.append(NewImage(path, path.name, WIDTH, HEIGHT, path.stat().st_size, f"{number:064x}", number))
    dataset = workspace.store.datasets.create("Birds", Storage.REFERENCE, pictures)
    ids = workspace.store.datasets.add_images(dataset.id, made)
    group = annotate.create_group(workspace, dataset.id, "Annotations", CLASSES)
    experiment = experiments.create(workspace, "Bird finder")
    workspace.store.experiments.set_dataset(experiment.id, dataset.id, group.id)
    workspace.close()
    return experiment.id, group.id, list(ids)


class EditorBench:
    """app: as open_app gives it; turn: lets Tk work until something holds."""

    def __init__(self, app: Any, turn: Callable[..., None], experiment_id: int, group_id: int, ids: list[int]) -> None:
        self.app, self.turn, self.experiment_id, self.group_id, self.ids = app, turn, experiment_id, group_id, ids

    def open(self, image_id: int | None = None) -> Any:
        self.app.router.show("editor", group_id=self.group_id, experiment_id=self.experiment_id, image_id=image_id)
        self.turn(lambda: self.screen.session is not None, "the editor opens")
        self.screen.focus_canvas()
        self.turn()
        return self.screen

    @property
    def screen(self) -> Any:
        return self.app.router.current

    @property
    def canvas(self) -> Any:
        return self.screen.stage.canvas

    @property
    def store(self) -> Any:
        return self.app.workspace.store

    def stored(self, image_id: int) -> Any:
        return self.app.tasks.run_store(lambda: self.store.annotations.get(self.group_id, image_id))

    def rects(self) -> list[tuple[float, ...]]:
        return [(b.rect.left, b.rect.top, b.rect.right, b.rect.bottom) for b in self.screen.session.boxes]

    def put(self, image_id: int, *boxes: Box) -> None:
        """Submits boxes behind the window's back."""
        self.app.tasks.run_store(lambda: self.store.annotations.submit_many(self.group_id, {image_id: boxes}))

    # --- hands

    def key(self, *sequences: str) -> None:
        for sequence in sequences:
            if sequence.isdigit():
                sequence = f"Key-{sequence}"  # a digit alone would be a mouse button
            (self.app.root.focus_get() or self.canvas).event_generate(f"<{sequence}>")
            self.app.root.update()

    def drag(self, x0: float, y0: float, x1: float, y1: float, state: int = 0) -> None:
        canvas = self.canvas
        points = [
            tuple(map(round, canvas.port.to_canvas(*point))) for point in ((x0, y0), ((x0 + x1) / 2, (y0 + y1) / 2), (x1, y1))
        ]
        canvas.event_generate("<Motion>", x=points[0][0], y=points[0][1], state=state)
        canvas.event_generate("<ButtonPress-1>", x=points[0][0], y=points[0][1], state=state)
        for x, y in points[1:]:
            canvas.event_generate("<Motion>", x=x, y=y, state=state | 0x100)
        canvas.event_generate("<ButtonRelease-1>", x=points[2][0], y=points[2][1], state=state | 0x100)
        self.app.root.update()

    def click(self, x: float, y: float, state: int = 0) -> None:
        at = tuple(map(round, self.canvas.port.to_canvas(x, y)))
        self.canvas.event_generate("<Motion>", x=at[0], y=at[1], state=state)
        self.canvas.event_generate("<ButtonPress-1>", x=at[0], y=at[1], state=state)
        self.canvas.event_generate("<ButtonRelease-1>", x=at[0], y=at[1], state=state | 0x100)
        self.app.root.update()

    def settle(self) -> None:
        """Until everything that was given to the store is stored and shown."""
        done: list[int] = []
        self.app.tasks.store(lambda: None, lambda _nothing: done.append(1))
        self.turn(lambda: done, "the store answers")
        self.app.root.update()

    def zone(self, rows: Any, index: int, name: str) -> None:
        """Presses a part of a row of one of the left lists."""
        rows.canvas.event_generate("<Motion>", x=60, y=round(sum(rows.row_box(index)) / 2))
        self.app.root.update()
        box = rows.zone_box(index, name)
        assert box is not None, f"no {name} in row {index}"
        self.press(rows.canvas, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2)

    def press(self, widget: tk.Misc, x: float, y: float) -> None:
        widget.event_generate("<Motion>", x=round(x), y=round(y))
        widget.event_generate("<ButtonPress-1>", x=round(x), y=round(y))
        widget.event_generate("<ButtonRelease-1>", x=round(x), y=round(y))
        self.app.root.update()
