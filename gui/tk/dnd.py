"""Files dropped on the window from outside. Where the extension can't be loaded, drop areas are buttons."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LOADED = "studio_dnd"


def load(root: Any) -> bool:
    """Loads the extension into the root once; False where it can't be."""
    known = getattr(root, _LOADED, None)
    if known is None:
        try:
            from tkinterdnd2 import TkinterDnD

            TkinterDnD._require(root)
            known = True
        except (ImportError, RuntimeError, tk.TclError):
            known = False
        setattr(root, _LOADED, known)
    return bool(known)


def available(widget: tk.Misc) -> bool:
    return bool(getattr(widget.nametowidget("."), _LOADED, False))


def accept_files(widget: tk.Misc, dropped: Callable[[list[Path]], object], over: Callable[[bool], object] | None = None) -> bool:
    """Lets the widget take dropped files and folders; `over` is told when something hovers. False: not possible here.

    dropped gets no path at all where what was dropped are no files of this computer.
    """
    if not available(widget):
        return False
    from tkinterdnd2 import COPY, DND_FILES

    def hover(inside: bool) -> str:
        if over is not None:
            over(inside)
        return str(COPY)

    def drop(event: Any) -> str:
        hover(False)
        dropped(paths_of(widget, str(event.data)))
        return str(COPY)

    target: Any = widget
    target.drop_target_register(DND_FILES)
    target.dnd_bind("<<DropEnter>>", lambda _event: hover(True))
    target.dnd_bind("<<DropLeave>>", lambda _event: hover(False))
    target.dnd_bind("<<Drop>>", drop)
    return True


def paths_of(widget: tk.Misc, data: str) -> list[Path]:
    """The files of this computer in a drop's text, a Tcl list; names may hold spaces and braces.

    Addresses of other kinds (a picture out of a browser) are left out. tkdnd leaves the host in "file://localhost/...".
    """
    parts = [part.removeprefix("localhost") for part in widget.tk.splitlist(data)]
    return [Path(part) for part in parts if part.startswith("/")]
