"""Events of a training process: every kind, what is ignored, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from darknet_bridge.detection import NormBox
from darknet_bridge.training import Checkpoint, Done, Error, Eval, Hello, Log, ProtocolError, Sample, Step, parse_event

ROOT = Path(__file__).resolve().parents[2]

HELLO: dict[str, Any] = {
    "event": "hello", "time": 1.5, "protocol": 1, "program": "darknet", "version": "0.1.0", "pid": 7, "device": "cpu",
    "precision": "f32", "threads": 2, "seed": 1, "max_batches": 50, "start_iteration": 0, "images_train": 9, "images_valid": 0,
    "memory_bytes": 5_000_000_000,
    "net": {"width": 416, "height": 320, "batch": 64, "subdivisions": 8, "classes": 3},
}  # fmt: skip
STEP: dict[str, Any] = {
    "event": "step", "iteration": 3, "loss": 1.5, "avg_loss": 2.0, "rate": 1e-15, "seconds": 0.1, "images": 192,
    "eta_seconds": None, "width": 416, "height": 416, "load_seconds": 0,
}  # fmt: skip
EVAL: dict[str, Any] = {
    "event": "eval", "iteration": 3, "map": 0.5, "iou_thresh": 0.5, "points": 0, "best": 0.6, "is_best": False,
    "classes": [{"id": 0, "name": "a", "ap": 0.5, "tp": 1, "fp": 2, "truths": 3}],
    "precision": 0.1, "recall": 0.2, "f1": 0.3, "avg_iou": None,
}  # fmt: skip


def test_every_event() -> None:
    hello = parse_event(json.dumps(HELLO))
    assert isinstance(hello, Hello)
    assert (hello.time, hello.net.height, hello.net.classes, hello.memory_bytes) == (1.5, 320, 3, 5_000_000_000)
    step = parse_event(json.dumps(STEP).encode())
    assert isinstance(step, Step)
    assert (step.iteration, step.eta_seconds, step.rate) == (3, None, 1e-15)
    found = parse_event(json.dumps(EVAL))
    assert isinstance(found, Eval)
    assert found.classes[0].truths == 3
    assert math.isnan(found.avg_iou), "null stands for a number that is none"
    sample = parse_event(
        '{"event":"sample","iteration":1,"image":"a.jpg","detections":[{"class_id":2,"name":"c","score":0.9,"box":[0.5,0.5,0.1,1]}]}'
    )
    assert isinstance(sample, Sample)
    assert sample.detections[0].box == NormBox(0.5, 0.5, 0.1, 1.0)
    assert parse_event('{"event":"checkpoint","iteration":1,"path":"x","kind":"best"}') == Checkpoint(1, "x", "best")
    assert parse_event('{"event":"log","level":"info","text":"hi"}') == Log("info", "hi")
    done = parse_event('{"event":"done","iteration":5,"seconds":1,"reason":"stopped"}')
    assert done == Done(5, None, None, 1.0, None, "stopped")
    assert parse_event('{"event":"error","code":10,"text":"no"}') == Error(10, "no")


def test_a_newer_trainer_can_be_followed() -> None:
    assert parse_event('{"event":"weather","rain":true}') is None
    assert isinstance(parse_event(json.dumps(STEP | {"colour": "red", "nested": {"a": [1]}})), Step)
    assert isinstance(parse_event(json.dumps(HELLO | {"net": HELLO["net"] | {"depth": 3}})), Hello)


def test_losses_that_are_no_numbers() -> None:
    step = parse_event(json.dumps(STEP | {"loss": None}))
    assert isinstance(step, Step) and math.isnan(step.loss)


def test_paths_that_are_no_utf8() -> None:
    event = parse_event(b'{"event":"checkpoint","iteration":1,"path":"bad\\udcff.weights","kind":"last"}')
    assert isinstance(event, Checkpoint) and event.path == "bad\udcff.weights"


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"3", b"{}", b'{"event":3}', b"\xff\xfe", b"[" * 100_000]
    + [b'{"event":"log","level":"info"}', b'{"event":"error"}']
    + [json.dumps(STEP | {"iteration": value}).encode() for value in ("3", None, True, [3], 1e40)]
    + [json.dumps({k: v for k, v in STEP.items() if k != "loss"}).encode()]
    + [json.dumps(HELLO | {"net": 3}).encode(), json.dumps(EVAL | {"classes": {}}).encode()]
    + [b'{"event":"sample","iteration":1,"image":"a","detections":[{"class_id":0,"name":"","score":1,"box":[1,2,3]}]}'],
)  # fmt: skip
def test_what_is_no_event(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_event(line)


def test_the_document_names_every_field() -> None:
    """docs/protocol.md is what the trainer is written by: its tables and the dataclasses must not part."""
    text = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    for event in (Hello, Step, Eval, Sample, Checkpoint, Log, Done, Error):
        section = text.split(f"### {event.__name__.lower()}", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
        for name in event.__slots__:
            assert name == "time" or f"`{name}`" in section, f"{event.__name__}.{name}"


def test_the_documents_example_reads() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    lines = [line.strip() for line in text.splitlines() if line.startswith('    {"event"')]
    assert [type(parse_event(line)) for line in lines] == [Hello, Step, Done]
