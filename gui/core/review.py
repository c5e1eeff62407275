"""What the Training and Review steps show of a run: the sentence, the curve of its lineage, the steps of the time machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from darknet_bridge.errors import shown
from darknet_bridge.export import ExportSource
from darknet_bridge.training import RunDir

from . import checkpoints
from .ancestry import ancestry
from .continue_run import lineage
from .errors import UserError
from .prepare_run import read_ready
from .records import CheckpointFile, Evaluation, Experiment, Metric, Part, Run, RunState, SampleShot
from .run_words import UNMEASURED
from .setup import Setup, model_title, save_every, stops_text
from .wording import counted
from .workspace import Workspace

GOOD_PERCENT = 75.0
FAIR_PERCENT = 50.0
EARLY_SHARE = 0.1
PARITY_IMAGES = 20
LONG_SILENCE_S = 60.0
BELL_SETTING = "bell_at_end"
EARLY_NOTE = "Many boxes at the first steps are normal: the network has not yet learnt what is no object."


@dataclass(frozen=True, slots=True)
class Report:
    """A run with everything that is shown of it. runs: its lineage, first one first; metrics and evaluations of all of them.
    ancestry: which training came from which, "" for one without kin."""

    run: Run
    experiment: Experiment
    runs: tuple[Run, ...]
    dataset: str
    metrics: tuple[Metric, ...]
    evaluations: tuple[Evaluation, ...]
    checkpoints: tuple[CheckpointFile, ...]
    sample_steps: tuple[int, ...]
    ancestry: str = ""

    @property
    def last_map(self) -> float | None:
        """0..1 of the newest evaluation."""
        return self.evaluations[-1].map if self.evaluations else None

    def map_at(self, step: int) -> float | None:
        """Of the newest evaluation up to that step."""
        return next((each.map for each in reversed(self.evaluations) if each.step <= step), None)

    @property
    def selected(self) -> CheckpointFile | None:
        try:
            return checkpoints.selected(self.run, self.checkpoints)
        except UserError:
            return None


def report(workspace: Workspace, run_id: int) -> Report:
    """On the store's thread."""
    store = workspace.store
    run = store.runs.get(run_id)
    runs = lineage(workspace, run_id)
    experiment = store.experiments.get(run.experiment_id)
    dataset = "" if experiment.dataset_id is None else store.datasets.get(experiment.dataset_id).name
    metrics: list[Metric] = []
    evaluations: list[Evaluation] = []
    steps: set[int] = set()
    for index, each in enumerate(runs):
        end = runs[index + 1].first_step if index + 1 < len(runs) else None
        metrics += [metric for metric in store.runs.metrics(each.id) if end is None or metric.step <= end]
        evaluations += [one for one in store.runs.evaluations(each.id) if end is None or one.step <= end]
        steps |= {step for step in store.runs.sample_steps(each.id) if end is None or step <= end}
    files = tuple(checkpoints.usable(store.runs.checkpoints(run_id)))
    return Report(
        run,
        experiment,
        tuple(runs),
        dataset,
        tuple(metrics),
        tuple(evaluations),
        files,
        tuple(sorted(steps)),
        ancestry(workspace, run),
    )


def shots_at(workspace: Workspace, found: Report, step: int) -> list[SampleShot]:
    """The sample images at the newest look up to `step`. On the store's thread; one query of one step."""
    known = [each for each in found.sample_steps if each <= step] or list(found.sample_steps[:1])
    if not known:
        return []
    owner = next((run for run in reversed(found.runs) if run.first_step < known[-1]), found.runs[0])
    # The run has the pictures of those that it continues, whose folders may be gone.
    pictures = found.run.folder / "JPEGImages"
    return [replace(each, image=pictures / each.image.name) for each in workspace.store.runs.samples(owner.id, known[-1])]


def sample_parts(run: Run) -> Mapping[str, Part]:
    """File name of each sample image -> which part of the run it is of."""
    values = (read_ready(run.folder) or {}).get("samples")
    return {str(name): Part(part) for name, part in values.items()} if isinstance(values, dict) else {}


def map_word(score: float | None) -> str:
    """weak, fair, good for a mAP of 0..1."""
    if score is None:
        return "not measured yet"
    percent = 100 * score
    return "good" if percent >= GOOD_PERCENT else "fair" if percent >= FAIR_PERCENT else "weak"


def why_unmeasured(run: Run) -> str:
    """Why there is no mAP."""
    if not run.images_valid:
        return "No image was held out, so there is nothing to measure it on."
    if UNMEASURED in run.reason:
        return f"{run.reason} Continue it to see how good the model is."
    return "The training ended before mAP was measured for the first time. Continue it to see how good the model is."


def duration(seconds: float) -> str:
    """ "40 seconds", "12 minutes", "an hour", "3 hours and 10 minutes", "2 days"."""
    if seconds < 90:
        return counted(max(1, round(seconds)), "second")
    minutes = round(seconds / 60)
    if minutes < 55:
        return f"{minutes} minutes"
    if minutes <= 65:
        return "an hour"
    hours, rest = divmod(minutes, 60)
    if hours < 10 and rest >= 5:
        return f"{hours} hour{'s' if hours > 1 else ''} and {rest} minutes"
    hours = round(minutes / 60)
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24)} days"


def remaining(seconds: float | None) -> str:
    """ "32 minutes remaining"."""
    return "measuring the time that remains" if seconds is None else f"{duration(seconds)} remaining"


def ended_notice(name: str, run: Run) -> tuple[str, str] | None:
    """(what is said when a training has ended, its kind: success, info, warning or error); None for what the user just did."""
    best = "" if run.best_map is None else f" Best mAP: {100 * run.best_map:.0f} %."
    reason = f" {run.reason}" if run.reason else ""
    if run.state is RunState.FINISHED:
        return f"The training of “{name}” has finished.{best}", "success"
    if run.state is RunState.STOPPED and run.reason and run.done_steps:
        return f"The training of “{name}” has ended.{reason}{best}", "success"
    if run.state is RunState.FAILED:
        return f"The training of “{name}” has failed.{reason}", "error"
    if run.state is RunState.PAUSED and not run.reason.startswith("You paused"):
        return f"The training of “{name}” is paused.{reason}", "warning"
    return None


def silence_note(silent: float, step_seconds: float) -> str:
    """What to know when a training says nothing for so many seconds; "" while that is usual.

    step_seconds: of its newest step, 0 before the first one, which has to load the images as well.
    """
    usual = max(LONG_SILENCE_S, 20 * step_seconds) if step_seconds else 2 * LONG_SILENCE_S
    if silent < usual:
        return ""
    text = f"Nothing was heard from the training for {duration(silent)}"
    text += f", though a step took {duration(step_seconds)}" if step_seconds else ""
    text += ". It may be measuring mAP, or the computer is busy or was asleep. If it stays silent, press Pause and then Resume: "
    return text + "the last checkpoint is kept."


def headline(found: Report) -> str:
    """ "Hooray! Your training ran for 5,000 steps and took an hour. Trained with the Birds dataset." """
    run = found.run
    if not run.done_steps:
        return f"Training {run.number} ended before its first step. {run.reason}".rstrip()
    took = duration(sum(each.seconds for each in found.runs))
    start = {RunState.FINISHED: "Hooray! Your training", RunState.STOPPED: "Stopped, and the model can be used. Your training"}
    text = f"{start.get(run.state, 'Your training')} ran for {run.done_steps:,} steps and took {took}."
    return text + (f" Trained with the {found.dataset} dataset." if found.dataset else "")


def facts(found: Report) -> list[tuple[str, str]]:
    """Name and value of what is known of a run."""
    run = found.run
    lines = [
        ("Model", model_title(run.model)),
        ("Categories", ", ".join(each.name for each in run.classes)),
        ("Images", f"{run.images_train:,} to learn, {run.images_valid:,} held out"),
        ("Started", _clock(run.started_at)),
        ("Ended", _clock(run.ended_at)),
    ]
    best = found.run.best_map
    if best is not None:
        lines.append(("Best mAP@0.50", f"{100 * best:.1f} % at step {run.best_step:,}"))
    lines.append(("Ends by itself", stops_text(Setup.from_json(run.options))))
    lines.append(("Start", run.kept or "from scratch"))
    return [line for line in lines if line[1]]


def _clock(when: float | None) -> str:
    return "" if when is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def checkpoint_line(found: Report, file: CheckpointFile) -> str:
    """ "Step 5,000 – mAP 81.2 % (best)"."""
    score = file.map if file.map is not None else next((e.map for e in found.evaluations if e.step == file.step), None)
    text = f"Step {file.step:,}" + ("" if score is None else f" – mAP {100 * score:.1f} %")
    return f"{text} (best)" if file.step == found.run.best_step else text


def checkpoint_near(found: Report, step: int) -> CheckpointFile | None:
    """The checkpoint that is nearest to a step, within half of what lies between two that are kept."""
    reach = max(1, (save_every(found.run.total_steps - found.run.first_step) + 1) // 2)
    near = [each for each in found.checkpoints if abs(each.step - step) <= reach]
    return min(near, key=lambda each: abs(each.step - step), default=None)


def why_not_used(found: Report, step: int) -> str | None:
    """Why the model of a step of the time machine can't be taken; None when it can."""
    if found.run.state.is_active:
        return "A step can be chosen when the training has ended. You can stop it any time."
    if not found.checkpoints:
        return "No checkpoint was saved yet, so there is no model of any step."
    near = checkpoint_near(found, step)
    if near is None:
        nearest = min(found.checkpoints, key=lambda each: abs(each.step - step))
        return f"No checkpoint was kept near step {step:,}; the nearest is of step {nearest.step:,}."
    if found.selected is not None and found.selected.step == near.step:
        return f"The model of step {near.step:,} is the selected one already."
    return None


def early_note(found: Report, step: int) -> str:
    """The reassurance for the first tenth of a training, "" later."""
    return EARLY_NOTE if step < EARLY_SHARE * found.run.total_steps else ""


def overfitting_note(evaluations: Sequence[Evaluation]) -> str:
    """When mAP on the held-out images falls for a while; "" otherwise."""
    if len(evaluations) < 4:
        return ""
    best = max(evaluations, key=lambda each: each.map)
    later = [each.map for each in evaluations if each.step > best.step]
    if len(later) < 3 or best.map - max(later) < 0.03:
        return ""
    text = f"mAP was best at step {best.step:,} and has fallen since: more steps make the model learn the pictures by heart."
    return text + " The best checkpoint is kept."


def select(workspace: Workspace, run_id: int, step: int | None) -> None:
    """On the store's thread. None is the best one again."""
    workspace.require_writing()
    workspace.store.runs.select(run_id, step)
    workspace.changes.publish("runs", f"run:{run_id}")


def set_notes(workspace: Workspace, run_id: int, notes: str, tags: Sequence[str]) -> None:
    """On the store's thread."""
    workspace.require_writing()
    workspace.store.runs.set_notes(run_id, notes.strip())
    workspace.store.runs.set_tags(run_id, [tag.strip() for tag in tags if tag.strip()])
    workspace.changes.publish("runs", f"run:{run_id}")


def export_source(found: Report) -> ExportSource:
    """What an export gets: the selected checkpoint, and held-out pictures to compare on. Raises UserError without weights."""
    run = found.run
    chosen = checkpoints.selected(run, found.checkpoints)
    folder = RunDir(run.folder)
    lines = folder.valid_list.read_text("utf-8").splitlines() if folder.valid_list.exists() else []
    pictures = [path for line in lines[:PARITY_IMAGES] if (path := Path(run.folder / line.strip())).exists()]
    values = {"Trained with": f"the {shown(found.dataset)} dataset, {run.images_train:,} images"}
    score = found.map_at(chosen.step)
    if score is not None:
        values["mAP@0.50"] = f"{100 * score:.1f} % on {run.images_valid:,} held-out images, step {chosen.step:,}"
    names = tuple(each.name for each in run.classes)
    return ExportSource(folder.cfg, chosen.path, names, tuple(pictures), found.experiment.name, values)


def log_text(run: Run, most: int = 200_000) -> str:
    """The end of the training program's own log."""
    try:
        text = RunDir(run.folder).log.read_text("utf-8", "replace")
    except OSError:
        return "There is no log yet."
    return text[-most:] or "The log is empty so far."
