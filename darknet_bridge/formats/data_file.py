"""The .data file: where the lists, the names and the folder for weights are (darknet.md 1.1).

Upstream deletes every blank of a line, so it can't carry a path with blanks: the writer refuses one (write a path
relative to the file instead). The reader keeps blanks inside a value: that is what the writer of the file meant.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import FormatError
from .atomic import StrPath, write_bytes
from .text import excerpt, read_regular_file, split_lines

_MAX_BYTES = 1 << 20
_KNOWN_KEYS = (
    *("classes", "train", "valid", "names", "labels", "backup", "results"),
    *("eval", "difficult", "map", "top", "tree", "saveweights", "savelast"),
)


@dataclass(frozen=True, slots=True)
class DataFile:
    """Keys and values in order; `file` is where it was read from (for messages and for resolve)."""

    values: Mapping[str, str]
    file: str = ""

    def get(self, key: str) -> str | None:
        return self.values.get(key)

    def require(self, key: str) -> str:
        value = self.values.get(key)
        if value is None:
            raise FormatError(f"no '{key} = ...' in the file", self.file)
        return value

    @property
    def classes(self) -> int | None:
        """The number of classes, or None when the file does not say. Training goes by the cfg, not by this."""
        text = self.values.get("classes")
        if text is None:
            return None
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
            raise FormatError(f"classes = {excerpt(text)}: expected 1 to 10000", self.file)
        return int(text)

    def resolve(self, key: str) -> str:
        """The path of a key, found as resolve_path says."""
        return resolve_path(self.require(key), self.file)


def resolve_path(path: str, base_file: str) -> str:
    """A path out of base_file: as it stands when it exists from the working directory; else beside that file if it is there."""
    beside = Path(base_file).parent / path
    return path if Path(path).exists() or not beside.exists() else str(beside)


def read_data_file(path: StrPath) -> DataFile:
    """Raises FormatError naming file and line. Of a repeated key the first counts; unknown ones are kept, as upstream does."""
    file = os.fsdecode(path)
    values: dict[str, str] = {}
    for number, line in enumerate(split_lines(read_regular_file(file, _MAX_BYTES, "a .data file"), file), 1):
        text = os.fsdecode(line).strip(" \t\r")
        if not text or text[0] in "#;":
            continue
        key, equals, value = (part.strip(" \t") for part in text.partition("="))
        if not equals or not key:
            raise FormatError(f"'{excerpt(text)}' is not key = value", file, number)
        if not value:
            raise FormatError(f"key '{excerpt(key)}' has no value", file, number)
        values.setdefault(key, value)
    if not values:
        raise FormatError("no key = value in the file", file)
    return DataFile(values, file)


def write_data_file(path: StrPath, values: Mapping[str, str]) -> None:
    """Raises FormatError for keys and values that Darknet would not read back as they are."""
    file = os.fsdecode(path)
    lines = []
    for key, value in values.items():
        if key not in _KNOWN_KEYS:
            raise FormatError(f"key '{excerpt(key)}' is not known; known: {', '.join(_KNOWN_KEYS)}", file)
        if not value or any(c in value for c in " \t\r\n\0"):
            raise FormatError(f"{key} = '{excerpt(value)}': a .data file can't carry blanks or line breaks", file)
        lines.append(f"{key} = {value}\n")
    write_bytes(file, os.fsencode("".join(lines)))
