"""One visit of the editor, from opening a group to closing it: a session for each image, the clipboard, the active category, what
was deleted meanwhile, and the sentence about what is saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .editing import EditBox, EditSession
from .records import Box, Category, ImageAnnotations

SAVED = "All your changes are saved"
UNSUBMITTED = "Unsubmitted changes"
SAVING = "Saving…"


@dataclass
class SaveState:
    """How the saving of one image stands. Submits are counted until the store answered."""

    _submits: int = 0
    _failure: str = ""

    def submit_started(self) -> None:
        self._submits += 1
        self._failure = ""

    def submit_committed(self) -> None:
        self._submits = max(0, self._submits - 1)
        self._failure = ""

    def submit_failed(self, reason: str) -> None:
        self._submits = max(0, self._submits - 1)
        self._failure = reason

    def draft_failed(self, reason: str) -> None:
        self._failure = reason

    def draft_stored(self) -> None:
        self._failure = ""

    @property
    def is_saving(self) -> bool:
        return self._submits > 0

    @property
    def submits_under_way(self) -> int:
        return self._submits

    @property
    def failure(self) -> str:
        """Why the last attempt to save failed; the boxes are still on the canvas."""
        return self._failure


@dataclass
class EditVisit:
    """categories: of the group, in their order."""

    categories: tuple[Category, ...] = ()
    active_category: int | None = None
    clipboard: tuple[EditBox, ...] = ()
    hidden_categories: frozenset[int] = frozenset()
    locked_categories: frozenset[int] = frozenset()
    sessions: dict[int, EditSession] = field(default_factory=dict)
    states: dict[int, SaveState] = field(default_factory=dict)
    _moved_to: dict[int, int] = field(default_factory=dict)

    def set_categories(self, categories: Sequence[Category]) -> None:
        """After loading, adding, renaming, ordering, deleting or restoring; the first is active where the active one is gone."""
        self.categories = tuple(categories)
        known = {category.id for category in categories}
        for category_id in known & set(self._moved_to):
            del self._moved_to[category_id]  # it came back
        if self.active_category not in known:
            target = None if self.active_category is None else self.live(self.active_category)
            self.active_category = target if target is not None else (categories[0].id if categories else None)

    def moved(self, category_id: int, target_id: int) -> None:
        """The boxes of a deleted category went to another; call before set_categories."""
        self._moved_to[category_id] = target_id

    def live(self, category_id: int) -> int | None:
        """The category that boxes of this one count as now; None when it was deleted with its boxes."""
        known = {category.id for category in self.categories}
        seen = set()
        while category_id not in known:
            if category_id in seen or category_id not in self._moved_to:
                return None
            seen.add(category_id)
            category_id = self._moved_to[category_id]
        return category_id

    def open(self, annotations: ImageAnnotations, width: int, height: int) -> EditSession:
        """The session of an image, with the history it has from before in this visit."""
        session = self.sessions.get(annotations.image_id)
        if session is None or (session.bounds.width, session.bounds.height) != (width, height):
            session = EditSession(width, height, self.live)
            self.sessions[annotations.image_id] = session
        session.load(annotations.submitted, annotations.draft, annotations.revision)
        self.mark(session)
        return session

    def mark(self, session: EditSession) -> None:
        """What is hidden and locked by category."""
        session.hidden_categories, session.locked_categories = self.hidden_categories, self.locked_categories

    def state(self, image_id: int) -> SaveState:
        return self.states.setdefault(image_id, SaveState())

    def category_at(self, number: int) -> Category | None:
        """By its number: 1 is the first in the list."""
        return self.categories[number - 1] if 1 <= number <= len(self.categories) else None

    def hide_category(self, category_id: int, hidden: bool) -> None:
        one = frozenset({category_id})
        self.hidden_categories = self.hidden_categories | one if hidden else self.hidden_categories - one
        for session in self.sessions.values():
            self.mark(session)

    def lock_category(self, category_id: int, locked: bool) -> None:
        """Its boxes are seen, but the pointer passes through them."""
        one = frozenset({category_id})
        self.locked_categories = self.locked_categories | one if locked else self.locked_categories - one
        for session in self.sessions.values():
            self.mark(session)

    def copy(self, session: EditSession) -> int:
        """Copies the selected boxes; returns how many. Nothing selected leaves the clipboard as it is."""
        chosen = session.selected
        if chosen:
            self.clipboard = chosen
        return len(chosen)

    def unsubmitted(self) -> list[int]:
        """The images of this visit with changes that were not submitted."""
        return [image_id for image_id, session in self.sessions.items() if session.is_changed]

    def records_of(self, image_id: int) -> tuple[Box, ...] | None:
        """What is on the canvas of an image of this visit, for repeating it on the next."""
        session = self.sessions.get(image_id)
        return None if session is None else session.records()

    def state_text(self, image_id: int | None) -> str:
        """The line at the top of the editor: of everything that is being saved, then of the open image. That all is saved is
        said only when no submit is under way and nothing differs from the last commit."""
        if any(state.is_saving for state in self.states.values()):
            return SAVING
        failure = next((state.failure for state in self.states.values() if state.failure), "")
        if failure:
            return f"Not saved yet: {failure}"
        session = self.sessions.get(image_id) if image_id is not None else None
        return UNSUBMITTED if session is not None and session.is_changed else SAVED
