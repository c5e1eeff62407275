"""Which checkpoint of a run is used: the chosen one, else the best by mAP, else the newest that is there."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import UserError
from .records import CheckpointFile, Run

_RANK = {"best": 0, "final": 1, "numbered": 2, "last": 3, "ema": 4}


def usable(checkpoints: Sequence[CheckpointFile]) -> list[CheckpointFile]:
    """One a step, by rising step, whose file is there; state files are no weights."""
    found: dict[int, CheckpointFile] = {}
    for each in sorted(checkpoints, key=lambda one: _RANK.get(one.kind, 9), reverse=True):
        if each.kind in _RANK and each.kind != "ema" and each.path.is_file():
            found[each.step] = each
    return [found[step] for step in sorted(found)]


def best_of(run: Run, checkpoints: Sequence[CheckpointFile]) -> CheckpointFile | None:
    """By mAP; without evaluations the newest."""
    there = usable(checkpoints)
    best = next((each for each in there if each.step == run.best_step), None)
    return best or (there[-1] if there else None)


def selected(run: Run, checkpoints: Sequence[CheckpointFile]) -> CheckpointFile:
    """Raises UserError when the run has no weights to use."""
    there = usable(checkpoints)
    chosen = next((each for each in there if each.step == run.selected_step), None) or best_of(run, there)
    if chosen is None:
        raise UserError(f"Training {run.number} has no checkpoint yet: nothing was trained that could be used.")
    return chosen
