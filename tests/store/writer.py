"""A process that submits boxes until it is ended, and what must be in the library then. For test_kill and test_power_cut."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

from darknet_bridge import NormBox
from gui.core.records import Box
from gui.store import open_store

from .conftest import Library

READY = "ready\n"
Said = list[tuple[int, ...]]


def submit_for_ever(folder: Path, library: Library, number: int, told: int) -> None:
    """In the process. Writes "image revision boxes number" to the pipe after each commit.

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


class Writer:
    """Runs when built."""

    def __init__(self, folder: Path, library: Library, number: int) -> None:
        reader, told = os.pipe()
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=submit_for_ever, args=(folder, library, number, told))
        self.process.start()
        os.close(told)
        self._pipe = os.fdopen(reader, encoding="ascii")
        assert self._pipe.readline() == READY

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> Said:
        """Ends it at once. Returns what it acknowledged: (image, revision, boxes, number)."""
        self.process.kill()
        with self._pipe as pipe:
            lines = pipe.read().splitlines(keepends=True)
        self.process.join()
        self.process.close()
        # A line cut off in the middle was not said.
        return [tuple(map(int, line.split())) for line in lines if line.endswith("\n")]


def lost(folder: Path, library: Library, said: Said) -> int:
    """How many acknowledged submissions are not in the library. Asserts that each is whole and the file sound."""
    store = open_store(folder)
    newest = {image: (revision, boxes, number) for image, revision, boxes, number in said}
    missing = 0
    for image in library.images:
        found = store.annotations.get(library.group, image)
        marks = [int(box.box.cx) for box in found.submitted]
        if found.revision:
            assert marks == [marks[0]] * (1 + marks[0] % 20)
        if image in newest:
            revision, boxes, number = newest[image]
            missing += max(0, revision - found.revision)
            # One more may have been committed without being told any more.
            assert found.revision <= revision + 1
            assert found.revision != revision or marks == [number] * boxes
    assert store.quick_check() == []
    store.close()
    return missing


def next_number(said: Said, number: int) -> int:
    """Where the next writer begins, so that no two submissions have the same mark."""
    return max([number, *(line[3] for line in said)]) + 1
