"""Training with the real program on the golden pictures, narrow and short: followed, stopped, killed, resumed, used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from darknet_bridge import Network, recipes
from darknet_bridge.errors import FormatError, InternalError, OutOfMemoryError
from darknet_bridge.formats import Cfg, read_cfg, read_image_list, read_labels, read_names, write_data_file, write_image_list
from darknet_bridge.images import read_image
from darknet_bridge.program import find_program
from darknet_bridge.training import (
    Checkpoint,
    CreatedRun,
    Done,
    Eval,
    Event,
    Hello,
    Log,
    RunDir,
    RunImage,
    Sample,
    Smaller,
    Step,
    TrainingProcess,
    TrainOptions,
    create_run,
)
from tests.bridge.little_memory import limit_memory

STEPS = 24
OPTIONS = TrainOptions(seed=3, threads=1)
LARGE = replace(OPTIONS, map=False)
PATIENCE_S = 300


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
    steps = 400  # so many that it can't be over before the request to stop arrives
    whole = make_run(tmp_path / "whole", golden, steps).run
    process = TrainingProcess.start(whole, OPTIONS)
    assert process.wait(PATIENCE_S) and process.result().reason == "finished"

    halved = make_run(tmp_path / "halved", golden, steps).run
    process = TrainingProcess.start(halved, OPTIONS)
    first_step(process, 3)
    assert process.stop(PATIENCE_S) is True, "asking was enough"
    stopped = process.result()
    assert stopped.reason == "stopped" and 3 <= stopped.iteration < steps
    process = TrainingProcess.start(halved, replace(OPTIONS, resume=True))
    assert process.wait(PATIENCE_S)
    hellos = [event for event in process.follow() if isinstance(event, Hello)]
    assert [hello.start_iteration for hello in hellos] == [0, stopped.iteration]
    assert process.result().iteration == steps
    assert halved.final_weights.read_bytes() == whole.final_weights.read_bytes()


def test_a_killed_training_resumes(tmp_path: Path, golden: Path) -> None:
    run = make_run(tmp_path / "run", golden, 4000).run
    process = TrainingProcess.start(run, OPTIONS)
    first_step(process, 120)
    process.kill()
    assert not process.is_alive()
    again = TrainingProcess.start(run, replace(OPTIONS, resume=True))
    hellos = (event for event in again.follow(timeout_s=PATIENCE_S) if isinstance(event, Hello))
    starts = [next(hellos).start_iteration for _ in range(2)]
    assert starts[0] == 0 and starts[1] >= 20, "at most 100 steps are lost"
    again.stop(PATIENCE_S)


def stopped_after(folder: Path, golden: Path, options: TrainOptions, hurry: bool = False) -> list[Event]:
    """Of a training that is stopped at its fifth step."""
    process = TrainingProcess.start(make_run(folder, golden, 4000).run, options)
    first_step(process, 5)
    assert process.stop(PATIENCE_S, hurry=hurry) is True
    return list(process.follow())


def test_a_stopped_training_is_measured(tmp_path: Path, golden: Path) -> None:
    """The figure is that of the weights it leaves, by the program that measures weights files."""
    events = stopped_after(tmp_path / "run", golden, OPTIONS)
    done = events[-1]
    evals = [event for event in events if isinstance(event, Eval)]
    assert isinstance(done, Done) and (done.reason, done.unmeasured) == ("stopped", None)
    assert [event.iteration for event in evals] == [done.iteration] and done.map == evals[0].map
    run = RunDir(tmp_path / "run")
    command = [str(find_program()), "detector", "map", "obj.data", "net.cfg", str(run.last_weights), "-json"]
    said = subprocess.run(command, cwd=run.folder, capture_output=True, text=True, check=True).stdout
    assert json.loads(said)["map"] == pytest.approx(done.map, abs=1e-9)
    order = [type(event) for event in events if isinstance(event, (Checkpoint, Eval))]
    assert order.index(Checkpoint) < order.index(Eval), "what was learnt is safe before time is spent on measuring"


def test_who_is_in_a_hurry_gets_the_checkpoint_and_the_reason(tmp_path: Path, golden: Path) -> None:
    events = stopped_after(tmp_path / "run", golden, OPTIONS, hurry=True)
    done = events[-1]
    assert not [event for event in events if isinstance(event, Eval)] and RunDir(tmp_path / "run").last_weights.exists()
    assert isinstance(done, Done) and done.unmeasured is not None
    assert done.unmeasured == f"mAP was not measured at step {done.iteration}: the training was to end at once"


def test_a_stop_does_not_wait_for_many_held_out_images(tmp_path: Path, golden: Path) -> None:
    """As many as can't be measured in the time of a stop: it is left out, and said how long it would take."""
    run = make_run(tmp_path / "run", golden, 4000).run
    image = next(iter(read_image_list(run.valid_list)))
    write_image_list(run.valid_list, [image] * 100_000)
    process = TrainingProcess.start(run, OPTIONS)
    first_step(process, 5)
    assert process.stop(PATIENCE_S) is True
    done = list(process.follow())[-1]
    assert isinstance(done, Done) and done.map is None and done.unmeasured is not None
    assert re.fullmatch(rf"mAP .* step {done.iteration}: the 100000 held-out .* about \d+ seconds, .*", done.unmeasured)


def test_measuring_at_a_stop_does_not_change_what_comes(tmp_path: Path, golden: Path) -> None:
    """A resumed run evaluates at the steps, and ends with the bits, of one that was never stopped."""
    whole = make_run(tmp_path / "whole", golden, 430).run
    process = TrainingProcess.start(whole, OPTIONS)
    assert process.wait(PATIENCE_S)
    expected = [event.iteration for event in process.follow() if isinstance(event, Eval)]
    halved = make_run(tmp_path / "halved", golden, 430).run
    process = TrainingProcess.start(halved, OPTIONS)
    first_step(process, 20)
    assert process.stop(PATIENCE_S) is True
    stopped_at = process.result().iteration
    process = TrainingProcess.start(halved, replace(OPTIONS, resume=True))
    assert process.wait(PATIENCE_S)
    assert [event.iteration for event in process.follow() if isinstance(event, Eval)] == [stopped_at, *expected]
    assert halved.final_weights.read_bytes() == whole.final_weights.read_bytes()


def test_a_resumed_training_may_take_fewer_images_at_a_time(tmp_path: Path, golden: Path) -> None:
    run = make_run(tmp_path / "run", golden, 400).run
    process = TrainingProcess.start(run, OPTIONS)
    first_step(process, 5)
    assert process.stop(PATIENCE_S, hurry=True) is True
    stopped_at = process.result().iteration
    own = run.cfg.read_text()
    run.cfg.write_text(own.replace("batch=4", "batch=8"))
    with pytest.raises(FormatError, match="is 8 images a step, 4 when the run was stopped"):
        trained(run, replace(OPTIONS, resume=True, subdivisions=4))
    run.cfg.write_text(own)
    process = TrainingProcess.start(run, replace(OPTIONS, resume=True, subdivisions=4))
    assert process.wait(PATIENCE_S) and process.result().reason == "finished"
    events = list(process.follow())
    hellos = [event for event in events if isinstance(event, Hello)]
    assert [(hello.net.batch, hello.net.subdivisions) for hello in hellos] == [(4, 2), (4, 4)]
    assert hellos[1].start_iteration == stopped_at and hellos[1].memory_bytes < hellos[0].memory_bytes
    assert any(isinstance(event, Log) and "2 images at a time so far and goes on with 1" in event.text for event in events)


def test_too_little_memory_names_what_fits(tmp_path: Path, golden: Path) -> None:
    """The plan's own figures: what it says would fit does fit. An image takes about 11 MB here."""
    run = large_run(tmp_path / "run", golden, 8)
    needed = {parts: planned_mb(run, parts) for parts in (1, 2, 8)}
    assert needed[1] > needed[2] + 30 and needed[2] > needed[8] + 20
    with pytest.raises(OutOfMemoryError, match=r"subdivisions=2 \(mini-batch 4"):
        trained(run, replace(LARGE, subdivisions=1, memory_mb=(needed[1] + needed[2]) // 2))
    assert trained(run, replace(LARGE, subdivisions=2, memory_mb=(needed[1] + needed[2]) // 2)).reason == "finished"
    for parts in (1, "auto"):
        with pytest.raises(OutOfMemoryError) as caught:
            trained(run, replace(LARGE, subdivisions=parts, memory_mb=needed[8] - 5))
        found = re.search(r"a network size of (\d+)x\1 with subdivisions=8 .* would fit", str(caught.value))
        assert found is not None
    small = large_run(tmp_path / "small", golden, 8, int(found[1]))
    assert trained(small, replace(LARGE, subdivisions=8, memory_mb=needed[8] - 5)).reason == "finished"


def large_run(folder: Path, golden: Path, batch: int, side: int = 320) -> RunDir:
    """Pictures of a size at which they take memory; without held-out ones."""
    cfg = narrow_cfg(golden, 6)
    values = {"batch": str(batch), "subdivisions": "1", "width": str(side), "height": str(side)}
    images = [RunImage(path) for path in sorted((golden / "images").glob("t*.png"))]
    cfg = replace(cfg, sections=(cfg.net.with_values(values), *cfg.layers))
    return create_run(folder, cfg, read_names(golden / "obj.names"), images, []).run


def planned_mb(run: RunDir, subdivisions: int) -> int:
    process = TrainingProcess.start(run, replace(LARGE, subdivisions=subdivisions))
    assert process.wait(PATIENCE_S)
    hello = [event for event in process.follow() if isinstance(event, Hello)][-1]
    return -(-hello.memory_bytes // 1_000_000)


def trained(run: RunDir, options: TrainOptions) -> Done:
    process = TrainingProcess.start(run, options)
    assert process.wait(PATIENCE_S)
    return process.result()


def test_memory_that_runs_out_unplanned_halves_the_images_at_a_time(
    tmp_path: Path, golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system gives less than the plan was told: the program says so, and goes on with what it gets."""
    limit_memory(monkeypatch, tmp_path, 700)
    run = large_run(tmp_path / "run", golden, 64)
    assert trained(run, replace(LARGE, subdivisions=1)).reason == "finished"
    events = list(TrainingProcess.attach(run.folder).follow())
    hello = next(event for event in events if isinstance(event, Hello))
    assert (hello.net.batch, hello.net.subdivisions) == (64, 1)
    fewer = [event for event in events if isinstance(event, Smaller)]
    assert [event.mini_batch for event in fewer] == [32, 16, 8, 4, 2, 1][: len(fewer)] and fewer
    assert all(event.mini_batch * event.subdivisions == 64 for event in fewer)
    said = [event.text for event in events if isinstance(event, Log) and event.text.startswith("not enough memory for 64 images")]
    assert len(said) == 1 and said[0].endswith("the training goes on with 32")


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
    assert first.wait(60)
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
