"""The user's own keys: chosen in the window, named where they were taken from, kept with the library, shown everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gui.tk.commands import NUMBER_KEYS, Command, Commands, read_own_keys

from .drive import button, texts
from .editor_bench import EditorBench, make_library


@pytest.fixture
def bench(open_app: Callable[..., Any], turn: Callable[..., None], tmp_path: Path) -> Iterator[EditorBench]:
    made = make_library(tmp_path)
    yield EditorBench(open_app(tmp_path / "library"), turn, *made)


def change(bench: EditorBench, label: str, *keys: str) -> Any:
    """Opens the dialog from the sheet, chooses the command and presses keys."""
    bench.key("F1")
    bench.turn()
    button(bench.app.root, "Change keys…").invoke()
    bench.turn()
    dialog = bench.app.key_dialog
    index = next(at for at, line in enumerate(dialog.list.lines) if getattr(line, "label", "") == label)
    dialog.list.see_row(index)
    bench.turn()
    top, bottom = dialog.list.row_box(index)
    bench.press(dialog.list.canvas, 60, (top + bottom) / 2)
    button(dialog.dialog.frame, "Change key").invoke()
    bench.key(*keys)
    bench.turn()
    return dialog


def test_a_new_key_works_is_shown_and_the_old_one_does_nothing(bench: EditorBench) -> None:
    screen = bench.open()
    dialog = change(bench, "Submit and go on", "Return", "s")
    assert any("S is the key of “Submit and go on” now" in text for text in texts(dialog.dialog.frame))
    button(dialog.dialog.frame, "Close").invoke()
    assert screen.left.submit.cget("text") == "Submit (S)"
    screen.focus_canvas()
    bench.key("space")
    bench.settle()
    assert bench.stored(bench.ids[0]).revision == 0
    bench.key("s")
    bench.settle()
    assert bench.stored(bench.ids[0]).revision == 1
    assert bench.app.tasks.run_store(lambda: bench.app.workspace.settings.get("keys")) == {"editor.submit": ["S"]}


def test_a_key_that_is_taken_is_named_and_given_at_the_second_press(bench: EditorBench) -> None:
    bench.open()
    dialog = change(bench, "Fit the image", "q")
    assert any("Q is the key of “Reset to the last submission”" in text for text in texts(dialog.dialog.frame))
    assert bench.app.commands.own_keys == {}
    bench.key("q")
    bench.turn()
    assert bench.app.commands.own_keys == {"editor.fit": ("Q",), "editor.reset": ()}
    assert bench.screen.left.reset.cget("text") == "Reset"
    button(dialog.dialog.frame, "Default key").invoke()
    assert bench.app.commands.own_keys == {"editor.reset": ()}
    button(dialog.dialog.frame, "All default keys").invoke()
    assert bench.app.commands.own_keys == {} and bench.screen.left.reset.cget("text") == "Reset (Q)"
    dialog.dialog.close()


def test_digits_and_f1_keep_their_meaning_and_escape_gives_up(bench: EditorBench) -> None:
    bench.open()
    dialog = change(bench, "Fit the image", "3")
    assert any("which stay together" in text for text in texts(dialog.dialog.frame))
    bench.key("F1")
    assert any("F1 stays the key of the sheet" in text for text in texts(dialog.dialog.frame))
    bench.key("Escape")
    bench.turn()
    assert bench.app.commands.own_keys == {} and dialog.dialog.open
    dialog.dialog.close()


def test_kept_with_the_library(open_app: Callable[..., Any], turn: Callable[..., None], tmp_path: Path) -> None:
    made = make_library(tmp_path)
    from gui.core.workspace import Workspace

    workspace = Workspace.open(tmp_path / "library")
    workspace.settings.set("keys", {"editor.submit": ["Ctrl+Enter"], "bad": "x", "gone.command": ["Z"]})
    workspace.close()
    bench = EditorBench(open_app(tmp_path / "library"), turn, *made)
    assert bench.open().left.submit.cget("text") == "Submit (Ctrl+Enter)"
    bench.key("Control-Return")
    bench.settle()
    assert bench.stored(bench.ids[0]).revision == 1


def test_what_is_stored_may_be_garbage() -> None:
    assert read_own_keys({"a": ["B"], "b": [1], "c": "D", 4: ["E"]}) == {"a": ["B"]}
    assert read_own_keys(["a"]) == {} and read_own_keys(None) == {}


def test_the_window_gets_a_key_only_from_the_page_that_would_cover_it(root: Any) -> None:
    import tkinter as tk

    window, page = tk.Frame(root), tk.Frame(root)
    commands = Commands(window)
    commands.register(window, [Command("home", "Start page", lambda: None, ("Ctrl+H",))])
    commands.register(page, [Command("find", "Find", lambda: None, ("Ctrl+F",))])
    assert [each.id for each in commands.holders("home", "Ctrl+F")] == ["find"]
    assert commands.holders("find", "Ctrl+H") == []
    for frame in (window, page):
        frame.destroy()


def test_numbers_reach_39() -> None:
    assert (NUMBER_KEYS[1], NUMBER_KEYS[9], NUMBER_KEYS[10], NUMBER_KEYS[19]) == ("1", "9", "Ctrl+0", "Ctrl+9")
    assert (NUMBER_KEYS[20], NUMBER_KEYS[39]) == ("Alt+0", "Ctrl+Alt+9")
    assert sorted(NUMBER_KEYS) == list(range(1, 40))
