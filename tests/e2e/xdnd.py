"""Another program from which files are dragged: the source's side of XDND version 5, on nothing but libX11.

    python -m tests.e2e.xdnd X Y ADDRESS...

Moves the pointer to a place of the screen and says "takes" or "refuses", as the window there answers; with a line on its
input it lets go, and says "dropped" once the window has fetched the addresses (file:///..., as file managers write them).
"""

from __future__ import annotations

import ctypes as c
import sys
import time

_VERSION = 5
_CLIENT_MESSAGE, _SELECTION_REQUEST, _SELECTION_NOTIFY = 33, 30, 31
_WAIT_S = 120.0


class _Message(c.Structure):
    """XClientMessageEvent."""

    _fields_ = [
        *[("kind", c.c_int), ("serial", c.c_ulong), ("sent", c.c_int), ("display", c.c_void_p)],
        *[("window", c.c_ulong), ("message", c.c_ulong), ("format", c.c_int), ("data", c.c_long * 5)],
    ]


class _Request(c.Structure):
    """XSelectionRequestEvent."""

    _fields_ = [
        *[("kind", c.c_int), ("serial", c.c_ulong), ("sent", c.c_int), ("display", c.c_void_p), ("owner", c.c_ulong)],
        *[("requestor", c.c_ulong), ("selection", c.c_ulong), ("target", c.c_ulong), ("property", c.c_ulong)],
        ("time", c.c_ulong),
    ]


class _Answer(c.Structure):
    """XSelectionEvent."""

    _fields_ = [
        *[("kind", c.c_int), ("serial", c.c_ulong), ("sent", c.c_int), ("display", c.c_void_p), ("requestor", c.c_ulong)],
        *[("selection", c.c_ulong), ("target", c.c_ulong), ("property", c.c_ulong), ("time", c.c_ulong)],
    ]


class _Event(c.Union):
    _fields_ = [("kind", c.c_int), ("message", _Message), ("request", _Request), ("answer", _Answer), ("room", c.c_long * 24)]


class Source:
    """Raises RuntimeError where the window does not answer."""

    def __init__(self, addresses: list[str]) -> None:
        self._x = c.CDLL("libX11.so.6")
        for name, result in (("XOpenDisplay", c.c_void_p), ("XInternAtom", c.c_ulong), ("XDefaultRootWindow", c.c_ulong)):
            getattr(self._x, name).restype = result
        self._x.XCreateSimpleWindow.restype = c.c_ulong
        self._display = c.c_void_p(self._x.XOpenDisplay(None))
        self._root = c.c_ulong(self._x.XDefaultRootWindow(self._display))
        self._own = c.c_ulong(self._x.XCreateSimpleWindow(self._display, self._root, 0, 0, 1, 1, 0, c.c_ulong(), c.c_ulong()))
        self._content = "".join(f"{address}\r\n" for address in addresses).encode()
        self._x.XSetSelectionOwner(self._display, self._atom("XdndSelection"), self._own, c.c_ulong())

    def enter(self, x: int, y: int) -> bool:
        """Whether the window there would take it."""
        self._x.XWarpPointer(self._display, c.c_ulong(), self._root, 0, 0, 0, 0, x, y)
        self._target = self._aware(x, y)
        self._send("XdndEnter", _VERSION << 24, self._atom("text/uri-list").value)
        taken = False
        for shift in (2, 1, 0):  # windows see a move, not one place
            self._send("XdndPosition", 0, (x + shift) << 16 | y, 0, self._atom("XdndActionCopy").value)
            taken = bool(self._wait("XdndStatus").data[1] & 1)
        return taken

    def drop(self) -> bool:
        """Whether the window says that it has taken it."""
        self._send("XdndDrop")
        # By the action that it names: tkdnd puts its "yes" into another bit than the protocol says.
        return bool(self._wait("XdndFinished").data[2] == self._atom("XdndActionCopy").value)

    def _atom(self, name: str) -> c.c_ulong:
        return c.c_ulong(self._x.XInternAtom(self._display, name.encode(), 0))

    def _aware(self, x: int, y: int) -> c.c_ulong:
        """The window at a place of the screen that takes part in XDND."""
        here, child, at = self._root, c.c_ulong(), (c.c_int(), c.c_int())
        while True:
            self._x.XTranslateCoordinates(self._display, self._root, here, x, y, c.byref(at[0]), c.byref(at[1]), c.byref(child))
            if not child.value:
                raise RuntimeError("no window here takes part")
            here = c.c_ulong(child.value)
            kind, size, count, left, data = c.c_ulong(), c.c_int(), c.c_ulong(), c.c_ulong(), c.c_void_p()
            found = [c.byref(each) for each in (kind, size, count, left, data)]
            everything = (c.c_long(0), c.c_long(1), 0, c.c_ulong(0))
            self._x.XGetWindowProperty(self._display, here, self._atom("XdndAware"), *everything, *found)
            if kind.value:
                return here

    def _send(self, name: str, *data: int) -> None:
        event = _Event()
        message = event.message
        message.kind, message.window, message.message = _CLIENT_MESSAGE, self._target.value, self._atom(name).value
        message.format, message.data[0] = 32, self._own.value
        for place, value in enumerate(data, 1):
            message.data[place] = value
        self._x.XSendEvent(self._display, self._target, 0, c.c_long(0), c.byref(event))
        self._x.XFlush(self._display)

    def _wait(self, name: str) -> _Message:
        """For a message of the window; meanwhile it gets what it asks for."""
        event, wanted, end = _Event(), self._atom(name).value, time.monotonic() + _WAIT_S
        while time.monotonic() < end:
            if not self._x.XPending(self._display):
                time.sleep(0.005)
                continue
            self._x.XNextEvent(self._display, c.byref(event))
            if event.kind == _SELECTION_REQUEST:
                self._give(event.request)
            elif event.kind == _CLIENT_MESSAGE and event.message.message == wanted:
                return _Message.from_buffer_copy(event.message)
        raise RuntimeError(f"the window did not send {name}")

    def _give(self, request: _Request) -> None:
        where = (c.c_ulong(request.requestor), c.c_ulong(request.property), c.c_ulong(request.target))
        known = request.target == self._atom("text/uri-list").value
        if known:
            self._x.XChangeProperty(self._display, *where, 8, 0, self._content, len(self._content))
        event = _Event()
        answer = event.answer
        answer.kind, answer.requestor, answer.selection = _SELECTION_NOTIFY, request.requestor, request.selection
        answer.target, answer.property, answer.time = request.target, request.property if known else 0, request.time
        self._x.XSendEvent(self._display, where[0], 0, c.c_long(0), c.byref(event))
        self._x.XFlush(self._display)


if __name__ == "__main__":
    source = Source(sys.argv[3:])
    print("takes" if source.enter(int(sys.argv[1]), int(sys.argv[2])) else "refuses", flush=True)
    sys.stdin.readline()
    print("dropped" if source.drop() else "not taken", flush=True)
