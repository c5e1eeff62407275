"""One X server, one Tk root and any number of windows on it for the whole test run.

The server is a virtual one where there is Xvfb, so that tests move no pointer of a person and pictures come out alike; else the
display of the session. Where neither is there these tests are skipped with the reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import tkinter as tk
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .drive import texts

WAIT_S = 120.0  # only what never happens takes as long: others may be at work on this machine


def _start_xvfb() -> tuple[subprocess.Popen[bytes], str]:
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("no DISPLAY, and no Xvfb to make one (Debian and Ubuntu: xvfb)")
    read_end, write_end = os.pipe()
    command = [program, "-displayfd", str(write_end), "-screen", "0", "1440x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(write_end,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    if not number:
        server.wait(60)
        pytest.skip("Xvfb could not be started")
    return server, f":{number}"


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    before = os.environ.get("DISPLAY")
    server = None
    if not before or shutil.which("Xvfb"):
        server, os.environ["DISPLAY"] = _start_xvfb()
    yield os.environ["DISPLAY"]
    if server is not None:
        if before is None:
            del os.environ["DISPLAY"]
        else:
            os.environ["DISPLAY"] = before
        server.terminate()
        server.wait(60)


@pytest.fixture
def own_display() -> Iterator[str]:
    """A server for programs of their own, whose keyboard the root of this process does not get."""
    server, name = _start_xvfb()
    yield name
    server.terminate()
    server.wait(60)


@pytest.fixture(scope="session")
def root(display: str) -> Iterator[Any]:
    """The one root; its Style is a singleton of the process."""
    shell = pytest.importorskip("gui.tk.shell", reason="the window needs Tk (Debian and Ubuntu: python3-tk)")
    made = shell.Root()
    made.geometry("1440x900+0+0")
    made.deiconify()
    made.studio_test_errors = []
    made.report_callback_exception = lambda _kind, error, _trace: made.studio_test_errors.append(error)
    made.tk.createcommand("tkerror", made.studio_test_errors.append)  # what Tk itself can't do, such as a command that is gone
    yield made
    made.destroy()


@pytest.fixture(autouse=True)
def no_error_in_callbacks(request: pytest.FixtureRequest) -> Iterator[None]:
    """What goes wrong behind a test's back may spoil another test instead: it counts where it happens."""
    yield
    if "root" in request.fixturenames:
        root = request.getfixturevalue("root")
        errors, root.studio_test_errors[:] = list(root.studio_test_errors), []
        assert errors == []


@pytest.fixture
def turn(root: Any) -> Callable[..., None]:
    """turn(condition): lets Tk work until it holds, at most WAIT_S; turn() works off what is waiting."""

    def work(condition: Callable[[], object] | None = None, what: str = "") -> None:
        end = time.monotonic() + WAIT_S
        while True:
            root.update()
            if condition is None or condition():
                return
            if time.monotonic() > end:
                pytest.fail(f"it did not happen within {WAIT_S} s: {what or condition}; to be read: {texts(root)}")
            time.sleep(0.01)

    return work


@pytest.fixture
def theme(root: Any) -> Iterator[Any]:
    from gui.tk.theme import Theme

    known = getattr(root, "studio_test_theme", None)
    if known is None:
        known = Theme(root, "dark", 1.0)
        root.studio_test_theme = known
    known.mode, known.scale = "dark", 1.0
    known._apply()  # another window may have changed the root's theme
    yield known


@pytest.fixture
def place(root: Any) -> Iterator[tk.Frame]:
    """An empty frame that fills the window, for single widgets."""
    from tkinter import ttk

    frame = ttk.Frame(root)
    frame.pack(fill="both", expand=True)
    yield frame
    frame.destroy()


@pytest.fixture
def tasks(root: Any) -> Iterator[Any]:
    from gui.tk.pump import Pump
    from gui.tk.tasks import Tasks

    errors: list[BaseException] = []
    pump = Pump(root)
    pump.start()
    made = Tasks(pump, errors.append)
    yield made
    made.close()
    pump.stop()
    assert errors == []


@pytest.fixture
def open_app(
    root: Any, turn: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """open_app(folder=None) -> App on the one root, with its event log in `app.events()`."""
    from gui.app import App
    from gui.core.workspace import Workspace

    log = tmp_path / "events.jsonl"
    monkeypatch.setenv("DARKNET_STUDIO_EVENT_LOG", str(log))
    opened: list[Any] = []

    def make(folder: Path | None = None) -> Any:
        app = App(Workspace.open(folder or tmp_path / "library"), root)
        shown = app._callback_failed

        def failed(kind: type[BaseException], error: BaseException, trace: object) -> None:
            root.studio_test_errors.append(error)
            shown(kind, error, trace)

        monkeypatch.setattr(root, "report_callback_exception", failed)
        app.events = lambda: log.read_text("utf-8").splitlines() if log.exists() else []  # type: ignore[attr-defined]
        app.start()
        opened.append(app)
        turn(lambda: app.router.current is not None)
        root.focus_force()
        turn()
        return app

    yield make
    for app in opened:
        if app.shell.winfo_exists():
            app.close()
    # A dialog that a failed test left behind would keep the keyboard of all tests after it.
    for left in root.winfo_children():
        left.destroy()
    turn()
