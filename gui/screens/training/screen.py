"""The step Training: sample images through all steps with the curves moving along, the state of the run, Stop, Resume, log.

The newest look is shown as it comes, until the slider is moved back; at the right end it follows again.
"""

from __future__ import annotations

import time
import tkinter as tk
from tkinter import ttk
from typing import Any, ClassVar

from ...core import review
from ...core.ingest import Live
from ...core.records import Category, Run, RunState
from ...core.wording import ago
from ...tk.commands import Command
from ...tk.lifetime import Timer, later
from ...widgets.chart_view import ChartView, Curve
from ...widgets.controls import button, check, label, set_enabled
from ...widgets.dialogs import confirm
from ..base import Context, StepScreen
from .model_choice import ModelChoice
from .samples import Samples
from .saving import ask_film, ask_sample, show_log

_REFRESH_MS = 500
_PLAY_MS = 120
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
        self.step: int | None = None  # None follows the newest
        self._reading = self._again = self._playing = self._quiet = False
        self._timer: Timer | None = None
        self._summary: list[tuple[str, str]] = []
        self._heard: Live | None = None  # the newest that was different, and when
        self._heard_at = 0.0
        self._silence = ""
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
        self.samples = Samples(self)
        self.samples.image.grid(row=1, column=0, sticky="nsew", padx=px(24))
        self.samples.row.grid(row=2, column=0, pady=(px(8), 0))
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
        self.bell_wanted = tk.BooleanVar(self)
        self.bell_switch = check(extra, theme, "Ring a bell at the end", self.bell_wanted, self._set_bell, switch=True)
        self.choice = ModelChoice(self, extra)
        button(extra, theme, "Logs", self.show_log, icon="file-text").pack(fill="x", pady=(px(8), 0))
        button(extra, theme, "Save sample picture", self.save_sample, icon="download").pack(fill="x", pady=(px(8), 0))
        button(extra, theme, "Save as film", self.save_film, icon="film").pack(fill="x", pady=(px(8), 0))

    def _add_commands(self) -> None:
        group = "Training"
        self.context.commands.register(
            self,
            [
                Command("training.previous", "Previous example", lambda: self.samples.turn(-1), ("Left",), group=group),
                Command("training.next", "Next example", lambda: self.samples.turn(1), ("Right",), group=group),
                Command("training.play", "Play through the steps", self.play, ("P",), group=group),
                Command("training.newest", "Show the newest step", lambda: self.show_step(None), ("End",), group=group),
                Command("training.use", "Use the shown step as the model", self.choice.use, ("U",), self.choice.reason, group),
                Command("training.film", "Save the example as a film", self.save_film, group=group),
                Command("training.logs", "Show the log", self.show_log, ("L",), group=group),
                Command("training.stop", "Stop the training", self.ask_stop, ("Ctrl+.",), self._stop_reason, group),
            ],
        )

    # ---- reading -----------------------------------------------------------------------------------------------------

    def load(self, **params: Any) -> None:
        super().load(**params)
        self.report, self.step = None, None
        self.samples.clear("Reading the training…")
        self._heard, self._heard_at, self._silence = None, time.monotonic(), ""
        self.store(lambda: bool(self.workspace.settings.get(review.BELL_SETTING, False)), self.bell_wanted.set)
        self._playing = False
        self.chart.set_curves((), 0, 1)
        self._read()

    def leave(self) -> bool:
        self._playing = False
        return True

    def on_changes(self, topics: frozenset[str]) -> None:
        if any(topic.startswith("run") for topic in topics) and self._timer is None:
            self._timer = later(self, _REFRESH_MS, self._read)

    def on_live(self, live: Live) -> None:
        """The newest figures of the run at work, many times a second."""
        found = self.report
        if found is None or live.run_id != found.run.id or found.run.state is not RunState.RUNNING:
            return
        now = time.monotonic()
        if live != self._heard:
            self._heard, self._heard_at = live, now
        silent = now - self._heard_at
        note = review.silence_note(silent, found.metrics[-1].seconds if found.metrics else 0.0)
        if note != self._silence:
            self._silence = note
            self._show_notes(found, live)
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
                self.samples.clear("No training was started yet. Start one in the step Setup.")
            else:
                self.samples.set_run(found.run, categories)
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
        self._show_notes(found, live if live is not None and live.run_id == run.id else None)
        self._show_buttons(run)

    def _show_notes(self, found: review.Report, live: Live | None) -> None:
        run = found.run
        at_work = run.state is RunState.RUNNING
        notes = [self._silence if at_work else "", run.reason, "" if live is None else live.message]
        notes += [review.early_note(found, run.done_steps) if at_work else "", review.overfitting_note(found.evaluations)]
        if run.state in (RunState.STOPPED, RunState.FINISHED) and run.done_steps and found.last_map is None:
            notes.append(review.why_unmeasured(run))
        self.note_label.configure(text="\n\n".join(text for text in notes if text))

    def _show_word(self, score: float | None, more: str = "") -> None:
        word = review.map_word(score)
        kind = {"good": "Positive", "fair": "Warning", "weak": "Danger"}.get(word, "Muted")
        self.map_word.configure(text=word + more, style=self.theme.style(kind, "Chrome", "TLabel"))

    def _show_summary(self, found: review.Report, live: Live | None) -> None:
        """live: of this run while it is at work."""
        run = found.run
        step = run.done_steps if live is None else max(live.step, run.done_steps)
        status = "Silent" if self._silence and run.state is RunState.RUNNING else _STATES[run.state]
        lines = [("Status", status), ("Steps", f"{step:,}/{run.total_steps:,}")]
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

        if run.state.is_active and not self.workspace.read_only:
            self.bell_switch.pack(anchor="w", pady=(self.theme.px(10), 0), after=self.buttons_place)
        else:
            self.bell_switch.pack_forget()

    def _set_bell(self) -> None:
        wanted = self.bell_wanted.get()
        self.store(lambda: self.workspace.settings.set(review.BELL_SETTING, wanted))

    def _show_curves(self, found: review.Report) -> None:
        metrics, scores = found.metrics, found.evaluations
        curves = [
            Curve("loss", [m.step for m in metrics], [m.avg_loss for m in metrics], "chart_loss"),
            Curve("mAP %", [e.step for e in scores], [100 * e.map for e in scores], "chart_map", "map", dots=True),
        ]
        self.chart.set_curves(curves, 0, found.run.total_steps)
        self.slider.configure(to=max(1, found.run.total_steps))
        self.end_label.configure(text=f"{found.run.total_steps:,} steps")

    @property
    def shown_step(self) -> int:
        """That the time machine stands at."""
        done = 0 if self.report is None else self.report.run.done_steps
        return done if self.step is None else self.step

    def show_step(self, step: int | None) -> None:
        """The time machine: samples, curves' cursor and mAP of a step; None is the newest."""
        found = self.report
        if found is None:
            return
        newest = found.run.done_steps
        self.step = None if step is None or step >= newest else max(0, step)
        shown = self.shown_step
        self._quiet = True
        self.slider.set(shown)
        self._quiet = False
        self.step_label.configure(text=f"Step {shown:,}")
        self.chart.set_cursor(shown)
        self.choice.show()
        if self.step is not None:
            score = found.map_at(shown)
            self.map_figure.configure(text="–" if score is None else f"{100 * score:.1f} %")
            self._show_word(score, f", at step {shown:,}")
        self.store(lambda: review.shots_at(self.workspace, found, shown), self.samples.show)

    def _slid(self, value: str) -> None:
        if not self._quiet:
            self._playing = False
            self.show_step(round(float(value)))

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
        later(self, _PLAY_MS, lambda: self._play_next(index + 1))

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
        shot = self.samples.shot
        if shot is not None:
            ask_sample(self, shot, self.samples.colours)
        else:
            self.toast("There is no sample yet.", "warning")

    def save_film(self) -> None:
        """The shown example through all steps as a GIF or MP4."""
        shot = self.samples.shot
        if self.report is not None and shot is not None:
            ask_film(self, self.report, shot, self.samples.colours)
        else:
            self.toast("There is no sample yet.", "warning")

    def next_reason(self) -> str | None:
        found = self.report
        if found is None:
            return "Start a training first, in the step Setup."
        if found.run.state.is_active:
            return "Review opens when the training has ended. You can stop it any time."
        return None if found.checkpoints else "Nothing was trained that could be reviewed. Resume, or start again in Setup."
