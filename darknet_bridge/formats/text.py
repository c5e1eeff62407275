"""What Darknet's text files have in common: size caps, byte order marks, line ends, and bytes that are no UTF-8.

Text is decoded so that every byte comes back when it is written again (surrogateescape): paths are bytes on disk,
and a list must name the file that is there.
"""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

from ..errors import DiskError, FormatError, reason
from .atomic import StrPath

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_regular_file(path: StrPath, max_bytes: int, what: str) -> bytes:
    """The bytes of a regular file of at most max_bytes. FormatError for what can't be one, DiskError for failures."""
    name = os.fsdecode(path)
    with open_regular(name) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise FormatError(f"{size:,} bytes; {what} has at most {max_bytes:,}", name)
        try:
            return file.read(max_bytes + 1)[:max_bytes]
        except OSError as error:
            raise DiskError(f"can't read: {reason(error)}", name) from error


def open_regular(name: str) -> BinaryIO:
    """A regular file open for reading. Never waits for a pipe or a device: FormatError for those and for what is missing."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise FormatError(f"can't open: {why}", name) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FormatError("not a regular file", name)
    return os.fdopen(descriptor, "rb")


def split_lines(content: bytes, name: str) -> list[bytes]:
    """The lines without LF or CR LF and without a UTF-8 mark. A zero byte or UTF-16 is a FormatError."""
    if content.startswith(_UTF16_BOMS):
        raise FormatError("the file is UTF-16; save it as plain text (UTF-8)", name)
    content = content.removeprefix(_UTF8_BOM)
    lines = content.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    zero = content.find(b"\0")
    if zero >= 0:
        raise FormatError("a zero byte: not a text file", name, content.count(b"\n", 0, zero) + 1)
    return [line.removesuffix(b"\r") for line in lines]


def read_lines(path: StrPath, max_bytes: int, what: str) -> list[str]:
    """The decoded lines of a text file; byte values that are no UTF-8 survive as surrogates."""
    name = os.fsdecode(path)
    return [line.decode("utf-8", "surrogateescape") for line in split_lines(read_regular_file(name, max_bytes, what), name)]


def excerpt(text: str, limit: int = 60) -> str:
    """A piece of somebody's text as a message can carry it."""
    cut = text if len(text) <= limit else text[:limit] + "..."
    return "".join(c if c.isprintable() else "?" for c in cut)
