"""Which training came from which: more steps of it, or another one that starts with its weights."""

from __future__ import annotations

from .records import Run
from .setup import Setup, Start
from .workspace import Workspace


def source_of(run: Run) -> int | None:
    """The id of the run that this one continues or starts from."""
    if run.parent_id is not None:
        return run.parent_id
    setup = Setup.from_json(run.options)
    return setup.start_run if setup.start is Start.RUN else None


def children(workspace: Workspace, run_id: int) -> list[Run]:
    """The trainings that continue this one or started from it, oldest first. On the store's thread."""
    return [run for run in workspace.store.runs.list() if source_of(run) == run_id]


def ancestry(workspace: Workspace, run: Run) -> str:
    """ "Training 1 → training 2 (this one) → training 3, “Park” training 1"; "" for one without kin. On the store's thread."""
    chain = [run]
    while (source := source_of(chain[0])) is not None and source not in {each.id for each in chain}:
        chain.insert(0, workspace.store.runs.get(source))
    after = children(workspace, run.id)
    if len(chain) == 1 and not after:
        return ""
    there = {each.id for each in workspace.store.runs.list()}
    names = [_name(workspace, each, run, each.id in there) for each in chain]
    names[-1] += " (this one)"
    if after:
        names.append(", ".join(_name(workspace, each, run, True) for each in after))
    text = " → ".join(names)
    return text[:1].upper() + text[1:]


def _name(workspace: Workspace, run: Run, own: Run, there: bool) -> str:
    name = f"training {run.number}" + ("" if there else " (deleted)")
    if run.experiment_id == own.experiment_id:
        return name
    return f"“{workspace.store.experiments.get(run.experiment_id).name}” {name}"
