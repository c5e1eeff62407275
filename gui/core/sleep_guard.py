"""Keeps the computer from falling asleep while a trainer lives, where the system has a way to ask for that."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from contextlib import suppress


def keep_awake(pid: int) -> bool:
    """Until the process is gone. False where the system can't be asked; the training then pauses with the computer."""
    if sys.platform == "darwin":
        command = ["caffeinate", "-i", "-w", str(pid)]
    else:
        command = ["systemd-inhibit", "--what=sleep:idle", "--who=Darknet Studio", "--why=A network is being trained"]
        command += ["--mode=block", "tail", f"--pid={pid}", "-f", "/dev/null"]
    if shutil.which(command[0]) is None:
        return False
    with suppress(OSError):
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        _reap(child)
        return True
    return False


def _reap(child: subprocess.Popen[bytes]) -> None:
    """So that it never stays behind as a zombie."""
    threading.Thread(target=child.wait, name=f"wait-{child.pid}", daemon=True).start()
