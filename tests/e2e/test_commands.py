"""The whole way without a window, as a script would go it: pictures, labels, training, status, stop, resume, model folder."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from darknet_bridge.program import find_program
from darknet_bridge.samples import render_samples
from darknet_bridge.training import TrainingProcess

ROOT = Path(__file__).resolve().parents[2]
STEPS = ("--model", "yolov3-tiny", "--size", "64", "--batch", "2")
PATIENCE_S = 180


def run(library: Path, *arguments: object, status: int = 0, seconds: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gui", "--library", str(library), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(library.parent / "home"), "DISPLAY": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment, cwd=library.parent)
    assert "Traceback" not in done.stderr + done.stdout
    assert "a fault of this program" not in done.stderr, done.stderr
    assert done.returncode == status, done.stderr
    return done


def answer(library: Path, *arguments: object, **options: Any) -> Any:
    return json.loads(run(library, "--json", *arguments, **options).stdout.splitlines()[-1])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """24 drawn pictures with labels in Darknet's format."""
    folder = tmp_path / "my photos"
    render_samples(folder, train=20, valid=4, size_px=96)
    return folder


def wait_until(wanted: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not wanted():
        assert time.monotonic() < until
        time.sleep(0.05)


def digest(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_from_pictures_to_a_model_that_opencv_reads(tmp_path: Path, pictures: Path) -> None:
    library = tmp_path / "library"
    before = digest(pictures)
    imported = answer(library, "import", pictures, "--dataset", "Forest")
    assert imported["added"] == 24
    labelled = answer(library, "annotate", "forest", pictures, "--group", "Things")
    assert labelled["images"] == 24 and labelled["boxes"] > 24
    backups = sorted(path.name for path in (library / "backups").glob("*-before-import.db"))
    assert len(backups) == 2, "before the images, and before their labels"
    trained = answer(library, "train", "Forest", *STEPS, "--steps", "12", "--experiment", "First")
    assert (trained["state"], trained["step"]) == ("finished", 12)
    assert answer(library, "status")["runs"][0]["state"] == "finished"
    model = tmp_path / "model"
    exported = answer(library, "export", "First", model)
    assert {"net.cfg", "net.weights", "obj.names"} <= set(exported["files"])
    net = cv2.dnn.readNetFromDarknet(str(model / "net.cfg"), str(model / "net.weights"))
    net.setInput(cv2.dnn.blobFromImage(cv2.imread(str(next(pictures.rglob("*.jpg")))), 1 / 255, (64, 64), swapRB=True))
    assert len(net.forward(net.getUnconnectedOutLayersNames())) == 2
    assert answer(library, "check") == {"problems": [], "missing": []}
    assert answer(library, "delete-run", 1) == {"run": 1, "deleted": True, "removed": False}
    assert answer(library, "status")["runs"] == []
    assert answer(library, "delete-run", 1, "--undo")["state"] == "finished"
    assert answer(library, "delete-run", 1, "--now")["removed"] is True and not (library / "runs" / "1").exists()
    assert "removed already" in run(library, "delete-run", 1, "--undo", status=2).stderr
    assert digest(pictures) == before
    assert not (tmp_path / "home").exists()


def test_a_training_outlives_the_command_and_goes_on_after_a_kill(tmp_path: Path, pictures: Path) -> None:
    library = tmp_path / "library"
    run(library, "import", pictures, "--dataset", "Forest")
    run(library, "annotate", "Forest", pictures)
    started = answer(library, "train", "Forest", *STEPS, "--steps", "100000", "--no-wait")
    assert started["state"] == "running"
    folder = Path(started["folder"])
    wait_until(lambda: any((folder / "backup").glob("net*.state")))
    pid = int((folder / "run.lock").read_text().split()[0])
    assert Path(f"/proc/{pid}/exe").readlink().name == find_program().name
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not TrainingProcess.attach(folder).is_alive())
    cut = answer(library, "status", started["run"])
    assert cut["state"] == "paused" and "switched off" in cut["reason"]
    assert answer(library, "resume", started["run"], "--no-wait")["state"] == "running"
    assert answer(library, "stop", started["run"])["state"] == "stopped"
    assert "not at work" in run(library, "stop", started["run"], status=2).stderr


def test_bad_input_is_one_sentence(tmp_path: Path, pictures: Path) -> None:
    library = tmp_path / "library"
    assert "does not exist" in run(library, "import", tmp_path / "nowhere", status=2).stderr
    assert "no dataset “Birds”" in run(library, "train", "Birds", status=2).stderr
    run(library, "import", pictures, "--dataset", "Forest")
    assert "no annotation group" in run(library, "train", "Forest", status=2).stderr
    (tmp_path / "labels").mkdir()
    assert "no labels of a known kind" in run(library, "annotate", "Forest", tmp_path / "labels", status=2).stderr
    assert "There is no run 7" in run(library, "export", 7, tmp_path / "model", status=2).stderr
    (library / "library.db").write_bytes(b"not a library at all")
    assert "was damaged" in run(library, "check").stdout


def test_a_library_that_a_window_has_is_locked(tmp_path: Path, pictures: Path) -> None:
    from gui.core.workspace import Workspace

    library = tmp_path / "library"
    opened = Workspace.open(library)
    try:
        assert "another" in run(library, "import", pictures, status=4).stderr
        assert answer(library, "status") == {"runs": []}
    finally:
        opened.close()


def test_backup_and_restore(tmp_path: Path, pictures: Path) -> None:
    library = tmp_path / "library"
    run(library, "import", pictures, "--dataset", "Forest")
    (name,) = [Path(path).name for path in answer(library, "backup")["backups"]][:1]
    run(library, "annotate", "Forest", pictures)
    run(library, "restore", name)
    assert "no annotation group" in run(library, "train", "Forest", status=2).stderr
