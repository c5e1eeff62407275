"""The screen: the sentence, mAP of each category, curves, the selected checkpoint, notes; on the right what to do next."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any, ClassVar

from ...core import continue_run, review
from ...core import delete_run as deleting
from ...core.compare import differences
from ...core.records import Run, RunState
from ...core.setup import Setup, Start
from ...tk.commands import Command
from ...widgets.chart_view import ChartView, Curve
from ...widgets.controls import button, card, combo, label, set_enabled
from ...widgets.dialogs import ask_save, confirm
from ...widgets.scrolled import ScrolledFrame
from ..base import Context, StepScreen
from .dialogs import choose_checkpoint, compare_runs, continue_dialog, edit_notes
from .exporting import Exporting

_WAITING = "Select a training that has ended."
_UNDO = "You can undo this until the window is closed; its files are removed when it is opened again."


class ReviewScreen(StepScreen):
    id: ClassVar[str] = "review"
    title: ClassVar[str] = "Review"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        self.report: review.Report | None = None
        self.runs: list[Run] = []
        self._run_id: int | None = None
        super().__init__(parent, context)
        self.exporting = Exporting(self)
        self.run_choice = tk.StringVar(self)
        self._build()
        self._build_panel()
        group = "Review"
        context.commands.register(
            self,
            [
                Command("review.export", "Export the model", self.exporting.folder, ("Ctrl+E",), self._model_reason, group),
                Command("review.continue", "Continue Training", self.ask_continue, ("C",), self._continue_reason, group),
                Command("review.checkpoint", "Change the checkpoint", self.change_checkpoint, group=group),
                Command("review.notes", "Notes and tags", self.edit_notes, ("N",), group=group),
                Command("review.delete", "Delete this training", self.ask_delete, ("Delete",), self._delete_reason, group),
                Command("review.compare", "Compare two trainings", self.compare, group=group),
            ],
        )

    # ---- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        theme, px = self.theme, self.theme.px
        scrolled = ScrolledFrame(self.body, theme)
        scrolled.pack(fill="both", expand=True)
        page = scrolled.body
        pad = px(24)
        row = ttk.Frame(page)
        row.pack(fill="x", padx=pad, pady=(px(18), 0))
        self.heading = label(row, theme, "Review", "Title")
        self.heading.pack(side="left")
        self.choice = combo(row, theme, self.run_choice, [], width=30)
        self.choice.pack(side="right")
        self.choice.bind("<<ComboboxSelected>>", lambda _event: self._chosen())
        self.sentence = label(page, theme, "", "Strong", wrap_px=640)
        self.sentence.pack(anchor="w", padx=pad, pady=(px(8), px(12)))
        outer, inner = card(page, theme)
        outer.pack(fill="x", padx=pad)
        line = ttk.Frame(inner, style="Card.TFrame")
        line.pack(fill="x")
        label(line, theme, "Selected checkpoint:", "Muted").pack(side="left")
        self.checkpoint = label(line, theme, "", "Strong")
        self.checkpoint.pack(side="left", padx=px(8))
        self.change_button = button(line, theme, "Change", self.change_checkpoint, "Ghost")
        self.change_button.pack(side="left")
        outer, inner = card(page, theme)
        outer.pack(fill="x", padx=pad, pady=(px(12), 0))
        label(inner, theme, "mAP OF EACH CATEGORY ON THE HELD-OUT IMAGES", "Tiny").pack(anchor="w", pady=(0, px(6)))
        self.scores = ttk.Frame(inner, style="Card.TFrame")
        self.scores.pack(fill="x")
        self.chart = ChartView(page, theme, self.context.tasks, height=210)
        self.chart.pack(fill="x", padx=pad, pady=(px(12), 0))
        outer, inner = card(page, theme)
        outer.pack(fill="x", padx=pad, pady=px(14))
        line = ttk.Frame(inner, style="Card.TFrame")
        line.pack(fill="x")
        label(line, theme, "NOTES", "Tiny").pack(side="left")
        button(line, theme, "Edit", self.edit_notes, "Ghost").pack(side="right")
        self.notes = label(inner, theme, "", wrap_px=600)
        self.notes.pack(anchor="w")
        self.ancestry = label(inner, theme, "", "Small", wrap_px=600)
        self.ancestry.pack(anchor="w", pady=(px(6), 0))
        self.kept = label(inner, theme, "", "Small", wrap_px=600)
        self.kept.pack(anchor="w", pady=(px(6), 0))

    def _build_panel(self) -> None:
        theme, px = self.theme, self.theme.px
        extra = self.panel.extra
        label(extra, theme, "USE THE MODEL", "Tiny").pack(anchor="w", pady=(px(16), px(6)))
        self.folder_button = button(extra, theme, "Export model folder", self.exporting.folder, "Primary", "folder")
        self.zip_button = button(extra, theme, "Export as zip", self.exporting.zip, icon="file-zip")
        self.continue_button = button(extra, theme, "Continue Training", self.ask_continue, icon="arrow-repeat")
        self.from_button = button(extra, theme, "Start another from this one", self.start_from, icon="diagram-2")
        self.compare_button = button(extra, theme, "Compare two trainings", self.compare, icon="bar-chart")
        self.picture_button = button(extra, theme, "Save the chart", self.save_chart, icon="download")
        buttons = (self.folder_button, self.zip_button, self.continue_button, self.from_button)
        self.delete_button = button(extra, theme, "Delete this training", self.ask_delete, "Danger", "trash")
        for each in (*buttons, self.compare_button, self.picture_button, self.delete_button):
            each.pack(fill="x", pady=(0, px(8)))

    # ---- reading -----------------------------------------------------------------------------------------------------

    def load(self, **params: Any) -> None:
        """Also with run_id; without it the newest training that has something to review."""
        super().load(**params)
        self.report = None
        self._run_id = params.get("run_id")
        self._read()

    def on_changes(self, topics: frozenset[str]) -> None:
        own = None if self.report is None else f"run:{self.report.run.id}"
        if own in topics or "experiments" in topics:
            self._read()

    def _read(self) -> None:
        wanted, run_id, store = self.experiment_id, self._run_id, self.workspace.store

        def work() -> tuple[list[Run], review.Report | None]:
            runs = [run for run in store.runs.list(wanted) if not run.state.is_active]
            chosen = next((run.id for run in runs if run.id == run_id), None)
            if chosen is None:
                chosen = next((run.id for run in reversed(runs) if run.done_steps), runs[-1].id if runs else None)
            return runs, None if chosen is None else review.report(self.workspace, chosen)

        self.store(work, lambda found: self._show(wanted, *found))

    def _show(self, wanted: int, runs: list[Run], found: review.Report | None) -> None:
        if wanted != self.experiment_id:
            return
        self.runs, self.report = runs, found
        self.choice.configure(values=[_line(run) for run in runs])
        for each, reason in (
            (self.folder_button, self._model_reason()),
            (self.zip_button, self._model_reason()),
            (self.from_button, self._model_reason() or self.workspace.read_only_reason or None),
            (self.continue_button, self._continue_reason()),
            (self.compare_button, None if len(runs) > 1 else "There is only one training so far."),
            (self.delete_button, self._delete_reason()),
            (self.change_button, self._model_reason() or self.workspace.read_only_reason or None),
        ):
            set_enabled(each, self.theme, reason)
        if found is None:
            self.heading.configure(text="Nothing to review yet")
            self.sentence.configure(text="The results appear here when a training has ended.")
            return
        run = found.run
        self.run_choice.set(_line(run))
        good = run.state is RunState.FINISHED
        self.heading.configure(text="You've trained a model" if good else f"Training {run.number}")
        self.sentence.configure(text=review.headline(found))
        chosen = found.selected
        text = "none yet" if chosen is None else review.checkpoint_line(found, chosen)
        self.checkpoint.configure(text=text)
        self._show_scores(found)
        loss = Curve("loss", [m.step for m in found.metrics], [m.avg_loss for m in found.metrics], "chart_loss")
        scores = found.evaluations
        map_curve = Curve("mAP %", [e.step for e in scores], [100 * e.map for e in scores], "chart_map", "map", dots=True)
        self.chart.set_curves([loss, map_curve], 0, run.total_steps)
        self.chart.set_cursor(None if chosen is None else chosen.step)
        tags = " ".join(f"#{tag}" for tag in run.tags)
        self.notes.configure(text="\n".join(part for part in (run.notes, tags) if part) or "No notes.")
        self.ancestry.configure(text=found.ancestry)
        self.kept.configure(text=run.kept)
        self.set_summary([line for line in review.facts(found) if line[0] != "Start"])
        worse = review.overfitting_note(found.evaluations)
        self.set_tips([worse] if worse else ["mAP is measured on images that were held out of the training."])

    def _show_scores(self, found: review.Report) -> None:
        for child in self.scores.winfo_children():
            child.destroy()
        step = found.selected.step if found.selected else found.run.done_steps
        measured = next((each for each in reversed(found.evaluations) if each.step <= step), None)
        if measured is None:
            label(self.scores, self.theme, review.why_unmeasured(found.run), "Muted").pack(anchor="w")
            return
        rows = [("All", measured.map, "")]
        rows += [(each.name, each.ap, f"{each.tp} right, {each.fp} wrong, of {each.truths}") for each in measured.classes]
        self.scores.columnconfigure(1, weight=1)
        for row, (name, score, counts) in enumerate(rows):
            label(self.scores, self.theme, name, "Strong" if row == 0 else "").grid(row=row, column=0, sticky="w")
            bar = ttk.Progressbar(self.scores, style="Card.Horizontal.TProgressbar", maximum=100, value=100 * score)
            bar.grid(row=row, column=1, sticky="ew", padx=self.theme.px(14), pady=self.theme.px(4))
            figure = f"{100 * score:.1f} % – {review.map_word(score)}"
            label(self.scores, self.theme, figure).grid(row=row, column=2, sticky="e")
            label(self.scores, self.theme, counts, "Small").grid(row=row, column=3, sticky="e", padx=(self.theme.px(14), 0))

    def _chosen(self) -> None:
        self._run_id = self.runs[self.choice.current()].id
        self._read()

    # ---- acting ------------------------------------------------------------------------------------------------------

    def _model_reason(self) -> str | None:
        return None if self.report is not None and self.report.selected is not None else _WAITING

    def _continue_reason(self) -> str | None:
        if self.report is None:
            return _WAITING
        return self.workspace.read_only_reason or continue_run.why_not(self.report.run)

    def ask_continue(self) -> None:
        found = self.report
        if found is not None and self._continue_reason() is None:
            continue_dialog(self, found.run, lambda more: self._continue(found.run.id, more))

    def _continue(self, run_id: int, more: int) -> None:
        def done(run: Run) -> None:
            if self.context.training is not None:
                self.context.training.wake()
            self.router.show("training", experiment_id=run.experiment_id)

        self.background(lambda progress: continue_run.continue_run(self.workspace, run_id, more, progress), done)

    def _delete_reason(self) -> str | None:
        if self.report is None:
            return _WAITING
        return self.workspace.read_only_reason or deleting.why_not_deleted(self.report.run)

    def ask_delete(self) -> None:
        """Says what goes and how large it is; can be undone."""
        found = self.report
        if found is None or self._delete_reason() is not None:
            return
        run, workspace = found.run, self.workspace
        undo = ("Undo", lambda: self.context.commands.run("undo"))

        def delete() -> None:
            self.store(
                lambda: deleting.delete_run(workspace, run.id),
                lambda _run: self.toast(f"Training {run.number} was deleted.", action=undo),
            )

        self.background(
            lambda _progress: deleting.question(workspace, run.id),
            lambda text: confirm(
                self, self.theme, f"Delete training {run.number}?", f"{text} {_UNDO}", "Delete", delete, danger=True
            ),
        )

    def change_checkpoint(self) -> None:
        found = self.report
        if found is not None and found.checkpoints:
            run_id = found.run.id
            choose_checkpoint(self, found, lambda step: self.store(lambda: review.select(self.workspace, run_id, step)))

    def edit_notes(self) -> None:
        found = self.report
        if found is not None:
            run_id = found.run.id
            edit_notes(
                self,
                found.run,
                lambda notes, tags: self.store(lambda: review.set_notes(self.workspace, run_id, notes, tags)),
            )

    def start_from(self) -> None:
        """To Setup, with this training as the start."""
        found = self.report
        if found is None:
            return
        experiment = found.run.experiment_id
        setup = Setup.from_json({**found.run.options, "start": Start.RUN.value, "start_run": found.run.id, "steps": None})
        self.store(
            lambda: self.workspace.store.experiments.set_setup(experiment, setup.to_json()),
            lambda _done: self.router.show("setup", experiment_id=experiment),
        )

    def compare(self) -> None:
        found = self.report
        others = [run for run in self.runs if found is not None and run.id != found.run.id]
        if found is None or not others:
            return
        store = self.workspace.store
        pairs = [(other, found.run) if other.id < found.run.id else (found.run, other) for other in others]

        def work() -> list[tuple[str, review.Report]]:
            return [
                (
                    differences(first, second, store.runs.snapshot(first.id), store.runs.snapshot(second.id)),
                    review.report(self.workspace, other.id),
                )
                for other, (first, second) in zip(others, pairs, strict=True)
            ]

        self.store(work, lambda made: compare_runs(self, found, made))

    def save_chart(self) -> None:
        target = ask_save(self, "Save the chart", "training.png", ".png")
        if target is not None:
            self.chart.save_picture(target, lambda path: self.toast(f"Saved {path.name}."))

    def next_reason(self) -> str | None:
        return "This is the last step. Export the model, or continue its training."

    def refresh_next(self) -> None:
        """There is no next step: the button goes, Back stays."""
        super().refresh_next()
        self.panel.next_button.grid_remove()


def _line(run: Run) -> str:
    score = "" if run.best_map is None else f", mAP {100 * run.best_map:.0f} %"
    return f"Training {run.number}: {run.done_steps:,} steps{score}"
