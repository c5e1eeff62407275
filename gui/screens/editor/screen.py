"""The editor of one annotation group: puts its parts together, and submits, resets and closes.

Going from image to image is in browsing.py, showing in display.py, saving in saving.py, commands on boxes in actions.py.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import Any

from darknet_bridge import NormBox

from ...core import annotate
from ...core.box_geometry import Rect
from ...core.editing import EditBox, EditSession
from ...core.editing_visit import EditVisit
from ...core.editor_files import FileBook
from ...core.editor_opening import CROSS, GO_ON, EditorView, Opened, open_group, remember
from ...core.records import Category, GroupSummary, ImageAnnotations, ImageState
from ...core.wording import counted
from ...widgets.box_canvas import CanvasEvents
from ...widgets.box_list import BoxEvents
from ...widgets.viewport import View
from ..base import Context, Screen
from . import dialogs
from .actions import Actions
from .browsing import Browser
from .categories import Categories
from .display import Display
from .left import LeftColumn, LeftEvents
from .saving import Saver
from .stage import Stage
from .suggestions import Suggestions

NO_IMAGES = "This dataset has no images. Close the editor and add some in the step Dataset."


class EditorScreen(Screen):
    """load(group_id, experiment_id, image_id=None, look_at=None, back="annotation"): look_at is a box (NormBox) of that image to
    begin with; back is where Close leads, or "crops".

    session: of the open image; None while one is being opened.
    """

    id = "editor"
    title = "Annotation editor"
    host = "window"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        super().__init__(parent, context)
        self.group_id = self.experiment_id = 0
        self.visit, self.book = EditVisit(), FileBook()
        self.paths: Mapping[int, str] = {}
        self.image_id: int | None = None
        self.session: EditSession | None = None
        self.go_on = True
        self._may_leave = False
        self._look_at: NormBox | None = None
        self._back = "annotation"
        self._leave_for: Callable[[], object] = self.close
        self.actions, self.browser = Actions(self), Browser(self)
        self.categories, self.display = Categories(self), Display(self)
        self.suggestions = Suggestions(self)
        self.saver = self._new_saver()
        self._build()

    def _build(self) -> None:
        self.columnconfigure(2, weight=1)
        self.rowconfigure(0, weight=1)
        left_events = LeftEvents(self._chosen, self.display.filtered, self.focus_canvas)
        box_events = BoxEvents(
            hover=lambda key: self.stage.canvas.highlight(key),
            select=self._select,
            open=self.look_at,
            delete=lambda key: self.change(lambda session: session.delete([key])),
            hide=self.actions.hide_box,
            lock=self.actions.lock_box,
        )
        commands = self.context.commands
        self.left = LeftColumn(self, self.theme, commands, left_events, self.categories.events(), box_events)
        self.left.grid(row=0, column=0, sticky="ns")
        ttk.Frame(self, style="Line.TFrame", width=1).grid(row=0, column=1, sticky="ns")
        self.stage = Stage(self, self.theme, commands, self._canvas_events())
        self.stage.grid(row=0, column=2, sticky="nsew")
        commands.register(self, [*self.actions.commands(), *self.suggestions.commands()])
        commands.follow(self, self._show_keys)

    def _show_keys(self) -> None:
        self.left.show_keys(self.context.commands)
        self.stage.show_keys(self.context.commands)
        self.suggestions.show_keys()

    def _canvas_events(self) -> CanvasEvents:
        return CanvasEvents(
            draw=self._draw,
            stamp=self._stamp,
            select=self._select,
            band=self._band,
            begin=lambda: self._drag(lambda session: session.begin()),
            move=lambda dx, dy: self._drag(lambda session: session.drag_move(dx, dy)),
            resize=lambda key, handle, x, y: self._drag(lambda session: session.drag_resize(key, handle, x, y)),
            end=lambda: self.change(lambda session: session.commit()),
            cancel=lambda: self._with(lambda session: session.cancel()),
            hover=lambda key: self.left.boxes.mark(key),
            pointer=lambda x, y: self.stage.show_pointer(x, y),
            menu=lambda x, y, key: dialogs.box_menu(self, x, y, key),
            zoomed=lambda scale: self.stage.show_zoom(scale),
            suggested=self.suggestions.point,
            accept=self.suggestions.accept,
        )

    # --- the group

    def load(self, **params: Any) -> None:
        self.group_id, self.experiment_id = int(params["group_id"]), int(params.get("experiment_id", 0))
        self.visit, self.book, self.image_id, self.session = EditVisit(), FileBook(), None, None
        self._may_leave = self.categories.deed_is_last = False
        self._look_at, self._back = params.get("look_at"), str(params.get("back", "annotation"))
        self.browser.start()
        self.suggestions.start()
        self.saver = self._new_saver()
        self.display.no_picture("Opening…")
        group_id, image_id = self.group_id, params.get("image_id")

        def read() -> tuple[Opened, FileBook]:
            # What takes long with 25,000 images is done here and not in Tk's thread.
            opened, book = open_group(self.workspace, group_id), FileBook()
            book.load(opened.entries)
            return opened, book

        self.store(read, lambda found: self._opened(*found, image_id))

    def _opened(self, opened: Opened, book: FileBook, image_id: int | None) -> None:
        if opened.group.id != self.group_id:
            return
        self.paths, self.book = opened.paths, book
        self.left.title.configure(text=f"Annotations for {opened.dataset}")
        self.categories.take(opened.categories, opened.summary)
        self.go_on = opened.go_on
        canvas, view = self.stage.canvas, opened.view
        canvas.set_crosshair(opened.cross)
        canvas.restore_view(View(view.fit, view.scale, view.x, view.y))
        self.display.set_mode("draw")
        self.left.clear_filter()
        self.display.all_files()
        first = next((each for each in (image_id, view.image_id) if each in self.paths), None)
        if first is None:
            first = self.book.next_to_do(None)
        if first is None and book.entries:
            first = book.entries[0].image_id
        if first is None:
            self.display.no_picture(NO_IMAGES)
            return
        self._offer_drafts(first)
        self.browser.open(first)
        self.focus_canvas()

    def _offer_drafts(self, first: int) -> None:
        """The open image says it by itself."""
        entry = self.book.entry(first)
        others = self.book.drafts - (entry is not None and entry.state is ImageState.DRAFT)
        if others:
            have = "1 other image has" if others == 1 else f"{counted(others, 'other image')} have"
            text = f"{have} changes from an earlier visit that were not submitted. They are kept."
            self.toast(text, action=("Show them", lambda: self.left.set_filter("Unsubmitted changes")))

    def on_changes(self, topics: frozenset[str]) -> None:
        """Categories and imports; drafts and submissions of this window are known already."""
        self.suggestions.on_changes(topics)
        group_id = self.group_id
        if f"categories:{group_id}" in topics or "everything" in topics or f"group:{group_id}" in topics:

            def read() -> tuple[list[Category], GroupSummary]:
                store = self.workspace.store
                return store.categories.list(group_id), store.groups.summary(group_id)

            def show(found: tuple[list[Category], GroupSummary]) -> None:
                if group_id == self.group_id:
                    self.categories.take(*found)
                    self.browser.library_changed()

            self.store(read, show)

    def _new_saver(self) -> Saver:
        return Saver(self, self.group_id, self.visit, self._saved, self._not_saved, lambda: self.display.state())

    # --- reasons

    def read_only_reason(self) -> str | None:
        return self.workspace.read_only_reason if self.workspace.read_only else None

    def editing_reason(self) -> str | None:
        """Why boxes can't be changed now."""
        reason = self.read_only_reason()
        if reason or self.session is not None:
            return reason
        shown = self.image_id is not None and self.image_id == self.browser.wanted
        return "There is no picture to work on. Open another file." if shown else "The image is still being opened."

    def reset_reason(self) -> str | None:
        reason = self.editing_reason()
        if reason or self.session is None:
            return reason
        return None if self.session.is_changed else "There is nothing to reset: the boxes are those of the last submission."

    # --- boxes

    def _with(self, act: Callable[[EditSession], object]) -> None:
        if self.session is not None:
            act(self.session)
            self.display.boxes()

    def _drag(self, act: Callable[[EditSession], object]) -> None:
        """While the button is down only the canvas follows."""
        if self.session is not None and not self.workspace.read_only:
            act(self.session)
            self.display.canvas(self.session)

    def change(self, act: Callable[[EditSession], object]) -> None:
        """One command on the boxes, then everything that follows from it."""
        reason = self.editing_reason()
        if reason:
            self.toast(reason, "warning")
        elif self.session is not None:
            if act(self.session):
                self.boxes_changed()
            else:
                self.display.boxes()

    def boxes_changed(self) -> None:
        """Shown, counted, and stored as a draft."""
        if self.session is not None and self.image_id is not None:
            self.categories.deed_is_last = False
            self.display.entry(self.image_id)
            self.saver.draft(self.image_id, self.session)
            self.display.boxes()

    def _draw(self, x0: float, y0: float, x1: float, y1: float) -> None:
        category = self.visit.active_category
        if category is None:
            self.say("Add a category first: press the + beside Categories.")
        else:
            self.change(lambda session: session.draw(x0, y0, x1, y1, category))

    def _stamp(self, x: float, y: float) -> None:
        category = self.visit.active_category
        if category is not None:
            self.change(lambda session: session.stamp(x, y, category))

    def _select(self, key: int | None, toggle: bool) -> None:
        if toggle and key is not None:
            self._with(lambda session: session.toggle(key))
        else:
            self._with(lambda session: session.select([] if key is None else [key]))

    def _band(self, left: float, top: float, right: float, bottom: float, add: bool) -> None:
        self._with(lambda session: session.select_within(Rect(left, top, right, bottom), add))

    def find_box(self) -> None:
        """The one that the visit began with, once its image is shown."""
        wanted, session = self._look_at, self.session
        if wanted is None or session is None:
            return
        self._look_at = None
        width, height = session.bounds.width, session.bounds.height
        edges = [edge * side for edge, side in zip(wanted.corners, (width, height) * 2, strict=True)]

        def distance(box: EditBox) -> float:
            rect = (box.rect.left, box.rect.top, box.rect.right, box.rect.bottom)
            return max(abs(a - b) for a, b in zip(rect, edges, strict=True))

        nearest = min(session.boxes, key=distance, default=None)
        if nearest is not None and distance(nearest) <= 2:
            self.look_at(nearest.key)

    def look_at(self, key: int) -> None:
        """Selects a box and zooms to it."""
        self._select(key, False)
        self.stage.canvas.zoom_to({key})

    # --- Submit and Reset

    def submit(self) -> None:
        if self.session is None or self.image_id is None:
            return
        self.saver.submit(self.image_id, self.session)
        self.display.state()
        if self.go_on:
            target = self.book.next_to_do(self.image_id, self.saver.submitting)
            if target is not None:
                self.browser.open(target)

    def reset(self) -> None:
        self.change(lambda session: session.reset())

    def _saved(self, image_id: int, before: tuple[EditBox, ...], now: ImageAnnotations) -> None:
        self.display.entry(image_id)
        self.categories.submitted(before, now.submitted)
        if image_id == self.image_id:
            self.display.boxes()
        else:
            self.display.state()
        if self.book.submitted == len(self.book.entries) and not self.saver.submitting:
            self.toast("All images are submitted. Close the editor to go on with the setup.", "success")
        self.update_idletasks()  # the event says what can be seen
        self.context.event("saved", image=image_id, revision=now.revision, boxes=len(now.submitted))

    def _not_saved(self, image_id: int, reason: str) -> None:
        """The boxes are still in the session, and in their draft."""
        self.display.entry(image_id)
        self.display.state()
        entry = self.book.entry(image_id)
        name = entry.name if entry is not None else "The image"
        self.toast(f"{name} was not submitted. {reason}", "error", ("Open it", lambda: self.browser.open(image_id)))

    # --- closing

    def close(self) -> None:
        self._leave_for = self.close
        if self._back == "crops":
            self.router.show("crops", group_id=self.group_id, experiment_id=self.experiment_id)
        elif self.experiment_id:
            self.router.show("annotation", experiment_id=self.experiment_id)
        else:
            self.router.show("home")

    def show_all_boxes(self, category_id: int | None) -> None:
        """Of a category, as pictures; Close leads back here. None: of the active one."""
        self._leave_for = lambda: self.show_all_boxes(category_id)
        chosen = category_id if category_id is not None else self.visit.active_category
        self.router.show("crops", group_id=self.group_id, experiment_id=self.experiment_id, category_id=chosen, back="editor")

    def leave(self) -> bool:
        """Asks when something was not submitted; Close is tried again after the answer."""
        # What is being submitted is on its way; should that fail, its draft is in the library.
        waiting = [image_id for image_id in self.visit.unsubmitted() if image_id not in self.saver.submitting]
        if waiting and not self._may_leave and not self.workspace.read_only:
            dialogs.ask_unsubmitted(self, len(waiting), self._submit_and_close, self._reset_and_close)
            return False
        canvas = self.stage.canvas
        canvas.pointer.abandon()
        self.suggestions.close()
        shown = canvas.view
        view = EditorView(self.image_id, shown.fit, shown.scale, shown.x, shown.y).as_json()
        self.store(lambda: annotate.remember_view(self.workspace, self.group_id, view))
        return True

    def _submit_and_close(self) -> None:
        for image_id in self.visit.unsubmitted():
            self.saver.submit(image_id, self.visit.sessions[image_id])
        self.display.state()
        self.store(lambda: None, lambda _nothing: self._close_if_saved())  # after all of them

    def _close_if_saved(self) -> None:
        if not self.visit.unsubmitted():
            self._leave_for()

    def _reset_and_close(self) -> None:
        for image_id in self.visit.unsubmitted():
            session = self.visit.sessions[image_id]
            session.reset()
            self.display.entry(image_id)
            self.saver.draft(image_id, session)
        self.store(lambda: None, lambda _nothing: self._leave_for())

    # --- small things

    def _chosen(self, image_id: int) -> None:
        self.browser.open(image_id)
        self.focus_canvas()

    def set_go_on(self, go_on: bool) -> None:
        self.go_on = go_on
        self.store(lambda: remember(self.workspace, GO_ON, go_on))

    def remember_cross(self, shown: bool) -> None:
        self.store(lambda: remember(self.workspace, CROSS, shown))

    def say(self, text: str) -> None:
        self.toast(text)

    def focus_canvas(self) -> None:
        self.stage.canvas.focus_set()
