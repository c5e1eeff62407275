"""What belongs to a widget ends with it: a timer, a watched variable, a binding elsewhere, and at last the whole window."""

from __future__ import annotations

import re
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Any

import gui
from gui.core import experiments

from .editor_bench import make_library

Turn = Callable[..., None]


def bindings(root: Any, tag: str) -> dict[str, str]:
    return {sequence: str(root.tk.call("bind", tag, sequence)) for sequence in root.tk.splitlist(root.tk.call("bind", tag))}


def test_a_timer_ends_with_its_widget(root: Any, place: tk.Frame, turn: Turn) -> None:
    """Else it runs whatever has got its command's name since."""
    from gui.tk.lifetime import later, when_idle

    before, done = set(root.tk.splitlist(root.tk.call("after", "info"))), []
    frame = ttk.Frame(place)
    later(frame, 1, lambda: done.append("in time"))
    when_idle(frame, lambda: done.append("idle"))
    later(frame, 1, lambda: done.append("cancelled")).cancel()
    turn(lambda: len(done) == 2)
    later(frame, 1, lambda: done.append("too late"))
    when_idle(frame, lambda: done.append("too late"))
    frame.destroy()
    later(frame, 1, lambda: done.append("of nothing"))
    assert set(root.tk.splitlist(root.tk.call("after", "info"))) <= before
    assert sorted(done) == ["idle", "in time"]


def test_a_timer_may_end_its_own_widget(place: tk.Frame, turn: Turn) -> None:
    from gui.tk.lifetime import later

    frame, done = ttk.Frame(place), []

    def act() -> None:
        frame.destroy()
        later(place, 1, lambda: done.append(1))

    later(frame, 1, act)
    turn(lambda: done)


def test_a_search_field_leaves_its_variable_alone_when_it_is_gone(root: Any, place: tk.Frame, theme: Any) -> None:
    from gui.widgets.controls import SearchField

    variable = tk.StringVar(root)
    field = SearchField(place, theme, variable, "Search")
    variable.set("crow")
    assert not field._hint.winfo_manager()
    field.destroy()
    variable.set("")
    assert variable.trace_info() == []


def test_a_binding_elsewhere_ends_with_its_owner_and_leaves_others(root: Any, place: tk.Frame) -> None:
    from gui.tk.lifetime import bind_elsewhere

    before = [bindings(root, tag) for tag in ("all", ".")]
    first, second, heard = ttk.Frame(place), ttk.Frame(place), []
    for owner, name in ((first, "first"), (second, "second")):
        bind_elsewhere(owner, "all", "<<Heard>>", lambda _event, name=name: heard.append(name))  # type: ignore[misc]
        bind_elsewhere(owner, root, "<<Heard>>", lambda _event, name=name: heard.append(f"{name} of the window"))  # type: ignore[misc]
    first.destroy()
    root.event_generate("<<Heard>>")
    assert sorted(heard) == ["second", "second of the window"]
    second.destroy()
    assert [bindings(root, tag) for tag in ("all", ".")] == before


def test_a_message_that_was_closed_has_no_timer_left(root: Any, theme: Any) -> None:
    from gui.widgets.toast import Toasts

    before = set(root.tk.splitlist(root.tk.call("after", "info")))
    toasts = Toasts(root, theme)
    for number in range(5):  # the first two make room
        toasts.show(f"Message {number}")
    toasts.clear()
    root.update_idletasks()
    assert set(root.tk.splitlist(root.tk.call("after", "info"))) <= before


def test_nothing_of_a_closed_window_is_left(open_app: Any, turn: Turn, root: Any, tmp_path: Any) -> None:
    """Each is made anew for another interface size: what stays of the old one would work on beside the new one."""
    experiment_id, group_id, _ids = make_library(tmp_path)
    turn()

    def left() -> tuple[object, ...]:
        variables = root.tk.splitlist(root.tk.call("info", "vars", "PY_VAR*"))
        watched = {str(name) for name in variables if root.tk.call("trace", "info", "variable", name)}
        return watched, bindings(root, "all"), bindings(root, "."), set(root.tk.splitlist(root.tk.call("after", "info")))

    before = left()
    app = open_app(tmp_path / "library")
    for step in ("dataset", "annotation", "setup", "training", "review"):
        app.router.show(step, experiment_id=experiment_id)
        turn()
    for page in ("settings", "home"):
        app.router.show(page)
        turn()
    app.router.show("editor", group_id=group_id, experiment_id=experiment_id)
    turn(lambda: app.router.current.session is not None)
    app.router.show("home")
    app.tasks.run_store(lambda: experiments.create(app.workspace, "Another"))
    app.toasts.show("A message")
    turn()
    app.close()
    turn()
    assert left() == before


def test_tk_is_asked_for_timers_traces_and_bindings_for_all_in_one_place() -> None:
    """The others here are the root's own, which ends last."""
    package = Path(gui.__file__).parent
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"\.(after|after_idle|trace_add|bind_all)\(", path.read_text("utf-8"))
    }
    assert found == {"tk/lifetime.py", "tk/pump.py", "tk/garbage.py", "tk/slices.py"}
