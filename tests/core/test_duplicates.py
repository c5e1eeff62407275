"""The same and nearly the same pictures; keys that keep a split from leaking."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from gui.core.duplicates import Seen, exact_duplicates, near_duplicates, split_keys
from gui.core.scan import examine

from .pictures import noise


def seen(path: Path) -> Seen:
    found = examine(path, path.name)
    return Seen(found.sha256, found.dhash)


def test_near_duplicates_of_real_files(tmp_path: Path) -> None:
    for seed in range(30):
        cv2.imwrite(str(tmp_path / f"{seed:02d}.png"), noise(seed, 200, 150))
    again = noise(7, 200, 150)
    cv2.imwrite(str(tmp_path / "x1.jpg"), again, (cv2.IMWRITE_JPEG_QUALITY, 70))
    cv2.imwrite(str(tmp_path / "x2.png"), cv2.resize(again, (100, 75)))
    files = sorted(tmp_path.iterdir())
    groups = near_duplicates([seen(path) for path in files])
    assert [[files[position].stem for position in group] for group in groups] == [["07", "x1", "x2"]]


def test_flat_pictures_are_only_the_same_by_their_bytes() -> None:
    images = [Seen("a", 0), Seen("b", 0), Seen("a", 0), Seen("c", 1)]
    assert near_duplicates(images) == [[0, 2]] == exact_duplicates(images)


def test_every_pair_within_the_distance_is_found_in_good_time() -> None:
    rng = np.random.default_rng(4)
    hashes = [int(value) for value in rng.integers(1 << 20, 1 << 63, 25_000)]
    for position in range(200):
        bits = rng.choice(64, 3, replace=False)
        hashes[10_000 + position] = hashes[position] ^ sum(1 << int(bit) for bit in bits)
    started = time.thread_time()
    groups = near_duplicates([Seen(str(position), value) for position, value in enumerate(hashes)])
    assert groups == [[position, 10_000 + position] for position in range(200)]
    assert time.thread_time() - started < 20


def test_keys() -> None:
    far = 0x0F0F_3355_AA00_FF31
    images = [
        Seen("b" * 64, far),
        Seen("a" * 64, far ^ 1),
        Seen("c" * 64, ~far & (1 << 64) - 1),
        Seen("d" * 64, 0x1234_5678_9ABC_DEF0, video="v"),
        Seen("e" * 64, 0xF0E1_D2C3_B4A5_9687, video="v"),
    ]
    keys = split_keys(images)
    assert keys == ["a" * 16, "a" * 16, "", "d" * 16, "d" * 16]
    known = [Seen(image.sha256, image.dhash, key, image.video) for image, key in zip(images, keys, strict=True)]
    assert split_keys([Seen("0" * 64, far), *known]) == ["a" * 16, *keys]
