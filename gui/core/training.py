"""The queue: one training after another, each a process of its own that outlives this program.

A thread starts what is ready, follows its events and writes them to the library at most once a second. At start it takes up
again what was running: a trainer that still lives is followed from its first line, one that is gone is read to its end.
Stop asks the trainer to write a checkpoint, to measure mAP and to end; a second Stop leaves out the measuring. Who does not
end in time is ended by force, the last checkpoint stays good. A trainer that has too little memory is started again with fewer
images at a time.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from darknet_bridge.errors import DarknetError
from darknet_bridge.formats import read_cfg
from darknet_bridge.training import Event, RunDir, TrainingProcess, TrainOptions

from . import less_memory
from .errors import NoSpaceError, UserError
from .ingest import Ingest, Live
from .prepare_run import SAMPLES, read_ready
from .records import Run, RunState
from .run_words import Around, Ending, ending_of, reached
from .sleep_guard import keep_awake
from .workspace import Workspace

FLUSH_S = 1.0
STOP_S = 12.0  # the trainer has gone within 10
HURRY_S = 5.0
NICENESS = 10
_TURN_S = 0.1


@dataclass(frozen=True, slots=True)
class _Stop:
    """pause: it can be resumed later. hurry: nothing but the checkpoint. why: "" when a person asked for it."""

    pause: bool = False
    hurry: bool = False
    why: str = ""


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
        self._stopping: dict[int, _Stop] = {}
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
        """Returns at once. A run that has not begun leaves the queue. pause: it can be resumed later.

        The second time it ends as soon as its checkpoint is there, without measuring mAP.
        """
        run = self._workspace.run_store(lambda: self._workspace.store.runs.get(run_id))
        if run.state is RunState.QUEUED:
            self._end(run, Ending(RunState.STOPPED, "Taken out of the queue before its first step."))
        elif run.state is RunState.RUNNING:
            with self._lock:
                before = self._stopping.get(run_id)
                again = before is not None and not before.why
                self._stopping[run_id] = _Stop(pause, pause or again, before.why if before and not pause else "")
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
        """Until the run has ended, with as many processes as that takes, or the window closes."""
        folder = RunDir(run.folder)
        process = self._attached(run)
        watch = less_memory.MemoryWatch.attached(folder)
        while True:
            if process is None:
                watch = less_memory.MemoryWatch.before_start(folder)
                process = self._started(run)
            ingest = self._followed(run, process)
            if ingest is None:
                return
            with self._lock:
                stop = self._stopping.pop(run.id, None)
            last = process.last_word()
            short = stop is None and watch.ran_out(last)
            fewer = less_memory.smaller(run, ingest.net) if short else None
            if fewer is None:
                around = Around(ingest.saved, _rate(run), stop.why if stop else "", short)
                pausing = stop is not None and stop.pause
                self._end(run, ending_of(last, ingest.live.step, process.log_tail(), pausing, around))
                return
            less_memory.keep(run, fewer.subdivisions)
            process = None
            run = replace(run, state=RunState.RUNNING, reason=fewer.text)

    def _followed(self, run: Run, process: TrainingProcess) -> Ingest | None:
        """What the process said, once it is gone and the library has all of it; None when the window closes before."""
        ingest = Ingest.of(run)
        events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        follower = threading.Thread(target=_follow, args=(process, events), name="follow", daemon=True)
        follower.start()
        asking, ready = _Asking(process), read_ready(run.folder) or {}
        flushed = 0.0
        ended = written = False
        while not ended and not self._closing.is_set():
            ended = self._take(ingest, events)
            self._goes_on_smaller(run, ingest)
            if ingest.pid is not None and ingest.pid == process.first_pid:  # else what was read is still of a process before it
                self._stop_by_itself(run, ready, ingest)
            with self._lock:
                wanted = self._stopping.get(run.id)
            if wanted is not None:
                asking.turn(wanted)
            if ended or (ingest.waiting and time.monotonic() - flushed >= FLUSH_S):
                written = self._flush(ingest)
                flushed = time.monotonic()
        while ended and not written:  # a run has ended only when the library has all of it
            if self._closing.wait(FLUSH_S):
                return None
            written = self._flush(ingest)
        return ingest if ended else None

    def _goes_on_smaller(self, run: Run, ingest: Ingest) -> None:
        """Where the trainer took fewer images at a time by itself: whoever starts it again does so too."""
        if ingest.fewer is None:
            return
        fewer, ingest.fewer = less_memory.Smaller(*ingest.fewer), None
        less_memory.keep(run, fewer.subdivisions)
        runs = self._workspace.store.runs

        def write() -> None:
            if runs.get(run.id).state is RunState.RUNNING:
                runs.set_state(run.id, RunState.RUNNING, fewer.text)

        self._workspace.run_store(write)
        self._publish(run)

    def _stop_by_itself(self, run: Run, ready: Mapping[str, object], ingest: Ingest) -> None:
        """Where an evaluation was as good as was wished for. Found anew when the run is followed again from its first line."""
        why = reached(ready.get("stop_at_map"), ready.get("stop_without_gain"), ingest.top, ingest.without_gain)
        with self._lock:
            if why and run.id not in self._stopping:
                self._stopping[run.id] = _Stop(why=why)

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

        def write() -> None:
            self._workspace.store.runs.set_started(run.id)
            if run.state is RunState.RUNNING and run.reason:  # it goes on otherwise than it began: that is to be read
                self._workspace.store.runs.set_state(run.id, RunState.RUNNING, run.reason)

        self._workspace.run_store(write)
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


class _Asking:
    """Asks a trainer to end, more urgently when that is wanted, and uses force when it does not in time."""

    def __init__(self, process: TrainingProcess) -> None:
        self._process = process
        self._asked: _Stop | None = None
        self._force_at = 0.0

    def turn(self, wanted: _Stop) -> None:
        if self._asked is None or (wanted.hurry and not self._asked.hurry):
            with suppress(DarknetError):
                self._process.request_stop(wanted.hurry)
            self._asked = wanted
            self._force_at = time.monotonic() + (HURRY_S if wanted.hurry else STOP_S)
        if time.monotonic() > self._force_at:
            self._process.stop(0.0, hurry=True)


def _rate(run: Run) -> float | None:
    try:
        return read_cfg(RunDir(run.folder).cfg).net.number("learning_rate", 0.001)
    except DarknetError:
        return None


def options_for(run: Run) -> TrainOptions:
    """How the run's process is started: from its state when there is one, else from the start weights."""
    ready = read_ready(run.folder) or {}
    backup = RunDir(run.folder).backup
    resume = any((backup / name).is_file() for name in ("net.state", "net.previous.state"))
    weights = None if resume else _text(ready.get("weights"))
    subdivisions = ready.get("subdivisions")
    options = TrainOptions(
        weights=weights,
        resume=resume,
        clear=weights is not None,
        map=RunDir(run.folder).valid_list.exists(),
        device=_text(ready.get("device")),
        precision=_text(ready.get("precision")),
        seed=_whole(ready.get("seed"), 1),
        subdivisions=subdivisions if isinstance(subdivisions, (str, int)) else "auto",
        extra=("-sample-list", SAMPLES, "-sample-every", str(_whole(ready.get("sample_every"), 25))),
    )
    # A resumed run goes on with the same images at a time, unless the memory did not suffice for them.
    return options if not resume or isinstance(subdivisions, int) else replace(options, subdivisions=None)


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _follow(process: TrainingProcess, events: queue.SimpleQueue[Event | None]) -> None:
    try:
        for event in process.follow():
            events.put(event)
    finally:
        events.put(None)
