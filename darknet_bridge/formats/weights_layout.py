"""How many floats each layer of a cfg has in a .weights file, what a file therefore covers, and cutting files.

Order and content of the tensors: darknet.md 1.6. A partial file (`*.conv.N`) ends exactly behind layer N-1; whatever
ends elsewhere fits another network and is never loaded "as far as it goes".
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import DiskError, FormatError, UnsupportedError, reason
from .atomic import StrPath, atomic_file
from .cfg import Cfg, CfgSection
from .text import open_regular
from .weights_header import WeightsHeader, read_weights_header

_CHUNK_FLOATS = 1 << 20
_NO_WEIGHTS = ("maxpool", "max", "local_avgpool", "local_avg", "avgpool", "avg", "upsample", "dropout", "yolo")
_MAX_FLOATS = 1 << 40


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a weights file holds of a network. layers: whole layers from the start; fits: it ends at a layer's end."""

    layers: int
    total_layers: int
    fits: bool
    file_floats: int
    network_floats: int

    @property
    def complete(self) -> bool:
        return self.fits and self.file_floats == self.network_floats

    def describe(self) -> str:
        if self.complete:
            return f"all {self.total_layers} layers"
        if self.fits:
            return f"layers 0-{self.layers - 1} of {self.total_layers}" if self.layers else "no layer"
        if self.file_floats > self.network_floats:
            return f"{self.file_floats - self.network_floats:,} numbers too many: made for another cfg"
        return f"ends inside layer {self.layers}: made for another cfg (other classes?) or cut off"


def layer_floats(cfg: Cfg) -> list[int]:
    """Floats that each layer has in the file. Raises FormatError / UnsupportedError naming file and line."""
    channels: list[int] = []
    floats: list[int] = []
    current = cfg.net.integer("channels", 3)
    for index, section in enumerate(cfg.layers):
        current, count = _layer(section, index, current, channels)
        if not 0 < current <= 1 << 24 or not 0 <= count <= _MAX_FLOATS:
            raise section.error(f"layer {index} has {current} channels and {count:,} weights")
        channels.append(current)
        floats.append(count)
    return floats


def coverage(cfg: Cfg, header: WeightsHeader) -> Coverage:
    """Which layers of the network the file's floats fill."""
    counts = layer_floats(cfg)
    total = sum(counts)
    done = 0
    filled = 0
    for index, count in enumerate(counts):
        if done + count > header.floats:
            break
        done += count
        filled = index + 1
    fits = done == header.floats
    return Coverage(filled, len(counts), fits, header.floats, total)


def cut_weights(source: StrPath, target: StrPath, floats: int) -> None:
    """Writes the first `floats` numbers of a weights file as a partial file: 0 images seen, training starts anew.

    Raises FormatError when the source holds fewer.
    """
    name = os.fsdecode(source)
    header = read_weights_header(name)
    if floats > header.floats:
        raise FormatError(f"holds {header.floats:,} numbers; {floats:,} were to be cut from it", name)
    with atomic_file(target) as out:
        out.write(WeightsHeader(header.major, header.minor, header.revision, 0, floats).to_bytes())
        try:
            with open_regular(name) as file:
                file.seek(header.header_bytes)
                left = 4 * floats
                while left:
                    block = file.read(min(left, 4 * _CHUNK_FLOATS))
                    if not block:
                        raise FormatError("became shorter while it was read", name)
                    out.write(block)
                    left -= len(block)
        except OSError as error:
            raise DiskError(f"can't copy: {reason(error)}", name) from error


def check_finite(path: StrPath) -> None:
    """Raises FormatError when a number of a weights file is infinite or no number. Reads it in pieces (needs numpy)."""
    import numpy as np

    name = os.fsdecode(path)
    header = read_weights_header(name)
    with open_regular(name) as file:
        file.seek(header.header_bytes)
        done = 0
        while done < header.floats:
            block = np.fromfile(file, dtype="<f4", count=min(_CHUNK_FLOATS, header.floats - done))
            if block.size == 0:
                raise FormatError("became shorter while it was read", name)
            bad = np.flatnonzero(~np.isfinite(block))
            if bad.size:
                raise FormatError(f"number {done + int(bad[0]):,} is {block[bad[0]]}: a damaged file or a failed training", name)
            done += block.size


def _layer(section: CfgSection, index: int, inputs: int, channels: list[int]) -> tuple[int, int]:
    """(channels out, floats in the file) of one layer."""
    kind = section.kind
    if section.integer("dontload", 0) or section.entry("share_index"):
        raise section.error(f"layer {index}: dontload and share_index are not supported here")
    if kind in ("convolutional", "conv"):
        return _convolutional(section, inputs)
    if kind == "route":
        sources = _sources(section, "layers", index)
        return sum(channels[i] for i in sources) // max(section.integer("groups", 1), 1), 0
    if kind == "shortcut":
        sources = _sources(section, "from", index)
        per_source = {"none": 0, "per_feature": 1, "per_layer": 1, "per_channel": inputs}
        weights = per_source.get(section.text("weights_type", "none"))
        if weights is None:
            raise section.error("expected none, per_feature, per_layer or per_channel", "weights_type")
        return inputs, weights * (len(sources) + 1)
    if kind in ("sam", "scale_channels"):
        return channels[_sources(section, "from", index)[0]], 0
    if kind == "batchnorm":
        return inputs, 4 * inputs
    if kind in _NO_WEIGHTS:
        return inputs, 0
    raise UnsupportedError(f"[{kind}] is not a layer known here", section.file, section.line or None)


def _convolutional(section: CfgSection, inputs: int) -> tuple[int, int]:
    filters = section.integer("filters", 1)
    size = section.integer("size", 1)
    groups = section.integer("groups", 1)
    if filters < 1 or not 1 <= size <= 64:
        raise section.error(f"filters={filters}, size={size}: expected filters above 0 and size 1 to 64")
    if groups < 1 or inputs % groups or filters % groups:
        raise section.error(f"{inputs} channels in and {filters} filters can't be split into {groups} groups", "groups")
    arrays = 4 if section.integer("batch_normalize", 0) else 1
    return filters, arrays * filters + filters * (inputs // groups) * size * size


def _sources(section: CfgSection, key: str, index: int) -> list[int]:
    """Absolute indices of the layers that a section names."""
    given = section.integers(key)
    if not given:
        raise section.error(f"{key} is missing")
    sources = [index + number if number < 0 else number for number in given]
    for source in sources:
        if not 0 <= source < index:
            raise section.error(f"layer {source} is not before layer {index}", key)
    return sources
