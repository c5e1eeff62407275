"""Commands on trainings: train, status, stop, resume, continue, delete-run.

A training is a process of its own: `train --no-wait` ends at once and it goes on. What it wrote since comes into the library
with the next command that can write to it. Stopping works also while a window has the library.
"""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from pathlib import Path

from darknet_bridge.devices import list_devices
from darknet_bridge.errors import DarknetError
from darknet_bridge.training import RunDir, TrainingProcess

from ..core import delete_run, experiments
from ..core.continue_run import continue_run
from ..core.device_words import PRECISIONS, device_names
from ..core.errors import UserError
from ..core.prepare_run import prepare_run
from ..core.records import Experiment, Run, RunState
from ..core.setup import MODELS, Setup, Start, checked, default_setup
from ..core.training import Queue
from ..core.workspace import Workspace
from .terminal import Terminal, find_dataset, find_experiment, find_group

_TURN_S = 0.2
_START_S = 15.0
_CATCH_UP_S = 3.0


class RunEndedError(UserError):
    """A training that was waited for ended otherwise than finished or stopped on request."""


def add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="name or number")
    parser.add_argument("--group", metavar="NAME", help="annotation group, where there are several")
    parser.add_argument("--experiment", metavar="NAME", help="an experiment, made where there is none of that name")
    parser.add_argument("--model", choices=tuple(card.recipe for card in MODELS), help="default: what suits this computer")
    parser.add_argument("--steps", type=int, help="default: 1,000 for each class, at least 5,000")
    parser.add_argument("--size", type=int, metavar="PX", help="side of the network's input, a multiple of 32")
    parser.add_argument("--batch", type=int, help="pictures in a step")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a pretrained file to start from")
    parser.add_argument("--from-run", type=int, metavar="RUN", help="start from the weights of a training of this library")
    parser.add_argument("--valid-percent", type=int, metavar="P", help="held out for evaluation (default 10)")
    parser.add_argument("--seed", type=int, help="the same seed gives the same training")
    parser.add_argument(
        "--stop-at-map", type=float, metavar="P", help="end once mAP on the held-out images is P percent (75 is good)"
    )
    parser.add_argument("--stop-without-gain", type=int, metavar="N", help="end after N measurements of mAP without a better one")
    parser.add_argument("--device", metavar="ID", help="of darknet-bridge devices; default: the best there is")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), help="numbers to compute with; default: what suits the device")
    add_waiting(parser)


def add_waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-wait", action="store_true", help="return once it has started; it goes on by itself")


def run_train(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    workspace.require_writing()
    experiment = _experiment(workspace, options)
    setup = _setup(options)
    workspace.store.experiments.set_setup(experiment.id, setup.to_json())
    run = prepare_run(workspace, experiment.id, setup, terminal.progress)
    terminal.say(
        f"Run {run.id} of “{experiment.name}”: {run.images_train:,} images to learn from, {run.images_valid:,} held out."
    )
    if run.kept:
        terminal.say(run.kept)
    _start(workspace, run, options.no_wait, terminal)


def _experiment(workspace: Workspace, options: argparse.Namespace) -> Experiment:
    dataset = find_dataset(workspace, options.dataset)
    group = find_group(workspace, dataset, options.group)
    known = [each for each in workspace.store.experiments.list() if options.experiment in (each.name, str(each.id))]
    if known:
        experiment = known[0]
    else:
        name = options.experiment or experiments.suggested_name(workspace, dataset.name)
        experiment = experiments.create(workspace, name)
    workspace.store.experiments.set_dataset(experiment.id, dataset.id, group.id)
    workspace.changes.publish("experiments")
    return experiment


def _setup(options: argparse.Namespace) -> Setup:
    devices = list_devices()
    values = default_setup(devices).to_json()
    if options.model is not None and options.model != values["model"]:
        values = Setup(options.model).to_json()
    for name in ("steps", "size", "batch", "valid_percent", "seed", "stop_at_map", "stop_without_gain", "device", "precision"):
        given = getattr(options, name)
        if given is not None:
            values[name] = given
    if options.device is not None and options.device not in device_names(devices):
        raise UserError(f"There is no usable device “{options.device}” here: {', '.join(device_names(devices))}.")
    if options.weights is not None and options.from_run is not None:
        raise UserError("--weights or --from-run, not both: a training starts from one of them.")
    if options.weights is not None:
        values |= {"start": Start.PRETRAINED.value, "start_file": str(options.weights.expanduser().absolute())}
    if options.from_run is not None:
        values |= {"start": Start.RUN.value, "start_run": options.from_run}
    values["start"] = Start(values["start"])
    return checked(Setup(**values))  # type: ignore[arg-type]


def _start(workspace: Workspace, run: Run, no_wait: bool, terminal: Terminal) -> None:
    """Starts the queue, and follows the run to its end unless told not to."""
    queue = Queue(workspace)
    queue.start()
    try:
        if no_wait:
            _wait_for_start(workspace, run, terminal)
        else:
            _follow(workspace, queue, run, terminal)
    except KeyboardInterrupt:
        terminal.say("Stopping: a checkpoint is being written.")
        queue.stop(run.id)
        _follow(workspace, queue, run, terminal)
    finally:
        queue.close()


def _wait_for_start(workspace: Workspace, run: Run, terminal: Terminal) -> None:
    until = time.monotonic() + _START_S
    while workspace.store.runs.get(run.id).state is RunState.QUEUED and time.monotonic() < until:
        time.sleep(_TURN_S)
    _tell(workspace, run.id, terminal)


def _follow(workspace: Workspace, queue: Queue, run: Run, terminal: Terminal) -> None:
    while (run := workspace.store.runs.get(run.id)).state.is_active:
        live = queue.live
        if live is not None and live.run_id == run.id:
            terminal.progress(live.step, run.total_steps, f"step {live.step:,}/{run.total_steps:,}, loss {live.loss:.3f}")
        time.sleep(_TURN_S)
    _tell(workspace, run.id, terminal)
    if run.state not in (RunState.FINISHED, RunState.STOPPED):
        raise RunEndedError(run.reason or f"Run {run.id} is {run.state.value}.")


def add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", type=int, metavar="RUN", help="default: all of them")


def run_status(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    if not workspace.read_only:
        _catch_up(workspace)
    if options.run is not None:
        _tell(workspace, options.run, terminal)
        return
    runs = workspace.store.runs.list()
    if not runs:
        terminal.say("No training yet. Start one with: train DATASET")
    for run in runs:
        terminal.say(_line(workspace, run))
    terminal.result(runs=[_values(run) for run in runs])


def _catch_up(workspace: Workspace) -> None:
    """Reads what a training at work has written since. Starts nothing that only waits in the queue."""
    running = [run for run in workspace.store.runs.active() if run.state is RunState.RUNNING]
    if not running:
        return
    queue = Queue(workspace)
    queue.start()
    until = time.monotonic() + _CATCH_UP_S
    done = -1
    while time.monotonic() < until:
        time.sleep(_TURN_S * 2)
        run = workspace.store.runs.get(running[0].id)
        if not run.state.is_active or (run.done_steps == done and done > 0):
            break
        done = run.done_steps
    queue.close()


def add_stop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=int, metavar="RUN")


def run_stop(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    """Also with a library that a window has: the run's folder is the way to its trainer."""
    run = _get(workspace, options.run)
    if not run.state.is_active:
        raise UserError(f"Run {run.id} is not at work: it is {run.state.value}.")
    if run.state is RunState.QUEUED:
        workspace.require_writing()
        workspace.store.runs.set_state(run.id, RunState.STOPPED, "Taken out of the queue before its first step.")
    else:
        with suppress(DarknetError):
            TrainingProcess.attach(RunDir(run.folder).folder).stop()
        if not workspace.read_only:
            _catch_up(workspace)
    _tell(workspace, run.id, terminal)


def add_resume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=int, metavar="RUN")
    add_waiting(parser)


def run_resume(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    """Goes on at the last checkpoint, also after a power cut: a run whose trainer is gone is not at work any more."""
    workspace.require_writing()
    _catch_up(workspace)
    run = _get(workspace, options.run)
    Queue(workspace).resume(run.id)
    _start(workspace, run, options.no_wait, terminal)


def add_continue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=int, metavar="RUN")
    parser.add_argument("steps", type=int, metavar="STEPS", help="how many more")
    add_waiting(parser)


def run_continue(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    workspace.require_writing()
    child = continue_run(workspace, _get(workspace, options.run).id, options.steps, terminal.progress)
    terminal.say(f"Run {child.id} {child.kept}")
    _start(workspace, child, options.no_wait, terminal)


def add_delete_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=int, metavar="RUN")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--undo", action="store_true", help="bring a deleted training back, until the window was started")
    which.add_argument("--now", action="store_true", help="remove its files at once; that can't be undone")


def run_delete_run(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    workspace.require_writing()
    if options.undo:
        gone = {run.id for run in workspace.store.runs.deleted()}
        if options.run not in gone:
            raise UserError(f"Run {options.run} was not deleted.")
        delete_run.restore_run(workspace, options.run)
        _tell(workspace, options.run, terminal)
        return
    run = _get(workspace, options.run)
    said = delete_run.question(workspace, run.id)
    delete_run.delete_run(workspace, run.id)
    removed = options.now and delete_run.remove_deleted(workspace, run.id) > 0
    terminal.say(said)
    terminal.say("Its files are removed." if removed else f"Until the window is started next time: delete-run {run.id} --undo")
    terminal.result(run=run.id, deleted=True, removed=removed)


def _get(workspace: Workspace, run_id: int) -> Run:
    known = {run.id: run for run in workspace.store.runs.list()}
    if run_id not in known:
        raise UserError(f"There is no run {run_id}. Known: {', '.join(map(str, known)) or 'none yet'}.")
    return known[run_id]


def _tell(workspace: Workspace, run_id: int, terminal: Terminal) -> None:
    run = _get(workspace, run_id)
    terminal.say(_line(workspace, run))
    terminal.result(**_values(run))


def _line(workspace: Workspace, run: Run) -> str:
    experiment = workspace.store.experiments.get(run.experiment_id)
    best = "" if run.best_map is None else f", best mAP {run.best_map:.1%} at step {run.best_step:,}"
    reason = f" ({run.reason})" if run.reason else ""
    steps = f"step {run.done_steps:,}/{run.total_steps:,}"
    return f"Run {run.id} of “{experiment.name}”, {run.model}: {run.state.value}, {steps}{best}{reason}"


def _values(run: Run) -> dict[str, object]:
    return {
        "run": run.id,
        "experiment": run.experiment_id,
        "model": run.model,
        "state": run.state.value,
        "step": run.done_steps,
        "steps": run.total_steps,
        "best_map": run.best_map,
        "best_step": run.best_step,
        "reason": run.reason,
        "folder": str(run.folder),
    }


def find_run(workspace: Workspace, given: str) -> Run:
    """A run by its number, or the newest one of an experiment by the experiment's name."""
    if given.isdecimal():
        return _get(workspace, int(given))
    experiment = find_experiment(workspace, given)
    if experiment.last_run is None:
        raise UserError(f"The experiment “{experiment.name}” has no training yet.")
    return experiment.last_run
