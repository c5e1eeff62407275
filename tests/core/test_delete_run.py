"""Deleting a single training: what the question says, undo, what stays, and when its files go."""

from __future__ import annotations

from pathlib import Path

import pytest

from gui.core import review
from gui.core.ancestry import ancestry
from gui.core.delete_run import delete_run, question, remove_deleted, restore_run
from gui.core.errors import UserError
from gui.core.records import CheckpointFile, Metric, NewRun, Run, RunState
from gui.core.setup import Setup, Start
from gui.core.workspace import Workspace


def made(workspace: Workspace, experiment: int, parent: Run | None = None, start: Run | None = None) -> Run:
    """A finished run with a checkpoint of 2 MB; one that continues `parent` or starts from `start`."""
    setup = Setup() if start is None else Setup(start=Start.RUN, start_run=start.id)
    first = 0 if parent is None else parent.done_steps
    new = NewRun(experiment, "yolov3-tiny", first + 100, first, None if parent is None else parent.id, options=setup.to_json())
    runs = workspace.store.runs
    run = runs.add(new, workspace.run_folder)
    weights = run.folder / "backup" / "net_100.weights"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"x" * 2_000_000)
    runs.add_checkpoint(run.id, CheckpointFile(first + 100, weights, "numbered"))
    runs.add_metrics(run.id, [Metric(step, 1.0, 1.0, 0.001, 0.1) for step in range(first + 1, first + 101)])
    runs.set_progress(run.id, first + 100, 10.0)
    runs.set_state(run.id, RunState.FINISHED)
    return runs.get(run.id)


@pytest.fixture
def experiment(workspace: Workspace) -> int:
    return workspace.store.experiments.create("Park").id


def test_it_says_what_goes_and_can_be_undone(workspace: Workspace, experiment: int, tmp_path: Path) -> None:
    run = made(workspace, experiment)
    picture = tmp_path / "large.jpg"
    picture.write_bytes(b"x" * 50_000_000)
    (run.folder / "JPEGImages").mkdir()
    (run.folder / "JPEGImages" / "000001.jpg").symlink_to(picture)
    said = question(workspace, run.id)
    assert "Training 1 is deleted with 1 checkpoint" in said and "2 MB on the disk" in said, "linked pictures are not its own"
    delete_run(workspace, run.id)
    assert workspace.store.runs.list(experiment) == [] and workspace.undo.undo_label == "Delete training 1"
    workspace.undo.undo()
    assert [each.id for each in workspace.store.runs.list(experiment)] == [run.id]
    assert review.report(workspace, run.id).selected is not None
    workspace.undo.redo()
    assert remove_deleted(workspace) == 1 and not run.folder.exists() and picture.exists()
    with pytest.raises(UserError, match="removed already"):
        restore_run(workspace, run.id)


def test_others_are_left_alone(workspace: Workspace, experiment: int) -> None:
    first = made(workspace, experiment)
    second = made(workspace, experiment, parent=first)
    other = made(workspace, workspace.store.experiments.create("Zoo").id, start=first)
    assert ancestry(workspace, first) == "Training 1 (this one) → training 2, “Zoo” training 1"
    assert ancestry(workspace, second) == "Training 1 → training 2 (this one)"
    assert "2 trainings started from it" in question(workspace, first.id)
    delete_run(workspace, first.id)
    assert remove_deleted(workspace) == 1
    assert second.folder.is_dir() and other.folder.is_dir()
    found = review.report(workspace, second.id)
    assert [metric.step for metric in found.metrics] == list(range(1, 201)), "the curve is still whole"
    assert found.ancestry == "Training 1 (deleted) → training 2 (this one)"


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.QUEUED])
def test_not_while_it_is_at_work(workspace: Workspace, experiment: int, state: RunState) -> None:
    run = made(workspace, experiment)
    workspace.store.runs.set_state(run.id, state)
    with pytest.raises(UserError, match="Stop it"):
        delete_run(workspace, run.id)
    assert remove_deleted(workspace) == 0 and run.folder.is_dir()
