"""The column of experiments on the left, and the start page with the form for a new one."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Sequence
from functools import partial
from tkinter import ttk
from typing import Any, ClassVar, Literal

from ..core import experiments, names
from ..core.changes import EVERYTHING
from ..core.errors import UserError
from ..core.records import Experiment, ExperimentState, RunState
from ..core.wording import counted
from ..tk.lifetime import later, watch
from ..widgets.controls import SearchField, button, card, entry, icon_label, label, line, set_enabled
from ..widgets.dialogs import ask_text, confirm
from ..widgets.grouped_list import Group, GroupedList, Row
from .base import Context, Screen

_GROUPS = (
    (ExperimentState.NOT_STARTED, "Not Started"),
    (ExperimentState.IN_PROGRESS, "In Progress"),
    (ExperimentState.COMPLETED, "Completed"),
)
_REFRESH_MS = 30_000
_TYPE = "OBJECT DETECTION"


class ExperimentColumn(ttk.Frame):
    """All experiments of the library, searched while typing; shown beside every page."""

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        super().__init__(parent, style="Chrome.TFrame")
        self.context = context
        self.theme = context.theme
        self.workspace = context.workspace
        self._all: list[Experiment] = []
        self._archived = False
        self._build()
        self.refresh()
        later(self, _REFRESH_MS, self._tick)

    def _build(self) -> None:
        theme, pad = self.theme, self.theme.px(14)
        head = ttk.Frame(self, style="Chrome.TFrame")
        head.pack(fill="x", padx=pad, pady=(theme.px(18), theme.px(14)))
        icon_label(head, theme, "bounding-box-circles", "accent", 22).pack(side="left", padx=(theme.px(4), theme.px(10)))
        label(head, theme, "Darknet Studio", "Heading").pack(side="left")
        self.create_button = button(self, theme, "Create New", self.create, kind="Primary", icon="plus-lg")
        self.create_button.pack(fill="x", padx=pad)
        if self.workspace.read_only:
            set_enabled(self.create_button, theme, self.workspace.read_only_reason)
        self.query = tk.StringVar(self)
        field = SearchField(self, theme, self.query, "Search experiments")
        field.pack(fill="x", padx=pad, pady=(theme.px(10), theme.px(8)))
        self.search = field.field
        watch(self, self.query, self._show)
        self.list = GroupedList(self, theme, self._open, self.open_menu)
        foot = ttk.Frame(self, style="Chrome.TFrame")
        foot.pack(side="bottom", fill="x", padx=theme.px(10), pady=(theme.px(6), theme.px(10)))
        self.archive_button = button(foot, theme, "Archive", self._toggle_archive, kind="Nav", icon="archive")
        self.archive_button.pack(fill="x")
        button(foot, theme, "Settings", lambda: self.context.router.show("settings"), kind="Nav", icon="gear").pack(fill="x")
        line(self).pack(side="bottom", fill="x")
        self.list.pack(fill="both", expand=True)

    # ---- showing -----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        archived = self._archived
        self.context.tasks.store(lambda: self.workspace.store.experiments.list(archived), self._loaded, owner=self)

    def _loaded(self, found: list[Experiment]) -> None:
        self._all = found
        self._show()

    def _show(self) -> None:
        now = time.time()
        found = experiments.grouped(self._all, self.query.get())
        groups = [Group(state.value, title, tuple(self._row(each, now) for each in found[state])) for state, title in _GROUPS]
        if self.query.get().strip():
            empty = f"No experiment is called “{self.query.get().strip()}”."
        elif self._archived:
            empty = "Nothing is archived."
        else:
            empty = "Your experiments will be listed here. Press Create New to begin."
        self.list.set(groups, empty)
        self.archive_button.configure(text=" Back to experiments" if self._archived else " Archive")

    @staticmethod
    def _row(each: Experiment, now: float) -> Row:
        colour = "muted"
        if each.last_run is not None:
            colours = {
                RunState.RUNNING: "accent",
                RunState.FINISHED: "positive",
                RunState.FAILED: "danger",
                RunState.PAUSED: "warning",
            }
            colour = colours.get(each.last_run.state, "muted")
        return Row(each.id, _TYPE, each.name, experiments.status_line(each, now), colour)

    def mark(self, experiment_id: int | None) -> None:
        """Marks the experiment that the page shows."""
        self.list.select(experiment_id)

    def on_changes(self, topics: frozenset[str]) -> None:
        if any(topic.startswith(("experiments", "run", EVERYTHING)) for topic in topics):
            self.refresh()

    def focus_search(self) -> None:
        self.search.focus_set()
        self.search.selection_range(0, "end")

    def _tick(self) -> None:
        """'A minute ago' becomes 'two minutes ago'."""
        self._show()
        later(self, _REFRESH_MS, self._tick)

    def _toggle_archive(self) -> None:
        self._archived = not self._archived
        self.refresh()

    # ---- doing -------------------------------------------------------------------------------------------------------

    def create(self) -> None:
        self.context.router.show("home", view="create")

    def _open(self, experiment_id: int) -> None:
        found = next((each for each in self._all if each.id == experiment_id), None)
        if found is not None:
            open_experiment(self.context, found)

    def open_menu(self, experiment_id: int, x: int, y: int) -> None:
        found = next((each for each in self._all if each.id == experiment_id), None)
        if found is None:
            return
        menu = self.theme.menu(self)
        state: Literal["normal", "disabled"] = "disabled" if self.workspace.read_only else "normal"
        menu.add_command(label="Open", command=lambda: self._open(experiment_id))
        menu.add_command(label="Rename…", state=state, command=lambda: self.rename(found))
        menu.add_command(label="Duplicate", state=state, command=lambda: self.duplicate(found))
        archive = "Take out of the archive" if found.archived else "Archive"
        menu.add_command(label=archive, state=state, command=lambda: self.archive(found))
        menu.add_separator()
        menu.add_command(label="Delete…", state=state, command=lambda: self.delete(found))
        menu.tk_popup(x, y)

    def rename(self, found: Experiment) -> None:
        others = [each.name for each in self._all if each.id != found.id]
        ask_text(
            self,
            self.theme,
            "Rename the experiment",
            "Its runs and files stay as they are.",
            found.name,
            lambda name: name_problem(name, others),
            lambda name: self._do(lambda: experiments.rename(self.workspace, found.id, name)),
            action="Rename",
        )

    def duplicate(self, found: Experiment) -> None:
        self._do(lambda: experiments.duplicate(self.workspace, found.id))

    def archive(self, found: Experiment) -> None:
        self._do(
            lambda: experiments.archive(self.workspace, found.id, not found.archived),
            f"“{found.name}” is back among the experiments." if found.archived else f"“{found.name}” is in the archive now.",
        )

    def delete(self, found: Experiment) -> None:
        """Asks with what goes with it; can be undone."""
        store = self.workspace.store

        def ask(runs: Sequence[object]) -> None:
            with_runs = f" with its {counted(len(runs), 'run')}" if runs else ""
            text = f"“{found.name}” is deleted{with_runs}. Datasets and annotations stay. You can undo this."
            confirm(self, self.theme, "Delete the experiment?", text, "Delete", lambda: self._delete(found), danger=True)

        self.context.tasks.store(lambda: store.runs.list(found.id), ask, owner=self)

    def _delete(self, found: Experiment) -> None:
        if self.context.router.params.get("experiment_id") == found.id and not self.context.router.show("home"):
            return
        self._do(lambda: experiments.delete(self.workspace, found.id), f"“{found.name}” was deleted.")

    def _do(self, work: Any, said: str = "") -> None:
        def done(_result: object) -> None:
            if said:
                self.context.toasts.show(said, action=("Undo", lambda: self.context.commands.run("undo")))

        self.context.tasks.store(work, done, owner=self)


def name_problem(name: str, others: Sequence[str]) -> str | None:
    """What is wrong with a name, while it is typed."""
    try:
        names.checked(name, experiments.KIND, others, experiments.FORBIDDEN)
    except UserError as error:
        return str(error)
    return None


def open_experiment(context: Context, found: Experiment) -> None:
    """Where it was left, or the first step that is there."""
    step = found.step if context.router.knows(found.step) else "dataset"
    if context.router.knows(step):
        context.router.show(step, experiment_id=found.id)


class HomeScreen(Screen):
    """view "start": what can be done, 'Train a Model' first. view "create": type and name of a new experiment."""

    id: ClassVar[str] = "home"
    title: ClassVar[str] = "Start"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        super().__init__(parent, context)
        self.start = _StartPage(self, context, self._create_form)
        self.form = _CreatePage(self, context, self._show_start)

    def load(self, **params: Any) -> None:
        if params.get("view") == "create" and not self.workspace.read_only:
            self._create_form()
        else:
            self._show_start()

    def on_changes(self, topics: frozenset[str]) -> None:
        if "experiments" in topics:
            self.start.refresh()
            self.form.refresh_names()

    def _show_start(self) -> None:
        self.form.place_forget()
        self.start.place(relx=0.5, rely=0.44, anchor="center")
        self.start.refresh()

    def _create_form(self) -> None:
        self.start.place_forget()
        self.form.place(relx=0.5, rely=0.44, anchor="center")
        self.form.open()


class _StartPage(ttk.Frame):
    def __init__(self, screen: HomeScreen, context: Context, create: Any) -> None:
        super().__init__(screen)
        self.screen, self.context, self.theme = screen, context, context.theme
        theme = context.theme
        icon_label(self, theme, "bounding-box-circles", "accent", 44).pack(pady=(0, theme.px(16)))
        label(self, theme, "Welcome to Darknet Studio", "Title").pack()
        subtitle = "Teach this computer to find your own objects in pictures. Everything stays here."
        label(self, theme, subtitle, "Muted").pack(pady=(theme.px(6), theme.px(30)))
        row = ttk.Frame(self)
        row.pack()
        steps = "Add pictures, mark the objects, press Start Training. No other tool and no account is needed."
        self.train = self._tile(row, "lightning-charge", "Train a Model", steps, create, primary=True)
        if context.workspace.read_only:
            set_enabled(self.train, theme, context.workspace.read_only_reason)
        self._tile(row, "keyboard", "See the Keys", "Every action has a key. F1 shows those of the page you are on.", self._keys)
        self._recent_place = ttk.Frame(self)
        self._recent_place.pack(pady=(theme.px(28), 0), fill="x")

    def _tile(self, parent: tk.Misc, icon: str, text: str, hint: str, command: Any, primary: bool = False) -> ttk.Button:
        theme = self.theme
        outer, inner = card(parent, theme, padding=24)
        outer.pack(side="left", padx=theme.px(9), fill="y")
        icon_label(inner, theme, icon, "accent", 30).pack(pady=(theme.px(4), theme.px(12)))
        hint_label = label(inner, theme, hint, "Muted", wrap_px=230, justify="center")
        hint_label.pack(pady=(0, theme.px(18)))
        made = button(inner, theme, text, command, kind="Primary" if primary else "Secondary")
        made.pack(side="bottom", fill="x")
        return made

    def _keys(self) -> None:
        self.context.commands.run("keys")

    def refresh(self) -> None:
        store = self.context.workspace.store
        self.context.tasks.store(lambda: store.experiments.list()[:3], self._show_recent, owner=self)

    def _show_recent(self, found: list[Experiment]) -> None:
        for child in self._recent_place.winfo_children():
            child.destroy()
        if not found:
            return
        label(self._recent_place, self.theme, "Go on with", "Small").pack()
        for each in found:
            made = button(
                self._recent_place,
                self.theme,
                each.name[:60],
                partial(open_experiment, self.context, each),
                kind="Ghost",
                icon="arrow-right",
            )
            made.pack(pady=(self.theme.px(4), 0))


class _CreatePage(ttk.Frame):
    def __init__(self, screen: HomeScreen, context: Context, cancel: Any) -> None:
        super().__init__(screen)
        self.screen, self.context, self.theme = screen, context, context.theme
        self._names: list[str] = []
        theme = context.theme
        label(self, theme, "New Experiment", "Title").pack(anchor="w")
        label(self, theme, "What should the model learn?", "Muted").pack(anchor="w", pady=(theme.px(4), theme.px(18)))
        kind = ttk.Frame(self, style="BoxSelected.TFrame")
        kind.pack(fill="x")
        inner = ttk.Frame(kind, style="Card.TFrame")
        inner.pack(fill="x", padx=theme.px(18), pady=theme.px(16))
        icon_label(inner, theme, "bounding-box-circles", "accent", 30).pack(side="left", padx=(0, theme.px(16)))
        words = ttk.Frame(inner, style="Card.TFrame")
        words.pack(side="left", fill="x", expand=True)
        label(words, theme, "Object Detection", "Heading").pack(anchor="w")
        label(words, theme, "Find objects in images and videos, each with a box and a name.", "Muted").pack(anchor="w")
        icon_label(inner, theme, "check-circle-fill", "accent", 18).pack(side="right")
        label(self, theme, "Name").pack(anchor="w", pady=(theme.px(20), theme.px(6)))
        self.name = tk.StringVar(self)
        self.field = entry(self, theme, self.name, width=56)
        self.field.pack(fill="x")
        self.problem = label(self, theme, "", "Danger", wrap_px=460)
        self.problem.pack(anchor="w", pady=(theme.px(6), theme.px(8)))
        row = ttk.Frame(self)
        row.pack(fill="x")
        self.create = button(row, theme, "Create Experiment", self._create, kind="Primary")
        self.create.pack(side="right")
        button(row, theme, "Cancel", cancel, kind="Ghost").pack(side="right", padx=theme.px(8))
        watch(self, self.name, self._check)
        self.field.bind("<Return>", lambda _event: self.create.invoke())
        self.field.bind("<Escape>", lambda _event: cancel())

    def open(self) -> None:
        before = self.name.get()

        def named(taken: list[str]) -> None:
            self._names = taken
            if self.name.get() == before:
                self.name.set(names.free(experiments.UNTITLED, taken))
                self._mark_all()
            else:
                self._check()  # who types fast has a name already

        self.field.focus_set()
        self._mark_all()
        self.context.tasks.store(self._used_names, named, owner=self)

    def _mark_all(self) -> None:
        """What is typed now takes its place."""
        self.field.selection_range(0, "end")
        self.field.icursor("end")

    def refresh_names(self) -> None:
        def named(taken: list[str]) -> None:
            self._names = taken
            self._check()

        self.context.tasks.store(self._used_names, named, owner=self)

    def _used_names(self) -> list[str]:
        repo = self.context.workspace.store.experiments
        return [each.name for each in [*repo.list(), *repo.list(archived=True)]]

    def _check(self) -> None:
        said = name_problem(self.name.get().strip(), self._names)
        self.problem.configure(text=said or "")
        set_enabled(self.create, self.theme, said)
        self.field.state(["invalid" if said else "!invalid"])

    def _create(self) -> None:
        name, workspace = self.name.get().strip(), self.context.workspace
        self.create.state(["disabled"])  # a second click would make a second one
        work = self.context.tasks.store
        work(lambda: experiments.create(workspace, name), lambda made: open_experiment(self.context, made), self._refused, self)

    def _refused(self, error: BaseException) -> None:
        self.refresh_names()
        self.context.failed(error)
