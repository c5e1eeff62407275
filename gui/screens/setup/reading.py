"""What the Setup step reads from the library when it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from darknet_bridge.devices import Device, list_devices
from darknet_bridge.errors import DarknetError

from ...core.errors import UserError
from ...core.prepare_run import TrainingData, gather
from ...core.records import Experiment, Run, RunState
from ...core.setup import Setup, Start, default_setup, model_title, on_this_computer, recommended
from ...core.workspace import Workspace

_ENDED = (RunState.FINISHED, RunState.STOPPED, RunState.PAUSED)


@dataclass(frozen=True, slots=True)
class StartRun:
    """A training that another may start from. experiment: the name of its experiment."""

    run: Run
    experiment: str

    @property
    def name(self) -> str:
        """ "Bird finder, training 2: YOLOv3-Tiny, 5,000 steps"."""
        return f"{self.experiment}, training {self.run.number}: {model_title(self.run.model)}, {self.run.done_steps:,} steps"

    @property
    def detail(self) -> str:
        """ "crow, owl – mAP 81 %"."""
        names = ", ".join(each.name for each in self.run.classes[:3]) + ("…" if len(self.run.classes) > 3 else "")
        score = "mAP not measured" if self.run.best_map is None else f"mAP {100 * self.run.best_map:.0f} %"
        return f"{names} – {score}" if names else score

    @property
    def searched(self) -> str:
        run = self.run
        words = (self.name, *(each.name for each in run.classes), run.notes, *run.tags, run.model)
        return "\n".join(words).casefold()


@dataclass(frozen=True, slots=True)
class Loaded:
    """problem: why nothing can be trained yet, "" when something can. runs: those a training may start from."""

    experiment: Experiment
    setup: Setup
    data: TrainingData | None
    problem: str
    runs: tuple[StartRun, ...]
    why_model: str
    busy: bool
    devices: tuple[Device, ...]


def read(workspace: Workspace, experiment_id: int) -> Loaded:
    """On the store's thread. Choices that were never made are those for this computer."""
    store = workspace.store
    experiment = store.experiments.get(experiment_id)
    try:
        devices = list_devices()
    except DarknetError:
        devices = []
    setup = on_this_computer(Setup.from_json(experiment.setup, default_setup(devices)), devices)
    if not experiment.setup:
        remembered = workspace.settings.get(f"pretrained:{setup.model}", "")
        if isinstance(remembered, str) and remembered:
            setup = replace(setup, start=Start.PRETRAINED, start_file=remembered)
    data, problem = None, ""
    try:
        data = gather(workspace, experiment_id)
    except UserError as error:
        problem = str(error)
    every = store.experiments.list() + store.experiments.list(archived=True)
    names = {each.id: each.name for each in every}
    ended = (run for run in store.runs.list() if run.state in _ENDED and run.done_steps and run.experiment_id in names)
    runs = tuple(StartRun(run, names[run.experiment_id]) for run in ended)
    return Loaded(experiment, setup, data, problem, runs, recommended(devices)[1], bool(store.runs.active()), tuple(devices))


def found_runs(runs: Sequence[StartRun], search: str) -> list[StartRun]:
    """Those that have every word of the search in their experiment, model, categories, notes or tags; the newest first."""
    words = search.casefold().split()
    return [each for each in reversed(runs) if all(word in each.searched for word in words)]
