"""Nothing leaves the computer: what sockets the programs open, as the kernel is asked for them (strace).

Python's own hooks would not see what C++ or Tk open, so the whole tree of processes is watched from outside.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from darknet_bridge.samples import render_samples

from .window import ROOT, Window, own_display

_FAMILY = re.compile(r"\b(?:socket|socketpair)\(([A-Z0-9_]+)")
_ADDRESS = re.compile(r"\b(?:connect|bind|sendto|sendmsg)\(.*?sa_family=([A-Z0-9_]+)(?:, sun_path=@?\"([^\"]*)\")?")
# Of this computer: the X server; nscd, which glibc asks for the user's name; D-Bus, to stay awake while a training runs.
LOCAL = re.compile(r"/tmp/\.X11-unix/X\d+|/(?:var/)?run/(?:nscd/socket|dbus/system_bus_socket)")


class Watch:
    """Runs programs under strace with everything they start; `seen` is all of them together."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "sockets.txt"
        self.prefix = ["strace", "-f", "-qq", "-A", "-e", "trace=%network", "-e", "signal=none", "-o", str(self._log)]

    def seen(self) -> tuple[set[str], set[str]]:
        """(families of sockets and addresses, local paths)."""
        text = self._log.read_text("utf-8", "replace")
        addresses = _ADDRESS.findall(text)
        families = {*_FAMILY.findall(text), *(family for family, _path in addresses)}
        return families, {path for _family, path in addresses if path}


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    if shutil.which("strace") is None:
        pytest.skip("sockets are watched with strace (Debian and Ubuntu: strace)")
    made = Watch(tmp_path)
    tried = subprocess.run([*made.prefix, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"strace may not watch processes here: {tried.stderr.strip()}")
    return made


@pytest.fixture
def window(tmp_path: Path, watch: Watch) -> Iterator[Window]:
    with own_display(tmp_path) as display:
        made = Window(tmp_path, display, watch.prefix)
        yield made
        made.close()


def test_a_connection_would_be_seen(watch: Watch) -> None:
    """Of a grandchild, to a port where nobody listens."""
    connect = "import socket; socket.socket().connect_ex(('127.0.0.1', 9)); socket.socket(socket.AF_INET6)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {connect!r}])"
    subprocess.run([*watch.prefix, sys.executable, "-c", nested], check=True)
    families, _paths = watch.seen()
    assert {"AF_INET", "AF_INET6"} <= families


def test_commands_open_no_socket(watch: Watch, tmp_path: Path) -> None:
    pictures, model = tmp_path / "pictures", tmp_path / "model"
    render_samples(pictures, train=20, valid=4, size_px=96)
    setup = ("--model", "yolov3-tiny", "--size", "64", "--batch", "2", "--steps", "12")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path / "home"), "DISPLAY": ""}
    for words in (
        ("import", str(pictures), "--dataset", "Forest"),
        ("annotate", "Forest", str(pictures)),
        ("train", "Forest", *setup, "--experiment", "First"),
        ("status",),
        ("export", "First", str(model)),
    ):
        command = [*watch.prefix, sys.executable, "-m", "gui", "--library", str(tmp_path / "library"), *words]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
    assert (model / "net.weights").is_file()
    families, paths = watch.seen()
    assert families <= {"AF_UNIX"}
    assert [path for path in paths if not LOCAL.fullmatch(path)] == []


def test_the_window_talks_to_the_x_server_only(window: Window, watch: Watch) -> None:
    window.start()
    window.keys("ctrl+n")
    window.sees("Create Experiment", "Button", enabled=True)
    window.type("Quiet")
    window.keys("Return")
    window.sees("Select a Dataset")
    window.click("Add images", "Button")
    window.click("Sample set with labels", "entry")
    window.until("the sample set", lambda: window.find("Next", "Button", enabled=True))
    window.click("Next", "Button")
    window.click("Edit Annotation Group", "Button")
    window.sees("All your changes are saved")
    window.keys("space")
    window.until("a submission", lambda: window.events("saved"))
    window.click("Close", "Button")
    window.click("Next", "Button")
    window.sees("START FROM")
    window.keys("ctrl+comma")
    window.sees("This computer")
    window.keys("ctrl+q")
    assert window.process is not None and window.process.wait(60) == 0
    families, paths = watch.seen()
    assert families == {"AF_UNIX"}
    assert any(path.startswith("/tmp/.X11-unix/") for path in paths), "the X server was seen"
    assert [path for path in paths if not LOCAL.fullmatch(path)] == []
