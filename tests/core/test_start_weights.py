"""Files that a training can start from, and what is said of those it can't."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from darknet_bridge.formats import layer_floats, read_weights_header
from darknet_bridge.formats.weights_header import WeightsHeader
from gui.core.errors import UserError
from gui.core.setup import TINY, Setup, build_cfg
from gui.core.start_weights import from_file
from tests.core.training_case import QUICK

NAMES = ("crow", "owl", "jay")


def weights(path: Path, count: int, value: float = 0.5) -> Path:
    path.write_bytes(WeightsHeader(floats=count).to_bytes() + np.full(count, value, "<f4").tobytes())
    return path


def test_a_partial_file_says_how_far_it_reaches(tmp_path: Path) -> None:
    cfg = build_cfg(QUICK, 3)
    part = weights(tmp_path / "narrow.conv.5", sum(layer_floats(cfg)[:5]))
    start = from_file(part, cfg, NAMES, tmp_path)
    assert start.path == part and start.kept.startswith("loaded layers 0-5 of ")  # layer 5 is a pooling without weights


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    cfg = build_cfg(QUICK, 3)
    odd = weights(tmp_path / "odd.weights", 4321)
    with pytest.raises(UserError, match=r"odd\.weights does not fit this model: .*Choose another"):
        from_file(odd, cfg, NAMES, tmp_path)
    (tmp_path / "text.weights").write_text("not weights at all, but long enough to be looked at")
    with pytest.raises(UserError, match="can't be used"):
        from_file(tmp_path / "text.weights", cfg, NAMES, tmp_path)
    bad = weights(tmp_path / "nan.weights", sum(layer_floats(cfg)[:5]), float("nan"))
    with pytest.raises(UserError, match="can't be used"):
        from_file(bad, cfg, NAMES, tmp_path)


def test_the_published_network_gives_its_backbone(tmp_path: Path) -> None:
    """A file of the size of yolov3-tiny.weights is one of 80 classes."""
    published = build_cfg(Setup(TINY), 80)
    whole = weights(tmp_path / "yolov3-tiny.weights", sum(layer_floats(published)))
    cfg = build_cfg(Setup(TINY), 3)
    start = from_file(whole, cfg, NAMES, tmp_path)
    assert start.path == tmp_path / "start.weights" and "kept the rows of 0 of 3 classes" in start.kept
    assert read_weights_header(start.path).floats == sum(layer_floats(cfg))
