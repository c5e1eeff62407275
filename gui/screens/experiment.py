"""The frame around the five steps: the experiment's name, its menu, the stepper. The router's host of step screens."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import Any

from ..core.records import AnnotationGroup, Experiment, RunState
from ..tk.shell import Slot
from ..widgets.controls import button, label
from ..widgets.stepper import Stepper
from .base import STEPS, Context, StepScreen

_NARROW_PX = 860


class ExperimentFrame(ttk.Frame):
    """Packed into the page when a step is shown. Stores which step was open last."""

    def __init__(self, page: Slot, context: Context, menu: Callable[[int, int, int], object]) -> None:
        """menu(experiment_id, x_root, y_root): the experiment's menu, which is that of its card."""
        super().__init__(page.slot)
        self._page = page
        self.context = context
        theme = context.theme
        self.experiment_id = 0
        self.experiment: Experiment | None = None
        self._shown: StepScreen | None = None
        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        head = ttk.Frame(self)
        head.grid(row=0, column=0, sticky="ew", padx=theme.px(24), pady=(theme.px(14), theme.px(12)))
        self._kind = label(head, theme, "OBJECT DETECTION", "Tiny")
        self._kind.grid(row=0, column=0, sticky="w")
        self._name = label(head, theme, "", "Heading")
        self._name.grid(row=1, column=0, sticky="w")
        head.columnconfigure(1, weight=1)
        more = button(
            head,
            theme,
            "",
            lambda: self._open_menu(more),
            kind="Icon",
            icon="three-dots",
            tip="Rename, duplicate, archive, delete",
        )
        more.grid(row=1, column=1, sticky="w", padx=theme.px(6))
        self._menu = menu
        self.stepper = Stepper(head, theme, STEPS, self._choose)
        self.stepper.grid(row=0, column=2, rowspan=2, sticky="e")
        self.bind("<Configure>", lambda event: self.stepper.set_compact(event.width < theme.px(_NARROW_PX)))
        ttk.Frame(self, style="Line.TFrame", height=1).grid(row=1, column=0, sticky="ew")
        self.slot: tk.Misc = ttk.Frame(self)
        self.slot.grid(row=2, column=0, sticky="nsew")

    # ---- host --------------------------------------------------------------------------------------------------------

    def host(self, screen: Any, params: Mapping[str, Any]) -> None:
        self._page.host(self, {})
        if self._shown is not screen:
            if self._shown is not None:
                self._shown.pack_forget()
            screen.pack(fill="both", expand=True)
            self._shown = screen
        self.experiment_id = int(params["experiment_id"])
        self.refresh(opened=screen.id)

    def clear(self) -> None:
        """The page shows something else; the step stays packed for the way back."""

    # ---- content -------------------------------------------------------------------------------------------------------

    def refresh(self, opened: str = "") -> None:
        wanted, store = self.experiment_id, self.context.workspace.store

        def work() -> tuple[Experiment, AnnotationGroup | None]:
            experiment = store.experiments.get(wanted)
            if opened and experiment.step != opened and not self.context.workspace.read_only:
                store.experiments.set_step(wanted, opened)
                experiment = store.experiments.get(wanted)
            group = None if experiment.group_id is None else store.groups.get(experiment.group_id)
            return experiment, group

        self.context.tasks.store(work, lambda found: self._show(*found), owner=self)

    def _show(self, experiment: Experiment, group: AnnotationGroup | None) -> None:
        if experiment.id != self.experiment_id or self._shown is None:
            return
        self.experiment = experiment
        self._name.configure(text=experiment.name)
        knows = self.context.router.knows
        reasons = {
            name: reason
            for name, _text in STEPS
            if (reason := step_reason(experiment, name) or ("" if knows(name) else "This step can't be opened yet."))
        }
        self.stepper.set(self._shown.id, done_steps(experiment, group), reasons)

    def on_changes(self, topics: frozenset[str]) -> None:
        if self._shown is not None and self.winfo_viewable():
            watched = ("experiments", "datasets", "groups", "runs", "annotations:", "group:", "run:")
            if any(topic.startswith(watched) for topic in topics):
                self.refresh()

    def _open_menu(self, under: ttk.Button) -> None:
        self._menu(self.experiment_id, under.winfo_rootx(), under.winfo_rooty() + under.winfo_height())

    def _choose(self, step: str) -> None:
        self.context.router.show(step, experiment_id=self.experiment_id)


def step_reason(experiment: Experiment, step: str) -> str | None:
    """Why a step can't be opened yet, with what to do first."""
    if step != "dataset" and experiment.dataset_id is None:
        return "Choose a dataset first: add a folder of pictures in the step Dataset."
    if step in ("setup", "training", "review") and experiment.group_id is None and experiment.last_run is None:
        return "Name an annotation group and mark some objects first, in the step Annotation."
    if step in ("training", "review") and experiment.last_run is None:
        return "Start a training first, in the step Setup."
    return None


def done_steps(experiment: Experiment, group: AnnotationGroup | None) -> frozenset[str]:
    """The steps that get a check mark."""
    run = experiment.last_run
    done = {
        "dataset": experiment.dataset_id is not None,
        "annotation": group is not None and group.submitted > 0,
        "setup": run is not None,
        "training": run is not None and run.state in (RunState.FINISHED, RunState.STOPPED),
        "review": run is not None and run.state is RunState.FINISHED and experiment.step == "review",
    }
    return frozenset(name for name, yes in done.items() if yes)
