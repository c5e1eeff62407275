"""The editor without a display: the boxes of one image, what is selected, and every command on them, with undo and redo.

Pixels are those of the image as it is seen. Nothing here knows the store: core.annotate loads and saves, the screen calls both.
A visit (core.editing_visit) keeps one EditSession for each image that was opened, with its whole history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from darknet_bridge import PixelBox

from .box_geometry import Bounds, Rect
from .records import Box

UNDO_DEPTH = 500
_PASTE_OFFSET_PX = 12.0


@dataclass(frozen=True, slots=True)
class EditBox:
    """A box on the canvas. key: its identity during the visit, never reused in its image; keys grow in the order of drawing."""

    key: int
    category_id: int
    rect: Rect
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Moment:
    """What undo goes back to."""

    boxes: tuple[EditBox, ...]
    selection: frozenset[int]
    label: str


class EditSession:
    """One image. `live` maps a category id to the one it counts as now, None when it was deleted.

    Each command returns whether it changed the boxes (or what it made) and is one step of undo. A drag is one step too: begin(),
    any number of drag_... calls, each measured from the beginning, then commit() or cancel().
    """

    def __init__(self, width: int, height: int, live: Callable[[int], int | None] | None = None) -> None:
        self.bounds = Bounds(width, height)
        self._live = live or (lambda category_id: category_id)
        self._boxes: tuple[EditBox, ...] = ()
        self._submitted: tuple[EditBox, ...] = ()
        self._undo: list[_Moment] = []
        self._redo: list[_Moment] = []
        self._gesture: _Moment | None = None
        self._nudged: frozenset[int] | None = None
        self._next_key = 1
        self._last_size: tuple[float, float] | None = None
        self.selection: frozenset[int] = frozenset()
        self.hidden: frozenset[int] = frozenset()
        self.hidden_categories: frozenset[int] = frozenset()
        self.locked: frozenset[int] = frozenset()
        self.locked_categories: frozenset[int] = frozenset()
        self.revision = 0

    # --- what there is

    @property
    def boxes(self) -> tuple[EditBox, ...]:
        """In the order of drawing; those of deleted categories are left out, those of moved ones follow."""
        return self._current(self._boxes)

    @property
    def submitted(self) -> tuple[EditBox, ...]:
        return self._current(self._submitted)

    @property
    def selected(self) -> tuple[EditBox, ...]:
        return tuple(box for box in self.boxes if box.key in self.selection)

    @property
    def is_changed(self) -> bool:
        """Whether there is something that was not submitted: another set of boxes than in the last submission."""
        return not _close(_values(self.boxes), _values(self.submitted))

    @property
    def in_gesture(self) -> bool:
        return self._gesture is not None

    def box(self, key: int) -> EditBox | None:
        return next((box for box in self.boxes if box.key == key), None)

    def is_visible(self, box: EditBox) -> bool:
        return box.key not in self.hidden and box.category_id not in self.hidden_categories

    def is_locked(self, box: EditBox) -> bool:
        """Whether the pointer passes through it."""
        return box.key in self.locked or box.category_id in self.locked_categories

    def records(self) -> tuple[Box, ...]:
        """The boxes as the store takes them."""
        width, height = int(self.bounds.width), int(self.bounds.height)
        return tuple(
            Box(
                box.category_id,
                PixelBox(box.rect.left, box.rect.top, box.rect.right, box.rect.bottom).to_norm(width, height),
                box.flags,
            )
            for box in self.boxes
        )

    # --- from and to the library

    def load(self, submitted: Sequence[Box], draft: Sequence[Box] | None, revision: int) -> bool:
        """Takes over what the library says. What the session holds already stays with its history; what differs becomes one
        more step of undo. Returns whether the boxes on the canvas changed."""
        self._submitted = tuple(self._from_record(box) for box in submitted)
        self.revision = revision
        shown = self._submitted if draft is None else tuple(self._from_record(box) for box in draft)
        if _close(_values(shown), _values(self.boxes)):
            return False
        if self._boxes or self._undo:
            self._push("Changed elsewhere")
        self._boxes = shown
        self._keep_selection()
        return True

    def submitted_now(self, boxes: Sequence[EditBox], revision: int) -> None:
        """After the commit: `boxes` (those that were handed to the store, not what was drawn since) are the last submission."""
        self._submitted = tuple(boxes)
        self.revision = revision

    # --- selection

    def select(self, keys: Iterable[int], add: bool = False) -> None:
        known = {box.key for box in self.boxes}
        chosen = frozenset(keys) & known
        self._set_selection(self.selection | chosen if add else chosen)

    def toggle(self, key: int) -> None:
        if self.box(key) is not None:
            self._set_selection(self.selection ^ {key})

    def select_all(self) -> None:
        self._set_selection(frozenset(box.key for box in self.boxes if self._is_free(box)))

    def select_within(self, rect: Rect, add: bool = False) -> None:
        """The rubber band: every box that it touches."""
        self.select((box.key for box in self.boxes if self._is_free(box) and box.rect.touches(rect)), add)

    def select_next(self, step: int = 1) -> EditBox | None:
        """The next (or with -1 the previous) box after the selected one, round and round."""
        boxes = [box for box in self.boxes if self.is_visible(box)]
        if not boxes:
            return None
        at = [index for index, box in enumerate(boxes) if box.key in self.selection]
        index = ((at[-1] if step > 0 else at[0]) + step) % len(boxes) if at else (0 if step > 0 else -1)
        self._set_selection(frozenset({boxes[index].key}))
        return boxes[index]

    # --- commands

    def draw(self, x0: float, y0: float, x1: float, y1: float, category_id: int) -> EditBox | None:
        """A new, selected box between two corners; None and no step of undo when it has no size."""
        rect = self.bounds.drawn(x0, y0, x1, y1)
        return None if rect is None else self._add([(category_id, rect, ())], "Draw")[0]

    def stamp(self, x: float, y: float, category_id: int) -> EditBox | None:
        """A box of the size of the one drawn or selected last, around a point; None before there was one."""
        size = (self.selected[-1].rect.width, self.selected[-1].rect.height) if self.selected else self._last_size
        if size is None:
            return None
        return self._add([(category_id, self.bounds.placed(*size, x, y), ())], "Same size again")[0]

    def delete(self, keys: Iterable[int] | None = None) -> bool:
        """The given boxes, or the selected ones."""
        gone = frozenset(self.selection if keys is None else keys)
        return self._change([box for box in self.boxes if box.key not in gone], "Delete")

    def set_category(self, category_id: int) -> bool:
        return self._change(
            [replace(box, category_id=category_id) if box.key in self.selection else box for box in self.boxes], "Change category"
        )

    def nudge(self, dx: float, dy: float) -> bool:
        """Moves the selection; a run of nudges is one step of undo."""
        return self._by_keyboard(lambda boxes: self._moved(boxes, dx, dy), "Move")

    def grow(self, dx: float, dy: float) -> bool:
        """Moves the right and bottom edge of each selected box; a run of them is one step of undo."""
        return self._by_keyboard(
            lambda boxes: [
                replace(box, rect=self.bounds.grown(box.rect, dx, dy)) if box.key in self.selection else box for box in boxes
            ],
            "Resize",
        )

    def paste(self, copied: Sequence[EditBox]) -> list[EditBox]:
        """Adds copies at the same place, beside it where the same box is there already; what lies outside this image is left
        out, what sticks out is cut."""
        there = {(box.category_id, box.rect) for box in self.boxes}
        wanted: list[tuple[int, Rect, tuple[str, ...]]] = []
        for box in copied:
            category_id, rect = self._live(box.category_id), self.bounds.clipped(box.rect)
            if category_id is None or rect is None:
                continue
            while (category_id, rect) in there:
                shifted = self.bounds.inside(rect.moved(_PASTE_OFFSET_PX, _PASTE_OFFSET_PX))
                if shifted == rect:
                    break
                rect = shifted
            wanted.append((category_id, rect, box.flags))
        return self._add(wanted, "Paste") if wanted else []

    def repeat(self, previous: Sequence[Box]) -> list[EditBox]:
        """Adds the boxes of the image before, at the same share of the image; those that are here already are not doubled."""
        there = _values(self.boxes)
        made = [self._from_record(box) for box in previous]
        wanted = []
        for box in made:
            category_id, rect = self._live(box.category_id), self.bounds.clipped(box.rect)
            if category_id is not None and rect is not None and not _has(there, (category_id, rect, box.flags)):
                wanted.append((category_id, rect, box.flags))
        return self._add(wanted, "Repeat") if wanted else []

    def add(self, wanted: Sequence[tuple[int, Rect]], label: str) -> list[EditBox]:
        """Boxes from elsewhere as (category id, rect inside the image); they are selected."""
        return self._add([(category_id, rect, ()) for category_id, rect in wanted], label) if wanted else []

    def reset(self) -> bool:
        """Back to the last submission (to nothing before the first), as one step of undo."""
        return self._change(self.submitted, "Reset")

    # --- dragging

    def begin(self) -> None:
        self._boxes = self.boxes
        self._gesture = _Moment(self._boxes, self.selection, "Drag")
        self._nudged = None

    def drag_move(self, dx: float, dy: float) -> None:
        """The selection, by an offset from where the drag began."""
        if self._gesture is not None:
            self._boxes = tuple(self._moved(self._gesture.boxes, dx, dy))

    def drag_resize(self, key: int, handle: str, x: float, y: float) -> None:
        """One handle of one box, to a point."""
        if self._gesture is not None:
            self._boxes = tuple(
                replace(box, rect=self.bounds.resized(box.rect, handle, x, y)) if box.key == key else box
                for box in self._gesture.boxes
            )

    def commit(self) -> bool:
        before, self._gesture = self._gesture, None
        if before is None or before.boxes == self._boxes:
            return False
        self._remember(before)
        chosen = self.selected
        if chosen:
            self._last_size = (chosen[-1].rect.width, chosen[-1].rect.height)
        return True

    def cancel(self) -> bool:
        before, self._gesture = self._gesture, None
        if before is None:
            return False
        self._boxes, self.selection = before.boxes, before.selection
        return True

    # --- undo

    @property
    def undo_label(self) -> str | None:
        return self._undo[-1].label if self._undo else None

    @property
    def redo_label(self) -> str | None:
        return self._redo[-1].label if self._redo else None

    def undo(self) -> str | None:
        """Takes the last change back and returns its name; None when there is none."""
        return self._step(self._undo, self._redo)

    def redo(self) -> str | None:
        return self._step(self._redo, self._undo)

    # --- inside

    def _step(self, source: list[_Moment], target: list[_Moment]) -> str | None:
        self.cancel()
        self._nudged = None
        if not source:
            return None
        moment = source.pop()
        target.append(_Moment(self._boxes, self.selection, moment.label))
        self._boxes, self.selection = moment.boxes, moment.selection
        self._keep_selection()
        return moment.label

    def _push(self, label: str) -> None:
        self._remember(_Moment(self._boxes, self.selection, label))

    def _remember(self, moment: _Moment) -> None:
        self._undo.append(moment)
        del self._undo[:-UNDO_DEPTH]
        self._redo.clear()

    def _change(self, boxes: Iterable[EditBox], label: str) -> bool:
        changed = tuple(boxes)
        self.cancel()
        self._nudged = None
        if changed == self.boxes:
            return False
        self._push(label)
        self._boxes = changed
        self._keep_selection()
        return True

    def _add(self, wanted: Sequence[tuple[int, Rect, tuple[str, ...]]], label: str) -> list[EditBox]:
        made = [EditBox(self._key(), *values) for values in wanted]
        self._change([*self.boxes, *made], label)
        self.selection = frozenset(box.key for box in made)
        self._last_size = (made[-1].rect.width, made[-1].rect.height)
        return made

    def _by_keyboard(self, make: Callable[[Sequence[EditBox]], list[EditBox]], label: str) -> bool:
        self.cancel()
        changed = tuple(make(self.boxes))
        if changed == self.boxes:
            return False
        if self._nudged != self.selection or not self._undo or self._undo[-1].label != label:
            self._push(label)
        self._redo.clear()
        self._boxes, self._nudged = changed, self.selection
        return True

    def _moved(self, boxes: Sequence[EditBox], dx: float, dy: float) -> list[EditBox]:
        chosen = [box.rect for box in boxes if box.key in self.selection]
        moved = iter(self.bounds.moved_together(chosen, dx, dy))
        return [replace(box, rect=next(moved)) if box.key in self.selection else box for box in boxes]

    def _set_selection(self, keys: frozenset[int]) -> None:
        if keys != self.selection:
            self._nudged = None
        self.selection = keys

    def _keep_selection(self) -> None:
        self.selection &= {box.key for box in self.boxes}

    def _is_free(self, box: EditBox) -> bool:
        return self.is_visible(box) and not self.is_locked(box)

    def _current(self, boxes: tuple[EditBox, ...]) -> tuple[EditBox, ...]:
        found = []
        for box in boxes:
            category_id = self._live(box.category_id)
            if category_id is not None:
                found.append(box if category_id == box.category_id else replace(box, category_id=category_id))
        return tuple(found)

    def _from_record(self, box: Box) -> EditBox:
        left, top, right, bottom = box.box.corners
        width, height = self.bounds.width, self.bounds.height
        return EditBox(self._key(), box.category_id, Rect(left * width, top * height, right * width, bottom * height), box.flags)

    def _key(self) -> int:
        self._next_key += 1
        return self._next_key - 1


_Value = tuple[int, Rect, tuple[str, ...]]
_SAME_PX = 0.01  # far below what a hand can do, far above what dividing and multiplying by the size loses


def _values(boxes: Iterable[EditBox]) -> list[_Value]:
    return [(box.category_id, box.rect, box.flags) for box in boxes]


def _same(a: _Value, b: _Value) -> bool:
    if a[0] != b[0] or a[2] != b[2]:
        return False
    pairs = ((a[1].left, b[1].left), (a[1].top, b[1].top), (a[1].right, b[1].right), (a[1].bottom, b[1].bottom))
    return all(abs(x - y) <= _SAME_PX for x, y in pairs)


def _close(a: list[_Value], b: list[_Value]) -> bool:
    return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))


def _has(values: list[_Value], wanted: _Value) -> bool:
    return any(_same(value, wanted) for value in values)
