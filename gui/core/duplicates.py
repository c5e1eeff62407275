"""Pictures that are the same, by their bytes, or look the same, by their difference hash; what must stay together in a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

NEAR_BITS = 4
"""Hashes that differ in at most this many of their 64 bits look the same. More would chain different pictures together."""

_FLAT_BITS = 4  # fewer bits set or unset: a picture without features, whose hash says nothing
_KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture to be compared. split_key: what it has already, which it keeps. video: of a frame, the video's name."""

    sha256: str
    dhash: int
    split_key: str = ""
    video: str | None = None


def exact_duplicates(images: Sequence[Seen]) -> list[list[int]]:
    """Positions of the pictures that have the same bytes, in groups of two and more, in order."""
    groups: dict[str, list[int]] = defaultdict(list)
    for position, image in enumerate(images):
        groups[image.sha256].append(position)
    return [group for group in groups.values() if len(group) > 1]


def near_duplicates(images: Sequence[Seen], bits: int = NEAR_BITS) -> list[list[int]]:
    """Positions of the pictures that look the same (or are the same), in groups of two and more, in order.

    Two hashes that differ in `bits` bits agree in one of bits + 1 pieces, so only pictures that share a piece are compared.
    """
    union = _Union(len(images))
    for group in exact_duplicates(images):
        union.join(group)
    first_of: dict[int, int] = {}
    for position, image in enumerate(images):
        if _has_features(image.dhash):
            union.join([first_of.setdefault(image.dhash, position), position])
    hashes = np.fromiter(first_of, np.uint64, len(first_of))
    owners = list(first_of.values())
    for left, right in _close_pairs(hashes, bits):
        union.join([owners[left], owners[right]])
    return union.groups()


def split_keys(images: Sequence[Seen]) -> list[str]:
    """For each picture the key it shares with what must stay with it; "" for one that stands alone.

    Near duplicates and the frames of one video stay together. A key that a picture has already never changes: an image must not
    wander from training to validation because others were added.
    """
    union = _Union(len(images))
    for group in near_duplicates(images):
        union.join(group)
    frames: dict[str, list[int]] = defaultdict(list)
    for position, image in enumerate(images):
        if image.video is not None:
            frames[image.video].append(position)
    for group in frames.values():
        union.join(group)
    keys = [image.split_key for image in images]
    for group in union.groups():
        known = sorted({images[position].split_key for position in group} - {""})
        key = known[0] if known else min(images[position].sha256 for position in group)[:_KEY_LENGTH]
        for position in group:
            keys[position] = images[position].split_key or key
    return keys


class _Union:
    """Sets of positions that were joined, directly or through others."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def join(self, positions: Sequence[int]) -> None:
        root = self._root(positions[0])
        for position in positions[1:]:
            other = self._root(position)
            low, high = min(root, other), max(root, other)
            self._parent[high] = low
            root = low

    def groups(self) -> list[list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for position in range(len(self._parent)):
            found[self._root(position)].append(position)
        return [group for group in found.values() if len(group) > 1]

    def _root(self, position: int) -> int:
        while self._parent[position] != position:
            self._parent[position] = self._parent[self._parent[position]]
            position = self._parent[position]
        return position


def _has_features(dhash: int) -> bool:
    return _FLAT_BITS <= bin(dhash).count("1") <= 64 - _FLAT_BITS


def _close_pairs(hashes: NDArray[np.uint64], bits: int) -> Iterator[tuple[int, int]]:
    """Pairs of positions of different hashes that differ in at most `bits` bits."""
    pieces = bits + 1
    edges = [64 * piece // pieces for piece in range(pieces + 1)]
    for low, high in pairwise(edges):
        piece = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(piece, kind="stable")
        starts = np.flatnonzero(np.r_[True, piece[order][1:] != piece[order][:-1], True])
        for start, end in pairwise(starts):
            if end - start > 1:
                yield from _pairs_within(hashes, order[start:end], bits)


def _pairs_within(hashes: NDArray[np.uint64], members: NDArray[np.intp], bits: int) -> Iterator[tuple[int, int]]:
    values = hashes[members]
    for index in range(len(members) - 1):
        apart = _bit_count(values[index + 1 :] ^ values[index])
        for offset in np.flatnonzero(apart <= bits):
            yield int(members[index]), int(members[index + 1 + offset])


def _bit_count(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Set bits of each value (numpy before 2.0 has no function for it)."""
    counts: NDArray[np.int64] = np.unpackbits(values.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1, dtype=np.int64)
    return counts
