"""Training processes with a program that only speaks the protocol: start, follow, stop, crash, attach, nothing left behind."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from darknet_bridge.errors import DarknetError, DiskError, FormatError, InternalError, LibraryError, OutOfMemoryError
from darknet_bridge.training import Done, Hello, Log, RunDir, Step, TrainingProcess, TrainOptions
from darknet_bridge.training.process import lock_holder_lives


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    native = tmp_path / "native"
    native.mkdir()
    program = native / "darknet"
    text = (Path(__file__).parent / "fake_trainer.py").read_text()
    program.write_text(f"#!{sys.executable} -IS\n" + text.split("\n", 1)[1])
    program.chmod(0o755)
    monkeypatch.setenv("DARKNET_BRIDGE_NATIVE", str(native))
    folder = tmp_path / "a run $(x)"
    folder.mkdir()
    return RunDir(folder)


def children() -> list[str]:
    """The states of this process's children; Z = zombie."""
    found = subprocess.run(["ps", "-o", "stat=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False)
    return [line for line in found.stdout.split() if line]


def test_a_whole_training(run: RunDir) -> None:
    process = TrainingProcess.start(run, TrainOptions(weights="start.weights", seed=7, subdivisions="auto", extra=("-foo",)))
    events = list(process.follow(timeout_s=20))
    assert [type(event) for event in events] == [Hello, Step, Step, Step, Done]
    assert process.wait(60) and not process.is_alive() and process.pid is None
    assert process.result().weights == "backup/net_best.weights"
    weights = Path("start.weights").absolute()
    expected = f"detector train obj.data net.cfg {weights} -map -seed 7 -subdivisions auto -foo -json -run-dir {run.folder}\n"
    assert run.log.read_text() == expected


def test_options_become_arguments() -> None:
    everything = TrainOptions(None, True, True, False, "cpu", 2, "bf16", 1, True, 4, 8000, 100)
    assert " ".join(everything.arguments()) == (
        "-resume -clear -deterministic -device cpu -threads 2 -precision bf16 -seed 1 -subdivisions 4 -memory 8000 -steps 100"
    )
    assert TrainOptions().arguments() == ["-map"]


def test_stop_by_asking(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STEPS", "100000")
    process = TrainingProcess.start(run)
    assert next(iter(process.follow()))
    assert process.stop() is True
    assert process.result().reason == "stopped"
    assert process.stop() is True, "stopping what is gone is no error"


def test_stop_escalates(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STEPS", "100000")
    monkeypatch.setenv("FAKE_STUBBORN", "1")
    process = TrainingProcess.start(run)
    next(iter(process.follow()))
    assert process.stop(timeout_s=0.1) is False
    assert not process.is_alive()
    with pytest.raises(InternalError, match="signal 15"):
        process.result()
    monkeypatch.setenv("FAKE_DEAF", "1")
    monkeypatch.setattr("darknet_bridge.training.process._TERM_TIMEOUT_S", 0.3)
    deaf = TrainingProcess.start(run)
    hellos = (event for event in deaf.follow() if isinstance(event, Hello))
    assert next(hellos) and next(hellos), "the second one's: it is deaf by now"
    assert deaf.stop(timeout_s=0.1) is False
    assert deaf.wait(20)
    with pytest.raises(InternalError, match="signal 9"):
        deaf.result()


def test_a_crash_shows_the_log_and_the_next_run_is_readable(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_END", "crash")
    process = TrainingProcess.start(run)
    list(process.follow(timeout_s=20))
    assert process.wait(60)
    with pytest.raises(InternalError, match=r"signal 9.*(?s:.)*about to crash"):
        process.result()
    monkeypatch.setenv("FAKE_END", "done")
    again = TrainingProcess.start(run)
    events = list(again.follow(timeout_s=20))
    assert [type(event) for event in events] == [Hello, Step, Step, Step, Log, Hello, Step, Step, Step, Done]
    assert isinstance(events[4], Log) and "unreadable" in events[4].text
    assert again.result().reason == "finished"


def test_a_trainer_without_a_word_does_not_have_that_of_the_one_before(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TrainingProcess.start(run).wait(20)
    silent = tmp_path / "silent" / "darknet"
    silent.parent.mkdir()
    silent.write_text("#!/bin/sh\nkill -9 $$\n")
    silent.chmod(0o755)
    monkeypatch.setenv("DARKNET_BRIDGE_NATIVE", str(silent.parent))
    process = TrainingProcess.start(run)
    assert process.wait(20) and process.last_word() is None
    with pytest.raises(InternalError, match="signal 9"):
        process.result()


@pytest.mark.parametrize(("code", "error"), [(10, FormatError), (12, OutOfMemoryError), (13, DiskError), (70, InternalError)])
def test_failures_are_raised_as_what_they_are(
    run: RunDir, monkeypatch: pytest.MonkeyPatch, code: int, error: type[DarknetError]
) -> None:
    monkeypatch.setenv("FAKE_END", f"code:{code}")
    process = TrainingProcess.start(run)
    process.wait(20)
    with pytest.raises(error, match=f"failed with {code}"):
        process.result()


def test_one_training_a_folder(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STEPS", "100000")
    process = TrainingProcess.start(run)
    next(iter(process.follow()))
    with pytest.raises(FormatError, match="at work"):
        TrainingProcess.start(run)
    with pytest.raises(FormatError, match="still at work"):
        process.result()
    process.kill()


def test_attaching_from_another_process(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """The starter dies; the training lives on, is found, followed from its first line, and stopped."""
    monkeypatch.setenv("FAKE_STEPS", "100000")
    script = (
        "import sys\nfrom pathlib import Path\nfrom darknet_bridge.training import RunDir, TrainingProcess\n"
        "p = TrainingProcess.start(RunDir(Path(sys.argv[1])))\nnext(iter(p.follow()))\nprint(p.pid)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(run.folder)], capture_output=True, text=True, check=True)
    process = TrainingProcess.attach(run.folder)
    assert process.is_alive()
    assert process.pid == int(done.stdout)
    first = [event for event, _ in zip(process.follow(), range(5), strict=False)]
    assert [type(event) for event in first] == [Hello, Step, Step, Step, Step]
    assert process.stop() is True
    assert process.result().reason == "stopped"
    assert process.pid is None


def test_attaching_to_what_ended_long_ago(run: RunDir, tmp_path: Path) -> None:
    process = TrainingProcess.start(run)
    assert process.wait(20)
    later = TrainingProcess.attach(run.folder)
    assert not later.is_alive()
    assert isinstance(list(later.follow())[-1], Done)
    assert later.result().reason == "finished"
    later.kill()
    with pytest.raises(FormatError, match=r"no events\.jsonl"):
        TrainingProcess.attach(tmp_path)


def test_an_old_pid_in_the_lock_file_is_nobody(run: RunDir) -> None:
    run.lock.write_text(f"{os.getpid()}\n")
    run.events.write_bytes(b"")
    process = TrainingProcess.attach(run.folder)
    assert not lock_holder_lives(run)
    assert process.pid is None
    process.kill()
    assert process.stop() is True


def test_following_only_what_comes(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STEPS", "100000")
    process = TrainingProcess.start(run)
    assert next(event for event in process.follow() if isinstance(event, Step)).iteration == 1
    event = next(iter(process.follow(from_start=False)))
    assert isinstance(event, Step) and event.iteration > 1
    process.kill()


def test_half_a_line_waits_for_its_other_half(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    run.events.write_bytes(b'{"event":"log","level":"info","te')
    process = TrainingProcess.attach(run.folder)
    assert list(process.follow()) == []
    with run.events.open("ab") as file:
        file.write(b'xt":"whole"}\n\n{"event":"new"}\n')
    assert list(process.follow()) == [Log("info", "whole")]


def test_no_hello_shows_the_log(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_END", "silent")
    monkeypatch.setattr("darknet_bridge.training.process.HELLO_TIMEOUT_S", 0.2)
    process = TrainingProcess.start(run)
    event = next(iter(process.follow()))
    assert isinstance(event, Log) and "no sign" in event.text
    process.kill()


def test_fifty_cycles_leave_nothing_behind(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STEPS", "100000")
    TrainingProcess.start(run).stop()
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        process = TrainingProcess.start(run)
        next(iter(process.follow(from_start=False)), None)
        assert process.stop() is True
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    if shutil.which("ps"):
        assert not [state for state in children() if state.startswith("Z")]
    assert not lock_holder_lives(run)


def test_signals_reach_the_whole_group_and_not_ours(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STEPS", "100000")
    process = TrainingProcess.start(run)
    pid = process.pid
    assert pid is not None
    assert os.getpgid(pid) == pid != os.getpgid(0)
    os.killpg(pid, signal.SIGKILL)
    assert process.wait(60)


def test_a_missing_program_and_a_missing_folder(run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DiskError, match="No such file"):
        TrainingProcess.start(RunDir(tmp_path / "none"))
    monkeypatch.setenv("DARKNET_BRIDGE_NATIVE", str(tmp_path / "empty"))
    with pytest.raises(LibraryError, match="not built"):
        TrainingProcess.start(run)
