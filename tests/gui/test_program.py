"""The program as it is started: a window of its own process, with real keys of the X server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

WAIT_S = 120.0


def until(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"it did not happen within {WAIT_S} s: {what}")
        time.sleep(0.1)


class Program:
    """One run of darknet-studio on a library, with its event log."""

    def __init__(self, folder: Path, display: str) -> None:
        self.library, self.log = folder / "library", folder / "events.jsonl"
        environment = {**os.environ, "DARKNET_STUDIO_EVENT_LOG": str(self.log), "HOME": str(folder / "home"), "DISPLAY": display}
        self.display = display
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gui", "--library", str(self.library)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )

    def events(self, name: str) -> list[dict[str, object]]:
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def xdotool(self, *words: str) -> str:
        environment = {**os.environ, "DISPLAY": self.display}
        return subprocess.run(["xdotool", *words], check=True, capture_output=True, text=True, env=environment).stdout

    def keys(self, *names: str) -> None:
        self.xdotool("key", "--delay", "60", *names)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def program(own_display: str, tmp_path: Path) -> Iterator[Callable[[], Program]]:
    if shutil.which("xdotool") is None:
        pytest.skip("real keys need xdotool (Debian and Ubuntu: xdotool)")
    started: list[Program] = []

    def start() -> Program:
        started.append(Program(tmp_path, own_display))
        until("the start page", lambda: started[-1].events("screen"))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def test_start_name_an_experiment_and_quit(program: Callable[[], Program], tmp_path: Path) -> None:
    run = program()
    window = run.xdotool("search", "--name", "^Darknet Studio").split()[0]
    run.xdotool("windowfocus", "--sync", window)
    run.keys("ctrl+n")
    until("the form", lambda: len(run.events("screen")) >= 2)
    run.xdotool("type", "--delay", "40", "Garden birds")
    run.keys("Return")
    until("the first step", lambda: any(event["name"] == "dataset" for event in run.events("screen")))
    run.keys("ctrl+q")
    _out, said = run.process.communicate(timeout=WAIT_S)
    assert run.process.returncode == 0, said
    assert "Traceback" not in said
    assert run.events("error") == []
    assert not (tmp_path / "home" / ".local").exists(), "--library writes nothing elsewhere"
    from gui.core.workspace import Workspace

    workspace = Workspace.open(run.library)
    assert [each.name for each in workspace.store.experiments.list()] == ["Garden birds"]
    workspace.close()


def test_killed_and_started_again(program: Callable[[], Program]) -> None:
    first = program()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait(60)
    first.log.unlink()
    second = program()
    assert second.events("error") == []


def test_no_display_is_a_sentence(tmp_path: Path) -> None:
    environment = {**os.environ, "DISPLAY": ":4242"}
    done = subprocess.run(
        [sys.executable, "-m", "gui", "--library", str(tmp_path / "library")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("darknet-studio: The window can't be opened") and "Traceback" not in done.stderr
