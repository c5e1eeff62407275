"""Brings canvas, lists and texts of the editor in step with the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...core.editing import EditBox, EditSession
from ...core.editing_visit import SAVED, SAVING, UNSUBMITTED
from ...core.editor_files import SIZE_AREAS, FileBook, Kinds, kinds_of
from ...core.records import Category, ImageEntry, ImageState
from ...widgets.box_list import BoxRow
from ...widgets.canvas_boxes import CanvasBox
from ...widgets.picture import Picture
from .stage import LightPanel

if TYPE_CHECKING:
    from .screen import EditorScreen

NEGATIVE_HINT = "Nothing is marked. Submit it as it is to make this image a negative example: nothing to find here."


class Display:
    """files: what the list shows now, in its order."""

    def __init__(self, screen: EditorScreen) -> None:
        self.screen = screen
        self.files: Sequence[ImageEntry] = ()
        self._light: LightPanel | None = None

    # --- the image and its boxes

    def picture(self, picture: Picture, notice: str) -> None:
        stage = self.screen.stage
        stage.canvas.show_picture(picture)
        stage.canvas.set_badge(f"{picture.width} x {picture.height}")
        stage.show_notice(notice)

    def no_picture(self, text: str) -> None:
        stage = self.screen.stage
        stage.canvas.show_picture(None, text)
        stage.canvas.set_badge("")
        stage.show_notice("")

    def boxes(self) -> None:
        """Everything that depends on boxes or selection."""
        screen, session = self.screen, self.screen.session
        if session is None:
            screen.left.boxes.show((), ())
            screen.stage.selection.configure(text="")
            screen.stage.canvas.show_boxes((), ())
        else:
            self.canvas(session)
            order = {category.id: category for category in screen.visit.categories}
            places = {category_id: place for place, category_id in enumerate(order)}
            boxes = sorted(session.boxes, key=lambda box: (places[box.category_id], box.key))
            rows = [_row(box, order[box.category_id], session) for box in boxes]
            screen.left.boxes.show(rows, session.selection, NEGATIVE_HINT)
            screen.stage.selection.configure(text=_size_of(session.selected))
        screen.suggestions.show()
        self.state()
        screen.find_box()

    def canvas(self, session: EditSession) -> None:
        """Only the canvas: while something is dragged."""
        categories = {category.id: category for category in self.screen.visit.categories}
        shown = []
        for box in session.boxes:
            if session.is_visible(box):
                category, rect = categories[box.category_id], box.rect
                edges = (rect.left, rect.top, rect.right, rect.bottom)
                shown.append(CanvasBox(box.key, *edges, category.colour, category.name, session.is_locked(box)))
        self.screen.stage.canvas.show_boxes(shown, session.selection)

    def state(self) -> None:
        screen = self.screen
        text = screen.visit.state_text(screen.image_id)
        kind = {SAVED: "saved", UNSUBMITTED: "changed", SAVING: "saving"}.get(text, "failed")
        screen.left.show_state(text, kind)
        screen.left.show_enabled(screen.reset_reason(), screen.editing_reason())
        if kind == "saved":
            screen.stage.show_notice("")

    # --- the list of files

    def all_files(self) -> None:
        """What passes the filter."""
        screen = self.screen
        self.files = screen.book.shown()
        screen.left.show_files(self.files, screen.book, screen.browser.wanted)
        self.progress()

    def progress(self) -> None:
        book = self.screen.book
        self.screen.left.show_progress(book.header, book.submitted, len(book.entries))

    def entry(self, image_id: int) -> None:
        """One image's state and number of boxes, from its session."""
        screen = self.screen
        session = screen.visit.sessions[image_id]
        if session.is_changed:
            state = ImageState.DRAFT
        elif session.revision == 0:
            state = ImageState.NEW
        else:
            state = ImageState.SUBMITTED if session.boxes else ImageState.NEGATIVE
        before = screen.book.entry(image_id)
        entry = screen.book.update(image_id, state, len(session.boxes), _kinds(session))
        if entry is not None and entry != before:
            screen.left.show_file(entry)
            self.progress()

    def filtered(self, state: str, text: str, category_id: int | None, size: str, order: str) -> None:
        book, screen = self.screen.book, self.screen
        book.state_filter, book.text_filter, book.category_filter, book.order = state, text, category_id, order
        book.size_filter = size
        if book.asks_for_boxes and book.kinds_of is None:
            group_id = screen.group_id
            screen.store(
                lambda: screen.workspace.store.annotations.kinds(group_id, SIZE_AREAS),
                lambda found: self._have_kinds(book, found),
            )
        else:
            self.all_files()

    def _have_kinds(self, book: FileBook, found: dict[int, Kinds]) -> None:
        book.kinds_of = found | {image_id: _kinds(session) for image_id, session in self.screen.visit.sessions.items()}
        if book is self.screen.book:
            self.all_files()

    # --- the view

    def set_mode(self, mode: str) -> None:
        self.screen.stage.canvas.set_mode(mode)
        self.tools()

    def toggle_boxes(self) -> None:
        canvas = self.screen.stage.canvas
        canvas.set_boxes_shown(not canvas.boxes_shown)
        self.tools()

    def toggle_cross(self) -> None:
        canvas = self.screen.stage.canvas
        canvas.set_crosshair(not canvas.crosshair)
        self.screen.remember_cross(canvas.crosshair)
        self.tools()

    def toggle_light(self) -> None:
        stage = self.screen.stage
        if self._light is not None:
            self._light.destroy()
            self._light = None
        else:
            self._light = LightPanel(stage.canvas, self.screen.theme, stage.canvas.adjustment, stage.canvas.set_adjustment)
            self._light.place(relx=1.0, x=-self.screen.theme.px(14), y=self.screen.theme.px(14), anchor="ne")
        self.tools()

    def tools(self) -> None:
        canvas = self.screen.stage.canvas
        self.screen.stage.show_mode(canvas.mode, not canvas.boxes_shown, canvas.crosshair, self._light is not None)


def _row(box: EditBox, category: Category, session: EditSession) -> BoxRow:
    note = f"{box.rect.width:.0f} x {box.rect.height:.0f}"
    return BoxRow(box.key, category.name, category.colour, note, box.key in session.hidden, box.key in session.locked)


def _kinds(session: EditSession) -> Kinds:
    return kinds_of((box.category_id, box.rect.width * box.rect.height) for box in session.boxes)


def _size_of(chosen: Sequence[EditBox]) -> str:
    if len(chosen) == 1:
        return f"{chosen[0].rect.width:.0f} x {chosen[0].rect.height:.0f} px"
    return f"{len(chosen)} selected" if chosen else ""
