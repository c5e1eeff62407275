"""Training with the real program on the golden pictures, narrow and short: followed, stopped, killed, resumed, used."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from darknet_bridge import Network, recipes
from darknet_bridge.errors import FormatError, InternalError
from darknet_bridge.formats import Cfg, read_cfg, read_image_list, read_labels, read_names, write_data_file, write_image_list
from darknet_bridge.images import read_image
from darknet_bridge.training import (
    Checkpoint,
    CreatedRun,
    Done,
    Eval,
    Hello,
    RunDir,
    RunImage,
    Sample,
    Step,
    TrainingProcess,
    TrainOptions,
    create_run,
)

STEPS = 24
OPTIONS = TrainOptions(seed=3, threads=1)
PATIENCE_S = 120


def narrow_cfg(golden: Path, steps: int = STEPS) -> Cfg:
    cfg = read_cfg(golden / "tiny" / "net.cfg")
    changes = {"max_batches": str(steps), "batch": "4", "subdivisions": "2", "burn_in": "5", "steps": f"{steps - 2},{steps - 1}"}
    return replace(cfg, sections=(cfg.net.with_values(changes), *cfg.layers))


def make_run(folder: Path, golden: Path, steps: int = STEPS) -> CreatedRun:
    images = golden / "images"
    train = [RunImage(path) for path in sorted(images.glob("t*.png"))]
    valid = [RunImage(path) for path in sorted(images.glob("v*.png"))]
    return create_run(folder, narrow_cfg(golden, steps), read_names(golden / "obj.names"), train, valid)


def first_step(process: TrainingProcess, at_least: int = 1) -> None:
    """Waits until a step of that number was done."""
    for event in process.follow(timeout_s=PATIENCE_S):
        if isinstance(event, Step) and event.iteration >= at_least:
            return
    raise AssertionError(f"no step {at_least}: {process.log_tail()}")


def test_every_event_of_a_whole_training(tmp_path: Path, golden: Path) -> None:
    created = make_run(tmp_path / "a run", golden)
    process = TrainingProcess.start(created.run, OPTIONS)
    events = list(process.follow(timeout_s=PATIENCE_S))
    hello, done = events[0], events[-1]
    assert isinstance(hello, Hello) and isinstance(done, Done)
    assert (hello.protocol, hello.net.batch, hello.net.subdivisions, hello.net.classes) == (1, 4, 2, 3)
    assert (hello.max_batches, hello.start_iteration, hello.threads, hello.seed) == (STEPS, 0, 1, 3)
    assert (hello.images_train, hello.images_valid) == (created.images_train, created.images_valid)
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.iteration for step in steps] == list(range(1, STEPS + 1))
    assert all(step.images == 4 * step.iteration and step.loss > 0 and step.seconds > 0 for step in steps)
    evals = [event for event in events if isinstance(event, Eval)]
    assert evals and [result.name for result in evals[-1].classes] == list(read_names(created.run.names))
    samples = [event for event in events if isinstance(event, Sample)]
    assert {Path(sample.image).exists() for sample in samples} == {True}
    paths = {event.kind: event.path for event in events if isinstance(event, Checkpoint)}
    assert {"final", "best", "state"} <= set(paths)
    assert all((created.run.folder / path).exists() for path in paths.values())
    assert (done.iteration, done.reason) == (STEPS, "finished")
    assert done == process.result()
    assert created.run.final_weights.exists() and created.run.best_weights.exists()
    with Network.load(created.run.cfg, created.run.final_weights, created.run.names) as network:
        network.detect(golden / "images" / "v00.png")


def test_stop_then_resume_ends_as_if_never_stopped(tmp_path: Path, golden: Path) -> None:
    whole = make_run(tmp_path / "whole", golden).run
    process = TrainingProcess.start(whole, OPTIONS)
    assert process.wait(PATIENCE_S) and process.result().reason == "finished"

    halved = make_run(tmp_path / "halved", golden).run
    process = TrainingProcess.start(halved, OPTIONS)
    first_step(process, 3)
    asked = time.monotonic()
    assert process.stop() is True
    assert time.monotonic() - asked < 10
    stopped = process.result()
    assert stopped.reason == "stopped" and 3 <= stopped.iteration < STEPS
    process = TrainingProcess.start(halved, replace(OPTIONS, resume=True))
    assert process.wait(PATIENCE_S)
    hellos = [event for event in process.follow() if isinstance(event, Hello)]
    assert [hello.start_iteration for hello in hellos] == [0, stopped.iteration]
    assert process.result().iteration == STEPS
    assert halved.final_weights.read_bytes() == whole.final_weights.read_bytes()


def test_a_killed_training_resumes(tmp_path: Path, golden: Path) -> None:
    run = make_run(tmp_path / "run", golden, 400).run
    process = TrainingProcess.start(run, OPTIONS)
    first_step(process, 120)
    process.kill()
    assert not process.is_alive()
    again = TrainingProcess.start(run, replace(OPTIONS, resume=True))
    first_step(again)
    starts = [event.start_iteration for event in again.follow(timeout_s=1) if isinstance(event, Hello)]
    assert len(starts) == 2 and starts[1] >= 20, "at most 100 steps are lost"
    again.stop()


def test_chosen_samples_every_few_steps(tmp_path: Path, golden: Path) -> None:
    """The pictures of -sample-list, at step 0, every N steps and at the end; the weights are those of a run without them."""
    weights = []
    for name, extra in (("with", ("-sample-list", "samples.txt", "-sample-every", "5")), ("without", ())):
        run = make_run(tmp_path / name, golden, 12).run
        chosen = [golden / "images" / file for file in ("v01.png", "t00.png")]
        write_image_list(run.folder / "samples.txt", chosen)
        process = TrainingProcess.start(run, replace(OPTIONS, map=False, extra=extra))
        samples = [event for event in process.follow(timeout_s=PATIENCE_S) if isinstance(event, Sample)]
        expected = [(step, str(path)) for step in (0, 5, 10, 12) for path in chosen] if extra else []
        assert [(sample.iteration, sample.image) for sample in samples] == expected
        weights.append(run.final_weights.read_bytes())
    assert weights[0] == weights[1]


def test_own_labels_other_formats_and_odd_names(tmp_path: Path, golden: Path) -> None:
    """Pictures with labels from elsewhere, as .webp, with line breaks and bytes that are no UTF-8 in their names."""
    train = []
    for index, source in enumerate(sorted((golden / "images").glob("t*.png"))):
        labels = tuple(read_labels(source.with_suffix(".txt")))
        path = tmp_path / os.fsdecode(b"%d\n$(x) \xff" % index + (b".webp" if index % 2 else b".png"))
        path.write_bytes(cv2.imencode(".webp", read_image(source))[1].tobytes() if index % 2 else source.read_bytes())
        train.append(RunImage(path, labels))
    created = create_run(tmp_path / "run", narrow_cfg(golden, 6), read_names(golden / "obj.names"), train, [])
    assert created.problems == ()
    process = TrainingProcess.start(created.run, replace(OPTIONS, map=False))
    events = list(process.follow(timeout_s=PATIENCE_S))
    assert process.result().reason == "finished"
    assert isinstance(events[0], Hello)
    assert (events[0].images_train, events[0].images_valid) == (len(train), 0)
    assert process.run.final_weights.exists()


def test_what_is_wrong_is_raised(tmp_path: Path, golden: Path) -> None:
    run = make_run(tmp_path / "run", golden).run
    process = TrainingProcess.start(run, replace(OPTIONS, weights=tmp_path / "none.weights"))
    assert process.wait(PATIENCE_S)
    with pytest.raises(FormatError, match=r"none\.weights"):
        process.result()
    run.cfg.write_text("[net]\nwidth=96\nheight=96\nchannels=3\nbatch=4\n[convolutionl]\n")
    process = TrainingProcess.start(run, OPTIONS)
    assert process.wait(PATIENCE_S)
    with pytest.raises(FormatError, match=r"net\.cfg:6"):
        process.result()


def test_two_programs_never_train_in_one_folder(tmp_path: Path, golden: Path) -> None:
    run = make_run(tmp_path / "run", golden, 100_000).run
    first = TrainingProcess.start(run, OPTIONS)
    first_step(first)
    with pytest.raises(FormatError, match="at work"):
        TrainingProcess.start(run, OPTIONS)
    attached = TrainingProcess.attach(run.folder)
    assert attached.pid == first.pid
    attached.kill()
    assert first.wait(5)
    with pytest.raises(InternalError, match="signal 9"):
        first.result()


def test_anchors_are_calculated(tmp_path: Path, golden: Path) -> None:
    folder = tmp_path / "a set"
    folder.mkdir()
    for file in (golden / "images").glob("t*"):
        shutil.copyfile(file, folder / file.name)
    write_image_list(folder / "train.txt", sorted(folder.glob("t*.png")))
    write_data_file(folder / "obj.data", {"classes": "3", "train": "train.txt"})
    anchors = recipes.calc_anchors(folder / "obj.data", 3, 96, 96)
    areas = [w * h for w, h in anchors]
    assert len(anchors) == 3 and areas == sorted(areas)
    boxes = [
        label.box for image in read_image_list(folder / "train.txt") for label in read_labels(Path(image).with_suffix(".txt"))
    ]
    assert min(box.w for box in boxes) * 96 - 1 <= anchors[0][0] <= anchors[-1][0] <= max(box.w for box in boxes) * 96 + 1
    assert sorted(path.name for path in folder.iterdir() if path.suffix not in (".png", ".txt")) == ["obj.data"]
    with pytest.raises(FormatError):
        recipes.calc_anchors(folder / "none.data", 3, 96, 96)


def test_the_run_folder_is_all_there_is(tmp_path: Path, golden: Path) -> None:
    run = make_run(tmp_path / "run", golden, 6).run
    process = TrainingProcess.start(run, OPTIONS)
    assert process.wait(PATIENCE_S)
    found = {path.name for path in run.folder.iterdir()}
    expected = {"train.txt", "valid.txt", "obj.names", "obj.data", "net.cfg", "labels", "JPEGImages", "backup"}
    assert found == expected | {"events.jsonl", "train.log", "run.lock"}
    moved = tmp_path / "moved"
    run.folder.rename(moved)
    assert TrainingProcess.attach(moved).result().reason == "finished"
    assert RunDir(moved).final_weights.exists()
