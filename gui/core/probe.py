"""A short real training, and what its parts took: steps, looks at samples, an evaluation, the files it wrote.

It runs the training program as a training does: same priority, same disk, the same network. What the first steps take more than
the others (the program prepares itself, pictures are decoded) does not count. The programs end by themselves after their steps:
nothing is left at work when this one is killed meanwhile.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from darknet_bridge.training import Checkpoint, Eval, Event, Hello, RunDir, Sample, Step, TrainingProcess, TrainOptions

from .errors import UserError
from .training import NICENESS

_WARM_UP = 3
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds. step: of one after the first ones; image: of one of a look; prepare: until the weights are ready for looking;
    evaluated: of an image of an evaluation; weights, state: until such a file is safe; start: until the first step begins."""

    step: float
    image: float
    prepare: float
    evaluated: float
    weights: float
    state: float
    start: float


@dataclass
class Probe:
    """The events of one process so far. began: time.time() at its start."""

    began: float
    images_valid: int
    hello: Hello | None = None
    steps: list[float] = field(default_factory=list)
    _before: float = 0.0
    _first_step: float | None = None
    _shots: list[float] = field(default_factory=list)
    _looks: list[tuple[float, list[float]]] = field(default_factory=list)
    _after: bool = False  # whether the event before was a step
    _after_step: list[float] = field(default_factory=list)
    _evaluation: float | None = None
    _files: dict[str, list[float]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        took = event.time - self._before if self._before else 0.0
        if isinstance(event, Hello):
            self.hello = event
        elif isinstance(event, Step):
            self.steps.append(event.seconds)
            if self._first_step is None:
                self._first_step = event.time - event.seconds
        elif isinstance(event, Sample):
            if not self._looks or self._looks[-1][1] is not self._shots:
                self._looks.append((took, self._shots))
                if self._after and len(self._looks) > 1:  # behind an evaluation the weights are ready already
                    self._after_step.append(took)
            else:
                self._shots.append(took)
        elif isinstance(event, Eval):
            self._evaluation = took
        elif isinstance(event, Checkpoint):
            self._files.setdefault("state" if event.kind == "state" else "weights", []).append(took)
        if not isinstance(event, Sample) and self._looks and self._looks[-1][1] is self._shots:
            self._shots = []
        self._before, self._after = event.time, isinstance(event, Step)

    def figures(self) -> Figures:
        """What is not there, because the probe was cut short, is taken from what is. Needs a step and a hello."""
        assert self.hello is not None
        looks = [(first, shots) for first, shots in self._looks if shots]
        # The first look builds the network as well. Times are in milliseconds.
        shots = [shot for _first, shots in looks[1:] or looks for shot in shots]
        image = statistics.fmean(shots) if shots else 0.0
        firsts = [first - image for first in self._after_step]
        prepare = max(0.0, statistics.median(firsts)) if firsts else 0.0
        evaluated = image
        if self._evaluation is not None and self.images_valid:
            evaluated = max(0.0, self._evaluation - prepare) / self.images_valid
        step = statistics.median(self.steps[_WARM_UP:] or self.steps[1:] or self.steps)
        start = max(0.0, (self._first_step or self.began) - self.began)
        return Figures(step, image, prepare, evaluated, self._median("weights"), self._median("state"), start)

    def _median(self, kind: str) -> float:
        return statistics.median(self._files.get(kind) or [0.0])


def run_probe(run: RunDir, options: TrainOptions, images_valid: int, longest_s: float, told: Callable[[int], object]) -> Probe:
    """To its end, or for longest_s, but in any case until there is a step; told: steps done, may raise to cancel.

    Raises UserError with the training program's words when there is none in five times that.
    """
    probe = Probe(time.time(), images_valid)
    process = TrainingProcess.start(run, options)
    try:
        if process.pid is not None:
            with suppress(OSError):
                os.setpriority(os.PRIO_PGRP, process.pid, NICENESS)
        seen, until = 0, time.monotonic() + longest_s
        while time.monotonic() < (until if probe.steps else until + 4 * longest_s):
            alive = process.is_alive()
            events = list(process.follow(timeout_s=0.0))
            for event in events[seen:]:
                probe.take(event)
            seen = len(events)
            told(len(probe.steps))
            if not alive:
                break
            time.sleep(_POLL_S)
    finally:
        process.kill()
    if probe.hello is None or not probe.steps:
        raise UserError(f"The time could not be measured: {process.log_tail(2) or 'the training program gave no sign'}.")
    return probe
