"""What is said of a run: the sentence, the words for mAP, the checkpoints, the time machine, and two runs compared."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from darknet_bridge import NormBox
from gui.core import review
from gui.core.compare import differences
from gui.core.records import (
    CheckpointFile,
    ClassScore,
    Evaluation,
    Metric,
    NewRun,
    Part,
    Run,
    RunClass,
    RunState,
    SampleBox,
    SampleShot,
    SnapshotImage,
)
from gui.core.setup import Setup
from gui.core.workspace import Workspace

CLASSES = (RunClass(0, None, "crow"),)


@pytest.fixture
def run(workspace: Workspace, dataset: int) -> Run:
    """A finished run of 5,000 steps with 100 looks at 8 samples, without a training."""
    store = workspace.store
    experiment = store.experiments.create("Birds of the park").id
    store.experiments.set_dataset(experiment, dataset, None)
    made = store.runs.add(
        NewRun(experiment, "yolov3-tiny", 5000, options=Setup().to_json(), classes=CLASSES), workspace.run_folder
    )
    store.runs.set_started(made.id, 1000.0)
    store.runs.add_metrics(made.id, [Metric(step, 9.0, 9.0, 0.001, 0.7) for step in range(1, 5001)])
    for step, score in ((1000, 0.3), (3000, 0.8), (5000, 0.7)):
        store.runs.add_evaluation(made.id, Evaluation(step, score, 0.5, 0.5, 0.5, 0.5, (ClassScore(0, "crow", score, 1, 1, 2),)))
        path = made.folder / "backup" / f"net_{step}.weights"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        store.runs.add_checkpoint(made.id, CheckpointFile(step, path, "numbered", score))
    box = SampleBox(0, "crow", 0.9, NormBox(0.5, 0.5, 0.2, 0.2))
    for step in range(0, 5001, 50):
        shots = [SampleShot(step, made.folder / "JPEGImages" / f"{n:06d}.jpg", (box,) * 40) for n in range(8)]
        store.runs.add_samples(made.id, shots)
    store.runs.set_progress(made.id, 5000, 3600.0)
    store.runs.set_best(made.id, 0.8, 3000)
    store.runs.set_state(made.id, RunState.FINISHED)
    return store.runs.get(made.id)


def test_the_sentence_has_real_values(workspace: Workspace, run: Run) -> None:
    found = review.report(workspace, run.id)
    assert review.headline(found) == "Hooray! Your training ran for 5,000 steps and took an hour. Trained with the Birds dataset."
    assert ("Best mAP@0.50", "80.0 % at step 3,000") in review.facts(found)
    stopped = replace(found, run=replace(run, state=RunState.STOPPED, done_steps=37))
    assert "ran for 37 steps" in review.headline(stopped)


def test_the_best_checkpoint_is_preselected(workspace: Workspace, run: Run) -> None:
    found = review.report(workspace, run.id)
    assert found.selected is not None and review.checkpoint_line(found, found.selected) == "Step 3,000 – mAP 80.0 % (best)"
    review.select(workspace, run.id, 5000)
    found = review.report(workspace, run.id)
    assert found.selected is not None and review.checkpoint_line(found, found.selected) == "Step 5,000 – mAP 70.0 %"
    found.selected.path.unlink()
    found = review.report(workspace, run.id)
    assert found.selected is not None and found.selected.step == 3000, "a file that is gone is never used"


def test_any_step_in_a_tenth_of_a_second(workspace: Workspace, run: Run) -> None:
    found = review.report(workspace, run.id)
    assert found.sample_steps[:2] == (0, 50)
    times = []
    for step in (0, 49, 777, 2500, 5000):
        start = time.thread_time()
        shots = review.shots_at(workspace, found, step)
        times.append(time.thread_time() - start)
        assert len(shots) == 8 and shots[0].step == step // 50 * 50
    assert max(times) < 0.1
    assert found.map_at(2999) == 0.3 and found.map_at(10) is None


def test_words() -> None:
    assert [review.map_word(score) for score in (None, 0.2, 0.5, 0.749, 0.75)] == [
        "not measured yet",
        "weak",
        "fair",
        "fair",
        "good",
    ]
    said = [review.duration(seconds) for seconds in (0.2, 1, 40, 720, 3600, 11_400, 86_400 * 3)]
    assert said == ["1 second", "1 second", "40 seconds", "12 minutes", "an hour", "3 hours and 10 minutes", "3 days"]
    assert review.remaining(1920) == "32 minutes remaining"


def test_a_training_that_was_never_measured_says_why() -> None:
    run = Run(1, 1, 1, RunState.STOPPED, "yolov3-tiny", Path("/x"), 0.0, 400, done_steps=18, images_train=13, images_valid=1)
    assert "before mAP was measured" in review.why_unmeasured(run)
    assert "held out" in review.why_unmeasured(replace(run, images_valid=0))


def test_overfitting_is_said(workspace: Workspace, run: Run) -> None:
    found = review.report(workspace, run.id)
    assert review.overfitting_note(found.evaluations) == ""
    worse = [replace(found.evaluations[-1], step=5000 + n, map=0.6) for n in range(1, 3)]
    assert "best at step 3,000" in review.overfitting_note([*found.evaluations, *worse])
    assert review.early_note(found, 100) and not review.early_note(found, 600)


def test_differences_in_one_sentence(run: Run) -> None:
    other = replace(run, number=2, total_steps=6000, options=Setup(size=416).to_json())
    assert (
        differences(run, other)
        == "Training 2 differs from training 1 in steps (5,000 → 6,000) and the network size (automatic → 416)."
    )
    box = ((0, NormBox(0.5, 0.5, 0.1, 0.1)),)
    before = [SnapshotImage(1, "a", Part.TRAIN, box), SnapshotImage(2, "b", Part.TRAIN, box)]
    after = [
        SnapshotImage(2, "b", Part.TRAIN, ()),
        SnapshotImage(3, "c", Part.TRAIN, box),
        SnapshotImage(4, "d", Part.TRAIN, box),
    ]
    said = differences(run, replace(run, number=2), before, after)
    assert said == "Training 2 has other data: 2 images were added, 1 image was taken out, 1 image was changed."
    assert "exactly like" in differences(run, replace(run, number=2))
    park = replace(run, classes=(RunClass(0, 1, "crow"), RunClass(1, 2, "owl")))
    zoo = replace(run, number=2, classes=(RunClass(0, 1, "raven"), RunClass(1, 3, "duck"), RunClass(2, 4, "goose")))
    said = differences(park, zoo)
    assert "categories duck, goose added, category owl taken out and category crow → raven renamed" in said
    more = replace(run, number=2, parent_id=run.id, total_steps=6000)
    assert differences(run, more) == "Training 2 continues training 1 with the same images for 1,000 steps more."


def test_the_log(run: Run, tmp_path: Path) -> None:
    assert review.log_text(run) == "There is no log yet."
    (run.folder / "train.log").write_text("loading\n")
    assert review.log_text(run) == "loading\n"


def test_a_step_of_the_time_machine_as_the_model(workspace: Workspace, run: Run) -> None:
    """Checkpoints are kept every 500 steps here, so half of that is near."""
    found = review.report(workspace, run.id)
    near = review.checkpoint_near(found, 1200)
    assert near is not None and near.step == 1000 and review.why_not_used(found, 1200) is None
    assert review.checkpoint_near(found, 1800) is None
    assert review.why_not_used(found, 1800) == "No checkpoint was kept near step 1,800; the nearest is of step 1,000."
    assert "already" in (review.why_not_used(found, 2990) or ""), "the best one is selected unless another is chosen"
    running = replace(found, run=replace(found.run, state=RunState.RUNNING))
    assert "has ended" in (review.why_not_used(running, 1200) or "")
    assert "No checkpoint" in (review.why_not_used(replace(found, checkpoints=()), 1200) or "")


def test_the_end_is_told(run: Run) -> None:
    told = review.ended_notice("Birds", run)
    assert told == ("The training of “Birds” has finished. Best mAP: 80 %.", "success")
    full = replace(run, state=RunState.PAUSED, reason="Disk problem: full.")
    assert review.ended_notice("Birds", full) == ("The training of “Birds” is paused. Disk problem: full.", "warning")
    for mine in (replace(run, state=RunState.STOPPED), replace(run, state=RunState.PAUSED, reason="You paused it.")):
        assert review.ended_notice("Birds", mine) is None, "what the user just did is no news"


def test_a_training_that_says_nothing() -> None:
    assert review.silence_note(59, 1.0) == "" and review.silence_note(100, 10.0) == "", "slow steps are quiet longer"
    said = review.silence_note(300, 2.0)
    assert "for 5 minutes, though a step took 2 seconds" in said and "last checkpoint is kept" in said
    assert review.silence_note(100, 0.0) == "" and "for 3 minutes." in review.silence_note(180, 0.0)
