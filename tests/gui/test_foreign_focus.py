"""Tk's own file chooser is made in Tcl: tkinter does not know its widgets, and the window has to live with that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .drive import button, texts


@pytest.fixture
def foreign(root: Any) -> Iterator[None]:
    """The keyboard is in a field that only Tcl knows."""
    root.tk.eval("entry .foreign; pack .foreign; update; focus -force .foreign; update")
    yield
    root.tk.eval("destroy .foreign")


def test_lists_and_dialogs_while_the_file_chooser_has_the_keyboard(
    open_app: Callable[..., Any], turn: Callable[..., None], root: Any, foreign: None
) -> None:
    app = open_app()
    root.tk.eval("focus -force .foreign; update")
    assert app.column.list.has_focus is False
    app.commands.run("keys")
    turn()
    app.failed(RuntimeError("a fault"))
    turn(lambda: any("could not finish" in text for text in texts(root)))
    button(root, "Close").invoke()
    turn()


def test_an_error_that_cannot_be_shown_does_not_end_the_window(
    open_app: Callable[..., Any], turn: Callable[..., None], root: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app()

    def broken(_error: BaseException) -> None:
        raise KeyError("nothing can be shown")

    monkeypatch.setattr(app, "failed", broken)
    app._callback_failed(RuntimeError, RuntimeError("a fault"), None)
