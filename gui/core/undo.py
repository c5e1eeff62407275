"""Undo and redo of what the window as a whole did: deleted things, imports, resets. The editor has its own, for boxes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from .errors import NoSpaceError, ReadOnlyError

DEPTH = 50


@dataclass(frozen=True, slots=True)
class Deed:
    """label: what was done, as a menu says it after "Undo": "Delete the category “Crow”"."""

    label: str
    undo: Callable[[], object]
    redo: Callable[[], object]


class UndoStack:
    """undo and redo run in the calling thread, which is the store's."""

    def __init__(self, depth: int = DEPTH) -> None:
        self._depth = depth
        self._lock = threading.RLock()
        self._done: list[Deed] = []
        self._undone: list[Deed] = []

    def push(self, label: str, undo: Callable[[], object], redo: Callable[[], object]) -> None:
        """After the deed is done. What was undone before can't be redone any more."""
        with self._lock:
            self._done.append(Deed(label, undo, redo))
            del self._done[: -self._depth]
            self._undone.clear()

    @property
    def undo_label(self) -> str | None:
        with self._lock:
            return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        with self._lock:
            return self._undone[-1].label if self._undone else None

    def undo(self) -> str | None:
        """The label of what was undone; None when there is nothing. Raises what the deed's undo raises."""
        return self._step(self._done, self._undone, lambda deed: deed.undo())

    def redo(self) -> str | None:
        return self._step(self._undone, self._done, lambda deed: deed.redo())

    def _step(self, source: list[Deed], target: list[Deed], act: Callable[[Deed], object]) -> str | None:
        # Not under the lock: a deed may take seconds, and the window asks for labels meanwhile.
        with self._lock:
            if not source:
                return None
            deed = source.pop()
        try:
            act(deed)
        except (NoSpaceError, ReadOnlyError):
            with self._lock:
                source.append(deed)  # possible again later; any other failure would block what lies below
            raise
        with self._lock:
            target.append(deed)
        return deed.label

    def clear(self) -> None:
        with self._lock:
            self._done.clear()
            self._undone.clear()
