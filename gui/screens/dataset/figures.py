"""The figures of a dataset, reckoned in the background and made into charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...core.duplicates import Seen, exact_duplicates, near_duplicates
from ...core.records import AnnotationGroup, Box, Category, Image, ImageState, Part
from ...core.split import SplitItem, split
from ...core.statistics import ENOUGH_BOXES, Statistics, statistics
from ...core.wording import counted
from ...core.workspace import Workspace
from ...widgets.statistics_view import Bar, BarChart, HeatMap

_STATE_WORDS = {
    ImageState.NEW: "Not annotated",
    ImageState.DRAFT: "Unsubmitted",
    ImageState.SUBMITTED: "Submitted",
    ImageState.NEGATIVE: "Negative examples",
}
_ALIKE = 0.25  # spread below which boxes of a class have one style


@dataclass(frozen=True, slots=True)
class Material:
    """What the figures are made of. group: None shows those of the images alone."""

    images: Sequence[Image]
    groups: Sequence[AnnotationGroup]
    group: AnnotationGroup | None
    categories: Sequence[Category]
    submitted: Mapping[int, Sequence[Box]]
    states: Mapping[int, ImageState]
    network_px: tuple[int, int]


def gather(workspace: Workspace, dataset_id: int, group_id: int | None, network_px: tuple[int, int]) -> Material:
    """On the store's thread. group_id: the chosen one; without it the newest group that has boxes."""
    store = workspace.store
    groups = store.groups.list(dataset_id)
    chosen = next((group for group in groups if group.id == group_id), None)
    chosen = chosen or max(groups, key=lambda group: (group.boxes > 0, group.id), default=None)
    if chosen is None:
        return Material(store.datasets.images(dataset_id), groups, None, (), {}, {}, network_px)
    states = {entry.image_id: entry.state for entry in store.annotations.entries(chosen.id)}
    submitted = store.annotations.submitted(chosen.id)
    categories = store.categories.list(chosen.id)
    return Material(store.datasets.images(dataset_id), groups, chosen, categories, submitted, states, network_px)


def charts(material: Material) -> list[BarChart | HeatMap]:
    """In a background thread."""
    found = statistics(material.images, material.categories, material.submitted, material.states, material.network_px)
    result: list[BarChart | HeatMap] = []
    if material.group is not None:
        result += [_classes(found), _sizes(found, material), _positions(found), _aspects(found)]
    result += [_states(found), _parts(material), _twins(material.images), _formats(material.images)]
    return result


def _classes(found: Statistics) -> BarChart:
    bars = [
        Bar(
            entry.category.name,
            entry.boxes,
            f"{entry.boxes:,} in {counted(entry.images, 'image')}",
            entry.category.colour,
            entry.is_few,
        )
        for entry in found.classes
    ]
    return BarChart(
        "Boxes per category", bars, f"At least {ENOUGH_BOXES} boxes of each are recommended; ⚠ marks those with fewer."
    )


def _sizes(found: Statistics, material: Material) -> BarChart:
    edges, counts = found.sizes
    names = [f"{low:g} to {high:g} px" for low, high in pairwise(edges)] + [f"from {edges[-1]:g} px"]
    width, height = material.network_px
    bars = [
        Bar(name, count, warn=index == 0 and count > 0) for index, (name, count) in enumerate(zip(names, counts, strict=True))
    ]
    return BarChart("Box sizes", bars, f"As the network sees them, at {width} x {height}. Under 8 px they can hardly be found.")


def _positions(found: Statistics) -> HeatMap:
    return HeatMap("Where boxes are", found.positions, "Strong colour: many boxes lie there. Objects should turn up all over.")


def _aspects(found: Statistics) -> BarChart:
    bars = [
        Bar(
            entry.category.name,
            round(entry.spread * 100),
            "alike" if entry.spread < _ALIKE else f"varies by {entry.spread * 100:.0f} %",
            entry.category.colour,
        )
        for entry in found.classes
        if entry.boxes
    ]
    note = "How much the shape of boxes differs. The model imitates your boxes: keep to one style."
    return BarChart("Shape of the boxes", bars, note)


def _states(found: Statistics) -> BarChart:
    return BarChart("Images", [Bar(_STATE_WORDS[state], count) for state, count in found.states.items()])


def _parts(material: Material) -> BarChart:
    """Of what would be used: submitted images, or all where nothing is submitted yet."""
    used = [image for image in material.images if image.id in material.submitted] or list(material.images)
    items = [
        SplitItem(
            image.id, image.sha256, image.split_key, frozenset(box.category_id for box in material.submitted.get(image.id, ()))
        )
        for image in used
    ]
    parts = list(split(items).values())
    words = {Part.TRAIN: "Training", Part.VALID: "Validation"}
    bars = [Bar(text, sum(1 for each in parts if each is part)) for part, text in words.items()]
    return BarChart(
        "Split", bars, "By content, so an image stays in its part. Look-alikes and frames of one video stay together."
    )


def _twins(images: Sequence[Image]) -> BarChart:
    seen = [Seen(image.sha256, image.dhash, image.split_key, image.video) for image in images]
    same, near = exact_duplicates(seen), near_duplicates(seen)
    bars = [
        Bar("Same file twice", sum(len(group) - 1 for group in same)),
        Bar("Look the same", sum(len(group) - 1 for group in near)),
    ]
    return BarChart("Duplicates", bars, "Extra copies teach the model nothing new.")


def _formats(images: Sequence[Image]) -> BarChart:
    counts: dict[str, int] = {}
    for image in images:
        counts[image.format.upper()] = counts.get(image.format.upper(), 0) + 1
    return BarChart("File formats", [Bar(name, count) for name, count in sorted(counts.items(), key=lambda entry: -entry[1])])
