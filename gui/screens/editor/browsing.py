"""Going from image to image: opened at once when picture and boxes were made ready before, which is the usual case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...core.records import Box, ImageAnnotations
from ...widgets.dialogs import ask_text
from ...widgets.picture import Picture
from .pictures import PictureCache

if TYPE_CHECKING:
    from .screen import EditorScreen

OLD_DRAFT = (
    "These changes are from an earlier visit and were not submitted. Space submits them, Q goes back to the last submission."
)
_KNOWN_AT_MOST = 20


class Browser:
    """wanted: the image that was asked for last; it is open when screen.image_id is the same."""

    def __init__(self, screen: EditorScreen) -> None:
        self.screen = screen
        self.wanted: int | None = None
        self.previous: int | None = None
        self._pictures = PictureCache(screen)
        self._known: dict[int, ImageAnnotations] = {}
        self._stale: set[int] = set()

    def start(self) -> None:
        """For another group."""
        self.wanted = self.previous = None
        self._known.clear()
        self._stale.clear()
        self._pictures.forget()

    def library_changed(self) -> None:
        """Boxes were changed by something else than the canvas: what is known of images has to be read again."""
        self._known.clear()
        self._stale = set(self.screen.visit.sessions)
        self._read_again()

    def _read_again(self) -> None:
        """The open image. What is drawn meanwhile is newer than the answer, which is then asked for once more."""
        screen, here, session = self.screen, self.screen.image_id, self.screen.session
        if here is None or session is None:
            return
        before = session.boxes

        def reread(found: ImageAnnotations) -> None:
            if session is not screen.session:
                return
            if session.in_gesture or session.boxes != before:
                self._read_again()
                return
            self._stale.discard(here)
            session.load(found.submitted, found.draft, found.revision)
            screen.display.boxes()

        screen.store(lambda: self._read(here), reread)

    # --- opening

    def open(self, image_id: int) -> None:
        screen = self.screen
        if image_id == screen.image_id and screen.session is not None:
            self.wanted = image_id
            return
        self.wanted = image_id
        screen.left.files.select(image_id)
        self._pictures.want(image_id, screen.paths[image_id], lambda made, text: self._have_picture(image_id, made, text))

    def _have_picture(self, image_id: int, picture: Picture | None, text: str) -> None:
        screen = self.screen
        if image_id != self.wanted:
            return
        if picture is None:
            self._leave()
            screen.image_id = image_id
            screen.display.no_picture(text)
            self._opened()
        elif image_id in screen.visit.sessions and image_id not in self._stale:
            self._show(image_id, picture, None)
        elif image_id in self._known:
            self._show(image_id, picture, self._known.pop(image_id))
        else:
            screen.store(lambda: self._read(image_id), lambda found: self._show(image_id, picture, found))

    def _read(self, image_id: int) -> ImageAnnotations:
        return self.screen.workspace.store.annotations.get(self.screen.group_id, image_id)

    def _show(self, image_id: int, picture: Picture, annotations: ImageAnnotations | None) -> None:
        screen = self.screen
        if image_id != self.wanted or (annotations is not None and annotations.group_id != screen.group_id):
            return
        if image_id == screen.image_id and screen.session is not None:
            return  # asked for twice, and open since the first answer
        first_time = image_id not in screen.visit.sessions
        self._leave()
        screen.image_id = image_id
        if annotations is None:
            screen.session = screen.visit.sessions[image_id]
        else:
            self._stale.discard(image_id)
            screen.session = screen.visit.open(annotations, picture.width, picture.height)
        screen.session.hidden_categories = screen.visit.hidden_categories
        is_old = first_time and annotations is not None and annotations.draft is not None
        screen.display.picture(picture, OLD_DRAFT if is_old else "")
        self._opened()

    def _leave(self) -> None:
        screen = self.screen
        if screen.session is not None:
            screen.stage.canvas.pointer.abandon()
            self.previous = screen.image_id
        screen.session = None

    def _opened(self) -> None:
        screen = self.screen
        screen.display.boxes()
        entry = screen.book.entry(screen.image_id) if screen.image_id is not None else None
        if entry is not None:
            screen.left.files.select(entry.image_id)
            number = f"{screen.book.number(entry.image_id):,} of {len(screen.book.entries):,}"
            screen.stage.file.configure(text=f"{entry.name}   {number}")
        screen.suggestions.opened()
        self._prefetch()

    def _prefetch(self) -> None:
        """The next one to do, and the neighbours in the list."""
        screen = self.screen
        todo = screen.book.next_to_do(screen.image_id, screen.saver.submitting)
        ahead = (todo, *(screen.book.neighbour(screen.image_id, by, screen.display.files) for by in (1, -1)))
        for image_id in dict.fromkeys(each for each in ahead if each is not None):
            self._pictures.want(image_id, screen.paths[image_id])
            if image_id not in self._known and image_id not in screen.visit.sessions:
                screen.store(lambda each=image_id: self._read(each), self._prefetched)  # type: ignore[misc]

    def _prefetched(self, found: ImageAnnotations) -> None:
        if found.group_id == self.screen.group_id and found.image_id not in self.screen.visit.sessions:
            if len(self._known) > _KNOWN_AT_MOST:
                self._known.clear()
            self._known[found.image_id] = found

    # --- where to

    def step(self, by: int) -> None:
        target = self.screen.book.neighbour(self.wanted, by, self.screen.display.files)
        if target is None:
            self.screen.say("This is the last file of the list." if by > 0 else "This is the first file of the list.")
        else:
            self.open(target)

    def to_do(self, by: int = 1) -> None:
        target = self.screen.book.next_to_do(self.wanted, self.screen.saver.submitting, by)
        if target is None:
            self.screen.say("All images are submitted.")
        elif target == self.wanted:
            self.screen.say("This is the only image without a submission.")
        else:
            self.open(target)

    def ask_number(self) -> None:
        entries = self.screen.book.entries

        def check(text: str) -> str | None:
            fits = text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= len(entries)
            return None if fits else f"Type a number from 1 to {len(entries):,}."

        ask_text(
            *(self.screen, self.screen.theme, "Go to image", f"Its number in the list, 1 to {len(entries):,}:"),
            *("", check, lambda text: self.open(entries[int(text) - 1].image_id), "Go"),
        )

    def with_previous_boxes(self, use: Callable[[Sequence[Box]], object]) -> None:
        """Of the image that was open before this one, else of the one before it in the list."""
        screen, here = self.screen, self.screen.image_id
        source = self.previous if self.previous != here else None
        if source is None:
            source = screen.book.neighbour(here, -1, screen.book.entries)
        if source is None:
            screen.say("There is no image before this one.")
            return
        boxes = screen.visit.records_of(source)
        if boxes is not None and source not in self._stale:
            use(boxes)
        else:
            screen.store(lambda: self._read(source), lambda found: use(found.current) if here == screen.image_id else None)
