"""A small tree of an XML file with line numbers. No document type, hence no entities to expand; depth and size are limited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from ..errors import FormatError

_MAX_DEPTH = 32
_MAX_ELEMENTS = 1_000_000


@dataclass(slots=True)
class Element:
    """A tag with its line (from 1), its text and what is below it. Attributes are not kept: no format here has any of use."""

    tag: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def child(self, tag: str) -> Element | None:
        return next((child for child in self.children if child.tag == tag), None)

    def all(self, tag: str) -> Iterator[Element]:
        return (child for child in self.children if child.tag == tag)

    def text_of(self, tag: str) -> str:
        """The trimmed text of the first child of that name; "" without one."""
        child = self.child(tag)
        return "" if child is None else child.text.strip()


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.root: Element | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[Element] = []
        self._count = 0

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        element = Element(tag, self.parser.CurrentLineNumber)
        self._count += 1
        if len(self._open) >= _MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise FormatError(f"more than {_MAX_DEPTH} levels or {_MAX_ELEMENTS:,} elements", self.name, element.line)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _tag: str) -> None:
        self._open.pop()

    def _characters(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text

    def _doctype(self, *_arguments: object) -> None:
        raise FormatError("a document type (DOCTYPE) is not read", self.name, self.parser.CurrentLineNumber)


def parse_xml(content: bytes, name: str) -> Element:
    """The root element. Raises FormatError naming file and line."""
    builder = _Builder(name)
    try:
        builder.parser.Parse(content, True)
    except expat.ExpatError as error:
        raise FormatError(f"no proper XML: {expat.ErrorString(error.code)}", name, error.lineno) from error
    except (ValueError, LookupError) as error:
        raise FormatError("no proper XML: its encoding is not known", name, 1) from error
    if builder.root is None:
        raise FormatError("no proper XML: it is empty", name, 1)
    return builder.root
