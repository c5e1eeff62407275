"""What a training will cost on this computer: a short real one beforehand, in a folder of its own in the library.

Measured at the network's own size with at most MEASURED_BATCH images a step (see probe). From that: the time of all steps (many
input sizes cost what their mean area costs), of the evaluations, the looks at samples and the files that are written, the planned
memory, the disk. More steps scale at once; other choices are measured once each and remembered in the library.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from darknet_bridge.formats import layer_floats, write_image_list
from darknet_bridge.training import Error, Hello, RunDir, RunImage, TrainingProcess, TrainOptions, create_run

from .errors import UserError
from .preflight import needed_bytes
from .prepare_run import SAMPLE_COUNT, SAMPLES, Progress, TrainingData, gather
from .probe import Figures, run_probe
from .setup import CHECKPOINTS, Setup, build_cfg, for_measuring, sample_every, side_of
from .workspace import Workspace

STEPS = 14
LONGEST_S = 60.0
MEASURED_BATCH = 16
_LONG_ENOUGH_S, _MOST_STEPS = 4.0, 400  # of steps that are quick there must be more, or chance decides
_IMAGES = 48
_HELD_OUT = 8
_FOLDER = ".measuring-"
_KEY = "estimates-2"
_REMEMBERED = 40
_MORE_SIZES = 1.4
_HELLO_S = 15.0
_LAST_EVERY = _STATE_EVERY = 100  # steps between two such files
_STATE_S = 60.0  # or so many seconds, for a state
_LOOKS = ("-sample-list", SAMPLES, "-sample-every", str(STEPS // 2))


@dataclass(frozen=True, slots=True)
class Estimate:
    """seconds_per_step: of a step as it will be trained. image_seconds: to look at an image; look_seconds: to get the weights
    ready for looking. memory_bytes: planned peak. weights_bytes: of one checkpoint. batch: images a step. evaluated_seconds: to
    look at an image of an evaluation; weights_seconds, state_seconds: to write such a file; start_seconds: before the first step.
    """

    seconds_per_step: float
    image_seconds: float
    look_seconds: float
    memory_bytes: int
    weights_bytes: int
    device: str
    batch: int
    evaluated_seconds: float = 0.0
    weights_seconds: float = 0.0
    state_seconds: float = 0.0
    start_seconds: float = 0.0

    def seconds(self, steps: int, images_train: int, images_valid: int) -> float:
        """Of the whole training: steps, evaluations, looks at samples, files."""
        every = max(100, 4 * images_train // max(1, self.batch))
        evaluations = -(-steps // every) if images_valid else 0
        looks = steps // sample_every(steps) + 1 + evaluations
        looking = looks * (self.look_seconds + SAMPLE_COUNT * self.image_seconds)
        evaluating = evaluations * images_valid * self.evaluated_seconds
        training = steps * self.seconds_per_step
        # Early evaluations are nearly always the best so far, whose weights are kept.
        weights = min(steps, CHECKPOINTS) + steps // _LAST_EVERY + evaluations + 1
        states = max(steps / _STATE_EVERY, training / _STATE_S) + 1
        return self.start_seconds + training + looking + evaluating + weights * self.weights_seconds + states * self.state_seconds

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
    measured = measure(data, setup, progress, None if workspace.read_only else workspace.folder)
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


def measure(data: TrainingData, setup: Setup, progress: Progress, where: Path | None = None) -> Estimate:
    """where: a folder on the disk that the training will write to. Raises UserError when the training program can't do it, with
    its words."""
    real = build_cfg(setup, len(data.categories))
    batch = real.net.integer("batch", 1)
    part = min(batch, MEASURED_BATCH)
    cfg = build_cfg(replace(setup, batch=part, random=False, steps=100_000, subdivisions=None), len(data.categories))
    names = [each.name for each in data.classes]
    known = [RunImage(image.path, ()) for image in data.images if image.path.is_file()]
    pictures = known[:: -(-len(known) // _IMAGES) or 1]
    held_out = pictures[:_HELD_OUT]
    _remove_leftovers(where)
    with tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-", dir=where) as folder:
        run = create_run(Path(folder) / "timed", cfg, names, pictures, held_out).run
        samples = run.valid_list.read_text("utf-8").split()
        write_image_list(run.folder / SAMPLES, samples)
        hello, found = _timed(run, setup, len(samples), progress)
        planned = create_run(Path(folder) / "planned", real, names, pictures, held_out).run
        write_image_list(planned.folder / SAMPLES, samples)
        memory = _planned(planned, replace(_options(setup), map=False, subdivisions=setup.subdivisions or "auto", steps=STEPS))
    area = mean_area(side_of(setup)) if real.detection_layers[-1].number("random", 0) > 0 else 1.0
    return Estimate(
        found.step * area * batch / part,
        found.image,
        found.prepare,
        memory,
        4 * sum(layer_floats(real)) + 20,
        hello.device,
        batch,
        found.evaluated,
        found.weights,
        found.state,
        found.start,
    )


def _options(setup: Setup) -> TrainOptions:
    """What every measurement is started with."""
    return TrainOptions(device=setup.device, precision=setup.precision, subdivisions="auto", extra=_LOOKS)


def _remove_leftovers(where: Path | None) -> None:
    """Of programs that were killed while they measured: one writes to a library at a time."""
    own = f"{_FOLDER}{os.getpid()}-"
    for path in [] if where is None else where.glob(f"{_FOLDER}*"):
        if not path.name.startswith(own):
            shutil.rmtree(path, ignore_errors=True)


def _timed(run: RunDir, setup: Setup, images_valid: int, progress: Progress) -> tuple[Hello, Figures]:
    """Of STEPS steps; when these were over at once, of as many more as make a figure."""
    steps = STEPS
    while True:
        options = replace(_options(setup), seed=setup.seed, steps=steps)

        def told(done: int, total: int = steps) -> None:
            progress(min(done, total), total, "Measuring some steps on this computer")

        run.events.unlink(missing_ok=True)
        probe = run_probe(run, options, images_valid, LONGEST_S, told)
        figures = probe.figures()
        more = min(_MOST_STEPS, int(_LONG_ENOUGH_S / max(figures.step, 1e-4)))
        if probe.hello is None or more <= 2 * STEPS or steps > STEPS:
            assert probe.hello is not None
            return probe.hello, figures
        steps = more


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
