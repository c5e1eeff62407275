"""From submitted annotations to a run folder that the queue can start, and from a run that ended to one that goes on.

Call in a background thread: the store is used through workspace.run_store, the files are written here. A run is ready when
`studio.json` is in its folder; that file is written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from darknet_bridge.errors import DiskError, FormatError
from darknet_bridge.formats import Cfg, Label, read_data_file, write_bytes, write_data_file, write_image_list
from darknet_bridge.training import RunDir, RunImage, create_run

from . import checkpoints
from .errors import NoSpaceError, UserError
from .records import Box, Category, Experiment, Image, NewRun, Part, Run, RunClass, SnapshotImage
from .setup import Setup, Start, build_cfg, sample_every, save_every, start_problem, steps_of, stop_problem
from .split import SplitItem, split
from .start_weights import SCRATCH, StartWeights, from_file, from_run
from .workspace import Workspace

READY = "studio.json"
SAMPLES = "samples.txt"
SAMPLE_COUNT = 8
Progress = Callable[[int, int, str], object]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a run is made of: the submitted images of a group with their boxes."""

    experiment: Experiment
    categories: tuple[Category, ...]
    images: tuple[Image, ...]
    boxes: Mapping[int, tuple[Box, ...]]

    @property
    def classes(self) -> tuple[RunClass, ...]:
        return tuple(RunClass(index, each.id, each.name) for index, each in enumerate(self.categories))


def gather(workspace: Workspace, experiment_id: int) -> TrainingData:
    """On the store's thread. Raises UserError when there is nothing to train on."""
    store = workspace.store
    experiment = store.experiments.get(experiment_id)
    if experiment.dataset_id is None or experiment.group_id is None:
        raise UserError("Choose a dataset and an annotation group first.")
    boxes = store.annotations.submitted(experiment.group_id)
    categories = tuple(sorted(store.categories.list(experiment.group_id), key=lambda each: each.position))
    if not categories:
        raise UserError("Add at least one category, then annotate some images.")
    if not any(boxes.values()):
        raise UserError("Submit at least one image with a box, then there is something to learn.")
    images = tuple(image for image in store.datasets.images(experiment.dataset_id) if image.id in boxes)
    return TrainingData(experiment, categories, images, boxes)


def parts_of(data: TrainingData, valid_percent: int) -> dict[int, Part]:
    """image id -> part; the same in every run of the same images."""
    items = [
        SplitItem(image.id, image.sha256, image.split_key, frozenset(box.category_id for box in data.boxes[image.id]))
        for image in data.images
    ]
    return split(items, valid_percent / 100)


def prepare_run(workspace: Workspace, experiment_id: int, setup: Setup, progress: Progress) -> Run:
    """Queues a training. Raises UserError, CancelledError; then nothing of it is left."""
    workspace.require_writing()
    problem = start_problem(setup) or stop_problem(setup)
    if problem:
        raise UserError(problem)
    data = workspace.run_store(lambda: gather(workspace, experiment_id))
    build_cfg(setup, len(data.categories))
    new = NewRun(
        experiment_id,
        setup.model,
        steps_of(setup, len(data.categories)),
        start_weights=_start_text(setup),
        options=setup.to_json(),
        classes=data.classes,
    )
    run = workspace.run_store(lambda: workspace.store.runs.add(new, workspace.run_folder))
    fill_or_forget(workspace, run, lambda: _fill(workspace, run, data, setup, progress))
    return workspace.run_store(lambda: workspace.store.runs.get(run.id))


def fill_or_forget(workspace: Workspace, run: Run, fill: Callable[[], object]) -> None:
    try:
        fill()
    except BaseException as error:
        workspace.run_store(lambda: workspace.store.runs.delete(run.id))
        shutil.rmtree(run.folder, ignore_errors=True)
        if isinstance(error, DiskError):
            raise NoSpaceError(f"The training can't be prepared: {error}. Free some space and try again.") from error
        if isinstance(error, FormatError):
            raise UserError(f"The training can't be prepared: {error}.") from error
        raise
    workspace.changes.publish("runs", f"run:{run.id}", "experiments")


def _start_text(setup: Setup) -> str:
    return setup.start_file if setup.start is Start.PRETRAINED else ""


def _fill(workspace: Workspace, run: Run, data: TrainingData, setup: Setup, progress: Progress) -> None:
    """Everything in the run's folder, and what the library keeps of it."""
    cfg = build_cfg(setup, len(data.categories))
    parts = parts_of(data, setup.valid_percent)
    indices = {each.category_id: each.index for each in data.classes if each.category_id is not None}
    ordered = [image for part in Part for image in data.images if parts[image.id] is part]
    labels = {image.id: _labels(data.boxes[image.id], indices) for image in ordered}
    names = tuple(each.name for each in data.classes)
    sources = {part: [RunImage(i.path, labels[i.id]) for i in ordered if parts[i.id] is part] for part in Part}

    def told(done: int, total: int) -> None:
        progress(done, total, "Preparing images")

    created = create_run(run.folder, cfg, names, sources[Part.TRAIN], sources[Part.VALID], told)
    start = _start(workspace, run, data, setup, cfg)
    used = _used(created.run, ordered)
    snapshot = [
        SnapshotImage(i.id, i.sha256, parts[i.id], tuple((x.class_id, x.box) for x in labels[i.id]))
        for i in ordered
        if i.id in used
    ]
    samples = choose_samples([(used[i.id], parts[i.id], len(labels[i.id])) for i in ordered if i.id in used])
    write_image_list(run.folder / SAMPLES, [f"./JPEGImages/{name}" for name in samples])
    _set_saves(created.run, save_every(run.total_steps))

    def keep() -> None:
        workspace.store.runs.set_counts(run.id, created.images_train, created.images_valid)
        workspace.store.runs.save_snapshot(run.id, snapshot)
        workspace.store.runs.set_kept(run.id, start.kept)

    workspace.run_store(keep)
    sample_parts = {used[i.id]: parts[i.id].value for i in ordered if used.get(i.id) in samples}
    write_ready(run.folder, None if start.path is None else start.path, run.total_steps, setup, sample_parts)


def write_ready(folder: Path, weights: Path | None, steps: int, setup: Setup, sample_parts: Mapping[str, str]) -> None:
    """The last file of a run folder: how the queue starts it, when it ends it, and which part each sample image is of.

    stop_at_map (percent) and stop_without_gain (measurements) are null for a training that goes on to its last step.
    """
    values = {
        "weights": None if weights is None else str(weights),
        "sample_every": sample_every(steps),
        "samples": dict(sample_parts),
        "seed": setup.seed,
        "subdivisions": setup.subdivisions or "auto",
        "stop_at_map": setup.stop_at_map,
        "stop_without_gain": setup.stop_without_gain,
        "device": setup.device,
        "precision": setup.precision,
    }
    write_bytes(folder / READY, (json.dumps(values, indent=1) + "\n").encode("utf-8", "surrogateescape"))


def read_ready(folder: Path) -> dict[str, object] | None:
    """What write_ready wrote; None while the folder is not ready."""
    try:
        values = json.loads((folder / READY).read_bytes())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _labels(boxes: Sequence[Box], indices: Mapping[int, int]) -> tuple[Label, ...]:
    """With the run's class numbers, cut at the image's edge; what has no area there is left out."""
    found = []
    for each in boxes:
        box = each.box.clipped()
        if each.category_id in indices and box.w > 1e-5 and box.h > 1e-5:
            found.append(Label(indices[each.category_id], box))
    return tuple(found)


def _start(workspace: Workspace, run: Run, data: TrainingData, setup: Setup, cfg: Cfg) -> StartWeights:
    if setup.start is Start.PRETRAINED:
        return from_file(Path(setup.start_file), cfg, tuple(each.name for each in data.classes), run.folder)
    if setup.start is Start.RUN and setup.start_run is not None:
        source = setup.start_run
        old = workspace.run_store(lambda: workspace.store.runs.get(source))
        files = workspace.run_store(lambda: workspace.store.runs.checkpoints(source))
        return from_run(old, checkpoints.selected(old, files), data.classes, cfg, run.folder)
    return SCRATCH


def _used(run: RunDir, ordered: Sequence[Image]) -> dict[int, str]:
    """image id -> file name below JPEGImages of what create_run took; it numbers all pictures from 1."""
    taken: dict[int, str] = {}
    for path in (run.train_list, run.valid_list):
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                name = Path(line.strip()).name
                taken[ordered[int(Path(name).stem) - 1].id] = name
    return taken


def choose_samples(images: Sequence[tuple[str, Part, int]], count: int = SAMPLE_COUNT) -> list[str]:
    """(file name, part, boxes) -> names: half held out, half trained on, those with boxes first, spread over the set."""
    chosen: list[str] = []
    pools = {
        part: [name for name, own, n in images if own is part and n] + [name for name, own, n in images if own is part and not n]
        for part in Part
    }
    held_out = min(len(pools[Part.VALID]), count // 2)
    trained = min(len(pools[Part.TRAIN]), count - held_out)
    held_out = min(len(pools[Part.VALID]), count - trained)
    for part, number in ((Part.VALID, held_out), (Part.TRAIN, trained)):
        pool = pools[part]
        chosen += [pool[index * len(pool) // number] for index in range(number)]
    return chosen


def _set_saves(run: RunDir, every: int) -> None:
    values = dict(read_data_file(run.data).values)
    write_data_file(run.data, values | {"saveweights": str(every)})
