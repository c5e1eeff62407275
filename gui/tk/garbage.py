"""Collects garbage on the Tk thread only.

Python collects cycles in whichever thread happens to allocate. A Tk image or variable in such a cycle then calls Tk from that
thread and waits for the Tk thread, for ever if that one waits for a lock the first holds (an import, for example).
So the automatic collection is off while a window lives, and the window's thread does the same work between two turns.
"""

from __future__ import annotations

import gc
import time
import tkinter as tk
from contextlib import suppress

PERIOD_MS = 200
_FULL_SHARE = 0.02  # of the time at most goes into full collections


class GarbageCollector:
    """start and stop on the Tk thread. Several may run; the last one that stops leaves Python's own collection on again."""

    _running = 0

    def __init__(self, root: tk.Misc) -> None:
        self._root = root
        self._timer: str | None = None
        self._full_at = 0.0

    def start(self) -> None:
        if self._timer is None:
            GarbageCollector._running += 1
            gc.disable()
            gc.freeze()  # the modules and classes of the program: a full collection need not look at them again and again
            self._timer = self._root.after(PERIOD_MS, self._turn)

    def stop(self) -> None:
        if self._timer is None:
            return
        with suppress(tk.TclError):
            self._root.after_cancel(self._timer)
        self._timer = None
        GarbageCollector._running -= 1
        if not GarbageCollector._running:
            gc.unfreeze()
            gc.collect()
            gc.enable()

    def _turn(self) -> None:
        self._timer = self._root.after(PERIOD_MS, self._turn)
        (youngest, middle, oldest), limits = gc.get_count(), gc.get_threshold()
        now = time.monotonic()
        if oldest > limits[2] and now >= self._full_at:
            gc.collect()
            took = time.monotonic() - now
            self._full_at = now + took / _FULL_SHARE
        elif middle > limits[1]:
            gc.collect(1)
        elif youngest > limits[0]:
            gc.collect(0)
