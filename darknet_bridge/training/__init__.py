"""Training processes: the folder of a run, starting, following, stopping, finding one again (docs/protocol.md).

run = create_run("runs/7", cfg, names, train, valid).run
process = TrainingProcess.start(run, TrainOptions(weights="yolov3-tiny.conv.15"))
for event in process.follow():
    ...
"""

from .process import TrainingProcess, TrainOptions
from .protocol import Checkpoint, Done, Error, Eval, Event, Hello, Log, NetInfo, ProtocolError, Sample, Smaller, Step, parse_event
from .run_dir import CreatedRun, ImageProblem, RunDir, RunImage, create_run

__all__ = [
    "Checkpoint",
    "CreatedRun",
    "Done",
    "Error",
    "Eval",
    "Event",
    "Hello",
    "ImageProblem",
    "Log",
    "NetInfo",
    "ProtocolError",
    "RunDir",
    "RunImage",
    "Sample",
    "Smaller",
    "Step",
    "TrainOptions",
    "TrainingProcess",
    "create_run",
    "parse_event",
]
