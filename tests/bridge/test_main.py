"""The command darknet-bridge: its own commands, and how the others become the native program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from darknet_bridge.__main__ import main
from darknet_bridge.formats import WeightsHeader, read_cfg
from darknet_bridge.recipes import make_cfg, pretrained


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A native program that shows its arguments and ends as its first one says."""
    path = tmp_path / "native" / "darknet"
    path.parent.mkdir()
    path.write_text('#!/bin/sh\nfor word in "$@"; do printf "<%s>" "$word"; done\n[ "$1" = kill ] && kill -9 $$\nexit "$1"\n')
    path.chmod(0o755)
    monkeypatch.setenv("DARKNET_BRIDGE_NATIVE", str(path.parent))
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "darknet_bridge", *arguments], capture_output=True, check=False)


def test_exit_code_and_arguments_pass_through(program: Path) -> None:
    done = run("3", "detector", "a b", "$(x)", "", os.fsdecode(b"bad\xff"), "-json")
    assert done.returncode == 3
    assert done.stdout == b"<3><detector><a b><$(x)><><bad\xff><-json>"
    assert run("0").returncode == 0
    assert run("kill").returncode == -9, "it is the process itself, not a child"


def test_help_shows_both(program: Path) -> None:
    done = run()
    assert b"pretrained" in done.stdout
    assert b"recipe" in run("--help").stdout


def test_a_missing_program_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKNET_BRIDGE_NATIVE", str(tmp_path))
    done = run("detector", "train")
    assert done.returncode == 70
    assert done.stderr.startswith(b"error: the program 'darknet' is not built")
    assert b"Traceback" not in done.stderr


def test_recipe_writes_a_cfg(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.cfg"
    assert main(["recipe", "yolov3-tiny", "--classes", "3", "-o", str(path)]) == 0
    assert [s.values() for s in read_cfg(path).sections] == [s.values() for s in make_cfg("yolov3-tiny", 3).sections]
    options = ["--width=320", "--steps=300", "--batch=8", "--rate=0.002", "--no-flip", "--no-random", "--max-boxes=9"]
    assert main(["recipe", "yolov3-tiny", "--classes", "1", "-o", str(path), *options]) == 0
    net = read_cfg(path).net.values()
    assert {k: net[k] for k in ("width", "height", "max_batches", "batch", "learning_rate", "flip")} == {
        "width": "320", "height": "320", "max_batches": "300", "batch": "8", "learning_rate": "0.002", "flip": "0",
    }  # fmt: skip
    capsys.readouterr()
    assert main(["recipe", "yolov4-custom", "--classes", "2"]) == 0
    assert capsys.readouterr().out.startswith("[net]\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["recipe", "yolov9", "--classes", "3"],
        ["recipe", "yolov4"],
        ["recipe", "yolov4", "--classes", "x"],
        ["recipe", "yolov4", "--classes", "3", "--width", "100"],
        ["recipe", "yolov4", "--classes", "3", "--anchors", "1,2"],
        ["pretrained"],
        ["pretrained", "get", "none.weights"],
        ["pretrained", "check", "/dev/null"],
        ["pretrained", "check", "/nowhere/x"],
    ],
)
def test_wrong_arguments_end_with_10(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 10
    assert capsys.readouterr().err.startswith("error: ")


def test_pretrained_list_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrained", "--folder", str(tmp_path), "list"]) == 0
    listed = capsys.readouterr().out
    assert all(entry.name in listed for entry in pretrained.CATALOGUE)
    entry = pretrained.catalogue_entry("yolov3-tiny.conv.11")
    file = tmp_path / "mine.conv"
    file.write_bytes(WeightsHeader().to_bytes() + np.zeros(entry.floats, "<f4").tobytes())
    assert main(["pretrained", "check", str(file)]) == 0
    assert "yolov3-tiny.conv.11, sha256" in capsys.readouterr().out
    (tmp_path / entry.name).write_bytes(file.read_bytes())
    assert main(["pretrained", "--folder", str(tmp_path), "get", entry.name]) == 0, "what is here is not fetched"
    assert capsys.readouterr().out == f"{tmp_path / entry.name}\n"


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f'"{sys.executable}" -m darknet_bridge recipe yolov4 --classes 3 | head -c 10'
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
    assert done.stdout == b"[net]\nbatc"
    assert b"Traceback" not in done.stderr
