"""Setup, Training and Review with real events: choices, the start, the time machine, stopping, exporting, continuing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PilImage

from darknet_bridge.devices import Device, list_devices
from darknet_bridge.training import RunDir, TrainingProcess
from gui.core import estimate
from gui.core.estimate import Estimate
from gui.core.records import NewRun, RunClass, RunState
from gui.core.setup import TINY, YOLOV4, Setup, Start
from gui.screens.training.saving import write_film
from gui.widgets.controls import SearchField
from gui.widgets.file_list import FileList
from tests.core.training_case import QUICK, labelled
from tests.gui.drive import button, click, texts, walk

Turn = Callable[..., None]


@pytest.fixture
def app(open_app: Callable[..., Any], tmp_path: Path) -> Any:
    """With an experiment of a narrow network that trains in a second."""
    made = open_app()
    store = made.workspace.store

    def fill() -> int:
        experiment = labelled(made.workspace, tmp_path / "pictures")
        store.experiments.set_setup(experiment, QUICK.to_json())
        return experiment

    made.experiment = made.tasks.run_store(fill)
    yield made
    for run in made.tasks.run_store(lambda: store.runs.list()) if made.shell.winfo_exists() else ():
        if RunDir(run.folder).events.exists():
            TrainingProcess.attach(run.folder).kill()


def show(app: Any, turn: Turn, name: str) -> Any:
    app.router.show(name, experiment_id=app.experiment)
    screen = app.router.current
    turn(lambda: screen.winfo_viewable() and (getattr(screen, "loaded", None) or getattr(screen, "report", None)), name)
    return screen


def runs(app: Any) -> list[Any]:
    return list(app.tasks.run_store(lambda: app.workspace.store.runs.list(app.experiment)))


def trained(app: Any, turn: Turn) -> Any:
    """Through Setup to the end of a training."""
    screen = show(app, turn, "setup")
    turn(lambda: screen.next_reason() is None, "Start Training can be pressed")
    click(button(screen, "Start Training"))
    turn(lambda: app.router.current_id == "training", "the step Training")
    training = app.router.current
    turn(lambda: training.report is not None and training.report.run.state is RunState.FINISHED, "the end of the training")
    return training


def test_choices_are_stored_and_checked(app: Any, turn: Turn) -> None:
    screen = show(app, turn, "setup")
    turn(lambda: "About" in screen.time_label.cget("text"), "the estimate")
    assert "Training Options" in texts(screen) and "YOLOv4" not in screen.model.get()
    assert any(finding.id == "few" for finding in screen.findings.findings)
    screen.steps_text.set("0")
    assert "no whole number" in (screen.next_reason() or "") and button(screen, "Start Training").instate(["disabled"])
    screen.steps_text.set("40")
    turn(lambda: screen.next_reason() is None)
    assert "Fewer than the 5,000 steps" in screen.steps_note.cget("text")
    click(button(screen, "Recommended"))
    assert screen.steps_text.get() == "5,000"
    stored = app.tasks.run_store(lambda: app.workspace.store.experiments.get(app.experiment).setup)
    assert stored["steps"] == 5000
    assert "Scratch" not in screen.why_model.cget("text") and screen.start_card.scratch_note.winfo_manager()


def test_a_finding_leads_to_its_image(app: Any, turn: Turn) -> None:
    screen = show(app, turn, "setup")
    turn(lambda: any(finding.id == "few" for finding in screen.findings.findings), "the check")
    finding = next(each for each in screen.findings.findings if each.id == "few")
    wanted = sum(min(6, len(each.images)) for each in screen.findings.findings)
    turn(lambda: len(screen.findings._photos) == wanted >= 18, "six pictures of each of the three categories at least")
    click(button(screen.findings, "Annotate more"))
    turn(lambda: app.router.current_id == "editor" and app.router.current.image_id == finding.images[0], "the editor")


def test_from_start_to_review(app: Any, turn: Turn, tmp_path: Path) -> None:
    training = trained(app, turn)
    turn(lambda: training.samples.label.cget("text").startswith("Example 1/8"), "the samples")
    turn(lambda: any(text == "Finished" for text in texts(training.panel)), "the state")
    assert "12/12" in texts(training.panel)
    training.show_step(4)
    turn(lambda: training.samples.shots and training.samples.shots[0].step == 4, "the time machine")
    assert training.step_label.cget("text") == "Step 4"
    click(button(training, "Use step 4 as the model"))
    turn(lambda: training.report.selected.step == 4, "step 4 is the model")
    assert "already" in training.choice.note.cget("text") and training.choice.button.instate(["disabled"])
    app.tasks.run_store(lambda: app.workspace.store.runs.select(training.report.run.id, None))
    write_film(training, training.report, training.samples.shot, training.samples.colours, tmp_path / "film.gif")
    turn(lambda: "Saved film.gif." in texts(app.root), "the film")
    with PilImage.open(tmp_path / "film.gif") as film:
        assert getattr(film, "n_frames", 1) == 13, "a picture for each look: steps 0 to 12"
    click(button(training, "Next"))
    turn(lambda: app.router.current_id == "review")
    review = app.router.current
    turn(lambda: review.report is not None)
    assert "Hooray! Your training ran for 12 steps" in review.sentence.cget("text")
    assert "(best)" in review.checkpoint.cget("text") and "ladybird" in texts(review.scores)
    review.exporting.write(tmp_path / "model.zip")
    turn(lambda: (tmp_path / "model.zip").exists(), "the export")
    turn(lambda: any("exported" in text for text in texts(app.root)), "what was exported")
    click(button(app.root, "Close"))
    click(button(review, "Delete this training"))
    turn(lambda: any("is deleted with" in text for text in texts(app.root)), "the question")
    click(button(app.root, "Delete"))
    turn(lambda: "Nothing to review yet" in texts(review) and not runs(app), "it is gone")
    click(button(app.root, "Undo"))
    turn(lambda: review.report is not None and review.report.run.number == 1, "it is back")


def test_stopping_and_continuing(app: Any, turn: Turn) -> None:
    setup = {**QUICK.to_json(), "steps": 100_000}  # the first tenth must not be over before it is looked at
    app.tasks.run_store(lambda: app.workspace.store.experiments.set_setup(app.experiment, setup))
    screen = show(app, turn, "setup")
    turn(lambda: screen.next_reason() is None)
    click(button(screen, "Start Training"))
    turn(lambda: app.router.current_id == "training")
    training = app.router.current
    turn(lambda: training.report is not None and training.report.run.done_steps > 5, "some steps")
    assert "Training in progress!" in texts(training) and "many boxes" in training.note_label.cget("text").lower()
    assert "ended" in (training.next_reason() or "")
    training._stop(False)
    turn(lambda: training.report.run.state is RunState.STOPPED, "the stop")
    turn(lambda: button(training, "Resume"))
    run = training.report.run
    app.router.show("review", experiment_id=app.experiment)
    review = app.router.current
    turn(lambda: review.report is not None)
    review._continue(run.id, 10)
    turn(lambda: app.router.current_id == "training" and len(runs(app)) == 2, "the continued run")
    turn(lambda: runs(app)[1].state is RunState.FINISHED, "its end")
    assert runs(app)[1].total_steps == run.done_steps + 10


def test_the_event_log_tells_what_happened(app: Any, turn: Turn) -> None:
    trained(app, turn)
    names = {json.loads(line)["event"] for line in app.events()}
    assert {"screen", "stopped"} <= names


def test_both_models_measured_show_their_ratio(app: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only figures of this computer are shown, and the model that was not chosen is measured on request only."""
    measured: list[str] = []

    def measure(_data: object, setup: Setup, _progress: object, _where: object) -> Estimate:
        measured.append(setup.model)
        return Estimate(9.0 if setup.model == YOLOV4 else 1.0, 0.0, 0.0, 1 << 30, 1 << 20, "CPU", 16)

    monkeypatch.setattr(estimate, "measure", measure)
    values = Setup(TINY, steps=1000, size=320, batch=16).to_json()
    app.tasks.run_store(lambda: app.workspace.store.experiments.set_setup(app.experiment, values))
    screen = show(app, turn, "setup")
    turn(lambda: screen.cards.text_of(TINY), "the time of the chosen model")
    assert screen.cards.text_of(TINY) == "About 17 minutes here for 1,000 steps." and not screen.cards.text_of(YOLOV4)
    assert measured == [TINY]
    click(button(screen.cards, "Measure the time"))
    turn(lambda: screen.cards.text_of(YOLOV4).startswith("About 2 hours and 30 minutes"), "the other model's time")
    assert "About 9 times as fast to train on this computer as YOLOv4 at these choices." in screen.cards.text_of(TINY)
    screen.steps_text.set("2,000")
    turn(lambda: "2,000 steps" in screen.cards.text_of(YOLOV4), "more steps scale")
    screen.advanced.side.set("416")
    assert not screen.cards.text_of(YOLOV4), "other choices were not measured"
    turn(lambda: measured[-1] == TINY and len(measured) == 3, "the chosen model is measured by itself")


def test_a_training_that_ends_by_itself_is_chosen_among_the_advanced_options(app: Any, turn: Turn) -> None:
    screen = show(app, turn, "setup")
    turn(lambda: screen.next_reason() is None)
    click(screen.advanced.toggle)
    advanced = screen.advanced
    assert advanced.map_percent.get() == "75" and advanced.stop_fields[0].instate(["disabled"])
    advanced.at_map.set(True)
    advanced._switched()
    assert screen.setup.stop_at_map == 75.0 and screen.setup.stop_without_gain is None
    advanced.map_percent.set("a lot")
    assert "no number" in advanced.problem.cget("text") and screen.setup.stop_at_map == 75.0
    advanced.map_percent.set("80")
    advanced.held.set("0")
    assert "held-out images" in (screen.next_reason() or "")


def test_the_device_is_chosen_among_the_advanced_options(app: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Device("cuda:0", "NVIDIA H200, compute capability 9.0", 139 << 30, 138 << 30, True, "")
    monkeypatch.setattr("gui.screens.setup.reading.list_devices", lambda: [card, *list_devices()])
    screen = show(app, turn, "setup")
    advanced = screen.advanced
    turn(lambda: len(advanced.device_field.cget("values")) == 3, "automatic, the card and the processor")
    assert advanced.device.get() == advanced.numbers.get() == "automatic"
    advanced.device.set("NVIDIA H200")
    advanced.numbers.set("32 bit, exact")
    assert (screen.setup.device, screen.setup.precision) == ("cuda:0", "f32")
    advanced.device.set("automatic")
    assert screen.setup.device is None


def test_a_choice_is_newer_than_what_was_read_meanwhile(app: Any, turn: Turn) -> None:
    screen = show(app, turn, "setup")
    turn(lambda: screen.loaded is not None, "the first reading")
    before = screen.loaded
    screen.on_changes(frozenset({"runs"}))
    screen.advanced.rate.set("0.0001")
    turn(lambda: screen.loaded is not before, "what was read before the choice")
    assert screen.setup.learning_rate == 0.0001 and screen.advanced.rate.get() == "0.0001"


def test_the_status_line_says_why_no_card_is_used(app: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Device("cuda:0", "NVIDIA H200", 139 << 30, 0, False, "libcudnn.so.9 was not found")
    monkeypatch.setattr("gui.app.devices.list_devices", lambda: [*list_devices()[:1], broken])
    app._show_devices()
    expected = "No graphics card is used: libcudnn.so.9 was not found."
    turn(lambda: app.shell.status.get("card") == expected, "the reason in the status line")


def test_an_earlier_training_is_found_by_searching(app: Any, turn: Turn) -> None:
    screen = show(app, turn, "setup")
    assert screen.start_card.run_button.instate(["disabled"]) and "No training has ended yet." in texts(screen)
    store = app.workspace.store

    def ended(name: str, model: str, classes: tuple[str, ...], best: float | None) -> int:
        experiment = store.experiments.create(name).id
        named = tuple(RunClass(index, None, each) for index, each in enumerate(classes))
        run = store.runs.add(NewRun(experiment, model, 500, classes=named), app.workspace.run_folder)
        store.runs.set_progress(run.id, 500, 60.0)
        store.runs.set_best(run.id, best, 500)
        store.runs.set_state(run.id, RunState.FINISHED)
        return int(run.id)

    app.tasks.run_store(lambda: ended("Ranch", YOLOV4, ("cow", "horse"), None))
    park = app.tasks.run_store(lambda: ended("Park", TINY, ("ladybird", "owl"), 0.81))
    app.workspace.changes.publish("runs")
    turn(lambda: not screen.start_card.run_button.instate(["disabled"]), "the trainings can be chosen")
    click(button(screen, "Choose training…"))
    listed = next(each for each in walk(app.root) if isinstance(each, FileList))
    assert [(each.name, each.detail) for each in listed.entries] == [
        ("Park, training 1: YOLOv3-Tiny, 500 steps", "ladybird, owl – mAP 81 %"),
        ("Ranch, training 1: YOLOv4, 500 steps", "cow, horse – mAP not measured"),
    ]
    assert button(app.root, "Start from this one").instate(["disabled"])
    search = [each for each in walk(app.root) if isinstance(each, SearchField)][-1]  # the first one is the column's
    search._variable.set("owl tiny")
    assert [each.id for each in listed.entries] == [park]
    click(listed.canvas, 60, 10)
    click(button(app.root, "Start from this one"))
    assert (screen.setup.start, screen.setup.start_run) == (Start.RUN, park)
    turn(lambda: "Park, training 1" in screen.start_card.run_label.cget("text"))
    app.tasks.run_store(lambda: store.experiments.set_setup(app.experiment, {**screen.setup.to_json(), "model": TINY}))
    screen.load(experiment_id=app.experiment)
    turn(lambda: "Known already: ladybird." in screen.start_card.kept_note.cget("text"), "what is kept")


def test_the_end_is_told_on_another_screen(app: Any, turn: Turn) -> None:
    screen = show(app, turn, "setup")
    turn(lambda: screen.next_reason() is None, "Start Training can be pressed")
    click(button(screen, "Start Training"))
    turn(lambda: app.router.current_id == "training", "the step Training")
    app.router.show("settings")
    turn(lambda: any("has finished" in text for text in app.toasts.texts), "the message")
    click(button(app.root, "Review"))
    turn(lambda: app.router.current_id == "review", "the way there")


def test_a_silent_training_is_told(app: Any, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {**QUICK.to_json(), "steps": 100_000}
    app.tasks.run_store(lambda: app.workspace.store.experiments.set_setup(app.experiment, values))
    screen = show(app, turn, "setup")
    turn(lambda: screen.next_reason() is None)
    click(button(screen, "Start Training"))
    turn(lambda: app.router.current_id == "training")
    training = app.router.current
    turn(lambda: training.report is not None and training.report.run.done_steps > 2, "some steps")
    process = TrainingProcess.attach(training.report.run.folder)
    assert process.pid is not None
    monkeypatch.setattr("gui.core.review.LONG_SILENCE_S", 0.5)
    os.kill(process.pid, signal.SIGSTOP)
    turn(lambda: "Nothing was heard from the training" in training.note_label.cget("text"), "the note")
    assert "Silent" in texts(training.panel)
    os.kill(process.pid, signal.SIGCONT)
    turn(lambda: "Nothing was heard" not in training.note_label.cget("text"), "it goes on")
    training._stop(False)
    turn(lambda: training.report.run.state is RunState.STOPPED, "the stop")
