"""Why a run ended, in words a person can act on, and which state it is in then."""

from __future__ import annotations

import re
from dataclasses import dataclass

from darknet_bridge.errors import (
    STATUS_BAD_INPUT,
    STATUS_DEVICE,
    STATUS_DISK,
    STATUS_MEMORY,
)
from darknet_bridge.training import Done, Error

from .records import RunState
from .wording import counted

UNMEASURED = "mAP was not measured"  # how the trainer's sentence about a stop that could not wait begins


@dataclass(frozen=True, slots=True)
class Ending:
    """reason: "" for what needs no explanation."""

    state: RunState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """What else is known at the end. saved: step of the newest checkpoint, None without one. rate: the learning rate at which
    the training began. stopped_for: why it was stopped, "" when the user did. out_of_memory: of a process without a last word."""

    saved: int | None = None
    rate: float | None = None
    stopped_for: str = ""
    out_of_memory: bool = False


def ending_of(last: Done | Error | None, done_steps: int, log_tail: str, pausing: bool, around: Around = Around()) -> Ending:
    """last: the last word of the trainer; None when it ended without one. pausing: the user asked to go on later."""
    if isinstance(last, Done):
        return _done(last, pausing, around)
    if last is None and around.out_of_memory:
        text = "Not enough memory, even for one image at a time. Close other programs and Resume, or start again with a smaller"
        return Ending(RunState.PAUSED, text + " network size.")
    if last is None:
        where = f"after step {done_steps:,}" if done_steps else "before its first step"
        text = f"The program or the computer was switched off {where}. Resume goes on from the last checkpoint."
        if log_tail and "error" in log_tail.lower():
            text = f"The training program ended unexpectedly {where}: {log_tail.splitlines()[-1][:300]}"
        return Ending(RunState.PAUSED, text)
    return _failure(last, around)


def _done(last: Done, pausing: bool, around: Around) -> Ending:
    if last.reason == "finished":
        return Ending(RunState.FINISHED)
    if pausing:
        return Ending(RunState.PAUSED, "You paused it.")
    unmeasured = "" if last.map is not None or last.unmeasured is None else f"{last.unmeasured}."
    return Ending(RunState.STOPPED, " ".join(text for text in (around.stopped_for, unmeasured) if text))


def reached(target: object, without_gain: object, top: float | None, since: int) -> str:
    """Why a training ends by itself before its last step, "" when it goes on. target: mAP in percent; without_gain: evaluations;
    both as the run's folder has them, None for no end. top: best mAP so far, 0..1; since: evaluations without a better one."""
    if isinstance(target, (int, float)) and top is not None and 100 * top >= target:
        return f"mAP reached {target:g} %."
    if isinstance(without_gain, int) and 0 < without_gain <= since:
        return f"mAP has not risen in {counted(without_gain, 'measurement')}."
    return ""


def _out_of_bounds(detail: str, around: Around) -> str:
    """Loss or weights became infinite or no number."""
    found = re.match(r"iteration (\d+): ([^;]*)", detail)
    what = detail if found is None else f"at step {int(found[1]):,} {found[2]}"
    text = f"The training ran out of bounds: {what}. Start again with a learning rate a tenth as high"
    if around.rate is not None:
        text += f" ({around.rate / 10:.10g} instead of {around.rate:.10g})"
    return text + ("." if around.saved is None else f". The checkpoint of step {around.saved:,} is kept.")


def _failure(error: Error, around: Around) -> Ending:
    detail = error.text.strip().rstrip(".")
    if error.code == STATUS_DISK:
        return Ending(
            RunState.PAUSED, f"Disk problem: {detail}. Free some space, then Resume; nothing that was saved is damaged."
        )
    if error.code == STATUS_MEMORY:
        text = f"Not enough memory: {detail}. Close other programs and Resume, or start again with a smaller network size."
        return Ending(RunState.PAUSED, text)
    if error.code == STATUS_DEVICE:
        return Ending(RunState.FAILED, f"The device can't be used: {detail}.")
    if error.code == STATUS_BAD_INPUT and "finite" in detail:
        return Ending(RunState.FAILED, _out_of_bounds(detail, around))
    if error.code == STATUS_BAD_INPUT:
        return Ending(RunState.FAILED, f"{detail}.")
    return Ending(RunState.FAILED, f"A fault of the training program (code {error.code}): {detail}. Its log tells more.")
