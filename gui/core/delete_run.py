"""Deleting a single training. It leaves the lists at once and can be undone; its folder goes at the next start of the window.

The folder stays until then because the undo needs it, and nothing can be undone over a start.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .ancestry import children
from .errors import UserError
from .import_limits import megabytes
from .records import Run
from .wording import counted
from .workspace import Workspace


def folder_bytes(folder: Path) -> int:
    """What the files of a run take on the disk; links to pictures count as nothing. Not for the store's thread: it may last."""
    total = 0
    for place, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:
                continue  # it went meanwhile
    return total


def why_not_deleted(run: Run) -> str | None:
    """Why a run can't be deleted now; None when it can."""
    if run.state.is_active:
        return "This training is at work or waits for its turn. Stop it, then delete it."
    return None


def question(workspace: Workspace, run_id: int) -> str:
    """What deleting it takes away. In a background thread."""
    run = workspace.run_store(lambda: workspace.store.runs.get(run_id))
    after = workspace.run_store(lambda: children(workspace, run_id))
    files = workspace.run_store(lambda: workspace.store.runs.checkpoints(run_id))
    there = sum(each.path.is_file() for each in files)
    text = f"Training {run.number} is deleted with {counted(there, 'checkpoint')}, its curves and its samples: "
    text += f"{megabytes(folder_bytes(run.folder))} on the disk. Images and annotations stay."
    if after:
        which = counted(len(after), "training")
        text += f" {which} started from it; they have their own weights and stay as they are."
    return text


def delete_run(workspace: Workspace, run_id: int) -> Run:
    """On the store's thread. Can be undone as long as the window is open. Raises UserError while it is at work."""
    workspace.require_writing()
    run = workspace.store.runs.get(run_id)
    problem = why_not_deleted(run)
    if problem:
        raise UserError(problem)

    def delete() -> None:
        workspace.store.runs.delete(run_id)
        _publish(workspace, run_id)

    delete()
    workspace.undo.push(f"Delete training {run.number}", lambda: restore_run(workspace, run_id), delete)
    return run


def restore_run(workspace: Workspace, run_id: int) -> None:
    """Brings a deleted run back. Raises UserError when its files were removed meanwhile."""
    workspace.require_writing()
    run = workspace.store.runs.get(run_id)
    if not run.folder.is_dir():
        raise UserError(f"The files of training {run.number} were removed already, so it can't come back.")
    workspace.store.runs.restore(run_id)
    _publish(workspace, run_id)


def remove_deleted(workspace: Workspace, run_id: int | None = None) -> int:
    """Removes the folders of deleted runs, or of one of them, for good. Returns how many. In a background thread."""
    runs = workspace.run_store(workspace.store.runs.deleted)
    removed = 0
    for run in runs:
        if run_id in (None, run.id) and run.folder.is_dir():
            shutil.rmtree(run.folder, ignore_errors=True)
            removed += not run.folder.exists()
    return removed


def _publish(workspace: Workspace, run_id: int) -> None:
    workspace.changes.publish("runs", f"run:{run_id}", "experiments")
