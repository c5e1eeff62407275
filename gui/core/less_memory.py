"""A training that had too little memory goes on with fewer images at a time: how that is told from a user's kill, and the next
number to try.

A trainer that planned too much says so (exit code 12). One that the system kills to free memory says nothing: then the kernel's
count of such kills has risen while it ran. One whose threads get no memory leaves a word in its log.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from darknet_bridge.errors import STATUS_MEMORY
from darknet_bridge.formats import read_cfg, write_bytes
from darknet_bridge.training import Done, Error, NetInfo, RunDir

from .prepare_run import READY, read_ready
from .records import Run

_COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))
_COUNTER = "oom_kill"
_SIGNS = (b"std::bad_alloc", b"libgomp: Thread creation failed")
_TAIL = 1 << 16


@dataclass(frozen=True, slots=True)
class MemoryWatch:
    """Over one process of a run. kills: of the system when it began; log_from: where its log begins, None when unknown."""

    run: RunDir
    kills: int
    log_from: int | None

    @classmethod
    def before_start(cls, run: RunDir) -> MemoryWatch:
        return cls(run, kills_for_memory(), run.log.stat().st_size if run.log.exists() else 0)

    @classmethod
    def attached(cls, run: RunDir) -> MemoryWatch:
        """Of a process that was found at work."""
        return cls(run, kills_for_memory(), None)

    def ran_out(self, last: Done | Error | None) -> bool:
        """Whether the process that ended with this word, or without one, ended for lack of memory."""
        if last is not None:
            return isinstance(last, Error) and last.code == STATUS_MEMORY
        return kills_for_memory() > self.kills or self._log_says_so()

    def _log_says_so(self) -> bool:
        if self.log_from is None:
            return False
        try:
            with self.run.log.open("rb") as file:
                file.seek(max(self.log_from, file.seek(0, 2) - _TAIL))
                text = file.read()
        except OSError:
            return False
        return any(sign in text for sign in _SIGNS)


def kills_for_memory() -> int:
    """How many processes the system has killed so far because its memory, or that of our group, had run out."""
    found = 0
    for path in _COUNTERS:
        with suppress(OSError, ValueError):
            counts = dict(line.split()[:2] for line in path.read_text("ascii").splitlines())
            found += int(counts.get(_COUNTER, "0"))
    return found


@dataclass(frozen=True, slots=True)
class Smaller:
    """before, after: images at a time."""

    before: int
    after: int
    subdivisions: int

    @property
    def text(self) -> str:
        return f"Not enough memory for {self.before} images at a time: the training goes on with {self.after}."


def smaller(run: Run, net: NetInfo | None) -> Smaller | None:
    """Half as many images at a time as the process that failed took; None when that would not help or is not known.

    net: of its hello. One that planned by itself and failed before that had tried a single image already.
    """
    wanted = (read_ready(run.folder) or {}).get("subdivisions")
    batch = read_cfg(RunDir(run.folder).cfg).net.integer("batch", 1) if net is None else net.batch
    parts = net.subdivisions if net is not None else wanted
    if not isinstance(parts, int):
        return None
    before = max(1, batch // max(1, parts))
    after = next((size for size in range(before // 2, 0, -1) if batch % size == 0), None)
    return None if after is None else Smaller(before, after, batch // after)


def keep(run: Run, subdivisions: int) -> None:
    """Whoever starts the run from now on takes so many parts. Raises DiskError."""
    values = (read_ready(run.folder) or {}) | {"subdivisions": subdivisions}
    write_bytes(run.folder / READY, (json.dumps(values, indent=1) + "\n").encode("utf-8", "surrogateescape"))
