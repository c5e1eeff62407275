"""The events of a training process: one frozen dataclass each, and reading them from lines (docs/protocol.md).

Unknown events and fields are ignored, so that an old program can follow a new trainer; missing optional fields take
their defaults. What is not JSON at all, or lacks a field that must be there, is a ProtocolError.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..detection import Detection, NormBox
from ..errors import FormatError
from ..formats.text import excerpt

PROTOCOL = 1
MAX_LINE_BYTES = 64 << 20


class ProtocolError(FormatError):
    """A line that is no event of this protocol."""


@dataclass(frozen=True, slots=True)
class NetInfo:
    width: int
    height: int
    batch: int
    subdivisions: int
    classes: int


@dataclass(frozen=True, slots=True)
class Hello:
    """The trainer has started. memory_bytes is the planned peak of the process, device_memory_bytes of a graphics card's memory
    (0 where none trains); threads are those of each of `processes`."""

    protocol: int
    program: str
    version: str
    pid: int
    device: str
    precision: str
    threads: int
    seed: int
    net: NetInfo
    max_batches: int
    start_iteration: int
    images_train: int
    images_valid: int
    memory_bytes: int
    time: float = 0.0
    processes: int = 1
    device_memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Smaller:
    """Memory was refused: from the next step on mini_batch images go through the network at a time."""

    iteration: int
    mini_batch: int
    subdivisions: int
    reason: str
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One weight update. loss and avg_loss are nan where they were not finite; eta_seconds None = not known yet."""

    iteration: int
    loss: float
    avg_loss: float
    rate: float
    seconds: float
    images: int
    eta_seconds: float | None
    width: int
    height: int
    load_seconds: float
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class ClassResult:
    id: int
    name: str
    ap: float
    tp: int
    fp: int
    truths: int


@dataclass(frozen=True, slots=True)
class Eval:
    """An evaluation on the validation images; map and the class APs are 0..1."""

    iteration: int
    map: float
    iou_thresh: float
    points: int
    best: float
    is_best: bool
    classes: tuple[ClassResult, ...]
    precision: float
    recall: float
    f1: float
    avg_iou: float
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What the network of that step finds on a chosen image."""

    iteration: int
    image: str
    detections: tuple[Detection, ...]
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file that is complete on disk. kind: best, last, final, numbered, ema, state."""

    iteration: int
    path: str
    kind: str
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Log:
    level: str
    text: str
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a run that finished or was stopped; weights is the file to use, if there is one.

    unmeasured: why a run that was stopped has no mAP of its last step; None when it has one or none was wanted.
    """

    iteration: int
    map: float | None
    best: float | None
    seconds: float
    weights: str | None
    reason: str
    time: float = 0.0
    unmeasured: str | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """The end of a run that failed; code is the exit code."""

    code: int
    text: str
    time: float = field(default=0.0)


Event = Hello | Smaller | Step | Eval | Sample | Checkpoint | Log | Done | Error


def parse_event(line: bytes | str) -> Event | None:
    """The event of one whole line; None for an event this version does not know. Raises ProtocolError."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
        raise ProtocolError(f"not JSON: '{excerpt(text)}'") from error
    if not isinstance(values, dict) or not isinstance(values.get("event"), str):
        raise ProtocolError("a line without the field 'event'")
    fields = _Fields(values, values["event"])
    reader = _READERS.get(values["event"])
    return None if reader is None else reader(fields)


class _Fields:
    """Checked access to the fields of one event."""

    def __init__(self, values: Mapping[str, Any], event: str) -> None:
        self._values = values
        self._event = event

    def integer(self, name: str) -> int:
        value = self._values.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) > 2**63:
            raise self._wrong(name, "a whole number")
        return int(value)

    def number(self, name: str) -> float:
        """A number; null, which stands for nan and inf, is nan."""
        if name not in self._values:
            raise self._wrong(name, "a number")
        value = self.optional_number(name)
        return math.nan if value is None else value

    def optional_number(self, name: str) -> float | None:
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(name, "a number")
        return float(value)

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._values.get(name) is None else self.text(name)

    def boolean(self, name: str) -> bool:
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def inner(self, name: str) -> _Fields:
        return self._object(self._values.get(name), name)

    def items(self, name: str) -> list[_Fields]:
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return [self._object(item, name) for item in value]

    def box(self, name: str) -> NormBox:
        value = self._values.get(name)
        if not isinstance(value, list) or len(value) != 4 or not all(isinstance(side, (int, float)) for side in value):
            raise self._wrong(name, "four numbers")
        return NormBox(*(float(side) for side in value))

    @property
    def time(self) -> float:
        return self.optional_number("time") or 0.0

    def _object(self, value: object, name: str) -> _Fields:
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return _Fields(value, f"{self._event}.{name}")

    def _wrong(self, name: str, expected: str) -> ProtocolError:
        given = excerpt(repr(self._values[name])) if name in self._values else "nothing"
        return ProtocolError(f"{self._event}.{name}: {given}; expected {expected}")


def _hello(f: _Fields) -> Hello:
    net = f.inner("net")
    return Hello(
        protocol=f.integer("protocol"),
        program=f.text("program"),
        version=f.text("version"),
        pid=f.integer("pid"),
        device=f.text("device"),
        precision=f.text("precision"),
        threads=f.integer("threads"),
        seed=f.integer("seed"),
        net=NetInfo(*(net.integer(name) for name in ("width", "height", "batch", "subdivisions", "classes"))),
        max_batches=f.integer("max_batches"),
        start_iteration=f.integer("start_iteration"),
        images_train=f.integer("images_train"),
        images_valid=f.integer("images_valid"),
        memory_bytes=f.integer("memory_bytes"),
        time=f.time,
        processes=int(f.optional_number("processes") or 1),
        device_memory_bytes=int(f.optional_number("device_memory_bytes") or 0),
    )


def _step(f: _Fields) -> Step:
    return Step(
        iteration=f.integer("iteration"),
        loss=f.number("loss"),
        avg_loss=f.number("avg_loss"),
        rate=f.number("rate"),
        seconds=f.number("seconds"),
        images=f.integer("images"),
        eta_seconds=f.optional_number("eta_seconds"),
        width=f.integer("width"),
        height=f.integer("height"),
        load_seconds=f.optional_number("load_seconds") or 0.0,
        time=f.time,
    )


def _class_result(f: _Fields) -> ClassResult:
    return ClassResult(f.integer("id"), f.text("name"), f.number("ap"), f.integer("tp"), f.integer("fp"), f.integer("truths"))


def _eval(f: _Fields) -> Eval:
    return Eval(
        iteration=f.integer("iteration"),
        map=f.number("map"),
        iou_thresh=f.number("iou_thresh"),
        points=f.integer("points"),
        best=f.number("best"),
        is_best=f.boolean("is_best"),
        classes=tuple(_class_result(item) for item in f.items("classes")),
        precision=f.number("precision"),
        recall=f.number("recall"),
        f1=f.number("f1"),
        avg_iou=f.number("avg_iou"),
        time=f.time,
    )


def _detection(f: _Fields) -> Detection:
    return Detection(f.integer("class_id"), f.text("name"), f.number("score"), f.box("box"))


def _sample(f: _Fields) -> Sample:
    return Sample(f.integer("iteration"), f.text("image"), tuple(_detection(d) for d in f.items("detections")), f.time)


def _done(f: _Fields) -> Done:
    return Done(
        iteration=f.integer("iteration"),
        map=f.optional_number("map"),
        best=f.optional_number("best"),
        seconds=f.number("seconds"),
        weights=f.optional_text("weights") or None,
        reason=f.text("reason"),
        time=f.time,
        unmeasured=f.optional_text("unmeasured") or None,
    )


_READERS: dict[str, Callable[[_Fields], Event]] = {
    "hello": _hello,
    "smaller": lambda f: Smaller(
        f.integer("iteration"), f.integer("mini_batch"), f.integer("subdivisions"), f.text("reason"), f.time
    ),
    "step": _step,
    "eval": _eval,
    "sample": _sample,
    "checkpoint": lambda f: Checkpoint(f.integer("iteration"), f.text("path"), f.text("kind"), f.time),
    "log": lambda f: Log(f.text("level"), f.text("text"), f.time),
    "done": _done,
    "error": lambda f: Error(f.integer("code"), f.text("text"), f.time),
}
