"""What is asked before the window closes: by the screen that is shown, and about a training that runs."""

from __future__ import annotations

import time
from collections.abc import Callable

from .core.records import Run, RunState
from .screens.base import Context
from .tk.tasks import Progress
from .widgets.dialogs import ProgressDialog, choose

STOP_WAIT_S = 40.0


class Closing:
    """close: ends the window, without a question."""

    def __init__(self, context: Context, close: Callable[[], object]) -> None:
        self._context, self._close = context, close

    def ask(self) -> None:
        """Closes unless the current screen or a running training needs a word first."""
        current = self._context.router.current
        if current is not None and not current.leave():
            return
        self._context.tasks.store(self._context.workspace.store.runs.active, self._close_with)

    def _close_with(self, active: list[Run]) -> None:
        running = [run.id for run in active if run.state is RunState.RUNNING]
        if not running or self._context.training is None:
            self._close()
            return
        waiting = " What waits for its turn begins when you open the window again." if len(active) > len(running) else ""
        choose(
            self._context.root,
            self._context.theme,
            "A training is running",
            f"It can go on without this window; the next time you see how far it is.{waiting}",
            [
                ("Keep training", "Primary", self._close),
                ("Pause", "Secondary", lambda: self._stop_and_close(running, pause=True)),
                ("Stop", "Secondary", lambda: self._stop_and_close(running, pause=False)),
            ],
        )

    def _stop_and_close(self, running: list[int], pause: bool) -> None:
        """Closes when the trainer has written its checkpoint."""
        training = self._context.training
        if training is None:
            return
        dialog = ProgressDialog(self._context.root, self._context.theme, "Saving the training")

        def work(progress: Progress) -> None:
            for run_id in running:
                training.stop(run_id, pause)
            end = time.monotonic() + STOP_WAIT_S
            while time.monotonic() < end and any(
                run.id in running for run in self._context.tasks.run_store(self._context.workspace.store.runs.active)
            ):
                progress(0, 0, "Writing the last checkpoint…")
                time.sleep(0.2)

        def done(_result: object) -> None:
            dialog.close()
            self._close()

        def failed(error: BaseException) -> None:
            dialog.close()
            self._context.failed(error)

        self._context.tasks.background(work, done, failed, progress=dialog.update)
