"""Datasets, experiments, runs and settings: what goes in comes out, deletes are undone, odd names survive."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from darknet_bridge import NormBox
from gui.core.errors import UserError
from gui.core.records import (
    CheckpointFile,
    ClassScore,
    Evaluation,
    ExperimentState,
    Metric,
    NewRun,
    Part,
    Run,
    RunClass,
    RunState,
    SampleBox,
    SampleShot,
    SnapshotImage,
    Storage,
)
from gui.store import Store, open_store

from .conftest import Library, new_image


def add_run(store: Store, experiment: int, **values: Any) -> Run:
    new = replace(NewRun(experiment, "yolov3-tiny", 5000), **values)
    return store.runs.add(new, lambda run_id: Path("/library/runs") / str(run_id))


def test_settings(store: Store) -> None:
    assert store.settings.get("theme", "dark") == "dark"
    store.settings.set("theme", "light")
    store.settings.set("limits", {"categories": 80})
    store.settings.set("theme", "light2")
    assert store.settings.get("theme", "dark") == "light2"
    assert store.settings.get("limits", {}) == {"categories": 80}
    assert store.settings.get("limits", 5) == 5


def test_datasets(library: Library) -> None:
    datasets = library.store.datasets
    found = datasets.get(library.dataset)
    assert (found.name, found.storage, found.folder) == ("Birds", Storage.REFERENCE, Path("/photos"))
    assert (found.images, found.bytes, found.groups) == (3, 3000, 1)
    datasets.rename(library.dataset, "Vögel\0\udcff")
    assert datasets.get(library.dataset).name == "Vögel?"
    datasets.remove_images(library.images[:2])
    assert datasets.get(library.dataset).images == 1
    datasets.delete(library.dataset)
    assert datasets.list() == []
    datasets.restore(library.dataset)
    assert [each.id for each in datasets.list()] == [library.dataset]
    with pytest.raises(UserError, match="dataset"):
        datasets.get(99)
    with pytest.raises(UserError, match="dataset"):
        datasets.rename(99, "x")


def test_images_keep_every_value_and_any_name(library: Library) -> None:
    odd = os.fsdecode(b"bad\xff\n$(x).jpg")
    new = replace(new_image(odd), orientation=6, format="png", split_key="video-1", video=odd, time_ms=40, dhash=1 << 63)
    (image_id,) = library.store.datasets.add_images(library.dataset, [new])
    found = library.store.datasets.image(image_id)
    assert found.path == Path("/photos") / odd
    for name in ("name", "width", "bytes", "sha256", "dhash", "orientation", "format", "split_key", "video", "time_ms"):
        assert getattr(found, name) == getattr(new, name)
    library.store.datasets.set_path(image_id, Path("/elsewhere") / odd)
    library.store.datasets.set_split_keys({image_id: "k"})
    assert library.store.datasets.image(image_id) == replace(found, path=Path("/elsewhere") / odd, split_key="k")
    assert library.store.datasets.paths(library.dataset)[image_id] == f"/elsewhere/{odd}"
    library.store.datasets.remove_images([image_id])
    assert image_id not in library.store.datasets.paths(library.dataset)


def test_paths_below_the_library_move_with_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "one")
    dataset = store.datasets.create("Birds", Storage.COPY, None).id
    (image,) = store.datasets.add_images(dataset, [new_image("a.jpg", str(tmp_path / "one" / "images"))])
    store.close()
    (tmp_path / "one").rename(tmp_path / "two")
    moved = open_store(tmp_path / "two")
    assert moved.datasets.image(image).path == tmp_path / "two" / "images" / "a.jpg"
    assert moved.datasets.paths(dataset) == {image: str(tmp_path / "two" / "images" / "a.jpg")}
    moved.close()


def test_groups(library: Library) -> None:
    groups = library.store.groups
    groups.rename(library.group, "Better")
    assert [each.name for each in groups.list(library.dataset)] == ["Better"]
    groups.delete(library.group)
    assert groups.list(library.dataset) == []
    groups.restore(library.group)
    assert groups.list(library.dataset)[0].id == library.group


def test_experiments(library: Library) -> None:
    experiments = library.store.experiments
    first = experiments.create("Untitled experiment")
    assert (first.state, first.step, dict(first.setup), first.last_run) == (ExperimentState.NOT_STARTED, "dataset", {}, None)
    experiments.set_dataset(first.id, library.dataset, library.group)
    experiments.set_setup(first.id, {"model": "yolov4", "steps": 5000})
    experiments.set_step(first.id, "training")
    experiments.set_notes(first.id, "try again")
    experiments.rename(first.id, "Birds")
    found = experiments.get(first.id)
    assert (found.name, found.dataset_id, found.group_id, found.step) == ("Birds", library.dataset, library.group, "training")
    assert (found.setup, found.notes) == ({"model": "yolov4", "steps": 5000}, "try again")
    copy = experiments.duplicate(first.id, "Birds 2")
    assert (copy.setup, copy.group_id, copy.step, copy.last_run) == (found.setup, library.group, "setup", None)
    assert [each.id for each in experiments.list()] == [copy.id, first.id]
    experiments.archive(copy.id, True)
    assert [each.id for each in experiments.list(archived=True)] == [copy.id]
    experiments.delete(first.id)
    assert experiments.list() == []
    experiments.restore(first.id)
    assert [each.id for each in experiments.list()] == [first.id]


def test_states_follow_from_the_newest_run(store: Store) -> None:
    experiment = store.experiments.create("Birds").id
    first = add_run(store, experiment)
    assert store.experiments.get(experiment).state is ExperimentState.IN_PROGRESS
    for state, expected in (
        (RunState.RUNNING, ExperimentState.IN_PROGRESS),
        (RunState.PAUSED, ExperimentState.IN_PROGRESS),
        (RunState.STOPPED, ExperimentState.COMPLETED),
        (RunState.FAILED, ExperimentState.COMPLETED),
        (RunState.FINISHED, ExperimentState.COMPLETED),
    ):
        store.runs.set_state(first.id, state)
        assert store.experiments.get(experiment).state is expected
    second = add_run(store, experiment, parent_id=first.id, first_step=5000, total_steps=6000)
    assert (second.number, second.done_steps) == (2, 5000)
    assert store.experiments.get(experiment).last_run == second
    store.runs.delete(second.id)
    assert store.experiments.list()[0].state is ExperimentState.COMPLETED
    assert add_run(store, experiment).number == 3


def test_runs(store: Store) -> None:
    experiment = store.experiments.create("Birds").id
    classes = (RunClass(0, 7, "Crow"), RunClass(1, None, "Gull"))
    run = add_run(store, experiment, options={"width": 416}, classes=classes, start_weights="/w/x.weights", kept="layers 0-136")
    assert run.folder == Path(f"/library/runs/{run.id}")
    assert (run.options, run.classes, run.start_weights, run.kept) == ({"width": 416}, classes, "/w/x.weights", "layers 0-136")
    assert [each.id for each in store.runs.active()] == [run.id]
    store.runs.set_started(run.id, 100.0)
    store.runs.set_progress(run.id, 37, 12.5)
    store.runs.set_counts(run.id, 80, 8)
    store.runs.set_best(run.id, 0.75, 30)
    store.runs.select(run.id, 30)
    store.runs.set_notes(run.id, "good")
    store.runs.set_tags(run.id, ["a", "b"])
    store.runs.set_state(run.id, RunState.FAILED, "The disk is full.")
    found = store.runs.get(run.id)
    assert (found.state, found.reason, found.started_at, found.done_steps) == (RunState.FAILED, "The disk is full.", 100.0, 37)
    assert (found.seconds, found.images_train, found.images_valid, found.best_map, found.best_step) == (12.5, 80, 8, 0.75, 30)
    assert (found.selected_step, found.notes, found.tags) == (30, "good", ("a", "b"))
    assert found.ended_at is not None
    store.runs.set_started(run.id)
    again = store.runs.get(run.id)
    assert (again.started_at, again.ended_at, again.reason, again.state) == (100.0, None, "", RunState.RUNNING)
    store.runs.delete(run.id)
    assert store.runs.list() == store.runs.active() == []
    store.runs.restore(run.id)
    assert [each.id for each in store.runs.list(experiment)] == [run.id]


def test_results(store: Store) -> None:
    run = add_run(store, store.experiments.create("Birds").id).id
    metrics = [Metric(step, math.inf if step == 2 else 1.5, 1.0, 0.001, 0.2, 416, 416) for step in (1, 2, 3)]
    store.runs.add_metrics(run, metrics)
    store.runs.add_metrics(run, [replace(metrics[1], loss=0.25)])
    assert [each.loss for each in store.runs.metrics(run)] == [1.5, 0.25, 1.5]
    store.runs.add_metrics(run, [replace(metrics[2], loss=math.nan)])
    assert math.isnan(store.runs.metrics(run)[2].loss)
    evaluation = Evaluation(3, 0.8, 0.7, 0.6, 0.65, 0.5, (ClassScore(0, "Crow", 0.8, 3, 1, 4),))
    store.runs.add_evaluation(run, evaluation)
    assert store.runs.evaluations(run) == [evaluation]
    files = [CheckpointFile(2, Path("/w/2.weights"), "numbered"), CheckpointFile(3, Path("/w/best.weights"), "best", 0.8)]
    for file in (replace(files[1], step=1), *files):
        store.runs.add_checkpoint(run, file)
    assert store.runs.checkpoints(run) == files
    shots = [SampleShot(3, Path(f"/photos/{name}"), (SampleBox(0, "Crow", 0.9, NormBox(0.1, 0.2, 0.3, 0.4)),)) for name in "ba"]
    store.runs.add_samples(run, shots)
    store.runs.add_samples(run, [replace(shot, step=1) for shot in shots])
    assert store.runs.samples(run, 3) == shots
    assert store.runs.sample_steps(run) == [1, 3]
    store.runs.set_best(run, 0.8, 3)
    store.runs.truncate(run, 2)
    assert ([each.step for each in store.runs.metrics(run)], store.runs.evaluations(run)) == ([1, 2], [])
    assert (store.runs.checkpoints(run), store.runs.sample_steps(run)) == (files[:1], [1])
    assert store.runs.get(run).best_step is None


def test_snapshot(store: Store) -> None:
    run = add_run(store, store.experiments.create("Birds").id).id
    images = [
        SnapshotImage(5, "aa", Part.TRAIN, ((0, NormBox(0.1, 0.2, 0.3, 0.4)), (1, NormBox(0.5, 0.5, 0.1, 0.1)))),
        SnapshotImage(6, "bb", Part.VALID, ()),
    ]
    store.runs.save_snapshot(run, images[:1])
    store.runs.save_snapshot(run, images)
    assert store.runs.snapshot(run) == images
