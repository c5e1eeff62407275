"""What every screen is made of: the context it works in, and the two kinds of screens.

A screen is a frame that the router makes once and shows many times. `load` is called at every showing, `on_changes` when the
library changed while it is on the screen, `leave` before another one is shown. Work goes through `self.store` and
`self.background`; an error that is not handled there is shown by the application.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ...tk.commands import Commands
from ...tk.shell import Router, StatusLine
from ...tk.tasks import Progress, Task, Tasks
from ...tk.theme import Theme
from ...widgets.side_panel import SidePanel
from ...widgets.toast import Toasts

if TYPE_CHECKING:
    from ...core.ingest import Live
    from ...core.training import Queue
    from ...core.workspace import Workspace

T = TypeVar("T")

STEPS: tuple[tuple[str, str], ...] = (
    ("dataset", "Dataset"),
    ("annotation", "Annotation"),
    ("setup", "Setup"),
    ("training", "Training"),
    ("review", "Review"),
)


@dataclass
class Context:
    """What the application hands to every screen."""

    root: tk.Misc
    theme: Theme
    tasks: Tasks
    router: Router
    commands: Commands
    workspace: Workspace
    toasts: Toasts
    status: StatusLine
    training: Queue | None  # None where the library can only be read
    failed: Callable[[BaseException], object]  # shows any error the way it should be shown
    set_theme: Callable[[str], object]  # "dark", "light" or "system"
    set_scale: Callable[[float], object]  # the interface size, 1.0 is 100 %; makes every screen anew

    def event(self, name: str, /, **fields: object) -> None:
        """A line of the event log, after the screen shows the state."""
        self.workspace.event(name, **fields)


class Screen(ttk.Frame):
    """A screen beside the left column (host "page") or over the whole window (host "window")."""

    id: ClassVar[str]
    title: ClassVar[str] = ""
    host: ClassVar[str] = "page"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        super().__init__(parent)
        self.context = context
        self.theme = context.theme
        self.workspace = context.workspace
        self.router = context.router

    def load(self, **params: Any) -> None:
        """Called at every showing, with what router.show was given."""

    def shown(self) -> None:
        """Called after load, when the frame is in its place."""

    def leave(self) -> bool:
        """False keeps this screen; it then says why itself."""
        return True

    def on_changes(self, topics: frozenset[str]) -> None:
        """The library changed, by this window or by a run: names of what, see core.changes."""

    def on_live(self, live: Live) -> None:
        """The newest figures of the run at work, about once a second."""

    def store(
        self,
        work: Callable[[], T],
        done: Callable[[T], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
    ) -> Task[T]:
        """Use the store: on its thread, in order; done and failed come back here while this screen exists."""
        return self.context.tasks.store(work, done, failed, owner=self)

    def background(
        self,
        work: Callable[[Progress], T],
        done: Callable[[T], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
        progress: Callable[[int, int, str], object] | None = None,
    ) -> Task[T]:
        """Work that takes long and does not touch the store."""
        return self.context.tasks.background(work, done, failed, owner=self, progress=progress)

    def toast(self, text: str, kind: str = "info", action: tuple[str, Callable[[], object]] | None = None) -> None:
        """A short message; action is ("Undo", callback)."""
        self.context.toasts.show(text, kind=kind, action=action)


class StepScreen(Screen):
    """A step of an experiment: `body` in the middle, `panel` on the right with summary, tips, Back and Next.

    Put widgets into `body` (window surface) and `panel.extra` (chrome surface). Call `refresh_next` whenever the answer of
    `next_reason` may have changed.
    """

    host: ClassVar[str] = "step"
    next_label: ClassVar[str] = "Next"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        super().__init__(parent, context)
        self.experiment_id = 0
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.body = ttk.Frame(self)
        self.body.grid(row=0, column=0, sticky="nsew")
        self.panel = SidePanel(self, self.theme, back=self.go_back, next_=self.go_next)
        self.panel.grid(row=0, column=1, sticky="ns")
        self.panel.set_next(self.next_label, self.next_reason())
        self.panel.set_back(bool(self._neighbour(-1)))

    def load(self, **params: Any) -> None:
        """Always with experiment_id. Call super().load(**params) first."""
        self.experiment_id = int(params["experiment_id"])
        self.refresh_next()

    def next_reason(self) -> str | None:
        """Why Next can't be pressed, as a sentence with the next step; None when it can. Called before load, too."""
        return None

    def refresh_next(self) -> None:
        self.panel.set_next(self.next_label, self.next_reason())

    def go_next(self) -> None:
        """To the next step; a step with another meaning of Next (Start Training) overrides this."""
        self._go(1)

    def go_back(self) -> None:
        self._go(-1)

    def set_summary(self, lines: Sequence[tuple[str, str]]) -> None:
        self.panel.set_summary(lines)

    def set_tips(self, tips: Sequence[str]) -> None:
        self.panel.set_tips(tips)

    def _neighbour(self, by: int) -> str:
        names = [name for name, _label in STEPS]
        index = names.index(self.id) + by
        return names[index] if 0 <= index < len(names) and self.router.knows(names[index]) else ""

    def _go(self, by: int) -> None:
        target = self._neighbour(by)
        if target:
            self.router.show(target, experiment_id=self.experiment_id)
