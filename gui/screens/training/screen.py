"""The step Training: sample images through all steps with the curves moving along, the state of the run, Stop, Resume, log.

The newest look is shown as it comes, until the slider is moved back; at the right end it follows again.
"""

from __future__ import annotations

import time
import tkinter as tk
from dataclasses import replace
from pathlib import Path
from tkinter import ttk
from typing import Any, ClassVar

from PIL import Image as PilImage

from darknet_bridge.images import read_image

from ...core import review
from ...core.ingest import Live
from ...core.records import Category, Part, Run, RunState, SampleBox, SampleShot
from ...core.wording import ago
from ...tk.commands import Command
from ...widgets.chart_view import ChartView, Curve
from ...widgets.controls import button, label, set_enabled
from ...widgets.dialogs import confirm
from ...widgets.image_view import ImageView, ShownBox
from ..base import Context, StepScreen
from .saving import ask_sample, show_log

_REFRESH_MS = 500
_PLAY_MS = 120
_MOST_BOXES = 100
_PALETTE = ("#4f8ef7", "#f28e2b", "#2fbf71", "#e05a9b", "#b07aa1", "#edc948", "#76b7b2", "#ff6b6b", "#9c755f", "#8587f5")
_STATES = {
    RunState.QUEUED: "Waiting for its turn",
    RunState.RUNNING: "Training",
    RunState.PAUSED: "Paused",
    RunState.STOPPED: "Stopped",
    RunState.FINISHED: "Finished",
    RunState.FAILED: "Failed",
}


class TrainingScreen(StepScreen):
    id: ClassVar[str] = "training"
    title: ClassVar[str] = "Training"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        self.report: review.Report | None = None
        self.example = 0
        self.step: int | None = None  # None follows the newest
        self._shots: list[SampleShot] = []
        self._pictures: dict[Path, PilImage.Image] = {}
        self._colours: dict[int, str] = {}
        self._reading = self._again = self._playing = self._quiet = False
        self._timer: str | None = None
        self._shown_path: Path | None = None
        self._summary: list[tuple[str, str]] = []
        super().__init__(parent, context)
        self._build()
        self._build_panel()
        self._add_commands()

    # ---- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        theme, px = self.theme, self.theme.px
        self.body.columnconfigure(0, weight=1)
        self.body.rowconfigure(1, weight=3)
        self.body.rowconfigure(4, weight=2)
        self.heading = label(self.body, theme, "Training", "Title")
        self.heading.grid(row=0, column=0, sticky="w", padx=px(24), pady=(px(18), px(10)))
        self.image = ImageView(self.body, theme)
        self.image.grid(row=1, column=0, sticky="nsew", padx=px(24))
        row = ttk.Frame(self.body)
        row.grid(row=2, column=0, pady=(px(8), 0))
        button(row, theme, "", lambda: self.turn(-1), "Icon", "chevron-left", "Previous example").pack(side="left")
        self.example_label = label(row, theme, "Example", "Strong", width=34, anchor="center")
        self.example_label.pack(side="left")
        button(row, theme, "", lambda: self.turn(1), "Icon", "chevron-right", "Next example").pack(side="left")
        row = ttk.Frame(self.body)
        row.grid(row=3, column=0, sticky="ew", padx=px(24), pady=(px(4), px(6)))
        row.columnconfigure(2, weight=1)
        self.play_button = button(row, theme, "", self.play, "Icon", "play-fill", "Play from the first step")
        self.play_button.grid(row=0, column=0)
        self.step_label = label(row, theme, "Step 0", "Small", width=13)
        self.step_label.grid(row=0, column=1, padx=(px(4), px(8)))
        self.slider = ttk.Scale(row, from_=0, to=1, command=self._slid)
        self.slider.grid(row=0, column=2, sticky="ew")
        self.end_label = label(row, theme, "", "Small")
        self.end_label.grid(row=0, column=3, padx=(px(8), 0))
        self.chart = ChartView(self.body, theme, self.context.tasks, self.show_step, height=190)
        self.chart.grid(row=4, column=0, sticky="nsew", padx=px(24), pady=(0, px(14)))

    def _build_panel(self) -> None:
        theme, px = self.theme, self.theme.px
        extra = self.panel.extra
        label(extra, theme, "mAP ON HELD-OUT IMAGES", "Tiny").pack(anchor="w", pady=(px(16), px(2)))
        row = ttk.Frame(extra, style="Chrome.TFrame")
        row.pack(fill="x")
        self.map_figure = label(row, theme, "–", "Figure")
        self.map_figure.pack(side="left")
        self.map_word = label(row, theme, "", "Muted")
        self.map_word.pack(side="left", padx=px(10))
        label(extra, theme, "75 % and more is good.", "Small").pack(anchor="w")
        self.note_label = label(extra, theme, "", "Small", wrap_px=250)
        self.note_label.pack(anchor="w", pady=(px(10), 0))
        self.stop_button = button(extra, theme, "Stop", self.ask_stop, "Danger", "stop-fill")
        self.pause_button = button(extra, theme, "Pause", lambda: self._stop(True), icon="pause-fill")
        self.resume_button = button(extra, theme, "Resume", self.resume, "Primary", "play-fill")
        self.buttons_place = ttk.Frame(extra, style="Chrome.TFrame", height=1)
        self.buttons_place.pack(fill="x", pady=(px(14), 0))
        button(extra, theme, "Logs", self.show_log, icon="file-text").pack(fill="x", pady=(px(8), 0))
        button(extra, theme, "Save sample picture", self.save_sample, icon="download").pack(fill="x", pady=(px(8), 0))

    def _add_commands(self) -> None:
        group = "Training"
        self.context.commands.register(
            self,
            [
                Command("training.previous", "Previous example", lambda: self.turn(-1), ("Left",), group=group),
                Command("training.next", "Next example", lambda: self.turn(1), ("Right",), group=group),
                Command("training.play", "Play through the steps", self.play, ("P",), group=group),
                Command("training.newest", "Show the newest step", lambda: self.show_step(None), ("End",), group=group),
                Command("training.logs", "Show the log", self.show_log, ("L",), group=group),
                Command("training.stop", "Stop the training", self.ask_stop, ("Ctrl+.",), self._stop_reason, group),
            ],
        )

    # ---- reading -----------------------------------------------------------------------------------------------------

    def load(self, **params: Any) -> None:
        super().load(**params)
        self.report, self.step, self.example = None, None, 0
        self._shots, self._pictures, self._shown_path = [], {}, None
        self._playing = False
        self.image.set_image(None, "Reading the training…")
        self.chart.set_curves((), 0, 1)
        self._read()

    def leave(self) -> bool:
        self._playing = False
        return True

    def on_changes(self, topics: frozenset[str]) -> None:
        if any(topic.startswith("run") for topic in topics) and self._timer is None:
            self._timer = self.after(_REFRESH_MS, self._read)

    def on_live(self, live: Live) -> None:
        """The newest figures of the run at work, many times a second."""
        found = self.report
        if found is not None and live.run_id == found.run.id and found.run.state is RunState.RUNNING:
            self._show_summary(found, live)

    def _read(self) -> None:
        self._timer = None
        if self._reading:
            self._again = True
            return
        self._reading, self._again = True, False
        wanted, store = self.experiment_id, self.workspace.store

        def work() -> tuple[review.Report | None, list[Category]]:
            runs = store.runs.list(wanted)
            if not runs:
                return None, []
            group = store.experiments.get(wanted).group_id
            return review.report(self.workspace, runs[-1].id), [] if group is None else store.categories.list(group)

        self.store(work, lambda found: self._show(wanted, *found), self._failed)

    def _failed(self, error: BaseException) -> None:
        self._reading = False
        self.context.failed(error)

    def _show(self, wanted: int, found: review.Report | None, categories: list[Category]) -> None:
        self._reading = False
        if wanted == self.experiment_id:
            self.report = found
            if found is None:
                self.image.set_image(None, "No training was started yet. Start one in the step Setup.")
            else:
                by_id = {each.id: each.colour for each in categories}
                self._colours = {
                    each.index: by_id.get(each.category_id or 0, _PALETTE[each.index % len(_PALETTE)])
                    for each in found.run.classes
                }
                self._show_run(found)
                self._show_curves(found)
                self.show_step(self.step)
            self.refresh_next()
        if self._again or wanted != self.experiment_id:
            self._read()

    # ---- showing -----------------------------------------------------------------------------------------------------

    def _show_run(self, found: review.Report) -> None:
        training = self.context.training
        run, live = found.run, None if training is None else training.live
        at_work = run.state is RunState.RUNNING
        self.heading.configure(
            text="Training in progress!" if at_work else f"Training {run.number}: {_STATES[run.state].lower()}"
        )
        self._show_summary(found, live if live is not None and live.run_id == run.id else None)
        score = found.last_map
        self.map_figure.configure(text="–" if score is None else f"{100 * score:.1f} %")
        self._show_word(score)
        message = live.message if live is not None and live.run_id == run.id else ""
        notes = [run.reason, message, review.early_note(found, run.done_steps) if at_work else ""]
        notes.append(review.overfitting_note(found.evaluations))
        self.note_label.configure(text="\n\n".join(text for text in notes if text))
        self._show_buttons(run)

    def _show_word(self, score: float | None, more: str = "") -> None:
        word = review.map_word(score)
        kind = {"good": "Positive", "fair": "Warning", "weak": "Danger"}.get(word, "Muted")
        self.map_word.configure(text=word + more, style=self.theme.style(kind, "Chrome", "TLabel"))

    def _show_summary(self, found: review.Report, live: Live | None) -> None:
        """live: of this run while it is at work."""
        run = found.run
        step = run.done_steps if live is None else max(live.step, run.done_steps)
        lines = [("Status", _STATES[run.state]), ("Steps", f"{step:,}/{run.total_steps:,}")]
        if live is not None and run.state is RunState.RUNNING:
            lines += [("Time", review.remaining(live.eta_seconds)), ("Speed", f"{live.speed:.1f} img/s"), ("Device", live.device)]
        if run.started_at is not None:
            lines.append(("Started", ago(run.started_at, time.time())))
        if run.kept:
            lines.append(("Start", run.kept[:160]))
        if lines != self._summary:
            self._summary = lines
            self.set_summary(lines)

    def _show_buttons(self, run: Run) -> None:
        wanted = []
        if run.state.is_active:
            wanted = [self.stop_button] + ([self.pause_button] if run.state is RunState.RUNNING else [])
        elif run.state.can_resume and run.done_steps < run.total_steps:
            wanted = [self.resume_button]
        for each in (self.stop_button, self.pause_button, self.resume_button):
            if each in wanted:
                each.pack(fill="x", pady=(self.theme.px(8), 0), before=self.buttons_place)
            else:
                each.pack_forget()
            set_enabled(each, self.theme, self.workspace.read_only_reason or None)

    def _show_curves(self, found: review.Report) -> None:
        metrics, scores = found.metrics, found.evaluations
        curves = [
            Curve("loss", [m.step for m in metrics], [m.avg_loss for m in metrics], "chart_loss"),
            Curve("mAP %", [e.step for e in scores], [100 * e.map for e in scores], "chart_map", "map", dots=True),
        ]
        self.chart.set_curves(curves, 0, found.run.total_steps)
        self.slider.configure(to=max(1, found.run.total_steps))
        self.end_label.configure(text=f"{found.run.total_steps:,} steps")

    def show_step(self, step: int | None) -> None:
        """The time machine: samples, curves' cursor and mAP of a step; None is the newest."""
        found = self.report
        if found is None:
            return
        newest = found.run.done_steps
        self.step = None if step is None or step >= newest else max(0, step)
        shown = newest if self.step is None else self.step
        self._quiet = True
        self.slider.set(shown)
        self._quiet = False
        self.step_label.configure(text=f"Step {shown:,}")
        self.chart.set_cursor(shown)
        if self.step is not None:
            score = found.map_at(shown)
            self.map_figure.configure(text="–" if score is None else f"{100 * score:.1f} %")
            self._show_word(score, f", at step {shown:,}")
        self.store(lambda: review.shots_at(self.workspace, found, shown), self._show_shots)

    def _slid(self, value: str) -> None:
        if not self._quiet:
            self._playing = False
            self.show_step(round(float(value)))

    def _show_shots(self, shots: list[SampleShot]) -> None:
        self._shots = shots
        if not shots:
            self.example_label.configure(text="No samples yet")
            self.image.set_boxes(())
            self._shown_path = None
            self.image.set_image(None, "The sample images appear with the first step.")
            return
        self.example %= len(shots)
        shot = shots[self.example]
        part = review.sample_parts(self.report.run).get(shot.image.name) if self.report else None
        which = "" if part is None else ", held out" if part is Part.VALID else ", trained on"
        self.example_label.configure(text=f"Example {self.example + 1}/{len(shots)}{which}")
        self.image.set_boxes(
            [
                ShownBox(b.box.cx, b.box.cy, b.box.w, b.box.h, f"{b.name} {100 * b.score:.0f} %", self._colour(b.index))
                for b in _visible(shot)
            ]
        )
        self._show_picture(shot.image)

    def _colour(self, index: int) -> str:
        return self._colours.get(index, _PALETTE[index % len(_PALETTE)])

    def _show_picture(self, path: Path) -> None:
        if path in self._pictures:
            if self._shown_path != path:
                self._shown_path = path
                self.image.set_image(self._pictures[path])
            return

        def decode(_progress: object) -> PilImage.Image:
            return PilImage.fromarray(read_image(path)[:, :, ::-1])

        def done(picture: PilImage.Image) -> None:
            self._pictures[path] = picture
            if self._shots and self._shots[self.example % len(self._shots)].image == path:
                self._shown_path = path
                self.image.set_image(picture)

        self.background(decode, done, lambda error: self.image.set_image(None, f"The sample image can't be shown: {error}"))

    def turn(self, by: int) -> None:
        """To another example."""
        if self._shots:
            self.example = (self.example + by) % len(self._shots)
            self._show_shots(self._shots)

    def play(self) -> None:
        """Through all looks from the first one; again stops."""
        if self._playing or self.report is None or not self.report.sample_steps:
            self._playing = False
            return
        self._playing = True
        self._play_next(0)

    def _play_next(self, index: int) -> None:
        if not self._playing or self.report is None or not self.winfo_viewable():
            return
        steps = self.report.sample_steps
        if index >= len(steps):
            self._playing = False
            return
        self.show_step(steps[index])
        self.after(_PLAY_MS, self._play_next, index + 1)

    # ---- acting ------------------------------------------------------------------------------------------------------

    def _stop_reason(self) -> str | None:
        run = None if self.report is None else self.report.run
        return None if run is not None and run.state.is_active else "No training is at work."

    def ask_stop(self) -> None:
        found = self.report
        if found is None or not found.run.state.is_active:
            return
        text = f"It ends after the step it is at ({found.run.done_steps:,} of {found.run.total_steps:,}) and saves the model, "
        text += "which can be used and continued later."
        confirm(self, self.theme, "Stop the training?", text, "Stop", lambda: self._stop(False), danger=True)

    def _stop(self, pause: bool) -> None:
        found, training = self.report, self.context.training
        if found is not None and training is not None:
            run_id = found.run.id
            self.store(lambda: training.stop(run_id, pause))
            self.toast("Stopping: the checkpoint is being written.")

    def resume(self) -> None:
        found, training = self.report, self.context.training
        if found is not None and training is not None:
            run_id = found.run.id
            self.store(lambda: training.resume(run_id))

    def show_log(self) -> None:
        if self.report is not None:
            show_log(self, self.report.run)

    def save_sample(self) -> None:
        """The sample picture as a PNG, with the boxes that are shown."""
        if self._shots:
            ask_sample(self, self._shots[self.example % len(self._shots)], self._colours)
        else:
            self.toast("There is no sample yet.", "warning")

    def next_reason(self) -> str | None:
        found = self.report
        if found is None:
            return "Start a training first, in the step Setup."
        if found.run.state.is_active:
            return "Review opens when the training has ended. You can stop it any time."
        return None if found.checkpoints else "Nothing was trained that could be reviewed. Resume, or start again in Setup."


def _visible(shot: SampleShot) -> list[SampleBox]:
    """The surest ones last, so that they lie on top; cut at the edge, because early boxes may be without bounds."""
    boxes = [replace(each, box=each.box.clipped()) for each in sorted(shot.boxes, key=lambda each: each.score)[-_MOST_BOXES:]]
    return [each for each in boxes if each.box.w > 0 and each.box.h > 0]
