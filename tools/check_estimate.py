#!/usr/bin/env python3
"""How near the estimate of the step Setup comes to what a training really takes (promise R50: within 15 %).

    .venv/bin/python tools/check_estimate.py                      # the drawn sample set, in a library that is deleted again
    .venv/bin/python tools/check_estimate.py --choices 96x4,224x16 --steps 300
    .venv/bin/python tools/check_estimate.py --library FOLDER --experiment "Bird finder" --choices 320x16

A choice is SIDExBATCH: the side of the network's input in pixels and the images a step. For each one the time is estimated as the
window does it, then a whole training of --steps steps runs through the window's queue: samples, evaluations, checkpoints and all.
With --library the experiment's other choices are taken as they are, and its trainings stay in the library.

The sample set is trained at one input size: of the many that are drawn, a short training sees so few that it takes a third more
or less than their mean, which is what an estimate can know (--many-sizes shows it).

Run it on a quiet machine: both figures are of the same computer, but not of the same minute. About 10 minutes for what is chosen
unless told otherwise, on 2 cores. The exit status is 1 when a choice is off by more than --within percent.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gui.core import estimate as estimates
from gui.core.prepare_run import gather, prepare_run
from gui.core.records import Run, RunState
from gui.core.sample_set import add_sample_set
from gui.core.setup import TINY, Setup
from gui.core.training import Queue
from gui.core.workspace import Workspace

CHOICES = "96x4,96x16,160x4,160x16,224x4,224x16"
_COLUMNS = "{:>9} {:>10} {:>10} {:>8}   {:>10} {:>10}"


def nothing(done: int, total: int, text: str) -> None:
    """Progress that nobody looks at."""


def sample_experiment(workspace: Workspace) -> int:
    """An experiment on the drawn pictures."""
    report = add_sample_set(workspace, "Samples", nothing)
    group = workspace.store.groups.list(report.dataset_id)[0]
    experiment = workspace.store.experiments.create("Check of the estimate").id
    workspace.store.experiments.set_dataset(experiment, report.dataset_id, group.id)
    return experiment


def named_experiment(workspace: Workspace, name: str) -> tuple[int, Setup]:
    found = next((each for each in workspace.store.experiments.list() if name in (each.name, str(each.id))), None)
    if found is None:
        raise SystemExit(f"no experiment “{name}” in this library")
    return found.id, Setup.from_json(found.setup)


def trained(workspace: Workspace, experiment: int, setup: Setup) -> tuple[Run, float]:
    """A whole training, and the seconds from its start to its end as the library has them."""
    run = prepare_run(workspace, experiment, setup, nothing)
    while (now := workspace.store.runs.get(run.id)).state.is_active:
        time.sleep(0.5)
    if now.state is not RunState.FINISHED or now.started_at is None or now.ended_at is None:
        raise SystemExit(f"the training did not finish: {now.state.value} {now.reason}")
    return now, now.ended_at - now.started_at


def check(workspace: Workspace, experiment: int, setup: Setup) -> float:
    """Prints a line; returns estimated over real time."""
    measured = estimates.measure(gather(workspace, experiment), setup, nothing, workspace.folder)
    run, real = trained(workspace, experiment, setup)
    expected = measured.seconds(run.total_steps, run.images_train, run.images_valid)
    steps = [metric.seconds for metric in workspace.store.runs.metrics(run.id)]
    choice = f"{setup.size}x{setup.batch}"
    figures = (f"{expected:.1f}", f"{real:.1f}", f"{100 * (expected / real - 1):+.1f} %")
    mean = sum(steps) / len(steps)
    print(_COLUMNS.format(choice, *figures, f"{measured.seconds_per_step:.3f}", f"{mean:.3f}"), flush=True)
    return expected / real


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--choices", default=CHOICES, metavar="LIST", help=f"SIDExBATCH, separated by commas; {CHOICES}")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--within", type=float, default=15.0, metavar="PERCENT")
    parser.add_argument("--library", type=Path, help="a library of yours; without it one with the drawn sample set is made")
    parser.add_argument("--many-sizes", action="store_true", help="the model's usual input sizes, drawn anew every ten steps")
    parser.add_argument("--experiment", default="", help="name or number, with --library")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="check-estimate-") as folder:
        workspace = Workspace.open(options.library or Path(folder))
        if options.library is None:
            experiment, base = sample_experiment(workspace), Setup(TINY, random=None if options.many_sizes else False)
        else:
            experiment, base = named_experiment(workspace, options.experiment)
        line = Queue(workspace)
        line.start()
        print(_COLUMNS.format("choice", "estimate s", "real s", "off by", "est. step", "real step"))
        ratios = []
        for choice in options.choices.split(","):
            side, _, batch = choice.partition("x")
            setup = replace(base, size=int(side), batch=int(batch), steps=options.steps, subdivisions=None)
            ratios.append(check(workspace, experiment, setup))
        line.close()
        workspace.close()
    return int(any(abs(ratio - 1) > options.within / 100 for ratio in ratios))


if __name__ == "__main__":
    sys.exit(main())
