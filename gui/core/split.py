"""Which images a run learns from and which it is judged by.

The part of an image follows from the hash of its content (or of the key it shares with near duplicates and the frames of its
video) and from nothing else, so that it is the same in every later run, on every machine, however many images are added. Only
where a class would be missing in one part are single groups moved.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .records import Part

VALID_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class SplitItem:
    """An image as the split sees it. classes: ids of the categories drawn on it."""

    image_id: int
    sha256: str
    split_key: str = ""
    classes: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Group:
    """Images that stay together. rank: 0 to 1, from the hash of the key."""

    key: str
    rank: float
    ids: list[int]
    classes: set[int]
    part: Part


def split(items: Iterable[SplitItem], valid_share: float = VALID_SHARE) -> dict[int, Part]:
    """image id -> part. At least one image of each class is in either part where there are two groups with it.

    Raises ValueError for a share outside 0 to 1.
    """
    if not 0 <= valid_share < 1:
        raise ValueError(f"share {valid_share}: expected 0 to below 1")
    groups = _grouped(items, valid_share)
    if valid_share > 0 and len(groups) > 1:
        for class_id in sorted({class_id for group in groups for class_id in group.classes}):
            _serve(groups, class_id, Part.VALID)
        _serve(groups, None, Part.VALID)
        for class_id in sorted({class_id for group in groups for class_id in group.classes}):
            _serve(groups, class_id, Part.TRAIN)
        _serve(groups, None, Part.TRAIN)
    return {image_id: group.part for group in groups for image_id in group.ids}


def _grouped(items: Iterable[SplitItem], valid_share: float) -> list[_Group]:
    """In the order of their ranks."""
    members: dict[str, list[SplitItem]] = defaultdict(list)
    for item in items:
        members[item.split_key or item.sha256].append(item)
    groups = []
    for key, found in members.items():
        rank = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2**64
        part = Part.VALID if rank < valid_share else Part.TRAIN
        classes = {class_id for item in found for class_id in item.classes}
        groups.append(_Group(key, rank, [item.image_id for item in found], classes, part))
    return sorted(groups, key=lambda group: (group.rank, group.key))


def _serve(groups: Sequence[_Group], class_id: int | None, part: Part) -> None:
    """Moves a group with the class (None: any) into the part when none is there: the nearest by rank that nothing else needs."""
    of_class = [group for group in groups if class_id is None or class_id in group.classes]
    if len(of_class) < 2 or any(group.part is part for group in of_class):
        return
    order = of_class if part is Part.VALID else list(reversed(of_class))
    free = [group for group in order if not _needed(groups, group)]
    if free:
        free[0].part = part


def _needed(groups: Sequence[_Group], group: _Group) -> bool:
    """Whether a class that others have, too, would be left without an image in the group's part."""
    for class_id in group.classes:
        others = [other for other in groups if other is not group and class_id in other.classes]
        if others and not any(other.part is group.part for other in others):
            return True
    return False
