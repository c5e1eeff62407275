"""The queue: one training after another, each a process of its own that outlives this program.

A thread starts what is ready, follows its events and writes them to the library at most once a second. At start it takes up
again what was running: a trainer that still lives is followed from its first line, one that is gone is read to its end.
Stop asks the trainer to write a checkpoint and end; who does not in time is ended by force, the last checkpoint stays good.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from darknet_bridge.errors import DarknetError
from darknet_bridge.training import Event, RunDir, TrainingProcess, TrainOptions

from .errors import NoSpaceError, UserError
from .ingest import Ingest, Live
from .prepare_run import SAMPLES, read_ready
from .records import Run, RunState
from .run_words import Ending, ending_of
from .sleep_guard import keep_awake
from .workspace import Workspace

FLUSH_S = 1.0
STOP_S = 10.0
NICENESS = 10
_TURN_S = 0.1


class Queue:
    """Build one per library that can be written; `start` it, and `close` it at the end: trainings go on without it."""

    def __init__(self, workspace: Workspace, heard: Callable[[Live], object] | None = None) -> None:
        """heard: called in the queue's thread with the newest figures of the run at work."""
        self._workspace = workspace
        self._heard = heard
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="training", daemon=True)
        self._lock = threading.Lock()
        self._stopping: dict[int, bool] = {}  # run id -> whether it is only paused
        self._live: Live | None = None

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Follows no more; what trains goes on."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def wake(self) -> None:
        """A run was queued."""
        self._wake.set()

    @property
    def live(self) -> Live | None:
        """The newest figures of the run at work."""
        return self._live

    def stop(self, run_id: int, pause: bool = False) -> None:
        """Returns at once. A run that has not begun leaves the queue. pause: it can be resumed later."""
        run = self._workspace.run_store(lambda: self._workspace.store.runs.get(run_id))
        if run.state is RunState.QUEUED:
            self._end(run, Ending(RunState.STOPPED, "Taken out of the queue before its first step."))
        elif run.state is RunState.RUNNING:
            with self._lock:
                self._stopping[run_id] = pause
            self._wake.set()

    def resume(self, run_id: int) -> None:
        """Queues a run that was paused, stopped or failed, to go on at its last checkpoint. Raises UserError."""
        self._workspace.require_writing()
        run = self._workspace.run_store(lambda: self._workspace.store.runs.get(run_id))
        if not run.state.can_resume:
            raise UserError("This training can't be resumed: it is at work or has finished.")
        self._workspace.run_store(lambda: self._workspace.store.runs.set_state(run_id, RunState.QUEUED))
        self._publish(run)
        self._wake.set()

    # --- the thread ---

    def _work(self) -> None:
        while not self._closing.is_set():
            run = self._next()
            if run is None:
                self._wake.wait(_TURN_S * 5)
                self._wake.clear()
                continue
            try:
                self._train(run)
            except DarknetError as error:
                self._end(run, Ending(RunState.FAILED, f"The training can't be started: {error}."))
            except UserError:
                self._closing.wait(FLUSH_S)  # the library can't be written now: the run's folder keeps what is to be written
            self._live = None

    def _next(self) -> Run | None:
        active = self._workspace.run_store(self._workspace.store.runs.active)
        running = [run for run in active if run.state is RunState.RUNNING]
        ready = [run for run in active if run.state is RunState.QUEUED and read_ready(run.folder) is not None]
        return next(iter(running + ready), None)

    def _train(self, run: Run) -> None:
        """Until the run's process is gone and everything it said is in the library, or the window closes."""
        process = self._attached(run) or self._started(run)
        ingest = Ingest.of(run)
        events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        follower = threading.Thread(target=_follow, args=(process, events), name="follow", daemon=True)
        follower.start()
        asked: float | None = None
        flushed = 0.0
        ended = written = False
        while not ended and not self._closing.is_set():
            ended = self._take(ingest, events)
            asked = self._ask_to_stop(run, process, asked)
            if ended or (ingest.waiting and time.monotonic() - flushed >= FLUSH_S):
                written = self._flush(ingest)
                flushed = time.monotonic()
        while ended and not written:  # a run has ended only when the library has all of it
            if self._closing.wait(FLUSH_S):
                return
            written = self._flush(ingest)
        if ended:
            with self._lock:
                pausing = self._stopping.pop(run.id, False)
            self._end(run, ending_of(ingest.last, ingest.live.step, process.log_tail(), pausing))

    def _attached(self, run: Run) -> TrainingProcess | None:
        if run.state is not RunState.RUNNING or not RunDir(run.folder).events.exists():
            return None
        return TrainingProcess.attach(run.folder)

    def _started(self, run: Run) -> TrainingProcess:
        process = TrainingProcess.start(RunDir(run.folder), options_for(run))
        pid = process.pid
        if pid is not None:
            with suppress(OSError):
                os.setpriority(os.PRIO_PGRP, pid, NICENESS)
            keep_awake(pid)
        self._workspace.run_store(lambda: self._workspace.store.runs.set_started(run.id))
        self._publish(run)
        return process

    def _take(self, ingest: Ingest, events: queue.SimpleQueue[Event | None]) -> bool:
        """Takes what is there, waiting a moment for the first; True when there is no more to come."""
        until = time.monotonic() + _TURN_S
        with suppress(queue.Empty):
            while time.monotonic() < until:
                event = events.get(timeout=_TURN_S)
                if event is None:
                    return True
                ingest.take(event)
        self._live = ingest.live
        if self._heard is not None:
            self._heard(ingest.live)
        return False

    def _ask_to_stop(self, run: Run, process: TrainingProcess, asked: float | None) -> float | None:
        """Asks once, and uses force after STOP_S. Returns when it was asked."""
        with self._lock:
            wanted = run.id in self._stopping
        if not wanted:
            return None
        if asked is None:
            with suppress(DarknetError):
                process.request_stop()
            return time.monotonic()
        if time.monotonic() - asked > STOP_S:
            process.stop(0.0)
        return asked

    def _flush(self, ingest: Ingest) -> bool:
        """False for a full disk: what could not be written comes with the next second's."""
        try:
            self._workspace.run_store(lambda: ingest.flush(self._workspace))
        except NoSpaceError:
            return False
        self._publish(ingest.run)
        return True

    def _end(self, run: Run, ending: Ending) -> None:
        def write() -> None:
            self._workspace.store.runs.set_state(run.id, ending.state, ending.reason)

        self._workspace.run_store(write)
        self._publish(run)
        self._workspace.event("stopped", run=run.id)

    def _publish(self, run: Run) -> None:
        self._workspace.changes.publish("runs", f"run:{run.id}", "experiments")


def options_for(run: Run) -> TrainOptions:
    """How the run's process is started: from its state when there is one, else from the start weights."""
    ready = read_ready(run.folder) or {}
    backup = RunDir(run.folder).backup
    resume = any((backup / name).is_file() for name in ("net.state", "net.previous.state"))
    weights = ready.get("weights")
    subdivisions = ready.get("subdivisions")
    options = TrainOptions(
        weights=str(weights) if isinstance(weights, str) and not resume else None,
        resume=resume,
        clear=isinstance(weights, str) and not resume,
        map=RunDir(run.folder).valid_list.exists(),
        seed=_whole(ready.get("seed"), 1),
        subdivisions=subdivisions if isinstance(subdivisions, (str, int)) else "auto",
        extra=("-sample-list", SAMPLES, "-sample-every", str(_whole(ready.get("sample_every"), 25))),
    )
    return options if not resume else replace(options, subdivisions=None)


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _follow(process: TrainingProcess, events: queue.SimpleQueue[Event | None]) -> None:
    try:
        for event in process.follow():
            events.put(event)
    finally:
        events.put(None)
