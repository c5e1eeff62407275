"""The screen: model cards, start weights, check and advanced options in the middle; steps and estimate on the right.

Every choice is stored at once. What runs in the background (estimate, check) is given up when a choice changes.
"""

from __future__ import annotations

import tkinter as tk
from dataclasses import replace
from pathlib import Path
from tkinter import ttk
from typing import Any, ClassVar

from ...core import preflight
from ...core.errors import UserError
from ...core.import_limits import megabytes
from ...core.prepare_run import prepare_run
from ...core.records import Run
from ...core.review import duration
from ...core.setup import (
    Setup,
    Start,
    default_steps,
    parse_steps,
    start_problem,
    steps_hint,
    steps_of,
    stop_problem,
    thorough_steps,
)
from ...core.start_weights import start_note
from ...tk.commands import Command
from ...tk.lifetime import Timer, later, watch
from ...widgets.controls import button, card, entry, label
from ...widgets.dialogs import ProgressDialog, ask_files
from ...widgets.scrolled import ScrolledFrame
from ..base import Context, StepScreen
from .advanced import Advanced
from .findings import FindingList
from .fixing import Fixing
from .measuring import Measuring
from .model_cards import ModelCards
from .reading import Loaded, read
from .start_card import StartCard, choose_start_run

_DEBOUNCE_MS = 700
_STEP = 500
_TIPS = (
    "Show each category in different sizes, turned, and in different light: the model learns only what it has seen.",
    "The more steps you train for, the better the model becomes at finding objects, until it knows the images by heart.",
    "You can stop before the end when you like the results, and continue afterwards. The best model by mAP is kept in any case.",
)


class SetupScreen(StepScreen):
    id: ClassVar[str] = "setup"
    title: ClassVar[str] = "Setup"
    next_label: ClassVar[str] = "Start Training"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        self.setup = Setup()
        self._changes = 0
        self.loaded: Loaded | None = None
        self.material: preflight.Material | None = None
        self._timer: Timer | None = None
        self.measuring = Measuring(self, self._show_estimate)
        self._starting = False
        self._steps_problem: str | None = None
        super().__init__(parent, context)
        self.steps_text = tk.StringVar(self)
        self.model = tk.StringVar(self)
        self.start = tk.StringVar(self)
        self._quiet = False
        self._build()
        self._build_panel()
        watch(self, self.steps_text, self._steps_typed)
        context.commands.register(
            self, [Command("setup.start", "Start Training", self.go_next, ("Ctrl+Enter",), self.next_reason, "Setup")]
        )

    # ---- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        theme, px = self.theme, self.theme.px
        scrolled = ScrolledFrame(self.body, theme)
        scrolled.pack(fill="both", expand=True)
        page = scrolled.body
        page.columnconfigure(0, weight=1)
        label(page, theme, "Training Options", "Title").pack(anchor="w", padx=px(24), pady=(px(22), 0))
        label(page, theme, "Choose a model and what it starts from.", "Muted").pack(anchor="w", padx=px(24), pady=(px(4), px(14)))
        self.cards = ModelCards(page, theme, self.model, lambda _recipe: self._model_chosen(), self._measure_other)
        self.cards.pack(fill="x", padx=px(24))
        self.why_model = label(page, theme, "", "Small", wrap_px=640)
        self.why_model.pack(anchor="w", padx=px(24), pady=(px(8), 0))
        self.start_card = StartCard(page, theme, self.start, self._start_chosen, self._choose_file, self._choose_run)
        self.start_card.pack(fill="x", padx=px(24), pady=(px(16), 0))
        outer, inner = card(page, theme)
        outer.pack(fill="x", padx=px(24), pady=(px(16), 0))
        fixing = Fixing(self)
        self.findings = FindingList(inner, theme, fixing.fix, fixing.open_image, fixing.pictures)
        self.findings.pack(fill="x")
        outer, inner = card(page, theme)
        outer.pack(fill="x", padx=px(24), pady=px(16))
        self.advanced = Advanced(inner, self, self._changed)
        self.advanced.pack(fill="x")

    def _build_panel(self) -> None:
        theme, px = self.theme, self.theme.px
        extra = self.panel.extra
        label(extra, theme, "TRAINING STEPS", "Tiny").pack(anchor="w", pady=(px(16), px(8)))
        row = ttk.Frame(extra, style="Chrome.TFrame")
        row.pack(fill="x")
        button(row, theme, "", lambda: self._nudge(-_STEP), "Icon", "dash-lg", "Fewer steps").pack(side="left")
        self.steps_entry = entry(row, theme, self.steps_text, width=10, justify="center")
        self.steps_entry.pack(side="left", fill="x", expand=True, padx=px(6))
        button(row, theme, "", lambda: self._nudge(_STEP), "Icon", "plus-lg", "More steps").pack(side="left")
        row = ttk.Frame(extra, style="Chrome.TFrame")
        row.pack(fill="x", pady=(px(6), 0))
        button(row, theme, "Recommended", lambda: self._rule(False), "Ghost").pack(side="left")
        button(row, theme, "Thorough", lambda: self._rule(True), "Ghost").pack(side="left")
        self.steps_note = label(extra, theme, "", "Small", wrap_px=250)
        self.steps_note.pack(anchor="w", pady=(px(4), 0))
        label(extra, theme, "ESTIMATED ON THIS COMPUTER", "Tiny").pack(anchor="w", pady=(px(18), px(4)))
        self.time_label = label(extra, theme, "", "Strong", wrap_px=250)
        self.time_label.pack(anchor="w")
        self.cost_label = label(extra, theme, "", "Small", wrap_px=250)
        self.cost_label.pack(anchor="w", pady=(px(4), 0))
        self.set_tips(_TIPS)

    # ---- showing -----------------------------------------------------------------------------------------------------

    def load(self, **params: Any) -> None:
        super().load(**params)
        self.loaded = self.material = None
        self.measuring.clear()
        self._starting = False
        self._read()

    def on_changes(self, topics: frozenset[str]) -> None:
        if not self._starting and any(topic.startswith(("annotations:", "categories:", "dataset", "runs")) for topic in topics):
            self._read()

    def _read(self) -> None:
        wanted, changes = self.experiment_id, self._changes
        self.store(lambda: read(self.workspace, wanted), lambda found: self._show(found, changes))

    def _show(self, found: Loaded, changes: int) -> None:
        """changes: how many there had been when it was read; choices made meanwhile are newer than what was found."""
        if found.experiment.id != self.experiment_id:
            return
        if self.loaded is None or changes == self._changes:
            self.setup = found.setup
        self.loaded = found
        self._quiet = True
        self.model.set(self.setup.model)
        self.start.set(self.setup.start.value)
        self.why_model.configure(text=found.why_model)
        self.steps_text.set(f"{steps_of(self.setup, self._classes()):,}")
        self._quiet = False
        self._show_advanced()
        data = found.data
        boxes = 0 if data is None else sum(len(own) for own in data.boxes.values())
        self.set_summary(
            [
                ("Submitted images", f"{0 if data is None else len(data.images):,}"),
                ("Boxes", f"{boxes:,}"),
                ("Categories", str(self._classes() if data else 0)),
            ]
        )
        self._refresh()
        self._later()

    def _refresh(self) -> None:
        """What follows from the choices at once."""
        runs = self.loaded.runs if self.loaded else ()
        self.start_card.show(self.setup, runs, self._kept())
        hint = self._steps_problem or steps_hint(steps_of(self.setup, self._classes()), self._classes())
        self.steps_note.configure(text=hint)
        self._show_estimate()
        self.refresh_next()

    def _kept(self) -> str:
        """What is taken over from the training that is the start."""
        found = self.loaded
        if found is None or found.data is None or self.setup.start is not Start.RUN:
            return ""
        run = next((each.run for each in found.runs if each.run.id == self.setup.start_run), None)
        return "" if run is None else start_note(run, self.setup.model, found.data.classes)

    def _show_estimate(self) -> None:
        data = None if self.loaded is None else self.loaded.data
        if data is None or self.loaded is None:
            self.cards.show({}, "", "Submit at least one image first.")
            return
        steps = steps_of(self.setup, self._classes())
        held_out = len(data.images) * self.setup.valid_percent // 100
        images = len(data.images) - held_out, held_out
        texts = self.measuring.texts(self.setup, *images, steps)
        self.cards.show(texts, self.measuring.wanted, self.measuring.reason(self.loaded.busy))
        made = self.measuring.of(self.setup)
        if made is None:
            self.time_label.configure(text=self.measuring.said)
            self.cost_label.configure(text="")
            return
        self.time_label.configure(text=f"About {duration(made.seconds(steps, *images))}")
        step = made.seconds_per_step
        took = f"{step:.2f} s" if step >= 0.1 else f"{1000 * step:.1f} ms"
        text = f"{took} a step on {made.device}. Up to {megabytes(made.memory_bytes)} of memory, "
        self.cost_label.configure(text=text + f"{megabytes(made.disk_bytes)} of disk for the checkpoints.")
        self._check_disk(made.disk_bytes)

    def _check_disk(self, needed: int) -> None:
        """The check began before it was known how much a training needs."""
        material = self.material
        if material is not None and material.needed != needed:
            self.material = replace(material, needed=needed)
            self._inspect(self.material)

    def _classes(self) -> int:
        return max(1, len(self.loaded.data.categories)) if self.loaded and self.loaded.data else 1

    # ---- choices -----------------------------------------------------------------------------------------------------

    def _changed(self, setup: Setup, measure: bool = True) -> None:
        if setup == self.setup or self._quiet:
            return
        self.setup = setup
        self._changes += 1
        experiment, values = self.experiment_id, setup.to_json()
        if not self.workspace.read_only:
            self.store(lambda: self.workspace.store.experiments.set_setup(experiment, values))
        self._refresh()
        if measure:
            self._later()

    def _card_clicked(self, recipe: str, _event: object) -> None:
        self.model.set(recipe)
        self._model_chosen()

    def _model_chosen(self) -> None:
        changed = replace(self.setup, model=self.model.get(), anchors=None)
        if changed.start is Start.PRETRAINED:
            changed = replace(changed, start=Start.SCRATCH, start_file="")
            self.start.set(Start.SCRATCH.value)
        self._changed(changed)
        self._show_advanced()

    def _show_advanced(self) -> None:
        found = self.loaded
        self.advanced.show(self.setup, found.data if found else None, found.devices if found else ())

    def _start_chosen(self) -> None:
        self._changed(replace(self.setup, start=Start(self.start.get())), measure=False)

    def _choose_file(self) -> None:
        chosen = ask_files(self, "Choose pretrained weights", [("Darknet weights", "*.weights *.conv.*")])
        if chosen:
            self.use_file(chosen[0])

    def use_file(self, path: Path) -> None:
        """Takes a pretrained file as the start, and remembers it for this model."""
        self.start.set(Start.PRETRAINED.value)
        self._changed(replace(self.setup, start=Start.PRETRAINED, start_file=str(path)), measure=False)
        if not self.workspace.read_only:
            key = f"pretrained:{self.setup.model}"
            self.store(lambda: self.workspace.settings.set(key, str(path)))

    def _choose_run(self) -> None:
        if self.loaded is not None and self.loaded.runs:
            choose_start_run(self, self.theme, self.loaded.runs, self.setup.start_run, self.use_run)

    def use_run(self, run_id: int) -> None:
        """Takes an earlier training as the start."""
        self.start.set(Start.RUN.value)
        self._changed(replace(self.setup, start=Start.RUN, start_run=run_id), measure=False)

    def _measure_other(self, recipe: str) -> None:
        self.measuring.toggle(recipe)

    def _steps_typed(self) -> None:
        if self._quiet:
            return
        try:
            steps = parse_steps(self.steps_text.get())
        except UserError as error:
            self._steps_problem = str(error)
            self._refresh()
            return
        self._steps_problem = None
        self._changed(replace(self.setup, steps=steps), measure=False)
        self._refresh()

    def _nudge(self, by: int) -> None:
        self.steps_text.set(f"{max(_STEP, steps_of(self.setup, self._classes()) + by):,}")

    def _rule(self, thorough: bool) -> None:
        images = len(self.loaded.data.images) if self.loaded and self.loaded.data else 0
        self.steps_text.set(f"{thorough_steps(self._classes(), images) if thorough else default_steps(self._classes()):,}")

    # ---- in the background -------------------------------------------------------------------------------------------

    def _later(self) -> None:
        """Check and estimate when the choices have stood for a moment."""
        if self._timer is not None:
            self._timer.cancel()
        self.measuring.cancel()
        self._timer = later(self, _DEBOUNCE_MS, self._measure)

    def leave(self) -> bool:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.measuring.cancel()
        return True

    def _measure(self) -> None:
        self._timer = None
        found = self.loaded
        if found is None or found.data is None:
            self.findings.show((), found.problem if found else "")
            return
        experiment, setup = self.experiment_id, self.setup
        made = self.measuring.of(setup)
        needed = made.disk_bytes if made else 0
        self.background(lambda _progress: preflight.gather_check(self.workspace, experiment, setup, needed), self._gathered)
        self.measuring.start(setup, found.data, found.busy)

    def _gathered(self, material: preflight.Material) -> None:
        made = self.measuring.of(self.setup)
        self.material = replace(material, needed=made.disk_bytes) if made else material
        self._inspect(self.material)

    def _inspect(self, material: preflight.Material) -> None:
        """In the background: looking for look-alikes among many images takes its time."""

        def done(found: list[preflight.Finding]) -> None:
            if self.material is material:
                self.findings.show(found)
                self.refresh_next()

        self.background(lambda _progress: preflight.inspect(material), done)

    def apply(self, setup: Setup) -> None:
        """Choices that somebody else made, such as a Fix button."""
        self._changed(setup)
        self._show_advanced()

    # ---- start -------------------------------------------------------------------------------------------------------

    def next_reason(self) -> str | None:
        if self.workspace.read_only:
            return self.workspace.read_only_reason
        if self.loaded is None:
            return "Reading the experiment…"
        if self._starting:
            return "The training is being prepared."
        worst = next((each for each in self.findings.findings if each.severity == "error"), None)
        return (
            self.loaded.problem
            or self._steps_problem
            or start_problem(self.setup)
            or stop_problem(self.setup)
            or (worst.text if worst else None)
        )

    def go_next(self) -> None:
        if self.next_reason() is not None:
            return
        self.leave()
        self._starting = True
        self.refresh_next()
        experiment, setup = self.experiment_id, self.setup
        dialog = ProgressDialog(self, self.theme, "Preparing the training", lambda: task.cancel())

        def done(run: Run) -> None:
            dialog.close()
            self._starting = False
            if self.context.training is not None:
                self.context.training.wake()
            self.router.show("training", experiment_id=run.experiment_id)

        def failed(error: BaseException) -> None:
            dialog.close()
            self._starting = False
            self.refresh_next()
            self.context.failed(error)

        task = self.background(
            lambda progress: prepare_run(self.workspace, experiment, setup, progress), done, failed, dialog.update
        )
