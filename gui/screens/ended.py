"""Tells that a training has ended, on whatever screen: a message with the way there, the window's title, a bell if wanted."""

from __future__ import annotations

from ..core.records import Run
from ..core.review import BELL_SETTING, ended_notice
from ..tk.lifetime import bind_elsewhere
from .base import Context


class EndNotices:
    """`on_changes` with every change of the library. The title is as before once the window has the keyboard again."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._root = context.root.winfo_toplevel()
        self._active: frozenset[int] | None = None
        self._title = ""
        bind_elsewhere(context.status, self._root, "<FocusIn>", lambda _event: self._seen())
        self._look()

    def on_changes(self, topics: frozenset[str]) -> None:
        if any(topic.startswith("run") for topic in topics):
            self._look()

    def _look(self) -> None:
        store, before = self._context.workspace.store, self._active

        def work() -> tuple[frozenset[int], list[tuple[str, Run]], bool]:
            active = frozenset(run.id for run in store.runs.active())
            gone = [] if before is None else sorted(before - active)
            ended = [run for run in store.runs.list() if run.id in gone] if gone else []
            named = [(store.experiments.get(run.experiment_id).name, run) for run in ended]
            return active, named, bool(store.settings.get(BELL_SETTING, False))

        self._context.tasks.store(work, lambda found: self._found(before, *found), lambda _error: None)

    def _found(self, before: frozenset[int] | None, active: frozenset[int], ended: list[tuple[str, Run]], bell: bool) -> None:
        if before != self._active:
            return  # two looks crossed: the first one told it
        self._active = active
        for name, run in ended:
            notice = ended_notice(name, run)
            if notice is not None:
                self._tell(*notice, run, bell)

    def _tell(self, text: str, kind: str, run: Run, bell: bool) -> None:
        step = "review" if run.state.value in ("finished", "stopped") and run.done_steps else "training"
        show = self._context.router.show
        self._context.toasts.show(
            text, kind, ("Review" if step == "review" else "Show", lambda: show(step, experiment_id=run.experiment_id))
        )
        if bell:
            self._root.bell()
        if self._root.focus_displayof() is None:
            self._title = self._title or self._root.title()
            self._root.title(f"{self._title} – training {run.state.value}")

    def _seen(self) -> None:
        if self._title:
            self._root.title(self._title)
            self._title = ""
