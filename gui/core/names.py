"""Names a user gives: what is refused and why, and what is suggested."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from .errors import UserError

MAX_LENGTH = 100


def checked(name: str, kind: str, taken: Iterable[str] = (), forbidden: str = "") -> str:
    """The name as it is stored: trimmed, composed. Raises UserError with what is wrong.

    kind: "experiment". taken: other names of the kind; a difference of case alone is none. forbidden: characters it can't have.
    """
    plain = unicodedata.normalize("NFC", name).strip()
    if not plain:
        raise UserError(f"Give the {kind} a name.")
    if len(plain) > MAX_LENGTH:
        raise UserError(f"This name has {len(plain):,} characters. A name of a {kind} has at most {MAX_LENGTH}: shorten it.")
    if not all(character.isprintable() or character == "\u200d" for character in plain):  # the joiner of emojis
        raise UserError(f"The name of a {kind} is a single line of text. Take out the line break or control character.")
    for character in forbidden:
        if character in plain:
            shown = {",": "a comma"}.get(character, f"the character {character}")
            raise UserError(f"The name of a {kind} can't contain {shown}. Take it out or write it another way.")
    if not plain.strip("."):
        raise UserError(f"The name of a {kind} needs more than dots.")
    same = next((other for other in taken if other.casefold() == plain.casefold()), None)
    if same is not None:
        raise UserError(f"There is already {_article(kind)} {kind} “{same}”. Choose another name.")
    return plain


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def free(wanted: str, taken: Iterable[str]) -> str:
    """wanted, or the first of "wanted 2", "wanted 3"... that is not taken."""
    used = {name.casefold() for name in taken}
    number, name = 1, wanted
    while name.casefold() in used:
        number += 1
        name = f"{wanted} {number}"
    return name
