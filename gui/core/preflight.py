"""The check before a training: what would make the model worse than it needs to be, with examples and what to do.

`inspect` looks at values only; `gather_check` reads them from the library. Nothing here stops a training but what makes it
impossible (severity "error").
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from darknet_bridge.errors import shown

from .disk import free_bytes
from .duplicates import Seen, near_duplicates
from .errors import UserError
from .prepare_run import TrainingData, gather, parts_of
from .records import Box, Image, ImageState, Part
from .setup import LARGEST_SIDE, SIDE_STEP, Setup, side_of
from .statistics import ENOUGH_BOXES
from .wording import counted
from .workspace import Workspace

SMALLEST_BOX_PX = 8.0
IMBALANCE = 10
_OUTSIDE = 1e-3
_EXAMPLES = 8
HELD_OUT = 10
_UPRIGHT = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """severity: error, warning, info. images: ids of examples. action: (id, button) or None, then why_none says why.

    value: what the action sets, the network size in pixels or the percentage that is held out.
    """

    id: str
    severity: str
    title: str
    text: str
    count: int
    images: tuple[int, ...] = ()
    action: tuple[str, str] | None = None
    why_none: str = ""
    value: int = 0


@dataclass(frozen=True, slots=True)
class Material:
    """What is checked. states: of all images of the group. free, needed: bytes on the library's disk."""

    data: TrainingData
    parts: Mapping[int, Part]
    states: Mapping[int, ImageState]
    missing: frozenset[int] = frozenset()
    free: int = 1 << 60
    needed: int = 0
    side_px: int = 416
    enough: int = ENOUGH_BOXES
    valid_percent: int = HELD_OUT


def gather_check(workspace: Workspace, experiment_id: int, setup: Setup, needed: int = 0) -> Material:
    """In a background thread: the files are looked for here. Raises UserError when there is nothing to train on."""
    data = workspace.run_store(lambda: gather(workspace, experiment_id))
    group = data.experiment.group_id
    entries = [] if group is None else workspace.run_store(lambda: workspace.store.annotations.entries(group))
    states = {each.image_id: each.state for each in entries}
    missing = frozenset(image.id for image in data.images if not image.path.is_file())
    parts = parts_of(data, setup.valid_percent)
    return Material(
        data, parts, states, missing, free_bytes(workspace.folder), needed, side_of(setup), valid_percent=setup.valid_percent
    )


def inspect(material: Material) -> list[Finding]:
    """The worst first; [] for a clean set."""
    found: list[Finding] = []
    for check in _CHECKS:
        found += check(material)
    rank = {"error": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda each: rank[each.severity])


def _few_examples(m: Material) -> list[Finding]:
    boxes: Counter[int] = Counter(box.category_id for own in m.data.boxes.values() for box in own)
    images: dict[int, list[int]] = defaultdict(list)
    for image_id, own in m.data.boxes.items():
        for category_id in {box.category_id for box in own}:
            images[category_id].append(image_id)
    found = []
    for each in m.data.categories:
        if boxes[each.id] < m.enough:
            where = f"{counted(boxes[each.id], 'box', 'boxes')} in {counted(len(images[each.id]), 'image')}"
            text = f"“{each.name}” has {where}; at least {m.enough} are recommended."
            some = tuple(images[each.id][:_EXAMPLES])
            title = f"Few examples of “{each.name}”"
            found.append(Finding("few", "warning", title, text, boxes[each.id], some, ("annotate", "Annotate more")))
    return found


def _small_boxes(m: Material) -> list[Finding]:
    sizes = {
        (image.id, number): min(box.box.w, box.box.h)
        for image in m.data.images
        for number, box in enumerate(m.data.boxes[image.id])
        if min(box.box.w, box.box.h) * m.side_px < SMALLEST_BOX_PX and _area_inside(box)
    }
    if not sizes:
        return []
    text = f"{counted(len(sizes), 'box', 'boxes')} would be under {SMALLEST_BOX_PX:.0f} pixels wide or high at the network size "
    text += f"{m.side_px}: too little to recognise."
    ids = [image for image, _number in sorted(sizes, key=lambda each: sizes[each])]
    side = min(_side_for(min(sizes.values())), LARGEST_SIDE)
    if side <= m.side_px:
        why = "No larger network size is possible here. Cut the images into parts, or leave such small objects out."
        return [Finding("small", "warning", "Boxes too small", text, len(sizes), _some(ids), None, why)]
    act = ("larger", f"Use {side} pixels")
    return [Finding("small", "warning", "Boxes too small", text, len(sizes), _some(ids), act, value=side)]


def _side_for(size: float) -> int:
    """The smallest network size at which a box of this share of the image is large enough."""
    return math.ceil(SMALLEST_BOX_PX / size / SIDE_STEP) * SIDE_STEP if size > 0 else LARGEST_SIDE


def _leaks(m: Material) -> list[Finding]:
    images = m.data.images
    groups = near_duplicates([Seen(image.sha256, image.dhash, image.split_key, image.video) for image in images])
    across = [group for group in groups if len({m.parts[images[index].id] for index in group}) > 1]
    if not across:
        return []
    ids = [images[index].id for group in across for index in group]
    text = f"{counted(len(ids), 'image')} that look alike are partly learnt from and partly held out, so mAP would be too high."
    return [
        Finding("leak", "warning", "Duplicates across the split", text, len(ids), _some(ids), ("together", "Keep them together"))
    ]


def _outside(m: Material) -> list[Finding]:
    ids = [image.id for image in m.data.images for box in m.data.boxes[image.id] if _sticks_out(box)]
    if not ids:
        return []
    text = f"{counted(len(ids), 'box', 'boxes')} stick out of their images. For the training they are cut at the edge."
    return [Finding("outside", "info", "Boxes outside the image", text, len(ids), _some(ids), ("clip", "Cut them at the edge"))]


def _unsubmitted(m: Material) -> list[Finding]:
    drafts = [image for image, state in m.states.items() if state is ImageState.DRAFT]
    new = [image for image, state in m.states.items() if state is ImageState.NEW]
    found = []
    if drafts:
        text = (
            f"{counted(len(drafts), 'image')} with changes that were not submitted: the training uses the last submission only."
        )
        found.append(
            Finding("drafts", "warning", "Unsubmitted changes", text, len(drafts), _some(drafts), ("annotate", "Submit them"))
        )
    if new:
        text = f"{counted(len(new), 'image')} not annotated yet; they are left out."
        found.append(Finding("new", "info", "Images left out", text, len(new), _some(new), ("annotate", "Annotate them")))
    return found


def _rotated(m: Material) -> list[Finding]:
    ids = [image.id for image in m.data.images if image.orientation != _UPRIGHT]
    if not ids:
        return []
    text = f"{counted(len(ids), 'photo')} are stored turned and shown upright. Boxes and training use the upright picture."
    why = "Nothing to do: it is handled, and the files are not changed. Other programs may show them turned."
    return [Finding("rotated", "info", "Turned photos", text, len(ids), _some(ids), None, why)]


def _imbalance(m: Material) -> list[Finding]:
    boxes = Counter(box.category_id for own in m.data.boxes.values() for box in own)
    counts = [(boxes[each.id], each.name) for each in m.data.categories if boxes[each.id]]
    if len(counts) < 2 or max(counts)[0] < IMBALANCE * min(counts)[0]:
        return []
    (few, rare), (many, common) = min(counts), max(counts)
    rare_id = next(each.id for each in m.data.categories if each.name == rare)
    some = _some([image.id for image in m.data.images if rare_id in {box.category_id for box in m.data.boxes[image.id]}])
    text = f"“{common}” has {many:,} boxes, “{rare}” only {few:,}: the rare one will be found less well."
    return [Finding("imbalance", "warning", "Unequal categories", text, many // few, some, ("annotate", "Annotate more of it"))]


def _missing_files(m: Material) -> list[Finding]:
    if not m.missing:
        return []
    paths = [image.path for image in m.data.images if image.id in m.missing]
    text = f"{counted(len(paths), 'file')} can't be found, for example {shown(paths[0])}. They are left out of the training."
    severity = "error" if len(m.missing) == len(m.data.images) else "warning"
    text += " Put them back, connect the disk they are on, or use Find moved images in the menu of the dataset."
    return [Finding("missing", severity, "Missing files", text, len(paths), (), ("dataset", "Open Dataset"))]


def _disk(m: Material) -> list[Finding]:
    if m.needed <= m.free:
        return []
    text = f"The training needs about {m.needed / 1e9:.1f} GB, {m.free / 1e9:.1f} GB are free."
    return [
        Finding(
            "disk", "error", "Disk nearly full", text, 1, (), None, "Free some space on the library's disk, then check again."
        )
    ]


def _not_held_out(m: Material) -> list[Finding]:
    names = {category.id: category.name for category in m.data.categories}
    seen: dict[Part, set[int]] = {part: set() for part in Part}
    for image in m.data.images:
        seen[m.parts[image.id]] |= {box.category_id for box in m.data.boxes[image.id]}
    lacking = sorted((seen[Part.TRAIN] - seen[Part.VALID]) & set(names))
    if not lacking:
        return []
    text = f"No held-out image shows {', '.join(f'“{names[each]}”' for each in lacking)}: how well it is found can't be measured."
    some = _some([image.id for image in m.data.images if set(lacking) & {box.category_id for box in m.data.boxes[image.id]}])
    act, value = ("annotate", "Annotate more images"), 0
    if not m.valid_percent:
        act, value = ("hold_out", f"Hold out {HELD_OUT} %"), HELD_OUT
    return [Finding("unseen", "warning", "Not measured", text, len(lacking), some, act, value=value)]


_CHECKS: Sequence[Callable[[Material], list[Finding]]] = (
    _missing_files,
    _disk,
    _few_examples,
    _small_boxes,
    _leaks,
    _not_held_out,
    _unsubmitted,
    _imbalance,
    _outside,
    _rotated,
)


def fix(workspace: Workspace, experiment_id: int, material: Material, action: str) -> str:
    """On the store's thread: does what can be done without a person. Returns what was done. Raises UserError."""
    workspace.require_writing()
    if action == "clip":
        return _clip(workspace, material)
    if action == "together":
        return _together(workspace, material)
    raise UserError("This needs your own eyes: open the images from the list.")


def _clip(workspace: Workspace, material: Material) -> str:
    group = material.data.experiment.group_id
    if group is None:
        raise UserError("Choose an annotation group first.")
    changed = {
        image.id: _cut(material.data.boxes[image.id])
        for image in material.data.images
        if any(_sticks_out(box) for box in material.data.boxes[image.id])
    }
    old = {image: material.data.boxes[image] for image in changed}
    store = workspace.store.annotations

    def submit(boxes: Mapping[int, Sequence[Box]]) -> Callable[[], None]:
        def run() -> None:
            store.submit_many(group, boxes)
            workspace.changes.publish(f"annotations:{group}")

        return run

    submit(changed)()
    workspace.undo.push("Cut boxes at the image's edge", submit(old), submit(changed))
    return f"Boxes in {counted(len(changed), 'image')} were cut at the edge."


def _cut(boxes: Sequence[Box]) -> list[Box]:
    return [Box(each.category_id, each.box.clipped(), each.flags) for each in boxes if _area_inside(each)]


def _together(workspace: Workspace, material: Material) -> str:
    images = material.data.images
    groups = near_duplicates([Seen(image.sha256, image.dhash, image.split_key, image.video) for image in images])
    keys: dict[int, str] = {}
    for group in groups:
        members = [images[index] for index in group]
        if len({material.parts[image.id] for image in members}) > 1:
            # The key decides the part: that of an image that is learnt from leaves the others where most of them are.
            keys |= {image.id: _common_key(members) for image in members}
    workspace.store.datasets.set_split_keys(keys)
    workspace.changes.publish("datasets")
    return f"{counted(len(keys), 'image')} that look alike now stay together."


def _common_key(members: Sequence[Image]) -> str:
    known = sorted(image.split_key for image in members if image.split_key)
    return known[0] if known else min(image.sha256 for image in members)


def _sticks_out(box: Box) -> bool:
    left, top, right, bottom = box.box.corners
    return min(left, top) < -_OUTSIDE or max(right, bottom) > 1 + _OUTSIDE


def _area_inside(box: Box) -> bool:
    inside = box.box.clipped()
    return inside.w > 0 and inside.h > 0


def _some(ids: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(ids))[:_EXAMPLES]


def needed_bytes(weights_bytes: int, checkpoints: int) -> int:
    """Disk space of a run: its checkpoints, the best, last and final ones, and two states of twice that size."""
    return weights_bytes * (checkpoints + 3) + 4 * weights_bytes
