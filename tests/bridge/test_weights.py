"""Weights files: header variants, what a file covers, cutting, and damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from darknet_bridge.errors import FormatError, UnsupportedError
from darknet_bridge.formats import (
    WeightsHeader,
    coverage,
    cut_weights,
    layer_floats,
    parse_cfg,
    read_cfg,
    read_weights_header,
)
from darknet_bridge.formats.weights_layout import check_finite

# darknet.md 9.5: bytes of full files for N classes, and of partial ones.
FULL_BYTES = {
    "yolov3-tiny": {1: 34_704_996, 2: 34_714_236, 3: 34_723_476, 20: 34_880_556, 50: 35_157_756, 80: 35_434_956},
    "yolov4-custom": {1: 256_015_980, 2: 256_037_520, 3: 256_059_060, 20: 256_425_240, 50: 257_071_440, 80: 257_717_640},
}
PARTIAL_BYTES = {
    "yolov3-tiny": {11: 6_303_188, 13: 25_193_940, 14: 26_246_612, 15: 30_973_396},
    "yolov4-custom": {105: 106_610_068, 137: 170_038_676},
}


def write_weights(path: Path, floats: np.ndarray, header: bytes | None = None) -> Path:
    path.write_bytes((header or struct.pack("<iiiQ", 0, 2, 5, 0)) + floats.astype("<f4").tobytes())
    return path


@pytest.mark.parametrize(
    ("raw", "major", "seen", "size", "transposed"),
    [
        (struct.pack("<iiiI", 0, 1, 0, 3_000_000_000), 0, 3_000_000_000, 16, False),
        (struct.pack("<iiiQ", 0, 2, 5, 32_032_000), 0, 32_032_000, 20, False),
        (struct.pack("<iiiQ", 0, 2, 5, 2**40), 0, 2**40, 20, False),
        (struct.pack("<iiiQ", 1, 0, 0, 7), 1, 7, 20, False),
        (struct.pack("<iiiQ", 1001, 2, 0, 7), 1001, 7, 20, True),
    ],
)
def test_header_variants(tmp_path: Path, raw: bytes, major: int, seen: int, size: int, transposed: bool) -> None:
    file = write_weights(tmp_path / "w", np.zeros(6), raw)
    header = read_weights_header(file)
    assert (header.major, header.seen, header.header_bytes, header.transposed) == (major, seen, size, transposed)
    assert header.floats == 6
    assert header.file_bytes == file.stat().st_size
    assert header.to_bytes() == raw


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 15,
        struct.pack("<iii", 0, 2, 5) + b"\0" * 7,
        struct.pack("<iiiQ", 0, 2, 5, 0) + b"\0" * 3,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b"<!DOCTYPE html><html><head>....",
        struct.pack("<iiiQ", -1, 2, 5, 0),
        struct.pack("<iiiQ", 0, 2, 5, 2**63),
    ],
)
def test_what_is_no_weights_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        read_weights_header(tmp_path / "w")
    assert str(tmp_path / "w") in str(caught.value)


def test_golden_files_are_exactly_covered(golden: Path) -> None:
    for cfg, weights in (
        ("mini_infer.cfg", "mini_infer.weights"),
        ("tiny/net.cfg", "tiny/trained.weights"),
        ("v4/net.cfg", "v4/init.weights"),
    ):
        found = coverage(read_cfg(golden / cfg), read_weights_header(golden / weights))
        assert found.complete, (cfg, found.describe())
    assert read_weights_header(golden / "mini_infer.weights").seen == 1234


def test_sizes_of_the_published_files(reference_cfgs: Path) -> None:
    for name, sizes in PARTIAL_BYTES.items():
        counts = layer_floats(read_cfg(reference_cfgs / f"{name}.cfg"))
        assert 20 + 4 * sum(counts) == FULL_BYTES[name][80]
        for layers, size in sizes.items():
            assert 20 + 4 * sum(counts[:layers]) == size
    assert 20 + 4 * sum(layer_floats(read_cfg(reference_cfgs / "yolov4-tiny.cfg"))[:29]) == 19_789_716


def test_partial_shorter_longer_and_crooked_files(tmp_path: Path, golden: Path) -> None:
    cfg = read_cfg(golden / "tiny" / "net.cfg")
    counts = layer_floats(cfg)
    total = sum(counts)

    def found(floats: int):  # type: ignore[no-untyped-def]
        return coverage(cfg, WeightsHeader(floats=floats))

    pool = next(i for i in range(5, len(counts)) if cfg.layers[i].kind == "maxpool")
    partial = found(sum(counts[:pool]))
    assert partial.fits and not partial.complete
    assert partial.layers == pool + 1, "a maxpool needs no bytes, so it is covered too"
    assert f"layers 0-{pool} of {len(counts)}" in partial.describe()
    crooked = found(sum(counts[:pool]) + 1)
    assert not crooked.fits
    assert f"inside layer {pool + 1}" in crooked.describe()
    longer = found(total + 7)
    assert not longer.fits
    assert "7 numbers too many" in longer.describe()
    assert found(0).fits and found(0).describe() == "no layer"


def test_cutting_keeps_the_numbers_and_forgets_the_images_seen(tmp_path: Path, golden: Path) -> None:
    source = golden / "tiny" / "trained.weights"
    floats = sum(layer_floats(read_cfg(golden / "tiny" / "net.cfg"))[:11])
    cut_weights(source, tmp_path / "cut", floats)
    header = read_weights_header(tmp_path / "cut")
    assert (header.seen, header.floats) == (0, floats)
    assert read_weights_header(source).seen > 0
    assert (tmp_path / "cut").read_bytes()[20:] == source.read_bytes()[20 : 20 + 4 * floats]
    with pytest.raises(FormatError, match="were to be cut"):
        cut_weights(source, tmp_path / "cut2", 10**9)
    assert not (tmp_path / "cut2").exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(tmp_path: Path, bad: float) -> None:
    floats = np.zeros((1 << 20) + 5)
    file = write_weights(tmp_path / "w", floats)
    check_finite(file)
    floats[-2] = bad
    write_weights(file, floats)
    with pytest.raises(FormatError, match=f"{len(floats) - 2:,}"):
        check_finite(file)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("[convolutional]\nfilters=0\n", "filters"),
        ("[convolutional]\nfilters=8\ngroups=5\n", "groups"),
        ("[convolutional]\nfilters=70000000\n", "channels"),
        ("[route]\nlayers=-1,5\n", "not before"),
        ("[route]\nlayers=-9\n", "not before"),
        ("[route]\n", "missing"),
        ("[shortcut]\nfrom=0\nweights_type=odd\n", "expected none"),
        ("[lstm]\n", "not a layer known"),
    ],
)
def test_layers_that_can_not_be(layer: str, words: str) -> None:
    cfg = parse_cfg(f"[net]\nchannels=3\n[convolutional]\nfilters=4\n{layer}", "x.cfg")
    with pytest.raises((FormatError, UnsupportedError), match=words) as caught:
        layer_floats(cfg)
    assert caught.value.path == "x.cfg"
    assert caught.value.line is not None and caught.value.line >= 5


def test_weighted_shortcut_groups_and_batchnorm() -> None:
    cfg = parse_cfg(
        "[net]\nchannels=4\n"
        "[convolutional]\nfilters=8\nsize=3\ngroups=2\n"  # 8 + 8*2*9
        "[convolutional]\nfilters=8\nbatch_normalize=1\n"  # 4*8 + 8*8
        "[shortcut]\nfrom=-2\nweights_type=per_channel\n"  # 2*8
        "[batchnorm]\n"  # 4*8
        "[route]\nlayers=-1\ngroups=2\n"
        "[convolutional]\nfilters=1\n"  # 1 + 4
    )
    assert layer_floats(cfg) == [152, 96, 16, 32, 0, 5]
