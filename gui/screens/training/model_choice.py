"""The button that takes the model of the step the time machine stands at, and why it can't be taken."""

from __future__ import annotations

from tkinter import ttk
from typing import TYPE_CHECKING

from ...core import review
from ...widgets.controls import button, label, set_enabled

if TYPE_CHECKING:
    from .screen import TrainingScreen


class ModelChoice:
    """Of one screen. parent: where the button goes."""

    def __init__(self, screen: TrainingScreen, parent: ttk.Frame) -> None:
        self._screen = screen
        theme = screen.theme
        self.button = button(parent, theme, "Use this step as the model", self.use, icon="check2-circle")
        self.button.pack(fill="x", pady=(theme.px(8), 0))
        self.note = label(parent, theme, "", "Small", wrap_px=250)

    def reason(self) -> str | None:
        screen = self._screen
        if screen.workspace.read_only:
            return screen.workspace.read_only_reason
        return "No training is shown." if screen.report is None else review.why_not_used(screen.report, screen.shown_step)

    def use(self) -> None:
        """The model of the step that is shown is the one that is reviewed and exported."""
        screen = self._screen
        found = screen.report
        near = None if found is None else review.checkpoint_near(found, screen.shown_step)
        if found is None or near is None or self.reason() is not None:
            return
        run = found.run
        screen.store(
            lambda: review.select(screen.workspace, run.id, near.step),
            lambda _done: screen.toast(
                f"The model of step {near.step:,} is selected: Review and exports use it.",
                action=("Review", lambda: screen.router.show("review", experiment_id=run.experiment_id, run_id=run.id)),
            ),
        )

    def show(self) -> None:
        screen = self._screen
        found = screen.report
        near = None if found is None else review.checkpoint_near(found, screen.shown_step)
        reason = self.reason()
        self.button.configure(text="Use this step as the model" if near is None else f"Use step {near.step:,} as the model")
        set_enabled(self.button, screen.theme, reason)
        # While it trains the button's tip is enough: the panel has more to say then.
        said = "" if found is None or found.run.state.is_active else reason or ""
        self.note.configure(text=said)
        if said:
            self.note.pack(anchor="w", pady=(screen.theme.px(4), 0), after=self.button)
        else:
            self.note.pack_forget()
