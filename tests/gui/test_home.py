"""The column of experiments, the start page, the frame of the steps, the settings: with keys and the mouse."""

from __future__ import annotations

import json
import threading
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Any

import pytest

from gui.core import experiments, limits
from gui.core.records import NewRun, RunState
from gui.core.workspace import Workspace

from . import drive

Turn = Callable[..., None]


def names(app: Any) -> list[str]:
    return [line.row.title for line in app.column.list._lines if line.row is not None]


def counts(app: Any) -> dict[str, int]:
    return {group.title: len(group.rows) for group in app.column.list._groups}


def menu_entry(app: Any, experiment_id: int, text: str, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Presses '…' of a card and chooses an entry of the menu that opens."""
    opened: list[tk.Menu] = []
    monkeypatch.setattr(tk.Menu, "tk_popup", lambda menu, x, y, entry="": opened.append(menu))
    grid = app.column.list
    _x0, y0, x1, y1 = grid.place_of(experiment_id)
    drive.click(grid.canvas, x1 - 20, (y0 + y1) // 2)
    turn(lambda: opened)
    labels = [
        opened[0].entrycget(index, "label") if opened[0].type(index) == "command" else ""
        for index in range(opened[0].index("end") + 1)
    ]
    opened[0].invoke(labels.index(text))


def test_an_experiment_is_created_with_the_keyboard(open_app: Any, turn: Turn, root: Any) -> None:
    app = open_app()
    assert root.title().startswith("Darknet Studio")
    assert "Train a Model" in drive.texts(app.shell)
    drive.button(app.shell, "Train a Model").invoke()
    form = app.router.current.form
    turn(lambda: form.name.get() == "Untitled experiment")
    form.field.delete(0, "end")
    assert form.create.instate(["disabled"]) and "name" in str(form.problem.cget("text"))
    drive.type_text(form.field, "Birds of prey")
    turn(lambda: form.create.instate(["!disabled"]))
    assert not form.problem.cget("text")
    drive.key(root, "<Return>")
    turn(lambda: names(app) == ["Birds of prey"])
    assert counts(app) == {"Not Started": 1, "In Progress": 0, "Completed": 0}
    seen = [json.loads(line) for line in app.events()]
    assert {"event": "screen", "name": "home"} in seen
    assert not [event for event in seen if event["event"] == "error"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Give the experiment a name."),
        ("birds", "already"),
        ("../x", "/"),
        ("x" * 101, "101 characters"),
        ("\U0001f985 eagles", ""),
    ],
)
def test_names_are_checked_while_typing(open_app: Any, turn: Turn, tmp_path: Path, typed: str, said: str) -> None:
    workspace = Workspace.open(tmp_path / "library")
    experiments.create(workspace, "Birds")
    workspace.close()
    app = open_app()
    app.column.create()
    form = app.router.current.form
    turn(lambda: form.name.get() and form._names)
    form.name.set(typed)
    assert said in str(form.problem.cget("text"))
    assert form.create.instate(["disabled" if said else "!disabled"])


def test_a_name_typed_before_the_others_are_known_stays(open_app: Any, turn: Turn, tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "library")
    experiments.create(workspace, "Birds")
    workspace.close()
    app, known = open_app(), threading.Event()
    app.tasks.store(lambda: known.wait(60))
    app.column.create()
    form = app.router.current.form
    turn(lambda: form.field.winfo_viewable())
    drive.type_text(form.field, "Owls")
    known.set()
    turn(lambda: form._names == ["Birds"])
    assert form.name.get() == "Owls" and form.create.instate(["!disabled"])
    app.column.create()
    drive.type_text(form.field, "Birds")
    assert form.name.get() == "Birds", "what was typed the last time gives way"
    turn(lambda: form.create.instate(["disabled"]))


def test_search_filters_while_typing(open_app: Any, turn: Turn, tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "library")
    for name in ("Birds of prey", "Garden birds", "Boats"):
        experiments.create(workspace, name)
    workspace.close()
    app = open_app()
    turn(lambda: len(names(app)) == 3)
    drive.key(app.root, "<Control-f>")
    drive.type_text(app.column.search, "birds")
    turn(lambda: names(app) == ["Garden birds", "Birds of prey"])
    drive.type_text(app.column.search, " zzz")
    turn(lambda: names(app) == [])
    app.column.search.event_generate("<Escape>")
    turn(lambda: len(names(app)) == 3)


def test_menu_rename_duplicate_archive_delete_and_undo(
    open_app: Any, turn: Turn, root: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workspace = Workspace.open(tmp_path / "library")
    made = experiments.create(workspace, "Birds")
    workspace.close()
    app = open_app()
    turn(lambda: names(app) == ["Birds"])
    menu_entry(app, made.id, "Rename…", turn, monkeypatch)
    turn(lambda: isinstance(root.focus_get(), ttk.Entry))
    root.focus_get().delete(0, "end")
    drive.type_text(root.focus_get(), "Eagles")
    drive.key(root, "<Return>")
    turn(lambda: names(app) == ["Eagles"])
    menu_entry(app, made.id, "Duplicate", turn, monkeypatch)
    turn(lambda: names(app) == ["Eagles copy", "Eagles"])
    menu_entry(app, made.id, "Delete…", turn, monkeypatch)
    turn(lambda: "Delete the experiment?" in drive.texts(root))
    drive.button(root, "Delete").invoke()
    turn(lambda: names(app) == ["Eagles copy"])
    turn(lambda: "“Eagles” was deleted." in app.toasts.texts)
    drive.button(root, "Undo").invoke()
    turn(lambda: names(app) == ["Eagles copy", "Eagles"])
    menu_entry(app, made.id, "Archive", turn, monkeypatch)
    turn(lambda: names(app) == ["Eagles copy"])
    drive.button(app.shell, "Archive").invoke()
    turn(lambda: names(app) == ["Eagles"])


def test_what_another_part_changes_is_shown(open_app: Any, turn: Turn) -> None:
    app = open_app()
    app.tasks.store(lambda: experiments.create(app.workspace, "From elsewhere"))
    turn(lambda: names(app) == ["From elsewhere"])


def test_the_keys_are_listed_and_the_dialog_keeps_the_keyboard(open_app: Any, turn: Turn, root: Any) -> None:
    app = open_app()
    drive.key(root, "<F1>")
    turn(lambda: "Keys" in drive.texts(root))
    assert {"Ctrl+N", "F1", "New experiment"} <= set(drive.texts(root))
    for _ in range(4):
        drive.key(root, "<Tab>")
        assert str(root.focus_get().cget("text")).strip() in ("Close", "Change keys…")
    drive.key(root, "<Control-n>")
    turn()
    assert app.router.params == {}
    drive.key(root, "<Escape>")
    turn(lambda: "Keys" not in drive.texts(root))


def test_theme_and_size_in_the_settings(open_app: Any, turn: Turn, root: Any) -> None:
    app = open_app()
    drive.button(app.shell, "Settings").invoke()
    turn(lambda: "This computer" in drive.texts(app.shell))
    screen = app.router.current
    screen.choice.set("light")
    screen._theme_chosen()
    turn(lambda: app.theme.mode == "light", "the look of the other mode")
    before = app.shell.sidebar.winfo_width()
    screen.size_choice.set("150 %")
    screen._size_chosen()
    turn(lambda: app.theme.scale == 1.5 and app.router.current is not screen)
    turn(lambda: app.shell.sidebar.winfo_width() > before * 1.3)
    turn(lambda: app.tasks.run_store(lambda: app.workspace.settings.get("interface_size")) == 1.5)
    assert app.tasks.run_store(lambda: app.workspace.settings.get("theme")) == "light"


def test_a_setting_chosen_before_the_others_are_read_stays(open_app: Any, turn: Turn) -> None:
    app, read = open_app(), threading.Event()
    app.tasks.store(lambda: read.wait(60))
    app.router.show("settings")
    screen = app.router.current
    screen.choice.set("light")
    screen._theme_chosen()
    screen._numbers["images"][0].set("123")
    read.set()
    turn(lambda: "There is no backup yet." in drive.texts(screen), "what was read after the settings")
    assert screen.choice.get() == "light" and screen._numbers["images"][0].get() == "123"
    assert app.tasks.run_store(lambda: limits.read(app.workspace)).images == 123


def test_backup_and_restore_in_the_settings(open_app: Any, turn: Turn, root: Any) -> None:
    app = open_app()
    app.tasks.run_store(lambda: experiments.create(app.workspace, "Kept"))
    app.router.show("settings")
    turn(lambda: "There is no backup yet." in drive.texts(app.shell))
    drive.button(app.shell, "Back up now").invoke()
    turn(lambda: "Restore" in drive.texts(app.shell))
    app.tasks.run_store(lambda: experiments.create(app.workspace, "Later"))
    turn(lambda: names(app) == ["Later", "Kept"])
    drive.button(app.shell, "Restore").invoke()
    turn(lambda: "Restore this backup?" in drive.texts(root))
    dialog = next(each for each in root.winfo_children() if str(each.cget("style")) == "Dialog.TFrame")
    drive.button(dialog, "Restore").invoke()
    turn(lambda: names(app) == ["Kept"])


def test_what_a_card_has_no_room_for_is_in_its_tooltip(open_app: Any, turn: Turn, root: Any) -> None:
    app = open_app()
    reason = "The disk of the library is full: 12 MB are free, a checkpoint needs 250 MB. Delete something, then press Resume."

    def work() -> tuple[int, int]:
        long, short = (experiments.create(app.workspace, name) for name in ("Long story", "Short"))
        run = app.workspace.store.runs.add(NewRun(long.id, "yolov4", 5000), app.workspace.run_folder)
        app.workspace.store.runs.set_state(run.id, RunState.FAILED, reason)
        app.workspace.changes.publish("experiments")
        return long.id, short.id

    long, short = app.tasks.run_store(work)
    cards = app.column.list
    turn(lambda: cards.place_of(short) is not None and cards.place_of(long) is not None)
    cards._hovered(long)
    turn(lambda: cards._tip.visible)
    assert cards._tip.text.endswith(reason) and cards._tip.text.startswith("Failed")
    cards._hovered(short)
    assert not cards._tip.visible and cards._tip.text == ""


def test_a_second_window_only_looks_and_says_so(open_app: Any, turn: Turn, tmp_path: Path) -> None:
    first = Workspace.open(tmp_path / "library")
    experiments.create(first, "Birds")
    app = open_app(tmp_path / "library")
    turn(lambda: names(app) == ["Birds"])
    assert app.column.create_button.instate(["disabled"])
    assert any("another window" in text for text in app.toasts.texts)
    assert "another window" in app.column.create_button.studio_tooltip.text
    app.close()
    first.close()


def test_an_unexpected_error_is_a_dialog_without_a_traceback(open_app: Any, turn: Turn, root: Any) -> None:
    app = open_app()
    app.tasks.store(lambda: 1 // 0)
    turn(lambda: "Something went wrong" in drive.texts(root))
    shown = "\n".join(drive.texts(root))
    assert "Traceback" not in shown and "ZeroDivisionError" not in shown
    drive.button(root, "Copy details").invoke()
    assert "ZeroDivisionError" in root.clipboard_get()
    drive.key(root, "<Escape>")
    turn(lambda: "Something went wrong" not in drive.texts(root))
    assert any('"error"' in line and "ZeroDivisionError" in line for line in app.events())


def test_reasons_of_the_steps() -> None:
    from gui.core.records import Experiment, ExperimentState
    from gui.screens.experiment import done_steps, step_reason

    bare = Experiment(1, "x", 0.0, 0.0, ExperimentState.NOT_STARTED)
    assert step_reason(bare, "dataset") is None
    reasons = [step_reason(bare, step) for step in ("annotation", "setup", "training", "review")]
    assert all(reason and reason.endswith(".") for reason in reasons)
    assert done_steps(bare, None) == frozenset()
