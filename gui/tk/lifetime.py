"""What must end with a widget: its timers, the variables it watches, what it bound elsewhere. Only here Tk is asked for these.

Tk itself ends none of them. Worse, tkinter takes the command of a timer away with the widget that it was asked of, and names
commands after addresses that are soon given out again: a timer that outlives its widget runs whatever has got the address since,
such as a button's command. So timers are the root's here, and are cancelled when their widget goes.
"""

from __future__ import annotations

import contextlib
import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_ENDS = "studio_ends"


@dataclass
class _Ends:
    """What is called when one widget goes."""

    calls: dict[object, Callable[[], object]] = field(default_factory=dict)
    gone: bool = False


def at_end(widget: tk.Misc, call: Callable[[], object]) -> Callable[[], object]:
    """Calls when the widget is destroyed, at once where it is gone already. Returns what makes it forget the call."""
    ends: _Ends | None = getattr(widget, _ENDS, None)
    if ends is None:
        ends = _Ends()
        setattr(widget, _ENDS, ends)
        try:
            widget.bind("<Destroy>", lambda event: _end(widget) if event.widget is widget else None, add="+")
        except tk.TclError:
            ends.gone = True
    key, calls = object(), ends.calls
    calls[key] = call
    if ends.gone:
        _end(widget)
    return lambda: calls.pop(key, None)


def _end(widget: tk.Misc) -> None:
    """The newest first, as what is built last stands on what was there."""
    ends: _Ends = getattr(widget, _ENDS)
    ends.gone = True
    while ends.calls:
        _key, call = ends.calls.popitem()
        with contextlib.suppress(tk.TclError):  # the whole program may be on its way out
            call()


class Timer:
    """One call that is to come. Build with later() or when_idle()."""

    def __init__(self, widget: tk.Misc, ms: int | None, call: Callable[[], object]) -> None:
        self._root: Any = widget.nametowidget(".")
        self._id: str | None = None

        def due() -> None:
            self._id = None
            self._forget()
            call()

        self._id = self._root.after_idle(due) if ms is None else self._root.after(ms, due)
        self._forget: Callable[[], object] = lambda: None
        self._forget = at_end(widget, self.cancel)

    def cancel(self) -> None:
        """Also when it was called already."""
        self._forget()
        if self._id is not None:
            self._root.after_cancel(self._id)
            self._id = None


def later(widget: tk.Misc, ms: int, call: Callable[[], object]) -> Timer:
    """Calls once, unless the widget is gone by then."""
    return Timer(widget, ms, call)


def when_idle(widget: tk.Misc, call: Callable[[], object]) -> Timer:
    """Calls once when Tk has nothing else to do, unless the widget is gone by then."""
    return Timer(widget, None, call)


def watch(widget: tk.Misc, variable: tk.Variable, call: Callable[[], object]) -> None:
    """Calls whenever the variable is written, as long as the widget lives."""
    name = variable.trace_add("write", lambda *_args: call())
    at_end(widget, lambda: variable.trace_remove("write", name))


def bind_elsewhere(owner: tk.Misc, place: tk.Misc | str, sequence: str, handler: Callable[[tk.Event[tk.Misc]], object]) -> None:
    """Binds at another widget, or at "all", as long as the owner lives. Raises TclError for a sequence that Tk does not know."""
    target: Any = owner.nametowidget(".") if isinstance(place, str) else place
    tag = place if isinstance(place, str) else str(place)
    name = target.bind_all(sequence, handler, add="+") if isinstance(place, str) else target.bind(sequence, handler, add="+")

    def take_away() -> None:
        """tkinter's own unbind would take away all of the sequence."""
        lines = str(owner.tk.call("bind", tag, sequence)).splitlines()
        owner.tk.call("bind", tag, sequence, "\n".join(line for line in lines if line and f"[{name} " not in line))
        target.deletecommand(name)

    at_end(owner, take_away)
