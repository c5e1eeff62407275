"""Damaged, oversized and oddly named pictures, given to the real program under limits of memory and time."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from . import malformed
from .limited import refused, run, train, warnings
from .malformed import CFG, GOOD_LABEL
from .malformed_images import bad_images, no_regular_files, odd_images


def bad_pictures(work: Path) -> dict[str, str]:
    """All bad pictures in `work`, each with a good label; the reason for each name."""
    reasons = no_regular_files(work)
    for case in bad_images():
        (work / case.name).write_bytes(case.content)
        reasons[case.name] = case.reason
    for name in reasons:
        (work / name).with_suffix(".txt").write_bytes(GOOD_LABEL)
    return reasons


def test_bad_pictures_one_by_one(work: Path) -> None:
    reasons = bad_pictures(work)
    for name, reason in reasons.items():
        refused(run(work, "detector", "test", "obj.data", "net.cfg", "net.weights", name), name, reason)
    assert not (work / "predictions.jpg").exists()
    paths = "\n".join([*reasons, "good.png"]).encode(errors="surrogateescape")
    done = run(work, "detector", "test", "obj.data", "net.cfg", "net.weights", stdin=paths)
    assert done.code == 0 and "good.png: Predicted" in done.out
    assert done.err.count("error: ") == len(reasons)


@pytest.mark.parametrize("command", ["map", "valid", "recall"])
def test_bad_pictures_among_good_ones_are_named_and_left_out(work: Path, command: str) -> None:
    reasons = bad_pictures(work)
    (work / "train.txt").write_text("".join(f"{name}\n" for name in reasons) + "good.png\n")
    done = run(work, "detector", command, "obj.data", "net.cfg", "net.weights")
    assert done.code == 0, done.err[-1000:]
    for name, reason in reasons.items():
        assert re.search(f"warning: {re.escape(name)}.*(?:{reason})", done.err), name
    assert f"{len(reasons)} of {len(reasons) + 1} images" in done.err


def test_bad_pictures_in_training(work: Path) -> None:
    reasons = bad_pictures(work)
    (work / "train.txt").write_text("".join(f"{name}\n" for name in reasons) + "good.png\n")
    (work / "net.cfg").write_text(CFG.replace("batch=2", f"batch={len(reasons) + 1}"))
    done = train(work, "-map")
    assert done.code == 0, done.err[-1000:]
    for name, reason in reasons.items():
        assert re.search(f"{re.escape(name)}.*(?:{reason})", warnings(done)), name
    (work / "train.txt").write_text("".join(f"{name}\n" for name in reasons))
    refused(train(work), "", f"none of the {len(reasons)} images can be decoded")


def test_odd_pictures_are_read(work: Path) -> None:
    for name, content in odd_images().items():
        (work / name).write_bytes(content)
        done = run(work, "detector", "test", "obj.data", "net.cfg", "net.weights", name)
        assert done.code == 0 and f"{name}: Predicted" in done.out, done.err


def test_odd_names(work: Path) -> None:
    """No name is run, taken for an option, or changed; the label of each is found."""
    for name in malformed.ODD_NAMES:
        shutil.copyfile(work / "good.png", work / name)
        label = name.rpartition(".")[0] or name
        (work / f"{label}.txt").write_bytes(b"9 0.5 0.5 0.1 0.1\n" + GOOD_LABEL)
    (work / "train.txt").write_bytes(b"".join(os.fsencode(name) + b"\n" for name in malformed.ODD_NAMES))
    done = train(work, "-map")
    assert done.code == 0, done.err
    assert done.events("hello")[0]["images_train"] == len(malformed.ODD_NAMES)
    assert f"{len(malformed.ODD_NAMES)} bad label lines" in warnings(done)
    for command in ("valid", "recall"):
        assert run(work, "detector", command, "obj.data", "net.cfg", "net.weights").code == 0
    paths = b"".join(os.fsencode(name) + b"\n" for name in malformed.ODD_NAMES)
    arguments = ["obj.data", "net.cfg", "net.weights", "-save_labels", "-out", "out.json", "-thresh", "0.01"]
    done = run(work, "detector", "test", *arguments, stdin=paths)
    assert done.code == 0 and "error" not in done.err, done.err
    found = json.loads((work / "out.json").read_bytes())
    assert [frame["filename"] for frame in found] == malformed.ODD_NAMES


@pytest.mark.parametrize("suffix", [".cfg", ".data", ".names", ".weights", ".png"])
def test_odd_names_of_the_other_files(work: Path, suffix: str) -> None:
    """A line break in a list would end the name: such pictures are given as arguments, or copied by darknet_bridge.training."""
    files = {".cfg": "net.cfg", ".data": "obj.data", ".names": "obj.names", ".weights": "net.weights", ".png": "good.png"}
    for stem in ("a b", "a\nb", "$(touch PWNED)", ";touch PWNED;", os.fsdecode(b"bad\xff"), "-5", "n" * (251 - len(suffix))):
        odd = stem + suffix
        shutil.copyfile(work / files[suffix], work / odd)
        used = {**files, suffix: odd}
        names = os.fsencode(used[".names"]).replace(b"\n", b"?")
        (work / used[".data"]).write_bytes(b"train=train.txt\nvalid=train.txt\nbackup=backup\nnames=" + names + b"\n")
        done = run(work, "detector", "test", used[".data"], used[".cfg"], used[".weights"], used[".png"])
        if suffix == ".names" and "\n" in stem:
            refused(done, "a?b.names", "can't open")
        else:
            assert done.code == 0 and "Predicted" in done.out, done.err


def test_names_with_a_hyphen_before_a_letter(work: Path) -> None:
    """As with every program, ./ goes before them; without it they are named, not obeyed."""
    shutil.copyfile(work / "good.png", work / "-rf.png")
    arguments = ["detector", "test", "obj.data", "net.cfg", "net.weights"]
    refused(run(work, *arguments, "-rf.png"), "-rf.png", "is not an option")
    assert run(work, *arguments, "./-rf.png").code == 0
