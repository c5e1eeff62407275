"""Boxes that the group's own model proposes for an image: which model that is, what it finds, and what becomes of the finds.

A suggestion is no annotation: it is nowhere stored and never submitted until somebody accepts it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from darknet_bridge import Detection, Network, NormBox
from darknet_bridge.detection import iou
from darknet_bridge.errors import CancelledError, DeviceError, OutOfMemoryError
from darknet_bridge.training import RunDir

from . import checkpoints
from .box_geometry import Bounds, Rect
from .records import Category, Run, RunClass

if TYPE_CHECKING:
    from .editing import EditBox, EditSession
    from .workspace import Workspace

NO_MODEL = "Train on this group first: then its model can suggest boxes."
BY_ITSELF = "editor.suggest"
SAME_IOU = 0.7  # of the same category: the box is there already
LEAST, MOST = 0.05, 0.95  # of the threshold; below it nothing is asked of the network
USUAL = 0.25
STEP = 0.05
MOST_BOXES = 100


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint of a training. categories: of the group, by class number; title: "Training 2 of “Birds”, step 500"."""

    run_id: int
    step: int
    cfg: Path
    weights: Path
    stamp: int  # nanoseconds: the file is written again under the same name
    categories: Mapping[int, int]
    title: str

    @property
    def file(self) -> tuple[Path, Path, int]:
        """Models with the same one are one network."""
        return self.cfg, self.weights, self.stamp


@dataclass(frozen=True, slots=True)
class Suggestion:
    """rect: in pixels of the image; score: 0..1."""

    key: int
    category_id: int
    score: float
    rect: Rect


# ---- the model


def find_model(workspace: Workspace, group_id: int) -> Model | None:
    """Of the newest training on this group that has weights, else on its dataset; also one that is at work.

    Of a training the selected checkpoint, which is the best one unless another was chosen. On the store's thread.
    """
    store = workspace.store
    group, categories = store.groups.get(group_id), store.categories.list(group_id)
    own = {each.id for each in categories}
    known = {each.id: each for archived in (False, True) for each in store.experiments.list(archived)}
    newest = [run for run in reversed(store.runs.list()) if run.experiment_id in known]
    of_group = [run for run in newest if any(each.category_id in own for each in run.classes)]
    of_dataset = [run for run in newest if run not in of_group and known[run.experiment_id].dataset_id == group.dataset_id]
    for run in (*of_group, *of_dataset):
        model = _model_of(workspace, run, matched(run.classes, categories), known[run.experiment_id].name)
        if model is not None:
            return model
    return None


def matched(classes: Sequence[RunClass], categories: Sequence[Category]) -> dict[int, int]:
    """Class number -> category id: by identity, whatever the category is called now, else by name; others are left out."""
    ids = {each.id for each in categories}
    taken = {each.category_id for each in classes}
    by_name = {each.name.casefold(): each.id for each in categories if each.id not in taken}
    found = {each.index: each.category_id if each.category_id in ids else by_name.get(each.name.casefold()) for each in classes}
    return {index: category_id for index, category_id in found.items() if category_id is not None}


def _model_of(workspace: Workspace, run: Run, categories: Mapping[int, int], experiment: str) -> Model | None:
    files = checkpoints.usable(workspace.store.runs.checkpoints(run.id))
    cfg = RunDir(run.folder).cfg
    if not files or not categories or not cfg.is_file():
        return None
    chosen = checkpoints.selected(run, files)
    try:
        stamp = chosen.path.stat().st_mtime_ns
    except OSError:  # the training at work has just taken it away
        return None
    title = f"Training {run.number} of “{experiment}”, step {chosen.step:,}"
    return Model(run.id, chosen.step, cfg, chosen.path, stamp, categories, title)


class Suggester:
    """Keeps the network of the last model loaded. Call `find` and `close` in background threads: both may wait for the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._network: Network | None = None
        self._file: object = None
        self._closed = False

    def find(self, model: Model, picture: Path) -> tuple[Detection, ...]:
        """Everything above LEAST, surest first. Raises DarknetError; CancelledError after close()."""
        with self._lock:
            if self._closed:
                raise CancelledError("Cancelled.")
            try:
                return self._found(model, picture, "auto")
            except (DeviceError, OutOfMemoryError):  # a training has the device: the processor is always there
                self._free()
                return self._found(model, picture, "cpu")

    def close(self) -> None:
        """Gives the network's memory back."""
        with self._lock:
            self._closed = True
            self._free()

    def _found(self, model: Model, picture: Path, device: str) -> tuple[Detection, ...]:
        if self._network is None or self._file != model.file:
            self._free()
            self._network, self._file = Network.load(model.cfg, model.weights, device=device), model.file
        return tuple(self._network.detect(picture, threshold=LEAST))

    def _free(self) -> None:
        if self._network is not None:
            self._network.close()
        self._network = None


# ---- what was found on an image


@dataclass
class Offer:
    """The suggestions of one image. model: whose they are; marked: the key of the one that Enter and Delete are for."""

    model: Model
    suggestions: tuple[Suggestion, ...]
    marked: int | None = None
    _rejected: set[int] = field(default_factory=set)
    _accepted: dict[int, int] = field(default_factory=dict)  # suggestion -> the box that it became
    _hidden: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, model: Model, found: Iterable[Detection], bounds: Bounds) -> Offer:
        """found: surest first."""
        return cls(model, tuple(_suggestions(model, found, bounds))[:MOST_BOXES])

    def visible(self, session: EditSession, live: Callable[[int], int | None], threshold: float) -> list[Suggestion]:
        """Surest first: what is neither decided nor unsure nor there already, with the category that it counts as now."""
        boxes: dict[int, list[Rect]] = {}
        for box in session.boxes:
            boxes.setdefault(box.category_id, []).append(box.rect)
        shown = []
        for each in self.suggestions:
            category_id = live(each.category_id)
            if each.score < threshold or each.key in self._rejected | self._hidden or category_id is None:
                continue
            if category_id in session.hidden_categories or any(_same(each.rect, box) for box in boxes.get(category_id, ())):
                continue
            shown.append(replace(each, category_id=category_id))
        return shown

    def mark(self, shown: Sequence[Suggestion], by: int = 0) -> None:
        """The marked one of those that are shown, or with 1 the next, -1 the one before; the surest where it is gone."""
        keys = [each.key for each in shown]
        if self.marked not in keys:
            later = [key for key in keys if self.marked is not None and key > self.marked]
            self.marked = next(iter(later or keys), None)
        elif by and self.marked is not None:
            self.marked = keys[(keys.index(self.marked) + by) % len(keys)]

    def reject(self, keys: Iterable[int]) -> None:
        self._rejected |= set(keys)

    def accept(self, session: EditSession, chosen: Sequence[Suggestion]) -> Sequence[EditBox]:
        """Makes boxes of them, in one step of undo. None is selected: the keys stay with the suggestions."""
        made = session.add([(each.category_id, each.rect) for each in chosen], "Accept suggestions")
        for each, box in zip(chosen, made, strict=True):
            self._accepted[each.key] = box.key
            self._hidden.add(each.key)
        session.select([])
        return made

    def undone(self, session: EditSession) -> None:
        """After undo or redo: what was accepted is offered again where its box is gone."""
        there = {box.key for box in session.boxes}
        self._hidden = {key for key, box in self._accepted.items() if box in there}


def _suggestions(model: Model, found: Iterable[Detection], bounds: Bounds) -> Iterator[Suggestion]:
    for key, each in enumerate(found):
        left, top, right, bottom = each.box.corners
        rect = bounds.clipped(Rect(left * bounds.width, top * bounds.height, right * bounds.width, bottom * bounds.height))
        if rect is not None and each.class_id in model.categories:
            yield Suggestion(key, model.categories[each.class_id], each.score, rect)


def _same(a: Rect, b: Rect) -> bool:
    return a.touches(b) and iou(_norm(a), _norm(b)) >= SAME_IOU


def _norm(rect: Rect) -> NormBox:
    return NormBox.from_corners(rect.left, rect.top, rect.right, rect.bottom)


# ---- what is remembered


def threshold_of(workspace: Workspace, group_id: int) -> float:
    """The least score of what is shown, remembered for each group."""
    stored = workspace.settings.get(_setting(group_id), USUAL)
    return clamped(float(stored)) if isinstance(stored, (int, float)) else USUAL


def remember_threshold(workspace: Workspace, group_id: int, threshold: float) -> None:
    """Nothing where the library can only be read."""
    if not workspace.read_only:
        workspace.settings.set(_setting(group_id), threshold)


def clamped(threshold: float) -> float:
    """A threshold that can be chosen, in whole percent."""
    return round(min(max(threshold, LEAST), MOST), 2)


def _setting(group_id: int) -> str:
    return f"suggest:{group_id}"
