"""What a training will cost on this computer: some real steps of the training program, in a folder of their own, beforehand.

Measured at the network's own size with at most MEASURED_BATCH images a step, at low priority. From that: the time of all steps
(many input sizes cost what their mean area costs), of the evaluations and the looks at samples, the planned memory, the disk.
More steps scale at once; other choices are measured once each and remembered in the library.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from darknet_bridge.formats import layer_floats
from darknet_bridge.training import Error, Hello, RunDir, RunImage, Step, TrainingProcess, TrainOptions, create_run

from .errors import UserError
from .preflight import needed_bytes
from .prepare_run import SAMPLE_COUNT, Progress, TrainingData, gather
from .setup import CHECKPOINTS, Setup, build_cfg, for_measuring, sample_every, side_of
from .workspace import Workspace

STEPS = 14
LONGEST_S = 60.0
MEASURED_BATCH = 16
_IMAGES = 48
_KEY = "estimates"
_REMEMBERED = 40
_FORWARD_SHARE = 0.4  # of a training step's time an image: looking without learning
_MORE_SIZES = 1.4
_HELLO_S = 15.0
_QUIET = ("-samples", "0")
# The programs end by themselves after STEPS: nothing is left at work when this one is killed meanwhile.


@dataclass(frozen=True, slots=True)
class Estimate:
    """seconds_per_step: of a step as it will be trained. image_seconds: to look at an image; look_seconds: to get the weights
    ready for looking. memory_bytes: planned peak. weights_bytes: of one checkpoint. batch: images a step."""

    seconds_per_step: float
    image_seconds: float
    look_seconds: float
    memory_bytes: int
    weights_bytes: int
    device: str
    batch: int

    def seconds(self, steps: int, images_train: int, images_valid: int) -> float:
        """Of the whole training, evaluations included."""
        every = max(100, 4 * images_train // max(1, self.batch))
        evaluations, looks = steps // every + 1, steps // sample_every(steps) + 1
        images = evaluations * images_valid + looks * SAMPLE_COUNT
        return steps * self.seconds_per_step + (evaluations + looks) * self.look_seconds + images * self.image_seconds

    @property
    def disk_bytes(self) -> int:
        return needed_bytes(self.weights_bytes, CHECKPOINTS)


def estimate(workspace: Workspace, experiment_id: int, setup: Setup, progress: Progress) -> Estimate:
    """In a background thread; from memory when these choices were measured before. Raises UserError, CancelledError."""
    data = workspace.run_store(lambda: gather(workspace, experiment_id))
    classes = len(data.categories)
    known = workspace.run_store(lambda: remembered(workspace, setup, classes))
    if known is not None:
        return known
    measured = measure(data, setup, progress)
    if not workspace.read_only:
        workspace.run_store(lambda: _remember(workspace, _key(setup, classes), measured))
    return measured


def remembered(workspace: Workspace, setup: Setup, classes: int) -> Estimate | None:
    """What was measured for these choices before. On the store's thread."""
    values = _stored(workspace).get(_key(setup, classes))
    with suppress(TypeError):
        return Estimate(**values) if isinstance(values, dict) else None
    return None


def _stored(workspace: Workspace) -> dict[str, object]:
    known = workspace.settings.get(_KEY, {})
    return known if isinstance(known, dict) else {}


def _remember(workspace: Workspace, key: str, measured: Estimate) -> None:
    kept = dict(list(_stored(workspace).items())[-_REMEMBERED:]) | {key: asdict(measured)}
    workspace.settings.set(_KEY, kept)


def measure(data: TrainingData, setup: Setup, progress: Progress) -> Estimate:
    """Raises UserError when the training program can't do it, with its words."""
    batch = build_cfg(setup, len(data.categories)).net.integer("batch", 1)
    part = min(batch, MEASURED_BATCH)
    own = replace(setup, batch=part, random=False, steps=100_000, subdivisions=None)
    cfg = build_cfg(own, len(data.categories))
    real = build_cfg(setup, len(data.categories))
    with tempfile.TemporaryDirectory(prefix="darknet-studio-") as folder:
        names = [each.name for each in data.classes]
        pictures = [RunImage(image.path, ()) for image in data.images if image.path.is_file()][:_IMAGES]
        run = create_run(Path(folder) / "timed", cfg, names, pictures, ()).run
        hello, seconds = _timed(
            run, TrainOptions(map=False, subdivisions="auto", seed=setup.seed, steps=STEPS, extra=_QUIET), progress
        )
        planned = create_run(Path(folder) / "planned", real, names, pictures, ()).run
        memory = _planned(planned, TrainOptions(map=False, subdivisions=setup.subdivisions or "auto", steps=STEPS, extra=_QUIET))
    area = mean_area(side_of(setup)) if real.detection_layers[-1].number("random", 0) > 0 else 1.0
    step = seconds * area * batch / part
    weights_bytes = 4 * sum(layer_floats(real)) + 20
    return Estimate(step, _FORWARD_SHARE * seconds / part, seconds, memory, weights_bytes, hello.device, batch)


def _planned(run: RunDir, options: TrainOptions) -> int:
    """The memory that the training program plans for the choices as they are; it is ended before its first step."""
    process = TrainingProcess.start(run, options)
    try:
        for event in process.follow(timeout_s=_HELLO_S):
            if isinstance(event, Hello):
                return event.memory_bytes
            if isinstance(event, Error):
                raise UserError(f"This can't be trained here: {event.text.rstrip('.')}.")
    finally:
        process.kill()
    raise UserError(f"The memory could not be planned: {process.log_tail(2) or 'the training program gave no sign'}.")


def _timed(run: RunDir, options: TrainOptions, progress: Progress) -> tuple[Hello, float]:
    process = TrainingProcess.start(run, options)
    try:
        return _watch(process, progress)
    finally:
        process.kill()


def _watch(process: TrainingProcess, progress: Progress) -> tuple[Hello, float]:
    """(its hello, seconds of a step)."""
    if process.pid is not None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PGRP, process.pid, 10)
    hello: Hello | None = None
    times: list[float] = []
    until = time.monotonic() + LONGEST_S
    while len(times) < STEPS and (time.monotonic() < until or not times) and time.monotonic() < until + 4 * LONGEST_S:
        alive = process.is_alive()
        for event in process.follow(timeout_s=0.0):
            if isinstance(event, Hello):
                hello, times = event, []
            elif isinstance(event, Step):
                times.append(event.seconds)
        progress(min(len(times), STEPS), STEPS, "Measuring some steps on this computer")
        if not alive:
            break
        time.sleep(0.2)
    if hello is None or not times:
        raise UserError(f"The time could not be measured: {process.log_tail(2) or 'the training program gave no sign'}.")
    return hello, statistics.median(times[1:] or times)


def mean_area(side: int) -> float:
    """Mean area of the many input sizes of a training, relative to its own: the sides vary from 1/1.4 to 1.4 in steps of 32."""
    shares: list[float] = []
    for index in range(101):
        factor = 1 + (_MORE_SIZES - 1) * index / 100
        for value in (factor, 1 / factor):
            new = (round(value * side / 32) + 1) * 32
            shares.append((min(new, side) if value < 1 else new) ** 2 / side**2)
    return sum(shares) / len(shares)


def _key(setup: Setup, classes: int) -> str:
    """Of everything that changes the figures; steps scale, and the start weights cost nothing."""
    own = replace(for_measuring(setup), start_file="", start_run=None, seed=1, learning_rate=None, anchors=None)
    text = json.dumps([own.to_json() | {"start": ""}, classes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
