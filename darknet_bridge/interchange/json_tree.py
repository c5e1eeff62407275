"""JSON files with limits, and reading values out of them with messages that name the place, such as annotations[12].bbox."""

from __future__ import annotations

import json
import math
from typing import Any

from ..errors import FormatError
from ..formats.atomic import StrPath
from ..formats.text import excerpt, read_regular_file

_MAX_DEPTH = 64
_MAX_DIGITS = 30


def read_json(path: StrPath, max_bytes: int) -> Any:
    """Raises FormatError naming file and line. NaN, endless numbers and deep nesting are refused."""
    name = str(path)
    content = read_regular_file(path, max_bytes, "a JSON file")
    try:
        tree = json.loads(content.decode("utf-8-sig"), parse_int=_whole, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise FormatError(f"no proper JSON: {error.msg}", name, error.lineno) from error
    except UnicodeDecodeError as error:
        raise FormatError("no proper JSON: not UTF-8", name, content.count(b"\n", 0, error.start) + 1) from error
    except RecursionError as error:
        raise FormatError("no proper JSON: nested too deeply", name) from error
    except ValueError as error:
        raise FormatError(f"no proper JSON: {error}", name) from error
    if _deeper_than(tree, _MAX_DEPTH):
        raise FormatError(f"nested deeper than {_MAX_DEPTH} levels", name)
    return tree


def record(value: object, place: str) -> dict[str, Any]:
    """The value as an object; raises FormatError (without the file) naming the place."""
    if not isinstance(value, dict):
        raise FormatError(f"{place}: expected an object {{...}}")
    return value


def items(value: object, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise FormatError(f"{place}: expected a list [...]")
    return value


def number(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise FormatError(f"{place}: expected a number")
    return float(value)


def size_px(value: object, place: str) -> int:
    """A width or height: a whole number from 0 (unknown) to a million."""
    found = number(value, place)
    if found != int(found) or not 0 <= found <= 1_000_000:
        raise FormatError(f"{place}: expected a whole number of pixels")
    return int(found)


def text(value: object, place: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise FormatError(f"{place}: expected a text")
    return value


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits ('{excerpt(digits, 12)}')")
    return int(digits)


def _no_constant(word: str) -> float:
    raise ValueError(f"'{word}' is not a number")


def _deeper_than(tree: object, limit: int) -> bool:
    """Level by level, so that depth costs no recursion."""
    level = [tree]
    for _ in range(limit + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True
