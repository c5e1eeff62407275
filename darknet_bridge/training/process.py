"""A training process: starting it, following its events, stopping it, and finding one again from its folder.

The process is a session of its own: it outlives whoever started it. Alive = it holds run.lock. Its exit is reaped by a
waiting thread, so that it never stays behind as a zombie; who only attached reads the end from the events.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import DarknetError, DiskError, FormatError, InternalError, error_for_status, reason, shown
from ..formats.atomic import StrPath, write_bytes
from ..program import find_program
from .protocol import MAX_LINE_BYTES, Done, Error, Event, Hello, Log, ProtocolError, parse_event
from .run_dir import RunDir

HELLO_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
_TERM_TIMEOUT_S = 5.0
_POLL_S = 0.05
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What goes onto the command line. None leaves the program's own choice.

    weights: start weights. resume: go on from the newest good checkpoint of the run. subdivisions "auto": the largest
    mini-batch that fits into memory_mb, which is of the device: a graphics card's memory where one trains (default: what is
    free). steps: instead of the cfg's max_batches. extra: further arguments as they are.
    """

    weights: StrPath | None = None
    resume: bool = False
    clear: bool = False
    map: bool = True
    device: str | None = None
    threads: int | None = None
    precision: str | None = None
    seed: int | None = None
    deterministic: bool = False
    subdivisions: str | int | None = None
    memory_mb: int | None = None
    steps: int | None = None
    extra: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """Behind `darknet detector train obj.data net.cfg`."""
        arguments = [] if self.weights is None else [str(Path(self.weights).absolute())]
        flags = {"-map": self.map, "-resume": self.resume, "-clear": self.clear, "-deterministic": self.deterministic}
        arguments += [flag for flag, wanted in flags.items() if wanted]
        values = {
            "-device": self.device,
            "-threads": self.threads,
            "-precision": self.precision,
            "-seed": self.seed,
            "-subdivisions": self.subdivisions,
            "-memory": self.memory_mb,
            "-steps": self.steps,
        }
        for name, value in values.items():
            if value is not None:
                arguments += [name, str(value)]
        return [*arguments, *self.extra]


class TrainingProcess:
    """The training of one run folder. Made by start() or attach()."""

    def __init__(self, run: RunDir, child: subprocess.Popen[bytes] | None = None, begins_at: int = 0) -> None:
        """begins_at: where in the events what the child says begins."""
        self.run = run
        self._child = child
        self._begins_at = begins_at
        if child is not None:
            threading.Thread(target=child.wait, name=f"wait-{child.pid}", daemon=True).start()

    @classmethod
    def start(cls, run: RunDir, options: TrainOptions | None = None) -> TrainingProcess:
        """Starts the trainer in the run's folder. Raises FormatError when one is at work there, LibraryError, DiskError."""
        if lock_holder_lives(run):
            raise FormatError("a training is at work in this folder already", str(run.folder))
        run = RunDir(run.folder.absolute())
        program = str(find_program().absolute())
        command = [program, "detector", "train", run.data.name, run.cfg.name]
        command += [*(options or TrainOptions()).arguments(), "-json", "-run-dir", str(run.folder)]
        try:
            run.stop.unlink(missing_ok=True)
            with run.events.open("ab") as events, run.log.open("ab") as log:
                _end_last_line(run.events)
                begins_at = run.events.stat().st_size
                child = subprocess.Popen(
                    command, cwd=run.folder, stdin=subprocess.DEVNULL, stdout=events, stderr=log, start_new_session=True
                )
        except OSError as error:
            raise DiskError(f"the training can't be started: {reason(error)}", str(run.folder)) from error
        return cls(run, child, begins_at)

    @classmethod
    def attach(cls, folder: StrPath) -> TrainingProcess:
        """The training of a folder that somebody started, running or not. Raises FormatError when it is no run's folder."""
        run = RunDir(Path(folder).absolute())
        if not run.events.exists():
            raise FormatError("no events.jsonl: no training was started in this folder", str(run.folder))
        return cls(run)

    @property
    def pid(self) -> int | None:
        """Of the living trainer, else None."""
        if self._child is not None:
            return self._child.pid if self._child.returncode is None else None
        return _lock_pid(self.run) if lock_holder_lives(self.run) else None

    @property
    def first_pid(self) -> int | None:
        """As its hello has it: also of a trainer that has ended, unless somebody else started that one."""
        return self.pid if self._child is None else self._child.pid

    def is_alive(self) -> bool:
        """Whether the trainer lives, whoever started it."""
        if self._child is not None:
            return self._child.returncode is None
        return lock_holder_lives(self.run)

    def follow(self, from_start: bool = True, timeout_s: float | None = None) -> Iterator[Event]:
        """Every event, from the first line of the folder or only the coming ones, until the trainer is gone.

        A line that can't be read comes as a Log of level "error". timeout_s ends the following early; the next call
        with from_start reads everything again. When no hello comes in 10 s, a Log shows the end of train.log.
        """
        return self._follow(0 if from_start else None, timeout_s)

    def _follow(self, begins_at: int | None, timeout_s: float | None) -> Iterator[Event]:
        """begins_at: in the file of events; None for its end."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        hello_by: float | None = time.monotonic() + HELLO_TIMEOUT_S
        with _LineReader(self.run.events, begins_at) as reader:
            while True:
                alive = self.is_alive()  # asked before reading: what a dead one wrote is all there
                for line in reader.lines():
                    event = _read_event(line)
                    if isinstance(event, Hello):
                        hello_by = None
                    if event is not None:
                        yield event
                if not alive or (deadline is not None and time.monotonic() >= deadline):
                    return
                if begins_at is not None and hello_by is not None and time.monotonic() >= hello_by:
                    hello_by = None
                    yield Log("warning", f"no sign of the trainer in {HELLO_TIMEOUT_S:.0f} s; its log: {self.log_tail()}")
                time.sleep(_POLL_S)

    def request_stop(self, hurry: bool = False) -> None:
        """Asks the trainer to write a checkpoint and end; returns at once. Raises DiskError.

        hurry: without measuring mAP behind the checkpoint; also for a trainer that was asked before.
        """
        write_bytes(self.run.stop, b"now\n" if hurry else b"")

    def stop(self, timeout_s: float = STOP_TIMEOUT_S, hurry: bool = False) -> bool:
        """Stops the trainer: asks, then SIGTERM, then SIGKILL. True when asking was enough."""
        if not self.is_alive():
            return True
        with suppress(DiskError):  # on a full disk the signals still work
            self.request_stop(hurry)
            if self.wait(timeout_s):
                return True
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._signal(number)
            if self.wait(_TERM_TIMEOUT_S):
                break
        return False

    def kill(self) -> None:
        """Ends the trainer at once; the newest checkpoint stays good."""
        self._signal(signal.SIGKILL)
        self.wait(_TERM_TIMEOUT_S)

    def wait(self, timeout_s: float | None = None) -> bool:
        """True when the trainer is gone, False when it still lives after timeout_s."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.is_alive():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S / 5)
        return True

    def result(self) -> Done:
        """How the training ended. Raises what it failed with, or InternalError with the end of train.log for a crash."""
        if self.is_alive():
            raise FormatError("the training is still at work", str(self.run.folder))
        last = self.last_word()
        if isinstance(last, Done):
            return last
        if last is not None:
            raise error_for_status(last.code, last.text)
        raise self._crash()

    def last_word(self) -> Done | Error | None:
        """Of a trainer that has ended; None where it could say none. One that was started before it here is not asked."""
        last: Done | Error | None = None
        for event in self._follow(self._begins_at, None):
            if isinstance(event, Hello):
                last = None
            elif isinstance(event, (Done, Error)):
                last = event
        return last

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of train.log, "" when there is none."""
        try:
            with self.run.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _BLOCK))
                return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""

    def _crash(self) -> DarknetError:
        code = None if self._child is None else self._child.returncode
        how = (
            "ended without a word" if code is None else f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        )
        text = f"the training in {shown(self.run.folder)} {how}; its log: {self.log_tail() or '(empty)'}"
        return InternalError(text) if code is None or code <= 0 else error_for_status(code, text)

    def _signal(self, number: signal.Signals) -> None:
        """To the trainer's whole process group; a foreign group is left alone."""
        pid = self.pid
        if pid is None:
            return
        with suppress(ProcessLookupError):
            if os.getpgid(pid) == pid:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)


def lock_holder_lives(run: RunDir) -> bool:
    """Whether a trainer holds the folder's run.lock."""
    try:
        descriptor = os.open(run.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _lock_pid(run: RunDir) -> int | None:
    try:
        pid = int(run.lock.read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if pid > 1 else None


def _end_last_line(path: Path) -> None:
    """A killed trainer may have left half a line: the next one must not go on behind it."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                file.write(b"\n")


def _read_event(line: bytes) -> Event | None:
    try:
        return parse_event(line)
    except ProtocolError as error:
        return Log("error", f"an unreadable line of events.jsonl: {error}")


class _LineReader:
    """Whole lines of a file that grows. begins_at: None for its end."""

    def __init__(self, path: Path, begins_at: int | None) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise DiskError(f"can't read: {reason(error)}", str(path)) from error
        self._file.seek(*((0, os.SEEK_END) if begins_at is None else (begins_at, os.SEEK_SET)))
        self._rest = bytearray()

    def __enter__(self) -> _LineReader:
        return self

    def __exit__(self, *args: object) -> None:
        self._file.close()

    def lines(self) -> Iterator[bytes]:
        """What was completed since the last call. Empty lines are left out."""
        while block := self._file.read(_BLOCK):
            start = len(self._rest)
            self._rest += block
            if self._rest.find(b"\n", start) < 0:
                if len(self._rest) > MAX_LINE_BYTES:
                    self._rest.clear()
                continue
            *complete, rest = self._rest.split(b"\n")
            self._rest = rest
            yield from (bytes(line) for line in complete if line.strip())
