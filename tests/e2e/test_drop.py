"""A real drop: another program offers files by the desktop's protocol (XDND), and the mouse carries them onto our window."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from gui.core.workspace import Workspace

from .window import ROOT, Window, own_display

PLACE = ("700", "450")  # on the cards of the step Dataset


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    with own_display(tmp_path) as display:
        made = Window(tmp_path, display)
        yield made
        made.close()


def drop(window: Window, *addresses: str) -> None:
    """Drags addresses onto the cards and lets go once the window has said that it takes them."""
    command = [sys.executable, "-m", "tests.e2e.xdnd", *PLACE, *addresses]
    with subprocess.Popen(
        command, env=window.environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as source:
        assert source.stdin is not None and source.stdout is not None
        assert source.stdout.readline() == "takes\n"
        window.sees("Let go to add these images.")
        source.stdin.write("go\n")
        source.stdin.flush()
        assert source.stdout.readline() == "dropped\n"
    window.until("the hint as before", lambda: window.find("Let go to add these images.") is None)


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def to_the_dataset_step(window: Window) -> None:
    window.start()
    window.keys("ctrl+n")
    window.sees("Create Experiment", "Button", enabled=True)
    window.type("Dropped")
    window.keys("Return")
    window.sees("Select a Dataset")


def names(window: Window) -> list[str]:
    """Of the images of the only dataset, once the window is gone."""
    window.kill()
    workspace = Workspace.open(window.library)
    try:
        (dataset,) = workspace.store.datasets.list()
        return [image.name for image in workspace.store.datasets.images(dataset.id)]
    finally:
        workspace.close()


def test_a_folder_with_all_that_folders_hold(window: Window, tmp_path: Path) -> None:
    folder = tmp_path / "Vögel im {Garten} 100% $HOME"
    inside = ["Amsel 1.png", "Süd/Grüne Wiese/Star (2).png", "日本/鳥.png", "semi;colon & [x].png"]
    for seed, name in enumerate(inside):
        picture(folder / name, seed)
    (folder / "Süd" / "defekt é.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    to_the_dataset_step(window)
    drop(window, folder.as_uri())
    window.sees("Import images")
    window.sees("5 images, …")
    window.click("Import", "Button")
    window.sees("What was left out")
    window.sees("4 images imported, 1 file left out…")
    (imported,) = window.events("imported")
    assert (imported["images"], imported["skipped"]) == (4, 1)
    window.click("Close", "Button")
    assert window.sees("Next", "Button", enabled=True)
    assert sorted(names(window)) == sorted(inside)


def test_files_and_folders_together_after_something_else(window: Window, tmp_path: Path) -> None:
    picture(tmp_path / "one folder" / "a.png", 1)
    picture(tmp_path / "other" / "ä b.png", 2)
    to_the_dataset_step(window)
    drop(window, "https://example.org/bird.jpg")
    window.sees("These are no files of this computer. Save them in a folder first, then drop that.")
    addresses = [
        path.as_uri().replace("file:///", "file://localhost/")
        for path in (tmp_path / "one folder", tmp_path / "other" / "ä b.png")
    ]
    drop(window, *addresses)
    window.sees("Import images")
    window.click("Import", "Button")
    window.until("the import", lambda: window.events("imported"))
    assert sorted(names(window)) == ["one folder/a.png", "ä b.png"]
