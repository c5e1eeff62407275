"""The choices of the Setup step: rules, validation, what the library keeps of them, and what they cost here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from darknet_bridge.devices import Device
from darknet_bridge.training import Checkpoint, Eval, Event, Hello, NetInfo, Sample, Step
from gui.core import estimate as estimates
from gui.core.compare import differences
from gui.core.device_words import card_problem, device_names
from gui.core.errors import UserError
from gui.core.estimate import Estimate
from gui.core.prepare_run import prepare_run, read_ready
from gui.core.probe import Probe
from gui.core.review import facts, report
from gui.core.setup import (
    TINY,
    YOLOV4,
    Setup,
    Start,
    build_cfg,
    checked,
    default_setup,
    default_steps,
    on_this_computer,
    parse_size,
    parse_steps,
    recommended,
    start_problem,
    steps_hint,
    stop_problem,
    stops_text,
    thorough_steps,
)
from gui.core.training import options_for
from gui.core.workspace import Workspace
from tests.core.training_case import QUICK, labelled, nothing

CPU = Device("cpu", "AMD EPYC", 8 << 30, 4 << 30, True, "")
GPU = Device("cuda", "NVIDIA H200", 80 << 30, 79 << 30, True, "")


@pytest.mark.parametrize(("classes", "steps"), [(1, 5000), (5, 5000), (6, 6000), (50, 50_000)])
def test_the_steps_of_the_guide(classes: int, steps: int) -> None:
    assert default_steps(classes) == steps
    assert steps_hint(steps, classes) == "" and "recommended" in steps_hint(steps - 1, classes)
    assert thorough_steps(classes, 20_000) == max(20_000, 2000 * classes)


@pytest.mark.parametrize("text", ["", "0", "-5", "many", "1e4", "5000.5", "٥٠٠٠", "99999999999999"])
def test_steps_that_are_no_number(text: str) -> None:
    with pytest.raises(UserError, match="no whole number"):
        parse_steps(text)


def test_numbers_as_they_are_typed() -> None:
    assert parse_steps(" 5,000 ") == 5000
    assert parse_size("416") == 416
    with pytest.raises(UserError, match="416 is the nearest"):
        parse_size("420")


def test_what_this_computer_should_train() -> None:
    assert recommended([CPU])[0] == TINY and recommended([GPU, CPU])[0] == YOLOV4
    assert recommended([replace(GPU, usable=False), CPU])[0] == TINY
    assert default_setup([CPU]).size == 320 and default_setup([GPU]).size is None


def test_setup_survives_the_library_and_nonsense() -> None:
    setup = Setup(YOLOV4, Start.RUN, start_run=3, steps=700, size=416, anchors=tuple((float(n), 9.0) for n in range(1, 10)))
    assert Setup.from_json(setup.to_json()) == setup
    odd = {"model": "resnet", "steps": "x", "size": 100, "start": "moon", "batch": 8, "colour": 1}
    assert Setup.from_json(odd) == Setup(batch=8)


def test_the_cfg_follows_the_choices() -> None:
    cfg = build_cfg(Setup(TINY, steps=700, size=416, batch=8, flip=False, mosaic=True, random=False), 3)
    values = cfg.net.values()
    assert (values["max_batches"], values["width"], values["batch"], values["flip"], values["mosaic"]) == (
        "700",
        "416",
        "8",
        "0",
        "1",
    )
    assert cfg.classes == 3
    for wrong in ({"subdivisions": 3}, {"learning_rate": 5.0}, {"batch": 1}, {"valid_percent": 80}, {"model": "x"}):
        with pytest.raises(UserError):
            checked(Setup(**{"batch": 8, **wrong}))  # type: ignore[arg-type]


def test_a_start_that_is_not_there(tmp_path: Path) -> None:
    assert start_problem(Setup()) is None
    assert "not there" in (start_problem(Setup(start=Start.PRETRAINED, start_file=str(tmp_path / "x"))) or "")
    assert "Choose the earlier" in (start_problem(Setup(start=Start.RUN)) or "")


def test_an_estimate_is_measured_once_and_scales(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = labelled(workspace, tmp_path / "pictures")
    (workspace.folder / ".measuring-1-left").mkdir()
    first = estimates.estimate(workspace, experiment, QUICK, nothing)
    assert first.seconds_per_step > 0 and first.memory_bytes > 1 << 20 and first.weights_bytes < 1 << 20
    assert first.start_seconds > 0 and min(first.weights_seconds, first.state_seconds) >= 0
    # Of so small a network a million steps take minutes: what is done once would show before.
    assert first.seconds(2_000_000, 14, 2) == pytest.approx(2 * first.seconds(1_000_000, 14, 2), rel=0.05)
    assert not list(workspace.folder.glob(".measuring-*")), "nor what a killed window left"
    monkeypatch.setattr(estimates, "measure", lambda *_: pytest.fail("measured twice"))
    assert estimates.estimate(workspace, experiment, replace(QUICK, steps=9999), nothing) == first
    assert 1.0 < estimates.mean_area(416) < 1.6


def test_an_estimate_counts_everything_a_training_does() -> None:
    """1,000 steps of 16 images, 500 to learn from: by hand as the trainer goes."""
    nothing_else = Estimate(2.0, 0.0, 0.0, 0, 0, "CPU", 16)
    assert nothing_else.seconds(1000, 500, 50) == pytest.approx(2000)
    # mAP every max(100, 4 * 500 / 16) = 125 steps and at the end, which is one of them: 8 times 50 images.
    assert replace(nothing_else, evaluated_seconds=0.1).seconds(1000, 500, 50) == pytest.approx(2000 + 8 * 50 * 0.1)
    assert replace(nothing_else, evaluated_seconds=0.1).seconds(1000, 500, 0) == pytest.approx(2000)
    # Looks at steps 0, 10, ... 1,000 and behind the 4 evaluations of which the step is no tenth one: 105 looks, 8 images each;
    # counted as 101 + 8.
    looked = replace(nothing_else, image_seconds=0.1, look_seconds=0.2).seconds(1000, 500, 50)
    assert looked == pytest.approx(2000 + 105 * (0.2 + 8 * 0.1), rel=0.003)
    # 10 numbered ones, 10 "last" ones, at most 8 "best" ones, the final one.
    assert replace(nothing_else, weights_seconds=1.0).seconds(1000, 500, 50) == pytest.approx(2000 + 29)
    # Every 60 s, which is more often than every 100 steps, and at the end.
    assert replace(nothing_else, state_seconds=3.0).seconds(1000, 500, 50) == pytest.approx(2000 + 3 * (2000 / 60 + 1))
    assert replace(nothing_else, start_seconds=7.0).seconds(1000, 500, 50) == pytest.approx(2007)


def told_events(*events: tuple[float, str, object]) -> list[Event]:
    """(time, kind, value): hello, step (its seconds), sample, eval, or a checkpoint's kind."""
    found: list[Event] = []
    for at, kind, value in events:
        if kind == "hello":
            net = NetInfo(96, 96, 4, 1, 3)
            found.append(Hello(1, "darknet", "0", 1, "CPU", "f32", 1, 1, net, 14, 0, 9, 4, 1 << 20, at))
        elif kind == "step":
            assert isinstance(value, float)
            found.append(Step(1, 1.0, 1.0, 0.1, value, 4, None, 96, 96, 0.0, at))
        elif kind == "sample":
            found.append(Sample(1, "a.jpg", (), at))
        elif kind == "eval":
            found.append(Eval(1, 0.1, 0.5, 0, 0.1, True, (), 0.0, 0.0, 0.0, 0.0, at))
        else:
            found.append(Checkpoint(1, "a.weights", kind, at))
    return found


def test_what_a_probe_tells_of_its_parts() -> None:
    """A training whose parts take what is given here: image 0.1 s, weights ready in 0.3, evaluated image 0.2, files 0.5 and 2."""
    probe = Probe(100.0, 4)
    events = [(103.0, "hello", None), (105.4, "sample", None), (105.5, "sample", None), (105.6, "sample", None)]
    events += [(111.6, "step", 6.0), (113.6, "step", 2.0), (115.6, "step", 2.0), (116.6, "step", 1.0), (117.6, "step", 1.0)]
    events += [(118.0, "sample", None), (118.1, "sample", None), (118.2, "sample", None), (119.2, "step", 1.0)]
    events += [(120.3, "eval", None), (120.4, "sample", None), (120.5, "sample", None), (121.0, "best", None)]
    events += [(121.5, "final", None), (123.5, "state", None)]
    for event in told_events(*events):
        probe.take(event)
    found = probe.figures()
    assert (found.step, found.start) == (1.0, pytest.approx(5.6))
    expected = {"image": 0.1, "prepare": 0.3, "evaluated": 0.2, "weights": 0.5, "state": 2.0}
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected)


def test_a_probe_that_is_cut_short_takes_the_looks_for_the_evaluation() -> None:
    probe = Probe(100.0, 4)
    events = [
        (101.0, "hello", None),
        (104.0, "sample", None),
        (105.0, "sample", None),
        (106.0, "sample", None),
        (126.0, "step", 20.0),
    ]
    for event in told_events(*events):
        probe.take(event)
    found = probe.figures()
    assert (found.step, found.image, found.evaluated, found.weights) == pytest.approx((20.0, 1.0, 1.0, 0.0))


def test_a_training_may_end_by_itself() -> None:
    assert Setup().stop_at_map is None and Setup().stop_without_gain is None, "off unless somebody turns it on"
    setup = Setup(stop_at_map=75.0, stop_without_gain=5)
    assert Setup.from_json(setup.to_json()) == setup and stop_problem(setup) is None
    assert stops_text(setup) == "at 75 % mAP, or after 5 measurements without gain" and stops_text(Setup()) == ""
    assert "held-out" in (stop_problem(replace(setup, valid_percent=0)) or "")
    assert stop_problem(Setup(valid_percent=0)) is None
    wrong: tuple[dict[str, float], ...] = ({"stop_at_map": 0.0}, {"stop_at_map": 101.0}, {"stop_without_gain": 0})
    for each in wrong:
        with pytest.raises(UserError):
            checked(Setup(**each))  # type: ignore[arg-type]


def test_the_run_is_told_when_to_end(workspace: Workspace, tmp_path: Path) -> None:
    experiment = labelled(workspace, tmp_path / "pictures")
    run = prepare_run(workspace, experiment, replace(QUICK, stop_at_map=80.0, stop_without_gain=3), nothing)
    ready = read_ready(run.folder) or {}
    assert (ready["stop_at_map"], ready["stop_without_gain"]) == (80.0, 3)
    plain = read_ready(prepare_run(workspace, experiment, QUICK, nothing).folder) or {}
    assert (plain["stop_at_map"], plain["stop_without_gain"]) == (None, None)
    assert ("Ends by itself", "at 80 % mAP, or after 3 measurements without gain") in facts(report(workspace, run.id))
    with pytest.raises(UserError, match="held-out"):
        prepare_run(workspace, experiment, replace(QUICK, stop_at_map=80.0, valid_percent=0), nothing)


def test_what_the_devices_are_called() -> None:
    second = Device("cuda:1", "NVIDIA H200, compute capability 9.0", 80 << 30, 79 << 30, True, "")
    old = Device("cuda:2", "Tesla K80, compute capability 3.7", 8 << 30, 8 << 30, False, "the card is too old")
    assert device_names([CPU]) == {"cpu": "Processor (AMD EPYC)"}
    assert device_names([GPU, CPU, old]) == {"cuda": "NVIDIA H200", "cpu": "Processor (AMD EPYC)"}
    assert device_names([GPU, second]) == {"cuda": "NVIDIA H200 (cuda)", "cuda:1": "NVIDIA H200 (cuda:1)"}
    assert card_problem([CPU]) == card_problem([GPU, old, CPU]) == ""
    assert card_problem([CPU, old]) == "No graphics card is used: the card is too old."


def test_a_device_and_its_numbers_are_chosen(workspace: Workspace, tmp_path: Path) -> None:
    chosen = replace(QUICK, device="cpu", precision="f32")
    assert on_this_computer(chosen, [CPU, GPU]) == chosen
    elsewhere = replace(chosen, device="cuda:7")
    assert on_this_computer(elsewhere, [CPU, GPU]).device is None, "the library came from another computer"
    with pytest.raises(UserError, match="Numbers: “f8” is none of"):
        checked(replace(QUICK, precision="f8"))
    experiment = labelled(workspace, tmp_path / "pictures")
    run = prepare_run(workspace, experiment, chosen, nothing)
    options = options_for(run)
    assert (options.device, options.precision) == ("cpu", "f32")
    plain = prepare_run(workspace, experiment, QUICK, nothing)
    assert (options_for(plain).device, options_for(plain).precision) == (None, None)
    words = differences(run, plain)
    assert "the device (cpu → automatic)" in words and "the numbers (f32 → automatic)" in words
