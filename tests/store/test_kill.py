"""Nothing that was acknowledged is lost when the process is killed, and nothing is half there."""

from __future__ import annotations

import random
import time
from pathlib import Path

from gui.store import open_store

from .conftest import fill
from .writer import Writer, lost, next_number

KILLS = 50


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    library = fill(open_store(tmp_path))
    library.store.close()
    chance, number, total, kills = random.Random(5), 0, 0, 0
    while kills < KILLS or total <= KILLS:  # on a busy machine a writer says little in its time
        kills += 1
        writer = Writer(tmp_path, library, number)
        time.sleep(chance.uniform(0.0, 0.05))
        said = writer.kill()
        assert lost(tmp_path, library, said) == 0
        total += len(said)
        number = next_number(said, number)
