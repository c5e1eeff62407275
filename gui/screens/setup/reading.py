"""What the Setup step reads from the library when it is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

from darknet_bridge.devices import list_devices
from darknet_bridge.errors import DarknetError

from ...core.errors import UserError
from ...core.prepare_run import TrainingData, gather
from ...core.records import Experiment, Run, RunState
from ...core.setup import Setup, Start, default_setup, recommended
from ...core.workspace import Workspace

_ENDED = (RunState.FINISHED, RunState.STOPPED, RunState.PAUSED)


@dataclass(frozen=True, slots=True)
class Loaded:
    """problem: why nothing can be trained yet, "" when something can. runs: those a training may start from."""

    experiment: Experiment
    setup: Setup
    data: TrainingData | None
    problem: str
    runs: tuple[Run, ...]
    why_model: str
    busy: bool


def read(workspace: Workspace, experiment_id: int) -> Loaded:
    """On the store's thread. Choices that were never made are those for this computer."""
    store = workspace.store
    experiment = store.experiments.get(experiment_id)
    try:
        devices = list_devices()
    except DarknetError:
        devices = []
    setup = Setup.from_json(experiment.setup, default_setup(devices))
    if not experiment.setup:
        remembered = workspace.settings.get(f"pretrained:{setup.model}", "")
        if isinstance(remembered, str) and remembered:
            setup = replace(setup, start=Start.PRETRAINED, start_file=remembered)
    data, problem = None, ""
    try:
        data = gather(workspace, experiment_id)
    except UserError as error:
        problem = str(error)
    runs = tuple(run for run in store.runs.list() if run.state in _ENDED and run.done_steps)
    return Loaded(experiment, setup, data, problem, runs, recommended(devices)[1], bool(store.runs.active()))


def run_line(run: Run) -> str:
    """A run in the list to start from: "#7: yolov3-tiny, 5,000 steps, mAP 81 % (crow, owl)"."""
    names = ", ".join(each.name for each in run.classes[:3]) + ("…" if len(run.classes) > 3 else "")
    score = "" if run.best_map is None else f", mAP {100 * run.best_map:.0f} %"
    return f"#{run.id}: {run.model}, {run.done_steps:,} steps{score} ({names})"
