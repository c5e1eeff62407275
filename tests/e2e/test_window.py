"""The main job in the window, by mouse and keyboard: pictures, labels, a box drawn, a training through two kill -9, the model."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_bridge import Network
from darknet_bridge.formats import read_cfg
from darknet_bridge.formats.weights_layout import layer_floats
from darknet_bridge.program import find_program
from darknet_bridge.samples import render_samples
from tests.bridge.test_opencv_agreement import THRESHOLD, opencv_rows

from .window import ROOT, WAIT_S, Window, own_display

STEPS = 30
SIDE = 224  # the smallest network that Setup offers
PICTURES = 14


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    with own_display(tmp_path) as display:
        made = Window(tmp_path, display)
        yield made
        made.close()
    for lock in made.library.glob("runs/**/run.lock"):  # a trainer outlives the window: after a failure here, too
        with contextlib.suppress(OSError, ValueError):
            pid = int(lock.read_text().split()[0])
            if Path(f"/proc/{pid}/exe").readlink().name == find_program().name:
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Photos of blood cells with their VOC files where they are at hand, else drawn pictures with Darknet's labels."""
    folder = tmp_path / "my cells"
    cells = ROOT.parent / "shared" / "data" / "bccd"
    if not cells.is_dir():
        render_samples(folder, train=PICTURES - 2, valid=2, size_px=160)
        return folder
    folder.mkdir()
    for labels in sorted((cells / "voc").glob("*.xml"))[:PICTURES]:
        shutil.copy(labels, folder)
        shutil.copy(cells / "obj" / f"{labels.stem}.jpg", folder)
    return folder


def test_from_a_folder_to_a_model_through_two_kills(window: Window, labelled: Path, tmp_path: Path) -> None:
    window.start()
    new_experiment(window, "Cells")
    import_labelled(window, labelled)
    draw_and_submit(window)
    set_up_and_start(window)
    pid = trainer_of(window)
    kill_the_window(window, pid)
    kill_the_trainer_and_resume(window, pid)
    folder = export_model(window, tmp_path)
    compare_with_opencv(folder, labelled, tmp_path)
    assert window.events("error") == []
    assert "Traceback" not in window.said.read_text("utf-8")


def new_experiment(window: Window, name: str) -> None:
    window.keys("ctrl+n")
    window.sees("Create Experiment", "Button", enabled=True)
    window.type(name)
    window.sees(name, "Entry")
    window.keys("Return")
    window.sees("Select a Dataset")
    assert window.sees("Next", "Button").disabled and window.sees("Select a dataset, or add your own images with “Add images”.")


def import_labelled(window: Window, folder: Path) -> None:
    window.click("Add images", "Button")
    window.click("Labelled images (VOC, COCO, YOLO…)…", "entry")
    window.choose_path(folder)
    window.sees("Import images")
    window.click("Import", "Button")
    window.sees("Import labels", "Label")
    window.click("Import", "Button")
    window.until("the labels", lambda: any("imported as submitted" in text for text in window.texts()))
    window.click("Next", "Button")
    window.sees("SUMMARY")
    window.click("Edit Annotation Group", "Button")
    window.sees("All your changes are saved")


def draw_and_submit(window: Window) -> None:
    canvas = window.until("the picture", lambda: next((t for t in window.look() if t.path.endswith("boxcanvas")), None))
    window.sees(f"Files ({PICTURES}/{PICTURES} submitted)")
    x, y = canvas.middle
    window.drag((x - 60, y - 50), (x + 70, y + 60))
    window.sees("Unsubmitted changes")
    window.keys("space")
    (saved,) = window.until("the event", lambda: window.events("saved"))
    assert saved["revision"] >= 2 and saved["boxes"] >= 2, "the imported boxes and the drawn one"
    window.sees("All your changes are saved")
    window.click("Close", "Button")
    window.click("Next", "Button")


def set_up_and_start(window: Window) -> None:
    """The least work that the window lets one choose."""
    window.click("YOLOv3-Tiny")
    window.click("Advanced options", "Button")
    window.sees("Network size (pixels)")
    window.scroll_down(*window.sees("START FROM").middle)
    window.until("the options", lambda: window.sees("Held-out images (%)").top < 800)
    window.choose(window.field_of("Network size (pixels)"), str(SIDE))
    # The usual rate is too high for so few images a step: the network would run out of bounds.
    for field, value in (("Images a step", "2"), ("Learning rate", "0.0001"), ("TRAINING STEPS", str(STEPS))):
        window.fill(window.field_of(field), value)
        window.keys("Tab")
    window.sees("Fewer than the…")
    window.click("Start Training", "Button")
    hold_the_trainer(window, 2)
    window.until("the first steps", lambda: steps(window) >= 2)
    for text in ("Training in progress!", "Stop", "Pause", "Logs"):
        window.sees(text)


def steps(window: Window) -> int:
    return max((int(event["step"]) for event in window.events("trainer_step")), default=0)


def hold_the_trainer(window: Window, more: int) -> None:
    """As soon as it has done so many steps more: it must not be over before the window was looked at."""

    def done() -> int:
        return sum(log.read_bytes().count(b'"event":"step"') for log in window.library.glob("runs/**/events.jsonl"))

    wanted, end = done() + more, time.monotonic() + WAIT_S
    while done() < wanted:
        assert time.monotonic() < end, "the trainer makes no steps"
        time.sleep(0.01)
    os.kill(trainer_of(window), signal.SIGSTOP)


def trainer_of(window: Window) -> int:
    pid = int(next(window.library.glob("runs/**/run.lock")).read_text().split()[0])
    assert Path(f"/proc/{pid}/exe").readlink().name == find_program().name
    return pid


def kill_the_window(window: Window, pid: int) -> None:
    """The trainer goes on without it, and the next window follows it."""
    window.kill()
    os.kill(pid, signal.SIGCONT)
    hold_the_trainer(window, 1)
    window.start()
    window.click("Cells", "item")
    window.sees("Training in progress!")
    window.sees("Stop", "Button")
    before = steps(window)
    os.kill(pid, signal.SIGCONT)
    hold_the_trainer(window, 1)
    window.until("further steps", lambda: steps(window) > before)
    assert trainer_of(window) == pid, "no second trainer"


def kill_the_trainer_and_resume(window: Window, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    window.sees("Training 1: paused")
    window.click("Resume", "Button")
    window.sees("Training 1: finished")
    window.click("Next", "Button")
    window.sees(f"Hooray! Your training ran for {STEPS} steps…")


def export_model(window: Window, target: Path) -> Path:
    window.click("Export model folder", "Button")
    window.choose_path(target)
    window.sees("The model was exported")
    folder = next(path for path in target.iterdir() if (path / "net.cfg").is_file())
    window.sees(str(folder))
    return folder


def calmed(cfg_path: Path, weights: Path, image: np.ndarray, target: Path) -> Path:
    """A copy whose heads answer calmly and surely: after so few steps they say e to the power of a hundred, or nothing at all.

    How loud they are in the image is a matter of how the run began: what OpenCV hears of them is what they are turned down by.
    Its rolling variances are 1 at least: OpenCV adds 1e-6 to them where Darknet adds 1e-5, which shows while they are near 0.
    """
    cfg = read_cfg(cfg_path)
    content = weights.read_bytes()
    values = np.frombuffer(content[20:], dtype="<f4").copy()
    floats = layer_floats(cfg)
    for index, layer in enumerate(cfg.layers):
        if layer.integer("batch_normalize", 0):
            start, filters = sum(floats[:index]), layer.integer("filters", 1)
            variances = values[start + 3 * filters : start + 4 * filters]
            np.maximum(variances, 1.0, out=variances)
    target.write_bytes(content[:20] + values.tobytes())
    heads = [f"conv_{index - 1}" for index, layer in enumerate(cfg.layers) if layer.kind == "yolo"]
    net = cv2.dnn.readNetFromDarknet(str(cfg_path), str(target))
    net.setInput(cv2.dnn.blobFromImage(image, 1 / 255, (SIDE, SIDE), swapRB=True))
    quiet = min(0.001, 1 / max(float(np.abs(logits).max()) for logits in net.forward(heads)))
    for index, layer in enumerate(cfg.layers):
        if layer.kind == "yolo":
            slots = len(layer.text("mask").split(","))
            first, last = sum(floats[: index - 1]), sum(floats[:index])
            biases = slots * (5 + layer.integer("classes", 0))
            values[first + biases : last] *= quiet
            values[first : first + biases].reshape(slots, -1)[:, 4:] = 2.0
    target.write_bytes(content[:20] + values.tobytes())
    return target


def compare_with_opencv(folder: Path, pictures: Path, scratch: Path) -> None:
    """With a picture of the network's own size, so that the two programs' ways to resize play no part."""
    cfg = folder / "net.cfg"
    assert cv2.dnn.readNetFromDarknet(str(cfg), str(folder / "net.weights")).getLayerNames()
    image = np.ascontiguousarray(cv2.resize(cv2.imread(str(sorted(pictures.rglob("*.jpg"))[0])), (SIDE, SIDE)))
    weights = calmed(cfg, folder / "net.weights", image, scratch / "calm.weights")
    theirs = opencv_rows(cfg, weights, image)
    with Network.load(cfg, weights, device="cpu") as network:
        found = network.detect(image, threshold=THRESHOLD, nms=0)
    assert len(found) >= 20
    for each in found:
        box = each.box
        ours = np.array([box.cx, box.cy, box.w, box.h, each.class_id, each.score], dtype=np.float32)
        assert np.isclose(theirs, ours, rtol=1e-2, atol=5e-3).all(axis=1).any()
