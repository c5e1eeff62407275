"""The folder of a run: what upstream's own rules find in it, odd names, other formats, and what is left out."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_bridge import recipes
from darknet_bridge.detection import NormBox
from darknet_bridge.errors import CancelledError, DiskError, FormatError
from darknet_bridge.formats import (
    Label,
    label_path,
    read_cfg,
    read_data_file,
    read_image_list,
    read_labels,
    read_names,
)
from darknet_bridge.images import image_format, read_image
from darknet_bridge.training import RunDir, RunImage, create_run

LABEL = Label(1, NormBox(0.5, 0.5, 0.25, 0.25))
NAMES = ("a", "b")


def save(path: Path, suffix: str = "") -> Path:
    gradient = np.dstack([np.tile(np.arange(32, dtype=np.uint8) * 7, (24, 1))] * 3)
    path.write_bytes(cv2.imencode(suffix or path.suffix, gradient)[1].tobytes())
    return path


@pytest.fixture
def cfg():  # type: ignore[no-untyped-def]
    return recipes.make_cfg("yolov3-tiny", 2, max_batches=10)


def labels_of(run: RunDir, line: str) -> list[Label]:
    """As a program started in the run's folder finds them."""
    return read_labels(run.folder / label_path(line))


def test_pictures_with_labels_beside_them_stay_where_they_are(tmp_path: Path, cfg) -> None:  # type: ignore[no-untyped-def]
    image = save(tmp_path / "plain picture.jpg")
    before = image.stat()
    created = create_run(tmp_path / "run", cfg, NAMES, [RunImage(image)], [])
    run = created.run
    assert read_image_list(run.train_list) == [str(image)]
    assert not run.valid_list.exists()
    assert (created.images_train, created.images_valid, created.problems) == (1, 0, ())
    assert read_names(run.names) == NAMES
    assert read_cfg(run.cfg).classes == 2
    assert dict(read_data_file(run.data).values) == {
        "classes": "2",
        "train": "train.txt",
        "names": "obj.names",
        "backup": "backup",
    }
    assert image.stat() == before


def test_own_labels_are_found_by_darknets_rule(tmp_path: Path, cfg) -> None:  # type: ignore[no-untyped-def]
    image = save(tmp_path / "p.png")
    (tmp_path / "p.txt").write_text("0 .1 .1 .1 .1\n")
    run = create_run(tmp_path / "run", cfg, NAMES, [RunImage(image, (LABEL,)), RunImage(image, ())], [RunImage(image)]).run
    first, second = read_image_list(run.train_list)
    assert (run.folder / first).samefile(image)
    assert labels_of(run, first) == [LABEL]
    assert labels_of(run, second) == []
    assert (tmp_path / "p.txt").read_text() == "0 .1 .1 .1 .1\n"
    assert read_image_list(run.valid_list) == [str(image)]
    assert read_data_file(run.data).get("valid") == "valid.txt"


def test_other_formats_become_png(tmp_path: Path, cfg) -> None:  # type: ignore[no-untyped-def]
    image = save(tmp_path / "p.webp")
    (tmp_path / "p.txt").write_text("1 0.5 0.5 0.25 0.25\n")
    run = create_run(tmp_path / "run", cfg, NAMES, [RunImage(image), RunImage(image, ())], []).run
    first, second = read_image_list(run.train_list)
    assert image_format(run.folder / first) == "png"
    assert np.array_equal(read_image(run.folder / first), read_image(image))
    assert labels_of(run, first) == [LABEL]
    assert labels_of(run, second) == []


@pytest.mark.parametrize(
    "name", [b"line\nbreak.jpg", b"bad\xff.jpg", b"$(touch PWNED).jpg", b"-rf.jpg", b"x" * 247 + b".jpg", b"no suffix"]
)
def test_odd_names(tmp_path: Path, cfg, name: bytes) -> None:  # type: ignore[no-untyped-def]
    image = save(tmp_path / os.fsdecode(name), ".jpg")
    run = create_run(tmp_path / "run", cfg, NAMES, [RunImage(image, (LABEL,))], []).run
    (line,) = read_image_list(run.train_list)
    assert (run.folder / line).samefile(image)
    assert labels_of(run, line) == [LABEL]


def test_a_line_break_in_a_name_with_labels_beside_it(tmp_path: Path, cfg) -> None:  # type: ignore[no-untyped-def]
    image = save(tmp_path / "a\nb.jpg", ".jpg")
    (tmp_path / "a\nb.txt").write_text("1 0.5 0.5 0.25 0.25\n")
    run = create_run(tmp_path / "run", cfg, NAMES, [RunImage(image)], []).run
    (line,) = read_image_list(run.train_list)
    assert labels_of(run, line) == [LABEL]


def test_what_can_not_be_used_is_left_out_and_told(tmp_path: Path, cfg) -> None:  # type: ignore[no-untyped-def]
    good = save(tmp_path / "good.jpg")
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    cut = save(tmp_path / "cut.bmp")
    cut.write_bytes(cut.read_bytes()[:200])
    unlabelled = save(tmp_path / "unlabelled.webp")
    images = [RunImage(path) for path in (good, text, tmp_path / "none.png", cut, unlabelled)]
    created = create_run(tmp_path / "run", cfg, NAMES, images, [])
    assert created.images_train == 1
    assert [problem.path.name for problem in created.problems] == ["text.jpg", "none.png", "cut.bmp", "unlabelled.webp"]
    assert all(str(problem.path) in problem.text or ".txt" in problem.text for problem in created.problems)
    with pytest.raises(FormatError, match=r"no training picture can be used: .*text\.jpg"):
        create_run(tmp_path / "run2", cfg, NAMES, [RunImage(text)], [])


def test_made_anew_over_an_old_one(tmp_path: Path, cfg) -> None:  # type: ignore[no-untyped-def]
    image = save(tmp_path / "a.jpg")
    other = save(tmp_path / "b.jpg")
    create_run(tmp_path / "run", cfg, NAMES, [RunImage(image, (LABEL,))], [])
    run = create_run(tmp_path / "run", cfg, NAMES, [RunImage(other, ())], []).run
    (line,) = read_image_list(run.train_list)
    assert (run.folder / line).samefile(other)
    assert labels_of(run, line) == []


def test_refusals(tmp_path: Path, cfg) -> None:  # type: ignore[no-untyped-def]
    image = save(tmp_path / "a.jpg")
    with pytest.raises(FormatError, match="classes=2, but there are 3 names"):
        create_run(tmp_path / "run", cfg, ("a", "b", "c"), [RunImage(image)], [])
    assert not (tmp_path / "run").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match="folder"):
        create_run(tmp_path / "file", cfg, NAMES, [RunImage(image)], [])


def test_progress_and_cancel(tmp_path: Path, cfg) -> None:  # type: ignore[no-untyped-def]
    image = save(tmp_path / "a.jpg")
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise CancelledError("enough")

    with pytest.raises(CancelledError):
        create_run(tmp_path / "run", cfg, NAMES, [RunImage(image)] * 2, [RunImage(image)], progress)
    assert seen == [(1, 3), (2, 3)]
    assert not (tmp_path / "run" / "obj.data").exists(), "without it nothing can be started"
