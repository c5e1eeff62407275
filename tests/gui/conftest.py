"""A display and the one root that the toolkit allows in a process. Without a display of the machine, a virtual one is started."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """Always a virtual one, so that tests move no pointer of a person and pictures come out alike."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("Xvfb is not installed: the window is not tested here")
    reading, writing = os.pipe()
    argv = [program, "-displayfd", str(writing), "-screen", "0", "1440x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(argv, pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = f":{number}"
    yield os.environ["DISPLAY"]
    if before is None:
        del os.environ["DISPLAY"]
    else:
        os.environ["DISPLAY"] = before
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="session")
def root(display: str) -> Iterator[Any]:
    import ttkbootstrap as boot

    made = boot.App()
    made.geometry("1440x900+0+0")
    made.update()
    yield made
    made.destroy()


@pytest.fixture(scope="session")
def theme(root: Any) -> Any:
    from gui.tk.theme import Theme

    return Theme(root)
