"""Weights of a trained network for a network of other classes: the backbone and the rows of kept classes are taken over.

The convolution before each [yolo] has, for every anchor of the mask, four rows for the box, one for "an object" and one a
class. Rows of kept classes move to their new place, so that what the network knew of them stays as it was; rows of new
classes start close to "not this class". Layers are compared one by one from the start; from the first that differs in
anything but its classes nothing is taken over, and the file then ends there, as a pretrained `*.conv.N` does.
Order of the tensors in the file: darknet.md 1.6.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import FormatError
from .formats.atomic import StrPath, atomic_file
from .formats.cfg import Cfg, CfgSection
from .formats.text import open_regular
from .formats.weights_header import WeightsHeader, read_weights_header
from .formats.weights_layout import coverage, layer_floats

_BOX_ROWS = 5  # x, y, w, h, objectness
_NEW_CLASS_SPREAD = 0.01
_NEW_CLASS_SCORE = 0.01  # what a row of a new class says before it has learnt anything
_CONVOLUTIONS = ("convolutional", "conv")
# What decides how a layer computes with its numbers; sizes and schedules may differ.
_SHAPE_KEYS = ("filters", "size", "stride", "pad", "padding", "groups", "batch_normalize", "activation", "layers", "from")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Surgery:
    """What was taken over. layers: how many from the start, of total_layers; kept: (new index, old index) of each kept class.

    same_anchors is False when a head has other anchors than it was trained with: box sizes have to be learnt anew.
    """

    layers: int
    total_layers: int
    kept: tuple[tuple[int, int], ...]
    names: tuple[str, ...]
    heads: int
    same_anchors: bool = True

    @property
    def new_names(self) -> tuple[str, ...]:
        known = {new for new, _ in self.kept}
        return tuple(name for index, name in enumerate(self.names) if index not in known)

    def describe(self) -> str:
        """One line, e.g. "loaded layers 0-23, kept the rows of 2 of 3 classes (bird, leaf); new: shell"."""
        if self.layers == 0:
            return "loaded no layer: the two networks differ from the first one on"
        loaded = f"loaded layers 0-{self.layers - 1}" + ("" if self.layers == self.total_layers else f" of {self.total_layers}")
        if not self.heads:
            return f"{loaded}; the layers that tell the classes start anew"
        text = f"{loaded}, kept the rows of {len(self.kept)} of {len(self.names)} classes"
        if self.kept:
            text += f" ({_shortened([self.names[new] for new, _ in self.kept])})"
        if self.new_names:
            text += f"; new: {_shortened(self.new_names)}"
        return text if self.same_anchors else f"{text}; the anchors differ, so box sizes have to be learnt anew"


def class_mapping(
    old: Sequence[str], new: Sequence[str], renamed: Mapping[str, str] | None = None
) -> tuple[tuple[int, int], ...]:
    """(new index, old index) of the classes that stay: by name, or where renamed says new name -> old name."""
    places = {name: index for index, name in enumerate(old)}
    asked = dict(renamed or {})
    unknown = next((name for name in asked.values() if name not in places), None)
    if unknown is not None:
        raise FormatError(f"the old network has no class '{unknown}'; it has: {', '.join(old) or 'no names'}")
    wanted = ((index, asked.get(name, name)) for index, name in enumerate(new))
    pairs = tuple((index, places[name]) for index, name in wanted if name in places)
    if len({source for _, source in pairs}) != len(pairs):
        raise FormatError("two classes can't both be made from one class of the old network")
    return pairs


def transplant(
    source: Cfg,
    weights: StrPath,
    source_names: Sequence[str],
    target: Cfg,
    target_names: Sequence[str],
    output: StrPath,
    renamed: Mapping[str, str] | None = None,
    seed: int = 1,
) -> Surgery:
    """Writes weights for `target` into `output`, with no image seen: training starts at step 0 with them.

    source_names may be () when they are not known: then no class row is kept. renamed: new name -> old name. Raises
    FormatError when the weights are not those of `source`, when nothing fits, or when names and classes don't agree;
    DiskError.
    """
    for cfg, names in ((source, source_names), (target, target_names)):
        if names and len(names) != cfg.classes:
            raise FormatError(f"{len(names)} names for {cfg.classes} classes", cfg.name)
    header = read_weights_header(weights)
    covered = coverage(source, header)
    if not covered.fits:
        raise FormatError(f"not the weights of {source.name}: {covered.describe()}", os.fsdecode(weights))
    surgery, plan = _plan(source, target, covered.layers, class_mapping(source_names, target_names, renamed), target_names)
    if surgery.layers == 0:
        raise FormatError(f"nothing of it fits: {surgery.describe()}", os.fsdecode(weights))
    rng = np.random.default_rng(seed)
    floats = layer_floats(source)
    with open_regular(os.fsdecode(weights)) as file, atomic_file(output) as out:
        file.seek(header.header_bytes)
        out.write(WeightsHeader(floats=sum(layer_floats(target)[: surgery.layers])).to_bytes())
        for index, head in enumerate(plan):
            values = np.fromfile(file, dtype="<f4", count=floats[index])
            if values.size != floats[index] or not np.isfinite(values).all():
                raise FormatError(f"layer {index} is cut off or holds numbers that are not finite", os.fsdecode(weights))
            out.write((values if head is None else head.rebuild(values, rng)).astype("<f4").tobytes())
    return surgery


@dataclass(frozen=True, slots=True)
class _Head:
    """How the rows of one convolution before a [yolo] move. slots: anchors of its mask."""

    slots: int
    old_classes: int
    new_classes: int
    kept: tuple[tuple[int, int], ...]
    arrays: int  # a number a row before the weights: 1 (bias), or 4 with batch normalisation

    def rebuild(self, values: Floats, rng: np.random.Generator) -> Floats:
        old_rows = self.slots * (_BOX_ROWS + self.old_classes)
        columns = [values[i * old_rows : (i + 1) * old_rows, None] for i in range(self.arrays)]
        columns.append(values[self.arrays * old_rows :].reshape(old_rows, -1))
        new_bias = math.log(_NEW_CLASS_SCORE / (1 - _NEW_CLASS_SCORE))
        fresh = (new_bias, 1.0, 0.0, 1.0)[: self.arrays]
        return np.concatenate([self._moved(c, fresh[i] if i < self.arrays else None, rng).ravel() for i, c in enumerate(columns)])

    def _moved(self, rows: Floats, fresh: float | None, rng: np.random.Generator) -> Floats:
        """rows: (old rows, n). fresh: the value of a new class's row, None for small random ones."""
        old = rows.reshape(self.slots, _BOX_ROWS + self.old_classes, -1)
        shape = (self.slots, _BOX_ROWS + self.new_classes, old.shape[2])
        new: Floats = (rng.normal(0, _NEW_CLASS_SPREAD, shape) if fresh is None else np.full(shape, fresh)).astype(np.float32)
        new[:, :_BOX_ROWS] = old[:, :_BOX_ROWS]
        for target, source in self.kept:
            new[:, _BOX_ROWS + target] = old[:, _BOX_ROWS + source]
        return new


def _plan(
    source: Cfg, target: Cfg, available: int, kept: tuple[tuple[int, int], ...], names: Sequence[str]
) -> tuple[Surgery, list[_Head | None]]:
    """What to do with each layer that is taken over: None = copy it."""
    plan: list[_Head | None] = []
    heads = 0
    anchors = True
    if source.net.integer("channels", 3) != target.net.integer("channels", 3):
        return Surgery(0, len(target.layers), (), tuple(names), 0), plan
    for index in range(min(available, len(target.layers), len(source.layers))):
        head = _head(source, target, index, kept)
        if head is None and not _same_layer(source.layers[index], target.layers[index]):
            break
        heads += head is not None
        if source.layers[index].kind == "yolo":
            anchors &= source.layers[index].numbers("anchors") == target.layers[index].numbers("anchors")
        plan.append(head)
    surgery = Surgery(len(plan), len(target.layers), kept if heads else (), tuple(names), heads, anchors)
    return surgery, plan


def _head(source: Cfg, target: Cfg, index: int, kept: tuple[tuple[int, int], ...]) -> _Head | None:
    """For a convolution before a [yolo] in both networks, with as many anchors and otherwise alike; else None."""
    layers = (source.layers, target.layers)
    if any(index + 1 >= len(part) or part[index + 1].kind != "yolo" or part[index].kind not in _CONVOLUTIONS for part in layers):
        return None
    old, new = (part[index + 1].integer("classes", 20) for part in layers)
    slots = [len(part[index + 1].integers("mask")) for part in layers]
    filters = [part[index].integer("filters", 1) for part in layers]
    fits = slots[0] == slots[1] and filters == [slots[0] * (_BOX_ROWS + count) for count in (old, new)]
    if not fits or not _same_layer(source.layers[index], target.layers[index], "filters"):
        return None
    return _Head(slots[0], old, new, kept, 4 if source.layers[index].integer("batch_normalize", 0) else 1)


def _same_layer(old: CfgSection, new: CfgSection, *apart_from: str) -> bool:
    if old.kind != new.kind:
        return False
    if old.kind == "yolo":
        return len(old.integers("mask")) == len(new.integers("mask"))
    return all(old.text(key) == new.text(key) for key in _SHAPE_KEYS if key not in apart_from)


def _shortened(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
