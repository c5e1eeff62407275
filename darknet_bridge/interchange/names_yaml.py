"""The class names of a data.yaml, as YOLO sets of today carry them. Reads exactly the key `names` in its usual forms, no YAML:

names: [cat, 'small dog']        names:              names: {0: cat, 1: dog}        names:
                                   - cat                                              0: cat
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import FormatError
from ..formats.text import excerpt, read_lines
from .base import class_name

_MAX_BYTES = 4 << 20
_KEY = re.compile(r"^(?:names|'names'|\"names\")\s*:\s*(.*)$")
_ITEM = re.compile(r"""\s*(?:(\d{1,5})\s*:\s*)?('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^,\[\]{}'"][^,\[\]{}]*?)\s*(?:,|$)""")
_DASH = re.compile(r"^\s*-\s+(.*)$")
_NUMBERED = re.compile(r"^\s+(\d{1,5})\s*:\s+(.*)$")


def read_yaml_names(path: Path) -> tuple[str, ...]:
    """Raises FormatError naming file and line."""
    name = str(path)
    lines = read_lines(path, _MAX_BYTES, "a data.yaml")
    for number, line in enumerate(lines, 1):
        match = _KEY.match(line)
        if match:
            first = _uncommented(match.group(1))
            try:
                return _flow(lines, number, first) if first else _block(lines[number:], number)
            except FormatError as error:
                raise FormatError(str(error), name, error.line or number) from error
    raise FormatError("no key 'names' in the file", name)


def _flow(lines: list[str], number: int, first: str) -> tuple[str, ...]:
    """[a, b] or {0: a, 1: b}, over as many lines as it takes."""
    closing = {"[": "]", "{": "}"}.get(first[0])
    if closing is None:
        raise FormatError(f"names: '{excerpt(first)}' is no list")
    text = first
    for line in lines[number:]:
        if text.endswith(closing):
            break
        text = f"{text} {_uncommented(line)}".strip()
    if not text.endswith(closing):
        raise FormatError(f"names: the list has no end '{closing}'")
    inner, position, pairs = text[1:-1].strip(), 0, []
    while position < len(inner):
        match = _ITEM.match(inner, position)
        if match is None or match.end() == position or (match.group(1) is None) != (closing == "]"):
            raise FormatError(f"names: can't read '{excerpt(inner[position:])}'")
        pairs.append((match.group(1), match.group(2)))
        position = match.end()
    return _ordered(pairs)


def _block(lines: list[str], number: int) -> tuple[str, ...]:
    """One name a line, with dashes or with numbers."""
    pairs: list[tuple[str | None, str]] = []
    for offset, line in enumerate(lines, 1):
        text = _uncommented(line)
        if not text:
            continue
        match = _DASH.match(line) or _NUMBERED.match(line)
        if match is None:
            if line[:1] not in (" ", "\t", "-"):
                break
            raise FormatError(f"names: can't read '{excerpt(text)}'", line=number + offset)
        groups = match.groups()
        pairs.append((groups[0] if len(groups) == 2 else None, _uncommented(groups[-1])))
    return _ordered(pairs)


def _ordered(pairs: Iterable[tuple[str | None, str]]) -> tuple[str, ...]:
    named: dict[int, str] = {}
    for position, (number, raw) in enumerate(pairs):
        index = position if number is None else int(number)
        if index in named:
            raise FormatError(f"names: {index} stands twice")
        named[index] = class_name(_unquoted(raw.strip()))
    if not named:
        raise FormatError("names: the list is empty")
    if sorted(named) != list(range(len(named))):
        raise FormatError(f"names: the numbers do not go from 0 to {len(named) - 1}")
    return tuple(named[index] for index in range(len(named)))


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _uncommented(text: str) -> str:
    """Without a comment: a # at the start or after a blank, outside quotes."""
    quote = ""
    for position, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter if not text[:position].strip() or text[:position].rstrip()[-1:] in "-[,{:" else ""
        elif letter == "#" and (position == 0 or text[position - 1] in " \t"):
            return text[:position].strip()
    return text.strip()
