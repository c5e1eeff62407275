"""Experiments: names, groups of the start page, status lines, delete and undo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gui.core import experiments, limits
from gui.core.errors import UserError
from gui.core.records import Experiment, ExperimentState, NewRun, Run, RunState
from gui.core.wording import ago
from gui.core.workspace import Workspace

from .conftest import Heard


def names(workspace: Workspace) -> list[str]:
    return [each.name for each in workspace.store.experiments.list()]


def test_names(workspace: Workspace, heard: Heard) -> None:
    assert experiments.suggested_name(workspace) == "Untitled experiment"
    first = experiments.create(workspace, experiments.suggested_name(workspace))
    assert heard.take() == {"experiments"}
    assert experiments.suggested_name(workspace) == "Untitled experiment 2"
    experiments.create(workspace, "  Vögel 🦅👨‍👩‍👧  ")
    assert names(workspace) == ["Vögel 🦅👨‍👩‍👧", "Untitled experiment"]
    for wrong, said in (
        ("", "a name"),
        (" \t ", "a name"),
        ("untitled EXPERIMENT", "already an experiment “Untitled experiment”"),
        ("x" * 101, "at most 100"),
        ("a\nb", "single line"),
        ("../up", "can't contain the character /"),
        ("..", "more than dots"),
        ("bad\udcff", "single line"),
    ):
        with pytest.raises(UserError, match=said):
            experiments.create(workspace, wrong)
    experiments.rename(workspace, first.id, "untitled experiment")
    assert names(workspace)[1] == "untitled experiment"
    assert workspace.undo.undo() == "Rename “Untitled experiment”"
    assert names(workspace)[1] == "Untitled experiment"


def test_a_name_in_the_archive_is_taken(workspace: Workspace) -> None:
    first = experiments.create(workspace, "Birds")
    experiments.archive(workspace, first.id)
    assert names(workspace) == []
    with pytest.raises(UserError, match="already"):
        experiments.create(workspace, "Birds")
    workspace.undo.undo()
    assert names(workspace) == ["Birds"]


def test_delete_and_undo(workspace: Workspace, heard: Heard) -> None:
    first = experiments.create(workspace, "Birds")
    heard.take()
    experiments.delete(workspace, first.id)
    assert names(workspace) == []
    assert workspace.undo.undo() == "Delete the experiment “Birds”"
    assert names(workspace) == ["Birds"]
    assert workspace.undo.redo() == "Delete the experiment “Birds”"
    assert names(workspace) == []
    assert heard.take() == {"experiments"}


def test_an_experiment_that_trains_is_not_deleted(workspace: Workspace) -> None:
    first = experiments.create(workspace, "Birds")
    run = workspace.store.runs.add(NewRun(first.id, "yolov4", 5000), workspace.run_folder)
    with pytest.raises(UserError, match="Stop its training"):
        experiments.delete(workspace, first.id)
    workspace.store.runs.set_state(run.id, RunState.STOPPED)
    experiments.delete(workspace, first.id)


def test_duplicates_get_a_free_name(workspace: Workspace) -> None:
    first = experiments.create(workspace, "Birds")
    workspace.store.experiments.set_setup(first.id, {"steps": 6000})
    assert experiments.duplicate(workspace, first.id).name == "Birds copy"
    copy = experiments.duplicate(workspace, first.id)
    assert (copy.name, copy.setup) == ("Birds copy 2", {"steps": 6000})


RUN = Run(1, 1, 1, RunState.RUNNING, "yolov4", Path("/x"), 0.0, 5000, done_steps=3132, ended_at=1000.0)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (None, "Created a minute ago"),
        (replace(RUN, state=RunState.QUEUED), "Waiting for its turn"),
        (RUN, "Step 3,132/5,000 (62%)"),
        (replace(RUN, state=RunState.FINISHED), "Succeeded a day ago"),
        (replace(RUN, state=RunState.FAILED, reason="The disk is full."), "Failed a day ago: The disk is full."),
        (replace(RUN, state=RunState.STOPPED), "Stopped a day ago at step 3,132/5,000"),
        (replace(RUN, state=RunState.PAUSED, reason="Power cut"), "Paused at step 3,132/5,000: Power cut"),
        (replace(RUN, total_steps=0), "Step 3,132/0 (0%)"),
    ],
)
def test_status_lines(run: Run | None, expected: str) -> None:
    now = 1000.0 + 86_400
    experiment = Experiment(1, "Birds", now - 70, now, ExperimentState.NOT_STARTED, last_run=run)
    assert experiments.status_line(experiment, now) == expected


def test_ago() -> None:
    said = [ago(0, seconds) for seconds in (-5000, 0, 59, 61, 150, 3700, 7200, 90_000, 15 * 86_400, 40 * 86_400, 800 * 86_400)]
    assert said[:6] == ["just now", "just now", "just now", "a minute ago", "2 minutes ago", "an hour ago"]
    assert said[6:] == ["2 hours ago", "a day ago", "2 weeks ago", "a month ago", "2 years ago"]


def test_groups_and_search(workspace: Workspace) -> None:
    first, second = (experiments.create(workspace, name) for name in ("Red birds", "Blue birds"))
    workspace.store.experiments.set_notes(second.id, "a second try")
    run = workspace.store.runs.add(NewRun(first.id, "yolov4", 5000), workspace.run_folder)
    groups = experiments.grouped(workspace.store.experiments.list())
    assert [(state.value, [each.name for each in some]) for state, some in groups.items()] == [
        ("not started", ["Blue birds"]),
        ("in progress", ["Red birds"]),
        ("completed", []),
    ]
    workspace.store.runs.set_state(run.id, RunState.FINISHED)
    groups = experiments.grouped(workspace.store.experiments.list(), "bird TRY")
    assert [len(some) for some in groups.values()] == [1, 0, 0]


def test_limits(workspace: Workspace, heard: Heard) -> None:
    assert limits.read(workspace) == limits.Limits(25_000, 5_000_000_000, 50, 25)
    limits.save(workspace, limits.Limits(categories=80))
    assert heard.take() == {"settings"}
    assert limits.read(workspace).categories == 80
    with pytest.raises(UserError, match="above 0"):
        limits.save(workspace, limits.Limits(images=0))
    workspace.settings.set("limits", {"categories": "many", "images": -1, "examples": 30, "unknown": 5})
    assert limits.read(workspace) == limits.Limits(examples=30)
