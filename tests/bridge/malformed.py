"""The malformed files that test_malformed.py gives to the program: cfgs, weights, labels, lists, .data and .names files.

Nothing here runs anything. A case is a name, the bytes of the file and what the message about it must say. The pictures are in
malformed_images.py.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass

CFG = """[net]
width=32
height=32
channels=3
batch=2
subdivisions=1
learning_rate=0.001
max_batches=100
[convolutional]
filters=4
size=3
stride=2
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=14
size=1
activation=linear
[yolo]
mask=0,1
anchors=4,5, 12,12
classes=2
num=2
"""
FLOATS = 4 + 4 * 3 * 9 + 14 + 14 * 4  # parameters of CFG
HEADER = struct.pack("<iiiQ", 0, 2, 5, 0)
GOOD_WEIGHTS = HEADER + struct.pack("<f", 0.01) * FLOATS


@dataclass(frozen=True)
class Case:
    """A malformed file: `reason` is a regular expression that the message must match behind the file's name."""

    name: str
    content: bytes
    reason: str


def _cfg(name: str, old: str, new: str, reason: str) -> Case:
    """CFG with one place changed; the message must name a line."""
    assert CFG.count(old) >= 1, name
    return Case(name, CFG.replace(old, new, 1).encode(), rf":\d+:.*{reason}")


def _not_cfgs() -> list[Case]:
    return [
        Case("empty", b"", "no .section"),
        Case("comments-only", b"# a\n; b\n", "no .section"),
        Case("blank-lines", b"\n \n\t\n" * 100, "no .section"),
        Case("zero-bytes", b"[net]\n\0\0\0\0", ":2: a zero byte"),
        Case("random-bytes", bytes(range(1, 256)) * 40, r":\d+: "),
        Case("utf-16", CFG.encode("utf-16"), "UTF-16"),
        Case("a-png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50), r":\d+: "),
        Case("five-megabytes", b"#" * (5 << 20), "at most"),
        Case("only-net", CFG.split("[conv")[0].encode(), "no layer"),
        Case("one-long-line", b"[net]\n" + b"x" * (1 << 20), ":2: .*neither"),
        Case("shell", b"$(touch PWNED)\n;touch PWNED;\n`touch PWNED`\n", ":1: "),
        Case("json", b'{"net": {"width": 416}}', ":1: "),
        Case("too-many-layers", (CFG.split("[maxp")[0] + "[dropout]\n" * 2001).encode(), r":\d+: more than"),
        Case("very-many-layers", (CFG.split("[maxp")[0] + "[dropout]\n" * 20_001).encode(), r":\d+: more than"),
    ]


def _broken_lines() -> list[Case]:
    return [
        _cfg("key-before-section", "[net]", "width=3\n[net]", "before the first section"),
        _cfg("unclosed-section", "[maxpool]", "[maxpool", "not a section name"),
        _cfg("nameless-section", "[maxpool]", "[]", "not a section name"),
        _cfg("text-behind-section", "[maxpool]", "[maxpool]size=2", "after the section"),
        _cfg("no-equals", "width=32", "width 32", "neither"),
        _cfg("no-key", "width=32", "=32", "neither"),
        _cfg("no-value", "width=32", "width=", "no value"),
        _cfg("first-section-no-net", "[net]", "[maxpool]", "first section must be"),
        _cfg("unknown-section", "[maxpool]", "[maxpol]", "not known; known: "),
        _cfg("unsupported-section", "[maxpool]", "[connected]", "not known; known: "),
        _cfg("unknown-key", "pad=1", "pads=1", "pads.* is not known; known: "),
        _cfg("section-with-control-bytes", "[maxpool]", "[\x1b[31m]", "not known|after the section"),
    ]


def _wrong_net() -> list[Case]:
    numbers = ["0", "-32", "9000", "1e9", "nan", "inf", "abc", "0x20", "99999999999999999999", "32,32", "1e999"]
    cases = [_cfg(f"width-{value}", "width=32", f"width={value}", "width=") for value in numbers]
    return [
        *cases,
        _cfg("width-missing", "width=32\n", "", "width, height and channels are needed"),
        _cfg("channels-0", "channels=3", "channels=0", "channels=0"),
        _cfg("batch-0", "batch=2", "batch=0", "batch=0"),
        _cfg("batch-2-to-the-31", "batch=2", "batch=2147483648", "batch=2147483648"),
        _cfg("subdivisions-0", "subdivisions=1", "subdivisions=0", "subdivisions=0"),
        _cfg("rate-nan", "learning_rate=0.001", "learning_rate=nan", "expected a number"),
        _cfg("momentum-1", "batch=2", "batch=2\nmomentum=1", "momentum must be"),
        _cfg("saturation-0", "batch=2", "batch=2\nsaturation=0", "saturation must be"),
        _cfg("unknown-policy", "batch=2", "batch=2\npolicy=fast", "policy=fast is not known"),
        _cfg("steps-without-scales", "batch=2", "batch=2\npolicy=steps\nsteps=1,2", "both steps and scales"),
        _cfg("more-steps-than-scales", "batch=2", "batch=2\npolicy=steps\nsteps=1,2\nscales=1", "2 items and scales 1"),
        _cfg("endless-steps", "batch=2", "batch=2\nsteps=" + "1," * 30_000, "more than"),
        _cfg("mosaic-and-letter-box", "batch=2", "batch=2\nmosaic=1\nletter_box=1", "exclude each other"),
    ]


def _wrong_layers() -> list[Case]:
    pool = "[maxpool]\nsize=2\nstride=2\n"
    wide = "[convolutional]\nfilters=65536\nsize=9\npad=1\n" * 3
    return [
        *(_cfg(f"filters-{value}", "filters=4", f"filters={value}", "filters=") for value in ("0", "-1", "70000", "2147483648")),
        *(_cfg(f"size-{value}", "size=3", f"size={value}", "size=") for value in ("0", "-3", "1000")),
        _cfg("stride-0", "stride=2", "stride=0", "stride=0"),
        _cfg("groups-that-do-not-divide", "pad=1", "groups=2", "must divide both"),
        _cfg("groups-0", "pad=1", "groups=0", "groups=0"),
        _cfg("unknown-activation", "leaky", "leeky", "activation=leeky is not known"),
        _cfg("pool-size-0", pool, "[maxpool]\nsize=0\n", "size=0"),
        _cfg("pool-stride-0", pool, "[maxpool]\nstride=0\n", "stride=0"),
        _cfg("input-too-small", "size=3\nstride=2\npad=1", "size=33", "too small"),
        _cfg("route-to-itself", pool, "[route]\nlayers=1\n", "only earlier layers"),
        _cfg("route-to-later", pool, "[route]\nlayers=2\n", "only earlier layers"),
        _cfg("route-before-the-start", pool, "[route]\nlayers=-9\n", "only earlier layers"),
        _cfg("route-2-to-the-31", pool, "[route]\nlayers=2147483648\n", "too large|only earlier"),
        _cfg("route-without-layers", pool, "[route]\n", "layers= is needed"),
        _cfg("route-of-words", pool, "[route]\nlayers=a,b\n", "not a number"),
        _cfg("route-of-other-sizes", pool, pool + "[route]\nlayers=0,1\n", "can't be joined"),
        _cfg("route-group-outside", pool, "[route]\nlayers=0\ngroups=2\ngroup_id=2\n", "group_id=2"),
        _cfg("shortcut-without-from", pool, "[shortcut]\n", "from= is needed"),
        _cfg("shortcut-to-later", pool, "[shortcut]\nfrom=7\n", "only earlier layers"),
        _cfg("upsample-0", pool, "[upsample]\nstride=0\n", "stride=0"),
        _cfg("upsample-over-the-limit", pool, "[upsample]\nstride=64\n" * 3, "over the limits"),
        _cfg("dropout-2", pool, "[dropout]\nprobability=2\n", "probability must be"),
        _cfg("parameters-over-2-to-the-32", pool, wide, "2.32 parameters"),
    ]


def _wrong_yolo() -> list[Case]:
    anchors = "anchors=4,5, 12,12"
    values = ("0", "-1", "2147483648", "20000", "x")
    return [
        *(_cfg(f"classes-{value}", "classes=2", f"classes={value}", "classes=") for value in values),
        _cfg("classes-that-do-not-fit", "classes=2", "classes=3", "must have filters=16"),
        _cfg("mask-outside", "mask=0,1", "mask=0,2", "2 is no anchor"),
        _cfg("mask-negative", "mask=0,1", "mask=-1,0", "-1 is no anchor"),
        _cfg("num-0", "num=2", "num=0", "num=0"),
        _cfg("too-few-anchors", anchors, "anchors=4,5,12", "needs 4 values"),
        *(_cfg(f"anchors-{v}", anchors, f"anchors=4,5,12,{v}", "anchors") for v in ("0", "-1", "nan", "1e40", "big")),
        _cfg("jitter-2", "num=2", "num=2\njitter=2", "jitter must be"),
        _cfg("unknown-loss", "num=2", "num=2\niou_loss=best", "iou_loss=best is not known"),
        _cfg("a-layer-behind-yolo", "num=2\n", "num=2\n[convolutional]\nfilters=2\n", "no feature map"),
    ]


def cfgs() -> list[Case]:
    return [*_not_cfgs(), *_broken_lines(), *_wrong_net(), *_wrong_layers(), *_wrong_yolo()]


def weights() -> list[Case]:
    """Each is no finished model for CFG."""
    bad = {"nan": math.nan, "inf": math.inf, "minus-inf": -math.inf}
    values = struct.pack("<f", 0.01) * (FLOATS - 1)
    return [
        Case("empty", b"", "0 bytes are too few"),
        Case("three-bytes", b"\0\0\0", "3 bytes are too few"),
        Case("header-cut-off", HEADER[:17], "end"),
        Case("header-only", HEADER, "needs"),
        Case("old-header-only", struct.pack("<iiiI", 0, 1, 0, 0), "needs"),
        Case("negative-version", struct.pack("<iiiQ", -1, 2, 5, 0) + GOOD_WEIGHTS[20:], "not a Darknet weights file"),
        Case("transposed", struct.pack("<iiiQ", 2000, 2, 5, 0) + GOOD_WEIGHTS[20:], "transposed"),
        Case("huge-version", struct.pack("<iiiQ", 2**31 - 1, 2**31 - 1, 0, 0) + GOOD_WEIGHTS[20:], "not a Darknet weights file"),
        Case("a-byte-less", GOOD_WEIGHTS[:-1], "cut off"),
        Case("a-value-less", GOOD_WEIGHTS[:-4], "cut off"),
        Case("half", GOOD_WEIGHTS[: len(GOOD_WEIGHTS) // 2], "cut off"),
        Case("a-byte-more", GOOD_WEIGHTS + b"\0", "cut off"),
        Case("a-value-more", GOOD_WEIGHTS + bytes(4), "more classes or another network"),
        Case("twice", GOOD_WEIGHTS + GOOD_WEIGHTS[20:], "more classes or another network"),
        Case("a-partial-file", GOOD_WEIGHTS[: 20 + 4 * 112], "only the first"),
        Case("text", b"0 2 5 the quick brown fox jumps over it\n" * 50, "weights file"),
        Case("a-png", b"\x89PNG\r\n\x1a\n" + bytes(2000), "weights file"),
        *(Case(f"last-is-{name}", HEADER + values + struct.pack("<f", v), "layer 2 .*no finite") for name, v in bad.items()),
        Case("first-is-nan", HEADER + struct.pack("<f", math.nan) + values, "layer 0 .*no finite"),
    ]


GOOD_LABEL = b"0 0.5 0.5 0.25 0.25\n"


def bad_label_files() -> list[Case]:
    """Each line of each is bad, so that its image is left out."""

    def line(name: str, text: str, reason: str) -> Case:
        return Case(name, text.encode(), f":1: .*{reason}")

    big = str(2**31)
    return [
        line("nan", "0 nan 0.5 0.1 0.1\n", "finite|not a number"),
        line("inf", "0 0.5 inf 0.1 0.1\n", "finite|not a number"),
        line("minus-inf", "0 0.5 0.5 -inf 0.1\n", "finite|not a number"),
        line("class-minus-1", "-1 0.5 0.5 0.1 0.1\n", "class -1 is negative"),
        line("class-2-to-the-31", f"{big} 0.5 0.5 0.1 0.1\n", f"class {big}"),
        line("class-2-to-the-64", f"{2**64} 0.5 0.5 0.1 0.1\n", "not a whole number"),
        line("class-behind-the-last", "2 0.5 0.5 0.1 0.1\n", "class 2: the network has classes 0 to 1"),
        line("class-1.5", "1.5 0.5 0.5 0.1 0.1\n", "not a whole number"),
        line("words", "cat left top wide high\n", "class 'cat'"),
        line("locale-commas", "0 0,5 0,5 0,1 0,1\n", "decimal point, not comma"),
        line("csv", "0,0.5,0.5,0.1,0.1\n", "expected 5 values"),
        line("four-values", "0 0.5 0.5 0.1\n", "expected 5 values"),
        line("six-values", "0 0.5 0.5 0.1 0.1 0.9\n", "expected 5 values"),
        line("width-0", "0 0.5 0.5 0 0.1\n", "above 0"),
        line("height-negative", "0 0.5 0.5 0.1 -0.1\n", "above 0"),
        line("pixels", "0 320 240 100 80\n", "look like pixels"),
        line("1e400", "0 1e400 0.5 0.1 0.1\n", "not a number"),
        line("1e38", "0 1e38 -1e38 1e38 1e38\n", "look like pixels"),
        line("hexadecimal", "0 0x1p-1 0.5 0.1 0.1\n", "not a number"),
        line("outside", "0 1.5 0.5 0.1 0.1\n", "outside the image"),
        line("centre-0-0", "0 0 0 0.1 0.1\n", "centre is 0, 0"),
        line("shell", "$(touch PWNED) 0.5 0.5 0.1 0.1\n", "expected 5 values|whole number"),
        line("no-newline", "9 0.5 0.5 0.1 0.1", "class 9"),
        line("old-mac-lines", "0 0.5 0.5 0.1 0.1\r0 0.5 0.5 0.1 0.1\r", "expected 5 values"),
        line("json", '[{"class": 0}]', "expected 5 values"),
        line("huge-line", "0 " + "5" * (1 << 20) + "\n", "expected 5 values"),
        line("huge-word", "0 0.5 0.5 0.1 0." + "5" * (1 << 20) + "x\n", "not a number"),
        line("terminal-escapes", "\x1b]0;x\x07 0.5 0.5 0.1 0.1\n", r"class '\\x1B"),
        Case("zero-bytes", b"0 0.5\0 0.5 0.1 0.1\n", ": not a text file"),
        Case("binary", bytes(range(256)) * 8, ": not a text file"),
        Case("utf-16", "0 0.5 0.5 0.1 0.1\n".encode("utf-16"), ": this is UTF-16"),
        Case("200000-lines", GOOD_LABEL * 200_000, ": 200000 lines; at most 100000"),
        Case("17-megabytes", b"0 0.5 0.5 0.1 0.1 \n" * 940_000, ": .*at most"),
    ]


def partly_good_label_files() -> list[Case]:
    """Some lines are good: these are used, the others reported."""
    return [
        Case("a-bad-line-amid", GOOD_LABEL + b"0 nan nan nan nan\n" + GOOD_LABEL, ":2: .*finite"),
        Case("last-line-cut-off", GOOD_LABEL + b"1 0.5 0.", ":2: expected 5 values"),
        Case("90000-bad-lines", GOOD_LABEL + b"x\n" * 90_000, ":2: expected 5 values"),
    ]


def data_files() -> list[Case]:
    good = b"classes=2\ntrain=train.txt\nvalid=valid.txt\nnames=obj.names\nbackup=backup\n"
    return [
        Case("empty", b"", "train= is not given"),
        Case("no-equals", b"classes 2\n", ":1: .*expected 'key = value'"),
        Case("no-key", b"=2\n", ":1: .*expected 'key = value'"),
        *(Case(f"classes-{v}", b"classes=" + v.encode(), ":1: classes = ") for v in ("0", "-1", "abc", "99999999999", "2.5", "")),
        Case("no-train", good.replace(b"train=train.txt\n", b""), "train= is not given"),
        Case("no-backup", good.replace(b"backup=backup\n", b""), "backup= .* is not given"),
        Case("empty-value", good.replace(b"train.txt", b""), ":2: train has no value"),
        Case("binary", bytes(range(256)), "not a text file"),
        Case("utf-16", good.decode().encode("utf-16"), "UTF-16"),
        Case("two-megabytes", b"# comment\n" * 220_000, "at most"),
    ]


def names_files() -> list[Case]:
    return [
        Case("empty", b"", "no names"),
        Case("one-too-many", b"a\nb\nc\n", "3 names"),
        Case("blank-line-amid", b"a\n\nb\n", ":2: class 1 has no name"),
        Case("10001-names", b"".join(b"n%d\n" % i for i in range(10_001)), "10001 names; at most 10000"),
        Case("a-name-of-1001-bytes", b"a\n" + b"b" * 1001 + b"\n", ":2: a name of 1001 bytes"),
        Case("binary", bytes(range(256)), "not a text file"),
        Case("utf-16", "a\nb\n".encode("utf-16"), "UTF-16"),
        Case("17-megabytes", b"a\n" * (9 << 20), "at most"),
    ]


def list_files() -> list[Case]:
    return [
        Case("empty", b"", "names no image"),
        Case("blank-lines", b"\n \r\n\t\n", "names no image"),
        Case("binary", bytes(range(256)) * 4, "not a text file"),
        Case("utf-16", "a.jpg\n".encode("utf-16"), "UTF-16"),
        Case("a-path-of-5000-bytes", b"a/" * 2500 + b"\n", ":1: a path of 5000 bytes"),
    ]


# Names of good pictures, as they stand in a list: all must be found and none may be run or taken for an option.
ODD_NAMES = [
    "with blanks in it.png",
    "./ leading.png",
    "$(touch PWNED).png",
    ";touch PWNED;.png",
    "`touch PWNED`.png",
    "|touch PWNED.png",
    "'; touch PWNED; '.png",
    '"$(touch PWNED)".png',
    "-rf.png",
    "--help.png",
    "%s%n%d.png",
    "{}.png",
    "Ü-日本.png",
    os.fsdecode(b"bad\xff\xfe.png"),
    "tab\tand\x1b[31m.png",
    "n" * 247 + ".png",
    "no-suffix",
    "two.dots.png",
    ".hidden.png",
]
