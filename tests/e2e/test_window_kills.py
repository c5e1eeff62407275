"""kill -9 of the window while boxes are drawn and submitted: nothing that the event log calls saved may be missing.

DARKNET_TEST_KILLS sets how often; the figure for 50 is in docs/guide-checklist.md.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

from gui.core import annotate, experiments
from gui.core.sample_set import add_sample_set
from gui.core.workspace import Workspace

from .window import Window, own_display

KILLS = int(os.environ.get("DARKNET_TEST_KILLS", "5"))
PICTURES = 30
ROUNDS = 12


def make_library(folder: Path) -> int:
    """The group: it is empty, so that Space goes from picture to picture."""
    workspace = Workspace.open(folder)
    report = add_sample_set(workspace, "Forest", lambda _done, _total, _text="": None, PICTURES)
    group = annotate.create_group(workspace, report.dataset_id, "Mine", [("thing", "#4f8ef7")])
    made = experiments.create(workspace, "Killed")
    workspace.store.experiments.set_dataset(made.id, report.dataset_id, group.id)
    workspace.store.experiments.set_step(made.id, "annotation")
    workspace.close()
    return group.id


def draw_for_ever(window: Window, chance: random.Random) -> subprocess.Popen[bytes]:
    """Boxes and Space by the hand of another process, which is at work when the window dies."""
    canvas = window.until("the picture", lambda: next((t for t in window.look() if t.path.endswith("boxcanvas")), None))
    words: list[str] = []
    for _ in range(ROUNDS):
        x, y = (place + chance.randint(-150, 100) for place in canvas.middle)
        words += ["mousemove", str(x), str(y), "mousedown", "1", "mousemove", str(x + 30), str(y + 20)]
        words += ["mousemove", str(x + 60), str(y + 50), "mouseup", "1", "sleep", "0.05", "key", "space", "sleep", "0.15"]
    return subprocess.Popen(["xdotool", *words], env=window.environment)


def lost(window: Window, group_id: int) -> list[str]:
    """What was said to be saved and is not in the library."""
    newest: dict[int, tuple[int, int]] = {}
    for event in window.events("saved"):
        image, figures = int(event["image"]), (int(event["revision"]), int(event["boxes"]))
        newest[image] = max(newest.get(image, (0, 0)), figures)
    workspace = Workspace.open(window.library)
    missing = []
    for image, (revision, boxes) in newest.items():
        stored = workspace.store.annotations.get(group_id, image)
        # One Submit more may have been stored and not yet said.
        if stored.revision < revision or (stored.revision == revision and len(stored.submitted) != boxes):
            missing.append(f"image {image}: revision {revision} with {boxes}, found {stored.revision}, {len(stored.submitted)}")
    problems = workspace.store.quick_check()
    workspace.close()
    return missing + problems


def draw_until_killed(window: Window, chance: random.Random, submissions: int) -> None:
    """Opens the editor as a person does, and kills the window when it has said `submissions` times that it saved."""
    window.start()
    window.click("Killed", "item")
    window.sees("SUMMARY")
    window.click("Edit Annotation Group", "Button")
    window.sees("Submit (Space)", "Button", enabled=True)
    before = len(window.events("saved"))
    hand = draw_for_ever(window, chance)

    def at_work() -> bool:
        """Or past it: on a busy machine the hand is done before the window is."""
        said = len(window.events("saved"))
        return said >= submissions or (hand.poll() is not None and said > before)

    window.until("boxes", at_work)
    window.kill()
    hand.kill()
    hand.wait(60)
    window.xdotool("mouseup", 1)


def test_nothing_that_was_saved_is_lost(tmp_path: Path) -> None:
    chance, total = random.Random(7), 0
    with own_display(tmp_path) as display:
        window = Window(tmp_path, display)
        group_id = make_library(window.library)
        try:
            for _ in range(KILLS):
                draw_until_killed(window, chance, total + chance.randint(1, ROUNDS - 2))
                assert lost(window, group_id) == []
                said = len(window.events("saved"))
                assert said > total
                total = said
        finally:
            window.close()
    print(f"{KILLS} kills, {total} submissions said to be saved, none lost")
    assert "Traceback" not in window.said.read_text("utf-8")
