"""The program's window as a person has it: found by what it shows, worked with real mouse and keyboard events.

Where things are is asked of the running program with Tk's `send`, which only a display with an authority file allows; therefore
these tests have an X server of their own. Nothing is changed that way: what is done goes through xdotool.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import struct
import subprocess
import sys
import time
import tkinter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 180.0
RETRY_S = 4.0
SIZE = "1440x900"

# Answers one Tcl command a line: {"app": name, "script": text} -> {"answer": text} or {"problem": text}.
_ASKER = """
import json, sys, tkinter
tk = tkinter.Tk().tk
tk.eval("wm withdraw .; tk appname darknet-studio-test")
for line in sys.stdin:
    asked = json.loads(line)
    try:
        app = asked["app"] or next(n for n in tk.splitlist(tk.eval("winfo interps")) if n != tk.eval("tk appname"))
        found = {"answer": str(tk.call("send", app, asked["script"]))}
    except (tkinter.TclError, StopIteration) as error:
        found = {"problem": str(error) or "there is no window"}
    print(json.dumps(found), flush=True)
"""

_TCL = tkinter.Tcl()  # only to read lists

# Every visible widget: class, text, left, top, width, height, and whether it is disabled; texts on canvases are things, too.
_LOOK = r"""
proc dk_look {w} {
    set found {}
    if {[winfo viewable $w]} {
        set text {}; set off 0
        catch {set text [$w cget -text]}
        if {[winfo class $w] in {TEntry Entry TCombobox}} {catch {set text [$w get]}}
        catch {set off [$w instate disabled]}
        set at [list [winfo rootx $w] [winfo rooty $w] [winfo width $w] [winfo height $w]]
        lappend found [list $w [winfo class $w] $text {*}$at $off]
        if {[winfo class $w] eq "Canvas"} {
            foreach item [$w find all] {
                if {[$w type $item] eq "text" && [$w itemcget $item -state] ne "hidden" && [$w bbox $item] ne {}} {
                    lassign [$w bbox $item] x0 y0 x1 y1
                    set left [expr {[winfo rootx $w] + int($x0 - [$w canvasx 0])}]
                    set top [expr {[winfo rooty $w] + int($y0 - [$w canvasy 0])}]
                    lappend found [list $w item [$w itemcget $item -text] $left $top [expr {$x1 - $x0}] [expr {$y1 - $y0}] 0]
                }
            }
        }
        if {[winfo class $w] eq "Listbox"} {
            for {set i 0} {$i < [$w index end]} {incr i} {
                if {[$w bbox $i] ne {}} {
                    lassign [$w bbox $i] x y width height
                    set at [list [expr {[winfo rootx $w] + $x}] [expr {[winfo rooty $w] + $y}] $width $height]
                    lappend found [list $w choice [$w get $i] {*}$at 0]
                }
            }
        }
        if {[winfo class $w] eq "Menu"} {
            for {set i 0} {$i <= [$w index last]} {incr i} {
                if {[$w type $i] in {command cascade radiobutton checkbutton}} {
                    set top [expr {[winfo rooty $w] + [$w yposition $i]}]
                    set off [expr {[$w entrycget $i -state] eq "disabled"}]
                    lappend found [list $w entry [$w entrycget $i -label] [winfo rootx $w] $top [winfo width $w] 18 $off]
                }
            }
        }
    }
    foreach child [winfo children $w] {lappend found {*}[dk_look $child]}
    return $found
}
dk_look .
"""


@dataclass(frozen=True)
class Thing:
    """What can be seen; place in pixels of the screen.

    kind: Tk's class, or "item" of a canvas, "entry" of a menu, "choice" of a list.
    """

    path: str
    kind: str
    text: str
    left: int
    top: int
    width: int
    height: int
    disabled: bool

    @property
    def middle(self) -> tuple[int, int]:
        return self.left + self.width // 2, self.top + self.height // 2


@contextlib.contextmanager
def own_display(folder: Path) -> Iterator[dict[str, str]]:
    """An X server with an authority file; gives the variables of the environment that lead to it."""
    program = shutil.which("Xvfb")
    if program is None or shutil.which("xdotool") is None:
        pytest.skip("real keys and mouse need an X server of the tests' own and xdotool (Debian and Ubuntu: xvfb, xdotool)")
    name, cookie = b"MIT-MAGIC-COOKIE-1", secrets.token_bytes(16)
    authority = folder / "authority"
    any_host = struct.pack(">HHH", 0xFFFF, 0, 0)
    authority.write_bytes(any_host + struct.pack(">H", len(name)) + name + struct.pack(">H", len(cookie)) + cookie)
    read_end, write_end = os.pipe()
    command = [program, "-displayfd", str(write_end), "-screen", "0", f"{SIZE}x24", "-nolisten", "tcp", "-auth", str(authority)]
    server = subprocess.Popen(command, pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    try:
        if not number:
            pytest.skip("Xvfb could not be started")
        yield {"DISPLAY": f":{number}", "XAUTHORITY": str(authority)}
    finally:
        server.terminate()
        server.wait(60)


class Window:
    """A program that is started on a library, killed and started again; one asker and one event log for all of it."""

    def __init__(self, folder: Path, display: dict[str, str], watched_by: Sequence[str] = ()) -> None:
        """watched_by: a program and its arguments that starts ours."""
        self._watched_by = watched_by
        self.library, self.log, self.said = folder / "library", folder / "events.jsonl", folder / "said.txt"
        self.environment = {**os.environ, **display, "DARKNET_STUDIO_EVENT_LOG": str(self.log), "HOME": str(folder / "home")}
        self.process: subprocess.Popen[bytes] | None = None
        self._asker = subprocess.Popen(
            [sys.executable, "-c", _ASKER], env=self.environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    # ---- the process -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        shown = len(self.events("screen"))
        with self.said.open("ab") as said:
            command = [*self._watched_by, sys.executable, "-m", "gui", "--library", str(self.library)]
            self.process = subprocess.Popen(command, env=self.environment, stderr=said, cwd=ROOT)
        self.until("the start page", lambda: len(self.events("screen")) > shown)
        self.focus(".")

    def kill(self) -> None:
        """kill -9: the power of the window alone is cut."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)
            self.process = None

    def close(self) -> None:
        self.kill()
        if self._asker.stdin is not None:
            self._asker.stdin.close()
        self._asker.wait(60)

    # ---- looking ---------------------------------------------------------------------------------------------------------

    def events(self, name: str) -> list[dict[str, Any]]:
        """Whole lines only: one may be half written when the window is killed."""
        text = self.log.read_text("utf-8") if self.log.exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def ask(self, script: str) -> str:
        """The answer of the program's Tcl; "" while there is none."""
        assert self._asker.stdin is not None and self._asker.stdout is not None
        self._asker.stdin.write(json.dumps({"app": "", "script": script}) + "\n")
        self._asker.stdin.flush()
        return str(json.loads(self._asker.stdout.readline()).get("answer", ""))

    def look(self) -> list[Thing]:
        rows = _split(self.ask(_LOOK))
        found = []
        for row in rows:
            path, kind, text, *place, off = _split(row)
            left, top, width, height = map(int, place)
            found.append(Thing(path, kind, " ".join(text.split()), left, top, width, height, off == "1"))
        return found

    def texts(self) -> list[str]:
        return [thing.text for thing in self.look() if thing.text]

    def find(self, text: str, kind: str = "", enabled: bool = False) -> Thing | None:
        """The last one drawn with this text (the start of it with "…" at the end)."""
        start = text[:-1] if text.endswith("…") and len(text) > 1 else None
        found = [
            thing
            for thing in self.look()
            if (thing.text == text or (start is not None and thing.text.startswith(start)))
            and kind in thing.kind
            and not (enabled and thing.disabled)
        ]
        return found[-1] if found else None

    def until(self, what: str, condition: Callable[[], Any]) -> Any:
        """Asks more and more seldom: the trainer is to have the processor, and looking costs the window some of it."""
        end, pause = time.monotonic() + WAIT_S, 0.05
        while True:
            found = condition()
            if found:
                return found
            if self.process is not None and self.process.poll() is not None:
                pytest.fail(f"the window ended while waiting for {what}: {self.said.read_text('utf-8')}")
            if time.monotonic() > end:
                pytest.fail(f"it did not happen within {WAIT_S} s: {what}; the window shows {self.texts()}")
            time.sleep(pause)
            pause = min(1.3 * pause, 0.7)

    def sees(self, text: str, kind: str = "", enabled: bool = False) -> Thing:
        """Waits for it."""
        found: Thing = self.until(f"“{text}” can be seen", lambda: self.find(text, kind, enabled))
        return found

    # ---- doing -----------------------------------------------------------------------------------------------------------

    def xdotool(self, *words: object) -> None:
        subprocess.run(["xdotool", *map(str, words)], env=self.environment, check=True)

    def focus(self, toplevel: str) -> None:
        """There is no window manager, so nobody else gives it the keyboard."""
        number = self.until("a window", lambda: self.ask(f"winfo id {toplevel}"))
        self.xdotool("windowfocus", "--sync", int(number, 16))

    def click(self, text: str, kind: str = "", number: int = 1) -> Thing:
        """What is shown, once it can be clicked and stands still."""
        before = None
        while before != (now := self.sees(text, kind, enabled=True)):
            before = now
            time.sleep(0.15)  # what is still being laid out moves meanwhile
        self.click_at(*now.middle, number=number)
        return now

    def click_at(self, x: int, y: int, number: int = 1) -> None:
        self.xdotool("mousemove", x, y, "click", number)

    def scroll_down(self, x: int, y: int) -> None:
        self.xdotool("mousemove", x, y, "click", "--repeat", 15, "--delay", 10, 5)

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        middle = (start[0] + end[0]) // 2, (start[1] + end[1]) // 2
        self.xdotool("mousemove", *start, "mousedown", 1, "mousemove", *middle, "mousemove", *end, "mouseup", 1)

    def keys(self, *names: str) -> None:
        self.xdotool("key", "--delay", 30, *names)

    def type(self, text: str) -> None:
        self.xdotool("type", "--delay", 15, text)

    def fill(self, field: Thing, text: str) -> None:
        """Replaces what is in a field."""

        def type_it(now: Thing) -> None:
            self.click_at(*now.middle)
            self.keys("End", "shift+Home")
            self.type(text)

        self.again_until(f"“{text}” in the field", field, type_it, lambda: self.at(field.path).text == text)

    def choose(self, field: Thing, text: str) -> None:
        """One of a field's choices."""
        self.again_until(f"the choice “{text}”", field, lambda now: self.click_at(*now.middle), lambda: self.find(text, "choice"))
        self.click(text, "choice")

    def again_until(self, what: str, thing: Thing, act: Callable[[Thing], None], done: Callable[[], Any]) -> None:
        """Does it where the thing is now and, as a person would, once more when the page moved below the pointer meanwhile."""
        tried = -RETRY_S

        def attempt() -> Any:
            nonlocal tried
            if done():
                return True
            if time.monotonic() - tried > RETRY_S:
                act(self.at(thing.path))
                tried = time.monotonic()
            return done()

        self.until(what, attempt)

    def at(self, path: str) -> Thing:
        """What is at a place in the window's tree, as it is now."""
        found: Thing = self.until(path, lambda: next((thing for thing in self.look() if thing.path == path), None))
        return found

    def field_of(self, text: str) -> Thing:
        """The field on the right of a label, or below it."""
        label = self.sees(text)

        def away(thing: Thing) -> float:
            return abs(thing.left - label.left) + 5 * abs(thing.middle[1] - label.middle[1])

        after = [t for t in self.look() if t.kind in ("TEntry", "TCombobox") and t.left >= label.left and t.top + 8 > label.top]
        return min(after, key=away)

    def choose_path(self, path: Path) -> None:
        """In the folder or file chooser of Tk: the whole path typed into its field."""
        field = self.until("the chooser", lambda: next((t for t in self.look() if t.path.endswith(".ent")), None))
        self.focus(field.path.split(".contents")[0])
        self.fill(field, str(path))
        self.click("OK", "Button")

        def gone() -> bool:
            return not any(t.path.endswith(".ent") for t in self.look())

        self.until("the folder", lambda: gone() or self.find(str(path), "Menubutton"))
        if not gone():  # it has only gone into the folder
            self.click("OK", "Button")
            self.until("it is chosen", gone)
        self.focus(".")


def _split(text: str) -> tuple[str, ...]:
    return tuple(map(str, _TCL.tk.splitlist(text)))
