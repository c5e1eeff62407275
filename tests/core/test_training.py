"""Trainings through the queue with the real program: prepared, followed, stopped, killed, resumed, continued, started from."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from darknet_bridge.errors import CancelledError
from darknet_bridge.formats import read_cfg, write_cfg
from darknet_bridge.program import find_program
from darknet_bridge.training import Done, Error, Eval, Hello, RunDir, Smaller, TrainingProcess, TrainOptions
from gui.core import less_memory
from gui.core.checkpoints import selected, usable
from gui.core.continue_run import continue_run, continued_schedule, lineage
from gui.core.errors import NoSpaceError, UserError
from gui.core.ingest import Ingest
from gui.core.prepare_run import READY, choose_samples, prepare_run, read_ready
from gui.core.records import Metric, Part, RunState
from gui.core.review import report, why_unmeasured
from gui.core.run_words import Around, ending_of, reached
from gui.core.setup import Start
from gui.core.training import Queue
from gui.core.workspace import Workspace
from tests.bridge.little_memory import limit_memory
from tests.core.training_case import ENDLESS, QUICK, labelled, nothing, wait_for

T = TypeVar("T")
LARGE = replace(QUICK, steps=400, size=320, batch=64)  # an image takes about 11 MB


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
    run = prepare_run(workspace, experiment, ENDLESS, nothing)
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
    run = prepare_run(workspace, experiment, ENDLESS, nothing)
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


def test_stop_measures_the_model(workspace: Workspace, experiment: int, line: Queue) -> None:
    run = prepare_run(workspace, experiment, ENDLESS, nothing)
    wait_for(workspace, run.id, lambda run: run.done_steps >= 5)
    line.stop(run.id)
    stopped = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert (stopped.state, stopped.reason) == (RunState.STOPPED, "")
    evaluations = workspace.run_store(lambda: workspace.store.runs.evaluations(run.id))
    assert [each.step for each in evaluations] == [stopped.done_steps] and stopped.best_step == stopped.done_steps


def test_a_second_stop_says_why_there_is_no_map(workspace: Workspace, experiment: int, line: Queue) -> None:
    """The trainer is held while both are asked for, as if it were busy."""
    run = prepare_run(workspace, experiment, ENDLESS, nothing)
    wait_for(workspace, run.id, lambda run: run.done_steps >= 5)
    pid = TrainingProcess.attach(run.folder).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    line.stop(run.id)
    line.stop(run.id)
    wait_until(lambda: RunDir(run.folder).stop.exists() and RunDir(run.folder).stop.read_text() == "now\n")
    os.kill(pid, signal.SIGCONT)
    stopped = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert stopped.state is RunState.STOPPED
    assert stopped.reason == f"mAP was not measured at step {stopped.done_steps}: the training was to end at once."
    found = workspace.run_store(lambda: report(workspace, run.id))
    assert found.selected is not None and found.selected.path.is_file()
    assert why_unmeasured(stopped) == f"{stopped.reason} Continue it to see how good the model is."


def test_a_training_ends_by_itself_at_a_map(
    workspace: Workspace, experiment: int, line: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a window that was closed when the mAP was reached. The evaluation is put into the trainer's words."""
    run = prepare_run(workspace, experiment, replace(ENDLESS, stop_at_map=60.0), nothing)
    wait_for(workspace, run.id, lambda run: run.done_steps >= 3)
    line.close()
    pid = TrainingProcess.attach(run.folder).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    say_evaluation(run.folder, 0.59)
    say_evaluation(run.folder, 0.61)
    os.kill(pid, signal.SIGCONT)
    again = Queue(workspace)
    again.start()
    stopped = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert (stopped.state, stopped.reason) == (RunState.STOPPED, "mAP reached 60 %.")
    start_slowly(monkeypatch, tmp_path)  # what the process before said is read long before the new one says anything
    again.resume(run.id)  # who goes on wants more than that
    further = wait_for(workspace, run.id, lambda run: run.done_steps > stopped.done_steps + 3)
    assert further.state is RunState.RUNNING
    again.stop(run.id)
    wait_for(workspace, run.id, lambda run: not run.state.is_active)
    again.close()


def start_slowly(monkeypatch: pytest.MonkeyPatch, folder: Path, then: str = "exec") -> None:
    """As with a card, whose library takes seconds to load. then: what the shell does with the real program."""
    wrapper = folder / "slow-darknet"
    wrapper.write_text(f'#!/bin/sh\nsleep 1\n{then} {shlex.quote(str(find_program()))} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr("darknet_bridge.training.process.find_program", lambda: wrapper)


def test_a_process_that_ends_without_a_word_does_not_have_the_last_one_of_the_process_before(
    workspace: Workspace, experiment: int, line: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepare_run(workspace, experiment, ENDLESS, nothing)
    wait_for(workspace, run.id, lambda run: run.done_steps >= 3)
    line.stop(run.id)
    stopped = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert stopped.state is RunState.STOPPED
    start_slowly(monkeypatch, tmp_path, "kill -9 $$ #")
    line.resume(run.id)
    ended = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert ended.state is RunState.PAUSED and "switched off" in ended.reason


def say_evaluation(folder: Path, score: float) -> None:
    """A line as the trainer writes it, at a step that it has not reached."""
    figures = dict.fromkeys(("iou_thresh", "precision", "recall", "f1", "avg_iou"), 0.5)
    line = {"event": "eval", "iteration": 3, "map": score, "points": 0, "best": score, "is_best": True, "classes": [], **figures}
    with RunDir(folder).events.open("a") as events:
        events.write(json.dumps(line) + "\n")


@pytest.mark.parametrize(
    ("target", "without_gain", "top", "since", "words"),
    [
        (75.0, None, 0.75, 0, "mAP reached 75 %."),
        (75.0, None, 0.7499, 9, ""),
        (75.0, 5, None, 0, ""),
        (None, 5, 0.9, 4, ""),
        (None, 5, 0.4, 5, "mAP has not risen in 5 measurements."),
        (None, 1, 0.4, 1, "mAP has not risen in 1 measurement."),
        (None, None, 1.0, 99, ""),
    ],
)
def test_when_a_training_ends_by_itself(
    target: float | None, without_gain: int | None, top: float | None, since: int, words: str
) -> None:
    assert reached(target, without_gain, top, since) == words


def test_evaluations_without_gain_are_counted_from_the_best_one(workspace: Workspace, experiment: int) -> None:
    ingest = Ingest.of(prepare_run(workspace, experiment, QUICK, nothing))
    for score, top, since in ((0.2, 0.2, 0), (0.2, 0.2, 1), (0.1, 0.2, 2), (0.3, 0.3, 0), (0.29, 0.3, 1)):
        ingest.take(Eval(1, score, 0.5, 0, 0.3, False, (), 0.0, 0.0, 0.0, 0.0))
        assert (ingest.top, ingest.without_gain) == (top, since)


def test_too_little_memory_halves_the_images_at_a_time(
    workspace: Workspace, experiment: int, line: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start: the system gives less than it said it had. What is said stays while it trains, and the next one knows."""
    limit_memory(monkeypatch, tmp_path, 500)
    run = prepare_run(workspace, experiment, LARGE, nothing)
    trains = wait_for(workspace, run.id, lambda run: run.done_steps >= 1)
    starts = len(said_hellos(run.folder))
    sizes = taken_at_a_time(run.folder)
    assert sizes[0] == 64 and len(sizes) >= 2 and all(now * 2 == before for before, now in itertools.pairwise(sizes))
    said = f"Not enough memory for {sizes[-2]} images at a time: the training goes on with {sizes[-1]}."
    assert (trains.state, trains.reason) == (RunState.RUNNING, said)
    line.stop(run.id, pause=True)
    wait_for(workspace, run.id, lambda run: not run.state.is_active)
    line.resume(run.id)
    wait_for(workspace, run.id, lambda run: len(said_hellos(run.folder)) > starts)
    assert said_hellos(run.folder)[-1].net.subdivisions == 64 // sizes[-1]
    line.stop(run.id)
    wait_for(workspace, run.id, lambda run: not run.state.is_active)
    child = continue_run(workspace, run.id, 5, nothing)
    assert read_ready(child.folder) == {**(read_ready(child.folder) or {}), "subdivisions": 64 // sizes[-1]}


def test_memory_that_runs_out_on_the_way_costs_no_more_than_a_crash(
    workspace: Workspace, experiment: int, line: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system kills the trainer to free memory: its counter of such kills tells that from a kill by the user."""
    run = prepare_run(workspace, experiment, ENDLESS, nothing)
    wait_for(workspace, run.id, lambda run: run.done_steps >= 110)
    pid = TrainingProcess.attach(run.folder).pid
    assert pid is not None
    kills = less_memory.kills_for_memory()
    monkeypatch.setattr(less_memory, "kills_for_memory", lambda: kills + 1)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(said_hellos(run.folder)) == 2)
    first, second = said_hellos(run.folder)
    assert (first.net.subdivisions, second.net.subdivisions) == (1, 2) and second.start_iteration >= 100
    wait_for(workspace, run.id, lambda run: run.done_steps > second.start_iteration)
    now = workspace.run_store(lambda: workspace.store.runs.get(run.id))
    assert now.state is RunState.RUNNING and now.reason.startswith("Not enough memory for 4 images at a time")


def test_no_memory_for_a_single_image_pauses_and_names_what_fits(workspace: Workspace, experiment: int, line: Queue) -> None:
    run = prepare_run(workspace, experiment, replace(LARGE, subdivisions=32), nothing)
    ready = json.loads((run.folder / READY).read_text())
    assert ready["subdivisions"] == 32
    original, there_mb = TrainingProcess.start, [1]

    def with_little(folder: RunDir, options: TrainOptions | None = None) -> TrainingProcess:
        assert options is not None
        return original(folder, replace(options, memory_mb=there_mb[0]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingProcess, "start", with_little)
        line.wake()
        ended = wait_for(workspace, run.id, lambda run: not run.state.is_active)
        needed = re.search(r"Not enough memory: mini-batch 1 needs (\d+) MB, 1 MB are there; no network size", ended.reason)
        assert ended.state is RunState.PAUSED and needed is not None
        there_mb[0] = int(needed[1]) * 9 // 10  # how much that is depends on the machine
        line.resume(run.id)
        ended = wait_for(workspace, run.id, lambda run: "would fit" in run.reason and ", 1 MB" not in run.reason)
    assert ended.state is RunState.PAUSED
    assert re.search(r"Not enough memory: .* a network size of (\d+)x\1 with subdivisions=64 .* would fit", ended.reason)


def taken_at_a_time(folder: Path) -> list[int]:
    """How many images: as each process began, and each time that it had to take fewer."""
    events = [event for event in TrainingProcess.attach(folder).follow(timeout_s=0.0) if isinstance(event, (Hello, Smaller))]
    return [event.net.batch // event.net.subdivisions if isinstance(event, Hello) else event.mini_batch for event in events]


def said_hellos(folder: Path) -> list[Hello]:
    if not RunDir(folder).events.exists():
        return []
    return [event for event in TrainingProcess.attach(folder).follow(timeout_s=0.0) if isinstance(event, Hello)]


def wait_until(wanted: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < until
        time.sleep(0.05)


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
    run = prepare_run(workspace, experiment, replace(QUICK, steps=200), nothing)
    ended = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert ended.state is RunState.FINISHED and failures == [0]
    assert len(workspace.run_store(lambda: runs.metrics(run.id))) == 200


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
    assert [each.id for each in workspace.run_store(lambda: lineage(workspace, child.id))] == [run.id, child.id]


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


def test_numbers_out_of_bounds_tell_what_to_do_and_what_is_left() -> None:
    """A checkpoint is spoken of only where there is one."""
    text = "iteration 1,234: the loss is not a finite number; the learning rate is probably too high. Images of the mini-batch: a"
    error = Error(10, text.replace(",", "", 1))
    without = ending_of(error, 1233, "", False, Around(rate=0.001)).reason
    assert without == (
        "The training ran out of bounds: at step 1,234 the loss is not a finite number. "
        "Start again with a learning rate a tenth as high (0.0001 instead of 0.001)."
    )
    assert ending_of(error, 1233, "", False, Around(1200, 0.001)).reason == f"{without} The checkpoint of step 1,200 is kept."


def test_a_real_training_out_of_bounds(workspace: Workspace, experiment: int, line: Queue) -> None:
    run = prepare_run(workspace, experiment, replace(QUICK, steps=200), nothing)
    cfg = read_cfg(RunDir(run.folder).cfg)
    write_cfg(
        RunDir(run.folder).cfg,
        replace(cfg, sections=(cfg.net.with_values({"learning_rate": "100000000", "burn_in": "0"}), *cfg.layers)),
    )
    line.wake()
    ended = wait_for(workspace, run.id, lambda run: not run.state.is_active)
    assert ended.state is RunState.FAILED and "learning rate a tenth as high (10000000 instead of" in ended.reason
    assert "checkpoint" not in ended.reason and not list(RunDir(run.folder).backup.glob("*.state"))


def test_samples_are_mixed() -> None:
    images = [(f"{n}.jpg", Part.VALID if n % 10 == 0 else Part.TRAIN, n % 3) for n in range(40)]
    chosen = choose_samples(images)
    parts = {name: part for name, part, _ in images}
    assert len(chosen) == len(set(chosen)) == 8 and [parts[name] for name in chosen].count(Part.VALID) == 4
    assert choose_samples([("a", Part.TRAIN, 1)]) == ["a"]
