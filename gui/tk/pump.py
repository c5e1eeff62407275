"""The way from other threads to Tk: a queue that one `after` loop empties.

Nothing here calls Tk from another thread: `post` only puts into the queue. The loop also notices when Tk was held up, because
then it comes late. While it runs, garbage is collected on the Tk thread (see garbage).
"""

from __future__ import annotations

import contextlib
import queue
import sys
import time
import tkinter as tk
from collections.abc import Callable

from .garbage import GarbageCollector

PERIOD_MS = 33
BUDGET_MS = 8.0
STALL_MS = 100.0
_SWITCH_S = 0.001  # how long a thread may keep Python to itself: Tk asks for it several times a turn, and waits each time


class Pump:
    """Calls on the Tk thread what other threads post, at most BUDGET_MS a turn."""

    def __init__(self, root: tk.Misc, stalled: Callable[[float], None] | None = None) -> None:
        """stalled is told the length in ms of a Tk turn that was longer than STALL_MS."""
        self._root = root
        self._stalled = stalled
        self._queue: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._timer: str | None = None
        self._last = 0.0
        self._garbage = GarbageCollector(root)

    def post(self, call: Callable[[], object]) -> None:
        """From any thread: call it soon on the Tk thread, in the order of posting."""
        self._queue.put(call)

    def start(self) -> None:
        if self._timer is None:
            sys.setswitchinterval(_SWITCH_S)
            self._last = time.monotonic()
            self._timer = self._root.after(PERIOD_MS, self._turn)
            self._garbage.start()

    def stop(self) -> None:
        """What is still in the queue is dropped."""
        if self._timer is not None:
            with contextlib.suppress(tk.TclError):
                self._root.after_cancel(self._timer)
            self._timer = None
            self._garbage.stop()

    def drain(self) -> None:
        """Everything that is queued now, for the end of the program and for tests."""
        while self._step():
            pass

    def _turn(self) -> None:
        late_ms = (time.monotonic() - self._last) * 1000 - PERIOD_MS
        if late_ms > STALL_MS and self._stalled is not None:
            self._stalled(late_ms)
        self._timer = self._root.after(PERIOD_MS, self._turn)
        end = time.monotonic() + BUDGET_MS / 1000
        try:
            while time.monotonic() < end and self._step():
                pass
        finally:
            self._last = time.monotonic()

    def _step(self) -> bool:
        try:
            call = self._queue.get_nowait()
        except queue.Empty:
            return False
        try:
            call()
        except tk.TclError as error:
            # A widget that went away between posting and calling is not a fault.
            if "invalid command name" not in str(error) and "application has been destroyed" not in str(error):
                raise
        return True
