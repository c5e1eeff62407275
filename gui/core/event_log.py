"""The event log for checks from outside: JSON lines in the file that DARKNET_STUDIO_EVENT_LOG names, or nowhere.

A line is written after the screen shows the state. Names and fields: saved{image,revision,boxes} imported{dataset,images,skipped}
screen{name} trainer_step{run,step} checkpoint{run,step} stopped{run} error{code,text} stall{ms}.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TextIO

VARIABLE = "DARKNET_STUDIO_EVENT_LOG"


class EventLog:
    """Appends; several processes may share a file. A log that can't be written is given up silently: it is only a witness."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("a", encoding="utf-8", errors="backslashreplace")
            except OSError:
                self._file = None

    @classmethod
    def from_environment(cls) -> EventLog:
        named = os.environ.get(VARIABLE)
        return cls(Path(named) if named else None)

    def write(self, name: str, /, **fields: object) -> None:
        """fields: JSON values; anything else is written as its text."""
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(json.dumps({"event": name, **fields}, default=str) + "\n")
                self._file.flush()
            except (OSError, ValueError):
                self._file = None

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
