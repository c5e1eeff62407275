"""Changes reach every subscriber; undo and redo go back and forth, and one failure does not block the rest."""

from __future__ import annotations

import pytest

from gui.core.changes import Changes
from gui.core.errors import ConflictError, NoSpaceError
from gui.core.undo import DEPTH, UndoStack


def test_changes() -> None:
    changes = Changes()
    heard: list[frozenset[str]] = []

    def fails(topics: frozenset[str]) -> None:
        raise ValueError("one screen is broken")

    changes.subscribe(fails)
    stop = changes.subscribe(heard.append)
    with pytest.raises(ValueError, match="broken"):
        changes.publish("datasets", "dataset:3")
    assert heard == [frozenset({"datasets", "dataset:3"})]
    stop()
    stop()
    changes.publish()
    with pytest.raises(ValueError, match="broken"):
        changes.publish("runs")
    assert len(heard) == 1


def test_undo_and_redo() -> None:
    stack, done = UndoStack(), ["a", "b"]
    assert (stack.undo(), stack.redo(), stack.undo_label) == (None, None, None)
    stack.push("Add a", lambda: done.remove("a"), lambda: done.append("a"))
    stack.push("Add b", lambda: done.remove("b"), lambda: done.append("b"))
    assert stack.undo_label == "Add b"
    assert (stack.undo(), stack.undo(), done) == ("Add b", "Add a", [])
    assert (stack.redo_label, stack.redo(), done) == ("Add a", "Add a", ["a"])
    stack.push("Add c", lambda: None, lambda: None)
    assert stack.redo_label is None
    stack.clear()
    assert stack.undo_label is None


def test_at_least_thirty_steps_are_kept() -> None:
    stack = UndoStack()
    for number in range(DEPTH + 5):
        stack.push(str(number), lambda: None, lambda: None)
    undone = [stack.undo() for _ in range(DEPTH + 1)]
    assert undone[0] == str(DEPTH + 4)
    assert undone[-2:] == ["5", None]
    assert DEPTH >= 30


def test_a_deed_that_failed_for_want_of_space_can_be_undone_later() -> None:
    stack, full = UndoStack(), [True]

    def undo() -> None:
        if full[0]:
            raise NoSpaceError("full")

    def gone() -> None:
        raise ConflictError("gone")

    stack.push("Below", undo, lambda: None)
    stack.push("Gone", gone, lambda: None)
    with pytest.raises(ConflictError):
        stack.undo()
    with pytest.raises(NoSpaceError):
        stack.undo()
    full.clear()
    full.append(False)
    assert stack.undo() == "Below"
