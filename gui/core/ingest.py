"""From a trainer's events to rows of the library: collected, written at most once a second, and again from the start at any
time with the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from darknet_bridge.training import Checkpoint, Done, Eval, Event, Hello, Log, NetInfo, Sample, Smaller, Step

from .records import CheckpointFile, ClassScore, Evaluation, Metric, Run, SampleBox, SampleShot
from .workspace import Workspace


@dataclass(frozen=True, slots=True)
class Live:
    """What is shown of a run that is at work. speed: images a second; eta_seconds None = not known yet."""

    run_id: int
    step: int = 0
    eta_seconds: float | None = None
    speed: float = 0.0
    device: str = ""
    memory_bytes: int = 0
    loss: float = 0.0
    message: str = ""


@dataclass
class Ingest:
    """Of one run. `take` each event, `flush` when there is time; not for two threads.

    pid, net: of the newest process's hello. saved: step of the newest checkpoint. top: best mAP of the
    newest process, 0..1; without_gain: its evaluations since then. fewer: images at a time before and after memory
    ran out, and the parts then; whoever acts on it clears it.
    """

    run: Run
    live: Live
    pid: int | None = None
    net: NetInfo | None = None
    saved: int | None = None
    top: float | None = None
    without_gain: int = 0
    fewer: tuple[int, int, int] | None = None
    _before: float = 0.0
    _own: float = 0.0
    _batch: int = 1
    _begun: bool = False
    _restart: int | None = None
    _metrics: list[Metric] = field(default_factory=list)
    _evaluations: list[Evaluation] = field(default_factory=list)
    _best: tuple[float, int] | None = None
    _checkpoints: list[CheckpointFile] = field(default_factory=list)
    _samples: dict[int, list[SampleShot]] = field(default_factory=dict)
    _maps: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run) -> Ingest:
        return cls(run, Live(run.id, run.done_steps))

    def take(self, event: Event) -> None:
        if isinstance(event, Hello):
            self._hello(event)
        elif isinstance(event, Smaller):
            self._smaller(event)
        elif isinstance(event, Step):
            self._step(event)
        elif isinstance(event, Eval):
            self._eval(event)
        elif isinstance(event, Sample):
            boxes = tuple(SampleBox(d.class_id, d.name, d.score, d.box) for d in event.detections)
            shot = SampleShot(event.iteration, self._absolute(event.image), boxes)
            self._samples.setdefault(event.iteration, []).append(shot)
        elif isinstance(event, Checkpoint):
            self._checkpoint(event)
        elif isinstance(event, Log) and event.level != "info":
            self._say(event.text)
        elif isinstance(event, Done):
            self._own = max(self._own, event.seconds)

    @property
    def seconds(self) -> float:
        """Of work, over all processes of the run. Whole once a process has said goodbye, else without its evaluations."""
        return self._before + self._own

    @property
    def waiting(self) -> bool:
        """Whether there is something to write."""
        rows = (self._metrics, self._evaluations, self._checkpoints, self._samples)
        return self._restart is not None or any(rows)

    def flush(self, workspace: Workspace) -> None:
        """On the store's thread."""
        runs, run_id = workspace.store.runs, self.run.id
        if self._restart is not None:
            runs.truncate(run_id, self._restart)
            self._restart = None
        if self._metrics:
            runs.add_metrics(run_id, self._metrics)
        for evaluation in self._evaluations:
            runs.add_evaluation(run_id, evaluation)
        if self._best is not None:
            runs.set_best(run_id, *self._best)
        for checkpoint in self._checkpoints:
            runs.add_checkpoint(run_id, checkpoint)
        # The last step's pictures may still be coming: they are written again with the next ones, in the same places.
        for step in sorted(self._samples):
            runs.add_samples(run_id, self._samples[step])
        runs.set_progress(run_id, self.live.step, self.seconds)
        newest = max(self._samples, default=None)
        self._samples = {newest: self._samples[newest]} if newest == self.live.step and newest is not None else {}
        self._metrics, self._evaluations, self._checkpoints, self._best = [], [], [], None

    def _hello(self, event: Hello) -> None:
        self.pid, self.net = event.pid, event.net
        self.top, self.without_gain = None, 0
        if event.start_iteration > 0:
            self.saved = event.start_iteration
        self._batch = event.net.batch
        if self._begun:
            self._forget_after(event.start_iteration)
            self._restart = event.start_iteration
        self._begun = True
        self._before, self._own = self.seconds, 0.0
        self._set(step=event.start_iteration, device=event.device, memory_bytes=event.memory_bytes, message="")

    def _smaller(self, event: Smaller) -> None:
        if self.net is not None:
            before = self.net.batch // max(1, self.net.subdivisions)
            self.net = replace(self.net, subdivisions=event.subdivisions)
            self.fewer = (before, event.mini_batch, event.subdivisions)

    def _forget_after(self, step: int) -> None:
        """A resumed run goes the way from there again: what was read of the steps behind it is not to be written."""
        self._metrics = [each for each in self._metrics if each.step <= step]
        self._evaluations = [each for each in self._evaluations if each.step <= step]
        self._checkpoints = [each for each in self._checkpoints if each.step <= step]
        self._samples = {at: shots for at, shots in self._samples.items() if at <= step}
        if self._best is not None and self._best[1] > step:
            self._best = None

    def _step(self, event: Step) -> None:
        self._metrics.append(
            Metric(event.iteration, event.loss, event.avg_loss, event.rate, event.seconds, event.width, event.height)
        )
        self._own += event.seconds
        speed = self._batch / event.seconds if event.seconds > 0 else 0.0
        smooth = speed if not self.live.speed else 0.8 * self.live.speed + 0.2 * speed
        self._set(step=event.iteration, eta_seconds=event.eta_seconds, speed=smooth, loss=event.avg_loss)

    def _eval(self, event: Eval) -> None:
        classes = tuple(ClassScore(c.id, c.name, c.ap, c.tp, c.fp, c.truths) for c in event.classes)
        figures = (event.map, event.precision, event.recall, event.f1, event.avg_iou)
        self._evaluations.append(Evaluation(event.iteration, *figures, classes))
        self._maps[event.iteration] = event.map
        if event.is_best:
            self._best = (event.map, event.iteration)
        gained = self.top is None or event.map > self.top
        self.without_gain = 0 if gained else self.without_gain + 1
        self.top = event.map if gained else self.top

    def _checkpoint(self, event: Checkpoint) -> None:
        self.saved = event.iteration
        if event.kind != "state":
            score = self._maps.get(event.iteration)
            self._checkpoints.append(CheckpointFile(event.iteration, self._absolute(event.path), event.kind, score))

    def _absolute(self, path: str) -> Path:
        return self.run.folder / path

    def _say(self, text: str) -> None:
        self._set(message=text)

    def _set(self, **changes: object) -> None:
        self.live = replace(self.live, **changes)  # type: ignore[arg-type]
