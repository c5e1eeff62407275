"""The process is killed in the middle of editing: what was drawn is offered when the editor is opened again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .editor_bench import EditorBench, make_library

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import sys, time
from pathlib import Path
from gui.app import App
from gui.core.workspace import Workspace
from tests.gui.editor_bench import EditorBench
folder, experiment, group, image = Path(sys.argv[1]), *map(int, sys.argv[2:])
app = App(Workspace.open(folder))
app.start()
def turn(condition=None, what=""):
    while True:
        app.root.update()
        if condition is None or condition():
            return
        time.sleep(0.01)
app.root.focus_force()  # there is no window manager to give it the keyboard
bench = EditorBench(app, turn, experiment, group, [])
bench.open(image)
bench.drag(50, 60, 150, 160)
bench.key("space")
bench.settle()
bench.open(image)
bench.drag(200, 60, 300, 160)
bench.settle()
print("drawn", flush=True)
bench.canvas.event_generate("<ButtonPress-1>", x=100, y=100)
while True:
    app.root.update()
"""


def test_a_killed_window_leaves_its_draft(
    open_app: Callable[..., Any], turn: Callable[..., None], own_display: str, tmp_path: Path
) -> None:
    experiment_id, group_id, ids = make_library(tmp_path)
    arguments = [str(tmp_path / "library"), str(experiment_id), str(group_id), str(ids[0])]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments], cwd=ROOT, env={**os.environ, "DISPLAY": own_display}, stdout=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdout.readline() == b"drawn\n"
    time.sleep(0.1)
    child.kill()
    child.wait()
    child.stdout.close()

    bench = EditorBench(open_app(tmp_path / "library"), turn, experiment_id, group_id, ids)
    screen = bench.open(ids[0])
    assert len(bench.rects()) == 2 and "earlier visit" in screen.stage.notice.cget("text")
    assert len(bench.stored(ids[0]).submitted) == 1
    bench.key("q")
    assert len(bench.rects()) == 1
    bench.settle()
