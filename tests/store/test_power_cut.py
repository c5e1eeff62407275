"""Nothing that was acknowledged is lost in a power cut: the disk as it is in that moment is copied and started again.

The disk is a file with a file system in it. What the library did not force onto it is not in the copy. Needs to mount it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gui.store import open_store

from .conftest import fill
from .writer import Writer, lost, next_number

# As many as a test run has time for; 40 were tried by hand, see docs/benchmarks.md.
CUTS = int(os.environ.get("DARKNET_STUDIO_TEST_CUTS", "5"))
DISK_BYTES = 24 << 20


@contextmanager
def mounted(disk: Path, folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(disk), str(folder)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    made = tmp_path / "disk"
    with made.open("wb") as file:
        file.truncate(DISK_BYTES)
    try:
        subprocess.run(["mkfs.ext4", "-q", str(made)], check=True, capture_output=True)
        with mounted(made, tmp_path / "try"):
            pass
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system of its own")
    return made


def test_a_power_cut_loses_nothing(disk: Path, tmp_path: Path) -> None:
    folder, after, copy = tmp_path / "before", tmp_path / "after", tmp_path / "copy"
    chance, number, total, cuts = random.Random(7), 0, 0, 0
    with mounted(disk, folder):
        library = fill(open_store(folder / "library"))
        library.store.close()
        while cuts < CUTS or total <= CUTS:  # on a busy machine a writer says little in its time
            cuts += 1
            writer = Writer(folder / "library", library, number)
            time.sleep(chance.uniform(0.05, 0.3))
            os.kill(writer.pid, signal.SIGSTOP)
            shutil.copyfile(disk, copy)
            said = writer.kill()
            with mounted(copy, after):
                assert lost(after / "library", library, said) == 0
            total += len(said)
            number = next_number(said, number)
