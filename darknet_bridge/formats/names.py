"""The .names file: one class name per line, the line number (from 0) is the class id (darknet.md 1.2).

Blank lines count as names upstream and shift every id after them, so one in the middle is an error here; blank
lines at the end are taken as a long final line break.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..errors import FormatError
from .atomic import StrPath, write_bytes
from .text import excerpt, read_lines

MAX_CLASSES = 10_000
MAX_NAME_LENGTH = 1_000
_MAX_BYTES = 16 << 20


def read_names(path: StrPath) -> tuple[str, ...]:
    """The names in order of class id, trimmed. Raises FormatError naming file and line."""
    file = os.fsdecode(path)
    names = [line.strip() for line in read_lines(file, _MAX_BYTES, "a list of names")]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise FormatError("no class name in the file", file)
    if len(names) > MAX_CLASSES:
        raise FormatError(f"{len(names):,} names; at most {MAX_CLASSES:,}", file)
    for number, name in enumerate(names, 1):
        problem = name_problem(name)
        if problem:
            raise FormatError(problem, file, number)
    return tuple(names)


def write_names(path: StrPath, names: Sequence[str]) -> None:
    """Raises FormatError for names that one line can't carry or that stand twice."""
    file = os.fsdecode(path)
    if not names or len(names) > MAX_CLASSES:
        raise FormatError(f"{len(names):,} names; expected 1 to {MAX_CLASSES:,}", file)
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        problem = name_problem(name) or ("blanks at an end" if name != name.strip() else "")
        if problem:
            raise FormatError(f"name '{excerpt(name)}': {problem}", file, number)
        if name in seen:
            raise FormatError(f"name '{excerpt(name)}' stands in line {seen[name]} already", file, number)
        seen[name] = number
    write_bytes(file, "".join(name + "\n" for name in names).encode("utf-8", "surrogateescape"))


def name_problem(name: str) -> str:
    """Why a name can't stand in a .names file; "" when it can."""
    if not name.strip():
        return "an empty line; each line is one class name"
    if len(name) > MAX_NAME_LENGTH:
        return f"{len(name):,} characters; at most {MAX_NAME_LENGTH:,}"
    if any(ord(c) < 32 or ord(c) == 127 for c in name):
        return "a line break or control character in the name"
    return ""
