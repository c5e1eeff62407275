"""The split: the same for ever, near the share, no class missing, groups together."""

from __future__ import annotations

import hashlib

import pytest

from gui.core.records import Part
from gui.core.split import SplitItem, split


def item(number: int, classes: tuple[int, ...] = (1,), key: str = "") -> SplitItem:
    return SplitItem(number, hashlib.sha256(str(number).encode()).hexdigest(), key, frozenset(classes))


def test_near_the_share_and_stable_when_images_come() -> None:
    few, many = split(item(n) for n in range(1000)), split(item(n) for n in range(3000))
    assert 70 <= sum(part is Part.VALID for part in few.values()) <= 130
    assert all(many[image_id] is part for image_id, part in few.items())


def test_the_order_does_not_matter() -> None:
    items = [item(n, (n % 7,)) for n in range(60)]
    assert split(items) == split(reversed(items))


@pytest.mark.parametrize("count", [2, 3, 5, 12, 40])
def test_each_class_is_in_both_parts_where_possible(count: int) -> None:
    items = [item(n + 1000 * class_id, (class_id,)) for class_id in range(6) for n in range(count)]
    parts = split(items)
    for class_id in range(6):
        found = {parts[entry.image_id] for entry in items if class_id in entry.classes}
        assert found == {Part.TRAIN, Part.VALID}


def test_one_image_of_a_class_and_one_image_at_all() -> None:
    assert split([item(1)]) == {1: Part.TRAIN} or split([item(1)]) == {1: Part.VALID}
    assert set(split([item(1), item(2, (2,))]).values()) == {Part.TRAIN, Part.VALID}
    assert split([]) == {}


def test_negatives_are_split_too() -> None:
    assert set(split(item(n, ()) for n in range(5)).values()) == {Part.TRAIN, Part.VALID}


def test_groups_stay_together() -> None:
    items = [item(n, (n % 3,), f"video{n // 25}") for n in range(500)]
    parts = split(items)
    for group in range(20):
        assert len({parts[n] for n in range(group * 25, group * 25 + 25)}) == 1
    assert set(parts.values()) == {Part.TRAIN, Part.VALID}


def test_shares() -> None:
    items = [item(n) for n in range(50)]
    assert set(split(items, 0).values()) == {Part.TRAIN}
    with pytest.raises(ValueError, match=r"1\.5"):
        split(items, 1.5)
