"""Trainings through the queue with the real program: prepared, followed, stopped, killed, resumed, continued, started from."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from darknet_bridge.errors import CancelledError
from darknet_bridge.formats import read_cfg
from darknet_bridge.training import Done, Error, RunDir, TrainingProcess
from gui.core.checkpoints import selected, usable
from gui.core.continue_run import continue_run, continued_schedule, lineage
from gui.core.errors import NoSpaceError, UserError
from gui.core.prepare_run import choose_samples, prepare_run
from gui.core.records import Metric, Part, RunState
from gui.core.run_words import ending_of
from gui.core.setup import Start
from gui.core.training import Queue
from gui.core.workspace import Workspace
from tests.core.training_case import QUICK, labelled, nothing, wait_for

T = TypeVar("T")


@pytest.fixture
def experiment(workspace: Workspace, tmp_path: Path) -> Iterator[int]:
    """The store is used in a thread of its own, as in the window."""
    pool = ThreadPoolExecutor(1)
    home = pool.submit(threading.get_ident).result()

    def run(call: Callable[[], T]) -> T:
        return call() if threading.get_ident() == home else pool.submit(call).result()

    workspace.use_store_thread(run)
    yield run(lambda: labelled(workspace, tmp_path / "pictures"))
    pool.shutdown()


@pytest.fixture
def line(workspace: Workspace, experiment: int) -> Iterator[Queue]:
    made = Queue(workspace)
    made.start()
    yield made
    made.close()
    for run in workspace.run_store(workspace.store.runs.list):
        if RunDir(run.folder).events.exists():
            TrainingProcess.attach(run.folder).kill()


def test_two_trainings_one_after_the_other(workspace: Workspace, experiment: int, line: Queue) -> None:
    first = prepare_run(workspace, experiment, QUICK, nothing)
    second = prepare_run(workspace, experiment, replace(QUICK, steps=10), nothing)
    line.wake()
    ended = wait_for(workspace, second.id, lambda run: not run.state.is_active)
    assert (ended.state, ended.done_steps, ended.reason) == (RunState.FINISHED, 10, "")
    run = workspace.run_store(lambda: workspace.store.runs.get(first.id))
    assert (run.state, run.done_steps, run.images_train + run.images_valid) == (RunState.FINISHED, 12, 16)
    store = workspace.store.runs
    assert [metric.step for metric in workspace.run_store(lambda: store.metrics(run.id))] == list(range(1, 13))
    steps = workspace.run_store(lambda: store.sample_steps(run.id))
    assert steps == list(range(13))
    shots = [workspace.run_store(lambda step=step: store.samples(run.id, step)) for step in steps]
    assert {len(shot) for shot in shots} == {8} and len({tuple(s.image for s in shot) for shot in shots}) == 1
    assert run.best_step == workspace.run_store(lambda: store.evaluations(run.id))[-1].step
    files = workspace.run_store(lambda: store.checkpoints(run.id))
    assert selected(run, files).step == run.best_step and len(usable(files)) >= 6
    assert {each.part for each in workspace.run_store(lambda: store.snapshot(run.id))} == set(Part)


def test_stop_then_resume_at_the_exact_step(workspace: Workspace, experiment: int, line: Queue) -> None:
    run = prepare_run(workspace, experiment, replace(QUICK, steps=4000), nothing)
    wait_for(workspace, run.id, lambda run: run.done_steps >= 5)
    line.stop(run.id, pause=True)
    paused = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert (paused.state, paused.reason) == (RunState.PAUSED, "You paused it.")
    line.resume(run.id)
    further = wait_for(workspace, run.id, lambda run: run.done_steps > paused.done_steps)
    steps = [metric.step for metric in workspace.run_store(lambda: workspace.store.runs.metrics(run.id))]
    assert steps == list(range(1, len(steps) + 1)) and further.state is RunState.RUNNING
    line.stop(run.id)
    stopped = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert stopped.state is RunState.STOPPED
    with pytest.raises(UserError, match="finished"):
        workspace.run_store(lambda: workspace.store.runs.set_state(run.id, RunState.FINISHED))
        line.resume(run.id)


def test_a_trainer_is_found_again_and_a_killed_one_paused(workspace: Workspace, experiment: int, line: Queue) -> None:
    run = prepare_run(workspace, experiment, replace(QUICK, steps=4000), nothing)
    wait_for(workspace, run.id, lambda run: run.done_steps >= 3)
    line.close()  # the window is closed: the training goes on
    process = TrainingProcess.attach(run.folder)
    assert process.is_alive() and process.pid is not None and os.getpriority(os.PRIO_PROCESS, process.pid) >= 10
    again = Queue(workspace)
    again.start()
    before = workspace.run_store(lambda: workspace.store.runs.get(run.id)).done_steps
    wait_for(workspace, run.id, lambda run: run.done_steps > before + 3)
    os.kill(process.pid, signal.SIGKILL)
    ended = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert ended.state is RunState.PAUSED and "switched off after step" in ended.reason
    again.close()


def test_a_full_disk_under_the_library_loses_nothing(
    workspace: Workspace, experiment: int, line: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library can't be written for a while; the training goes on and everything is there afterwards."""
    runs = workspace.store.runs
    add, failures = runs.add_metrics, [3]

    def full(run_id: int, metrics: Sequence[Metric]) -> None:
        if failures[0]:
            failures[0] -= 1
            raise NoSpaceError("The disk is full.")
        add(run_id, metrics)

    monkeypatch.setattr(runs, "add_metrics", full)
    run = prepare_run(workspace, experiment, replace(QUICK, steps=600), nothing)
    ended = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert ended.state is RunState.FINISHED and failures == [0]
    assert len(workspace.run_store(lambda: runs.metrics(run.id))) == 600


def test_continuing_makes_one_curve(workspace: Workspace, experiment: int, line: Queue) -> None:
    run = prepare_run(workspace, experiment, QUICK, nothing)
    wait_for(workspace, run.id, lambda run: run.state is RunState.FINISHED)
    child = continue_run(workspace, run.id, 10, nothing)
    assert (child.first_step, child.total_steps, child.parent_id) == (12, 22, run.id)
    assert "rises from 0.00001 to 0.0001 at step 13 and falls to 0.00001 at step 20" in child.kept
    line.wake()
    ended = wait_for(workspace, child.id, lambda run: not run.state.is_active)
    assert (ended.state, ended.done_steps) == (RunState.FINISHED, 22)
    store = workspace.store.runs
    metrics = workspace.run_store(lambda: store.metrics(child.id))
    assert [metric.step for metric in metrics] == list(range(13, 23))
    assert metrics[0].rate == pytest.approx(1e-4) and metrics[-1].rate == pytest.approx(1e-5)
    assert [each.id for each in lineage(workspace.run_store(store.list), child.id)] == [run.id, child.id]


def test_schedule_of_a_run_stopped_early_has_no_jump(workspace: Workspace, experiment: int) -> None:
    run = prepare_run(workspace, experiment, replace(QUICK, steps=1000), nothing)
    schedule = continued_schedule(read_cfg(RunDir(run.folder).cfg), 300, 1300)
    assert schedule.text.startswith("The learning rate goes on at 0.001 and falls to 0.0001 at step 1,100")
    assert schedule.steps == (1100, 1200)


def test_a_start_from_another_run_keeps_the_rows(workspace: Workspace, experiment: int, line: Queue) -> None:
    run = prepare_run(workspace, experiment, QUICK, nothing)
    wait_for(workspace, run.id, lambda run: run.state is RunState.FINISHED)
    store = workspace.store

    def change() -> None:
        group = store.experiments.get(experiment).group_id
        assert group is not None
        categories = store.categories.list(group)
        store.categories.rename(categories[1].id, "foliage")
        store.categories.add(group, "snail", "#00ff00")

    workspace.run_store(change)
    next_run = prepare_run(workspace, experiment, replace(QUICK, start=Start.RUN, start_run=run.id), nothing)
    assert "kept the rows of 3 of 4 classes (ladybird, foliage, mushroom); new: snail" in next_run.kept
    line.wake()
    assert wait_for(workspace, next_run.id, lambda run: not run.state.is_active).state is RunState.FINISHED


def test_what_goes_wrong_leaves_nothing(workspace: Workspace, experiment: int) -> None:
    with pytest.raises(UserError, match="Choose the file"):
        prepare_run(workspace, experiment, replace(QUICK, start=Start.PRETRAINED), nothing)

    def cancel(done: int, total: int, text: str) -> None:
        raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        prepare_run(workspace, experiment, QUICK, cancel)
    assert workspace.run_store(workspace.store.runs.list) == []
    assert list(workspace.runs_folder.iterdir()) == []
    empty = workspace.run_store(lambda: workspace.store.experiments.create("empty").id)
    with pytest.raises(UserError, match="Choose a dataset"):
        prepare_run(workspace, empty, QUICK, nothing)


@pytest.mark.parametrize(
    ("last", "state", "words"),
    [
        (Done(9, None, None, 1.0, None, "finished"), RunState.FINISHED, ""),
        (Done(9, None, None, 1.0, None, "stopped"), RunState.STOPPED, ""),
        (Error(10, "iteration 9: the loss is not a finite number"), RunState.FAILED, "learning rate a tenth as high"),
        (Error(10, "net.cfg:6: not known"), RunState.FAILED, "net.cfg:6"),
        (Error(11, "libcudnn.so.9 not found"), RunState.FAILED, "device can't be used: libcudnn"),
        (Error(12, "subdivisions=4 would fit"), RunState.PAUSED, "Not enough memory: subdivisions=4 would fit"),
        (Error(13, "/x: No space left on device"), RunState.PAUSED, "Free some space, then Resume"),
        (Error(70, "assertion"), RunState.FAILED, "code 70"),
        (None, RunState.PAUSED, "switched off after step 9. Resume"),
    ],
)
def test_every_ending_in_words(last: Done | Error | None, state: RunState, words: str) -> None:
    ending = ending_of(last, 9, "", False)
    assert ending.state is state and words in ending.reason


def test_samples_are_mixed() -> None:
    images = [(f"{n}.jpg", Part.VALID if n % 10 == 0 else Part.TRAIN, n % 3) for n in range(40)]
    chosen = choose_samples(images)
    parts = {name: part for name, part, _ in images}
    assert len(chosen) == len(set(chosen)) == 8 and [parts[name] for name in chosen].count(Part.VALID) == 4
    assert choose_samples([("a", Part.TRAIN, 1)]) == ["a"]
