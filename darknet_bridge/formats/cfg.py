"""The .cfg file: sections of key=value in order, with line numbers (darknet.md 1.5). What the keys mean is not here.

Read as upstream reads it: blanks are dropped wherever they stand, `#` and `;` open a comment line, of a repeated key
the first counts. Written so that the stricter parser of hank-ai's fork takes it too: no duplicates, no trailing
comments, no exponents.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..errors import FormatError
from .atomic import StrPath, write_bytes
from .text import excerpt, read_regular_file, split_lines

MAX_BYTES = 4 << 20
MAX_SECTIONS = 2001  # [net] and 2,000 layers
MAX_LIST_ITEMS = 20_000

_BLANKS = str.maketrans("", "", " \t\r\n")
_EXPONENT = re.compile(r"[-+.0-9]+[eE][-+]?[0-9]+")
_NET_KINDS = ("net", "network")


@dataclass(frozen=True, slots=True)
class CfgEntry:
    """One key=value; line counts from 1 and is 0 for what was made, not read."""

    key: str
    value: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class CfgSection:
    """One [kind] with its entries in order. file is the name that messages give."""

    kind: str
    entries: tuple[CfgEntry, ...] = ()
    line: int = 0
    file: str = "cfg"

    def entry(self, key: str) -> CfgEntry | None:
        """The first entry of that key: the one that counts."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def text(self, key: str, default: str = "") -> str:
        entry = self.entry(key)
        return default if entry is None else entry.value.split("#", 1)[0]

    def number(self, key: str, default: float) -> float:
        """A finite number. Raises FormatError naming file and line."""
        entry = self.entry(key)
        return default if entry is None else self._parse(entry, self.text(key))

    def integer(self, key: str, default: int) -> int:
        value = self.number(key, default)
        if abs(value) > 2**31:
            raise self.error(f"{value:g} is too large", key)
        return int(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        """A comma separated list; () when the key is absent."""
        entry = self.entry(key)
        if entry is None:
            return ()
        items = self.text(key).rstrip(",").split(",")
        if len(items) > MAX_LIST_ITEMS:
            raise self.error(f"{len(items)} items; at most {MAX_LIST_ITEMS}", key)
        return tuple(self._parse(entry, item) for item in items)

    def integers(self, key: str) -> tuple[int, ...]:
        return tuple(int(value) for value in self.numbers(key))

    def values(self) -> dict[str, str]:
        """key -> value, of repeated keys the first."""
        return {entry.key: entry.value for entry in reversed(self.entries)}

    def with_values(self, changes: Mapping[str, str | None]) -> CfgSection:
        """A copy with these keys set (appended when new) or, for None, taken out."""
        left = dict(changes)
        entries = []
        for entry in self.entries:
            if entry.key not in changes:
                entries.append(entry)
                continue
            value = left.pop(entry.key, None)
            if value is not None:
                entries.append(CfgEntry(entry.key, value, entry.line))
        entries += [CfgEntry(key, value) for key, value in left.items() if value is not None]
        return replace(self, entries=tuple(entries))

    def error(self, message: str, key: str | None = None) -> FormatError:
        """An error (not raised) that names file, line, section and key."""
        entry = None if key is None else self.entry(key)
        line = self.line if entry is None else entry.line
        given = "" if key is None else (key + ": " if entry is None else f"{key}={excerpt(entry.value)}: ")
        return FormatError(f"[{excerpt(self.kind)}] {given}{message}", self.file, line or None)

    def _parse(self, entry: CfgEntry, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or "_" in text:
            raise self.error(f"'{excerpt(text)}' is not a number", entry.key)
        return value


@dataclass(frozen=True, slots=True)
class Cfg:
    """A whole file. sections[0] is [net]; layer i is layers[i]."""

    sections: tuple[CfgSection, ...]
    name: str = "cfg"

    @property
    def net(self) -> CfgSection:
        return self.sections[0]

    @property
    def layers(self) -> tuple[CfgSection, ...]:
        return self.sections[1:]

    @property
    def detection_layers(self) -> tuple[CfgSection, ...]:
        return tuple(section for section in self.sections if section.kind == "yolo")

    @property
    def classes(self) -> int:
        """classes of the last [yolo]; upstream's training and evaluation go by it. FormatError without one."""
        if not self.detection_layers:
            raise FormatError("no [yolo] section", self.name)
        return self.detection_layers[-1].integer("classes", 20)


def parse_cfg(content: bytes | str, name: str = "cfg") -> Cfg:
    """The sections of a cfg text. Raises FormatError naming file and line."""
    raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    sections: list[CfgSection] = []
    entries: list[list[CfgEntry]] = []
    for number, line in enumerate(split_lines(raw, name), 1):
        text = line.decode("utf-8", "surrogateescape").translate(_BLANKS)
        if not text or text[0] in "#;":
            continue
        if text[0] == "[":
            if len(sections) >= MAX_SECTIONS:
                raise FormatError(f"more than {MAX_SECTIONS} sections", name, number)
            sections.append(CfgSection(_section_kind(text, name, number), (), number, name))
            entries.append([])
            continue
        if not sections:
            raise FormatError(f"'{excerpt(text)}' stands before the first section", name, number)
        entries[-1].append(_entry(text, name, number))
    if not sections:
        raise FormatError("no [section] in the file", name)
    if sections[0].kind not in _NET_KINDS:
        raise FormatError(f"the first section is [{excerpt(sections[0].kind)}]; expected [net]", name, sections[0].line)
    return Cfg(tuple(replace(s, entries=tuple(e)) for s, e in zip(sections, entries, strict=True)), name)


def read_cfg(path: StrPath) -> Cfg:
    name = os.fsdecode(path)
    return parse_cfg(read_regular_file(name, MAX_BYTES, "a cfg"), name)


def format_cfg(cfg: Cfg, comment: str = "") -> str:
    """The text of a cfg, checked by portability_problems. Raises FormatError for what can't be written."""
    problems = portability_problems(cfg)
    if problems:
        raise FormatError(problems[0], cfg.name)
    lines = [f"# {line}" for line in comment.splitlines()]
    for section in cfg.sections:
        lines += ["", f"[{section.kind}]"] if lines else [f"[{section.kind}]"]
        lines += [f"{entry.key}={entry.value}" for entry in section.entries]
    return "\n".join(lines) + "\n"


def write_cfg(path: StrPath, cfg: Cfg, comment: str = "") -> None:
    write_bytes(path, format_cfg(cfg, comment).encode("utf-8", "surrogateescape"))


def portability_problems(cfg: Cfg) -> list[str]:
    """Why the strictest known parser (hank-ai's) would refuse the text of this cfg; [] when it would not."""
    problems = []
    for section in cfg.sections:
        seen: set[str] = set()
        if not section.kind or "]" in section.kind or _unwritable(section.kind):
            problems.append(f"section name '{excerpt(section.kind)}' can't be written")
        for entry in section.entries:
            problems += [f"[{excerpt(section.kind)}] {excerpt(entry.key)}: {why}" for why in _entry_problems(entry)]
            if entry.key in seen:
                problems.append(f"[{excerpt(section.kind)}] {excerpt(entry.key)}: given twice")
            seen.add(entry.key)
    return problems


def make_section(kind: str, values: Iterable[tuple[str, object]]) -> CfgSection:
    """A section from keys and values; None leaves a key out, lists are joined by commas, numbers written plainly."""
    return CfgSection(kind, tuple(CfgEntry(k, format_value(v)) for k, v in values if v is not None))


def format_value(value: object) -> str:
    """A value as a cfg carries it: no exponent, no blanks."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        text = f"{value:.9f}".rstrip("0")
        return text + "0" if text.endswith(".") else text
    if isinstance(value, (list, tuple)):
        return ",".join(format_value(item) for item in value)
    return str(value)


def _section_kind(text: str, name: str, number: int) -> str:
    close = text.find("]")
    if close <= 1:
        raise FormatError(f"'{excerpt(text)}' is not a section name; expected [name]", name, number)
    if text[close + 1 : close + 2] not in ("", "#", ";"):
        raise FormatError(f"text after the section name: '{excerpt(text[close + 1 :])}'", name, number)
    return text[1:close]


def _entry(text: str, name: str, number: int) -> CfgEntry:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise FormatError(f"'{excerpt(text)}' is neither [section] nor key=value", name, number)
    if not value:
        raise FormatError(f"key '{excerpt(key)}' has no value", name, number)
    return CfgEntry(key, value, number)


def _unwritable(text: str) -> bool:
    return any(c in text for c in " \t\r\n\0")


def _entry_problems(entry: CfgEntry) -> list[str]:
    problems = []
    if not entry.key or entry.key[0] in "[#;" or "=" in entry.key or _unwritable(entry.key):
        problems.append("can't be written as a key")
    if not entry.value or _unwritable(entry.value):
        problems.append(f"value '{excerpt(entry.value)}' is empty or holds blanks")
    if "#" in entry.value:
        problems.append("a comment inside the value")
    if any(_EXPONENT.fullmatch(item) for item in entry.value.split(",")):
        problems.append(f"value '{excerpt(entry.value)}' has an exponent")
    return problems
