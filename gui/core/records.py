"""What the library holds, as frozen values. The store gives these out and takes them in; screens show them.

Times are UTC seconds since 1970 and only shown; order is by `id` or `sequence`, because clocks jump. Boxes are darknet_bridge's
NormBox: centre and size relative to the image as it is seen, that is, after its EXIF orientation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from darknet_bridge import NormBox


class RunState(str, Enum):
    """Of a run. queued waits for its turn; paused ended without finishing and can go on (power cut, disk full)."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        return self in (RunState.QUEUED, RunState.RUNNING)

    @property
    def can_resume(self) -> bool:
        return self in (RunState.PAUSED, RunState.STOPPED, RunState.FAILED)


class ExperimentState(str, Enum):
    """The three groups of the guide. Follows from the newest run: none, one that may go on, one that ended."""

    NOT_STARTED = "not started"
    IN_PROGRESS = "in progress"
    COMPLETED = "completed"


class ImageState(str, Enum):
    """Of an image in an annotation group. A draft is unsubmitted work, whether or not there was a submission before."""

    NEW = "new"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    NEGATIVE = "negative"  # submitted without boxes


class Storage(str, Enum):
    """Where a dataset's images are."""

    REFERENCE = "reference"  # where the user keeps them
    COPY = "copy"  # in the library's folder


class Part(str, Enum):
    """Which part of a run an image belongs to."""

    TRAIN = "train"
    VALID = "valid"


@dataclass(frozen=True, slots=True)
class Experiment:
    """setup: the choices of the Setup step as JSON values (see core.setup). step: the wizard's last open step."""

    id: int
    name: str
    created_at: float
    changed_at: float
    state: ExperimentState
    dataset_id: int | None = None
    group_id: int | None = None
    step: str = "dataset"
    setup: Mapping[str, object] = field(default_factory=dict)
    notes: str = ""
    archived: bool = False
    last_run: Run | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """With the counts that its card shows. folder: where it was imported from first."""

    id: int
    name: str
    created_at: float
    storage: Storage
    folder: Path | None
    images: int = 0
    bytes: int = 0
    groups: int = 0


@dataclass(frozen=True, slots=True)
class Image:
    """One picture. Width and height are as seen (EXIF orientation applied once).

    sha256 of the file's bytes; dhash: 64-bit difference hash of what is seen; split_key: images that must stay together in one
    part of a split share it (near duplicates, frames of one video). video, time_ms: where a frame came from.
    """

    id: int
    dataset_id: int
    path: Path
    name: str
    width: int
    height: int
    bytes: int
    sha256: str
    dhash: int
    orientation: int = 1
    format: str = "jpeg"
    split_key: str = ""
    video: str | None = None
    time_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to be registered: an Image without ids."""

    path: Path
    name: str
    width: int
    height: int
    bytes: int
    sha256: str
    dhash: int
    orientation: int = 1
    format: str = "jpeg"
    split_key: str = ""
    video: str | None = None
    time_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AnnotationGroup:
    """A set of categories and boxes over a dataset; several on one dataset know nothing of each other."""

    id: int
    dataset_id: int
    name: str
    created_at: float
    categories: int = 0
    submitted: int = 0
    boxes: int = 0


@dataclass(frozen=True, slots=True)
class Category:
    """A class. Its id never changes or comes back; position is its place in the list; colour is #rrggbb."""

    id: int
    group_id: int
    name: str
    colour: str
    position: int


@dataclass(frozen=True, slots=True)
class Box:
    """A drawn box: which category, where. flags: what other formats say of it (difficult, truncated, occluded)."""

    category_id: int
    box: NormBox
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """A line of the editor's file list. submitted: there is a submission, perhaps below a draft."""

    image_id: int
    name: str
    state: ImageState
    boxes: int
    submitted: bool = False


@dataclass(frozen=True, slots=True)
class ImageAnnotations:
    """Everything about one image in one group. draft is None when nothing is unsubmitted.

    revision counts submissions (0: never submitted) and guards against two writers.
    """

    group_id: int
    image_id: int
    submitted: tuple[Box, ...]
    draft: tuple[Box, ...] | None
    revision: int

    @property
    def current(self) -> tuple[Box, ...]:
        return self.submitted if self.draft is None else self.draft

    @property
    def state(self) -> ImageState:
        if self.draft is not None:
            return ImageState.DRAFT
        if self.revision == 0:
            return ImageState.NEW
        return ImageState.SUBMITTED if self.submitted else ImageState.NEGATIVE


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """Numbers of the annotation view. boxes_by_category: category id -> (submitted boxes, images with one)."""

    images: int
    submitted: int
    drafts: int
    negatives: int
    boxes: int
    boxes_by_category: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class RunClass:
    """A class of a run: its Darknet index, the category it came from and its name at that time."""

    index: int
    category_id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Run:
    """One training. options: as prepared (model, sizes, schedule...); folder: its run folder; number: 1, 2... in the experiment.

    first_step: where its curve starts (0, or the parent's end for a continued run); total_steps, done_steps count from 0 of the
    lineage's curve. selected_step: of the chosen checkpoint; None is the best.
    """

    id: int
    experiment_id: int
    number: int
    state: RunState
    model: str
    folder: Path
    created_at: float
    total_steps: int
    first_step: int = 0
    done_steps: int = 0
    parent_id: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    seconds: float = 0.0
    best_map: float | None = None
    best_step: int | None = None
    selected_step: int | None = None
    reason: str = ""
    start_weights: str = ""
    kept: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    classes: tuple[RunClass, ...] = ()
    images_train: int = 0
    images_valid: int = 0
    notes: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be registered: its folder is made from its id by the workspace."""

    experiment_id: int
    model: str
    total_steps: int
    first_step: int = 0
    parent_id: int | None = None
    start_weights: str = ""
    kept: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    classes: tuple[RunClass, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """One step of a run. loss and avg_loss may be nan."""

    step: int
    loss: float
    avg_loss: float
    rate: float
    seconds: float
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Average precision of one class, 0..1, and its counts at the confidence threshold."""

    index: int
    name: str
    ap: float
    tp: int
    fp: int
    truths: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """mAP@0.50 on the held-out images at a step; all figures 0..1."""

    step: int
    map: float
    precision: float
    recall: float
    f1: float
    avg_iou: float
    classes: tuple[ClassScore, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """A weights file of a run. kind: best, last, final, numbered, ema."""

    step: int
    path: Path
    kind: str
    map: float | None = None


@dataclass(frozen=True, slots=True)
class SampleBox:
    """What the network found on a sample image."""

    index: int
    name: str
    score: float
    box: NormBox


@dataclass(frozen=True, slots=True)
class SampleShot:
    """The boxes of one sample image at one step."""

    step: int
    image: Path
    boxes: tuple[SampleBox, ...]


@dataclass(frozen=True, slots=True)
class SnapshotImage:
    """What a run was given of one image: enough to say later what changed."""

    image_id: int
    sha256: str
    part: Part
    boxes: tuple[tuple[int, NormBox], ...]  # (Darknet index, box)
