"""Why a run ended, in words a person can act on, and which state it is in then."""

from __future__ import annotations

from dataclasses import dataclass

from darknet_bridge.errors import (
    STATUS_BAD_INPUT,
    STATUS_DEVICE,
    STATUS_DISK,
    STATUS_MEMORY,
)
from darknet_bridge.training import Done, Error

from .records import RunState


@dataclass(frozen=True, slots=True)
class Ending:
    """reason: "" for what needs no explanation."""

    state: RunState
    reason: str = ""


def ending_of(last: Done | Error | None, done_steps: int, log_tail: str, pausing: bool) -> Ending:
    """last: the last word of the trainer; None when it ended without one. pausing: the user asked to go on later."""
    if isinstance(last, Done):
        if last.reason == "finished":
            return Ending(RunState.FINISHED)
        return Ending(RunState.PAUSED, "You paused it.") if pausing else Ending(RunState.STOPPED)
    if last is None:
        where = f"after step {done_steps:,}" if done_steps else "before its first step"
        text = f"The program or the computer was switched off {where}. Resume goes on from the last checkpoint."
        if log_tail and "error" in log_tail.lower():
            text = f"The training program ended unexpectedly {where}: {log_tail.splitlines()[-1][:300]}"
        return Ending(RunState.PAUSED, text)
    return _failure(last)


def _failure(error: Error) -> Ending:
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
        text = f"The training ran out of bounds ({detail}). Start again with a learning rate a tenth as high."
        return Ending(RunState.FAILED, text + " The last good checkpoint is kept.")
    if error.code == STATUS_BAD_INPUT:
        return Ending(RunState.FAILED, f"{detail}.")
    return Ending(RunState.FAILED, f"A fault of the training program (code {error.code}): {detail}. Its log tells more.")
