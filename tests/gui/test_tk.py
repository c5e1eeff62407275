"""Pump, tasks, commands, theme: the plumbing under every screen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from tkinter import ttk
from typing import Any

import pytest

from darknet_bridge.errors import CancelledError

from . import drive

Turn = Callable[..., None]


def test_posts_from_threads_arrive_in_order_on_the_tk_thread(root: Any, turn: Turn) -> None:
    from gui.tk.pump import Pump

    pump, seen, main = Pump(root), [], threading.get_ident()
    pump.start()

    def post() -> None:
        for number in range(500):
            pump.post(lambda number=number: seen.append((number, threading.get_ident())))

    thread = threading.Thread(target=post)
    thread.start()
    turn(lambda: len(seen) == 500)
    thread.join()
    pump.stop()
    assert seen == [(number, main) for number in range(500)]


def test_garbage_with_tk_objects_is_collected_on_the_tk_thread(tasks: Any, turn: Turn) -> None:
    collected_on: list[int] = []

    class Picture:
        """Like an image of Tk: its end must come on the Tk thread."""

        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            collected_on.append(threading.get_ident())

    def work(_progress: Any) -> int:
        return len([[number] for number in range(200_000)])  # enough for Python's own collection, were it on

    for _ in range(2000):
        Picture()
    done: list[int] = []
    tasks.background(work, done.append)
    turn(lambda: done and collected_on, "the collection")
    assert set(collected_on) == {threading.get_ident()}


def test_a_long_turn_is_reported(root: Any, turn: Turn) -> None:
    from gui.tk.pump import Pump

    stalls: list[float] = []
    pump = Pump(root, stalls.append)
    pump.start()
    turn()
    root.after(1, lambda: time.sleep(0.4))
    turn(lambda: stalls)
    pump.stop()
    assert max(stalls) > 250


def test_store_work_runs_in_order_on_one_thread(tasks: Any, turn: Turn) -> None:
    threads, results = [], []
    for number in range(20):

        def work(number: int = number) -> int:
            threads.append(threading.get_ident())
            return number

        tasks.store(work, results.append)
    turn(lambda: len(results) == 20)
    assert results == list(range(20))
    assert len(set(threads)) == 1 and threads[0] != threading.get_ident()
    nested: list[int] = []
    tasks.background(lambda _progress: tasks.run_store(lambda: tasks.run_store(lambda: 7)), nested.append)
    turn(lambda: nested)
    assert nested == [7]


def test_cancelling_and_destroyed_owners(tasks: Any, turn: Turn, root: Any) -> None:
    started, failures, shown = threading.Event(), [], []

    def endless(progress: Any) -> None:
        for count in range(10**6):
            progress(count, 10**6, "Importing…")
            started.set()
            time.sleep(0.001)

    task = tasks.background(endless, failed=failures.append, progress=lambda *figures: shown.append(figures))
    turn(lambda: shown)
    task.cancel()
    turn(lambda: failures)
    assert isinstance(failures[0], CancelledError)
    owner = ttk.Frame(root)
    late: list[int] = []
    gate = threading.Event()
    task = tasks.background(lambda _progress: gate.wait(60), late.append, owner=owner)
    owner.destroy()
    gate.set()
    turn(lambda: not task.active)
    assert late == []


@pytest.mark.parametrize(
    ("keysym", "state", "name"),
    [
        ("z", 0x4, "Ctrl+Z"),
        ("Z", 0x5, "Ctrl+Shift+Z"),
        ("space", 0, "Space"),
        ("q", 0x2, "Q"),
        ("Q", 0x1, "Shift+Q"),
        ("F1", 0, "F1"),
        ("KP_3", 0x10, "3"),
        ("plus", 0x1, "+"),
        ("comma", 0x4, "Ctrl+,"),
        ("Left", 0x1, "Shift+Left"),
    ],
)
def test_names_of_keys(keysym: str, state: int, name: str) -> None:
    from gui.tk.commands import key_of

    assert key_of(keysym, state) == name


def test_commands_by_key_and_not_in_a_text_field(root: Any, place: Any, theme: Any, turn: Turn) -> None:
    from gui.tk.commands import Command, Commands

    done, refused = [], []
    reason: list[str | None] = [None]
    commands = Commands(place, refused.append)
    commands.register(
        place,
        [
            Command("submit", "Submit", lambda: done.append("submit"), ("Space",), lambda: reason[0]),
            Command("undo", "Undo", lambda: done.append("undo"), ("Ctrl+Z",)),
        ],
    )
    field = ttk.Entry(place)
    field.pack()
    canvas = theme.canvas(place, takefocus=1)
    canvas.pack()
    turn()
    canvas.focus_force()
    turn(lambda: root.focus_get() is canvas)
    drive.key(root, "<KeyPress-space>")
    drive.key(root, "<Control-KeyPress-z>")
    assert done == ["submit", "undo"]
    field.focus_force()
    turn(lambda: root.focus_get() is field)
    drive.key(root, "<KeyPress-space>")
    turn()
    assert done == ["submit", "undo"] and field.get() == " "
    reason[0] = "Draw a box first."
    assert not commands.run("submit")
    assert refused == ["Draw a box first."]


def test_theme_switches_while_the_window_runs(root: Any, place: Any, theme: Any, turn: Turn) -> None:
    from gui.widgets.controls import button, card, label

    outer, inner = card(place, theme)
    outer.pack()
    label(inner, theme, "Muted", "Muted").pack()
    button(inner, theme, "Go", lambda: None, kind="Primary", icon="plus-lg").pack()
    colours: list[str] = []
    theme.follow(inner, lambda: colours.append(theme.colour("card")))
    turn()
    theme.use("light")
    turn()
    style = ttk.Style(root)
    assert style.lookup("Muted.Card.TLabel", "background") == theme.colour("card")
    assert style.lookup("Primary.Card.TButton", "foreground") == theme.colour("on_primary")
    theme.use("dark")
    turn()
    assert colours[0] == colours[2] != colours[1]


def test_a_size_is_prepared_beside_what_is_shown_and_the_last_wish_counts(root: Any, theme: Any, turn: Turn) -> None:
    style, ready, turns = ttk.Style(root), [], []
    shown, scaling = style.theme_use(), root.tk.call("tk", "scaling")

    def look() -> None:
        turns.append((style.theme_use(), root.tk.call("tk", "scaling")))
        if not ready:
            root.after(1, look)

    look()
    theme.prepare("dark", 1.75, lambda: ready.append(1.75))
    turn(lambda: len(turns) > 3)
    theme.prepare("light", 1.1, lambda: ready.append(1.1))
    turn(lambda: ready)
    theme.prepare("light", 1.1, lambda: ready.append("at once"))
    assert ready == [1.1, "at once"], "the first was overtaken"
    assert set(turns) == {(shown, scaling)}, "nothing of it is seen before it is used"
    padding = style.lookup("Primary.TButton", "padding")
    theme.use("light", 1.1)
    assert style.lookup("Primary.TButton", "padding") != padding
    assert style.lookup("Primary.TButton", "foreground") == theme.colour("on_primary")
    theme.use("dark", 1.0)
    assert style.lookup("Primary.TButton", "padding") == padding


def test_what_is_prepared_in_good_time_takes_no_wish_away(theme: Any, turn: Turn) -> None:
    """A look that was chosen in the first second after the start was never shown."""
    ready: list[float] = []
    theme.prepare("dark", 1.25, lambda: ready.append(1.25))
    theme.prepare_other_mode()
    turn(lambda: ready)


def _ratio(a: str, b: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("mode", ["dark", "light"])
def test_texts_can_be_read(mode: str) -> None:
    """WCAG AA for small text: 4.5 on every surface that it stands on."""
    from gui.tk.tokens import PALETTES

    palette = PALETTES[mode]
    pairs = [(ink, ground) for ink in ("text", "muted", "faint") for ground in ("window", "chrome", "card")]
    pairs += [("on_primary", "primary"), ("on_success", "success"), ("selected_text", "selected"), ("danger", "card")]
    pairs += [("warning", "card"), ("accent", "card"), ("on_tooltip", "tooltip"), ("positive", "card")]
    weak = [
        (ink, ground, round(_ratio(palette[ink], palette[ground]), 2))
        for ink, ground in pairs
        if _ratio(palette[ink], palette[ground]) < 4.5
    ]
    assert weak == []


def test_both_palettes_have_the_same_names() -> None:
    from gui.tk.tokens import DARK, LIGHT

    assert DARK.keys() == LIGHT.keys()


def test_paths_of_a_drop(root: Any) -> None:
    from gui.tk.dnd import paths_of

    names = [str(path) for path in paths_of(root, "{/tmp/my photos} /tmp/a.jpg {/tmp/ö {x}.png}")]
    assert names == ["/tmp/my photos", "/tmp/a.jpg", "/tmp/ö {x}.png"]
