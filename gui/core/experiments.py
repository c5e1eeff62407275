"""Experiments: making, naming, finding and deleting them, and the one line that says how they are.

The functions that change something run on the store's thread, publish, and put what destroys on the undo stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from . import names
from .errors import UserError
from .records import Experiment, ExperimentState, Run, RunState
from .wording import ago

if TYPE_CHECKING:
    from .workspace import Workspace

KIND = "experiment"
UNTITLED = "Untitled experiment"
# Exports and their folders are named after experiments.
FORBIDDEN = "/\\"
TOPIC = "experiments"


def suggested_name(workspace: Workspace, wanted: str = UNTITLED) -> str:
    """A name nobody has: "Untitled experiment", "Untitled experiment 2"..."""
    return names.free(wanted, _taken(workspace))


def _taken(workspace: Workspace, but: int | None = None) -> list[str]:
    everything = workspace.store.experiments.list() + workspace.store.experiments.list(archived=True)
    return [each.name for each in everything if each.id != but]


def checked_name(workspace: Workspace, name: str, but: int | None = None) -> str:
    """The name as it is stored. but: the experiment that is renamed. Raises UserError with what is wrong."""
    return names.checked(name, KIND, _taken(workspace, but), FORBIDDEN)


def create(workspace: Workspace, name: str) -> Experiment:
    workspace.require_writing()
    made = workspace.store.experiments.create(checked_name(workspace, name))
    workspace.changes.publish(TOPIC)
    return made


def rename(workspace: Workspace, experiment_id: int, name: str) -> None:
    workspace.require_writing()
    experiments = workspace.store.experiments
    old, new = experiments.get(experiment_id).name, checked_name(workspace, name, experiment_id)
    if new != old:
        _do(workspace, f"Rename “{old}”", *_both(experiments.rename, experiment_id, new, old))


def duplicate(workspace: Workspace, experiment_id: int) -> Experiment:
    """The same choices without the runs, under a free name."""
    workspace.require_writing()
    name = workspace.store.experiments.get(experiment_id).name
    made = workspace.store.experiments.duplicate(experiment_id, suggested_name(workspace, f"{name[:80]} copy"))
    workspace.changes.publish(TOPIC)
    return made


def archive(workspace: Workspace, experiment_id: int, archived: bool = True) -> None:
    """Out of the lists, or back; nothing is deleted."""
    workspace.require_writing()
    experiments = workspace.store.experiments
    what = "Archive" if archived else "Unarchive"
    label = f"{what} “{experiments.get(experiment_id).name}”"
    _do(workspace, label, *_both(experiments.archive, experiment_id, archived, not archived))


def delete(workspace: Workspace, experiment_id: int) -> None:
    """Can be undone; the runs' folders stay. Raises UserError while it trains."""
    workspace.require_writing()
    experiment = workspace.store.experiments.get(experiment_id)
    if any(run.state.is_active for run in workspace.store.runs.list(experiment_id)):
        raise UserError(f"“{experiment.name}” is training or waits for its turn. Stop its training, then delete it.")
    store = workspace.store.experiments
    _do(
        workspace,
        f"Delete the experiment “{experiment.name}”",
        lambda: store.delete(experiment_id),
        lambda: store.restore(experiment_id),
    )


def _both(change: Callable[..., object], row_id: int, new: object, old: object) -> tuple[Callable[[], object], ...]:
    return lambda: change(row_id, new), lambda: change(row_id, old)


def _do(workspace: Workspace, label: str, do: Callable[[], object], undo: Callable[[], object]) -> None:
    def told(act: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            act()
            workspace.changes.publish(TOPIC)

        return run

    do()
    workspace.undo.push(label, told(undo), told(do))
    workspace.changes.publish(TOPIC)


def grouped(experiments: Sequence[Experiment], search: str = "") -> Mapping[ExperimentState, list[Experiment]]:
    """All three groups in the guide's order, with the experiments whose name or notes contain every word of the search."""
    words = search.casefold().split()
    groups: dict[ExperimentState, list[Experiment]] = {state: [] for state in ExperimentState}
    for each in experiments:
        text = f"{each.name}\n{each.notes}".casefold()
        if all(word in text for word in words):
            groups[each.state].append(each)
    return groups


def status_line(experiment: Experiment, now: float) -> str:
    """ "Created a minute ago", "Step 3132/5000 (63%)", "Succeeded a day ago", "Failed a day ago: The disk is full." """
    run = experiment.last_run
    if run is None:
        return f"Created {ago(experiment.created_at, now)}"
    return run_status(run, now)


def run_status(run: Run, now: float) -> str:
    when = ago(run.ended_at or run.created_at, now)
    if run.state is RunState.QUEUED:
        return "Waiting for its turn"
    if run.state is RunState.RUNNING:
        return _step(run)
    if run.state is RunState.FINISHED:
        return f"Succeeded {when}"
    said = {
        RunState.PAUSED: f"Paused at step {run.done_steps:,}/{run.total_steps:,}",
        RunState.STOPPED: f"Stopped {when} at step {run.done_steps:,}/{run.total_steps:,}",
        RunState.FAILED: f"Failed {when}",
    }[run.state]
    return f"{said}: {run.reason}" if run.reason else said


def _step(run: Run) -> str:
    share = 100 * run.done_steps // run.total_steps if run.total_steps else 0
    return f"Step {run.done_steps:,}/{run.total_steps:,} ({share}%)"
