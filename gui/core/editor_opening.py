"""What the editor needs to begin: read at once on the store's thread. And what it remembers for the next time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import annotate
from .records import AnnotationGroup, Category, GroupSummary, ImageEntry

if TYPE_CHECKING:
    from .workspace import Workspace

GO_ON = "editor.go_on"
CROSS = "editor.cross"


@dataclass(frozen=True, slots=True)
class EditorView:
    """Where the user was. fit: the image fills the canvas; else scale around (x, y), shares of the image."""

    image_id: int | None = None
    fit: bool = True
    scale: float = 1.0
    x: float = 0.5
    y: float = 0.5

    @classmethod
    def read(cls, stored: Mapping[str, object]) -> EditorView:
        """What was stored, or the beginning where it makes no sense."""
        image, fit = stored.get("image"), stored.get("fit", True)
        numbers = [stored.get(name) for name in ("scale", "x", "y")]
        known = image if isinstance(image, int) else None
        if fit is not False or not all(isinstance(value, (int, float)) for value in numbers):
            return cls(known)
        scale, x, y = (float(value) for value in numbers if isinstance(value, (int, float)))
        return cls(known, False, scale, x, y) if 0.001 <= scale <= 100 else cls(known)

    def as_json(self) -> dict[str, object]:
        return {"image": self.image_id, "fit": self.fit, "scale": self.scale, "x": self.x, "y": self.y}


@dataclass(frozen=True, slots=True)
class Opened:
    """paths: of the picture files, by image id.

    go_on: Submit opens the next image without a submission; cross: the cross-hair is shown.
    """

    group: AnnotationGroup
    dataset: str
    paths: Mapping[int, str]
    entries: Sequence[ImageEntry]
    categories: Sequence[Category]
    summary: GroupSummary
    view: EditorView
    go_on: bool
    cross: bool


def open_group(workspace: Workspace, group_id: int) -> Opened:
    store = workspace.store
    group = store.groups.get(group_id)
    return Opened(
        group,
        store.datasets.get(group.dataset_id).name,
        store.datasets.paths(group.dataset_id),
        store.annotations.entries(group_id),
        store.categories.list(group_id),
        store.groups.summary(group_id),
        EditorView.read(annotate.last_view(workspace, group_id)),
        bool(workspace.settings.get(GO_ON, True)),
        bool(workspace.settings.get(CROSS, True)),
    )


def remember(workspace: Workspace, name: str, value: bool) -> None:
    """One of GO_ON and CROSS; nothing where the library can only be read."""
    if not workspace.read_only:
        workspace.settings.set(name, value)
