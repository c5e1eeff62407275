"""Every change becomes a draft, every Submit one transaction. The boxes stay in their session whatever happens here."""

from __future__ import annotations

from collections.abc import Callable

from ...core import annotate
from ...core.editing import EditBox, EditSession
from ...core.editing_visit import EditVisit
from ...core.records import Box, ImageAnnotations
from ..base import Screen


class Saver:
    """For one visit. saved(image_id, boxes before, annotations now) and problem(image_id, reason) are told on Tk's thread."""

    def __init__(
        self,
        screen: Screen,
        group_id: int,
        visit: EditVisit,
        saved: Callable[[int, tuple[EditBox, ...], ImageAnnotations], object],
        problem: Callable[[int, str], object],
        refreshed: Callable[[], object],
    ) -> None:
        self._screen = screen
        self._group_id = group_id
        self._visit = visit
        self._saved = saved
        self._problem = problem
        self._refreshed = refreshed
        self._drafts: dict[int, tuple[Box, ...] | None] = {}  # what the next draft of an image is; None drops it
        self.submitting: set[int] = set()

    def draft(self, image_id: int, session: EditSession) -> None:
        """Soon, and only the newest state: what was drawn meanwhile replaces what waits."""
        waiting = image_id in self._drafts
        self._drafts[image_id] = session.records() if session.is_changed else None
        if not waiting:
            self._screen.store(
                lambda: self._write_draft(image_id),
                lambda _result: self._draft_stored(image_id),
                lambda error: self._draft_failed(image_id, error),
            )

    def submit(self, image_id: int, session: EditSession) -> None:
        state = self._visit.state(image_id)
        boxes, records = session.boxes, session.records()
        before = session.submitted
        expected = session.revision + state.submits_under_way
        state.submit_started()
        self.submitting.add(image_id)
        workspace, group_id = self._screen.workspace, self._group_id

        def done(now: ImageAnnotations) -> None:
            session.submitted_now(boxes, now.revision)
            state.submit_committed()
            self._settle(image_id)
            self._saved(image_id, before, now)

        def failed(error: BaseException) -> None:
            state.submit_failed(_reason(error))
            self._settle(image_id)
            self._problem(image_id, _reason(error))

        self._screen.store(lambda: annotate.submit(workspace, group_id, image_id, records, expected), done, failed)

    def _settle(self, image_id: int) -> None:
        if not self._visit.state(image_id).is_saving:
            self.submitting.discard(image_id)

    def _write_draft(self, image_id: int) -> None:
        boxes = self._drafts.pop(image_id)
        if boxes is None:
            annotate.reset(self._screen.workspace, self._group_id, image_id)
        else:
            annotate.save_draft(self._screen.workspace, self._group_id, image_id, boxes)

    def _draft_stored(self, image_id: int) -> None:
        state = self._visit.state(image_id)
        if state.failure:
            state.draft_stored()
            self._refreshed()

    def _draft_failed(self, image_id: int, error: BaseException) -> None:
        self._visit.state(image_id).draft_failed(_reason(error))
        self._refreshed()


def _reason(error: BaseException) -> str:
    return str(error) or f"the library could not be written ({type(error).__name__})."
