"""Pictures of the screens, dark, light and at double size, for docs/screenshots and for looking at.

    xvfb-run -s "-screen 0 2880x1800x24" .venv/bin/python tools/screenshots.py docs/screenshots [--trained] [--only home,settings]

Makes a library of its own with the sample set in a temporary folder; with --trained a small detector is trained on it first, for
the pictures of Training, Review and suggestions. The X server must have 2880x1800 pixels.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image, ImageGrab

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gui.app import App
from gui.core import experiments
from gui.core.records import Experiment, NewRun, RunState
from gui.core.sample_set import SAMPLE_NAME, add_sample_set
from gui.core.setup import TINY, Setup
from gui.core.workspace import Workspace

SIZE = (1440, 900)
LOOKS = (("dark", 1.0), ("light", 1.0), ("dark", 2.0))
SETTLE_S = 1.6
PICTURES = 60
TRAINED_STEPS = 300
PATIENCE_S = 300.0


def with_run(workspace: Workspace, name: str, state: RunState, done: int, reason: str = "") -> None:
    made = experiments.create(workspace, name)
    runs = workspace.store.runs
    run = runs.add(NewRun(made.id, "yolov4", 5000), workspace.run_folder)
    runs.set_started(run.id)
    runs.set_progress(run.id, done, 60.0)
    runs.set_state(run.id, state, reason)


def fill(workspace: Workspace) -> Experiment:
    """Experiments in every state. Returns the last, which has the sample set and its labels."""
    with_run(workspace, "Street animals", RunState.FINISHED, 5000)
    with_run(workspace, "Ranch drone", RunState.STOPPED, 1900)
    with_run(workspace, "Walkers", RunState.FAILED, 37, "The disk is full.")
    with_run(workspace, "Safari", RunState.PAUSED, 3132)
    report = add_sample_set(workspace, SAMPLE_NAME, lambda _done, _total, _text="": None, PICTURES)
    group = workspace.store.groups.list(report.dataset_id)[0]
    experiments.create(workspace, "Bird classifier")
    made = experiments.create(workspace, "Forest floor")
    workspace.store.experiments.set_dataset(made.id, report.dataset_id, group.id)
    return workspace.store.experiments.get(made.id)


def views(app: App, experiment: Experiment) -> Iterator[tuple[str, Callable[[], object]]]:
    """Names of pictures, and how to get there."""
    show, knows = app.router.show, app.router.knows
    yield "home", lambda: show("home")
    yield "create", lambda: show("home", view="create")
    for step in ("dataset", "annotation", "setup"):
        if knows(step):
            yield step, partial(show, step, experiment_id=experiment.id)
    if knows("annotation"):
        yield "new-group", partial(new_group, app)
        yield "annotation-after", lambda: app.root.event_generate("<Escape>")
    if knows("crops") and app.theme.scale == 1:  # hundreds of photographs at double size are megabytes
        yield "crops", lambda: show("crops", experiment_id=experiment.id, group_id=experiment.group_id)
    if app.workspace.store.runs.list(experiment.id):
        yield "training", lambda: show("training", experiment_id=experiment.id)
        yield "time-machine", lambda: app.router.current.show_step(TRAINED_STEPS // 3)  # type: ignore[union-attr]
        yield "review", lambda: show("review", experiment_id=experiment.id)
    if knows("editor"):
        yield "editor", lambda: show("editor", experiment_id=experiment.id, group_id=experiment.group_id)
        yield "editor-drawing", partial(draw, app)
        yield "editor-keys", lambda: app.commands.run("keys")
        yield "editor-after", partial(give_up, app)
        if app.workspace.store.runs.list(experiment.id):
            yield "suggestions", partial(suggest, app, experiment)
            yield "suggestions-after", partial(take_back, app)
    yield "settings", lambda: show("settings")
    yield "keys", lambda: app.commands.run("keys")


def new_group(app: App) -> None:
    """The dialog of a new annotation group; in front of the step that is shown."""
    app.router.show("annotation", experiment_id=app.router.params["experiment_id"])
    settle(app)
    app.commands.run("annotation.new")


def draw(app: App) -> None:
    """A box that is just being drawn, and another one selected."""
    canvas = app.router.current.stage.canvas  # type: ignore[union-attr]
    (x0, y0), (x1, y1) = (map(round, canvas.port.to_canvas(*point)) for point in ((40, 270), (150, 380)))
    app.commands.run("editor.next_box")
    canvas.event_generate("<Motion>", x=x0, y=y0)
    canvas.event_generate("<ButtonPress-1>", x=x0, y=y0)
    for share in (0.5, 1.0):
        canvas.event_generate("<Motion>", x=round(x0 + (x1 - x0) * share), y=round(y0 + (y1 - y0) * share), state=0x100)


def give_up(app: App) -> None:
    """Closes the sheet of keys and forgets the box."""
    app.root.event_generate("<Escape>")
    app.router.current.stage.canvas.pointer.abandon()  # type: ignore[union-attr]


def suggest(app: App, experiment: Experiment) -> None:
    """What the trained model proposes for an image whose boxes were taken away."""
    app.router.show("editor", experiment_id=experiment.id, group_id=experiment.group_id)
    settle(app)
    app.commands.run("editor.all")
    app.commands.run("editor.delete")
    app.commands.run("editor.suggest")


def take_back(app: App) -> None:
    app.commands.run("editor.reject_all")
    app.commands.run("editor.reset")


def settle(app: App, until: Callable[[], bool] = lambda: True) -> None:
    """Lets the window work for a moment, and on until that is so."""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end or not (until() or time.monotonic() > end + PATIENCE_S):
        app.root.update()
        time.sleep(0.01)


def is_so(app: App, mode: str, scale: float) -> bool:
    return app.theme.mode == mode and app.theme.scale == scale


def train(app: App, experiment: Experiment) -> None:
    """The experiment's first training, by the window's own ways."""
    runs = app.workspace.store.runs
    setup = Setup(TINY, steps=TRAINED_STEPS, size=96, batch=8, random=False)
    app.workspace.store.experiments.set_setup(experiment.id, setup.to_json())
    app.router.show("setup", experiment_id=experiment.id)
    settle(app, lambda: app.router.current is not None and app.router.current.next_reason() is None)
    app.router.current.go_next()  # type: ignore[union-attr]
    settle(app, lambda: any(run.state is RunState.FINISHED for run in runs.list(experiment.id)))


def picture(app: App, scale: float) -> Image.Image:
    left, top = app.root.winfo_rootx(), app.root.winfo_rooty()
    box = (left, top, left + round(SIZE[0] * scale), top + round(SIZE[1] * scale))
    return ImageGrab.grab(bbox=box, xdisplay=os.environ["DISPLAY"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trained", action="store_true", help="train first")
    parser.add_argument("--only", default="", help="names of screens, with commas")
    options = parser.parse_args()
    wanted = set(filter(None, options.only.split(",")))
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "my library"
        workspace = Workspace.open(folder)
        experiment = fill(workspace)
        workspace.settings.set("theme", "dark")
        app = App(workspace)
        app.start()
        app.root.minsize(1, 1)
        app.root.focus_force()  # without a window manager nobody else gives it the keyboard
        if options.trained:
            app.root.geometry(f"{SIZE[0]}x{SIZE[1]}+0+0")
            train(app, experiment)
        for mode, scale in LOOKS:
            app.set_theme(mode)
            app.set_scale(scale)
            app.root.geometry(f"{round(SIZE[0] * scale)}x{round(SIZE[1] * scale)}+0+0")
            settle(app, partial(is_so, app, mode, scale))  # it is built in slices, and then the window is another one
            for name, go in views(app, experiment):
                if wanted and not any(name == each or name.startswith(f"{each}-") for each in wanted):
                    continue
                go()
                settle(app)
                if name.endswith("-after"):
                    continue
                target = options.folder / f"{name}-{mode}{'-2x' if scale == 2 else ''}.png"
                picture(app, scale).save(target, optimize=True)
                print(target)
            settle(app)
            (app.root.focus_get() or app.root).event_generate("<Escape>")
            app.router.show("home")
        app.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
