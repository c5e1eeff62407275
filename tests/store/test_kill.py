"""Nothing that was acknowledged is lost when the process is killed, and nothing is half there."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from pathlib import Path

from darknet_bridge import NormBox
from gui.core.records import Box
from gui.store import open_store

from .conftest import Library, fill

KILLS = 50
READY = "ready\n"


def submit_for_ever(folder: Path, library: Library, number: int, told: int) -> None:
    """In the process to be killed. Writes "image revision boxes number" to the pipe after each commit.

    Every submission has 1 + number % 20 boxes, each marked with its number.
    """
    annotations = open_store(folder).annotations
    os.write(told, READY.encode())
    while True:
        image = library.images[number % len(library.images)]
        boxes = [Box(library.crow, NormBox(number, index, 0.1, 0.1)) for index in range(1 + number % 20)]
        annotations.save_draft(library.group, image, boxes[:1])
        done = annotations.submit(library.group, image, boxes, annotations.get(library.group, image).revision)
        os.write(told, f"{image} {done.revision} {len(boxes)} {number}\n".encode())
        number += 1


def killed_after(seconds: float, folder: Path, library: Library, number: int) -> list[tuple[int, ...]]:
    """Starts a writer, kills it that long after its first word, and returns what it acknowledged."""
    reader, told = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=submit_for_ever, args=(folder, library, number, told))
    process.start()
    os.close(told)
    with os.fdopen(reader, encoding="ascii") as pipe:
        assert pipe.readline() == READY
        time.sleep(seconds)
        process.kill()
        lines = pipe.read().splitlines(keepends=True)
    process.join()
    process.close()
    # A line cut off in the middle was not said.
    return [tuple(map(int, line.split())) for line in lines if line.endswith("\n")]


def check(folder: Path, library: Library, said: list[tuple[int, ...]]) -> None:
    store = open_store(folder)
    newest = {image: (revision, boxes, number) for image, revision, boxes, number in said}
    for image in library.images:
        found = store.annotations.get(library.group, image)
        marks = [int(box.box.cx) for box in found.submitted]
        if found.revision:
            assert marks == [marks[0]] * (1 + marks[0] % 20)
        if image in newest:
            revision, boxes, number = newest[image]
            # One more may have been committed without being told any more.
            assert found.revision in (revision, revision + 1)
            assert found.revision > revision or marks == [number] * boxes
    assert store.quick_check() == []
    store.close()


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    library = fill(open_store(tmp_path))
    library.store.close()
    chance, number, total = random.Random(5), 0, 0
    for _ in range(KILLS):
        said = killed_after(chance.uniform(0.0, 0.05), tmp_path, library, number)
        check(tmp_path, library, said)
        total += len(said)
        number = max([number, *(line[3] for line in said)]) + 1
    assert total > KILLS
