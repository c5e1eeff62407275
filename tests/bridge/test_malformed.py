"""Malformed files of every kind, given to the real program under limits of memory and time.

Each must end with exit code 10 and a message that names the file and the reason (or, among good siblings, be left out and be
counted); nothing may crash, run a shell, or write outside the folders it was given.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from . import malformed
from .limited import BAD_INPUT, refused, run, train, tree, warnings
from .malformed import CFG, GOOD_WEIGHTS, Case
from .malformed_images import bad_images


def test_the_good_siblings_are_good(work: Path) -> None:
    assert run(work, "inspect", "net.cfg", "net.weights").code == 0
    done = train(work, "-map")
    assert done.code == 0, done.err
    assert done.events("hello")[0]["images_train"] == 1
    assert tree(work / "backup") >= {"net_final.weights", "net.state"}


def test_there_are_as_many_cases_as_promised() -> None:
    assert len(malformed.cfgs()) >= 48 and len(malformed.weights()) >= 13 and len(bad_images()) >= 10
    assert len(malformed.bad_label_files()) + len(malformed.partly_good_label_files()) >= 20
    for cases in (malformed.cfgs(), malformed.weights(), malformed.bad_label_files(), bad_images()):
        assert len({case.name for case in cases}) == len(cases)


@pytest.mark.parametrize("case", malformed.cfgs(), ids=lambda case: case.name)
def test_cfgs(work: Path, case: Case) -> None:
    (work / "bad.cfg").write_bytes(case.content)
    before = tree(work)
    refused(run(work, "inspect", "bad.cfg"), "bad.cfg", case.reason)
    assert tree(work) == before


def test_cfgs_that_the_other_commands_get(work: Path) -> None:
    (work / "bad.cfg").write_text(CFG.replace("filters=4", "filters=x"))
    for command in (
        ["detector", "train", "obj.data", "bad.cfg", "-json"],
        ["detector", "map", "obj.data", "bad.cfg", "net.weights"],
        ["detector", "test", "obj.data", "bad.cfg", "net.weights", "good.png"],
        ["partial", "bad.cfg", "net.weights", "out.weights", "1"],
    ):
        refused(run(work, *command), "bad.cfg", ":10: .*filters=x")
    event = run(work, "detector", "train", "obj.data", "bad.cfg", "-json").events("error")[-1]
    assert event["code"] == BAD_INPUT and "bad.cfg:10" in event["text"]
    assert not (work / "out.weights").exists() and not (work / "backup").exists()


def test_a_network_beyond_the_memory_is_refused_before_it_is_taken(work: Path) -> None:
    """Within the limits of a cfg, and far beyond those of a machine."""
    huge = CFG.replace("width=32", "width=8192").replace("height=32", "height=8192").replace("filters=4", "filters=16384")
    (work / "net.cfg").write_text(huge)
    assert run(work, "inspect", "net.cfg").code == 0
    assert train(work).code == 12
    many = CFG.replace("[maxpool]", "[convolutional]\nfilters=60000\n[convolutional]\nfilters=60000\n[maxpool]")
    (work / "net.cfg").write_text(many)
    assert train(work).code == 12
    # The file is looked at before room is made for what should be in it.
    refused(run(work, "detector", "map", "obj.data", "net.cfg", "net.weights"), "net.weights", "needs")
    refused(run(work, "partial", "net.cfg", "net.weights", "out.weights", "5"), "net.weights", "need")
    (work / "first.weights").write_bytes(GOOD_WEIGHTS[: 20 + 4 * 112])
    refused(run(work, "detector", "map", "obj.data", "net.cfg", "first.weights"), "first.weights", "only the first")
    assert run(work, "inspect", "net.cfg", "first.weights").code == 0
    assert run(work, "partial", "net.cfg", "first.weights", "out.weights", "1").code == 0
    assert run(work, "inspect", "net.cfg", "net.weights").code == 0


@pytest.mark.parametrize("case", malformed.weights(), ids=lambda case: case.name)
def test_weights(work: Path, case: Case) -> None:
    (work / "bad.weights").write_bytes(case.content)
    before = tree(work)
    refused(run(work, "detector", "map", "obj.data", "net.cfg", "bad.weights"), "bad.weights", case.reason)
    assert run(work, "inspect", "net.cfg", "bad.weights").code in (0, BAD_INPUT), "inspect may also describe what does not fit"
    assert tree(work) == before


def test_weights_to_start_from(work: Path) -> None:
    for case in malformed.weights():
        if case.name == "a-partial-file":
            continue
        (work / "bad.weights").write_bytes(case.content)
        refused(train(work, "bad.weights"), "bad.weights", case.reason)
    assert not list(work.glob("backup/*"))


def test_weights_that_are_no_files(work: Path) -> None:
    (work / "folder").mkdir()
    os.mkfifo(work / "pipe")
    (work / "loop").symlink_to("loop")
    with (work / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    for name, reason in {
        "folder": "regular",
        "pipe": "regular",
        "loop": "open",
        "none": "open",
        "sparse": "needs|values",
    }.items():
        refused(run(work, "detector", "map", "obj.data", "net.cfg", name), name, reason)
        if name != "sparse":  # its first layer can be read
            refused(run(work, "partial", "net.cfg", name, "out.weights", "1"), name, reason)


@pytest.mark.parametrize("name", ["net.cfg", "obj.data", "obj.names", "train.txt"])
def test_text_files_that_are_no_files(work: Path, name: str) -> None:
    path = work / name
    for make, reason in (
        (path.mkdir, "not a regular file"),
        (lambda: os.mkfifo(path), "not a regular file"),
        (lambda: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda: path.symlink_to(name), "can't open"),
        (lambda: None, "can't open"),
    ):
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        make()
        refused(train(work), name, reason)


@pytest.mark.parametrize("case", malformed.data_files(), ids=lambda case: case.name)
def test_data_files(work: Path, case: Case) -> None:
    (work / "bad.data").write_bytes(case.content)
    refused(train(work, data="bad.data"), "bad.data", case.reason)


@pytest.mark.parametrize("case", malformed.names_files(), ids=lambda case: case.name)
def test_names_files(work: Path, case: Case) -> None:
    (work / "obj.names").write_bytes(case.content)
    refused(train(work), "obj.names", case.reason)


@pytest.mark.parametrize("case", malformed.list_files(), ids=lambda case: case.name)
def test_list_files(work: Path, case: Case) -> None:
    (work / "train.txt").write_bytes(case.content)
    refused(train(work), "train.txt", case.reason)
    refused(run(work, "detector", "map", "obj.data", "net.cfg", "net.weights"), "train.txt", case.reason)


def test_a_list_of_what_is_not_there(work: Path) -> None:
    lines = [f"missing-{i}.jpg" for i in range(20_000)] + [
        "../../../../etc/passwd",
        "train.txt",
        "/dev/zero",
        "http://x/y.jpg",
        ".",
    ]
    (work / "train.txt").write_text("\n".join([*lines, "good.png"]))
    done = train(work)
    assert done.code == 0 and done.events("hello")[0]["images_train"] == 1
    assert any("20005 images have no label file" in event["text"] for event in done.events("log"))


def with_labels(work: Path, cases: list[Case]) -> None:
    """Each case the label file of a picture; all these and the good one in the list."""
    for case in cases:
        shutil.copyfile(work / "good.png", work / f"{case.name}.png")
        (work / f"{case.name}.txt").write_bytes(case.content)
    (work / "train.txt").write_text("".join(f"{case.name}.png\n" for case in cases) + "good.png\n")


@pytest.mark.parametrize("case", malformed.bad_label_files(), ids=lambda case: case.name)
def test_label_files(work: Path, case: Case) -> None:
    """Reported with file and line, and its image is left out: never trained as one without objects."""
    with_labels(work, [case])
    done = train(work)
    assert done.code == 0, done.err
    assert done.events("hello")[0]["images_train"] == 1, "the good sibling alone"
    assert "1 images left out" in warnings(done)
    assert re.search(re.escape(case.name) + r"\.txt" + case.reason, warnings(done)), warnings(done)[:500]
    assert len(warnings(done)) < 3000
    (work / "train.txt").write_text(f"{case.name}.png\n")
    refused(train(work), f"{case.name}.txt", case.reason)


def test_label_files_with_some_good_lines(work: Path) -> None:
    for case in malformed.partly_good_label_files():
        with_labels(work, [case])
        done = train(work)
        assert done.events("hello")[0]["images_train"] == 2
        assert re.search(re.escape(case.name) + r"\.txt" + case.reason, warnings(done)), warnings(done)[:500]


def test_all_label_files_at_once(work: Path) -> None:
    bad, partly = malformed.bad_label_files(), malformed.partly_good_label_files()
    with_labels(work, [*bad, *partly])
    done = train(work, "-map")
    assert done.code == 0, done.err
    assert done.events("hello")[0]["images_train"] == len(partly) + 1
    assert f"{len(bad)} images left out: no usable line" in warnings(done)
    anchors = run(work, "detector", "calc_anchors", "obj.data", "-num_of_clusters", "2", "-width", "32", "-height", "32")
    assert anchors.code == 0 and f"{len(bad)} images left out" in anchors.err


def test_label_paths_that_are_no_files(work: Path) -> None:
    names = ["folder", "pipe", "device", "loop", "dangling"]
    for name in names:
        shutil.copyfile(work / "good.png", work / f"{name}.png")
    (work / "folder.txt").mkdir()
    os.mkfifo(work / "pipe.txt")
    (work / "device.txt").symlink_to("/dev/zero")
    (work / "loop.txt").symlink_to("loop.txt")
    (work / "dangling.txt").symlink_to("nowhere.txt")
    (work / "train.txt").write_text("".join(f"{name}.png\n" for name in names) + "good.png\n")
    done = train(work)
    assert done.code == 0 and done.events("hello")[0]["images_train"] == 1
    for name in names:
        assert re.search(rf"{name}\.txt: (not a regular file|no such label file)", warnings(done)), warnings(done)


def test_class_names_write_nowhere_else(work: Path) -> None:
    (work / "obj.names").write_text("../../escaped\n/dev/shm/$(touch PWNED)\n")
    (work / "comp4_det_test_..").mkdir()
    done = run(work, "detector", "valid", "obj.data", "net.cfg", "net.weights")
    assert done.code == 0, done.err
    assert sorted(path.name for path in (work / "results").iterdir()) == [
        "comp4_det_test_.._.._escaped.txt",
        "comp4_det_test__dev_shm_$(touch PWNED).txt",
    ]


def test_a_cfg_whose_weights_would_have_too_long_a_name(work: Path) -> None:
    """Said before the training, not at its end."""
    name = "n" * 247 + ".cfg"
    shutil.copyfile(work / "net.cfg", work / name)
    refused(run(work, "detector", "train", "obj.data", name, "-steps", "1"), name, "too long")


def state_cases(good: bytes) -> dict[str, tuple[bytes, str]]:
    return {
        "empty": (b"", "cut off"),
        "header only": (good[:24], "cut off"),
        "cut off": (good[:-9], "cut off"),
        "one bit": (good[:-500] + bytes([good[-500] ^ 1]) + good[-499:], "damaged"),
        "text": (b"state\n" * 500, "not a state file"),
        "other network": (good[:8] + bytes(16) + good[24:], "another network"),
    }


def test_state_files(work: Path) -> None:
    assert train(work).code == 0
    good = (work / "backup" / "net.state").read_bytes()
    (work / "backup" / "net.previous.state").unlink(missing_ok=True)
    for content, reason in state_cases(good).values():
        (work / "backup" / "net.state").write_bytes(content)
        refused(train(work, "-resume"), "net.state", reason)
    (work / "backup" / "net.state").unlink()
    os.mkfifo(work / "backup" / "net.state")
    refused(train(work, "-resume"), "net.state", "not a regular file")
