"""The errors of the bridge, and which class a status of the native side becomes.

The statuses are the C ABI's (native/include/darknet_bridge.h) and the exit codes of the program `darknet`.
Every message is made to be shown to a person: it names the file, line or device and what was expected.
"""

from __future__ import annotations

import os

STATUS_OK = 0
STATUS_STOPPED = 3
STATUS_BAD_INPUT = 10
STATUS_DEVICE = 11
STATUS_MEMORY = 12
STATUS_DISK = 13
STATUS_INTERNAL = 70


class DarknetError(Exception):
    """Base of every error raised by darknet_bridge on purpose."""

    status = STATUS_INTERNAL


class FormatError(DarknetError):
    """A file or an argument is wrong. `path` and `line` (from 1) are set where they are known."""

    status = STATUS_BAD_INPUT

    def __init__(self, message: str, path: str | None = None, line: int | None = None) -> None:
        place = "" if path is None else shown(path) + (": " if line is None else f":{line}: ")
        super().__init__(place + message)
        self.path = path
        self.line = line


class UnsupportedError(FormatError):
    """Well formed, but not something this program does (a layer type, an image format)."""


class DeviceError(DarknetError):
    """The asked-for device can't be used; the message says why."""

    status = STATUS_DEVICE


class OutOfMemoryError(DarknetError):
    """The plan does not fit the memory given."""

    status = STATUS_MEMORY


class CancelledError(DarknetError):
    """Stopped because somebody asked for it."""

    status = STATUS_STOPPED


class DiskError(DarknetError):
    """Reading or writing failed (full, read-only, taken away). `path` is the file concerned."""

    status = STATUS_DISK

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message if path is None else f"{shown(path)}: {message}")
        self.path = path


class DownloadError(DiskError):
    """The network or the server failed; what was received is kept for the next attempt."""


class LibraryError(DarknetError):
    """The native library or program is missing, too old, or was built for another machine."""


class InternalError(DarknetError):
    """A fault of the native side itself: please report it with the message."""


_BY_STATUS: dict[int, type[DarknetError]] = {
    STATUS_STOPPED: CancelledError,
    STATUS_BAD_INPUT: FormatError,
    STATUS_DEVICE: DeviceError,
    STATUS_MEMORY: OutOfMemoryError,
    STATUS_DISK: DiskError,
    STATUS_INTERNAL: InternalError,
}


def error_for_status(status: int, message: str) -> DarknetError:
    """The exception (not raised) that stands for a native status; unknown ones become InternalError."""
    return _BY_STATUS.get(status, InternalError)(message)


def shown(path: str | bytes | os.PathLike[str]) -> str:
    """A path as it can be printed anywhere: one line, undecodable bytes and control characters as escapes."""
    text = os.fsdecode(path)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def reason(error: OSError) -> str:
    """The operating system's word for what went wrong, without the path."""
    return error.strerror or type(error).__name__
