"""The soft limits of the guide: they warn and never stop anybody. Kept in the library's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    from .workspace import Workspace

KEY = "limits"


@dataclass(frozen=True, slots=True)
class Limits:
    """bytes: of all images of a dataset together. examples: boxes per category below which a warning shows."""

    images: int = 25_000
    bytes: int = 5_000_000_000
    categories: int = 50
    examples: int = 25


def read(workspace: Workspace) -> Limits:
    """The guide's figure where none, or none that makes sense, was set."""
    stored = workspace.settings.get(KEY, {})
    values = stored if isinstance(stored, Mapping) else {}
    return Limits(**{name: value for name, value in values.items() if name in _NAMES and _makes_sense(value)})


def save(workspace: Workspace, limits: Limits) -> None:
    """Raises UserError for a limit below 1."""
    if not all(map(_makes_sense, asdict(limits).values())):
        raise UserError("A limit is a whole number above 0.")
    workspace.settings.set(KEY, asdict(limits))
    workspace.changes.publish("settings")


_NAMES = {field.name for field in fields(Limits)}


def _makes_sense(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
