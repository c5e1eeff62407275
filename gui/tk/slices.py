"""Long work on the Tk thread that can't be done elsewhere: a few milliseconds of it at every turn."""

from __future__ import annotations

import contextlib
import time
import tkinter as tk
from collections.abc import Callable, Iterable

_SLICE_S, _PAUSE_MS = 0.015, 10


class Slices:
    """One piece of work at a time; a new one takes the place of what is not done yet."""

    def __init__(self, root: tk.Misc) -> None:
        self._root = root
        self._timer: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is work that is not done yet."""
        return self._timer is not None

    def start(
        self,
        work: Iterable[Callable[[], object]],
        around: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
        ready: Callable[[], object] = lambda: None,
    ) -> None:
        """Calls all of work from the next turn on, then ready. around: entered in each turn and left before its end."""
        self.cancel()
        waiting = iter(work)

        def turn() -> None:
            self._timer = None
            end = time.monotonic() + _SLICE_S
            with around():
                for piece in waiting:
                    piece()
                    if time.monotonic() > end:
                        self._timer = self._root.after(_PAUSE_MS, turn)
                        return
            ready()

        self._timer = self._root.after(_PAUSE_MS, turn)

    def cancel(self) -> None:
        """What is not done yet never is."""
        if self._timer is not None:
            with contextlib.suppress(tk.TclError):
                self._root.after_cancel(self._timer)
            self._timer = None
