"""A model whose finds are known without running it: weights of 0, so that every cell of the picture gives what the biases say."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path

from darknet_bridge.training import RunDir
from gui.core.records import CheckpointFile, NewRun, Run, RunClass, RunState
from gui.core.workspace import Workspace

CELLS = 2  # beside each other
_NONE = -12.0
# Two boxes around the middle of each cell: (width, height) as shares of the picture, class number, score.
LARGE, SMALL = (0.25, 0.5, 0, 0.9), (0.125, 0.25, 1, 0.4)


def write_model(
    cfg: Path, weights: Path, classes: int, boxes: Sequence[tuple[float, float, int, float]] = (LARGE, SMALL)
) -> None:
    """cfg and weights of one layer and a head; boxes: as LARGE."""
    width, height = 32 * CELLS, 32
    anchors = ", ".join(f"{w * width:g},{h * height:g}" for w, h, _class, _score in boxes)
    filters = len(boxes) * (5 + classes)
    cfg.parent.mkdir(parents=True, exist_ok=True)
    cfg.write_text(
        f"[net]\nbatch=1\nwidth={width}\nheight={height}\nchannels=3\n\n"
        f"[convolutional]\nfilters={filters}\nsize=1\nstride=32\npad=0\nactivation=linear\n\n"
        f"[yolo]\nmask={','.join(map(str, range(len(boxes))))}\nanchors={anchors}\nclasses={classes}\nnum={len(boxes)}\n"
    )
    biases: list[float] = []
    for _w, _h, class_id, score in boxes:
        # The score is that there is an object times that it is of this class: the root of it each.
        sure = math.log(math.sqrt(score) / (1 - math.sqrt(score)))
        biases += [0.0] * 4 + [sure] + [sure if each == class_id else _NONE for each in range(classes)]
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(struct.pack("<iiiQ", 0, 2, 5, 0) + struct.pack(f"<{4 * filters}f", *biases, *[0.0] * (3 * filters)))


def trained(workspace: Workspace, experiment: int, classes: Sequence[tuple[int | None, str]], step: int = 100) -> Run:
    """A finished training with that model as its last checkpoint. classes: (category id, name) in the order of the network."""
    runs = workspace.store.runs
    named = tuple(RunClass(index, category, name) for index, (category, name) in enumerate(classes))
    run = runs.add(NewRun(experiment, "narrow", step, classes=named), workspace.run_folder)
    weights = RunDir(run.folder).backup / "net_last.weights"
    write_model(RunDir(run.folder).cfg, weights, len(named))
    runs.add_checkpoint(run.id, CheckpointFile(step, weights, "last"))
    runs.set_progress(run.id, step, 60.0)
    runs.set_state(run.id, RunState.FINISHED)
    return runs.get(run.id)
