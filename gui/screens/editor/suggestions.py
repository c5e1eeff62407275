"""Boxes that the group's own model proposes in the editor: asked for, shown over the canvas, accepted and rejected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from darknet_bridge import Detection
from darknet_bridge.errors import CancelledError

from ...core import suggest
from ...core.editor_opening import remember
from ...core.suggest import Model, Offer, Suggester, Suggestion
from ...core.wording import counted
from ...tk.commands import Command
from ...widgets.canvas_boxes import CanvasBox
from ...widgets.controls import set_enabled
from ...widgets.tooltip import explain
from .suggestion_panel import SuggestionPanel

if TYPE_CHECKING:
    from .screen import EditorScreen

NOTHING_HERE = "There are no suggestions on this image."
NOTHING_FOUND = "The model found nothing on this image that is not marked already."
LOOKING = "The model is looking at the image…"


class Suggestions:
    """offer: of the open image. by_itself: images to do that are opened without boxes get suggestions unasked."""

    def __init__(self, screen: EditorScreen) -> None:
        self.screen = screen
        self.model: Model | None = None
        self.offer: Offer | None = None
        self.by_itself = False
        self.threshold = suggest.USUAL
        self._known = False  # whether it is known if there is a model
        self._suggester = Suggester()
        self._busy = False
        self._next: tuple[int, bool] | None = None  # asked for meanwhile: (image, unasked)
        self._panel: SuggestionPanel | None = None
        self._button_says: str | None = ""

    # --- the visit

    def start(self) -> None:
        """For another group; on the store's thread before the group is opened."""
        self.close()
        self._suggester = Suggester()
        self.model, self._known, self._busy = None, False, False
        screen = self.screen
        workspace, group_id = screen.workspace, screen.group_id

        def read() -> tuple[Model | None, float, bool]:
            wanted = bool(workspace.settings.get(suggest.BY_ITSELF, False))
            return suggest.find_model(workspace, group_id), suggest.threshold_of(workspace, group_id), wanted

        def show(found: tuple[Model | None, float, bool]) -> None:
            if group_id == screen.group_id:
                _model, self.threshold, self.by_itself = found
                self._have_model(found[0])

        screen.store(read, show)

    def close(self) -> None:
        """The network's memory is given back, in the background: it may be at work."""
        self.offer, self._next = None, None
        gone = self._suggester
        self.screen.context.tasks.background(lambda _progress: gone.close())

    def on_changes(self, topics: frozenset[str]) -> None:
        """A training may have written its first checkpoint."""
        if "runs" in topics and self._known and self.model is None:
            workspace, group_id = self.screen.workspace, self.screen.group_id
            self.screen.store(
                lambda: suggest.find_model(workspace, group_id),
                lambda model: self._have_model(model) if group_id == self.screen.group_id else None,
            )

    def _have_model(self, model: Model | None) -> None:
        self.model, self._known = model, True
        self.show()
        if model is not None:
            self._unasked()

    # --- reasons

    def reason(self) -> str | None:
        """Why the model can't be asked now."""
        reason = self.screen.editing_reason()
        if reason is None and self.model is None:
            return suggest.NO_MODEL if self._known else "The trainings are still being looked through."
        return reason or (LOOKING if self._busy else None)

    def none_shown(self) -> str | None:
        return self.screen.editing_reason() or (None if self._shown() else NOTHING_HERE)

    @property
    def has_keys(self) -> bool:
        """Whether Delete means the marked suggestion: none of the boxes is selected."""
        session = self.screen.session
        return session is not None and not session.selection and bool(self._shown())

    # --- asking

    def opened(self) -> None:
        """Another image is shown."""
        self.offer, self._next = None, None
        self.show()
        self._unasked()

    def set_by_itself(self, wanted: bool) -> None:
        self.by_itself = wanted
        self.screen.store(lambda: remember(self.screen.workspace, suggest.BY_ITSELF, wanted))
        self._unasked()

    def _unasked(self) -> None:
        """A negative example was decided by a person: it stays without."""
        session, image_id = self.screen.session, self.screen.image_id
        if not self.by_itself or self.model is None or self.offer is not None or self.screen.editing_reason():
            return
        if session is not None and image_id is not None and not session.boxes and session.revision == 0:
            self._ask(image_id, True)

    def ask(self) -> None:
        if self.screen.image_id is not None:
            self._ask(self.screen.image_id, False)

    def _ask(self, image_id: int, unasked: bool) -> None:
        """One at a time, so that pictures can be decoded beside it; of those asked for meanwhile only the last."""
        if self._busy:
            self._next = (image_id, unasked)
            return
        self._busy = True
        self.show()
        screen, suggester = self.screen, self._suggester
        workspace, group_id, path = screen.workspace, screen.group_id, Path(screen.paths[image_id])

        def failed(error: BaseException) -> None:
            if self._answered(suggester) and not isinstance(error, CancelledError):
                if unasked:
                    screen.toast(f"No suggestions: {error}", "warning")
                else:
                    screen.context.failed(error)

        def found(model: Model, detections: Sequence[Detection]) -> None:
            if self._answered(suggester) and image_id == screen.image_id:
                self._take(model, detections, unasked)

        def have_model(model: Model | None) -> None:
            if suggester is not self._suggester:
                return
            self.model = model
            if model is None:
                self._answered(suggester)
                screen.toast(suggest.NO_MODEL, "warning")
                return
            screen.background(lambda _progress: suggester.find(model, path), lambda boxes: found(model, boxes), failed)

        screen.store(lambda: suggest.find_model(workspace, group_id), have_model, failed)

    def _answered(self, suggester: Suggester) -> bool:
        """False for an answer to an earlier visit."""
        if suggester is not self._suggester:
            return False
        self._busy = False
        waiting, self._next = self._next, None
        if waiting is not None and waiting[0] == self.screen.image_id:
            self._ask(*waiting)
        self.show()
        return True

    def _take(self, model: Model, detections: Sequence[Detection], unasked: bool) -> None:
        session = self.screen.session
        if session is None:
            return
        self.offer = Offer.of(model, detections, session.bounds)
        if not unasked:
            session.select([])
            if not self.screen.stage.canvas.boxes_shown:
                self.screen.display.toggle_boxes()
            if not self._open():
                self.screen.say(NOTHING_FOUND)
        self.screen.display.boxes()
        self.screen.context.event("suggested", image=self.screen.image_id, boxes=len(self._shown()), run=model.run_id)

    # --- what is shown

    def _open(self) -> list[Suggestion]:
        """However unsure."""
        session = self.screen.session
        if self.offer is None or session is None:
            return []
        return self.offer.visible(session, self.screen.visit.live, suggest.LEAST)

    def _shown(self) -> list[Suggestion]:
        return [each for each in self._open() if each.score >= self.threshold]

    def show(self) -> None:
        screen, undecided = self.screen, self._open()
        shown = [each for each in undecided if each.score >= self.threshold]
        categories = {category.id: category for category in screen.visit.categories}
        boxes = []
        for each in reversed(shown):  # the surest on top
            category, rect = categories[each.category_id], each.rect
            text = f"{category.name} {each.score * 100:.0f} %"
            boxes.append(CanvasBox(each.key, rect.left, rect.top, rect.right, rect.bottom, category.colour, text))
        if self.offer is not None:
            self.offer.mark(shown)
        screen.stage.canvas.show_suggestions(boxes, None if self.offer is None else self.offer.marked)
        self._show_panel(len(shown), len(undecided))
        self._show_button()

    def _show_panel(self, shown: int, undecided: int) -> None:
        screen = self.screen
        if self._panel is None:
            events = (self.set_threshold, self.remember_threshold)
            self._panel = SuggestionPanel(screen.stage.canvas, screen.theme, screen.context.commands, *events)
        if self.offer is None or not undecided:
            self._panel.hide()
            return
        text = counted(shown, "suggestion") if shown == undecided else f"{shown} of {counted(undecided, 'suggestion')}"
        self._panel.show(text, f"{self.offer.model.title}. A click accepts one.", self.threshold)
        for made in (self._panel.accept, self._panel.reject):
            set_enabled(made, screen.theme, None if shown else "None is as sure as that. Move the slider to the left.")

    def _show_button(self) -> None:
        """Why not, or what it does."""
        reason = self.reason()
        if reason != self._button_says:
            self._button_says = reason
            tool = self.screen.stage.tool("editor.suggest")
            set_enabled(tool, self.screen.theme, reason)
            if reason is None:
                self.screen.stage.show_keys(self.screen.context.commands)

    def show_keys(self) -> None:
        """Keys have changed."""
        if self._panel is not None:
            self._panel.show_keys(self.screen.context.commands)
        if self._button_says:
            explain(self.screen.stage.tool("editor.suggest"), self.screen.theme, self._button_says)

    # --- deciding

    def point(self, key: int | None) -> None:
        """The pointer came to one; it stays marked when the pointer leaves."""
        if self.offer is not None and key is not None and key != self.offer.marked:
            self.offer.marked = key
            self.show()

    def next(self, by: int) -> None:
        if self.offer is not None:
            self.offer.mark(self._shown(), by)
            self.show()
            canvas = self.screen.stage.canvas
            if not canvas.view.fit:
                canvas.zoom_to_suggestion(self.offer.marked)

    def accept(self, key: int | None = None) -> None:
        """One: the marked one unless it is said which."""
        if self.offer is not None:
            wanted = self.offer.marked if key is None else key
            self._accept([each for each in self._shown() if each.key == wanted])

    def accept_all(self) -> None:
        self._accept(self._shown())

    def _accept(self, chosen: Sequence[Suggestion]) -> None:
        offer = self.offer
        if offer is not None and chosen:
            self.screen.change(lambda session: offer.accept(session, chosen))

    def reject(self) -> None:
        """The marked one."""
        if self.offer is not None and self.offer.marked is not None:
            self.offer.reject([self.offer.marked])
            self.screen.display.boxes()

    def reject_all(self) -> bool:
        """Whether there were any: those that are not sure enough go, too."""
        undecided = self._open()
        if self.offer is not None and undecided:
            self.offer.reject(each.key for each in undecided)
            self.screen.display.boxes()
        return bool(undecided)

    def undone(self) -> None:
        """After undo or redo."""
        if self.offer is not None and self.screen.session is not None:
            self.offer.undone(self.screen.session)

    # --- the threshold

    def set_threshold(self, threshold: float) -> None:
        if threshold != self.threshold:
            self.threshold = threshold
            self.show()

    def step_threshold(self, by: int) -> None:
        self.set_threshold(suggest.clamped(self.threshold + by * suggest.STEP))
        self.remember_threshold()

    def remember_threshold(self) -> None:
        workspace, group_id, threshold = self.screen.workspace, self.screen.group_id, self.threshold
        self.screen.store(lambda: suggest.remember_threshold(workspace, group_id, threshold))

    # --- the list

    def commands(self) -> list[Command]:
        group = "Suggestions of the model"
        return [
            Command("editor.suggest", "Suggest boxes", self.ask, ("G",), self.reason, group),
            Command("editor.accept", "Accept the marked one (also a click)", self.accept, ("Enter",), self.none_shown, group),
            Command("editor.accept_all", "Accept all", self.accept_all, ("Shift+G",), self.none_shown, group),
            Command("editor.reject_all", "Reject all", self.reject_all, (), self.none_shown, group),
            Command("editor.surer", "Only surer ones", lambda: self.step_threshold(1), ("]",), self.none_open, group),
            Command("editor.less_sure", "Less sure ones, too", lambda: self.step_threshold(-1), ("[",), self.none_open, group),
        ]

    def none_open(self) -> str | None:
        return self.screen.editing_reason() or (None if self._open() else NOTHING_HERE)
