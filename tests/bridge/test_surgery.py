"""Weights for other classes: rows move with their class, everything else is as it was, and the trainer loads the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darknet_bridge import Network
from darknet_bridge.errors import FormatError
from darknet_bridge.formats import Cfg, cut_weights, layer_floats, read_cfg, read_weights_header, write_cfg, write_names
from darknet_bridge.images import read_image
from darknet_bridge.surgery import class_mapping, transplant

OLD = ("disc", "square", "triangle")


def with_classes(cfg: Cfg, classes: int, slots: int = 3) -> Cfg:
    """The same network for another number of classes."""
    sections = list(cfg.sections)
    for index, section in enumerate(sections):
        if section.kind == "yolo":
            sections[index] = section.with_values({"classes": str(classes)})
            sections[index - 1] = sections[index - 1].with_values({"filters": str(slots * (5 + classes))})
    return replace(cfg, sections=tuple(sections))


def test_scores_of_kept_classes_stay_as_they_were(golden: Path, tmp_path: Path) -> None:
    source = read_cfg(golden / "tiny" / "net.cfg")
    names = ("square", "star", "disc", "ring")
    target = with_classes(source, len(names))
    trained = golden / "tiny" / "trained.weights"
    surgery = transplant(source, trained, OLD, target, names, tmp_path / "new.weights")
    assert surgery.kept == ((0, 1), (2, 0))
    assert surgery.describe() == "loaded layers 0-21, kept the rows of 2 of 4 classes (square, disc); new: star, ring"
    write_cfg(tmp_path / "new.cfg", target)
    write_names(tmp_path / "new.names", names)
    image = read_image(golden / "images" / "v00.png")
    with Network.load(golden / "tiny" / "net.cfg", trained, OLD, "cpu") as network:
        before = network.detect(image, 0.01, 0)
    with Network.load(tmp_path / "new.cfg", tmp_path / "new.weights", names, "cpu") as network:
        after = network.detect(image, 0.01, 0)
    kept = {(found.name, found.box): found.score for found in after if found.name in OLD}
    expected = {(found.name, found.box): found.score for found in before if found.name != "triangle"}
    assert expected and kept == pytest.approx(expected, abs=1e-6)
    assert all(found.score < 0.1 for found in after if found.name not in OLD)
    assert read_weights_header(tmp_path / "new.weights").seen == 0


def test_a_renamed_class_is_kept_when_told() -> None:
    assert class_mapping(OLD, ("circle", "square")) == ((1, 1),)
    assert class_mapping(OLD, ("circle", "square"), {"circle": "disc"}) == ((0, 0), (1, 1))
    with pytest.raises(FormatError, match="no class 'ball'"):
        class_mapping(OLD, ("circle",), {"circle": "ball"})
    with pytest.raises(FormatError, match="two classes"):
        class_mapping(OLD, ("disc", "circle"), {"circle": "disc"})


def test_rows_are_moved_within_each_anchor(golden: Path, tmp_path: Path) -> None:
    source = read_cfg(golden / "tiny" / "net.cfg")
    target = with_classes(source, 2)
    transplant(source, golden / "tiny" / "trained.weights", OLD, target, ("triangle", "disc"), tmp_path / "new.weights")
    head = next(i for i, layer in enumerate(source.layers) if layer.kind == "yolo") - 1

    def biases(path: Path, cfg: Cfg, classes: int) -> np.ndarray:
        values = np.fromfile(path, "<f4", offset=20)
        start = sum(layer_floats(cfg)[:head])
        return values[start : start + 3 * (5 + classes)].reshape(3, -1)

    old = biases(golden / "tiny" / "trained.weights", source, 3)
    new = biases(tmp_path / "new.weights", target, 2)
    assert (new == old[:, [0, 1, 2, 3, 4, 7, 5]]).all()


def test_only_the_common_layers_of_another_network(golden: Path, tmp_path: Path) -> None:
    source = read_cfg(golden / "tiny" / "net.cfg")
    sections = list(source.sections)
    sections[7] = sections[7].with_values({"filters": "32"})  # layer 6
    target = replace(source, sections=tuple(sections))
    surgery = transplant(source, golden / "tiny" / "trained.weights", OLD, target, OLD, tmp_path / "part.weights")
    assert surgery.layers == 6 and not surgery.kept
    assert surgery.describe() == "loaded layers 0-5 of 22; the layers that tell the classes start anew"
    assert read_weights_header(tmp_path / "part.weights").floats == sum(layer_floats(target)[:6])
    other = read_cfg(golden / "v4" / "net.cfg")
    with pytest.raises(FormatError, match="not the weights of"):
        transplant(other, golden / "tiny" / "trained.weights", OLD, source, OLD, tmp_path / "x.weights")
    assert not (tmp_path / "x.weights").exists()


def test_a_partial_file_gives_what_it_has(golden: Path, tmp_path: Path) -> None:
    source = read_cfg(golden / "tiny" / "net.cfg")
    floats = sum(layer_floats(source)[:8])
    cut_weights(golden / "tiny" / "trained.weights", tmp_path / "cut", floats)
    surgery = transplant(source, tmp_path / "cut", (), source, OLD, tmp_path / "out.weights")
    assert "start anew" in surgery.describe()
    assert read_weights_header(tmp_path / "out.weights").floats == floats


def test_the_wrong_number_of_names_is_said(golden: Path, tmp_path: Path) -> None:
    source = read_cfg(golden / "tiny" / "net.cfg")
    with pytest.raises(FormatError, match="2 names for 3 classes"):
        transplant(source, golden / "tiny" / "trained.weights", ("a", "b"), source, OLD, tmp_path / "x")
