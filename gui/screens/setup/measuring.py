"""How long a training takes here, for the choices as they are: measured by itself for the chosen model, on request for the other.

What was measured before is remembered in the library and shown at once. Nothing is measured while a training is at work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...core import estimate as estimates
from ...core.estimate import Estimate
from ...core.model_speed import speed_texts
from ...core.setup import MODELS, Setup, for_measuring

if TYPE_CHECKING:
    from ...core.prepare_run import TrainingData
    from ...tk.tasks import Task
    from .screen import SetupScreen

_BUSY = "Measured when no training runs"


class Measuring:
    """Of one screen. shown(): called when there is something new to show."""

    def __init__(self, screen: SetupScreen, shown: Callable[[], object]) -> None:
        self._screen, self._shown = screen, shown
        self.estimates: dict[str, Estimate] = {}  # by recipe, for the choices of `_base`
        self.said = ""  # of the chosen model, while there is no estimate
        self._base: Setup | None = None
        self._task: Task[Any] | None = None
        self._other: Task[Any] | None = None
        self.wanted = ""  # the other recipe whose time is being measured

    def clear(self) -> None:
        self.cancel()
        self.estimates, self._base, self.said = {}, None, ""

    def cancel(self) -> None:
        for task in (self._task, self._other):
            if task is not None:
                task.cancel()
        self._task = self._other = None
        self.wanted = ""

    def of(self, setup: Setup) -> Estimate | None:
        """For these choices, when they are the measured ones."""
        return self.estimates.get(setup.model) if _base(setup) == self._base else None

    def start(self, setup: Setup, data: TrainingData, busy: bool) -> None:
        """Shows what is remembered, then measures the chosen model where that is unknown."""
        self.cancel()
        base = _base(setup)
        if base != self._base:
            self.estimates, self._base = {}, base
        workspace, classes = self._screen.workspace, len(data.categories)
        recipes = {setup.model, *(model.recipe for model in MODELS)}

        def work() -> dict[str, Estimate]:
            found = {each: estimates.remembered(workspace, _with_model(setup, each), classes) for each in recipes}
            return {recipe: made for recipe, made in found.items() if made is not None}

        self._screen.store(work, lambda known: self._known(known, setup, busy))

    def _known(self, known: dict[str, Estimate], setup: Setup, busy: bool) -> None:
        if _base(setup) != self._base or setup.model != self._screen.setup.model:
            return
        self.estimates |= known
        if setup.model not in self.estimates:
            self.said = _BUSY if busy else "Measuring some steps…"
            if not busy:
                self._task = self._measure(setup, self._progress, self._failed)
        self._shown()

    def reason(self, busy: bool) -> str | None:
        """Why the other model can't be measured now."""
        if busy:
            return f"{_BUSY}."
        if self.wanted or (self._task is not None and self._task.active):
            return "Something is being measured already."
        return None if self._base is not None else "Submit at least one image first."

    def toggle(self, recipe: str) -> None:
        """Measures a model that is not chosen, or gives that up."""
        if self.wanted == recipe:
            self.cancel()
        elif self._base is not None and self.reason(False) is None:
            self.wanted = recipe
            self._other = self._measure(_with_model(self._screen.setup, recipe), self._other_progress, self._other_failed)
        self._shown()

    def _measure(
        self, setup: Setup, progress: Callable[[int, int, str], object], failed: Callable[[BaseException], object]
    ) -> Task[Estimate]:
        screen, experiment = self._screen, self._screen.experiment_id
        return screen.background(
            lambda told: estimates.estimate(screen.workspace, experiment, setup, told),
            lambda made: self._measured(setup, made),
            failed,
            progress,
        )

    def _measured(self, setup: Setup, made: Estimate) -> None:
        if self.wanted == setup.model:
            self.wanted = ""
        if _base(setup) == self._base:
            self.estimates[setup.model] = made
            self._shown()

    def _progress(self, done: int, total: int, _text: str) -> None:
        self.said = f"Measuring step {done} of {total}…" if total else "Measuring…"
        self._shown()

    def _failed(self, error: BaseException) -> None:
        cancelled = self._task is None or self._task.cancelled
        self.said = "" if cancelled else str(error)
        self._shown()

    def _other_progress(self, done: int, total: int, _text: str) -> None:
        if self.wanted:
            self._screen.cards.progress(self.wanted, f"Measuring step {done} of {total}…" if total else "Measuring…")

    def _other_failed(self, error: BaseException) -> None:
        if self._other is not None and not self._other.cancelled:
            self.wanted = ""
            self._screen.context.failed(error)
            self._shown()

    def texts(self, setup: Setup, images_train: int, images_valid: int, steps: int) -> dict[str, str]:
        """What the cards say; nothing of choices that were not measured yet."""
        if _base(setup) != self._base:
            return {}
        return speed_texts({r: made.seconds(steps, images_train, images_valid) for r, made in self.estimates.items()}, steps)


def _with_model(setup: Setup, recipe: str) -> Setup:
    return setup if recipe == setup.model else replace(setup, model=recipe, anchors=None)


def _base(setup: Setup) -> Setup:
    """The choices that both models are measured with."""
    return replace(for_measuring(setup), model="", anchors=None, start_file="", start_run=None)
