"""The chart of a training on the screen: drawn on a background thread, with a cursor that moves without a new drawing."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from tkinter import ttk

from PIL import ImageTk

from ..tk import fonts
from ..tk.tasks import Progress, Tasks
from ..tk.theme import Theme
from ..tk.tokens import PALETTES
from .chart import Curve, Drawn, Look, draw, save

__all__ = ["ChartView", "Curve"]


class ChartView(ttk.Frame):
    """Loss on the left, mAP in percent on the right with a line at 75. Left and Right move the cursor, a click sets it."""

    def __init__(
        self, parent: tk.Misc, theme: Theme, tasks: Tasks, picked: Callable[[int], object] | None = None, height: int = 260
    ) -> None:
        """picked(step): the user moved the cursor."""
        surface = theme.surface_of(parent)
        super().__init__(parent, style=theme.style("", surface, "TFrame"))
        self.theme, self._tasks, self._picked, self._surface = theme, tasks, picked, surface
        self.canvas = theme.canvas(self, surface, height=theme.px(height), width=1, takefocus=1 if picked else 0)
        self.canvas.pack(fill="both", expand=True)
        self._curves: tuple[Curve, ...] = ()
        self._steps = (0.0, 1.0)
        self._cursor: int | None = None
        self._busy = self._again = False
        self._photo: ImageTk.PhotoImage | None = None
        self.drawn: Drawn | None = None
        self.canvas.bind("<Configure>", lambda _event: self._render())
        if picked is not None:
            self.canvas.bind("<ButtonPress-1>", self._clicked)
            self.canvas.bind("<B1-Motion>", self._clicked)
            for key, step in (("<Left>", -1), ("<Right>", 1)):
                self.canvas.bind(key, lambda _event, step=step: self._nudge(step))  # type: ignore[misc]
        theme.follow(self, self._render)

    def set_curves(self, curves: Sequence[Curve], first_step: float, last_step: float) -> None:
        """The axis goes from first_step to last_step, also where there are no points yet."""
        self._curves, self._steps = tuple(curves), (first_step, max(last_step, first_step + 1))
        self._render()

    def set_cursor(self, step: int | None) -> None:
        """A vertical line at a step; takes no new drawing."""
        self._cursor = step
        self._draw_cursor()

    def save_picture(
        self, path: Path, done: Callable[[Path], object], failed: Callable[[BaseException], object] | None = None
    ) -> None:
        """Writes what is shown, .png or .svg, in the background."""
        curves, steps, look, size = self._curves, self._steps, self._look(), self._size()

        def work(_progress: Progress) -> Path:
            save(path, curves, steps, size, look)
            return path

        self._tasks.background(work, done, failed, owner=self)

    # ---- inside -------------------------------------------------------------------------------------------------------

    def _size(self) -> tuple[int, int]:
        return max(200, self.canvas.winfo_width()), max(120, self.canvas.winfo_height())

    def _look(self) -> Look:
        theme = self.theme
        return Look(dict(PALETTES[theme.mode]), theme.surface_colour(self._surface), fonts.family(self), theme.scale)

    def _render(self) -> None:
        if self.canvas.winfo_width() <= 1:
            return
        if self._busy:
            self._again = True
            return
        self._busy, self._again = True, False
        curves, steps, size, look = self._curves, self._steps, self._size(), self._look()

        def work(_progress: Progress) -> Drawn:
            return draw(curves, steps, size, look)

        self._tasks.background(work, self._show, self._could_not, owner=self)

    def _show(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self._photo = ImageTk.PhotoImage(drawn.picture)
        self.canvas.delete("chart")
        self.canvas.create_image(0, 0, image=self._photo, anchor="nw", tags="chart")
        self._draw_cursor()
        self._busy = False
        if self._again:
            self._render()

    def _could_not(self, error: BaseException) -> None:
        self._busy = False
        self.canvas.delete("all")
        text = f"The chart can't be drawn: {error}"
        self.canvas.create_text(8, 8, text=text, anchor="nw", fill=self.theme.colour("muted"), width=self._size()[0] - 16)

    def _draw_cursor(self) -> None:
        self.canvas.delete("cursor")
        if self._cursor is None or self.drawn is None:
            return
        x = self.drawn.x_of(self._cursor)
        colour = self.theme.colour("text")
        self.canvas.create_line(x, self.drawn.top, x, self.drawn.bottom, fill=colour, dash=(3, 3), tags="cursor")
        right = x > (self.drawn.left + self.drawn.right) / 2
        self.canvas.create_text(
            x + self.theme.px(-6 if right else 6),
            self.drawn.top + self.theme.px(2),
            text=f"Step {self._cursor}",
            anchor="ne" if right else "nw",
            fill=colour,
            font=fonts.TINY,
            tags="cursor",
        )

    def _clicked(self, event: tk.Event[tk.Misc]) -> None:
        self.canvas.focus_set()
        if self.drawn is not None:
            self._pick(round(self.drawn.step_at(event.x)))

    def _nudge(self, direction: int) -> str:
        if self._cursor is not None:
            span = self._steps[1] - self._steps[0]
            self._pick(round(min(self._steps[1], max(self._steps[0], self._cursor + direction * max(1, span / 100)))))
        return "break"

    def _pick(self, step: int) -> None:
        self.set_cursor(step)
        if self._picked is not None:
            self._picked(step)
