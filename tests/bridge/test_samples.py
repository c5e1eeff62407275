"""The rendered sample set: its files parse, its boxes are where the objects are, one seed gives one set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_bridge import sample_art, samples
from darknet_bridge.formats import read_data_file, read_image_list, read_labels, read_names


def test_the_files_of_a_set_agree(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    made = samples.render_samples(tmp_path / "a set", train=5, valid=2, size_px=96, progress=lambda *at: seen.append(at))
    assert seen == [(at, 7) for at in range(1, 8)]
    data = read_data_file(made.data)
    assert data.classes == 3
    assert read_names(data.resolve("names")) == samples.NAMES
    assert Path(made.folder, data.require("backup")).is_dir()
    for part, count in (("train", 5), ("valid", 2)):
        paths = read_image_list(data.resolve(part))
        assert len(paths) == count
        for path in paths:
            picture = cv2.imread(str(made.folder / path))
            assert picture.shape == (96, 96, 3)
            assert read_labels(made.folder / Path(path).with_suffix(".txt"), classes=3)


def test_one_seed_gives_one_picture() -> None:
    first, labels = samples.render_picture(128, (3, 1))
    again, same_labels = samples.render_picture(128, (3, 1))
    other, _ = samples.render_picture(128, (3, 2))
    assert np.array_equal(first, again)
    assert labels == same_labels
    assert not np.array_equal(first, other)


def test_train_and_valid_differ(tmp_path: Path) -> None:
    made = samples.render_samples(tmp_path, train=1, valid=1, size_px=64)
    assert made.train[0].read_bytes() != made.valid[0].read_bytes()


def test_all_kinds_occur_and_boxes_are_visible_in_size() -> None:
    labels = [label for seed in range(30) for label in samples.render_picture(160, seed)[1]]
    assert {label.class_id for label in labels} == {0, 1, 2}
    for label in labels:
        left, top, right, bottom = label.box.corners
        assert min(left, top) >= 0
        assert max(right, bottom) <= 1
        assert label.box.w * 160 >= 6
        assert label.box.h * 160 >= 6


@pytest.mark.parametrize("artist", [sample_art.ladybird, sample_art.leaf, sample_art.mushroom])
@pytest.mark.parametrize("tilt", [0.0, 33.0])
def test_bounds_are_where_the_picture_changes(artist: Callable[[np.random.Generator], sample_art.Sprite], tilt: float) -> None:
    """Pasted without a shadow on flat magenta, the box is that of the changed pixels, give or take the soft edge."""
    sprite = artist(np.random.default_rng(5))
    colour, alpha = sample_art.transform(sprite, 200, 90.0, tilt, (110.0, 95.0))
    magenta = np.array([255, 0, 255], np.float32)
    picture = magenta * (1 - alpha[..., None]) + colour
    changed = np.abs(picture - magenta).max(2) > 100
    ys, xs = np.nonzero(changed)
    box = sample_art.bounds(alpha)
    assert box is not None
    edges = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert np.allclose((box.left, box.top, box.right, box.bottom), edges, atol=2)


@pytest.mark.parametrize("senseless", [{"train": 0}, {"valid": 0}, {"size_px": 8}, {"size_px": 100_000}])
def test_senseless_counts_are_refused(tmp_path: Path, senseless: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        samples.render_samples(tmp_path, **senseless)
